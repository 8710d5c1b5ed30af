//! What is made of a canary's pods: how they are, and what is wrong with them, split by cause. Pure.

use jiff::{SignedDuration, Timestamp};
use k8s_openapi::api::core::v1::{ContainerStatus, PodStatus};
use penstock_domain::canary::{CanaryPod, CandidateKind, PodTrouble, Trial};
use penstock_domain::workload::OWN_TROUBLE;
use serde::Deserialize;
use serde_json::Value;

use super::names::Marks;
use crate::kubernetes::object::Metadata;
use crate::kubernetes::workloads::view::word;

/// What every container waits for at its start.
const STARTING: [&str; 2] = ["ContainerCreating", "PodInitializing"];
/// How long containers may be in the making before the cluster is taken for the cause: images, volumes.
const MAKING: SignedDuration = SignedDuration::from_secs(60);
/// An init container may fail a few times: waiting for something by failing is common.
const INIT_TRIES: i32 = 3;
/// What speaks against a canary besides: it is alone on trial, and need not fail twice.
const ON_TRIAL: [&str; 2] = ["Error", "OOMKilled"];

/// A pod of a canary as it comes from the API server.
#[derive(Deserialize)]
pub(super) struct Pod {
    pub(super) metadata: Metadata,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    pub(super) status: PodStatus,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct Spec {
    readiness_gates: Vec<serde::de::IgnoredAny>,
    init_containers: Vec<InitContainer>,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "camelCase", default)]
struct InitContainer {
    name: String,
    restart_policy: String,
}

/// The pods that count: those on their way out do not, and one that has ended only where there is no other. The newest
/// comes first.
pub(super) fn counting(pods: &[Pod]) -> Vec<&Pod> {
    let there = pods
        .iter()
        .filter(|pod| pod.metadata.deletion_timestamp.is_none());
    let (ended, mut counting): (Vec<_>, Vec<_>) =
        there.partition(|pod| matches!(pod.status.phase.as_deref(), Some("Failed" | "Succeeded")));
    if counting.is_empty() {
        counting = ended;
    }
    counting.sort_by_key(|pod| std::cmp::Reverse(pod.metadata.creation_timestamp));
    counting
}

pub(super) fn views(pods: &[Pod], lacking: Option<&str>, now: Timestamp) -> Vec<CanaryPod> {
    let pods = counting(pods).into_iter();
    pods.map(|pod| pod.view(lacking, now)).collect()
}

/// Why the controller cannot make pods: a quota, a policy. Its message is somebody else's text.
pub(super) fn refused(deployment: &Value) -> Option<String> {
    let conditions = deployment
        .pointer("/status/conditions")
        .and_then(Value::as_array);
    let mut conditions = conditions.into_iter().flatten();
    let failing = |one: &&Value| one["type"] == "ReplicaFailure" && one["status"] == "True";
    let reason = conditions.find(failing)?["reason"].as_str().and_then(word);
    let reason = reason.unwrap_or_else(|| "ReplicaFailure".to_owned());
    Some(format!(
        "a quota, a limit or an admission policy forbids it ({reason})"
    ))
}

impl Pod {
    fn view(&self, lacking: Option<&str>, now: Timestamp) -> CanaryPod {
        let status = &self.status;
        CanaryPod {
            name: self.metadata.name.clone(),
            started: first_run(status),
            ready_since: self.ready_since(),
            restarts: self.restarts(),
            trouble: self.trouble(lacking, now),
        }
    }

    /// With gates, which are for traffic, the containers alone decide.
    fn ready_since(&self) -> Option<Timestamp> {
        let kind = if self.spec.readiness_gates.is_empty() {
            "Ready"
        } else {
            "ContainersReady"
        };
        let conditions = self.status.conditions.iter().flatten();
        let mut conditions = conditions.filter(|one| one.type_ == kind && one.status == "True");
        conditions
            .next()?
            .last_transition_time
            .as_ref()
            .map(|time| time.0)
    }

    /// Of containers that are to stay: init containers may try again.
    fn restarts(&self) -> u32 {
        let stays = |status: &&ContainerStatus| !self.is_passing(&status.name);
        let containers = container_statuses(&self.status).filter(stays);
        containers.map(own_restarts).fold(0, u32::saturating_add)
    }

