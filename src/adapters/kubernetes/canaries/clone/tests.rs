//! What becomes of a template.

use penstock_domain::reserved::CANARY_LABEL;

use super::super::names::tests::{sync, trial};
use super::*;

struct Place {
    marks: Marks,
    owner: Owner,
    substitutes: Substitutes,
}

impl Place {
    fn new() -> Self {
        let trial = trial("0011aabb-0123456789abcdef");
        let marks = Marks::of(&sync("shop"), &trial);
        Self {
            owner: Owner {
                name: "shop".to_owned(),
                uid: "owner-uid".to_owned(),
            },
            substitutes: Substitutes::of(&marks, &trial.candidates),
            marks,
        }
    }

    fn making(&self) -> Making<'_> {
        Making {
            marks: &self.marks,
            owner: &self.owner,
            substitutes: &self.substitutes,
        }
    }

    fn deployment(&self, workload: &Value, labels: CanaryLabels) -> Value {
        deployment(&self.making(), workload, labels, &Patch::default()).unwrap()
    }
}

fn workload(template: &Value) -> Value {
    json!({"metadata": {"name": "api", "labels": {"app": "api"}}, "spec": {"replicas": 5, "template": template}})
}

/// A pod that uses the Secret and the ConfigMap `env` in one way.
fn using(reference: &Value) -> Value {
    let mut pod = json!({"containers": [{"name": "app", "image": "i"}]});
    for (field, value) in reference.as_object().unwrap() {
        match field.as_str() {
            "volumes" | "initContainers" => pod[field] = value.clone(),
            _ => pod["containers"][0][field] = value.clone(),
        }
    }
    pod
}

#[test]
fn every_kind_of_reference_is_replaced_by_its_candidate() {
    let place = Place::new();
    let (secret, map) = (
        place.substitutes.secrets["env"].clone(),
        place.substitutes.config_maps["env"].clone(),
    );
    for (what, reference, pointer, name) in [
        (
            "env",
            json!({"env": [{"name": "A", "valueFrom": {"secretKeyRef": {"name": "env", "key": "A", "optional": true}}}]}),
            "/containers/0/env/0/valueFrom/secretKeyRef/name",
            &secret,
        ),
        (
            "env of a map",
            json!({"env": [{"name": "A", "valueFrom": {"configMapKeyRef": {"name": "env", "key": "A"}}}]}),
            "/containers/0/env/0/valueFrom/configMapKeyRef/name",
            &map,
        ),
        (
            "envFrom",
            json!({"envFrom": [{"prefix": "X_", "secretRef": {"name": "env"}}]}),
            "/containers/0/envFrom/0/secretRef/name",
            &secret,
        ),
        (
            "envFrom of a map",
            json!({"envFrom": [{"configMapRef": {"name": "env"}}]}),
            "/containers/0/envFrom/0/configMapRef/name",
            &map,
        ),
        (
            "volume",
            json!({"volumes": [{"name": "v", "secret": {"secretName": "env", "items": []}}]}),
            "/volumes/0/secret/secretName",
            &secret,
        ),
        (
            "volume of a map",
            json!({"volumes": [{"name": "v", "configMap": {"name": "env"}}]}),
            "/volumes/0/configMap/name",
            &map,
        ),
        (
            "projected",
            json!({"volumes": [{"name": "v", "projected": {"sources": [{"downwardAPI": {}}, {"secret": {"name": "env"}}]}}]}),
            "/volumes/0/projected/sources/1/secret/name",
            &secret,
        ),
        (
            "projected map",
            json!({"volumes": [{"name": "v", "projected": {"sources": [{"configMap": {"name": "env"}}]}}]}),
            "/volumes/0/projected/sources/0/configMap/name",
            &map,
        ),
        (
            "init container",
            json!({"initContainers": [{"name": "i", "envFrom": [{"secretRef": {"name": "env"}}]}]}),
            "/initContainers/0/envFrom/0/secretRef/name",
            &secret,
        ),
    ] {
        let made = place.deployment(
            &workload(&json!({"spec": using(&reference)})),
            CanaryLabels::Strip,
        );
        let found = made["spec"]["template"]["spec"].pointer(pointer);
        assert_eq!(found, Some(&json!(name)), "{what}");
        assert!(!made.to_string().contains("\"env\",\"key\""), "{what}");
    }
}

