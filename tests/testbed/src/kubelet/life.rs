//! The life of one pod, as its status tells it. Pure but for the time.

use std::time::{Duration, Instant};

use k8s_openapi::api::core::v1::Pod;
use k8s_openapi::jiff::Timestamp;
use kube::ResourceExt;
use serde_json::{Value, json};

use super::POD_ADDRESS;
use super::values::Given;

/// How long until a container that crashed is tried again.
const AGAIN: Duration = Duration::from_secs(2);
/// How long a flaky one is well.
const WELL: Duration = Duration::from_secs(1);

/// How a pod does with what it is given.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Mood {
    Good,
    Bad,
    Slow,
    Flaky,
    Homeless,
    NoImage,
    NoVariable,
    NoFile,
}

/// One pod.
pub(super) struct Life {
    number: usize,
    taken: Timestamp,
    since: Instant,
    mood: Option<Mood>,
    restarts: u32,
    last: Option<Value>,
}

impl Life {
    pub(super) fn new(number: usize) -> Self {
        Self {
            number,
            taken: Timestamp::now(),
            since: Instant::now(),
            mood: None,
            restarts: 0,
            last: None,
        }
    }

    /// Whether it starts, or starts again.
    pub(super) fn wants_values(&self) -> bool {
        match self.mood {
            None => true,
            Some(Mood::Bad | Mood::NoVariable | Mood::NoFile) => self.since.elapsed() > AGAIN,
            Some(_) => false,
        }
    }

    /// It starts with these.
    pub(super) fn take(&mut self, given: &Given) {
        let mood = Mood::of(given);
        if self.mood == Some(Mood::Bad) || mood == Mood::Bad {
            self.restarts += 1;
        }
        self.mood = Some(mood);
        self.since = Instant::now();
    }

    /// The status, if it is another than was told before.
    pub(super) fn news(&mut self, pod: &Pod) -> Option<Value> {
        if self.mood == Some(Mood::Flaky) && self.restarts == 0 && self.since.elapsed() > WELL {
            self.restarts = 1;
        }
        let status = self.status(pod)?;
        (self.last.as_ref() != Some(&status)).then_some(status)
    }

    pub(super) fn told(&mut self, status: Value) {
        self.last = Some(status);
    }

    fn status(&self, pod: &Pod) -> Option<Value> {
        let mood = self.mood?;
        let taken = self.taken.to_string();
        if mood == Mood::Homeless {
            return Some(json!({"phase": "Pending", "conditions": [
                condition("PodScheduled", false, &taken, Some("Unschedulable"))]}));
        }
        let spec = pod.spec.as_ref()?;
        let stays = spec
            .restart_policy
            .as_deref()
            .is_none_or(|policy| policy == "Always");
        let (phase, state, ready) = self.state(mood, stays);
        let container = |name: &str| {
            json!({"name": name, "image": "any", "imageID": "any", "ready": ready, "started": ready,
                "restartCount": if stays { self.restarts } else { 0 }, "state": state, "lastState": self.last_state(stays)})
        };
        let containers: Vec<_> = spec
            .containers
            .iter()
            .map(|one| container(&one.name))
            .collect();
        let gated = spec
            .readiness_gates
            .as_ref()
            .is_some_and(|gates| !gates.is_empty());
        let address = pod.annotations().get(POD_ADDRESS).cloned();
        let address = address.unwrap_or_else(|| {
            format!(
                "10.244.{}.{}",
                self.number / 250 % 250,
                self.number % 250 + 1
            )
        });
        let mut status = json!({
            "phase": phase,
            "startTime": taken,
            "hostIP": "10.0.0.1",
            "containerStatuses": containers,
            "conditions": [
                condition("PodScheduled", true, &taken, None),
                condition("Initialized", true, &taken, None),
                condition("ContainersReady", ready, &taken, None),
                condition("Ready", ready && !gated, &taken, None),
            ],
        });
        if phase == "Running" {
            status["podIP"] = json!(address);
            status["podIPs"] = json!([{"ip": address}]);
        }
        Some(status)
    }

