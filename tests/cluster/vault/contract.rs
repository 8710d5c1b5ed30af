//! The contract of sources, kept by both versions of the KV engine.

use async_trait::async_trait;
use penstock_domain::names::SyncId;
use penstock_domain::ports::Sources;
use penstock_domain::sync::ValidatedSource;
use penstock_domain::testing::contract::source::{CASES, Content, SourceWorld};
use penstock_domain::testing::sync_id;
use penstock_testbed::{Failure, Testbed};
use serde_json::json;

use super::super::kubernetes::Cases;
use super::{Case, Outcome, source, testbed};

/// A mount of its own, for one case.
struct World {
    case: Case,
    mount: String,
    version: u8,
}

impl World {
    async fn new(testbed: &Testbed, name: &str, version: u8) -> Result<Self, Failure> {
        let mount = format!("contract/{version}/{name}");
        let case = Case::with(&testbed.openbao, |provider| {
            provider.mount = Some(mount.clone());
        })?;
        case.secrets.set("token", testbed.openbao.root_token());
        case.vault.enable_kv(&mount, version).await?;
        Ok(Self {
            case,
            mount,
            version,
        })
    }
}

#[async_trait]
impl SourceWorld for World {
    fn sources(&self) -> &dyn Sources {
        &self.case.registry
    }

    fn sync(&self) -> SyncId {
        sync_id("prod", "panbot")
    }

    fn source(&self, place: &str) -> ValidatedSource {
        source(place)
    }

    async fn put(&self, place: &str, content: &Content) {
        let vault = &self.case.vault;
        let written = match self.version {
            1 => vault
                .post(&format!("{}/{place}", self.mount), json!(content))
                .await
                .map(drop),
            _ => vault
                .put_json(&self.mount, place, json!(content))
                .await
                .map(drop),
        };
        written.unwrap();
    }

    async fn remove(&self, place: &str) {
        let vault = &self.case.vault;
        match self.version {
            1 => vault.delete_v1(&self.mount, place).await.unwrap(),
            _ => vault.purge(&self.mount, place).await.unwrap(),
        }
    }
}

async fn the_contract_holds(version: u8, skipped: &[&str]) -> Outcome {
    let Some(testbed) = testbed().await? else {
        return Ok(());
    };
    let mut cases = Cases::default();
    for case in CASES.iter().filter(|case| !skipped.contains(&case.name)) {
        let world = World::new(testbed, case.name, version).await?;
        cases.spawn(case.name, async move { (case.run)(&world).await });
    }
    cases.join().await
}

#[tokio::test]
async fn version_two_keeps_the_contract() -> Outcome {
    the_contract_holds(2, &[]).await
}

/// Version 1 refuses to store a secret without fields, so there is no empty place to read.
#[tokio::test]
async fn version_one_keeps_the_contract() -> Outcome {
    the_contract_holds(1, &["an_empty_place_is_a_complete_answer"]).await
}
