//! What is made of a pod.

use penstock_domain::canary::Candidate;
use penstock_domain::names::{Key, ObjectName};
use penstock_domain::secret::SecretValue;
use serde_json::json;

use super::super::names::tests::{sync, trial};
use super::*;

const START: &str = "2026-11-22T10:00:00Z";

fn at(seconds: i64) -> Timestamp {
    START.parse::<Timestamp>().unwrap() + SignedDuration::from_secs(seconds)
}

fn pod(spec: &Value, status: &Value) -> Pod {
    serde_json::from_value(json!({"metadata": {"name": "p"}, "spec": spec, "status": status}))
        .unwrap()
}

fn container(state: &Value, restarts: i32) -> Value {
    json!({"name": "app", "image": "", "imageID": "", "ready": false, "restartCount": restarts, "state": state})
}

/// One container in this state, a second after a node took the pod.
fn seen(state: &Value, restarts: i32) -> CanaryPod {
    let status = json!({"phase": "Running", "startTime": START, "containerStatuses": [container(state, restarts)]});
    pod(&json!({}), &status).view(None, at(1))
}

fn told(trouble: Option<PodTrouble>) -> String {
    match trouble {
        None => "none".to_owned(),
        Some(PodTrouble::Own(why)) => format!("own: {why}"),
        Some(PodTrouble::Cluster(why)) => format!("cluster: {why}"),
    }
}

#[test]
fn a_ready_pod_says_since_when() {
    let status = json!({"phase": "Running", "startTime": START,
        "conditions": [{"type": "Ready", "status": "True", "lastTransitionTime": "2026-11-22T10:00:07Z"},
            {"type": "ContainersReady", "status": "True", "lastTransitionTime": "2026-11-22T10:00:05Z"}],
        "containerStatuses": [container(&json!({"running": {"startedAt": "2026-11-22T10:00:03Z"}}), 0)]});
    let plain = pod(&json!({}), &status).view(None, at(9));
    assert_eq!(plain.ready_since, Some(at(7)));
    assert_eq!(
        plain.started,
        Some(at(3)),
        "its containers ran from then on"
    );
    assert_eq!(
        (plain.restarts, told(plain.trouble)),
        (0, "none".to_owned())
    );
    let gated = json!({"readinessGates": [{"conditionType": "penstock.dev/canary"}]});
    let gated = pod(&gated, &status).view(None, at(9));
    assert_eq!(gated.ready_since, Some(at(5)), "gates are for traffic");
}

#[test]
fn what_a_container_does_is_its_own_and_what_is_done_to_it_the_clusters() {
    let waiting = |reason: &str| json!({"waiting": {"reason": reason, "message": "key hunter2"}});
    for (state, expected) in [
        (
            waiting("CrashLoopBackOff"),
            "own: has a container that fails: app (CrashLoopBackOff)",
        ),
        (
            waiting("CreateContainerConfigError"),
            "own: has a container that fails: app (CreateContainerConfigError)",
        ),
        (
            json!({"terminated": {"exitCode": 1}}),
            "own: has a container that fails: app (Error)",
        ),
        (
            json!({"terminated": {"exitCode": 137, "reason": "OOMKilled"}}),
            "own: has a container that fails: app (OOMKilled)",
        ),
        (
            waiting("ErrImagePull"),
            "cluster: waits for app (ErrImagePull)",
        ),
        (
            waiting("ImagePullBackOff"),
            "cluster: waits for app (ImagePullBackOff)",
        ),
        (
            waiting("InvalidImageName"),
            "cluster: waits for app (InvalidImageName)",
        ),
        (
            waiting("CreateContainerError"),
            "cluster: waits for app (CreateContainerError)",
        ),
        (waiting("ContainerCreating"), "none"),
        (
            json!({"terminated": {"exitCode": 0, "reason": "Completed"}}),
            "none",
        ),
        (json!({"running": {}}), "none"),
    ] {
        assert_eq!(told(seen(&state, 0).trouble), expected);
    }
    assert_eq!(seen(&json!({"running": {}}), 2).restarts, 2);
}

#[test]
fn what_happens_to_a_pod_is_the_clusters_whatever_its_containers_say() {
    let crashed = container(
        &json!({"terminated": {"exitCode": 143, "reason": "Error"}}),
        0,
    );
    let ready = |kind: &str, status: &str| json!({"type": kind, "status": status});
    for (status, expected) in [
        (
            json!({"phase": "Failed", "reason": "Evicted", "containerStatuses": [crashed]}),
            "cluster: was evicted from its node",
        ),
        (
            json!({"phase": "Failed", "reason": "NodeLost"}),
            "cluster: was on a node that is lost",
        ),
        (
            json!({"phase": "Failed", "reason": "OutOfcpu"}),
            "cluster: was not taken by its node",
        ),
        (
            json!({"phase": "Running", "containerStatuses": [crashed], "conditions": [ready("DisruptionTarget", "True")]}),
            "cluster: was interrupted by the cluster",
        ),
        (
            json!({"phase": "Pending", "conditions": [{"type": "PodScheduled", "status": "False", "reason": "Unschedulable"}]}),
            "cluster: finds no node (Unschedulable)",
        ),
        (
            json!({"phase": "Running", "startTime": START, "conditions": [ready("ContainersReady", "True"), ready("Ready", "False")]}),
            "cluster: is on a node that does not answer",
        ),
    ] {
        assert_eq!(
            told(pod(&json!({}), &status).view(None, at(1)).trouble),
            expected
        );
    }
}

