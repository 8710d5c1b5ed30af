//! Secrets that others own, wholly or in part, and Secrets that get another name.

use serde_json::json;

use super::super::super::Outcome;
use super::super::super::stage::{Stage, on_shared_stage};
use super::copied_by;

async fn somebody_made(stage: &Stage, name: &str, data: serde_json::Value) -> Outcome {
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": name},
        "stringData": data,
    });
    stage.apply(&secret.to_string()).await.map(drop)
}

const ADOPTING: &str = "
sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
targets: [{name: env, secret: {}, adopt: ifEqual}]
";

#[tokio::test]
async fn keys_are_merged_into_a_secret_of_somebody_else_who_keeps_theirs() -> Outcome {
    on_shared_stage(async |stage| {
        somebody_made(
            stage,
            "case-57",
            json!({"THEIRS": "t0psecret-x", "A": "t0psecret-1"}),
        )
        .await?;
        stage
            .put("case-57", &[("A", "t0psecret-1"), ("B", "t0psecret-2")])
            .await?;
        stage
            .sync("case-57", &ADOPTING.replace("$case", "case-57"))
            .await?;
        let merged = [
            ("A", "t0psecret-1"),
            ("B", "t0psecret-2"),
            ("THEIRS", "t0psecret-x"),
        ];
        stage.await_secret("case-57", &merged).await?;
        stage.is_synced("case-57").await?;

        // What is theirs they change as they like; what is ours is repaired.
        stage
            .edit_secret(
                "case-57",
                &[("THEIRS", Some("t0psecret-y")), ("B", Some("t0psecret-3"))],
            )
            .await?;
        let repaired = [
            ("A", "t0psecret-1"),
            ("B", "t0psecret-2"),
            ("THEIRS", "t0psecret-y"),
        ];
        stage.await_secret("case-57", &repaired).await?;

        // Nothing is written while nothing differs.
        stage.refresh("case-57").await?;
        let before = stage
            .secret_object("case-57")
            .await?
            .metadata
            .resource_version;
        stage.refresh("case-57").await?;
        assert_eq!(
            stage
                .secret_object("case-57")
                .await?
                .metadata
                .resource_version,
            before
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_key_that_is_somebody_elses_is_never_overwritten() -> Outcome {
    on_shared_stage(async |stage| {
        somebody_made(stage, "case-57-clash", json!({"A": "t0psecret-theirs"})).await?;
        stage
            .put(
                "case-57-clash",
                &[("A", "t0psecret-1"), ("B", "t0psecret-2")],
            )
            .await?;
        stage
            .sync("case-57-clash", &ADOPTING.replace("$case", "case-57-clash"))
            .await?;
        stage
            .await_condition("case-57-clash", ("Ready", "False"), "ForeignTarget")
            .await?;
        stage
            .await_event("case-57-clash", "ForeignTarget", &["A"])
            .await?;
        let data = stage.secret("case-57-clash").await?;
        assert_eq!(
            data.into_iter().collect::<Vec<_>>(),
            [("A".into(), "t0psecret-theirs".into())]
        );
        Ok(())
    })
    .await
}

/// Made anew it holds our keys; theirs come back with whoever owns them.
#[tokio::test]
async fn a_merged_secret_that_was_deleted_comes_back_with_our_keys_and_outlives_the_sync() -> Outcome
{
    on_shared_stage(async |stage| {
        somebody_made(stage, "case-59-merge", json!({"THEIRS": "t0psecret-x"})).await?;
        stage.put("case-59-merge", &[("A", "t0psecret-1")]).await?;
        let sharing = ADOPTING.replace("adopt: ifEqual", "share: keys");
        stage
            .sync("case-59-merge", &sharing.replace("$case", "case-59-merge"))
            .await?;
        stage
            .await_secret(
                "case-59-merge",
                &[("A", "t0psecret-1"), ("THEIRS", "t0psecret-x")],
            )
            .await?;
        stage.is_synced("case-59-merge").await?;
        stage.delete_secret("case-59-merge").await?;
        stage
            .await_secret("case-59-merge", &[("A", "t0psecret-1")])
            .await?;
        stage.delete_sync("case-59-merge").await?;
        assert_eq!(stage.secret("case-59-merge").await?.len(), 1);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn the_old_secret_of_a_renamed_target_goes_only_where_that_was_said() -> Outcome {
    on_shared_stage(async |stage| {
        for (case, on_delete, goes) in [
            ("case-53", "delete", true),
            ("case-53-retain", "retain", false),
        ] {
            let spec = |secret: &str| {
                format!(
                    "
                    sources: [{{name: vault, store: {{name: vault}}, path: $apps/$case}}]
                    targets: [{{name: env, secret: {{name: {secret}}}, onDelete: {on_delete}}}]
                    "
                )
            };
            let fields = [("A", "t0psecret-1")];
            copied_by(stage, case, &spec("$case"), &fields).await?;
            let renamed = format!("{case}-renamed");
            stage
                .sync(case, &spec(&renamed).replace("$case", case))
                .await?;
            stage.await_secret(&renamed, &fields).await?;
            stage.is_synced(case).await?;
            stage.await_event(case, "Orphaned", &[case]).await?;
            if goes {
                stage.await_no_secret(case).await?;
            } else {
                assert_eq!(stage.secret(case).await?.len(), 1);
            }
        }
        Ok(())
    })
    .await
}

#[tokio::test]
async fn names_may_be_as_long_as_kubernetes_allows() -> Outcome {
    on_shared_stage(async |stage| {
        let sync = format!("case-54-{}", "s".repeat(245));
        let secret = format!("case-54-{}", "t".repeat(245));
        stage.put("case-54", &[("A", "t0psecret-1")]).await?;
        let spec = "
            sources: [{name: vault, store: {name: vault}, path: $apps/case-54}]
            targets: [{name: env, secret: {name: SECRET}}]
            ";
        stage.sync(&sync, &spec.replace("SECRET", &secret)).await?;
        stage.await_secret(&secret, &[("A", "t0psecret-1")]).await?;
        stage.is_synced(&sync).await?;
        stage.put("case-54", &[("A", "t0psecret-2")]).await?;
        stage.refresh(&sync).await?;
        stage.await_secret(&secret, &[("A", "t0psecret-2")]).await?;
        stage.is_synced(&sync).await
    })
    .await
}
