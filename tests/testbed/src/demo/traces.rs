//! What the demo leaves in a cluster that stays, and taking it away again.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use kube::api::{Api, DeleteParams, DynamicObject};
use kube::core::GroupVersionKind;
use kube::discovery::pinned_kind;
use kube::{Client, ResourceExt};

use crate::eventually::eventually;
use crate::failure::Failure;
use crate::story::{Detail, Story};

/// A namespace is gone when everything in it is.
const GOING: Duration = Duration::from_mins(3);

/// The objects of the whole cluster that the demo made, in the order of making. Clones are one list.
///
/// An object is noted before it is made: being interrupted in between leaves a note too many, never an object.
#[derive(Clone, Default)]
pub struct Traces(Arc<Mutex<Vec<Trace>>>);

#[derive(Clone)]
struct Trace {
    client: Client,
    object: DynamicObject,
}

impl Traces {
    /// Notes an object that is about to be made.
    pub(super) fn note(&self, client: &Client, object: DynamicObject) {
        self.list().push(Trace {
            client: client.clone(),
            object,
        });
    }

    /// Takes back the last note: the object was not made after all.
    pub(super) fn take_back(&self) {
        self.list().pop();
    }

    /// Deletes everything that was noted, the last made first, and tells about it. What cannot be deleted stays
    /// noted, and the rest goes on.
    pub async fn remove(&self, story: &mut Story) -> Result<(), Failure> {
        let count = self.list().len();
        if count == 0 {
            return Ok(());
        }
        story.line("");
        let what = format!(
            "all {count} objects of the whole cluster are removed, the namespace among them"
        );
        story
            .detailed_step(&what, |detail| self.remove_all(detail))
            .await
    }

    /// Tells how to remove what is still there, if anything is.
    pub fn tell(&self, story: &mut Story) {
        let names: Vec<String> = self.list().iter().rev().map(Trace::name).collect();
        if names.is_empty() {
            return;
        }
        story.say("Still there. To remove it:");
        for name in names {
            story.command(&format!("kubectl delete {name}"));
        }
    }

    async fn remove_all(&self, detail: Detail) -> Result<(), Failure> {
        let mut failed = None;
        let count = self.list().len();
        for index in (0..count).rev() {
            let found = self.list().get(index).cloned();
            let Some(trace) = found else { continue };
            detail.set(trace.name());
            match trace.remove().await {
                Ok(()) => {
                    self.list().remove(index);
                }
                Err(failure) => failed = Some(failure),
            }
        }
        failed.map_or(Ok(()), Err)
    }

    fn list(&self) -> MutexGuard<'_, Vec<Trace>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Trace {
    /// `clusterrole/penstock-demo`, as kubectl takes it.
    fn name(&self) -> String {
        let types = self.object.types.clone().unwrap_or_default();
        format!("{}/{}", types.kind.to_lowercase(), self.object.name_any())
    }

    async fn remove(&self) -> Result<(), Failure> {
        let types = self.object.types.clone().unwrap_or_default();
        let kind = GroupVersionKind::try_from(&types)?;
        let (resource, _) = pinned_kind(&self.client, &kind).await?;
        let api: Api<DynamicObject> = Api::all_with(self.client.clone(), &resource);
        let name = self.object.name_any();
        let gone =
            |error: &kube::Error| matches!(error, kube::Error::Api(status) if status.code == 404);
        match api.delete(&name, &DeleteParams::default()).await {
            Err(error) if !gone(&error) => return Err(error.into()),
            _ => {}
        }
        eventually(format!("{} is gone", self.name()), GOING, || async {
            match api.get_opt(&name).await {
                Ok(None) => Ok(()),
                Ok(Some(_)) => Err("still going".to_owned()),
                Err(error) => Err(error.to_string()),
            }
        })
        .await?;
        Ok(())
    }
}
