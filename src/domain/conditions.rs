//! Condition types and reasons: the one documented list. Nothing else appears in a status or event.

use std::fmt;

use serde::{Deserialize, Serialize};

macro_rules! words {
    ($(#[$doc:meta])* $type:ident { $($(#[$variant_doc:meta])* $variant:ident,)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
        pub enum $type {
            $($(#[$variant_doc])* $variant,)*
        }

        impl $type {
            /// Every word of this list.
            pub const ALL: &'static [Self] = &[$(Self::$variant,)*];

            /// The word as it stands in a status.
            pub fn as_str(self) -> &'static str {
                match self {
                    $(Self::$variant => stringify!($variant),)*
                }
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
                formatter.write_str(self.as_str())
            }
        }
    };
}

words! {
    /// The conditions of a SecretSync. Ready, Reconciling and Stalled mean what kstatus says.
    ConditionType {
        /// Every target holds the current content, and nothing waits for a person.
        Ready,
        /// Work is under way: a write, a rollout, a soak.
        Reconciling,
        /// Nothing goes on until a person changes something.
        Stalled,
        /// A target was tampered with and has not been repaired.
        Drifted,
        /// A source does not answer; the last good content stays in use.
        Stale,
        /// Every workload that uses the content runs on it.
        RolledOut,
        /// The values in use still pass `validate`.
        ValueHealthy,
    }
}

words! {
    /// Why a condition has its status, and what an event is about.
    Reason {
        /// Everything is as it should be.
        Synced,
        /// The spec has problems; the message lists each with its field.
        InvalidSpec,
        /// A field is part of the API and not implemented in this version.
        NotSupported,
        /// `spec.suspend` is true.
        Suspended,
        /// A first read is still to come.
        Pending,
        /// Something that was named does not exist.
        NotFound,
        /// Access was refused.
        Denied,
        /// Something does not answer.
        Unavailable,
        /// A system asks for patience.
        Throttled,
        /// A request or an answer makes no sense.
        Invalid,
        /// An object changed between our read and our write.
        Conflict,
        /// A store that a source or target names does not exist.
        StoreNotFound,
        /// A store is there and not usable; the message says why.
        StoreNotReady,
        /// A store's credentials are missing or refused.
        CredentialsRefused,
        /// A ClusterSecretStore has no `allow` entry for this access.
        NotAllowed,
        /// The egress policy forbids an address.
        EgressDenied,
        /// One or more sources could not be read.
        SourceUnavailable,
        /// A source's path or object does not exist.
        SourceNotFound,
        /// A source's version is lower than the last accepted one.
        VersionWentBack,
        /// A key that `require` names is absent.
        RequiredKeyMissing,
        /// One key comes from two places and `conflicts` is `error`.
        KeyConflict,
        /// A validator rejects the candidate; nothing of it is written.
        ValidationFailed,
        /// A validator cannot say whether the candidate works; nothing is written until it can.
        ValidationInconclusive,
        /// The candidate was rejected before and stays so.
        RevisionRejected,
        /// The values in use pass `validate`.
        ValuesHealthy,
        /// A value in use no longer passes `validate`: it has expired, was revoked, or its account is exhausted.
        ValueUnhealthy,
        /// A template, derivation or typed Secret cannot be made from the content.
        RenderFailed,
        /// A key cannot be used at a target: its name, or because it steers loaders or shells.
        KeyNotAccepted,
        /// Content is larger than the target can hold.
        TooLarge,
        /// Keys are gone from the sources; a second complete read must agree before they leave.
        ConfirmingAbsence,
        /// The plan needs a person's approval; `status.pendingPlan` has its hash.
        ApprovalRequired,
        /// An approval did not fit the plan.
        ApprovalVoid,
        /// The target exists and is not ours.
        ForeignTarget,
        /// Another sync owns keys of this target.
        OwnedByAnother,
        /// The target cannot be changed: it is immutable, or its type differs.
        TargetImmutable,
        /// The target was written.
        TargetWritten,
        /// The target is being deleted by somebody.
        TargetTerminating,
        /// A target was changed by somebody else; it has been repaired.
        Repaired,
        /// A target was changed by somebody else; `tampering: report` leaves it so.
        TamperingFound,
        /// The record cannot be opened: another installation key made it, or it was altered.
        RecordUnreadable,
        /// The record is older than status says it must be: somebody put an old one back.
        RecordRolledBack,
        /// The record is gone although status remembers one; it is made anew.
        RecordMissing,
        /// The record is too large for older revisions; only the current one is kept.
        RecordTruncated,
        /// Writes are under way.
        Writing,
        /// Workloads are being restarted.
        RollingOut,
        /// Every workload runs on the content.
        RolledOut,
        /// No workload uses the content, or none had to restart.
        NothingToRestart,
        /// A workload does not finish its rollout before the deadline.
        RolloutStuck,
        /// A workload was not restarted; the message says why.
        RestartRefused,
        /// Another manager strips the restart marker again and again.
        RestartContested,
        /// The restart budget is used up for now.
        RestartBudgetExhausted,
        /// A workload was restarted.
        Restarted,
        /// A change waits until a change window opens.
        WaitingForWindow,
        /// A change waits until a person approves its rollout (`penstock approve --rollout`).
        RolloutApprovalRequired,
        /// A canary tries a change; nothing else has it yet.
        CanaryRunning,
        /// A canary cannot be tried now, for a reason that says nothing about the change.
        CanaryHindered,
        /// A canary did not survive a change: it is rejected, and nothing else had it.
        CanaryFailed,
        /// A workload did not survive a change, and `onFailure` says hold: a person decides.
        RolloutHeld,
        /// A workload did not survive a change: it is rejected, and the former values are written back.
        RolledBack,
        /// A workload did not survive a change, and the former values cannot be brought back.
        RollbackUnsafe,
        /// A person pinned a revision that is not kept, or no longer works.
        PinNotPossible,
        /// A revision was revoked: it never comes back.
        RevisionRevoked,
        /// Clean-up of a target when the sync goes.
        CleanedUp,
        /// A store has been checked and works.
        StoreReady,
        /// A namespace left the selection; its Secrets stay.
        Orphaned,
        /// Some namespaces of a ClusterSecretSync failed; the list says which and why.
        NamespacesFailed,
        /// Something in Penstock itself broke.
        InternalError,
    }
}
