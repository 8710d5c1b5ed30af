//! A bad value never takes everybody down: whole stories, with pods that live by the values that they are given.

use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{Pod, Secret};
use kube::api::ListParams;
use penstock_domain::api::status::RolloutPhase;
use penstock_testbed::{Failure, eventually};
use serde_json::{Value, json};

use super::super::stage::{Setup, Stage, Usage, on_stage};
use super::super::{Outcome, SOON};

const GOOD: &[(&str, &str)] = &[("KEY", "t0psecret-1")];
const BETTER: &[(&str, &str)] = &[("KEY", "t0psecret-2")];
const BAD: &[(&str, &str)] = &[("KEY", "bad-t0psecret")];

const CANARY: &str = "
sources: [{name: vault, store: {name: vault}, path: $apps/shop}]
targets: [{name: env, secret: {}}]
rollout: {strategy: {canary: {mode: pod, soak: 2s, deadline: 30s}}}
";

const WAVES: &str = "
sources: [{name: vault, store: {name: vault}, path: $apps/shop}]
targets: [{name: env, secret: {}}]
rollout:
  waves: [{name: edge, selector: {matchLabels: {tier: edge}}}, {name: rest, rest: {}}]
";

/// The sync `shop` with a good value, and two Deployments that run on it.
async fn running(stage: &Stage, spec: &str) -> Outcome {
    stage.put("shop", GOOD).await?;
    stage.sync("shop", spec).await?;
    stage.is_synced("shop").await?;
    for (name, tier) in [("edge", "edge"), ("core", "core")] {
        stage
            .deploy_changed(name, &[Usage::EnvFrom("shop")], |object| {
                object["metadata"]["labels"] = json!({"tier": tier});
            })
            .await?;
    }
    for name in ["edge", "core"] {
        stage.is_rolled_out(name).await?;
        stage.started_before_now(name).await?;
    }
    Ok(())
}

async fn news(stage: &Stage, fields: &[(&str, &str)]) -> Outcome {
    stage.put("shop", fields).await?;
    stage.refresh("shop").await
}

async fn await_phase(stage: &Stage, phase: RolloutPhase) -> Outcome {
    let met = eventually(format!("the rollout is {phase:?}"), SOON, || async {
        let status = stage
            .status("shop")
            .await
            .map_err(|error| error.to_string())?;
        let found = status.rollout.and_then(|rollout| rollout.phase);
        if found == Some(phase) {
            Ok(())
        } else {
            Err(format!("{found:?}"))
        }
    });
    Ok(met.await?)
}

/// Everything that trials make carries this label.
async fn nothing_is_left(stage: &Stage) -> Outcome {
    let ours = ListParams::default().labels("penstock.dev/canary");
    let gone = eventually("the canary is gone", SOON, || async {
        let namespace = stage.namespace();
        let deployments = namespace.api::<Deployment>().list(&ours).await;
        let secrets = namespace.api::<Secret>().list(&ours).await;
        let pods = namespace.api::<Pod>().list(&ours).await;
        let left = deployments.map_err(|error| error.to_string())?.items.len()
            + secrets.map_err(|error| error.to_string())?.items.len()
            + pods.map_err(|error| error.to_string())?.items.len();
        if left == 0 {
            Ok(())
        } else {
            Err(format!("{left} objects"))
        }
    });
    Ok(gone.await?)
}

/// A Deployment's spec without our marker: what GitOps compares.
async fn spec_of(stage: &Stage, name: &str) -> Result<Value, Failure> {
    let deployment = stage.deployment(name).await?;
    let mut spec = serde_json::to_value(deployment.spec)?;
    if let Some(metadata) = spec["template"]["metadata"].as_object_mut() {
        metadata.remove("annotations");
    }
    Ok(spec)
}

#[tokio::test]
async fn a_bad_value_stops_at_the_canary_and_a_good_one_goes_through() -> Outcome {
    let setup = Setup::new()
        .fake_kubelet()
        .value("canaries", json!({"enabled": true}));
    on_stage(setup, async |stage| {
        running(stage, CANARY).await?;
        let before = spec_of(stage, "edge").await?;

        news(stage, BAD).await?;
        stage
            .await_condition("shop", ("Ready", "False"), "RevisionRejected")
            .await?;
        stage
            .await_condition("shop", ("Stalled", "True"), "RevisionRejected")
            .await?;
        nothing_is_left(stage).await?;
        assert_eq!(stage.secret("shop").await?["KEY"], "t0psecret-1");
        for name in ["edge", "core"] {
            assert_eq!(stage.restarts(name).await?, 0, "{name}");
        }
        // It stays rejected, also for an operator that starts anew.
        stage.kill_operator().await?;
        stage.revive_operator().await?;
        stage.refresh("shop").await?;
        stage
            .await_condition("shop", ("Ready", "False"), "RevisionRejected")
            .await?;
        nothing_is_left(stage).await?;

        // Killed while the canary is watched, the next one goes on.
        news(stage, BETTER).await?;
        stage.kill_operator().await?;
        stage.revive_operator().await?;
        stage.await_secret("shop", BETTER).await?;
        for name in ["edge", "core"] {
            stage.await_restarts(name, 1).await?;
        }
        stage.is_synced("shop").await?;
        await_phase(stage, RolloutPhase::Complete).await?;
        nothing_is_left(stage).await?;
        assert_eq!(spec_of(stage, "edge").await?, before);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn what_the_cluster_causes_holds_a_canary_and_rejects_nothing() -> Outcome {
    let setup = Setup::new()
        .fake_kubelet()
        .value("canaries", json!({"enabled": true}));
    on_stage(setup, async |stage| {
        running(stage, CANARY).await?;
        news(stage, &[("KEY", "unschedulable-t0psecret")]).await?;
        let held = stage
            .await_condition("shop", ("RolledOut", "False"), "CanaryHindered")
            .await?;
        assert!(
            held.message.contains("says nothing about the change"),
            "{}",
            held.message
        );
        assert_eq!(stage.secret("shop").await?["KEY"], "t0psecret-1");
        // News take its place.
        news(stage, BETTER).await?;
        stage.await_secret("shop", BETTER).await?;
        nothing_is_left(stage).await
    })
    .await
}

#[tokio::test]
async fn a_wave_that_crashes_brings_the_old_value_back_and_the_next_wave_never_had_the_bad_one()
-> Outcome {
    on_stage(Setup::new().fake_kubelet(), async |stage| {
        running(stage, WAVES).await?;
        news(stage, BAD).await?;
        stage.await_secret("shop", BAD).await?;
        stage.kill_operator().await?;
        stage.revive_operator().await?;
        stage.await_secret("shop", GOOD).await?;
        await_phase(stage, RolloutPhase::RolledBack).await?;
        // Once for the bad value, and once back; the second wave not at all.
        stage.await_restarts("edge", 2).await?;
        assert_eq!(stage.restarts("core").await?, 0);
        stage
            .await_condition("shop", ("RolledOut", "False"), "RolledBack")
            .await?;
        stage
            .await_event("shop", "RolledBack", &["is rejected", "Deployment edge"])
            .await?;
        stage.refresh("shop").await?;
        stage
            .await_condition("shop", ("Ready", "False"), "RevisionRejected")
            .await?;
        assert_eq!(stage.secret("shop").await?["KEY"], "t0psecret-1");

        news(stage, BETTER).await?;
        stage.await_secret("shop", BETTER).await?;
        stage.await_restarts("edge", 3).await?;
        stage.await_restarts("core", 1).await?;
        stage.is_synced("shop").await?;
        await_phase(stage, RolloutPhase::Complete).await
    })
    .await
}
