//! Rule 4: who is restarted, who is not, and what is said about those who should be.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Node};
use kube::api::{Api, ListParams, Patch, PatchParams};
use kube::{Resource, ResourceExt};
use penstock_testbed::{Failure, eventually};
use serde_json::{Value, json};

use super::super::super::stage::{Stage, Usage, on_shared_stage};
use super::super::super::{Outcome, SOON};
use super::{COPY, changed, synced};

const FIRST: &super::Fields = &[("A", "t0psecret-1")];
const SECOND: &super::Fields = &[("A", "t0psecret-2")];

async fn patch_deployment(stage: &Stage, name: &str, manager: &str, patch: Value) -> Outcome {
    let parameters = PatchParams {
        field_manager: Some(manager.to_owned()),
        ..PatchParams::default()
    };
    let api = stage.namespace().api::<Deployment>();
    api.patch(name, &parameters, &Patch::Merge(&patch)).await?;
    Ok(())
}

/// The restart marker on a Deployment's pod template.
async fn marker(stage: &Stage, name: &str, sync: &str) -> Result<Option<String>, Failure> {
    let template = stage
        .deployment(name)
        .await?
        .spec
        .unwrap_or_default()
        .template;
    let annotations = template.metadata.and_then(|metadata| metadata.annotations);
    let name = format!("penstock.dev/content-{sync}");
    Ok(annotations.and_then(|annotations| annotations.get(&name).cloned()))
}

async fn await_marker(stage: &Stage, name: &str, sync: &str) -> Result<String, Failure> {
    let there = eventually(format!("{name} carries a marker"), SOON, || async {
        match marker(stage, name, sync).await {
            Ok(Some(marker)) => Ok(marker),
            Ok(None) => Err("none".to_owned()),
            Err(error) => Err(error.to_string()),
        }
    });
    Ok(there.await?)
}

#[tokio::test]
async fn a_workload_that_opts_out_is_left_alone_and_the_others_restart() -> Outcome {
    on_shared_stage(async |stage| {
        synced(stage, "opt-out", COPY, FIRST).await?;
        let usage = [Usage::EnvFrom("opt-out")];
        stage
            .deploy_changed("opt-out-never", &usage, |object| {
                object["metadata"]["annotations"] = json!({"penstock.dev/reload": "false"});
            })
            .await?;
        stage
            .deploy_changed("opt-out-idle", &usage, |object| {
                object["spec"]["replicas"] = json!(0);
            })
            .await?;
        stage.is_rolled_out("opt-out-never").await?;
        stage.deploy("opt-out-plain", &usage).await?;
        changed(stage, "opt-out", SECOND).await?;
        stage.await_restarts("opt-out-plain", 1).await?;
        stage
            .await_condition("opt-out", ("RolledOut", "True"), "RolledOut")
            .await?;
        for name in ["opt-out-never", "opt-out-idle"] {
            assert_eq!(marker(stage, name, "opt-out").await?, None, "{name}");
        }
        Ok(())
    })
    .await
}

