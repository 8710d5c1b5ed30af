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
use crate::record::{RecordState, TargetRecord};
use crate::render;
use crate::secret::SecretValue;
use crate::sync::ValidatedTarget;

/// What should stand at one target, and what must still be true when it is written.
#[derive(Debug, Clone)]
pub(super) struct Desired {
    pub(super) data: BTreeMap<Key, SecretValue>,
    pub(super) precondition: Precondition,
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
        let looks = request
            .sync
            .targets
            .iter()
            .map(|target| self.look(request, target, record, bundle));
        let mut observed = Observed::default();
        for (target, look) in request.sync.targets.iter().zip(join_all(looks).await) {
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
        let owned = record
            .targets
            .get(&target.name)
            .filter(|owned| owned.is_of(target));
        let unchanged_spec = request.status.observed_generation == Some(request.sync.generation);
        if let Some(owned) = owned
            && unchanged_spec
            && quiet::is_confirmed(request, target.name.as_str())
            && is_closed(request, target, owned)
            && owned.keys == self.hashes(request, target, &data)
        {
            let desired = Desired {
                data,
                precondition: Precondition::Absent,
            };
            return Ok((TargetDiff::confirmed(&target.name, owned), desired));
        }
        let observation = self.ports.targets.observe(&request.sync.id, target).await?;
        let difference = diff(
            DiffInput {
                sync: &request.sync.id,
                target,
                desired: &data,
                record: owned,
                intent_open: owned.is_some_and(|owned| !is_closed(request, target, owned)),
                confirmed_uid: confirmed_uid(request, target),
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
        Ok((difference, Desired { data, precondition }))
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

fn first(faults: Vec<Fault>) -> Fault {
    use crate::fault::FaultClass;
    let nothing = || Fault::new(FaultClass::Invalid, "target", "cannot take the content");
    faults.into_iter().next().unwrap_or_else(nothing)
}

/// Whether status confirms the record's last write to this target.
pub(super) fn is_closed(
    request: PassRequest<'_>,
    target: &ValidatedTarget,
    owned: &TargetRecord,
) -> bool {
    request.status.targets.iter().any(|status| {
        status.name == target.name.as_str()
            && matches!(status.state, TargetState::Synced | TargetState::Drifted)
            && status.revision.as_deref() == Some(owned.revision.as_str())
            && status.uid.is_some()
    })
}

fn confirmed_uid<'a>(request: PassRequest<'a>, target: &ValidatedTarget) -> Option<&'a str> {
    let status = request
        .status
        .targets
        .iter()
        .find(|status| status.name == target.name.as_str())?;
    status.uid.as_deref()
}
