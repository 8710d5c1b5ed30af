//! `spec.rollout`: making workloads use a new revision, and watching that they survive it.

use kube::KubeSchema;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::canary::Canary;
use super::null::null_is_empty;
use super::one_of::one_of;
use super::schema::{CronExpression, EntryName, Filled, List, exactly_one};
use super::shared::{GoDuration, LabelSelector, WorkloadRef};

/// How workloads get a new revision.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rollout {
    /// Which workloads. Absent: discover.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub workloads: Option<Workloads>,
    /// How. Absent: restart.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub strategy: Option<Strategy>,
    /// Groups of workloads that restart one after the other; each must be healthy before the next
    /// begins. A workload belongs to the first wave that matches it. Absent or empty: one wave with all.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Wave, 16>", extend("x-kubernetes-list-type" = "atomic"))]
    pub waves: Vec<Wave>,
    /// How long one workload may take to be healthy on the new revision. Absent: 10m.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub deadline: Option<GoDuration>,
    /// What happens when workloads do not get healthy: rollback (the old revision is written back) or hold
    /// (it stops and waits for a person). Absent: rollback, where an older revision is kept.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_failure: Option<OnFailure>,
    /// Whether the old value still opens what it opened. Absent: unknown.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub previous: Option<Previous>,
    /// After a repaired tampering: affected (restart the workloads that started on the tampered content,
    /// once) or never. Absent: affected.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub on_tampering: Option<OnTampering>,
    /// Most restarts of one workload within a time. What is over it waits.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub budget: Option<Budget>,
    /// Times in which changes may be rolled out. Outside of all of them they wait. Absent or empty: any
    /// time.
    #[serde(
        default,
        deserialize_with = "null_is_empty",
        skip_serializing_if = "Vec::is_empty"
    )]
    #[schemars(with = "List<Window, 16>", extend("x-kubernetes-list-type" = "atomic"))]
    pub windows: Vec<Window>,
    /// none, or required (each revision waits until a person approves it with the annotation
    /// penstock.dev/approve-rollout). Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub approval: Option<Approval>,
}

/// Which workloads are restarted. Exactly one of `discover`, `list`, `selector`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(Workloads::MEMBERS, "workloads are found in exactly one way"))]
pub struct Workloads {
    /// Every workload of the namespace that uses a target of this sync.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub discover: Option<Discover>,
    /// These workloads, whether they use a target or not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(
        with = "Option<List<WorkloadRef, 256>>",
        extend("x-kubernetes-list-type" = "map", "x-kubernetes-list-map-keys" = ["kind", "name"])
    )]
    pub list: Option<Vec<WorkloadRef>>,
    /// The workloads of the namespace that have these labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
}

one_of! {
    /// Which workloads are restarted.
    Workloads => Scope {
        /// Those that use a target.
        Discover(Discover) = discover "discover",
        /// Those that are listed.
        List(Vec<WorkloadRef>) = list "list",
        /// Those with some labels.
        Selector(LabelSelector) = selector "selector",
    }
}

/// Discovery takes no settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Discover {}

/// How workloads get a new revision. Exactly one of `restart`, `canary`, `none`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(Strategy::MEMBERS, "there is exactly one strategy"))]
pub struct Strategy {
    /// Writes the targets, then restarts the workloads, once.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub restart: Option<Restart>,
    /// Tries the new revision on a canary first. The administrator must have switched canaries on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub canary: Option<Canary>,
    /// Writes the targets and restarts nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub none: Option<NoRestart>,
}

one_of! {
    /// How workloads get a revision.
    Strategy => StrategyKind {
        /// Restart at once.
        Restart(Restart) = restart "restart",
        /// A canary first.
        Canary(Canary) = canary "canary",
        /// No restart.
        None(NoRestart) = none "none",
    }
}

/// A plain restart takes no settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Restart {}

/// No restart takes no settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct NoRestart {}

/// One group of workloads. Exactly one of `selector`, `rest`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(Wave::MEMBERS, "a wave takes its workloads in exactly one way"))]
pub struct Wave {
    /// Name of the wave, unique in the list. `targets[].wave` uses it.
    #[schemars(with = "EntryName")]
    pub name: String,
    /// The workloads with these labels.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub selector: Option<LabelSelector>,
    /// All that no other wave matches. The last wave only.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rest: Option<Rest>,
    /// Workloads that restart at the same time. Absent: 1.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_parallel: Option<u32>,
    /// Wait after this wave is healthy, before the next begins. Absent: none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub pause: Option<GoDuration>,
}

one_of! {
    /// Which workloads a wave takes.
    Wave => WaveScope {
        /// Those with some labels.
        Selector(LabelSelector) = selector "selector",
        /// All others.
        Rest(Rest) = rest "rest",
    }
}

/// The remaining workloads take no settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Rest {}

/// What happens when a wave fails.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum OnFailure {
    /// The old revision is validated and written back.
    #[default]
    Rollback,
    /// It stops and waits for a person.
    Hold,
}

/// Whether the old value still opens what it opened. Exactly one of `unknown`, `valid`, `invalid`,
/// `validFor`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, KubeSchema)]
#[serde(rename_all = "camelCase")]
#[x_kube(validation = exactly_one(Previous::MEMBERS, "the old value has exactly one state"))]
pub struct Previous {
    /// Nobody knows: a rollback validates the old value first.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub unknown: Option<PreviousState>,
    /// It stays good.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid: Option<PreviousState>,
    /// It is dead as soon as the new one exists: after validation the new one goes everywhere at once,
    /// without soak, waves or rollback.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub invalid: Option<PreviousState>,
    /// It stays good for this long; soak, windows and deadline must fit into it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub valid_for: Option<GoDuration>,
}

one_of! {
    /// Whether the old value still opens what it opened.
    Previous => PreviousValue {
        /// Nobody knows.
        Unknown(PreviousState) = unknown "unknown",
        /// It stays good.
        Valid(PreviousState) = valid "valid",
        /// It is dead.
        Invalid(PreviousState) = invalid "invalid",
        /// It stays good for a while.
        ValidFor(GoDuration) = valid_for "validFor",
    }
}

/// A state of the old value takes no settings.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct PreviousState {}

/// What is restarted after a repaired tampering.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum OnTampering {
    /// The workloads that started on the tampered content.
    #[default]
    Affected,
    /// Nothing.
    Never,
}

/// Most restarts of one workload within a time.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Budget {
    /// Restarts. Absent: 3.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(range(min = 1, max = 1000))]
    pub max_restarts: Option<u32>,
    /// The time they are counted over. Absent: 1h.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub per: Option<GoDuration>,
}

/// A time in which changes may be rolled out.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
pub struct Window {
    /// When it opens: five fields of cron, such as `0 9 * * 1-5`.
    #[schemars(with = "CronExpression")]
    pub schedule: String,
    /// How long it stays open.
    pub duration: GoDuration,
    /// IANA name of the time zone, such as `Europe/Berlin`. Absent: UTC.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schemars(with = "Option<Filled<64>>")]
    pub time_zone: Option<String>,
    /// What waits while it is closed: write (nothing is written), or restart (targets are written, so
    /// pods that happen to start have the new value; workloads are restarted later). Absent: write.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub hold: Option<WindowHold>,
}

/// What waits while a window is closed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum WindowHold {
    /// The write, and so everything.
    #[default]
    Write,
    /// The restarts only.
    Restart,
}

/// Whether a person must approve a rollout.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "camelCase")]
#[schemars(description = "")]
pub enum Approval {
    /// No.
    #[default]
    None,
    /// Yes, each revision.
    Required,
}
