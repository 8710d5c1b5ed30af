//! The contract of sources, kept for projects.

use std::panic::AssertUnwindSafe;
use std::sync::Mutex;

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
    lab: Lab,
    projects: Mutex<std::collections::BTreeMap<String, String>>,
    registry: Registry,
}

impl World {
    async fn new() -> Self {
        let lab = Lab::new().await;
        let catalog = FakeCatalog::default();
        catalog.put(store_object(lab.provider()));
        let registry = Registry::new(Reached {
            http: Arc::new(layer()),
            catalog: Arc::new(catalog) as Arc<dyn StoreCatalog>,
            credentials: lab.credentials(),
            objects: Arc::new(FakeObjects),
        });
        Self {
            lab,
            projects: Mutex::default(),
            registry,
        }
    }

    fn clear(&self, place: &str) {
        let Some(id) = self.projects.lock().unwrap().remove(place) else {
            return;
        };
        self.lab.edit(|model, _| {
            model.projects.remove(&id);
            model
                .secrets
                .retain(|_, secret| secret.project.as_deref() != Some(&id));
            model.changed(Some(&id));
        });
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
                name: ObjectName::new("bitwarden").unwrap(),
            }),
            path: place.to_owned(),
            ..testing::source(place)
        }
    }

    async fn put(&self, place: &str, content: &Content) {
        self.clear(place);
        let secrets: Vec<_> = content
            .iter()
            .map(|(name, value)| (name.as_str(), value.as_str()))
            .collect();
        let id = self.lab.project(place, &secrets);
        self.projects.lock().unwrap().insert(place.to_owned(), id);
    }

    async fn remove(&self, place: &str) {
        self.clear(place);
    }
}

#[tokio::test]
async fn projects_keep_the_contract() {
    let mut broken = Vec::new();
    for case in CASES {
        let world = World::new().await;
        let run = AssertUnwindSafe((case.run)(&world)).catch_unwind();
        if run.await.is_err() {
            broken.push(case.name);
        }
    }
    assert!(broken.is_empty(), "broken: {broken:?}; see above why");
}
