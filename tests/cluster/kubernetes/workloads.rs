//! Workloads: seen, followed through their pods, marked.

use std::collections::BTreeSet;

use k8s_openapi::api::apps::v1::Deployment;
use kube::ResourceExt as _;
use kube::api::{Api, DeleteParams};
use penstock_adapters::kubernetes::KubernetesWorkloads;
use penstock_domain::fault::FaultClass;
use penstock_domain::names::ObjectName;
use penstock_domain::ports::{Marked, Workloads};
use penstock_domain::sync::{WorkloadKind, WorkloadScope};
use penstock_domain::workload::WorkloadView;
use penstock_testbed::{Failure, Filter, Verb, apply, eventually};
use serde_json::json;

use super::super::SOON;
use super::{Corner, Outcome, testbed};

const MARKER: &str = "penstock.dev/content-env";

const WORKLOADS: &str = "
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, labels: {tier: front}, annotations: {penstock.dev/reload: 'false', example.com/x: z}}
spec:
  replicas: 2
  selector: {matchLabels: {app: shared}}
  template:
    metadata: {labels: {app: shared}}
    spec:
      containers:
      - {name: web, image: any, envFrom: [{secretRef: {name: env}}]}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: other, labels: {tier: back}}
spec:
  selector: {matchLabels: {app: shared, also: other}}
  template:
    metadata: {labels: {app: shared, also: other}}
    spec: {containers: [{name: other, image: any}]}
---
apiVersion: apps/v1
kind: StatefulSet
metadata: {name: db, labels: {tier: back}}
spec:
  replicas: 1
  serviceName: db
  updateStrategy: {type: OnDelete}
  selector: {matchLabels: {app: db}}
  template:
    metadata: {labels: {app: db}}
    spec:
      containers: [{name: db, image: any}]
      volumes: [{name: v, secret: {secretName: env, items: [{key: A, path: a}]}}]
---
apiVersion: apps/v1
kind: DaemonSet
metadata: {name: agent}
spec:
  selector: {matchLabels: {app: agent}}
  template:
    metadata: {labels: {app: agent}}
    spec: {containers: [{name: agent, image: any}]}
";

async fn corner() -> Result<Option<(Corner, KubernetesWorkloads)>, Failure> {
    let Some(testbed) = testbed().await? else {
        return Ok(None);
    };
    let corner = Corner::new(testbed, "work").await?;
    corner.namespace.apply(WORKLOADS).await?;
    let workloads = KubernetesWorkloads::new(corner.api.clone());
    Ok(Some((corner, workloads)))
}

fn names(views: &[WorkloadView]) -> BTreeSet<String> {
    views.iter().map(|view| view.id.to_string()).collect()
}

fn set(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|&name| name.to_owned()).collect()
}

async fn one(
    corner: &Corner,
    workloads: &KubernetesWorkloads,
    kind: WorkloadKind,
    name: &str,
) -> Result<WorkloadView, Failure> {
    let scope = WorkloadScope::List(vec![(kind, ObjectName::new(name)?)]);
    let views = workloads.list(&corner.name, &scope).await?;
    let view = views.into_iter().next();
    view.ok_or_else(|| Failure::because(format!("there is no {name}")))
}

#[tokio::test]
async fn workloads_are_seen_by_namespace_selector_and_name() -> Outcome {
    let Some((corner, workloads)) = corner().await? else {
        return Ok(());
    };
    let list = async |scope| workloads.list(&corner.name, &scope).await;
    let all = list(WorkloadScope::Discover).await?;
    assert_eq!(
        names(&all),
        set(&[
            "DaemonSet agent",
            "Deployment other",
            "Deployment web",
            "StatefulSet db"
        ])
    );
    let back = list(WorkloadScope::Selector("tier in (back)".to_owned())).await?;
    assert_eq!(names(&back), set(&["Deployment other", "StatefulSet db"]));
    let listed = WorkloadScope::List(vec![
        (WorkloadKind::Deployment, ObjectName::new("web")?),
        (WorkloadKind::Deployment, ObjectName::new("nope")?),
        (WorkloadKind::Rollout, ObjectName::new("web")?),
    ]);
    assert_eq!(names(&list(listed).await?), set(&["Deployment web"]));
    let broken = list(WorkloadScope::Selector("tier in in".to_owned())).await;
    assert_eq!(broken.unwrap_err().class, FaultClass::Invalid);
    Ok(())
}