#[test]
fn what_is_not_a_target_of_this_sync_stays() {
    let place = Place::new();
    let pod = json!({
        "serviceAccountName": "robot", "priorityClassName": "high", "terminationGracePeriodSeconds": 7,
        "imagePullSecrets": [{"name": "env"}], "nodeSelector": {"a": "b"}, "unknownField": {"of": "a newer version"},
        "containers": [{"name": "app", "image": "i", "envFrom": [{"secretRef": {"name": "env"}}, {"secretRef": {"name": "other"}}],
            "readinessProbe": {"httpGet": {"path": "/", "port": 80}}, "resources": {"limits": {"memory": "1Gi"}}}],
        "volumes": [{"name": "v", "csi": {"nodePublishSecretRef": {"name": "env"}}}],
    });
    let made = place.deployment(&workload(&json!({"spec": pod})), CanaryLabels::Strip);
    let mut expected = pod;
    expected["containers"][0]["envFrom"][0]["secretRef"]["name"] =
        json!(place.substitutes.secrets["env"]);
    expected["containers"][0]["env"] = json!([{"name": "PENSTOCK_CANARY", "value": "true"}]);
    expected["restartPolicy"] = json!("Always");
    assert_eq!(made["spec"]["template"]["spec"], expected);
    assert_eq!(made["spec"]["replicas"], 1);
}

#[test]
fn a_canary_that_uses_no_target_is_refused() {
    let place = Place::new();
    for pod in [
        json!({"containers": [{"name": "app"}]}),
        json!({"containers": [{"name": "app", "envFrom": [{"secretRef": {"name": "other"}}]}]}),
    ] {
        let workload = workload(&json!({"spec": pod}));
        let refused = deployment(
            &place.making(),
            &workload,
            CanaryLabels::Strip,
            &Patch::default(),
        );
        assert!(refused.unwrap_err().why().contains("uses none"));
    }
    let none = json!({"metadata": {"name": "api"}, "spec": {}});
    assert!(
        deployment(
            &place.making(),
            &none,
            CanaryLabels::Strip,
            &Patch::default()
        )
        .is_err()
    );
}

fn marked() -> Value {
    workload(&json!({
        "metadata": {
            "labels": {"app": "api", "app.kubernetes.io/instance": "shop", "app.kubernetes.io/managed-by": "Helm",
                "helm.sh/chart": "api-1", "argocd.argoproj.io/instance": "x", "kustomize.toolkit.fluxcd.io/name": "x",
                "penstock.dev/canary": "somebody-else"},
            "annotations": {"sidecar.istio.io/inject": "true", "penstock.dev/content-shop": "0-1.1",
                "argocd.argoproj.io/tracking-id": "x", "meta.helm.sh/release-name": "x",
                "secret.reloader.stakater.com/reload": "env", "reloader.stakater.com/auto": "true",
                "kubectl.kubernetes.io/restartedAt": "then"},
        },
        "spec": {"containers": [{"name": "app", "envFrom": [{"secretRef": {"name": "env"}}]}],
            "readinessGates": [{"conditionType": "target-health.elbv2.k8s.aws/x"}]},
    }))
}

