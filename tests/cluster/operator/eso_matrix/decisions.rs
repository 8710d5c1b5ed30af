//! When a source is read, and when nothing happens at all.

use kube::api::{Patch, PatchParams};
use penstock_domain::api::secret_sync::SecretSync;
use penstock_testbed::{Failure, eventually};
use serde_json::json;

use super::super::super::stage::{Stage, on_shared_stage};
use super::super::super::{Outcome, SOON};
use super::{copied, copied_by};

const CONTENT: &[(&str, &str)] = &[("A", "t0psecret-1")];

async fn await_reads(stage: &Stage, path: &str, at_least: usize) -> Outcome {
    let read = eventually(
        format!("{path} was read {at_least} times"),
        SOON,
        || async {
            match stage.reads(path) {
                Ok(count) if count >= at_least => Ok(()),
                Ok(count) => Err(format!("{count} times")),
                Err(error) => Err(error.to_string()),
            }
        },
    );
    Ok(read.await?)
}

/// Reads on schedule find the same, and nothing is written: neither status nor Secret nor record.
#[tokio::test]
async fn a_scheduled_read_that_finds_the_same_writes_nothing() -> Outcome {
    on_shared_stage(async |stage| {
        let spec = "
            interval: 10s
            sources: [{name: vault, store: {name: vault}, path: $apps/$case}]
            targets: [{name: env, secret: {}}]
            ";
        copied_by(stage, "case-23", spec, CONTENT).await?;
        let versions = async || -> Result<_, Failure> {
            Ok((
                stage
                    .sync_object("case-23")
                    .await?
                    .metadata
                    .resource_version,
                stage
                    .secret_object("case-23")
                    .await?
                    .metadata
                    .resource_version,
                stage
                    .secret_object("penstock-record-case-23")
                    .await?
                    .metadata
                    .resource_version,
            ))
        };
        let before = versions().await?;
        let reads = stage.reads("case-23")?;
        await_reads(stage, "case-23", reads + 2).await?;
        assert_eq!(versions().await?, before);
        assert_eq!(
            stage.events("case-23").await?.len(),
            1,
            "one event: the first write"
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_new_spec_and_a_nonce_make_a_read_and_foreign_metadata_does_not() -> Outcome {
    on_shared_stage(async |stage| {
        copied(stage, "case-70", CONTENT).await?;
        let first = stage.reads("case-70")?;

        let foreign = json!({"metadata": {
            "labels": {"team": "api"},
            "annotations": {"example.com/note": "hello"},
        }});
        stage.patch_sync("case-70", foreign).await?;
        stage
            .patch_sync("case-70", json!({"spec": {"interval": "1h"}}))
            .await?;
        stage.is_synced("case-70").await?;
        assert_eq!(
            stage.reads("case-70")?,
            first + 1,
            "the new spec, nothing else"
        );

        stage.put("case-70", &[("A", "t0psecret-2")]).await?;
        stage.refresh("case-70").await?;
        stage
            .await_secret("case-70", &[("A", "t0psecret-2")])
            .await?;
        assert_eq!(stage.reads("case-70")?, first + 2, "the nonce");
        Ok(())
    })
    .await
}

/// Our own status writes, and those of others, start nothing.
#[tokio::test]
async fn a_status_that_somebody_edits_causes_no_read() -> Outcome {
    on_shared_stage(async |stage| {
        copied(stage, "case-71", CONTENT).await?;
        let reads = stage.reads("case-71")?;
        let edit = json!({"status": {"summary": "9/9"}});
        let api = stage.namespace().api::<SecretSync>();
        api.patch_status("case-71", &PatchParams::default(), &Patch::Merge(&edit))
            .await?;
        // A later change is seen after the edit: whatever the edit had started would have happened by then.
        stage.put("case-71", &[("A", "t0psecret-2")]).await?;
        stage.refresh("case-71").await?;
        stage
            .await_secret("case-71", &[("A", "t0psecret-2")])
            .await?;
        assert_eq!(stage.reads("case-71")?, reads + 1);
        assert_eq!(
            stage.status("case-71").await?.summary.as_deref(),
            Some("1/1")
        );
        Ok(())
    })
    .await
}

#[tokio::test]
async fn a_suspended_sync_reads_and_writes_nothing_until_it_is_let_go() -> Outcome {
    on_shared_stage(async |stage| {
        copied(stage, "case-70-suspend", CONTENT).await?;
        stage
            .patch_sync("case-70-suspend", json!({"spec": {"suspend": true}}))
            .await?;
        stage
            .await_condition("case-70-suspend", ("Stalled", "True"), "Suspended")
            .await?;
        let reads = stage.reads("case-70-suspend")?;
        stage
            .put("case-70-suspend", &[("A", "t0psecret-2")])
            .await?;
        stage
            .edit_secret("case-70-suspend", &[("A", Some("t0psecret-edited"))])
            .await?;
        stage
            .patch_sync("case-70-suspend", json!({"spec": {"suspend": false}}))
            .await?;
        stage
            .await_secret("case-70-suspend", &[("A", "t0psecret-2")])
            .await?;
        assert_eq!(stage.reads("case-70-suspend")?, reads + 1);
        stage.is_synced("case-70-suspend").await
    })
    .await
}
