//! What the operator tells: conditions, and the status of a SecretSync.
//!
//! Nothing in a status changes while nothing happened, so there is no time of the last refresh.

use k8s_openapi::apimachinery::pkg::apis::meta::v1::Time;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::null::null_is_empty;
use super::schema::{List, Text};

/// A condition as kstatus reads it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Condition {
    /// What the condition is about, such as Ready.
    #[serde(rename = "type")]
    #[schemars(with = "Text<64>")]
    pub condition_type: String,
    /// True, False or Unknown.
    pub status: ConditionStatus,
    /// Generation of the spec that the condition is about.
    pub observed_generation: i64,
    /// When the status changed last.
    pub last_transition_time: Time,
    /// One word of the documented list of reasons.
    #[schemars(with = "Text<64>")]
    pub reason: String,
    /// What happened and what to do about it, for a person.
    #[schemars(with = "Text<32768>")]
    pub message: String,
}

/// Whether a condition holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[schemars(description = "")]
pub enum ConditionStatus {
    /// It holds.
    True,
    /// It does not hold.
    False,
    /// Nobody knows.
    Unknown,
}

/// What is known about a SecretSync.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SecretSyncStatus {
    /// Generation of the spec that this status is about.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub observed_generation: Option<i64>,
    /// Ready, Reconciling, Stalled, Drifted (tampering that is not repaired), Stale (a source is
    /// unavailable, the last good content is in use), RolledOut and ValueHealthy.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(
        with = "List<Condition, 16>",
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["type"])
    )]
    pub conditions: Vec<Condition>,
    /// The revision in use: a keyed hash of the bundle's content.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<128>>")]
    pub revision: Option<String>,
    /// Targets that are as they should be, of all: `3/3`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<32>>")]
    pub summary: Option<String>,
    /// How each source was found.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(
        with = "List<SourceStatus, 32>",
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub sources: Vec<SourceStatus>,
    /// How each target is.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(
        with = "List<TargetStatus, 64>",
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub targets: Vec<TargetStatus>,
    /// How far workloads are on the revision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rollout: Option<RolloutStatus>,
    /// The plan that waits for a person, if one does.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pending_plan: Option<PendingPlan>,
    /// The sync's durable memory.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub record: Option<RecordStatus>,
    /// Contents that were in use or were rejected, newest first, at most 24.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<RevisionStatus, 24>", extend("x-kubernetes-list-type" = "atomic"))]
    pub history: Vec<RevisionStatus>,
    /// The revision that a person pinned.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<128>>")]
    pub pinned: Option<String>,
    /// Names the annotations by which people ask for something, as they were when this status was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<64>>")]
    pub wishes: Option<String>,
    /// The last value of the annotation penstock.dev/refresh that was honoured.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<253>>")]
    pub refresh: Option<String>,
}

/// A content that was in use, or was rejected.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RevisionStatus {
    /// Its name: what `penstock rollback --to` takes.
    #[schemars(with = "Text<128>")]
    pub revision: String,
    /// When it was accepted, or rejected.
    pub at: Time,
    /// InUse, Kept (one can go back to it), Named (its values are not kept), Rejected or Revoked.
    pub outcome: RevisionOutcome,
    /// Names of the keys that differ from the one before it: at most 20, then `+n`.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Text<253>, 21>")]
    pub changed: Vec<String>,
    /// Versions of its sources, where they tell any: `vault 12`.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Text<256>, 32>")]
    pub versions: Vec<String>,
    /// Why it was rejected.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<1024>>")]
    pub message: Option<String>,
}

/// What became of a content.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[schemars(description = "")]
pub enum RevisionOutcome {
    /// Targets hold it.
    InUse,
    /// Its values are kept: one can go back to it.
    Kept,
    /// Its values are not kept.
    Named,
    /// A validator, a canary or a workload did not survive it.
    Rejected,
    /// A person revoked it.
    Revoked,
}

/// How a source was found.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct SourceStatus {
    /// Name of the source.
    #[schemars(with = "Text<63>")]
    pub name: String,
    /// Ready, Skipped (optional and absent, or left out), NotFound, Denied, Unavailable, Throttled or
    /// Invalid.
    pub state: SourceState,
    /// Version in use, in the store's own words.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<128>>")]
    pub version: Option<String>,
}

/// The states of a source.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[schemars(description = "")]
pub enum SourceState {
    /// It was read completely.
    Ready,
    /// It is optional and absent, or was left out on purpose.
    Skipped,
    /// The store says that it does not exist.
    NotFound,
    /// The store refuses.
    Denied,
    /// The store cannot be reached or does not make sense.
    Unavailable,
    /// The store asks to wait.
    Throttled,
    /// The request or the answer is wrong.
    Invalid,
}

