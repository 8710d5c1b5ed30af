//! `spec.rollout.strategy.canary`: a revision is tried where it can hurt nobody, before any target is written.
//!
//! What is tried, and what became of it, are plain words here; [`crate::ports::Canaries`] makes them real. The
//! judgement is pure: [`judge`].

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::time::Duration;

use jiff::Timestamp;

pub use crate::api::canary::CanaryLabels;
use crate::api::canary::Scheme;
use crate::api::shared::MaskedText;
use crate::api::then::HttpMethod;
use crate::keys::Revision;
use crate::names::{Key, ObjectName};
use crate::secret::SecretValue;
use crate::sync::WorkloadKind;
use crate::workload::WorkloadId;

mod judge;

pub use judge::{CanaryStep, CheckTally, judge};

/// What a revision must survive.
#[derive(Debug, Clone, PartialEq)]
pub struct CanaryPlan {
    /// What the canary is.
    pub mode: CanaryMode,
    /// How long it must stay healthy once it is ready.
    pub soak: Duration,
    /// How long it may take to become ready, or to end.
    pub deadline: Duration,
    /// What must hold besides, during the soak.
    pub checks: Vec<CanaryCheck>,
}

/// What the canary is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CanaryMode {
    /// One pod cloned from the template of a workload.
    Pod {
        /// The workload; none for the first of the rollout, by kind and name.
        workload: Option<(WorkloadKind, ObjectName)>,
        /// What becomes of the labels of the pod.
        labels: CanaryLabels,
    },
    /// One run of a CronJob that allows it.
    Job {
        /// The CronJob.
        cron_job: ObjectName,
    },
    /// One workload of the user's restarts first, on the written target: a wave of its own, not a shield.
    Workload {
        /// The workload.
        workload: (WorkloadKind, ObjectName),
    },
}

/// One check of the canary.
#[derive(Debug, Clone, PartialEq)]
pub struct CanaryCheck {
    /// Its name, unique in the plan.
    pub name: String,
    /// What it asks.
    pub asks: CheckQuestion,
    /// How often; a CronJob runs once.
    pub every: Duration,
    /// Failures that are tolerated.
    pub failure_limit: u32,
    /// How long one try may take.
    pub timeout: Duration,
}

/// What a check asks.
#[derive(Debug, Clone, PartialEq)]
pub enum CheckQuestion {
    /// A port of the canary's pod.
    PodHttp {
        /// Port of the pod.
        port: u16,
        /// Path, with a leading slash.
        path: String,
        /// http, or https whose certificate is not verified.
        scheme: Scheme,
        /// Headers.
        headers: BTreeMap<String, MaskedText>,
        /// Status codes that count as well; empty for 200 to 399.
        expect_status: Vec<u16>,
    },
    /// One run of a CronJob that allows it, against the candidate.
    CronJob(ObjectName),
    /// A query to Prometheus.
    Prometheus {
        /// Address up to `/api/v1`.
        address: String,
        /// PromQL, filled in.
        query: String,
        /// What its numbers must be.
        condition: NumberCondition,
        /// The Secret of the namespace and its key that hold the `Authorization` header.
        authorization: Option<(ObjectName, Key)>,
    },
    /// A system that is asked for a verdict.
    Webhook {
        /// Address.
        url: String,
        /// Method.
        method: HttpMethod,
        /// Headers.
        headers: BTreeMap<String, MaskedText>,
        /// The Secret of the namespace and its key that hold the `Authorization` header.
        authorization: Option<(ObjectName, Key)>,
        /// Body; none for a JSON object with namespace, name and revision.
        body: Option<MaskedText>,
    },
    /// A GET of an address.
    Url {
        /// Address.
        url: String,
        /// Status codes that count as well; empty for 200 to 299.
        expect_status: Vec<u16>,
    },
}

/// What all numbers of a Prometheus answer must be: `result.all(x, x < 0.05)`.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct NumberCondition {
    /// Whether every number must fulfil it, or one is enough.
    pub all: bool,
    /// How each is compared.
    pub comparison: Comparison,
    /// With what.
    pub bound: f64,
}

/// How a number is compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Less,
    LessOrEqual,
    Greater,
    GreaterOrEqual,
    Equal,
    NotEqual,
}

impl NumberCondition {
    /// Reads the conditions of CEL that say one thing about numbers: `result.all(x, x < 0.05)` and
    /// `result.exists(x, x >= 1)`.
    pub fn parse(text: &str) -> Option<Self> {
        let rest = text.trim().strip_prefix("result.")?.strip_suffix(')')?;
        let (all, rest) = match rest.strip_prefix("all(") {
            Some(rest) => (true, rest),
            None => (false, rest.strip_prefix("exists(")?),
        };
        let (name, comparison) = rest.split_once(',')?;
        let name = name.trim();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
        if name.is_empty() || !name.chars().all(word) {
            return None;
        }
        let rest = comparison.trim().strip_prefix(name)?.trim_start();
        let (comparison, rest) = Comparison::WRITTEN
            .iter()
            .find_map(|(sign, comparison)| Some((*comparison, rest.strip_prefix(sign)?)))?;
        let bound = rest.trim().parse::<f64>().ok()?;
        bound.is_finite().then_some(Self {
            all,
            comparison,
            bound,
        })
    }

