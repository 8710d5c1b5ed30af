//! Workloads of which no canary is made, and that nothing is made then.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Secret;
use penstock_domain::fault::FaultClass;
use penstock_domain::ports::Canaries as _;
use penstock_domain::sync::WorkloadKind;
use penstock_testbed::{eventually, install_definitions};
use serde_json::{Value, json};

use super::{Corner, Outcome, SOON};

/// What Flagger installs, as far as an operator sees it.
const FLAGGER: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: canaries.flagger.app}
spec:
  group: flagger.app
  scope: Namespaced
  names: {kind: Canary, plural: canaries, singular: canary}
  versions:
  - name: v1beta1
    served: true
    storage: true
    schema:
      openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}
";

fn workload(kind: WorkloadKind, name: &str, spec: &Value, pod: &Value) -> String {
    let mut object = json!({"apiVersion": "apps/v1", "kind": kind.as_str(), "metadata": {"name": name},
        "spec": {"selector": {"matchLabels": {"n": name}}, "template": {"metadata": {"labels": {"n": name}},
            "spec": {"containers": [{"name": "app", "image": "any", "envFrom": [{"secretRef": {"name": "env"}}]}]}}}});
    if kind != WorkloadKind::DaemonSet {
        object["spec"]["replicas"] = json!(0);
    }
    for (field, value) in spec.as_object().into_iter().flatten() {
        object["spec"][field] = value.clone();
    }
    for (field, value) in pod.as_object().into_iter().flatten() {
        object["spec"]["template"]["spec"][field] = value.clone();
    }
    object.to_string()
}

fn claim(name: &str, mode: &str) -> String {
    json!({"apiVersion": "v1", "kind": "PersistentVolumeClaim", "metadata": {"name": name},
        "spec": {"accessModes": [mode], "storageClassName": "none", "resources": {"requests": {"storage": "1Gi"}}}})
    .to_string()
}

fn mounts(name: &str) -> Value {
    json!({"volumes": [{"name": "v", "persistentVolumeClaim": {"claimName": name}}]})
}

#[tokio::test]
async fn what_two_pods_would_fight_for_is_refused_before_anything_is_made() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    corner
        .namespace
        .apply(&claim("own", "ReadWriteOnce"))
        .await?;
    let claims = json!({"serviceName": "x", "volumeClaimTemplates": [{"metadata": {"name": "d"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}}}]});
    let (set, deployment) = (WorkloadKind::StatefulSet, WorkloadKind::Deployment);
    let (none, recreate) = (json!({}), json!({"strategy": {"type": "Recreate"}}));
    let files = json!({"volumes": [{"name": "v", "hostPath": {"path": "/"}}]});
    for (kind, name, (spec, pod), word) in [
        (set, "claims", (&claims, none.clone()), "claims volumes"),
        (
            deployment,
            "recreate",
            (&recreate, none.clone()),
            "Recreate",
        ),
        (
            deployment,
            "host",
            (&none, json!({"hostNetwork": true})),
            "hostNetwork",
        ),
        (deployment, "files", (&none, files), "hostPath"),
        (
            deployment,
            "mounts-own",
            (&none, mounts("own")),
            "PersistentVolumeClaim own",
        ),
        (
            deployment,
            "mounts-none",
            (&none, mounts("nope")),
            "does not exist",
        ),
    ] {
        corner
            .namespace
            .apply(&workload(kind, name, spec, &pod))
            .await?;
        let trial = corner.trial_of(kind, name, "good").await?;
        let fault = corner.start(&trial).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::Invalid, "{fault}");
        assert!(
            fault.to_string().contains(word) && fault.hint.is_some(),
            "{fault}"
        );
        assert!(corner.made::<Secret>().await?.items.is_empty(), "{name}");
    }
    Ok(())
}

#[tokio::test]
async fn every_kind_that_can_have_two_of_its_pods_is_tried() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    corner
        .namespace
        .apply(&claim("shared", "ReadWriteMany"))
        .await?;
    let (none, set) = (json!({}), json!({"serviceName": "x"}));
    for (kind, name, spec, pod) in [
        (
            WorkloadKind::Deployment,
            "mounts-shared",
            &none,
            mounts("shared"),
        ),
        (WorkloadKind::StatefulSet, "set", &set, none.clone()),
        (WorkloadKind::DaemonSet, "agent", &none, none.clone()),
    ] {
        corner
            .namespace
            .apply(&workload(kind, name, spec, &pod))
            .await?;
        let trial = corner.trial_of(kind, name, "good").await?;
        corner.start(&trial).await?;
        assert_eq!(corner.made::<Deployment>().await?.items.len(), 1, "{name}");
        corner.canaries.stop(&corner.sync).await?;
        corner.is_clean().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_workload_of_flaggers_is_left_to_flagger() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    install_definitions(corner.namespace.client(), FLAGGER).await?;
    let canary = json!({"apiVersion": "flagger.app/v1beta1", "kind": "Canary", "metadata": {"name": "x"},
        "spec": {"targetRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "api"}}});
    corner.namespace.apply(&canary.to_string()).await?;
    let trial = corner.trial("good").await?;
    let fault = eventually("Flagger's is refused", SOON, || async {
        match corner.start(&trial).await {
            Err(fault) => Ok(fault),
            Ok(()) => Err("it was started"),
        }
    });
    let fault = fault.await?;
    assert_eq!(fault.class, FaultClass::Invalid, "{fault}");
    assert!(
        fault.to_string().contains("hand-over is not supported yet"),
        "{fault}"
    );
    Ok(())
}

#[tokio::test]
async fn a_patch_that_is_not_understood_keeps_the_canary_away_and_a_good_one_is_applied() -> Outcome
{
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    let deployments = corner.namespace.api::<Deployment>();
    let annotate = async |text: &str| {
        let patch = json!({"metadata": {"annotations": {"penstock.dev/canary-patch": text}}});
        let parameters = kube::api::PatchParams::default();
        deployments
            .patch("api", &parameters, &kube::api::Patch::Merge(&patch))
            .await
    };
    annotate(r#"{"containers": {"app": {"comand": ["/x"]}}}"#).await?;
    let trial = corner.trial("good").await?;
    let fault = corner.start(&trial).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Invalid, "{fault}");
    annotate(r#"{"containers": {"app": {"command": ["/try"], "env": {"QUEUE": "off"}}}}"#).await?;
    corner.start(&trial).await?;
    let made = corner.made::<Deployment>().await?.items;
    let made = serde_json::to_value(&made[0])?;
    let container = &made["spec"]["template"]["spec"]["containers"][0];
    assert_eq!(container["command"], json!(["/try"]));
    let expected =
        json!([{"name": "QUEUE", "value": "off"}, {"name": "PENSTOCK_CANARY", "value": "true"}]);
    assert_eq!(container["env"], expected);
    Ok(())
}