#[tokio::test]
async fn a_view_has_uses_annotations_and_what_holds_it_back() -> Outcome {
    let Some((corner, workloads)) = corner().await? else {
        return Ok(());
    };
    let web = one(&corner, &workloads, WorkloadKind::Deployment, "web").await?;
    assert_eq!(web.replicas, 2);
    assert_eq!(web.pod_selector, "app=shared");
    assert_eq!(
        web.annotations.keys().collect::<Vec<_>>(),
        ["penstock.dev/reload"]
    );
    assert_eq!(web.uses.len(), 1);
    let db = one(&corner, &workloads, WorkloadKind::StatefulSet, "db").await?;
    assert!(db.on_delete && !web.on_delete);
    Ok(())
}

#[tokio::test]
async fn many_workloads_come_in_pages_and_none_is_lost() -> Outcome {
    let Some((corner, workloads)) = corner().await? else {
        return Ok(());
    };
    let many: Vec<String> = (0..230)
        .map(|number| {
            json!({"apiVersion": "apps/v1", "kind": "Deployment",
                "metadata": {"name": format!("many-{number}"), "labels": {"many": "yes"}},
                "spec": {"replicas": 0, "selector": {"matchLabels": {"n": "n"}},
                    "template": {"metadata": {"labels": {"n": "n"}},
                        "spec": {"containers": [{"name": "a", "image": "any"}]}}}})
            .to_string()
        })
        .collect();
    corner.namespace.apply(&many.join("\n---\n")).await?;
    corner.proxy.reset();
    let scope = WorkloadScope::Selector("many=yes".to_owned());
    let views = workloads.list(&corner.name, &scope).await?;
    assert_eq!(names(&views).len(), 230);
    let pages = Filter::any().verb(Verb::List).resource("deployments");
    assert_eq!(corner.proxy.count(&pages), 3);
    Ok(())
}