/// How a target is.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct TargetStatus {
    /// Name of the target.
    #[schemars(with = "Text<63>")]
    pub name: String,
    /// Synced, Pending (waits for a window, an approval, a wave or the rollout), Drifted, Blocked (a rule or
    /// a foreign key is in the way) or Failed.
    pub state: TargetState,
    /// Keys of ours at the target.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_count: Option<u32>,
    /// The revision last written to it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<128>>")]
    pub revision: Option<String>,
    /// UID of the object last written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<128>>")]
    pub uid: Option<String>,
    /// resourceVersion of the object after our last write.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<128>>")]
    pub resource_version: Option<String>,
    /// What is wrong and what to do about it; at most 20 key names, then `+n`.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<8192>>")]
    pub message: Option<String>,
}

/// The states of a target.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[schemars(description = "")]
pub enum TargetState {
    /// It holds the revision.
    Synced,
    /// It will be written later.
    Pending,
    /// Somebody changed it, and it is not repaired.
    Drifted,
    /// A rule or a foreign key is in the way.
    Blocked,
    /// The last write failed and is tried again.
    Failed,
}

/// How far workloads are.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutStatus {
    /// Waiting (for a window, an approval or the budget), Validating, Canary, Soaking, Restarting, Complete,
    /// Stuck (past its deadline), Held (failed, waits for a person), RollingBack or RolledBack.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub phase: Option<RolloutPhase>,
    /// The revision that is rolled out.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<128>>")]
    pub revision: Option<String>,
    /// The revision that was rejected last. It is not tried again until validate or rollout changes, or
    /// somebody sets the annotation penstock.dev/retry.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<128>>")]
    pub rejected_revision: Option<String>,
    /// The wave that runs.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Text<63>>")]
    pub wave: Option<String>,
    /// How many workloads are how far.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub counts: Option<RolloutCounts>,
    /// Workloads that need somebody, at most 50.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<WorkloadAttention, 50>", extend("x-kubernetes-list-type" = "atomic"))]
    pub attention: Vec<WorkloadAttention>,
}

/// The phases of a rollout.
#[derive(
    Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema,
)]
#[schemars(description = "")]
pub enum RolloutPhase {
    /// For a window, an approval or the budget.
    Waiting,
    /// The values are tried before anything is written.
    Validating,
    /// The canary is starting.
    Canary,
    /// The canary is healthy and watched.
    Soaking,
    /// Workloads restart.
    Restarting,
    /// Every workload is healthy on the revision.
    Complete,
    /// A workload is past its deadline.
    Stuck,
    /// It failed and waits for a person.
    Held,
    /// The old revision is being written back.
    RollingBack,
    /// The old revision is back.
    RolledBack,
}

impl RolloutPhase {
    /// Whether a rollout has ended, and nobody waits.
    pub fn is_over(self) -> bool {
        matches!(self, Self::Complete | Self::RolledBack)
    }

    /// Whether a canary is there, or on its way.
    pub fn is_trying(self) -> bool {
        matches!(self, Self::Canary | Self::Soaking)
    }
}

/// How many workloads are how far.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RolloutCounts {
    /// Workloads that use a target.
    pub total: u32,
    /// Healthy on the revision.
    pub updated: u32,
    /// Restarting now.
    pub restarting: u32,
    /// Not begun.
    pub waiting: u32,
    /// Past the deadline, or failed.
    pub failed: u32,
    /// Left out on purpose: opted out, paused, or updated only by hand.
    pub skipped: u32,
}

/// A workload that needs somebody.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct WorkloadAttention {
    /// Kind of the workload.
    #[schemars(with = "Text<63>")]
    pub kind: String,
    /// Name of the workload.
    #[schemars(with = "Text<253>")]
    pub name: String,
    /// One word: why.
    #[schemars(with = "Text<64>")]
    pub reason: String,
    /// What is the matter and what to do about it.
    #[schemars(with = "Text<1024>")]
    pub message: String,
}

/// A plan that waits for a person.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingPlan {
    /// Hash of the plan. To approve exactly this plan, set the annotation penstock.dev/approve to
    /// `<hash>.<generation>`.
    #[schemars(with = "Text<128>")]
    pub hash: String,
    /// Generation of the spec that the plan is for. An approval is void when spec or plan changes.
    pub generation: i64,
    /// One word: why it waits.
    #[schemars(with = "Text<64>")]
    pub reason: String,
    /// Keys that it would create.
    pub creates: u32,
    /// Keys that it would update.
    pub updates: u32,
    /// Keys that it would delete.
    pub deletes: u32,
    /// Where it would delete.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(
        with = "List<PendingTarget, 64>",
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["name"])
    )]
    pub targets: Vec<PendingTarget>,
}

/// What a waiting plan would delete at one target.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PendingTarget {
    /// Name of the target.
    #[schemars(with = "Text<63>")]
    pub name: String,
    /// Names of the keys that would be deleted: at most 20, then `+n`.
    #[schemars(with = "List<Text<253>, 21>")]
    pub deletes: Vec<String>,
}

/// The sync's durable memory.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct RecordStatus {
    /// Counter of the record's writes. A record with a lower one was put back from a backup, and stops
    /// writes.
    pub counter: u64,
}