#[test]
fn stripped_labels_leave_only_ours_and_no_gate() {
    let place = Place::new();
    let made = place.deployment(&marked(), CanaryLabels::Strip);
    let template = &made["spec"]["template"];
    let ours = json!(place.marks.labels(Role::Canary));
    assert_eq!(template["metadata"]["labels"], ours);
    assert_eq!(made["spec"]["selector"]["matchLabels"], ours);
    assert_eq!(made["metadata"]["labels"], ours);
    assert_eq!(template["spec"].get("readinessGates"), None);
    let annotations =
        json!({"sidecar.istio.io/inject": "true", "kubectl.kubernetes.io/restartedAt": "then"});
    assert_eq!(template["metadata"]["annotations"], annotations);
    assert_eq!(made["metadata"]["ownerReferences"][0]["uid"], "owner-uid");
}

#[test]
fn kept_labels_stand_behind_a_gate_and_without_tracking() {
    let place = Place::new();
    let made = place.deployment(&marked(), CanaryLabels::Keep);
    let template = &made["spec"]["template"];
    let mut labels = json!(place.marks.labels(Role::Canary));
    labels["app"] = json!("api");
    labels["app.kubernetes.io/instance"] = json!("shop");
    assert_eq!(template["metadata"]["labels"], labels);
    assert_ne!(
        template["metadata"]["labels"][CANARY_LABEL],
        "somebody-else"
    );
    let ours = json!(place.marks.labels(Role::Canary));
    assert_eq!(
        made["spec"]["selector"]["matchLabels"], ours,
        "only ours select"
    );
    let gates = json!([{"conditionType": "penstock.dev/canary"}]);
    assert_eq!(template["spec"]["readinessGates"], gates);
}

#[test]
fn the_same_is_made_as_the_same_and_another_template_as_another() {
    let place = Place::new();
    let made_as = |workload: &Value| {
        let made = place.deployment(workload, CanaryLabels::Strip);
        (
            made["metadata"]["name"].clone(),
            made["metadata"]["annotations"].clone(),
        )
    };
    let mut other = marked();
    assert_eq!(made_as(&marked()), made_as(&other));
    other["spec"]["template"]["spec"]["containers"][0]["image"] = json!("new");
    let (before, after) = (made_as(&marked()), made_as(&other));
    assert_eq!(before.0, after.0);
    assert_ne!(before.1, after.1);
}

#[test]
fn a_job_is_one_run_of_one_pod() {
    let place = Place::new();
    let cron_job = json!({"metadata": {"name": "smoke"}, "spec": {"schedule": "0 0 * * *", "suspend": true, "jobTemplate": {
        "metadata": {"labels": {"a": "b"}},
        "spec": {"backoffLimit": 6, "completions": 3, "parallelism": 3, "completionMode": "Indexed", "ttlSecondsAfterFinished": 1,
            "activeDeadlineSeconds": 999_999_999, "podFailurePolicy": {"rules": []},
            "template": {"metadata": {"labels": {"app": "smoke", "helm.sh/chart": "x"}}, "spec": {"restartPolicy": "OnFailure",
                "containers": [{"name": "t", "envFrom": [{"secretRef": {"name": "env"}}]}]}}}}}});
    let made = job(&place.making(), &cron_job, Role::Check("smoke")).unwrap();
    let mut template = made["spec"]["template"].clone();
    template["metadata"]["labels"]
        .as_object_mut()
        .unwrap()
        .retain(|name, _| !name.starts_with("penstock.dev/"));
    let secret = &place.substitutes.secrets["env"];
    assert_eq!(
        template,
        json!({"metadata": {"labels": {"app": "smoke"}, "annotations": {}}, "spec": {"restartPolicy": "Never",
            "containers": [{"name": "t", "envFrom": [{"secretRef": {"name": secret}}],
                "env": [{"name": "PENSTOCK_CANARY", "value": "true"}]}]}})
    );
    let mut spec = made["spec"].clone();
    spec.as_object_mut().unwrap().remove("template");
    assert_eq!(
        spec,
        json!({"backoffLimit": 0, "completions": 1, "parallelism": 1, "activeDeadlineSeconds": 86400})
    );
    let other = job(&place.making(), &cron_job, Role::Canary).unwrap();
    assert_ne!(made["metadata"]["name"], other["metadata"]["name"]);
}
