//! `penstock doctor` on a real cluster and a real vault.

use std::fs;

use serde_json::{Value, json};

use super::super::stage::on_shared_stage;
use super::super::{Outcome, testbed};
use super::penstock;
use super::stores::{ALL, Desk};

/// The stage has no Deployment: the operator is a process beside the cluster.
#[tokio::test]
async fn a_cluster_is_looked_at_with_ones_own_rights() -> Outcome {
    on_shared_stage(async |stage| {
        let kubeconfig = stage.control_plane().kubeconfig();
        let operator = stage.operator_namespace();
        let words = ["doctor", "--operator-namespace", operator.name()];
        let told = penstock(&kubeconfig, stage.namespace().name(), &words).await?;
        told.expect(
            1,
            &[
                "ok    definition secretsyncs.penstock.dev: there, and of this version",
                "ok    definition clustersecretstores.penstock.dev: there, and of this version",
                "you may approve SecretSyncs",
                "there is no Deployment of it",
                "penstock-0",
                "holds the Lease",
                // Syncs of other cases come and go beside it, which may show as orphans to note.
                " to note, 1 bad",
            ],
        )
    })
    .await
}

#[tokio::test]
async fn stores_and_syncs_of_documents_are_tried_and_nothing_is_written() -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let desk = Desk::new(testbed, ("secret", "doctor"), ALL).await?;
    desk.put("shop", json!({"URL": "t0psecret-1"})).await?;
    let sync = |require: &[&str]| {
        json!({
            "apiVersion": "penstock.dev/v1alpha1",
            "kind": "SecretSync",
            "metadata": {"name": "shop"},
            "spec": {
                "sources": [{
                    "name": "vault", "store": {"name": "openbao"}, "path": desk.item("shop"),
                    "require": require,
                }],
                "targets": [{"name": "env", "file": {"path": "app.env"}}],
            },
        })
        .to_string()
    };
    let doctor = ["doctor", "-f", "sync.yaml", "-q"];
    fs::write(desk.at("sync.yaml"), sync(&["URL"]))?;
    desk.penstock(&doctor, "").await?.expect(
        0,
        &[
            "ok    SecretStore openbao: reached, logged in and read in",
            "ok    SecretSync default/shop: its sources give all that it requires; 1 keys in 1 targets",
            "2 checked, 0 to note, 0 bad",
        ],
    )?;
    fs::write(desk.at("sync.yaml"), sync(&["URL", "JWT_SECRET"]))?;
    desk.penstock(&doctor, "")
        .await?
        .expect(1, &["BAD   SecretSync default/shop", "JWT_SECRET"])?;
    let told = desk
        .penstock(&["doctor", "-f", "sync.yaml", "-q", "--output", "json"], "")
        .await?;
    let page: Value = serde_json::from_str(&told.out)?;
    assert_eq!(page["findings"][0]["grade"], "good", "{page}");
    assert!(!desk.at("app.env").exists());

    let store = fs::read_to_string(desk.at("store.yaml"))?;
    let nobody = store.replace(&testbed.openbao.address(), "https://127.0.0.1:9");
    fs::write(desk.at("store.yaml"), nobody)?;
    desk.penstock(&doctor, "")
        .await?
        .expect(1, &["BAD   SecretStore openbao", "→"])
}