#[tokio::test]
async fn pods_are_those_that_the_workload_owns_even_where_selectors_overlap() -> Outcome {
    let Some((corner, workloads)) = corner().await? else {
        return Ok(());
    };
    for (kind, name, count) in [
        (WorkloadKind::Deployment, "web", 2),
        (WorkloadKind::Deployment, "other", 1),
        (WorkloadKind::StatefulSet, "db", 1),
    ] {
        let view = one(&corner, &workloads, kind, name).await?;
        eventually(format!("{count} ready pods of {name}"), SOON, || async {
            let pods = workloads
                .pods(&view)
                .await
                .map_err(|fault| fault.to_string())?;
            let ready = pods.len() == count
                && pods.iter().all(|pod| {
                    pod.ready && pod.started.is_some() && pod.name.starts_with(&format!("{name}-"))
                });
            if ready {
                Ok(())
            } else {
                Err(format!("{pods:?}"))
            }
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_pod_that_fits_nowhere_says_so() -> Outcome {
    let Some((corner, workloads)) = corner().await? else {
        return Ok(());
    };
    let nowhere = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": "nowhere"},
        "spec": {"selector": {"matchLabels": {"n": "w"}}, "template": {"metadata": {"labels": {"n": "w"}},
            "spec": {"nodeSelector": {"no": "such"}, "containers": [{"name": "a", "image": "any"}]}}}});
    corner.namespace.apply(&nowhere.to_string()).await?;
    let view = one(&corner, &workloads, WorkloadKind::Deployment, "nowhere").await?;
    eventually("the pod says why it is on no node", SOON, || async {
        let pods = workloads
            .pods(&view)
            .await
            .map_err(|fault| fault.to_string())?;
        match pods.as_slice() {
            [pod] if pod.trouble.as_deref() == Some("Unschedulable") => Ok(()),
            _ => Err(format!("{pods:?}")),
        }
    })
    .await?;
    Ok(())
}

#[tokio::test]
async fn a_marker_restarts_once_and_changes_nothing_else() -> Outcome {
    let Some((corner, workloads)) = corner().await? else {
        return Ok(());
    };
    let api: Api<Deployment> = corner.namespace.api();
    let before = one(&corner, &workloads, WorkloadKind::Deployment, "web").await?;
    let spec_before = api.get("web").await?.spec;
    for _ in 0..2 {
        let marked = workloads.mark(&before.id, MARKER, "k-0011.1").await?;
        assert_eq!(marked, Marked::Set);
    }
    let after = one(&corner, &workloads, WorkloadKind::Deployment, "web").await?;
    assert_eq!(after.template_annotations[MARKER], "k-0011.1");
    assert_eq!(
        after.generation,
        before.generation + 1,
        "the same marker is no change"
    );

    let mut object = api.get("web").await?;
    let managed = object
        .managed_fields()
        .iter()
        .any(|entry| entry.manager.as_deref() == Some("penstock"));
    assert!(managed, "the marker has our field manager");
    let template = object.spec.as_mut().map(|spec| &mut spec.template);
    let metadata = template.and_then(|template| template.metadata.as_mut());
    metadata
        .ok_or_else(|| Failure::because("the template has metadata"))?
        .annotations = None;
    assert_eq!(object.spec, spec_before);
    Ok(())
}

#[tokio::test]
async fn another_workload_of_that_name_is_not_marked() -> Outcome {
    let Some((corner, workloads)) = corner().await? else {
        return Ok(());
    };
    let old = one(&corner, &workloads, WorkloadKind::Deployment, "web").await?;
    let api: Api<Deployment> = corner.namespace.api();
    api.delete("web", &DeleteParams::background()).await?;
    let gone = workloads.mark(&old.id, MARKER, "x").await?;
    assert_eq!(gone, Marked::Gone);
    corner.namespace.apply(WORKLOADS).await?;
    let replaced = workloads.mark(&old.id, MARKER, "x").await?;
    assert_eq!(replaced, Marked::Gone);
    let new = one(&corner, &workloads, WorkloadKind::Deployment, "web").await?;
    assert!(new.template_annotations.is_empty());
    Ok(())
}

#[tokio::test]
async fn a_controlled_workload_names_its_controller() -> Outcome {
    let Some((corner, workloads)) = corner().await? else {
        return Ok(());
    };
    let api: Api<Deployment> = corner.namespace.api();
    let other = api.get("other").await?;
    let owned = json!({"apiVersion": "apps/v1", "kind": "StatefulSet", "metadata": {"name": "owned",
            "ownerReferences": [{"apiVersion": "apps/v1", "kind": "Deployment", "name": "other",
                "uid": other.uid(), "controller": true}]},
        "spec": {"replicas": 0, "selector": {"matchLabels": {"o": "o"}},
            "template": {"metadata": {"labels": {"o": "o"}},
                "spec": {"containers": [{"name": "a", "image": "any"}]}}}});
    corner.namespace.apply(&owned.to_string()).await?;
    let view = one(&corner, &workloads, WorkloadKind::StatefulSet, "owned").await?;
    assert_eq!(view.controlled_by.as_deref(), Some("Deployment/other"));
    Ok(())
}

/// As much of Argo's definition as a Rollout needs to be stored.
const ROLLOUTS: &str = "
apiVersion: apiextensions.k8s.io/v1
kind: CustomResourceDefinition
metadata: {name: rollouts.argoproj.io}
spec:
  group: argoproj.io
  scope: Namespaced
  names: {kind: Rollout, plural: rollouts, singular: rollout}
  versions:
  - name: v1alpha1
    served: true
    storage: true
    schema: {openAPIV3Schema: {type: object, x-kubernetes-preserve-unknown-fields: true}}
";

#[tokio::test]
async fn argo_rollouts_are_seen_and_marked_where_the_cluster_serves_them() -> Outcome {
    let Some((corner, workloads)) = corner().await? else {
        return Ok(());
    };
    apply(corner.namespace.client(), None, ROLLOUTS).await?;
    let template = json!({"metadata": {"labels": {"r": "r"}}, "spec": {"containers": [
        {"name": "a", "image": "any", "envFrom": [{"secretRef": {"name": "env"}}]}]}});
    let spec = json!({"selector": {"matchLabels": {"r": "r"}}, "template": template});
    let rollout = |name: &str, spec| {
        json!({"apiVersion": "argoproj.io/v1alpha1", "kind": "Rollout",
            "metadata": {"name": name}, "spec": spec})
        .to_string()
    };
    let borrowed =
        json!({"workloadRef": {"apiVersion": "apps/v1", "kind": "Deployment", "name": "web"}});
    let served = eventually("rollouts are served", SOON, || async {
        let own = corner
            .namespace
            .apply(&rollout("canary", spec.clone()))
            .await?;
        corner
            .namespace
            .apply(&rollout("borrowed", borrowed.clone()))
            .await?;
        Ok::<_, Failure>(own)
    });
    served.await?;
    let all = workloads
        .list(&corner.name, &WorkloadScope::Discover)
        .await?;
    let rollouts: Vec<_> = all
        .iter()
        .filter(|view| view.id.kind == WorkloadKind::Rollout)
        .collect();
    assert_eq!(
        rollouts.len(),
        1,
        "the borrowed template is the Deployment's"
    );
    assert_eq!(rollouts[0].uses.len(), 1);
    assert_eq!(workloads.pods(rollouts[0]).await?, []);
    let marked = workloads.mark(&rollouts[0].id, MARKER, "k-0011.1").await?;
    assert_eq!(marked, Marked::Set);
    let after = one(&corner, &workloads, WorkloadKind::Rollout, "canary").await?;
    assert_eq!(after.template_annotations[MARKER], "k-0011.1");
    Ok(())
}
