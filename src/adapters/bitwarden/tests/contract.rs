//! The contract of sources, kept for folders of Bitwarden's server and collections of Vaultwarden.

use std::panic::AssertUnwindSafe;

use async_trait::async_trait;
use futures::FutureExt as _;
use penstock_domain::names::SyncId;
use penstock_domain::ports::Sources;
use penstock_domain::stores::StoreCatalog;
use penstock_domain::sync::{Origin, ValidatedSource};
use penstock_domain::testing::contract::source::{CASES, Content, SourceWorld};
use penstock_domain::testing::{self, sync_id};
use penstock_fakes::bitwarden::Flavour;

use super::*;
use crate::providers::Reached;
use crate::registry::Registry;
use crate::test_ports::{FakeCatalog, FakeObjects};

struct World {
    lab: Lab,
    organization: Option<String>,
    registry: Registry,
}

impl World {
    async fn new(flavour: Flavour) -> Self {
        let mut lab = Lab::new().await;
        lab.fake.model().behaviour.flavour = flavour;
        let mut provider = lab.provider();
        let organization = (flavour == Flavour::Vaultwarden).then(|| {
            provider.organization = Some("Acme".to_owned());
            let mut model = lab.fake.model();
            lab.owner.found(&mut model, "Acme").unwrap()
        });
        let catalog = FakeCatalog::default();
        catalog.put(store_object(provider));
        let registry = Registry::new(Reached {
            http: Arc::new(layer()),
            catalog: Arc::new(catalog) as Arc<dyn StoreCatalog>,
            credentials: credentials(),
            objects: Arc::new(FakeObjects),
        });
        Self {
            lab,
            organization,
            registry,
        }
    }

    /// Removes the place with everything in it.
    fn clear(&self, place: &str) {
        let id = self.lab.owner.id.clone();
        let mut model = self.lab.fake.model();
        let model = &mut *model;
        let named: Vec<_> = model
            .folders
            .iter()
            .map(|(id, folder)| (id, &folder.name))
            .chain(model.collections.iter().map(|(id, it)| (id, &it.name)))
            .filter(|(_, name)| {
                let key = self.lab.owner.key_of(self.organization.as_deref()).unwrap();
                let key =
                    crate::bitwarden_common::keys::SymmetricKey::new(key.bytes().to_vec().into());
                let name = crate::bitwarden_common::enc_string::decrypt(name, &key.ok().unwrap());
                name.is_ok_and(|name| *name == place.as_bytes())
            })
            .map(|(id, _)| id.clone())
            .collect();
        for place in named {
            model.folders.remove(&place);
            model.collections.remove(&place);
            model.ciphers.retain(|_, cipher| {
                cipher.folders.get(&id) != Some(&place) && !cipher.collections.contains(&place)
            });
        }
        model.changed(Some(&id), self.organization.as_deref());
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
        self.lab.edit(|model, owner| match &self.organization {
            None => {
                let folder = owner.folder(model, place).unwrap();
                for (number, (name, value)) in content.iter().enumerate() {
                    let plain = Plain::Login(None, value);
                    let folder = Some(folder.as_str());
                    // Both occur.
                    if number.is_multiple_of(2) {
                        owner.put(model, folder, name, plain).unwrap();
                    } else {
                        owner.put_with_own_key(model, folder, name, plain).unwrap();
                    }
                }
            }
            Some(organization) => {
                let collection = owner.collection(model, organization, place).unwrap();
                for (name, value) in content {
                    let collections = [collection.as_str()];
                    let at = (organization.as_str(), collections.as_slice());
                    owner.share(model, at, name, Plain::Note(value)).unwrap();
                }
            }
        });
    }

    async fn remove(&self, place: &str) {
        self.clear(place);
    }
}

async fn the_contract_holds(flavour: Flavour) {
    let mut broken = Vec::new();
    for case in CASES {
        let world = World::new(flavour).await;
        let run = AssertUnwindSafe((case.run)(&world)).catch_unwind();
        if run.await.is_err() {
            broken.push(case.name);
        }
    }
    assert!(broken.is_empty(), "broken: {broken:?}; see above why");
}

#[tokio::test]
async fn folders_of_bitwarden_keep_the_contract() {
    the_contract_holds(Flavour::Official).await;
}

#[tokio::test]
async fn collections_of_vaultwarden_keep_the_contract() {
    the_contract_holds(Flavour::Vaultwarden).await;
}
