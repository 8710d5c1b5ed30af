//! The contract of sources, kept by tables of keys and values.

use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use futures::FutureExt as _;
use penstock_domain::names::SyncId;
use penstock_domain::ports::Sources;
use penstock_domain::sync::ValidatedSource;
use penstock_domain::testing::contract::source::{CASES, Content, SourceWorld};
use penstock_domain::testing::sync_id;
use serde_json::{Value, json};

use super::{Case, Outcome, server, table};

/// All places of the suite, as tables that the store lists.
const PLACES: [&str; 13] = [
    "bytes", "hundred", "empty", "never", "removed", "later", "changing", "equal", "app",
    "app-evil", "ap", "crowded", "secret",
];

struct World(Case);

#[async_trait]
impl SourceWorld for World {
    fn sources(&self) -> &dyn Sources {
        &self.0.registry
    }

    fn sync(&self) -> SyncId {
        sync_id("prod", "shop")
    }

    fn source(&self, place: &str) -> ValidatedSource {
        ValidatedSource {
            options: table(place),
            ..self.0.source()
        }
    }

    async fn put(&self, place: &str, content: &Content) {
        let sql = format!(
            "BEGIN; CREATE TABLE IF NOT EXISTS \"{place}\" (key text PRIMARY KEY, value text); \
             GRANT SELECT ON \"{place}\" TO {{role}}; DELETE FROM \"{place}\"; "
        );
        self.0.run(&sql).await.unwrap();
        for (key, value) in content {
            let sql = format!("INSERT INTO \"{place}\" VALUES ($1, $2)");
            self.0.admin.bind(&sql, &[key, value]).await.unwrap();
        }
        self.0.run("COMMIT").await.unwrap();
    }

    async fn remove(&self, place: &str) {
        self.0
            .run(&format!("DROP TABLE \"{place}\""))
            .await
            .unwrap();
    }
}

async fn the_contract_holds(changes: Value) -> Outcome {
    let Some(server) = server().await? else {
        return Ok(());
    };
    let mut broken = Vec::new();
    for case in CASES {
        let tables: Vec<_> = PLACES
            .iter()
            .map(|place| {
                let mut table = json!({
                    "name": place, "table": place, "keyValue": {"key": "key", "value": "value"},
                });
                super::merge(&mut table, changes.clone());
                table
            })
            .collect();
        let world = World(Case::new(server, json!({"tables": tables})).await?);
        let run = AssertUnwindSafe((case.run)(&world)).catch_unwind();
        if run.await.is_err() {
            broken.push(case.name);
        }
    }
    assert!(broken.is_empty(), "broken: {broken:?}; see above why");
    Ok(())
}

#[tokio::test]
async fn tables_keep_the_contract() -> Outcome {
    the_contract_holds(json!({})).await
}

#[tokio::test]
async fn tables_with_versions_keep_the_contract() -> Outcome {
    the_contract_holds(json!({"version": "xmin"})).await
}
