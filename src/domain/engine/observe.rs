//! I/O: looks at the targets that are not known to be as we left them, and computes the differences.

use std::collections::BTreeMap;

use futures::future::join_all;

use super::{Engine, PassRequest, quiet};
use crate::api::status::TargetState;
use crate::bundle::Bundle;
use crate::diff::{DiffInput, TargetDiff, diff};
use crate::fault::Fault;
use crate::keys::ContentHash;
use crate::names::{Key, TargetName};
use crate::ports::{Observation, ObservedObject, Precondition};
use crate::record::{RecordState, Renaming, TargetRecord};
use crate::render;
use crate::secret::SecretValue;
use crate::sync::ValidatedTarget;

/// What should stand at one target, and what must still be true when it is written.
#[derive(Debug, Clone)]
pub(super) struct Desired {
    pub(super) data: BTreeMap<Key, SecretValue>,
    pub(super) precondition: Precondition,
    /// What the record says that we own there, under the target's present name.
    pub(super) former: Option<TargetRecord>,
}

/// All targets after a look.
#[derive(Debug, Default)]
pub(super) struct Observed {
    pub(super) diffs: Vec<TargetDiff>,
    pub(super) desired: BTreeMap<TargetName, Desired>,
    /// Targets that could not be looked at.
    pub(super) faults: BTreeMap<TargetName, Fault>,
}

impl Engine {
    /// Looks at every target of the sync.
    pub(super) async fn observe(
        &self,
        request: PassRequest<'_>,
        record: &RecordState,
        bundle: &Bundle,
    ) -> Observed {
        let meant = |target: &&ValidatedTarget| match request.only {
            Some(only) => only.contains(&target.name),
            None => true,
        };
        let targets: Vec<&ValidatedTarget> = request.sync.targets.iter().filter(meant).collect();
        let looks = targets
            .iter()
            .map(|target| self.look(request, target, record, bundle));
        let mut observed = Observed::default();
        for (target, look) in targets.iter().zip(join_all(looks).await) {
            match look {
                Ok((difference, desired)) => {
                    observed.diffs.push(difference);
                    observed.desired.insert(target.name.clone(), desired);
                }
                Err(fault) => {
                    observed.faults.insert(target.name.clone(), fault);
                }
            }
        }
        observed
    }

    async fn look(
        &self,
        request: PassRequest<'_>,
        target: &ValidatedTarget,
        record: &RecordState,
        bundle: &Bundle,
    ) -> Result<(TargetDiff, Desired), Fault> {
        let data = render::target_data(bundle, target).map_err(first)?;
        let owned = record.owned_at(target);
        if let Some((name, owned)) = owned
            && *name == target.name
            && stands_as_confirmed(request, name, owned)
            && owned.keys == self.hashes(request, target, &data)
        {
            let desired = Desired {
                data,
                precondition: Precondition::Absent,
                former: Some(owned.clone()),
            };
            return Ok((TargetDiff::confirmed(name, owned), desired));
        }
        let observation = self.ports.targets.observe(&request.sync.id, target).await?;
        let former = owned
            .map(|owned| self.under_present_name(request, target, owned, (&data, &observation)));
        let name = owned.map_or(&target.name, |(name, _)| name);
        let difference = diff(
            DiffInput {
                sync: &request.sync.id,
                target,
                desired: &data,
                record: former.as_ref(),
                intent_open: owned.is_some_and(|(name, owned)| !is_closed(request, name, owned)),
                confirmed_uid: confirmed_uid(request, name),
                observed: &observation,
            },
            &self.key,
        );
        let precondition = match observation {
            Observation::Absent => Precondition::Absent,
            Observation::Present(ObservedObject {
                uid,
                resource_version,
                ..
            }) => Precondition::Unchanged {
                uid,
                resource_version,
            },
        };
        let desired = Desired {
            data,
            precondition,
            former,
        };
        Ok((difference, desired))
    }

    fn under_present_name(
        &self,
        request: PassRequest<'_>,
        target: &ValidatedTarget,
        (name, owned): (&TargetName, &TargetRecord),
        (desired, observation): (&BTreeMap<Key, SecretValue>, &Observation),
    ) -> TargetRecord {
        if *name == target.name {
            return owned.clone();
        }
        let renaming = Renaming {
            sync: &request.sync.id,
            from: name,
            to: &target.name,
        };
        match observation {
            Observation::Absent => renaming.rebase(owned, &[desired], &self.key),
            Observation::Present(object) => {
                renaming.rebase(owned, &[desired, &object.data], &self.key)
            }
        }
    }

    fn hashes(
        &self,
        request: PassRequest<'_>,
        target: &ValidatedTarget,
        data: &BTreeMap<Key, SecretValue>,
    ) -> BTreeMap<Key, ContentHash> {
        let hash = |(key, value): (&Key, &SecretValue)| {
            (
                key.clone(),
                self.key
                    .content_hash(&request.sync.id, &target.name, key, value),
            )
        };
        data.iter().map(hash).collect()
    }
}

pub(super) fn first(faults: Vec<Fault>) -> Fault {
    use crate::fault::FaultClass;
    let nothing = || Fault::new(FaultClass::Invalid, "target", "cannot take the content");
    faults.into_iter().next().unwrap_or_else(nothing)
}

/// Whether the watch saw a target as status confirms the record's last write to it, for the same spec.
fn stands_as_confirmed(request: PassRequest<'_>, name: &TargetName, owned: &TargetRecord) -> bool {
    request.status.observed_generation == Some(request.sync.generation)
        && quiet::is_confirmed(request, name.as_str())
        && is_closed(request, name, owned)
}

/// Whether status confirms the record's last write to the target of this name: it was written afterwards, and
/// says that the write went well. What has come in the way since does not open it again.
fn is_closed(request: PassRequest<'_>, name: &TargetName, owned: &TargetRecord) -> bool {
    let told = request.status.record.map_or(0, |record| record.counter);
    let mut targets = request.status.targets.iter();
    targets.any(|status| {
        status.name == name.as_str()
            && told >= owned.saved
            && status.state != TargetState::Failed
            && status.revision.as_deref() == Some(owned.revision.as_str())
            && status.uid.is_some()
    })
}

fn confirmed_uid<'a>(request: PassRequest<'a>, name: &TargetName) -> Option<&'a str> {
    let status = request
        .status
        .targets
        .iter()
        .find(|status| status.name == name.as_str())?;
    status.uid.as_deref()
}
