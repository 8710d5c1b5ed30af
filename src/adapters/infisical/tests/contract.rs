//! The contract of sources, kept on both versions of the API.

use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use futures::FutureExt as _;
use penstock_domain::names::SyncId;
use penstock_domain::ports::Sources;
use penstock_domain::stores::StoreCatalog;
use penstock_domain::sync::{Origin, ValidatedSource};
use penstock_domain::testing::contract::source::{CASES, Content, SourceWorld};
use penstock_domain::testing::{self, sync_id};

use super::*;
use crate::providers::Reached;
use crate::registry::Registry;
use crate::test_ports::{FakeCatalog, FakeObjects};

struct World {
    fake: FakeInfisical,
    registry: Registry,
}

impl World {
    async fn new(v4: bool) -> Self {
        let fake = infisical().await;
        fake.model().behaviour.v4 = v4;
        let catalog = FakeCatalog::default();
        catalog.put(store_object(provider(&fake, universal())));
        let registry = Registry::new(Reached {
            http: Arc::new(layer()),
            catalog: Arc::new(catalog) as Arc<dyn StoreCatalog>,
            credentials: credentials(),
            objects: Arc::new(FakeObjects),
        });
        Self { fake, registry }
    }
}

#[async_trait]
impl SourceWorld for World {
    fn sources(&self) -> &dyn Sources {
        &self.registry
    }

    fn sync(&self) -> SyncId {
        sync_id("prod", "panbot")
    }

    fn source(&self, place: &str) -> ValidatedSource {
        ValidatedSource {
            origin: Origin::Store(StoreReference {
                kind: StoreKind::Namespaced,
                name: ObjectName::new("infisical").unwrap(),
            }),
            path: place.to_owned(),
            ..testing::source(place)
        }
    }

    async fn put(&self, place: &str, content: &Content) {
        let mut model = self.fake.model();
        let path = format!("/{place}");
        model.folder(PROJECT, "prod", &path).secrets.clear();
        for (name, value) in content {
            model.put((PROJECT, "prod", &path), name, value);
        }
        model.changed(PROJECT);
    }

    async fn remove(&self, place: &str) {
        let mut model = self.fake.model();
        let project = model.projects.get_mut(PROJECT).unwrap();
        let environment = project.environments.get_mut("prod").unwrap();
        environment.folders.remove(&format!("/{place}"));
        model.changed(PROJECT);
    }
}

async fn the_contract_holds(v4: bool) {
    let mut broken = Vec::new();
    for case in CASES {
        let world = World::new(v4).await;
        let run = AssertUnwindSafe((case.run)(&world)).catch_unwind();
        if run.await.is_err() {
            broken.push(case.name);
        }
    }
    assert!(broken.is_empty(), "broken: {broken:?}; see above why");
}

#[tokio::test]
async fn version_four_keeps_the_contract() {
    the_contract_holds(true).await;
}

#[tokio::test]
async fn version_three_keeps_the_contract() {
    the_contract_holds(false).await;
}
