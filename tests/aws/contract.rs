//! The contract of sources. A place is one secret or parameter that holds a JSON object, as with `extract`; AWS has no
//! folder that is empty or missing.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use async_trait::async_trait;
use futures::FutureExt as _;
use penstock_adapters::registry::Registry;
use penstock_domain::bundle::{Snapshot, SourceEntry};
use penstock_domain::fault::Fault;
use penstock_domain::names::{Key, ObjectName, SyncId};
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::secret::SecretValue;
use penstock_domain::sync::ValidatedSource;
use penstock_domain::testing::contract::source::{CASES, Content, SourceWorld};
use penstock_domain::testing::sync_id;
use serde_json::json;

use super::Outcome;
use super::server::Moto;
use super::world::{self, Kind, registry};

/// Takes the one entry of an answer apart, as the engine does with `extract`.
struct Extracting(Registry);

#[async_trait]
impl Sources for Extracting {
    async fn read(
        &self,
        sync: &SyncId,
        source: &ValidatedSource,
        freshness: Freshness,
    ) -> Result<Snapshot, Fault> {
        let snapshot = self.0.read(sync, source, freshness).await?;
        let [entry] = &snapshot.entries[..] else {
            panic!("one entry")
        };
        let members: BTreeMap<String, String> =
            serde_json::from_slice(entry.value.expose()).unwrap();
        let entries = members.into_iter().map(|(name, value)| SourceEntry {
            name,
            value: SecretValue::from(value.as_str()),
            ..entry.clone()
        });
        Ok(Snapshot {
            entries: entries.collect(),
            version: snapshot.version,
        })
    }

    async fn template(&self, _: &SyncId, _: &ObjectName, _: &Key) -> Result<String, Fault> {
        panic!("nobody asks for a template")
    }
}

struct World {
    moto: Arc<Moto>,
    kind: Kind,
    /// Places of one case are not those of another.
    case: &'static str,
    sources: Extracting,
}

impl World {
    fn name(&self, place: &str) -> String {
        format!("{}/{place}", self.case)
    }
}

#[async_trait]
impl SourceWorld for World {
    fn sources(&self) -> &dyn Sources {
        &self.sources
    }

    fn sync(&self) -> SyncId {
        sync_id("prod", "panbot")
    }

    fn source(&self, place: &str) -> ValidatedSource {
        world::source(&self.name(place))
    }

    async fn put(&self, place: &str, content: &Content) {
        let (name, value) = (self.name(place), json!(content).to_string());
        match self.kind {
            Kind::SecretsManager => self.moto.put_secret(&name, &value).await,
            Kind::ParameterStore => {
                let name = format!("/{name}");
                self.moto.put_parameter(&name, "SecureString", &value).await;
            }
        }
    }

    async fn remove(&self, place: &str) {
        let name = self.name(place);
        match self.kind {
            Kind::SecretsManager => {
                let input = json!({"SecretId": name, "ForceDeleteWithoutRecovery": true});
                self.moto.call("secretsmanager.DeleteSecret", input).await;
            }
            Kind::ParameterStore => {
                let input = json!({"Name": format!("/{name}")});
                self.moto.call("AmazonSSM.DeleteParameter", input).await;
            }
        }
    }
}

async fn the_contract_holds(kind: Kind) -> Outcome {
    let Some(moto) = Moto::start().await? else {
        return Ok(());
    };
    let moto = Arc::new(moto);
    let mut broken = Vec::new();
    for case in CASES {
        let world = World {
            moto: Arc::clone(&moto),
            kind,
            case: case.name,
            sources: Extracting(registry(&moto, kind)),
        };
        let run = AssertUnwindSafe((case.run)(&world)).catch_unwind();
        if run.await.is_err() {
            broken.push(case.name);
        }
    }
    assert!(broken.is_empty(), "broken: {broken:?}; see above why");
    Ok(())
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn secrets_manager_keeps_the_contract() -> Outcome {
    the_contract_holds(Kind::SecretsManager).await
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parameter_store_keeps_the_contract() -> Outcome {
    the_contract_holds(Kind::ParameterStore).await
}