/// Whoever it is controlled by would undo the restart; paused it would not happen, `OnDelete` neither.
#[tokio::test]
async fn workloads_that_cannot_be_restarted_are_told_with_the_way_out() -> Outcome {
    on_shared_stage(async |stage| {
        synced(stage, "refused", COPY, FIRST).await?;
        let usage = [Usage::Volume("refused")];
        stage.deploy("refused-paused", &usage).await?;
        patch_deployment(
            stage,
            "refused-paused",
            "kubectl-rollout",
            json!({"spec": {"paused": true}}),
        )
        .await?;
        let owner = "{apiVersion: v1, kind: ConfigMap, metadata: {name: refused-owner}}";
        stage.apply(owner).await?;
        let maps = stage.namespace().api::<ConfigMap>();
        let owner = maps.get("refused-owner").await?;
        let owner = owner.controller_owner_ref(&()).ok_or_else(no_uid)?;
        stage
            .deploy_changed("refused-owned", &usage, |object| {
                object["metadata"]["ownerReferences"] = json!([owner]);
            })
            .await?;
        stage.is_rolled_out("refused-owned").await?;
        let on_delete = "
            apiVersion: apps/v1
            kind: StatefulSet
            metadata: {name: refused-database}
            spec:
              replicas: 1
              serviceName: none
              updateStrategy: {type: OnDelete}
              selector: {matchLabels: {app: refused-database}}
              template:
                metadata: {labels: {app: refused-database}}
                spec: {containers: [{name: app, image: any, envFrom: [{secretRef: {name: refused}}]}]}
            ";
        stage.apply(on_delete).await?;

        changed(stage, "refused", SECOND).await?;
        stage.await_secret("refused", SECOND).await?;
        let condition = stage
            .await_condition("refused", ("RolledOut", "False"), "RestartRefused")
            .await?;
        for words in [
            "Deployment refused-paused is paused: resume it",
            "Deployment refused-owned is controlled by ConfigMap/refused-owner",
            "StatefulSet refused-database replaces pods only when they are deleted",
        ] {
            assert!(condition.message.contains(words), "{}", condition.message);
        }
        stage
            .await_event("refused", "RestartRefused", &["refused-paused"])
            .await?;
        stage.is_synced("refused").await?;

        // The way out of one of them.
        assert_eq!(marker(stage, "refused-paused", "refused").await?, None);
        let resume = json!({"spec": {"paused": false}});
        patch_deployment(stage, "refused-paused", "kubectl-rollout", resume).await?;
        stage.refresh("refused").await?;
        stage.await_restarts("refused-paused", 1).await?;
        assert_eq!(stage.restarts("refused-owned").await?, 0);
        Ok(())
    })
    .await
}

fn no_uid() -> Failure {
    Failure::because("an object without a uid")
}

#[tokio::test]
async fn annotations_of_reloader_are_noticed() -> Outcome {
    on_shared_stage(async |stage| {
        synced(stage, "reloader", COPY, FIRST).await?;
        stage
            .deploy_changed("reloader", &[Usage::EnvFrom("reloader")], |object| {
                let annotations = json!({"secret.reloader.stakater.com/reload": "reloader"});
                object["metadata"]["annotations"] = annotations;
            })
            .await?;
        stage.is_rolled_out("reloader").await?;
        changed(stage, "reloader", SECOND).await?;
        stage.await_restarts("reloader", 1).await?;
        stage
            .await_event(
                "reloader",
                "Restarted",
                &["Deployment reloader", "Reloader"],
            )
            .await?;
        Ok(())
    })
    .await
}

#[tokio::test]
async fn more_restarts_than_the_budget_wait_and_the_content_does_not() -> Outcome {
    on_shared_stage(async |stage| {
        let spec = format!("{COPY}rollout: {{budget: {{maxRestarts: 1, per: 1h}}}}\n");
        synced(stage, "budget", &spec, FIRST).await?;
        stage.deploy("budget", &[Usage::EnvFrom("budget")]).await?;
        changed(stage, "budget", SECOND).await?;
        stage.await_restarts("budget", 1).await?;
        stage
            .await_condition("budget", ("RolledOut", "True"), "RolledOut")
            .await?;
        let third = [("A", "t0psecret-3")];
        changed(stage, "budget", &third).await?;
        stage.await_secret("budget", &third).await?;
        stage
            .await_condition("budget", ("RolledOut", "False"), "RestartBudgetExhausted")
            .await?;
        stage
            .await_event("budget", "RestartBudgetExhausted", &["Deployment budget"])
            .await?;
        assert_eq!(stage.restarts("budget").await?, 1);
        Ok(())
    })
    .await
}

/// A Deployment whose new pods find no node until [`Place::open`]: its rollouts begin and do not end.
struct Place<'a> {
    stage: &'a Stage,
    label: String,
}

