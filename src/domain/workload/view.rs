//! Workloads as the rollout sees them.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::names::{Key, NamespaceName, ObjectName};
use crate::sync::WorkloadKind;

/// Exactly one workload: another of the same name is another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct WorkloadId {
    /// Its kind.
    pub kind: WorkloadKind,
    /// Its namespace.
    pub namespace: NamespaceName,
    /// Its name.
    pub name: ObjectName,
    /// Its uid.
    pub uid: String,
}

/// `Deployment api`
impl fmt::Display for WorkloadId {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(formatter, "{} {}", self.kind.as_str(), self.name)
    }
}

/// What a pod template uses of Secrets and ConfigMaps.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Use {
    /// What is used.
    pub object: UsedObject,
    /// Which keys of it.
    pub keys: UsedKeys,
}

/// An object that a pod template names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum UsedObject {
    /// A Secret.
    Secret(String),
    /// A ConfigMap.
    ConfigMap(String),
}

/// Which keys of an object are used.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum UsedKeys {
    /// All of them.
    All,
    /// These.
    Only(BTreeSet<String>),
}

impl UsedKeys {
    /// Whether `key` is among them.
    pub fn contain(&self, key: &Key) -> bool {
        match self {
            Self::All => true,
            Self::Only(keys) => keys.contains(key.as_str()),
        }
    }
}

/// One workload as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WorkloadView {
    /// Which one.
    pub id: WorkloadId,
    /// `metadata.generation`.
    pub generation: i64,
    /// `status.observedGeneration`; 0 when there is none.
    pub observed_generation: i64,
    /// Pods that are wanted.
    pub replicas: i32,
    /// Pods on the newest template.
    pub updated: i32,
    /// Pods that are available.
    pub available: i32,
    /// All pods there are.
    pub existing: i32,
    /// Whether rollouts are paused.
    pub paused: bool,
    /// Whether pods are replaced only when somebody deletes them (`OnDelete`).
    pub on_delete: bool,
    /// Why the workload itself says that its rollout does not go on (`ProgressDeadlineExceeded`).
    pub stalled: Option<String>,
    /// The object that owns it as controller (`Kind/name`), if any.
    pub controlled_by: Option<String>,
    /// Who else manages it, by name and at most a few: the field managers that the API server remembers, besides
    /// Penstock and the controllers of Kubernetes.
    pub managers: Vec<String>,
    /// Its labels, by which waves choose.
    pub labels: BTreeMap<String, String>,
    /// Annotations of the workload that concern restarts, ours and Reloader's.
    pub annotations: BTreeMap<String, String>,
    /// Annotations of the pod template under `penstock.dev/`.
    pub template_annotations: BTreeMap<String, String>,
    /// What the pod template uses.
    pub uses: Vec<Use>,
    /// `metadata.labels` of its pods, as a selector in text form.
    pub pod_selector: String,
}

/// Troubles of a container that only what it is given can cause, and the cluster cannot: it crashes again and again, or
/// refers to what is not there.
pub const OWN_TROUBLE: [&str; 5] = [
    "CrashLoopBackOff",
    "CreateContainerConfigError",
    "RunContainerError",
    "ContainerCannotRun",
    "StartError",
];

/// One pod as it is now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodView {
    /// Its name.
    pub name: String,
    /// When it started (`status.startTime`); none while it has not.
    pub started: Option<Timestamp>,
    /// Whether it is ready.
    pub ready: bool,
    /// Why a container waits or ended (`CrashLoopBackOff`, `CreateContainerConfigError`, …).
    pub trouble: Option<String>,
}
