//! What a person does next, by the reason of a condition.

use penstock_domain::conditions::Reason;
use penstock_domain::names::SyncId;
use penstock_domain::people::SyncObject;

use crate::output::plain;

/// What to do about `reason`; none where its message says so, or where there is nothing to do.
pub(super) fn advice(sync: &SyncObject, reason: Reason) -> Option<String> {
    let at = |verb: &str| command(&sync.id, verb);
    Some(match reason {
        Reason::RolloutStuck
        | Reason::RestartContested
        | Reason::RestartRefused
        | Reason::RestartBudgetExhausted
        | Reason::WaitingForWindow
        | Reason::RolloutApprovalRequired
        | Reason::CanaryHindered
        | Reason::CanaryFailed
        | Reason::RolledBack
        | Reason::RolloutHeld
        | Reason::RollbackUnsafe
        | Reason::PinNotPossible
        | Reason::RevisionRevoked => return about_rollouts(sync, reason),
        Reason::SourceUnavailable
        | Reason::Unavailable
        | Reason::Throttled
        | Reason::StoreNotReady
        | Reason::StoreNotFound
        | Reason::CredentialsRefused
        | Reason::NotAllowed
        | Reason::EgressDenied
        | Reason::SourceNotFound
        | Reason::RequiredKeyMissing
        | Reason::NotFound => return about_sources(sync, reason),
        Reason::ForeignTarget
        | Reason::OwnedByAnother
        | Reason::TargetImmutable
        | Reason::TamperingFound => return about_targets(sync, reason),
        Reason::ValidationFailed
        | Reason::RevisionRejected
        | Reason::ValidationInconclusive
        | Reason::ValueUnhealthy => return about_values(sync, reason),
        Reason::InvalidSpec | Reason::NotSupported => {
            "Change the fields that the message names; `penstock plan -f FILE` checks them before they reach the \
             cluster."
                .to_owned()
        }
        Reason::Suspended => format!("When it shall go on: {}.", at("resume")),
        Reason::ApprovalRequired | Reason::VersionWentBack | Reason::ApprovalVoid => {
            return about_approval(sync);
        }
        Reason::RecordRolledBack | Reason::RecordUnreadable => {
            "Find out who put the record back or changed the installation key; SECURITY.md and the chart's README say \
             how to go on."
                .to_owned()
        }
        Reason::InternalError => {
            "This is a fault of Penstock: please report it with the operator's log.".to_owned()
        }
        Reason::Denied
        | Reason::Invalid
        | Reason::Conflict
        | Reason::KeyConflict
        | Reason::RenderFailed
        | Reason::KeyNotAccepted
        | Reason::TooLarge
        | Reason::TargetTerminating
        | Reason::RecordMissing
        | Reason::RecordTruncated
        | Reason::Orphaned
        | Reason::NamespacesFailed
        | Reason::ConfirmingAbsence
        | Reason::Synced
        | Reason::ValuesHealthy
        | Reason::Pending
        | Reason::TargetWritten
        | Reason::Repaired
        | Reason::Writing
        | Reason::RollingOut
        | Reason::CanaryRunning
        | Reason::RolledOut
        | Reason::NothingToRestart
        | Reason::Restarted
        | Reason::CleanedUp
        | Reason::StoreReady => return None,
    })
}

/// What to do about a change that waits, or was not survived.
fn about_rollouts(sync: &SyncObject, reason: Reason) -> Option<String> {
    let at = |verb: &str| command(&sync.id, verb);
    let at_with =
        |verb: &str, flags: &str| command(&sync.id, verb).replace(" -n ", &format!(" {flags} -n "));
    Some(match reason {
        Reason::RolloutStuck => {
            "Look at the workload (`kubectl describe`, `kubectl logs`): the new value may be the cause. The operator \
             notices when it becomes healthy."
                .to_owned()
        }
        Reason::RestartContested => {
            "Let the manager that the message names ignore annotations `penstock.dev/*` of the pod template.".to_owned()
        }
        Reason::RestartRefused | Reason::RestartBudgetExhausted => {
            "Restart the workload yourself if it must not wait.".to_owned()
        }
        Reason::WaitingForWindow => {
            format!("It goes on by itself. In an emergency: {}.", at_with("approve", "--rollout --now"))
        }
        Reason::RolloutApprovalRequired => {
            format!("If the change is meant: {}.", at_with("approve", "--rollout"))
        }
        Reason::CanaryHindered => {
            "See to what the message names: capacity, an image, the switch for canaries. The change waits, and nothing is \
             lost."
                .to_owned()
        }
        Reason::CanaryFailed | Reason::RolledBack => {
            format!(
                "Put a value that works into the source: the rejected one is not tried again, unless by {}.",
                at("retry")
            )
        }
        Reason::RolloutHeld | Reason::RollbackUnsafe => {
            format!(
                "Put a value that works into the source, or go back by hand: {}. {} lists what is kept.",
                at("rollback"),
                at("history")
            )
        }
        Reason::PinNotPossible => {
            format!("{} lists what is kept; {} follows the sources again.", at("history"), at("unpin"))
        }
        Reason::RevisionRevoked => {
            "Change the value at its source: it was revoked here and is not written again.".to_owned()
        }
        _ => return None,
    })
}

