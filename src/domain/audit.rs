//! The audit trail: every read, write, refusal, approval and restart is one entry (rule 10).

use serde::Serialize;

use crate::conditions::Reason;
use crate::names::SyncId;

/// What was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub enum AuditAction {
    /// A source was read.
    Read,
    /// Another system was asked whether a value works.
    Validate,
    /// A target was written.
    Write,
    /// Keys were deleted at a target.
    Delete,
    /// Tampering was repaired.
    Repair,
    /// A workload was restarted.
    Restart,
    /// A canary was made.
    Canary,
    /// A revision was taken back.
    Rollback,
    /// Older contents were purged.
    Purge,
    /// Something was refused.
    Refuse,
    /// A plan was approved.
    Approve,
    /// Values were shown to a person, or handed to a command.
    Reveal,
    /// A record was discarded or made anew.
    Record,
}

/// One entry. Key names, never values.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "camelCase")]
pub struct AuditEntry {
    /// Which sync it was for; none for what a person does with a store.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub sync: Option<SyncId>,
    /// The person named for it, where one is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
    /// What was done.
    pub action: AuditAction,
    /// To what: `source vault`, `Secret panbot-env`, `Deployment api`, `apps/shop of SecretStore openbao`.
    pub object: String,
    /// Which keys.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<String>,
    /// Which revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub revision: Option<String>,
    /// How it ended: `None` is success.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub failure: Option<Reason>,
}