    /// Whether `container` is an init container that ends, and no sidecar.
    fn is_passing(&self, container: &str) -> bool {
        let init = self.spec.init_containers.iter();
        let mut init = init.filter(|one| one.name == container);
        init.any(|one| one.restart_policy != "Always")
    }

    fn trouble(&self, lacking: Option<&str>, now: Timestamp) -> Option<PodTrouble> {
        let status = &self.status;
        if let Some(cause) = interrupted(status) {
            return Some(PodTrouble::Cluster(cause));
        }
        let container = container_statuses(status).find_map(|one| self.container_trouble(one));
        container
            .or_else(|| unscheduled(status).map(PodTrouble::Cluster))
            .or_else(|| {
                self.lost()
                    .then(|| PodTrouble::Cluster("is on a node that does not answer".to_owned()))
            })
            .or_else(|| in_the_making(status, lacking, now))
    }

    fn container_trouble(&self, container: &ContainerStatus) -> Option<PodTrouble> {
        let state = container.state.as_ref()?;
        let waiting = state
            .waiting
            .as_ref()
            .and_then(|waiting| waiting.reason.as_deref());
        let waiting = waiting.filter(|reason| !STARTING.contains(reason));
        let ended = || {
            let terminated = state.terminated.as_ref()?;
            (terminated.exit_code != 0).then(|| terminated.reason.as_deref().unwrap_or("Error"))
        };
        let reason = waiting.or_else(ended).and_then(word)?;
        let tries = self.is_passing(&container.name)
            && container.restart_count < INIT_TRIES
            && matches!(reason.as_str(), "CrashLoopBackOff" | "Error");
        if tries {
            return None;
        }
        let name = word_or_dash(&container.name);
        Some(
            if OWN_TROUBLE
                .iter()
                .chain(&ON_TRIAL)
                .any(|known| *known == reason)
            {
                PodTrouble::Own(format!("has a container that fails: {name} ({reason})"))
            } else {
                PodTrouble::Cluster(format!("waits for {name} ({reason})"))
            },
        )
    }

    /// Its containers were ready when last heard of, and the pod counts as not ready: that is what is made of the
    /// pods of a node that no longer answers.
    fn lost(&self) -> bool {
        let holds = |kind: &str| {
            let conditions = self.status.conditions.iter().flatten();
            let mut conditions = conditions.filter(|one| one.type_ == kind);
            conditions.any(|one| one.status == "True")
        };
        self.spec.readiness_gates.is_empty() && holds("ContainersReady") && !holds("Ready")
    }
}

/// How often a container was started again; not when it is only unknown how the last one ended, as after a node has
/// started anew.
fn own_restarts(container: &ContainerStatus) -> u32 {
    let last = container
        .last_state
        .as_ref()
        .and_then(|state| state.terminated.as_ref());
    let reason = last.and_then(|last| last.reason.as_deref());
    let unknown = matches!(reason, Some("Unknown" | "ContainerStatusUnknown"));
    let restarts = u32::try_from(container.restart_count).unwrap_or(0);
    restarts.saturating_sub(u32::from(unknown))
}

/// All containers of a pod, init containers first.
pub(super) fn container_statuses(pod: &PodStatus) -> impl Iterator<Item = &ContainerStatus> {
    let init = pod.init_container_statuses.iter().flatten();
    init.chain(pod.container_statuses.iter().flatten())
}

/// What the cluster did to a pod.
pub(super) fn interrupted(pod: &PodStatus) -> Option<String> {
    let disrupted = pod.conditions.iter().flatten();
    let mut disrupted =
        disrupted.filter(|one| one.type_ == "DisruptionTarget" && one.status == "True");
    let why = match pod.reason.as_deref() {
        Some("Evicted") => "was evicted from its node",
        Some("NodeLost") => "was on a node that is lost",
        Some("Preempting" | "Preempted") => "had to give way to a pod of a higher priority",
        Some("NodeShutdown" | "Terminated" | "Shutdown") => "was on a node that shuts down",
        _ if disrupted.next().is_some() => "was interrupted by the cluster",
        // The node would not take it: too little left, an affinity that no longer holds.
        Some(_) if pod.phase.as_deref() == Some("Failed") && no_container(pod) => {
            "was not taken by its node"
        }
        _ => return None,
    };
    Some(why.to_owned())
}

