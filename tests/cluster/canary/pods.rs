//! Mode pod.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Secret};
use k8s_openapi::api::discovery::v1::EndpointSlice;
use kube::ResourceExt as _;
use kube::api::{DeleteParams, ListParams, Patch, PatchParams};
use penstock_domain::api::canary::CanaryLabels;
use penstock_domain::canary::Canary;
use penstock_domain::fault::FaultClass;
use penstock_domain::ports::Canaries as _;
use penstock_testbed::{Failure, eventually};
use serde_json::json;

use super::{Corner, Outcome, SOON, candidate, delete_sync, of_people, trouble};

#[tokio::test]
async fn a_good_value_gets_ready_on_a_pod_of_its_own_and_nothing_of_the_users_changes() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    let deployments = corner.namespace.api::<Deployment>();
    let secrets = corner.namespace.api::<Secret>();
    let before = (
        of_people(&deployments.get("api").await?)?,
        of_people(&secrets.get("env").await?)?,
    );
    let trial = corner.trial("good too").await?;
    assert!(!corner.look(&trial).await?.exists);
    corner.start(&trial).await?;
    // Controllers write their status meanwhile.
    let specs = async || -> Result<Vec<_>, Failure> {
        let made = corner.made::<Deployment>().await?.items.into_iter();
        Ok(made
            .map(|one| (one.metadata.uid, one.metadata.generation))
            .collect())
    };
    let made = specs().await?;
    corner.start(&trial).await?;
    assert_eq!(made.len(), 1);
    assert_eq!(made, specs().await?, "twice is once");
    let ready = corner.sees(&trial, "the canary is ready", |view| {
        view.pods.iter().any(|pod| pod.ready_since.is_some())
    });
    let view = ready.await?;
    assert_eq!((view.pods.len(), trouble(&view)), (1, "none".to_owned()));
    assert_eq!(view.pods[0].restarts, 0);
    assert!(view.pods[0].started.is_some() && view.refused.is_none() && view.job.is_none());

    let candidates = corner.made::<Secret>().await?.items;
    let [one] = candidates.as_slice() else {
        return Err(Failure::because("not one candidate"));
    };
    assert_eq!(one.immutable, Some(true));
    assert!(one.name_any().starts_with("penstock-candidate-env-"));
    assert_eq!(one.owner_references()[0].name, "shop");
    let data = one.data.as_ref().and_then(|data| data.get("KEY"));
    assert_eq!(data.map(|value| value.0.as_slice()), Some(&b"good too"[..]));

    let after = (
        of_people(&deployments.get("api").await?)?,
        of_people(&secrets.get("env").await?)?,
    );
    assert_eq!(before, after);
    corner.canaries.stop(&corner.sync).await?;
    corner.is_clean().await?;
    corner.canaries.stop(&corner.sync).await?;
    assert!(!corner.look(&trial).await?.exists);
    assert_eq!(corner.pods_of("app=api", 1).await?.len(), 1);
    Ok(())
}

#[tokio::test]
async fn what_the_value_does_is_its_own_and_what_the_cluster_does_is_not() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    for (value, expected) in [
        (
            "bad key",
            "own: has a container that fails: app (CrashLoopBackOff)",
        ),
        ("unschedulable", "cluster: finds no node (Unschedulable)"),
        ("image", "cluster: waits for app (ImagePullBackOff)"),
    ] {
        let trial = corner.trial(value).await?;
        corner.start(&trial).await?;
        corner
            .sees(&trial, expected, |view| trouble(view) == expected)
            .await?;
        corner.canaries.stop(&corner.sync).await?;
        corner.is_clean().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_slow_one_has_started_and_is_not_ready_and_a_flaky_one_restarts() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    let slow = corner.trial("slow").await?;
    corner.start(&slow).await?;
    let started = corner.sees(&slow, "the slow one runs", |view| {
        view.pods.iter().any(|pod| pod.started.is_some())
    });
    let view = started.await?;
    assert_eq!(
        (view.pods[0].ready_since, trouble(&view)),
        (None, "none".to_owned())
    );
    corner.canaries.stop(&corner.sync).await?;
    corner.is_clean().await?;
    let flaky = corner.trial("flaky").await?;
    corner.start(&flaky).await?;
    corner
        .sees(&flaky, "the flaky one restarts", |view| {
            view.pods.iter().any(|pod| pod.restarts > 0)
        })
        .await?;
    Ok(())
}

