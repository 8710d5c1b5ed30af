//! `spec.rollout` after `admit`.

use std::time::Duration;

use cronexpr::Crontab;
use kube::core::Selector;

use crate::api::rollout::{OnFailure, WindowHold};
use crate::canary::{CanaryMode, CanaryPlan};
use crate::names::ObjectName;

/// How workloads are brought onto a revision.
#[derive(Debug, Clone)]
pub struct Rollout {
    /// Whether they are restarted at all.
    pub restart: bool,
    /// Which workloads.
    pub workloads: WorkloadScope,
    /// How long a restarted workload may take.
    pub deadline: Duration,
    /// Whether workloads that started on tampered content are rolled after the repair.
    pub after_tampering: bool,
    /// At most this many restarts of one workload …
    pub max_restarts: u32,
    /// … within this time.
    pub restart_window: Duration,
    /// What a revision must survive before any target is written.
    pub canary: Option<CanaryPlan>,
    /// Groups that restart one after the other; empty for all at once.
    pub waves: Vec<WavePlan>,
    /// What happens when a workload does not survive the revision.
    pub on_failure: OnFailure,
    /// Whether the old values still open what they opened.
    pub previous: Previous,
    /// When changes may be rolled out; empty for always.
    pub windows: Vec<ChangeWindow>,
    /// Whether a person must approve each revision.
    pub approval: bool,
}

impl Rollout {
    /// The canary that shields all others; one of the user's own workloads does not.
    pub fn shield(&self) -> Option<&CanaryPlan> {
        let shields = |canary: &&CanaryPlan| !matches!(canary.mode, CanaryMode::Workload { .. });
        self.canary.as_ref().filter(shields)
    }
}

/// One group of workloads.
#[derive(Debug, Clone)]
pub struct WavePlan {
    /// Its name.
    pub name: String,
    /// Which workloads belong to it, of those that no earlier wave has.
    pub members: WaveMembers,
    /// How many of them may be restarting at the same time.
    pub max_parallel: usize,
    /// How long it must have been healthy before the next one begins.
    pub pause: Duration,
}

/// Which workloads a wave takes.
#[derive(Debug, Clone)]
pub enum WaveMembers {
    /// Those with these labels.
    Labels(Selector),
    /// This one: the canary of mode `workload`.
    One(WorkloadKind, ObjectName),
    /// All that are left.
    Rest,
}

/// Whether the old values still open what they opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Previous {
    /// Nobody knows.
    #[default]
    Unknown,
    /// They do.
    Valid,
    /// They do not: the new ones go everywhere at once, and nothing brings the old ones back.
    Invalid,
    /// They do for this long after the new ones were first read.
    ValidFor(Duration),
}

/// A time in which changes may be rolled out.
#[derive(Debug, Clone)]
pub struct ChangeWindow {
    /// When it opens.
    pub opens: Schedule,
    /// How long it stays open.
    pub duration: Duration,
    /// What waits while all windows are closed.
    pub hold: WindowHold,
}

/// A cron expression of five fields in its time zone.
#[derive(Debug, Clone)]
pub struct Schedule(pub(crate) Crontab);

/// Which workloads a rollout looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WorkloadScope {
    /// Every workload of the namespace that uses a target.
    Discover,
    /// These, by kind and name.
    List(Vec<(WorkloadKind, ObjectName)>),
    /// Those whose labels match, in the syntax of a label selector (`app=api,tier in (a,b)`).
    Selector(String),
}

/// Kinds of workloads that can be restarted.
#[derive(
    Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, serde::Serialize, serde::Deserialize,
)]
pub enum WorkloadKind {
    /// apps/v1 Deployment
    Deployment,
    /// apps/v1 StatefulSet
    StatefulSet,
    /// apps/v1 DaemonSet
    DaemonSet,
    /// argoproj.io/v1alpha1 Rollout
    Rollout,
}

impl WorkloadKind {
    /// The kind as Kubernetes writes it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Deployment => "Deployment",
            Self::StatefulSet => "StatefulSet",
            Self::DaemonSet => "DaemonSet",
            Self::Rollout => "Rollout",
        }
    }
}