    /// Phase, state of each container, and whether they are ready.
    fn state(&self, mood: Mood, stays: bool) -> (&'static str, Value, bool) {
        let now = self.taken.to_string();
        let waiting = |reason: &str| json!({"waiting": {"reason": reason}});
        let running = json!({"running": {"startedAt": now}});
        let ended = |code: i32, reason: &str| json!({"terminated": {"exitCode": code, "reason": reason, "startedAt": now, "finishedAt": now}});
        match mood {
            Mood::Good if !stays => ("Succeeded", ended(0, "Completed"), false),
            Mood::Bad if !stays => ("Failed", ended(1, "Error"), false),
            Mood::Good | Mood::Flaky => ("Running", running, true),
            Mood::Bad => ("Running", waiting("CrashLoopBackOff"), false),
            Mood::Slow => ("Running", running, false),
            Mood::NoImage => ("Pending", waiting("ImagePullBackOff"), false),
            Mood::NoVariable => ("Pending", waiting("CreateContainerConfigError"), false),
            Mood::NoFile | Mood::Homeless => ("Pending", waiting("ContainerCreating"), false),
        }
    }

    fn last_state(&self, stays: bool) -> Value {
        let now = self.taken.to_string();
        if self.restarts == 0 || !stays {
            return json!({});
        }
        json!({"terminated": {"exitCode": 1, "reason": "Error", "startedAt": now, "finishedAt": now}})
    }
}

impl Mood {
    fn of(given: &Given) -> Self {
        let values = match given {
            Given::NoVariable => return Self::NoVariable,
            Given::NoFile => return Self::NoFile,
            Given::Values(values) => values,
        };
        let words = [
            ("bad", Self::Bad),
            ("slow", Self::Slow),
            ("flaky", Self::Flaky),
            ("quota", Self::Homeless),
            ("unschedulable", Self::Homeless),
            ("image", Self::NoImage),
        ];
        let said = |word: &str| values.iter().any(|value| value.starts_with(word));
        let found = words.into_iter().find(|(word, _)| said(word));
        found.map_or(Self::Good, |(_, mood)| mood)
    }
}

fn condition(kind: &str, holds: bool, since: &str, reason: Option<&str>) -> Value {
    let mut condition = json!({
        "type": kind,
        "status": if holds { "True" } else { "False" },
        "lastTransitionTime": since,
    });
    if let Some(reason) = reason {
        condition["reason"] = json!(reason);
    }
    condition
}

#[cfg(test)]
mod tests {
    use super::*;

    fn life(values: &[&str], policy: &str) -> (Life, Value) {
        let mut life = Life::new(0);
        assert!(life.wants_values());
        life.take(&Given::Values(
            values.iter().map(|&value| value.to_owned()).collect(),
        ));
        let pod = json!({"metadata": {"name": "p"}, "spec": {"restartPolicy": policy, "containers": [{"name": "app"}]}});
        let pod: Pod = serde_json::from_value(pod).unwrap();
        let status = life.news(&pod).unwrap();
        life.told(status.clone());
        assert_eq!(life.news(&pod), None, "it says nothing twice");
        (life, status)
    }

    #[test]
    fn a_pod_lives_by_its_values() {
        for (values, policy, phase, ready) in [
            (&["good"][..], "Always", "Running", "True"),
            (&["good", "bad one"], "Always", "Running", "False"),
            (&["slow"], "Always", "Running", "False"),
            (&["flaky"], "Always", "Running", "True"),
            (&["image"], "Always", "Pending", "False"),
            (&["good"], "Never", "Succeeded", "False"),
            (&["bad"], "Never", "Failed", "False"),
        ] {
            let (_, status) = life(values, policy);
            assert_eq!(status["phase"], phase, "{values:?}");
            assert_eq!(status["conditions"][3]["status"], ready, "{values:?}");
        }
        let (_, homeless) = life(&["quota"], "Always");
        assert_eq!(homeless["conditions"][0]["reason"], "Unschedulable");
    }

    #[test]
    fn what_crashed_restarts_and_is_tried_again() {
        let (mut life, status) = life(&["bad"], "Always");
        assert_eq!(status["containerStatuses"][0]["restartCount"], 1);
        life.take(&Given::Values(vec!["good".to_owned()]));
        assert_eq!((life.restarts, life.mood), (2, Some(Mood::Good)));
    }
}
