//! Which workloads must not have a canary: what it could break. Pure.

use penstock_domain::sync::WorkloadKind;
use serde_json::Value;

use super::clone::text;
use super::refusal::Refusal;

/// The way out of most refusals.
const ANOTHER_MODE: &str = "Use mode job with a CronJob that tries the values, or mode workload";
/// Volumes of disks that one node can have at a time, as pod templates name them directly.
const DISKS: [&str; 12] = [
    "awsElasticBlockStore",
    "azureDisk",
    "cinder",
    "fc",
    "gcePersistentDisk",
    "iscsi",
    "photonPersistentDisk",
    "portworxVolume",
    "rbd",
    "scaleIO",
    "storageos",
    "vsphereVolume",
];

/// Refuses what can be seen to be harmful in the object itself.
pub(super) fn refuse(kind: WorkloadKind, workload: &Value) -> Result<(), Refusal> {
    if workload.pointer("/spec/workloadRef").is_some() {
        let why = "its template is managed elsewhere (workloadRef); hand-over is not supported yet";
        return Err(Refusal::new(why, "Name the workload that it refers to"));
    }
    let claims = workload.pointer("/spec/volumeClaimTemplates");
    if kind == WorkloadKind::StatefulSet && is_filled(claims) {
        let why = "it claims volumes of its own, which a canary would need as well";
        return Err(Refusal::new(why, ANOTHER_MODE));
    }
    if text(workload, "/spec/strategy/type") == "Recreate" {
        let why = "its strategy is Recreate: two of its pods must not run at the same time";
        return Err(Refusal::new(why, ANOTHER_MODE));
    }
    let pod = workload
        .pointer("/spec/template/spec")
        .unwrap_or(&Value::Null);
    refuse_node(pod)?;
    if items(pod, "volumes").any(|volume| DISKS.iter().any(|disk| volume.get(disk).is_some())) {
        let why = "its pods mount a disk that one node can have at a time";
        return Err(Refusal::new(why, ANOTHER_MODE));
    }
    Ok(())
}

/// Refuses a pod that reaches its node. The chart's policy `canaries` holds the operator to the same.
pub(super) fn refuse_node(pod: &Value) -> Result<(), Refusal> {
    for (field, what) in [
        ("hostNetwork", "the network"),
        ("hostPID", "the processes"),
        ("hostIPC", "the shared memory"),
    ] {
        if pod[field] == true {
            let why = format!("its pods use {what} of their node ({field})");
            return Err(Refusal::new(why, ANOTHER_MODE));
        }
    }
    let lists = ["containers", "initContainers"];
    let containers = lists.iter().flat_map(|field| items(pod, field));
    let mut ports = containers.flat_map(|container| items(container, "ports"));
    if ports.any(|port| port["hostPort"].as_u64().is_some_and(|port| port > 0)) {
        let why = "its pods take a port of their node (hostPort)";
        return Err(Refusal::new(why, ANOTHER_MODE));
    }
    if items(pod, "volumes").any(|volume| volume.get("hostPath").is_some()) {
        let why = "its pods use files of their node (hostPath)";
        return Err(Refusal::new(why, ANOTHER_MODE));
    }
    Ok(())
}

/// The names of the claims that its pods share, which have to be looked at.
pub(super) fn claims(workload: &Value) -> Vec<&str> {
    let pod = workload
        .pointer("/spec/template/spec")
        .unwrap_or(&Value::Null);
    let claims = items(pod, "volumes")
        .map(|volume| text(volume, "/persistentVolumeClaim/claimName"))
        .filter(|name| !name.is_empty());
    claims.collect()
}

/// Refuses a claim unless pods may share it.
pub(super) fn refuse_claim(name: &str, claim: Option<&Value>) -> Result<(), Refusal> {
    let Some(claim) = claim else {
        let why = "its pods use a PersistentVolumeClaim that does not exist";
        return Err(Refusal::new(why, format!("Make the claim {name}")));
    };
    let modes = claim.pointer("/spec/accessModes").and_then(Value::as_array);
    let modes: Vec<_> = modes
        .into_iter()
        .flatten()
        .filter_map(Value::as_str)
        .collect();
    let shared = ["ReadWriteMany", "ReadOnlyMany"];
    if !modes.is_empty() && modes.iter().all(|mode| shared.contains(mode)) {
        return Ok(());
    }
    let why = format!(
        "its pods use the PersistentVolumeClaim {name}, which pods of one node share at most"
    );
    Err(Refusal::new(why, ANOTHER_MODE))
}

/// Refuses a workload that one of these Canaries of Flagger's controls.
pub(super) fn refuse_flagger(
    (kind, name): (WorkloadKind, &str),
    canaries: &[Value],
) -> Result<(), Refusal> {
    let controls = |canary: &Value| {
        let target = text(canary, "/spec/targetRef/name");
        let primary = name.strip_suffix("-primary");
        text(canary, "/spec/targetRef/kind") == kind.as_str()
            && !target.is_empty()
            && (target == name || Some(target) == primary)
    };
    if canaries.iter().any(controls) {
        let why = "Flagger controls it; hand-over is not supported yet";
        let way_out = "Let Flagger judge the restart: leave `canary` out for this workload";
        return Err(Refusal::new(why, way_out));
    }
    Ok(())
}

