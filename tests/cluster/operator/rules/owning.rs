//! Rule 2: the record says what is ours, key by key.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use serde_json::json;

use super::super::super::Outcome;
use super::super::super::stage::{Stage, on_shared_stage};
use super::{COPY, changed, synced};

/// A sync that writes its entry into the Secret `shared-target`, which it shares.
fn sharing(case: &str, on_delete: &str) -> String {
    format!(
        "
        sources: [{{name: vault, store: {{name: vault}}, path: $apps/{case}}}]
        targets: [{{name: env, secret: {{name: shared-target}}, share: keys, onDelete: {on_delete}}}]
        "
    )
}

#[tokio::test]
async fn two_syncs_share_one_secret_and_neither_touches_the_others_keys() -> Outcome {
    on_shared_stage(async |stage| {
        let left = sharing("share-left", "retain");
        let right = sharing("share-right", "delete");
        synced(stage, "share-left", &left, &[("A", "t0psecret-1")]).await?;
        let fields = [("B", "t0psecret-2"), ("C", "t0psecret-3")];
        synced(stage, "share-right", &right, &fields).await?;
        let all = [
            ("A", "t0psecret-1"),
            ("B", "t0psecret-2"),
            ("C", "t0psecret-3"),
        ];
        stage.await_secret("shared-target", &all).await?;

        // A key belongs to whoever came first.
        stage.put("share-third", &[("A", "t0psecret-9")]).await?;
        stage
            .sync("share-third", &sharing("share-third", "delete"))
            .await?;
        stage
            .await_condition("share-third", ("Ready", "False"), "ForeignTarget")
            .await?;
        stage
            .await_event("share-third", "ForeignTarget", &["not ours: A"])
            .await?;
        stage.delete_sync("share-third").await?;

        // What one of them drops or changes is its own.
        changed(stage, "share-right", &[("B", "t0psecret-4")]).await?;
        stage.refresh("share-right").await?;
        let rest = [("A", "t0psecret-1"), ("B", "t0psecret-4")];
        stage.await_secret("shared-target", &rest).await?;
        changed(stage, "share-left", &[("A", "t0psecret-5")]).await?;
        let rest = [("A", "t0psecret-5"), ("B", "t0psecret-4")];
        stage.await_secret("shared-target", &rest).await?;

        stage.delete_sync("share-right").await?;
        stage
            .await_secret("shared-target", &[("A", "t0psecret-5")])
            .await?;
        stage.is_synced("share-left").await
    })
    .await
}

/// Somebody else writes a key of ours with server-side apply, so that the API server counts it as theirs, too.
async fn co_own(stage: &Stage, case: &str, value: &str) -> Outcome {
    let secret = json!({
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {"name": case},
        "data": {"B": value},
    });
    let parameters = PatchParams::apply("somebody").force();
    let api = stage.namespace().api::<Secret>();
    api.patch(case, &parameters, &Patch::Apply(&secret)).await?;
    Ok(())
}

#[tokio::test]
async fn a_key_that_somebody_else_wrote_too_leaves_when_the_vault_drops_it() -> Outcome {
    const WHOLE: &[(&str, &str)] = &[("A", "t0psecret-1"), ("B", "t0psecret-2")];
    // `t0psecret-2` and `t0psecret-edited` in base64.
    for (case, tampering, value) in [
        ("co-owned", "repair", "dDBwc2VjcmV0LTI="),
        ("edited", "report", "dDBwc2VjcmV0LWVkaXRlZA=="),
    ] {
        on_shared_stage(async |stage| {
            let spec = COPY.replace(
                "secret: {}",
                &format!("secret: {{}}, tampering: {tampering}"),
            );
            synced(stage, case, &spec, WHOLE).await?;
            co_own(stage, case, value).await?;
            if tampering == "report" {
                stage
                    .await_condition(case, ("Drifted", "True"), "TamperingFound")
                    .await?;
            }
            changed(stage, case, &[("A", "t0psecret-1")]).await?;
            stage.refresh(case).await?;
            stage.await_secret(case, &[("A", "t0psecret-1")]).await?;
            stage.is_synced(case).await
        })
        .await?;
    }
    Ok(())
}

#[tokio::test]
async fn a_target_that_gets_another_name_takes_along_what_it_owns() -> Outcome {
    on_shared_stage(async |stage| {
        let fields = [("A", "t0psecret-1"), ("B", "t0psecret-2")];
        synced(stage, "renamed-target", COPY, &fields).await?;
        stage
            .edit_secret("renamed-target", &[("THEIRS", Some("t0psecret-x"))])
            .await?;
        let renamed = COPY.replace("{name: env, ", "{name: other, select: {keys: [A]}, ");
        stage
            .sync(
                "renamed-target",
                &renamed.replace("$case", "renamed-target"),
            )
            .await?;
        let expected = [("A", "t0psecret-1"), ("THEIRS", "t0psecret-x")];
        stage.await_secret("renamed-target", &expected).await?;
        stage.is_synced("renamed-target").await
    })
    .await
}
