//! Labels and annotations of a target.

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams};
use penstock_testbed::eventually;
use serde_json::json;

use super::super::super::stage::{Stage, on_shared_stage};
use super::super::super::{Outcome, SOON};
use super::copied_by;

/// Waits until the Secret carries these labels besides ours, and our marks.
async fn await_labels(stage: &Stage, name: &str, expected: &[(&str, &str)]) -> Outcome {
    let api = stage.namespace().api::<Secret>();
    let found = eventually(format!("{name} is labelled {expected:?}"), SOON, || async {
        let secret = api.get(name).await.map_err(|error| error.to_string())?;
        let labels = secret.metadata.labels.unwrap_or_default();
        let others: Vec<_> = labels
            .iter()
            .filter(|(key, _)| *key != "penstock.dev/managed")
            .map(|(key, value)| (key.as_str(), value.as_str()))
            .collect();
        if others == expected && labels.contains_key("penstock.dev/managed") {
            Ok(())
        } else {
            Err(format!("{labels:?}"))
        }
    });
    Ok(found.await?)
}

#[tokio::test]
async fn labels_are_ours_or_theirs_one_by_one() -> Outcome {
    on_shared_stage(async |stage| {
        let spec = |labels: &str| {
            format!(
                "
                sources: [{{name: vault, store: {{name: vault}}, path: $apps/case-56}}]
                targets: [{{name: env, secret: {{labels: {labels}}}}}]
                "
            )
        };
        let fields = [("A", "t0psecret-1")];
        copied_by(stage, "case-56", &spec("{team: api, tier: prod}"), &fields).await?;
        await_labels(stage, "case-56", &[("team", "api"), ("tier", "prod")]).await?;

        // Somebody adds one, and changes one of ours.
        let edit = json!({"metadata": {"labels": {"theirs": "yes", "team": "web"}}});
        let api = stage.namespace().api::<Secret>();
        api.patch("case-56", &PatchParams::default(), &Patch::Merge(&edit))
            .await?;
        let repaired = [("team", "api"), ("theirs", "yes"), ("tier", "prod")];
        await_labels(stage, "case-56", &repaired).await?;

        // One of ours is no longer wanted.
        stage.sync("case-56", &spec("{team: api}")).await?;
        await_labels(stage, "case-56", &[("team", "api"), ("theirs", "yes")]).await?;
        stage.is_synced("case-56").await
    })
    .await
}