#[tokio::test]
async fn a_key_that_the_revision_lacks_is_its_own_fault() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    let container = json!({"name": "app", "image": "any"});
    let mut variable = container.clone();
    variable["env"] =
        json!([{"name": "A", "valueFrom": {"secretKeyRef": {"name": "env", "key": "OTHER"}}}]);
    let volume = json!([{"name": "v", "secret": {"secretName": "env", "items": [{"key": "OTHER", "path": "o"}]}}]);
    for (name, pod, expected) in [
        (
            "variable",
            json!({"containers": [variable]}),
            "own: has a container that fails: app (CreateContainerConfigError)",
        ),
        (
            "file",
            json!({"containers": [container], "volumes": volume}),
            "own: mounts the key `OTHER` of env, which this revision does not have",
        ),
    ] {
        let workload = json!({"apiVersion": "apps/v1", "kind": "Deployment", "metadata": {"name": name},
            "spec": {"replicas": 0, "selector": {"matchLabels": {"n": name}},
                "template": {"metadata": {"labels": {"n": name}}, "spec": pod}}});
        corner.namespace.apply(&workload.to_string()).await?;
        let kind = penstock_domain::sync::WorkloadKind::Deployment;
        let trial = corner.trial_of(kind, name, "good").await?;
        corner.start(&trial).await?;
        corner
            .sees(&trial, expected, |view| trouble(view) == expected)
            .await?;
        corner.canaries.stop(&corner.sync).await?;
        corner.is_clean().await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_quota_is_told_and_no_fault_of_the_value() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    let quota = json!({"apiVersion": "v1", "kind": "ResourceQuota", "metadata": {"name": "full"},
        "spec": {"hard": {"pods": "1"}}});
    corner.namespace.apply(&quota.to_string()).await?;
    let quotas = corner
        .namespace
        .api::<k8s_openapi::api::core::v1::ResourceQuota>();
    eventually("the quota counts", SOON, || async {
        let status = quotas
            .get("full")
            .await
            .map_err(|error| error.to_string())?
            .status;
        let used = status.and_then(|status| status.used).unwrap_or_default();
        if used.contains_key("pods") {
            Ok(())
        } else {
            Err(format!("{used:?}"))
        }
    })
    .await?;
    let trial = corner.trial("good").await?;
    corner.start(&trial).await?;
    let refused = corner.sees(&trial, "the quota is told", |view| view.refused.is_some());
    let view = refused.await?;
    assert!(view.exists && view.pods.is_empty(), "{view:?}");
    Ok(())
}

async fn service_pods(corner: &Corner) -> Result<Vec<(String, bool)>, Failure> {
    let slices = corner.namespace.api::<EndpointSlice>();
    let slices = slices.list(&ListParams::default()).await?.items;
    let endpoints = slices.into_iter().flat_map(|slice| slice.endpoints);
    Ok(endpoints
        .filter_map(|endpoint| {
            let ready = endpoint.conditions.and_then(|conditions| conditions.ready);
            Some((endpoint.target_ref?.name?, ready.unwrap_or(true)))
        })
        .collect())
}

#[tokio::test]
async fn a_service_of_the_workload_sends_its_canary_nothing() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    let own = corner.pods_of("app=api", 1).await?[0].name_any();
    let stripped = corner.trial("good").await?;
    let mut kept = stripped.clone();
    if let Canary::Pod(_, labels) = &mut kept.canary {
        *labels = CanaryLabels::Keep;
    }
    for (trial, found) in [(stripped, false), (kept, true)] {
        corner.start(&trial).await?;
        let ready = corner.sees(&trial, "the canary is ready", |view| {
            view.pods.iter().any(|pod| pod.ready_since.is_some())
        });
        let canary = ready.await?.pods[0].name.clone();
        // The controller of EndpointSlices has seen the canary when the workload's own pod and it are settled.
        eventually("the service has its endpoints", SOON, || async {
            let pods = service_pods(&corner)
                .await
                .map_err(|error| error.to_string())?;
            let mut expected = vec![(own.clone(), true)];
            if found {
                expected.push((canary.clone(), false));
            }
            let same =
                pods.len() == expected.len() && expected.iter().all(|one| pods.contains(one));
            if same {
                Ok(())
            } else {
                Err(format!("{pods:?}"))
            }
        })
        .await?;
        corner.canaries.stop(&corner.sync).await?;
        corner.is_clean().await?;
    }
    Ok(())
}

