//! What happens to a Secret when its content, or its sync, goes.

use serde_json::json;

use super::super::super::Outcome;
use super::super::super::stage::on_shared_stage;
use super::{copied, copied_by};

const WITH_SECRET: &[(&str, &str)] = &[("A", "t0psecret-1"), ("B", "t0psecret-2")];

/// An entry that was deleted, whether it can be brought back or not, takes nothing with it.
#[tokio::test]
async fn a_deleted_entry_leaves_the_secret_as_it_is() -> Outcome {
    on_shared_stage(async |stage| {
        copied(stage, "case-16", WITH_SECRET).await?;
        let before = stage.secret_object("case-16").await?;
        stage.delete_entry("case-16").await?;
        stage.refresh("case-16").await?;
        stage
            .await_condition("case-16", ("Stale", "True"), "SourceNotFound")
            .await?;
        stage.purge_entry("case-16").await?;
        for _ in 0..3 {
            stage.refresh("case-16").await?;
        }
        let after = stage.secret_object("case-16").await?;
        assert_eq!(
            after.metadata.resource_version,
            before.metadata.resource_version
        );
        stage.put("case-16", &[("A", "t0psecret-3")]).await?;
        stage.refresh("case-16").await?;
        stage.refresh("case-16").await?;
        stage
            .await_secret("case-16", &[("A", "t0psecret-3")])
            .await?;
        stage.is_synced("case-16").await
    })
    .await
}

#[tokio::test]
async fn an_emptied_entry_waits_for_a_person() -> Outcome {
    on_shared_stage(async |stage| {
        copied(stage, "case-67-empty", WITH_SECRET).await?;
        stage.put_json("case-67-empty", json!({})).await?;
        for _ in 0..3 {
            stage.refresh("case-67-empty").await?;
        }
        stage
            .await_condition("case-67-empty", ("Ready", "False"), "ApprovalRequired")
            .await?;
        assert_eq!(stage.secret("case-67-empty").await?.len(), 2);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_key_that_is_gone_leaves_after_the_second_read_and_alone() -> Outcome {
    on_shared_stage(async |stage| {
        let three = [
            ("A", "t0psecret-1"),
            ("B", "t0psecret-2"),
            ("C", "t0psecret-3"),
        ];
        copied(stage, "case-67-key", &three).await?;
        stage
            .edit_secret("case-67-key", &[("THEIRS", Some("t0psecret-4"))])
            .await?;
        stage
            .put("case-67-key", &[("A", "t0psecret-1"), ("C", "t0psecret-3")])
            .await?;
        stage.refresh("case-67-key").await?;
        let expected = [
            ("A", "t0psecret-1"),
            ("C", "t0psecret-3"),
            ("THEIRS", "t0psecret-4"),
        ];
        stage.await_secret("case-67-key", &expected).await?;
        stage
            .await_event("case-67-key", "TargetWritten", &["deleted B"])
            .await?;
        Ok(())
    })
    .await
}

/// Deleted only where it was said; never by garbage collection, for there are no owner references.
#[tokio::test]
async fn a_sync_that_goes_leaves_its_secret_unless_told_otherwise() -> Outcome {
    on_shared_stage(async |stage| {
        copied(stage, "case-58", WITH_SECRET).await?;
        let delete = "
            sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
            targets: [{name: env, secret: {}, onDelete: delete}]
            ";
        copied_by(stage, "case-58-delete", delete, WITH_SECRET).await?;
        let secret = stage.secret_object("case-58").await?;
        assert_eq!(secret.metadata.owner_references, None);
        stage.delete_sync("case-58").await?;
        stage.delete_sync("case-58-delete").await?;
        stage.await_no_secret("case-58-delete").await?;
        assert_eq!(stage.secret("case-58").await?.len(), 2);
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_change_of_mind_about_deletion_counts() -> Outcome {
    on_shared_stage(async |stage| {
        let spec = |on_delete: &str| {
            format!(
                "
                sources: [{{name: vault, store: {{name: vault}}, path: $apps/case-74}}]
                targets: [{{name: env, secret: {{}}, onDelete: {on_delete}}}]
                "
            )
        };
        copied_by(stage, "case-74", &spec("delete"), WITH_SECRET).await?;
        let finalizers = stage.sync_object("case-74").await?.metadata.finalizers;
        assert_eq!(finalizers, Some(vec!["penstock.dev/cleanup".to_owned()]));
        stage.sync("case-74", &spec("retain")).await?;
        stage.is_synced("case-74").await?;
        let finalizers = stage.sync_object("case-74").await?.metadata.finalizers;
        assert_eq!(finalizers.unwrap_or_default(), Vec::<String>::new());
        stage.delete_sync("case-74").await?;
        assert_eq!(stage.secret("case-74").await?.len(), 2);
        Ok(())
    })
    .await
}
