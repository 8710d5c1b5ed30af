//! What happens when somebody else touches a Secret of ours.

use serde_json::json;

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};

use super::super::super::Outcome;
use super::super::super::stage::on_shared_stage;
use super::{copied, copied_by};

const CONTENT: &[(&str, &str)] = &[("A", "t0psecret-1"), ("B", "t0psecret-2")];

#[tokio::test]
async fn a_deleted_secret_is_made_again_without_the_vault() -> Outcome {
    on_shared_stage(async |stage| {
        copied(stage, "case-50", CONTENT).await?;
        let reads = stage.reads("case-50")?;
        stage.delete_secret("case-50").await?;
        stage.await_secret("case-50", CONTENT).await?;
        stage.await_event("case-50", "Repaired", &["A, B"]).await?;
        assert_eq!(stage.reads("case-50")?, reads);
        stage.is_synced("case-50").await
    })
    .await
}

/// Our label and our owner annotation lead people and watches to a Secret; the record decides.
#[tokio::test]
async fn an_edit_that_also_forges_our_marks_is_repaired() -> Outcome {
    on_shared_stage(async |stage| {
        for (case, label, owner) in [
            ("case-51-unmarked", json!(null), json!(null)),
            (
                "case-51-forged",
                json!("false"),
                json!("elsewhere/prod/app"),
            ),
        ] {
            copied(stage, case, CONTENT).await?;
            let before = stage.secret_object(case).await?;
            let edit = json!({
                "stringData": {"A": "t0psecret-edited"},
                "metadata": {
                    "labels": {"penstock.dev/managed": label},
                    "annotations": {"penstock.dev/owner": owner},
                },
            });
            let api = stage.namespace().api::<Secret>();
            api.patch(case, &PatchParams::default(), &Patch::Merge(&edit))
                .await?;
            let after = stage.await_secret(case, CONTENT).await?;
            assert_eq!(after.metadata.annotations, before.metadata.annotations);
            assert_eq!(after.metadata.labels, before.metadata.labels);
            stage.is_synced(case).await?;
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_hand_edit_is_repaired_at_once_without_the_vault() -> Outcome {
    on_shared_stage(async |stage| {
        copied(stage, "case-52", CONTENT).await?;
        let reads = stage.reads("case-52")?;
        stage
            .edit_secret("case-52", &[("A", Some("t0psecret-edited")), ("B", None)])
            .await?;
        stage.await_secret("case-52", CONTENT).await?;
        stage
            .await_event("case-52", "Repaired", &["Secret case-52", "A", "B"])
            .await?;
        assert_eq!(stage.reads("case-52")?, reads);
        stage.is_synced("case-52").await
    })
    .await
}

#[tokio::test]
async fn an_immutable_secret_stays_as_it_is_unless_it_may_be_made_anew() -> Outcome {
    on_shared_stage(async |stage| {
        let spec = |recreate: bool| {
            format!(
                "
                sources: [{{name: vault, store: {{name: vault}}, path: $apps/case-59}}]
                targets: [{{name: env, secret: {{immutable: true, recreate: {recreate}}}}}]
                "
            )
        };
        copied_by(stage, "case-59", &spec(false), CONTENT).await?;
        let before = stage.secret_object("case-59").await?;
        assert_eq!(before.immutable, Some(true));
        stage
            .put("case-59", &[("A", "t0psecret-3"), ("B", "t0psecret-2")])
            .await?;
        stage.refresh("case-59").await?;
        stage
            .await_condition("case-59", ("Stalled", "True"), "TargetImmutable")
            .await?;
        assert_eq!(stage.secret_object("case-59").await?.data, before.data);
        stage.sync("case-59", &spec(true)).await?;
        let expected = [("A", "t0psecret-3"), ("B", "t0psecret-2")];
        let after = stage.await_secret("case-59", &expected).await?;
        assert_ne!(after.metadata.uid, before.metadata.uid);
        stage.is_synced("case-59").await
    })
    .await
}