#[test]
fn containers_in_the_making_wait_for_the_cluster_and_do_not_count_as_started() {
    let status = json!({"phase": "Pending", "startTime": START,
        "containerStatuses": [container(&json!({"waiting": {"reason": "ContainerCreating"}}), 0)]});
    let making = pod(&json!({}), &status);
    assert_eq!(
        making.view(None, at(59)),
        CanaryPod {
            name: "p".to_owned(),
            ..CanaryPod::default()
        }
    );
    let late = making.view(None, at(61));
    assert_eq!(
        told(late.trouble),
        "cluster: waits for its image or its volumes"
    );
    assert_eq!(late.started, None);
    let lacking = making.view(Some("mounts the key `A`"), at(1));
    assert_eq!(told(lacking.trouble), "own: mounts the key `A`");
}

#[test]
fn init_containers_may_try_again_but_sidecars_may_not() {
    let spec = json!({"initContainers": [{"name": "app"}]});
    let sidecar = json!({"initContainers": [{"name": "app", "restartPolicy": "Always"}]});
    let status = |restarts| {
        let one = container(
            &json!({"waiting": {"reason": "CrashLoopBackOff"}}),
            restarts,
        );
        json!({"phase": "Pending", "startTime": START, "initContainerStatuses": [one]})
    };
    let view = |spec, restarts| {
        let view = pod(spec, &status(restarts)).view(None, at(1));
        (view.restarts, view.trouble.is_some())
    };
    assert_eq!(view(&spec, 2), (0, false));
    assert_eq!(view(&spec, 3), (0, true));
    assert_eq!(view(&sidecar, 1), (1, true));
}

#[test]
fn a_node_that_starts_anew_is_no_restart_of_the_containers_own() {
    let mut one = container(&json!({"running": {}}), 1);
    one["lastState"] = json!({"terminated": {"exitCode": 255, "reason": "Unknown"}});
    let status = json!({"phase": "Running", "startTime": START, "containerStatuses": [one]});
    assert_eq!(pod(&json!({}), &status).view(None, at(1)).restarts, 0);
}

#[test]
fn the_newest_pod_that_lives_comes_first_and_ended_ones_count_only_alone() {
    let pod = |name: &str, made: i64, phase: &str, going: bool| -> Pod {
        let mut metadata = json!({"name": name, "creationTimestamp": at(made).to_string()});
        if going {
            metadata["deletionTimestamp"] = json!(START);
        }
        serde_json::from_value(json!({"metadata": metadata, "status": {"phase": phase}})).unwrap()
    };
    let names = |pods: &[Pod]| -> Vec<String> {
        counting(pods)
            .iter()
            .map(|pod| pod.metadata.name.clone())
            .collect()
    };
    let evicted = pod("evicted", 1, "Failed", false);
    let all = [
        evicted,
        pod("old", 2, "Running", false),
        pod("new", 3, "Pending", false),
        pod("going", 4, "Running", true),
    ];
    assert_eq!(names(&all), ["new", "old"]);
    assert_eq!(names(&all[..1]), ["evicted"]);
}

#[test]
fn a_quota_is_told_by_its_reason_alone() {
    let deployment = json!({"status": {"conditions": [
        {"type": "Progressing", "status": "True", "reason": "x"},
        {"type": "ReplicaFailure", "status": "True", "reason": "FailedCreate", "message": "hunter2"}]}});
    let refused = refused(&deployment).unwrap();
    assert_eq!(
        refused,
        "a quota, a limit or an admission policy forbids it (FailedCreate)"
    );
    assert_eq!(super::refused(&json!({})), None);
}

#[test]
fn a_file_that_the_revision_lacks_is_found_in_every_volume() {
    let mut trial = trial("0011aabb-0123456789abcdef");
    let data = [(Key::new("A").unwrap(), SecretValue::new("x".to_owned()))].into();
    trial.candidates = vec![Candidate {
        kind: CandidateKind::Secret,
        stable: ObjectName::new("env").unwrap(),
        secret_type: None,
        data,
        ours: ["A", "B"].map(|key| Key::new(key).unwrap()).into(),
    }];
    let marks = Marks::of(&sync("s"), &trial);
    let name = marks.candidate(CandidateKind::Secret, "env");
    let items = |key: &str| json!([{"key": "A", "path": "a"}, {"key": key, "path": "b"}]);
    let told = |volume: Value| {
        lacking(
            &json!({"volumes": [{"name": "e", "emptyDir": {}}, volume]}),
            &marks,
            &trial,
        )
    };
    let plain = |key: &str| json!({"secret": {"secretName": name, "items": items(key)}});
    let projected = |key: &str| json!({"projected": {"sources": [{"secret": {"name": name, "items": items(key)}}]}});
    for volume in [plain("B"), projected("B")] {
        assert_eq!(
            told(volume).unwrap(),
            "mounts the key `B` of env, which this revision does not have"
        );
    }
    let mut optional = plain("B");
    optional["secret"]["optional"] = json!(true);
    let whole = json!({"secret": {"secretName": name}});
    let other = json!({"secret": {"secretName": "other", "items": items("B")}});
    let of_others = plain("THEIRS");
    for volume in [
        plain("A"),
        projected("A"),
        optional,
        whole,
        other,
        of_others,
    ] {
        assert_eq!(told(volume), None);
    }
}