    /// Whether `numbers` fulfil it; nobody can say for none.
    pub fn holds(&self, numbers: &[f64]) -> Option<bool> {
        let holds = |number: &f64| self.comparison.holds(*number, self.bound);
        if numbers.is_empty() {
            None
        } else if self.all {
            Some(numbers.iter().all(holds))
        } else {
            Some(numbers.iter().any(holds))
        }
    }
}

impl Comparison {
    /// The longer signs first.
    const WRITTEN: [(&'static str, Self); 6] = [
        ("<=", Self::LessOrEqual),
        (">=", Self::GreaterOrEqual),
        ("==", Self::Equal),
        ("!=", Self::NotEqual),
        ("<", Self::Less),
        (">", Self::Greater),
    ];

    #[expect(clippy::float_cmp, reason = "it is what was asked for")]
    fn holds(self, number: f64, bound: f64) -> bool {
        match self {
            Self::Less => number < bound,
            Self::LessOrEqual => number <= bound,
            Self::Greater => number > bound,
            Self::GreaterOrEqual => number >= bound,
            Self::Equal => number == bound,
            Self::NotEqual => number != bound,
        }
    }
}

/// One trial: everything that a canary is made of.
#[derive(Debug, Clone)]
pub struct Trial {
    /// The revision that is tried. Names the canary's objects together with the sync: another revision's are others.
    pub revision: Revision,
    /// What the canary is.
    pub canary: Canary,
    /// The objects that stand in for the targets while it is tried.
    pub candidates: Vec<Candidate>,
    /// When the trial began.
    pub begun: Timestamp,
}

/// What the canary of a trial is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Canary {
    /// One pod cloned from this workload.
    Pod(WorkloadId, CanaryLabels),
    /// One run of this CronJob.
    Job(ObjectName),
}

/// `a canary of Deployment api`
impl fmt::Display for Canary {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Pod(workload, _) => write!(formatter, "a canary of {workload}"),
            Self::Job(cron_job) => write!(formatter, "a run of CronJob {cron_job}"),
        }
    }
}

/// An object that stands in for a target.
#[derive(Debug, Clone)]
pub struct Candidate {
    /// `Secret` or `ConfigMap`.
    pub kind: CandidateKind,
    /// The name of the object that it stands in for.
    pub stable: ObjectName,
    /// The type of a Secret; none for `Opaque`.
    pub secret_type: Option<String>,
    /// What it holds of ours: all that the target is to hold.
    pub data: BTreeMap<Key, SecretValue>,
    /// Our keys at the target as it stands. All other keys there are somebody else's, and the canary needs them, too.
    pub ours: BTreeSet<Key>,
}

/// The kinds of objects that a pod can use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum CandidateKind {
    Secret,
    ConfigMap,
}

/// How a canary is, as it was just seen.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CanaryView {
    /// Whether its Deployment or Job is there, for this trial's revision.
    pub exists: bool,
    /// Its pods.
    pub pods: Vec<CanaryPod>,
    /// How its Job ended, if it has.
    pub job: Option<JobEnd>,
    /// Why its pods cannot be made, if the controller says so: quota, an admission webhook.
    pub refused: Option<String>,
}

/// One pod of a canary.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct CanaryPod {
    /// Its name.
    pub name: String,
    /// When its first container ran; none while none has. Images and volumes are the cluster's.
    pub started: Option<Timestamp>,
    /// Since when all of its containers are ready; none while one is not.
    pub ready_since: Option<Timestamp>,
    /// How often its containers were started again.
    pub restarts: u32,
    /// What is wrong with it.
    pub trouble: Option<PodTrouble>,
}

/// What is wrong with a pod, and whether the revision can be the cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PodTrouble {
    /// A container crashes, or cannot be made from what it refers to (a key that the Secret does not have).
    Own(String),
    /// The cluster is the cause: no node, no image, an eviction, a quota.
    Cluster(String),
}

/// How a Job ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum JobEnd {
    /// With success.
    Succeeded,
    /// Its container failed: the exit status, in words.
    Failed(String),
    /// The cluster ended it.
    Cluster(String),
}

/// What a check came to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckVerdict {
    /// It holds.
    Passed,
    /// It does not; why, in our own words.
    Failed(String),
    /// Nobody can say now; why.
    Inconclusive(String),
    /// It still runs.
    Running,
}
