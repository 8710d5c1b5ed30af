//! Rule 1: what a vault no longer shows is not gone yet.

use serde_json::json;

use super::super::super::Outcome;
use super::super::super::stage::{Stage, on_shared_stage};
use super::{COPY, changed, synced};

#[tokio::test]
async fn a_key_that_one_read_misses_stays_and_nothing_is_written() -> Outcome {
    on_shared_stage(async |stage| {
        const WHOLE: &[(&str, &str)] = &[("A", "t0psecret-1"), ("B", "t0psecret-2")];
        synced(stage, "missed-once", COPY, WHOLE).await?;
        let before = stage.secret_object("missed-once").await?;
        changed(stage, "missed-once", &[("A", "t0psecret-1")]).await?;
        stage
            .await_condition("missed-once", ("Reconciling", "True"), "ConfirmingAbsence")
            .await?;
        changed(stage, "missed-once", WHOLE).await?;
        stage
            .await_condition("missed-once", ("Reconciling", "False"), "Synced")
            .await?;
        assert_eq!(stage.secret_object("missed-once").await?, before);
        Ok(())
    })
    .await
}

const EIGHT: &[(&str, &str)] = &[
    ("K1", "t0psecret-1"),
    ("K2", "t0psecret-2"),
    ("K3", "t0psecret-3"),
    ("K4", "t0psecret-4"),
    ("K5", "t0psecret-5"),
    ("K6", "t0psecret-6"),
    ("K7", "t0psecret-7"),
    ("K8", "t0psecret-8"),
];

/// Waits until the plan that would drop most keys waits for a person; how that person would approve it.
async fn held_plan(stage: &Stage) -> Result<String, penstock_testbed::Failure> {
    stage
        .await_condition("half", ("Ready", "False"), "ApprovalRequired")
        .await?;
    let pending = stage.status("half").await?.pending_plan;
    let pending = pending.ok_or_else(|| penstock_testbed::Failure::because("no plan waits"))?;
    assert_eq!((pending.deletes, pending.creates), (5, 0));
    Ok(format!("{}.{}", pending.hash, pending.generation))
}

async fn approve(stage: &Stage, approval: &str) -> Outcome {
    let annotations = json!({"penstock.dev/approve": approval, "penstock.dev/by": "admin"});
    let patch = json!({"metadata": {"annotations": annotations}});
    stage.patch_sync("half", patch).await.map(drop)
}

/// A vault that answers by half, twice in a row and without an error, is a vault that lies.
#[tokio::test]
async fn half_an_answer_waits_for_a_person_who_agrees_to_this_plan_once() -> Outcome {
    on_shared_stage(async |stage| {
        synced(stage, "half", COPY, EIGHT).await?;
        let before = stage.secret_object("half").await?;
        let half = EIGHT.get(..3).unwrap_or_default();
        changed(stage, "half", half).await?;
        stage.refresh("half").await?;
        let plan = held_plan(stage).await?;
        stage
            .await_event("half", "ApprovalRequired", &["5 of its 8", "K4", "approve"])
            .await?;
        stage.refresh("half").await?;
        assert_eq!(stage.secret_object("half").await?, before);

        // Another plan's approval agrees to nothing.
        approve(stage, "0000000000000000.1").await?;
        stage.refresh("half").await?;
        assert_eq!(stage.secret_object("half").await?, before);

        approve(stage, &plan).await?;
        stage.await_secret("half", half).await?;
        stage.is_synced("half").await?;

        // The same once more: the annotation still stands there, and agrees to nothing any more.
        changed(stage, "half", EIGHT).await?;
        stage.await_secret("half", EIGHT).await?;
        changed(stage, "half", half).await?;
        stage.refresh("half").await?;
        held_plan(stage).await?;
        assert_eq!(stage.secret("half").await?.len(), EIGHT.len());
        Ok(())
    })
    .await
}

/// A store that was refused is asked again by nobody but itself: its dependants hear of it.
#[tokio::test]
async fn a_store_that_heals_wakes_all_its_dependants() -> Outcome {
    const DEPENDANTS: [&str; 3] = ["heals-a", "heals-b", "heals-c"];
    on_shared_stage(async |stage| {
        let token = |token: &str| {
            json!({
                "apiVersion": "v1",
                "kind": "Secret",
                "metadata": {"name": "heals-token"},
                "stringData": {"token": token},
            })
            .to_string()
        };
        stage.apply(&token("s.t0psecret-wrong")).await?;
        let openbao = &stage.testbed().openbao;
        let store = json!({
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "SecretStore",
            "metadata": {"name": "heals"},
            "spec": {"provider": {"vault": {
                "address": openbao.address(),
                "caBundle": openbao.certificate_authority(),
                "auth": {"token": {"secretRef": {"name": "heals-token", "key": "token"}}},
            }}},
        });
        stage.apply(&store.to_string()).await?;
        for sync in DEPENDANTS {
            stage.put(sync, &[("A", "t0psecret-1")]).await?;
            let spec = COPY.replace("{name: vault}", "{name: heals}");
            stage.sync(sync, &spec.replace("$case", sync)).await?;
        }
        for sync in DEPENDANTS {
            stage
                .await_condition(sync, ("Ready", "False"), "CredentialsRefused")
                .await?;
        }
        stage.apply(&token(stage.vault_token())).await?;
        for sync in DEPENDANTS {
            stage.await_secret(sync, &[("A", "t0psecret-1")]).await?;
            stage.is_synced(sync).await?;
        }
        Ok(())
    })
    .await
}
