//! What one tenant cannot do to the others, tried on the running operator.

use k8s_openapi::api::core::v1::Secret;
use penstock_testbed::{Door, Namespace, eventually};
use serde_json::json;

use super::stage::{Setup, on_stage};
use super::{Outcome, SOON};

const STUCK: usize = 40;

/// The stage's vault takes requests and never answers; each of its syncs takes a worker and keeps it.
#[tokio::test]
async fn a_namespace_whose_vault_never_answers_leaves_workers_for_the_others() -> Outcome {
    let setup = Setup::new()
        .own_control_plane()
        .gated()
        .value("namespaces", json!([]))
        .value("clusterWide", json!(true))
        .argument("--concurrency=4");
    on_stage(setup, async |stage| {
        stage.set_door(Door::Hang).await?;
        // Enough of them to keep all workers for minutes, if they got them.
        for number in 0..STUCK {
            let spec = "
                sources: [{name: vault, store: {name: vault}, path: $apps/web}]
                targets: [{name: env, secret: {}}]
            ";
            stage.sync(&format!("stuck-{number}"), spec).await?;
        }
        let modest = Namespace::create(stage.client(), "modest").await?;
        for number in 0..8 {
            let sync = json!({
                "apiVersion": "penstock.dev/v1alpha1", "kind": "SecretSync",
                "metadata": {"name": format!("modest-{number}")},
                "spec": {
                    "sources": [{"name": "literal", "literal": {"A": "1"}}],
                    "targets": [{"name": "env", "secret": {}}],
                },
            });
            modest.apply(&sync.to_string()).await?;
        }
        let secrets = modest.api::<Secret>();
        for number in 0..8 {
            let name = format!("modest-{number}");
            eventually(format!("{name} is written"), SOON, || async {
                let found = secrets
                    .get_opt(&name)
                    .await
                    .map_err(|error| error.to_string())?;
                found.map(drop).ok_or_else(|| "not yet".to_owned())
            })
            .await?;
        }
        for number in 0..STUCK {
            let status = stage.status(&format!("stuck-{number}")).await?;
            assert!(
                status.revision.is_none(),
                "its vault has answered: {status:?}"
            );
        }
        stage.set_door(Door::Open).await?;
        Ok(())
    })
    .await
}