fn no_container(pod: &PodStatus) -> bool {
    container_statuses(pod).next().is_none()
}

fn unscheduled(pod: &PodStatus) -> Option<String> {
    let conditions = pod.conditions.iter().flatten();
    let mut conditions =
        conditions.filter(|one| one.type_ == "PodScheduled" && one.status == "False");
    let reason = conditions.next()?.reason.as_deref().and_then(word);
    let reason = reason.unwrap_or_else(|| "PodScheduled".to_owned());
    Some(format!("finds no node ({reason})"))
}

/// A pod whose containers have been in the making for long: its image or its volumes are not there. A file that it
/// wants of the candidate, and that the revision does not have, is its own fault.
fn in_the_making(pod: &PodStatus, lacking: Option<&str>, now: Timestamp) -> Option<PodTrouble> {
    let taken = pod.start_time.as_ref()?.0;
    if first_run(pod).is_some() {
        return None;
    }
    if let Some(lacking) = lacking {
        return Some(PodTrouble::Own(lacking.to_owned()));
    }
    (now.duration_since(taken) > MAKING)
        .then(|| PodTrouble::Cluster("waits for its image or its volumes".to_owned()))
}

/// When the first of its containers ran. Until then it waits for images and volumes, which is not its fault.
fn first_run(pod: &PodStatus) -> Option<Timestamp> {
    let runs = container_statuses(pod).flat_map(|container| {
        let states = [&container.state, &container.last_state];
        states.into_iter().flatten().filter_map(|state| {
            let running = state
                .running
                .as_ref()
                .and_then(|running| running.started_at.as_ref());
            let ended = || state.terminated.as_ref()?.started_at.as_ref();
            running.or_else(ended).map(|time| time.0)
        })
    });
    let waits = |container: &ContainerStatus| {
        let waiting = container
            .state
            .as_ref()
            .and_then(|state| state.waiting.as_ref());
        let reason = waiting.and_then(|waiting| waiting.reason.as_deref());
        reason.is_some_and(|reason| STARTING.contains(&reason))
    };
    let making = no_container(pod) || container_statuses(pod).any(waits);
    let taken = pod.start_time.as_ref().map(|time| time.0);
    runs.min().or_else(|| taken.filter(|_| !making))
}

/// A file that the pod must have, and a key of ours that the revision drops. A variable that is missing the kubelet tells itself.
pub(super) fn lacking(spec: &Value, marks: &Marks, trial: &Trial) -> Option<String> {
    let find = |kind: CandidateKind, name: &str| {
        trial.candidates.iter().find(|candidate| {
            candidate.kind == kind && marks.candidate(kind, candidate.stable.as_str()) == name
        })
    };
    let check = |kind: CandidateKind, field: &str, source: &Value| {
        if source["optional"] == true {
            return None;
        }
        let candidate = find(kind, source[field].as_str()?)?;
        let items = source["items"].as_array().into_iter().flatten();
        let mut keys = items.filter_map(|item| item["key"].as_str());
        // A key that was never ours may be somebody else's, and stands in the stand-in, too.
        let leaves =
            |key: &&str| candidate.ours.contains(*key) && !candidate.data.contains_key(*key);
        let key = keys.find(leaves)?;
        Some(format!(
            "mounts the key `{key}` of {}, which this revision does not have",
            candidate.stable
        ))
    };
    let volumes = spec["volumes"].as_array().into_iter().flatten();
    volumes.into_iter().find_map(|volume| {
        let plain = check(CandidateKind::Secret, "secretName", &volume["secret"])
            .or_else(|| check(CandidateKind::ConfigMap, "name", &volume["configMap"]));
        let sources = volume
            .pointer("/projected/sources")
            .and_then(Value::as_array);
        let mut sources = sources.into_iter().flatten();
        plain.or_else(|| {
            sources.find_map(|source| {
                check(CandidateKind::Secret, "name", &source["secret"])
                    .or_else(|| check(CandidateKind::ConfigMap, "name", &source["configMap"]))
            })
        })
    })
}

/// The name of a container, which is a label of DNS.
fn word_or_dash(name: &str) -> &str {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-';
    let good = !name.is_empty() && name.len() <= 63 && name.bytes().all(plain);
    if good { name } else { "a container" }
}

#[cfg(test)]
mod tests;