fn items<'a>(object: &'a Value, field: &str) -> impl Iterator<Item = &'a Value> {
    object
        .get(field)
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
}

fn is_filled(list: Option<&Value>) -> bool {
    list.and_then(Value::as_array)
        .is_some_and(|list| !list.is_empty())
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[expect(
        clippy::needless_pass_by_value,
        reason = "cases are written where they are judged"
    )]
    fn why(kind: WorkloadKind, spec: Value) -> Option<String> {
        let refused = refuse(kind, &json!({"metadata": {"name": "api"}, "spec": spec}));
        refused.err().map(|refusal| refusal.why().to_owned())
    }

    #[expect(
        clippy::needless_pass_by_value,
        reason = "cases are written where they are judged"
    )]
    fn pod(spec: Value) -> Option<String> {
        why(
            WorkloadKind::Deployment,
            json!({"template": {"spec": spec}}),
        )
    }

    #[test]
    fn what_two_pods_would_fight_for_is_refused_with_its_reason() {
        let claims = json!({"volumeClaimTemplates": [{"metadata": {"name": "data"}}]});
        let recreate = json!({"strategy": {"type": "Recreate"}});
        let elsewhere = json!({"workloadRef": {"kind": "Deployment", "name": "x"}});
        let port = |field: &str| {
            pod(json!({field: [{"name": "a", "ports": [{"containerPort": 1, "hostPort": 80}]}]}))
        };
        let volume =
            |volume: Value| pod(json!({"volumes": [{"name": "e", "emptyDir": {}}, volume]}));
        for (refused, word) in [
            (why(WorkloadKind::StatefulSet, claims), "claims volumes"),
            (why(WorkloadKind::Deployment, recreate), "Recreate"),
            (why(WorkloadKind::Rollout, elsewhere), "workloadRef"),
            (pod(json!({"hostNetwork": true})), "hostNetwork"),
            (pod(json!({"hostPID": true})), "hostPID"),
            (pod(json!({"hostIPC": true})), "hostIPC"),
            (port("containers"), "hostPort"),
            (port("initContainers"), "hostPort"),
            (
                volume(json!({"name": "h", "hostPath": {"path": "/"}})),
                "hostPath",
            ),
            (
                volume(json!({"name": "d", "gcePersistentDisk": {"pdName": "x"}})),
                "disk",
            ),
        ] {
            assert!(
                refused.as_ref().is_some_and(|why| why.contains(word)),
                "{word}: {refused:?}"
            );
        }
    }

    #[test]
    fn harmless_workloads_pass() {
        assert_eq!(
            why(
                WorkloadKind::StatefulSet,
                json!({"volumeClaimTemplates": []})
            ),
            None
        );
        let plain = json!({"hostNetwork": false, "containers": [{"name": "a", "ports": [{"containerPort": 80, "hostPort": 0}]}],
            "volumes": [{"name": "a", "secret": {"secretName": "x"}}, {"name": "b", "ephemeral": {}}]});
        assert_eq!(pod(plain), None);
        assert_eq!(
            why(
                WorkloadKind::Deployment,
                json!({"strategy": {"type": "RollingUpdate"}})
            ),
            None
        );
    }

    #[test]
    fn only_claims_that_pods_share_pass() {
        let judged =
            |modes: Value| refuse_claim("data", Some(&json!({"spec": {"accessModes": modes}})));
        assert_eq!(judged(json!(["ReadWriteMany"])), Ok(()));
        assert_eq!(judged(json!(["ReadOnlyMany", "ReadWriteMany"])), Ok(()));
        for modes in [
            json!(["ReadWriteOnce"]),
            json!(["ReadWriteOncePod"]),
            json!(["ReadOnlyMany", "ReadWriteOnce"]),
            json!([]),
            Value::Null,
        ] {
            assert!(judged(modes.clone()).is_err(), "{modes}");
        }
        assert!(refuse_claim("data", None).is_err());
        let workload = json!({"spec": {"template": {"spec": {"volumes": [
            {"name": "a", "persistentVolumeClaim": {"claimName": "data"}}, {"name": "b", "emptyDir": {}}]}}}});
        assert_eq!(claims(&workload), ["data"]);
    }

    #[test]
    fn what_flagger_controls_is_refused_under_both_of_its_names() {
        let canary = json!({"spec": {"targetRef": {"kind": "Deployment", "name": "shop"}}});
        let canaries = [json!({}), canary];
        let judged = |kind, name| refuse_flagger((kind, name), &canaries);
        assert!(judged(WorkloadKind::Deployment, "shop").is_err());
        assert!(judged(WorkloadKind::Deployment, "shop-primary").is_err());
        assert_eq!(judged(WorkloadKind::Deployment, "shop-api"), Ok(()));
        assert_eq!(judged(WorkloadKind::DaemonSet, "shop"), Ok(()));
    }
}
