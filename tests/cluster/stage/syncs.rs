//! What is told about a SecretSync.

use std::fmt;
use std::sync::atomic::Ordering;

use k8s_openapi::api::events::v1::Event;
use kube::api::{Api, DynamicObject, ListParams};
use kube::core::{ApiResource, GroupVersionKind};
use penstock_domain::api::secret_sync::SecretSync;
use penstock_domain::api::status::{Condition, SecretSyncStatus};
use penstock_testbed::{Failure, eventually};
use serde_json::json;

use super::place::{PATIENCE, Stage};

/// One Event.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::cluster) struct Told {
    /// `Warning` or `Normal`.
    pub(in crate::cluster) kind: String,
    /// One word.
    pub(in crate::cluster) reason: String,
    /// A sentence.
    pub(in crate::cluster) note: String,
}

impl fmt::Display for Told {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}: {}", self.kind, self.reason, self.note)
    }
}

impl Stage {
    /// A SecretSync as it stands.
    pub(in crate::cluster) async fn sync_object(&self, name: &str) -> Result<SecretSync, Failure> {
        Ok(self.namespace.api::<SecretSync>().get(name).await?)
    }

    /// The status of a SecretSync; empty while there is none.
    pub(in crate::cluster) async fn status(&self, name: &str) -> Result<SecretSyncStatus, Failure> {
        let sync = self.sync_object(name).await?;
        Ok(sync.status.unwrap_or_default())
    }

    /// A condition of a SecretSync that must be there.
    pub(in crate::cluster) async fn condition(
        &self,
        sync: &str,
        kind: &str,
    ) -> Result<Condition, Failure> {
        let conditions = self.status(sync).await?.conditions;
        let found = conditions
            .into_iter()
            .find(|condition| condition.condition_type == kind);
        found.ok_or_else(|| Failure::because(format!("{sync} has no condition {kind}")))
    }

    /// Waits until a condition has a status and a reason, and is about the spec as it stands.
    pub(in crate::cluster) async fn await_condition(
        &self,
        sync: &str,
        (kind, status): (&str, &str),
        reason: &str,
    ) -> Result<Condition, Failure> {
        self.await_condition_of("SecretSync", sync, (kind, status, reason))
            .await
    }

    /// Waits until a SecretSync is Ready with its spec as it stands.
    pub(in crate::cluster) async fn is_synced(&self, sync: &str) -> Result<(), Failure> {
        self.await_condition(sync, ("Ready", "True"), "Synced")
            .await
            .map(drop)
    }

    /// Waits until a condition of a SecretStore has a status and a reason, for its spec as it stands.
    pub(in crate::cluster) async fn await_store_condition(
        &self,
        store: &str,
        (kind, status): (&str, &str),
        reason: &str,
    ) -> Result<(), Failure> {
        self.await_condition_of("SecretStore", store, (kind, status, reason))
            .await
            .map(drop)
    }

    /// All objects of one of our kinds in the namespace, whatever their spec says.
    pub(super) async fn objects(&self, kind: &str) -> Result<Vec<DynamicObject>, Failure> {
        let list = self.dynamic(kind).list(&ListParams::default()).await?;
        Ok(list.items)
    }

    /// The stores of the namespace, as whoever made them would apply them once more.
    pub(in crate::cluster) async fn store_documents(&self) -> Result<Vec<String>, Failure> {
        let stores = self.objects("SecretStore").await?;
        let document = |store: DynamicObject| {
            json!({
                "apiVersion": "penstock.dev/v1alpha1",
                "kind": "SecretStore",
                "metadata": {"name": store.metadata.name},
                "spec": store.data["spec"],
            })
            .to_string()
        };
        Ok(stores.into_iter().map(document).collect())
    }

    fn dynamic(&self, kind: &str) -> Api<DynamicObject> {
        let resource = GroupVersionKind::gvk("penstock.dev", "v1alpha1", kind);
        let resource = ApiResource::from_gvk(&resource);
        Api::namespaced_with(self.client().clone(), self.namespace.name(), &resource)
    }