impl<'a> Place<'a> {
    async fn deploy(stage: &'a Stage, name: &str, deadline: u32) -> Result<Self, Failure> {
        let place = Self {
            stage,
            label: format!("place-{}-{name}", stage.namespace().name()),
        };
        place.open(true).await?;
        stage
            .deploy_changed(name, &[Usage::EnvFrom(name)], |object| {
                object["spec"]["progressDeadlineSeconds"] = json!(deadline);
                let selector = json!({place.label.as_str(): "open"});
                object["spec"]["template"]["spec"]["nodeSelector"] = selector;
            })
            .await?;
        stage.is_rolled_out(name).await?;
        place.open(false).await?;
        Ok(place)
    }

    async fn open(&self, open: bool) -> Outcome {
        let nodes: Api<Node> = Api::all(self.stage.client().clone());
        let label = if open { json!("open") } else { Value::Null };
        let patch = json!({"metadata": {"labels": {self.label.as_str(): label}}});
        for node in nodes.list(&ListParams::default()).await? {
            let (name, parameters) = (node.name_any(), PatchParams::default());
            nodes
                .patch(&name, &parameters, &Patch::Merge(&patch))
                .await?;
        }
        Ok(())
    }
}

#[tokio::test]
async fn a_rollout_that_is_stuck_names_the_workload_and_why_until_it_goes_on() -> Outcome {
    on_shared_stage(async |stage| {
        synced(stage, "stuck", COPY, FIRST).await?;
        let place = Place::deploy(stage, "stuck", 2).await?;
        changed(stage, "stuck", SECOND).await?;
        let condition = stage
            .await_condition("stuck", ("RolledOut", "False"), "RolloutStuck")
            .await?;
        assert!(
            condition.message.contains("Deployment stuck")
                && condition.message.contains("ProgressDeadlineExceeded"),
            "{}",
            condition.message
        );
        stage
            .await_event("stuck", "RolloutStuck", &["Deployment stuck"])
            .await?;
        stage.is_synced("stuck").await?;

        place.open(true).await?;
        stage.is_rolled_out("stuck").await?;
        stage.refresh("stuck").await?;
        stage
            .await_condition("stuck", ("RolledOut", "True"), "RolledOut")
            .await?;
        assert_eq!(stage.restarts("stuck").await?, 1);
        Ok(())
    })
    .await
}

/// Put back once, for it may have been an accident; then it is a dispute, and told as one.
#[tokio::test]
async fn a_marker_that_is_stripped_is_put_back_once_and_then_left_to_whoever_strips_it() -> Outcome
{
    on_shared_stage(async |stage| {
        synced(stage, "contested", COPY, FIRST).await?;
        let _place = Place::deploy(stage, "contested", 600).await?;
        let strip = async || {
            let annotations = json!({"penstock.dev/content-contested": null});
            let patch = json!({
                "metadata": {"annotations": {"example.com/synced": "yes"}},
                "spec": {"template": {"metadata": {"annotations": annotations}}},
            });
            patch_deployment(stage, "contested", "gitops-controller", patch).await
        };
        changed(stage, "contested", SECOND).await?;
        let first = await_marker(stage, "contested", "contested").await?;
        strip().await?;
        assert_eq!(await_marker(stage, "contested", "contested").await?, first);
        strip().await?;
        let condition = stage
            .await_condition("contested", ("RolledOut", "False"), "RestartContested")
            .await?;
        for words in ["Deployment contested", "gitops-controller"] {
            assert!(condition.message.contains(words), "{}", condition.message);
        }
        stage
            .await_event("contested", "RestartContested", &["gitops-controller"])
            .await?;
        stage.refresh("contested").await?;
        assert_eq!(marker(stage, "contested", "contested").await?, None);
        stage.is_synced("contested").await
    })
    .await
}