/// What to do about what is read.
fn about_sources(sync: &SyncObject, reason: Reason) -> Option<String> {
    let at = |verb: &str| command(&sync.id, verb);
    Some(match reason {
        Reason::SourceUnavailable | Reason::Unavailable | Reason::Throttled | Reason::StoreNotReady => {
            format!(
                "The operator tries again by itself. See the store's own condition (`kubectl describe pstore -n {}`); \
                 when it is back, {} need not wait.",
                sync.id.namespace,
                at("refresh")
            )
        }
        Reason::StoreNotFound => {
            "Make the store, or correct `store` in the spec; it is read as soon as it is there.".to_owned()
        }
        Reason::CredentialsRefused => {
            "Renew what the store logs in with; the operator notices the new Secret by itself.".to_owned()
        }
        Reason::NotAllowed => {
            "Ask whoever keeps the ClusterSecretStore for an `allow` entry for this access.".to_owned()
        }
        Reason::EgressDenied => {
            "Ask whoever runs the operator to allow the address (`egressAllow` of the chart), or use another.".to_owned()
        }
        Reason::SourceNotFound | Reason::RequiredKeyMissing | Reason::NotFound => {
            "Make what is missing at the source (`penstock init STORE -f FILE` makes keys that are required), or \
             correct the path."
                .to_owned()
        }
        _ => return None,
    })
}

/// What to do about a plan that waits.
fn about_approval(sync: &SyncObject) -> Option<String> {
    let pending = sync.pending_plan()?;
    Some(format!(
        "If that is meant: `penstock approve {} {} -n {}`. If not, put the keys back at the source; the plan \
         then goes away by itself.",
        sync.id.name,
        plain(&pending.hash),
        sync.id.namespace
    ))
}

/// What to do about values that do not work.
fn about_values(sync: &SyncObject, reason: Reason) -> Option<String> {
    let at = |verb: &str| command(&sync.id, verb);
    Some(match reason {
        Reason::ValidationFailed | Reason::RevisionRejected => {
            format!(
                "Put a value that works into the source. To have this very one tried again: {}.",
                at("retry")
            )
        }
        Reason::ValidationInconclusive => {
            format!(
                "The operator asks again by itself; when the other system is well, {} need not wait.",
                at("refresh")
            )
        }
        Reason::ValueUnhealthy => {
            "Renew the value at the source: the one in use no longer works. Nothing was restarted."
                .to_owned()
        }
        _ => return None,
    })
}

/// What to do about where it is written.
fn about_targets(sync: &SyncObject, reason: Reason) -> Option<String> {
    let at = |verb: &str| command(&sync.id, verb);
    Some(match reason {
        Reason::ForeignTarget => {
            "Name another target, or say `adopt: ifEqual` or `adopt: always` to take the object over.".to_owned()
        }
        Reason::OwnedByAnother => {
            "Let one sync own the keys, or say `share: keys` in all that write to this target.".to_owned()
        }
        Reason::TargetImmutable => {
            "Say `recreate: true` at the target, or delete the object yourself.".to_owned()
        }
        Reason::TamperingFound => {
            format!("Undo the change, or let the operator do it (`tampering: repair`), then {}.", at("refresh"))
        }
        _ => return None,
    })
}

/// `` `penstock resume shop -n prod` ``
fn command(sync: &SyncId, verb: &str) -> String {
    format!("`penstock {verb} {} -n {}`", sync.name, sync.namespace)
}
