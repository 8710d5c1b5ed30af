//! Pure: whether a pass can end before it has looked at anything but the sources (rule 6).

use super::{PassRequest, Seen};
use crate::api::status::{ConditionStatus, RolloutPhase, SecretSyncStatus, TargetState};
use crate::conditions::ConditionType;
use crate::content::Gathered;
use crate::keys::InstallationKey;

/// Whether content, spec and targets are all as status says.
pub(super) fn nothing_to_do(
    request: PassRequest<'_>,
    gathered: &Gathered,
    key: &InstallationKey,
) -> bool {
    let status = request.status;
    let content = match gathered {
        Gathered::NotDue => true,
        Gathered::Complete(bundle) => {
            let revision = key.revision(&request.sync.id, bundle.values());
            status.revision.as_deref() == Some(revision.as_str())
                && !holds(status, ConditionType::Stale)
                && !holds(status, ConditionType::Reconciling)
        }
        Gathered::Partial { .. } | Gathered::Missing { .. } | Gathered::Unusable(_) => false,
    };
    content
        && status.observed_generation == Some(request.sync.generation)
        && (holds(status, ConditionType::Ready) || *gathered == Gathered::NotDue)
        && status.pending_plan.is_none()
        && status.refresh.as_deref() == request.refresh
        && status
            .rollout
            .as_ref()
            .is_none_or(|rollout| rollout.phase.is_some_and(RolloutPhase::is_over))
        && status.wishes == request.wishes.digest()
        && status.targets.len() == request.sync.targets.len()
        && request
            .sync
            .targets
            .iter()
            .all(|target| is_confirmed(request, target.name.as_str()))
}

fn holds(status: &SecretSyncStatus, condition_type: ConditionType) -> bool {
    status.conditions.iter().any(|condition| {
        condition.condition_type == condition_type.as_str()
            && condition.status == ConditionStatus::True
    })
}

/// Whether the target object is, as the watch saw it, the one of our last write.
pub(super) fn is_confirmed(request: PassRequest<'_>, target: &str) -> bool {
    let Some(status) = request
        .status
        .targets
        .iter()
        .find(|status| status.name == target)
    else {
        return false;
    };
    match request.seen.get(target) {
        Some(Seen::Object {
            uid,
            resource_version,
        }) => {
            status.state == TargetState::Synced
                && status.uid.as_deref() == Some(uid)
                && status.resource_version.as_deref() == Some(resource_version)
        }
        Some(Seen::Absent) | None => false,
    }
}