    /// Reads metadata and status only: the spec may be one that nobody can read.
    async fn await_condition_of(
        &self,
        object: &str,
        name: &str,
        (kind, status, reason): (&str, &str, &str),
    ) -> Result<Condition, Failure> {
        let api = self.dynamic(object);
        let what = format!("{object} {name} is {kind}={status} {reason}");
        let met = eventually(what, PATIENCE, || async {
            let found = api.get(name).await.map_err(|error| error.to_string())?;
            let conditions = found.data["status"]["conditions"].clone();
            let conditions = serde_json::from_value(conditions).unwrap_or_default();
            let generation = found.metadata.generation.unwrap_or_default();
            meets(conditions, (kind, status, reason), generation)
        });
        Ok(met.await?)
    }

    /// Asks for a read now, and waits until the operator says that it has made one.
    pub(in crate::cluster) async fn refresh(&self, sync: &str) -> Result<(), Failure> {
        let nonce = self.nonces.fetch_add(1, Ordering::Relaxed);
        let nonce = format!("nonce-{nonce}");
        let annotations = json!({"penstock.dev/refresh": nonce});
        self.patch_sync(sync, json!({"metadata": {"annotations": annotations}}))
            .await?;
        let honoured = eventually(format!("{sync} was refreshed"), PATIENCE, || async {
            let status = self.status(sync).await.map_err(|error| error.to_string())?;
            if status.refresh.as_deref() == Some(nonce.as_str()) {
                Ok(())
            } else {
                Err(format!("{:?}", status.refresh))
            }
        });
        Ok(honoured.await?)
    }

    /// What was told about an object so far, in no certain order.
    pub(in crate::cluster) async fn events(&self, object: &str) -> Result<Vec<Told>, Failure> {
        let events = self.namespace.api::<Event>();
        let events = events.list(&ListParams::default()).await?;
        let about = |event: &Event| {
            event
                .regarding
                .as_ref()
                .and_then(|about| about.name.clone())
                .as_deref()
                == Some(object)
        };
        let ours = events.items.into_iter().filter(about);
        Ok(ours.map(told).collect())
    }

    /// Waits until an Event of this reason was told about an object whose note holds all of `words`.
    pub(in crate::cluster) async fn await_event(
        &self,
        object: &str,
        reason: &str,
        words: &[&str],
    ) -> Result<Told, Failure> {
        let what = format!("an event {reason} about {object} says {words:?}");
        let told = eventually(what, PATIENCE, || async {
            let events = self
                .events(object)
                .await
                .map_err(|error| error.to_string())?;
            let fits = |event: &&Told| {
                event.reason == reason && words.iter().all(|word| event.note.contains(word))
            };
            match events.iter().find(fits) {
                Some(event) => Ok(event.clone()),
                None => Err(joined(&events)),
            }
        });
        Ok(told.await?)
    }
}

fn meets(
    conditions: Vec<Condition>,
    (kind, status, reason): (&str, &str, &str),
    generation: i64,
) -> Result<Condition, String> {
    let found = conditions
        .into_iter()
        .find(|condition| condition.condition_type == kind);
    let Some(condition) = found else {
        return Err("no such condition".to_owned());
    };
    let stands = format!("{:?}", condition.status) == status
        && condition.reason == reason
        && condition.observed_generation == generation;
    if stands {
        return Ok(condition);
    }
    Err(format!(
        "{:?} {} of generation {} (is {generation}): {}",
        condition.status, condition.reason, condition.observed_generation, condition.message
    ))
}

fn told(event: Event) -> Told {
    Told {
        kind: event.type_.unwrap_or_default(),
        reason: event.reason.unwrap_or_default(),
        note: event.note.unwrap_or_default(),
    }
}

pub(super) fn joined(events: &[Told]) -> String {
    let lines: Vec<_> = events.iter().map(ToString::to_string).collect();
    lines.join("\n")
}
