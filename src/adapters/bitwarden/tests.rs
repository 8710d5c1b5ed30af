//! The client against the strict stand-in: logins, kinds of accounts, items of every kind, lies.

mod contract;
mod logging_in;
mod reading;
mod refusals;
mod unwell;

use std::sync::Arc;

use ipnet::IpNet;
use penstock_domain::api::bitwarden::{BitwardenApiKey, BitwardenAuth, BitwardenProvider};
use penstock_domain::api::shared::SecretKeyRef;
use penstock_domain::api::store::{Identity, Provider};
use penstock_domain::bundle::{Snapshot, SourceEntry};
use penstock_domain::fault::FaultClass;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Credentials, StoreLimits, StoreObject};
use penstock_domain::sync::{SourceOptions, StoreKind, StoreReference};
use penstock_fakes::bitwarden::Model;
use penstock_fakes::bitwarden::owner::{Owner, Plain};
use penstock_fakes::sealing::Kdf;
use penstock_fakes::{FakeBitwarden, Listen};

use super::store::BitwardenStore;
use crate::http::client::HttpLayer;
use crate::open::{OpenedStore as _, StoreFailure, StoreQuery};
use crate::test_failures::{Illness, Patient};
use crate::test_ports::FakeCredentials;
use crate::test_stores::OneStore;

const PASSWORD: &str = "correct horse 42 ";

/// A server with one account, and its owner.
struct Lab {
    fake: FakeBitwarden,
    owner: Owner,
}

impl Lab {
    async fn new() -> Self {
        Self::with(Kdf::Pbkdf2(5000), Listen::Http).await
    }

    async fn with(kdf: Kdf, listen: Listen) -> Self {
        let fake = FakeBitwarden::start(listen).await.unwrap();
        let known = ("Fixture.User@Example.TEST", PASSWORD);
        let owner = Owner::sign_up(&mut fake.model(), known, kdf, "hunter2-secret").unwrap();
        Self { fake, owner }
    }

    /// Changes what the server holds.
    fn edit<T>(&self, change: impl FnOnce(&mut Model, &Owner) -> T) -> T {
        change(&mut self.fake.model(), &self.owner)
    }

    /// A folder with logins, `name=password`.
    fn folder(&self, name: &str, items: &[(&str, &str)]) -> String {
        self.edit(|model, owner| {
            let folder = owner.folder(model, name).unwrap();
            for (name, password) in items {
                let plain = Plain::Login(Some("app"), password);
                owner.put(model, Some(&folder), name, plain).unwrap();
            }
            folder
        })
    }

    fn provider(&self) -> BitwardenProvider {
        BitwardenProvider {
            address: Some(self.fake.server().address()),
            ca_bundle: self.fake.server().certificate().map(str::to_owned),
            auth: BitwardenAuth {
                api_key: Some(BitwardenApiKey {
                    client_id: Some(format!("user.{}", self.owner.id).as_str().into()),
                    client_id_ref: None,
                    client_secret_ref: secret_ref("clientSecret"),
                }),
            },
            master_password_ref: secret_ref("password"),
            ..BitwardenProvider::default()
        }
    }

    async fn open(&self) -> BitwardenStore {
        open_store(&store_object(self.provider())).await.unwrap()
    }

    async fn open_organization(&self, name: &str) -> BitwardenStore {
        let provider = BitwardenProvider {
            organization: Some(name.to_owned()),
            ..self.provider()
        };
        open_store(&store_object(provider)).await.unwrap()
    }

    fn syncs(&self) -> usize {
        self.fake.server().count("GET", "/api/sync")
    }
}

fn secret_ref(key: &str) -> SecretKeyRef {
    SecretKeyRef {
        name: "bitwarden".to_owned(),
        key: key.to_owned(),
    }
}

/// SecretStore `bitwarden` of namespace `prod`.
fn store_object(provider: BitwardenProvider) -> StoreObject {
    StoreObject {
        reference: StoreReference {
            kind: StoreKind::Namespaced,
            name: ObjectName::new("bitwarden").unwrap(),
        },
        home: NamespaceName::new("prod").unwrap(),
        uid: "u-1".to_owned(),
        generation: 1,
        provider: Provider {
            bitwarden: Some(provider),
            ..Provider::default()
        },
        limits: StoreLimits::default(),
        identity: Identity::Credentials,
        allow: Vec::new(),
    }
}

fn credentials() -> Arc<FakeCredentials> {
    FakeCredentials::new(&[
        ("prod/bitwarden/clientSecret", "hunter2-secret\n"),
        ("prod/bitwarden/password", "correct horse 42 \n"),
        ("prod/bitwarden/wrong", "hunter2-wrong"),
        ("prod/bitwarden/organization", "organization.1"),
    ])
}

fn layer() -> HttpLayer {
    HttpLayer::new(vec!["127.0.0.0/8".parse::<IpNet>().unwrap()])
}

async fn open_store(object: &StoreObject) -> Result<BitwardenStore, StoreFailure> {
    let provider = object.provider.bitwarden.as_ref().unwrap();
    let credentials: Arc<dyn Credentials> = credentials();
    BitwardenStore::open(object, provider, &layer(), &credentials)
        .await
        .map_err(|error| error.fault("store").into())
}

fn query(path: &str) -> StoreQuery {
    StoreQuery {
        environment: None,
        path: RemotePath::parse(path).unwrap(),
        recursive: false,
        field: None,
        version: None,
        options: SourceOptions::None,
        on_behalf_of: None,
    }
}

async fn read(store: &BitwardenStore, path: &str) -> Result<Snapshot, StoreFailure> {
    store.read("store", &query(path)).await
}

async fn class(store: &BitwardenStore, path: &str) -> FaultClass {
    read(store, path).await.unwrap_err().fault.class
}

/// `path name=value`, for each entry.
fn lines(snapshot: &Snapshot) -> Vec<String> {
    let line = |entry: &SourceEntry| {
        let value = entry.value.expose_text().unwrap();
        format!("{} {}={value}", entry.path, entry.name)
    };
    snapshot.entries.iter().map(line).collect()
}

/// See [`crate::test_failures`]. Nobody is denied anything: whoever has the keys has all of the vault.
pub(crate) async fn patient(trusted: bool) -> Patient {
    let lab = Lab::new().await;
    lab.folder("shop", &[("K", "1")]);
    let mut provider = lab.provider();
    if !trusted && let Some(key) = &mut provider.auth.api_key {
        key.client_secret_ref = secret_ref("wrong");
    }
    let store = OneStore::with(store_object(provider), credentials(), &["127.0.0.0/8"]);
    Patient::new(store, ("shop", "never"), move |illness| {
        let behaviour = &mut lab.fake.model().behaviour;
        match illness {
            Illness::Denied => return false,
            Illness::Throttled => behaviour.throttle = Some(12),
            illness => behaviour.outage = illness.outage(),
        }
        true
    })
}
