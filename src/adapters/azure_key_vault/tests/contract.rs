//! The contract of sources: a place is one secret that holds a JSON document, whose members are the keys; and a place
//! is a folder, as far as folders go that exist only in names.

use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use futures::FutureExt as _;
use penstock_domain::bundle::SourceEntry;
use penstock_domain::fault::Fault;
use penstock_domain::names::{Key, SyncId};
use penstock_domain::ports::{Freshness, Sources};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::StoreCatalog;
use penstock_domain::sync::{Origin, ValidatedSource};
use penstock_domain::testing::contract::source::{CASES, Content, SourceWorld};
use penstock_domain::testing::{self, sync_id};

use super::*;
use crate::providers::Reached;
use crate::registry::Registry;
use crate::test_ports::{FakeCatalog, FakeObjects};

#[derive(Clone, Copy, PartialEq, Eq)]
enum Shape {
    Document,
    Folder,
}

struct World {
    fake: FakeAzure,
    port: Port,
}

struct Port {
    registry: Registry,
    shape: Shape,
}

/// Takes a document apart, as the engine does for `extract: {format: json}`.
#[async_trait]
impl Sources for Port {
    async fn read(
        &self,
        sync: &SyncId,
        source: &ValidatedSource,
        freshness: Freshness,
    ) -> Result<Snapshot, Fault> {
        let mut snapshot = self.registry.read(sync, source, freshness).await?;
        if self.shape == Shape::Document {
            let [document] = snapshot.entries.as_slice() else {
                unreachable!("one secret is one entry");
            };
            let members: Content = serde_json::from_slice(document.value.expose()).unwrap();
            let entry = |(name, value): (String, String)| SourceEntry {
                name,
                value: SecretValue::new(value),
                ..document.clone()
            };
            snapshot.entries = members.into_iter().map(entry).collect();
        }
        Ok(snapshot)
    }

    async fn template(
        &self,
        sync: &SyncId,
        config_map: &ObjectName,
        key: &Key,
    ) -> Result<String, Fault> {
        self.registry.template(sync, config_map, key).await
    }
}

impl World {
    async fn new(shape: Shape) -> Self {
        let fake = azure().await;
        let catalog = FakeCatalog::default();
        catalog.put(store_object(provider(&fake, client_secret("secret"))));
        let registry = Registry::new(Reached {
            http: Arc::new(layer()),
            catalog: Arc::new(catalog) as Arc<dyn StoreCatalog>,
            credentials: credentials(),
            objects: Arc::new(FakeObjects),
        });
        Self {
            fake,
            port: Port { registry, shape },
        }
    }
}

#[async_trait]
impl SourceWorld for World {
    fn sources(&self) -> &dyn Sources {
        &self.port
    }

    fn sync(&self) -> SyncId {
        sync_id("prod", "panbot")
    }

    fn source(&self, name: &str) -> ValidatedSource {
        ValidatedSource {
            origin: Origin::Store(StoreReference {
                kind: StoreKind::Namespaced,
                name: ObjectName::new("azure").unwrap(),
            }),
            path: match self.port.shape {
                Shape::Document => name.to_owned(),
                Shape::Folder => format!("{name}/"),
            },
            ..testing::source(name)
        }
    }

    async fn put(&self, name: &str, content: &Content) {
        if self.port.shape == Shape::Document {
            let document = serde_json::to_string(content).unwrap();
            return put(&self.fake, name, &document);
        }
        self.remove(name).await;
        for (key, value) in content {
            put(
                &self.fake,
                &format!("{name}--{}", key.replace('_', "-")),
                value,
            );
        }
    }

    async fn remove(&self, name: &str) {
        let mut model = self.fake.model();
        let folder = format!("{name}--");
        model
            .secrets
            .retain(|id, _| id != name && !id.starts_with(&folder));
    }
}

async fn the_contract_holds(shape: Shape, left_out: &[&str]) {
    let mut broken = Vec::new();
    for case in CASES.iter().filter(|case| !left_out.contains(&case.name)) {
        let world = World::new(shape).await;
        let run = AssertUnwindSafe((case.run)(&world)).catch_unwind();
        if run.await.is_err() {
            broken.push(case.name);
        }
    }
    assert!(broken.is_empty(), "broken: {broken:?}; see above why");
    let known = |name: &&&str| CASES.iter().any(|case| case.name == **name);
    assert_eq!(left_out.iter().filter(known).count(), left_out.len());
}

#[tokio::test]
async fn a_document_keeps_the_contract() {
    the_contract_holds(Shape::Document, &["what_lies_there_is_read_byte_for_byte"]).await;
}

/// The document of the case that is left out above is larger than a secret may be, and its `dotted.name` is none of a
/// secret; `values_keep_every_byte` stands for it.
#[tokio::test]
async fn a_folder_keeps_the_contract_but_cannot_be_missing() {
    let left_out = [
        "what_lies_there_is_read_byte_for_byte",
        "a_place_that_never_was_is_not_found",
        "a_place_that_was_removed_is_not_found",
        "a_place_that_came_back_is_read_again",
        "places_of_similar_names_do_not_mix",
        "a_fault_holds_nothing_that_was_read",
    ];
    the_contract_holds(Shape::Folder, &left_out).await;
}