#[tokio::test]
async fn another_template_and_a_meddled_canary_begin_anew() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    let deployments = corner.namespace.api::<Deployment>();
    let trial = corner.trial("good").await?;
    corner.start(&trial).await?;
    let uid = async || -> Result<Option<String>, Failure> {
        Ok(corner
            .made::<Deployment>()
            .await?
            .items
            .first()
            .and_then(kube::ResourceExt::uid))
    };
    let first = uid().await?;
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "app", "image": "newer"}]}}}});
    let patch = Patch::Strategic(&image);
    deployments
        .patch("api", &PatchParams::default(), &patch)
        .await?;
    assert!(
        !corner.look(&trial).await?.exists,
        "it is of another template"
    );
    corner.start(&trial).await?;
    let second = uid().await?;
    assert_ne!(first, second);
    let name = corner.made::<Deployment>().await?.items[0].name_any();
    let meddled = json!({"spec": {"replicas": 3}});
    deployments
        .patch(&name, &PatchParams::default(), &Patch::Merge(&meddled))
        .await?;
    assert!(!corner.look(&trial).await?.exists, "somebody changed it");
    corner.start(&trial).await?;
    assert_ne!(second, uid().await?);
    let ready = corner.sees(&trial, "one canary is ready", |view| {
        view.pods.len() == 1 && view.pods[0].ready_since.is_some()
    });
    ready.await?;
    Ok(())
}

#[tokio::test]
async fn a_candidate_of_an_older_spec_ends_its_trial_and_a_deleted_one_comes_back() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    let trial = corner.trial("good").await?;
    corner.start(&trial).await?;
    let mut other = trial.clone();
    other.candidates = vec![candidate(&[("KEY", "good"), ("MORE", "x")])?];
    let conflict = corner.start(&other).await.unwrap_err();
    assert_eq!(conflict.class, FaultClass::Conflict);
    assert!(
        corner.made::<Deployment>().await?.items.is_empty(),
        "nothing that started on it stays"
    );
    corner.start(&other).await?;
    let candidates = corner.made::<Secret>().await?.items;
    assert_eq!(
        candidates[0]
            .data
            .as_ref()
            .map(std::collections::BTreeMap::len),
        Some(2)
    );
    let secrets = corner.namespace.api::<Secret>();
    secrets
        .delete(&candidates[0].name_any(), &DeleteParams::default())
        .await?;
    assert!(
        !corner.look(&other).await?.exists,
        "a container that starts again would miss it"
    );
    corner.start(&other).await?;
    assert_eq!(corner.made::<Secret>().await?.items.len(), 1);
    Ok(())
}

#[tokio::test]
async fn an_object_of_somebody_else_under_a_name_of_ours_is_left_alone() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    let trial = corner.trial("good").await?;
    corner.start(&trial).await?;
    let name = corner.made::<Secret>().await?.items[0].name_any();
    corner.canaries.stop(&corner.sync).await?;
    corner.is_clean().await?;
    let squatter = json!({"apiVersion": "v1", "kind": "Secret", "metadata": {"name": name}, "stringData": {"KEY": "theirs"}});
    corner.namespace.apply(&squatter.to_string()).await?;
    let fault = corner.start(&trial).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Conflict);
    corner.canaries.stop(&corner.sync).await?;
    assert!(
        corner
            .namespace
            .api::<Secret>()
            .get_opt(&name)
            .await?
            .is_some()
    );
    assert!(corner.made::<Deployment>().await?.items.is_empty());
    Ok(())
}

#[tokio::test]
async fn what_an_operator_leaves_behind_goes_with_its_sync() -> Outcome {
    let Some(corner) = Corner::new().await? else {
        return Ok(());
    };
    let trial = corner.trial("good").await?;
    corner.start(&trial).await?;
    let pods = corner.namespace.api::<Pod>();
    eventually("the canary has a pod", SOON, || async {
        let list = pods.list(&ListParams::default().labels(super::LABEL)).await;
        let list = list.map_err(|error| error.to_string())?;
        if list.items.is_empty() {
            Err("none".to_owned())
        } else {
            Ok(())
        }
    })
    .await?;
    delete_sync(&corner).await?;
    corner.is_clean().await?;
    let fault = corner.start(&trial).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::NotFound);
    Ok(())
}
