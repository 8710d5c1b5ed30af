//! The client against the strict stand-in: tokens, projects and secrets, changes, lies.

mod contract;
mod logging_in;
mod reading;

use std::sync::Arc;

use ipnet::IpNet;
use penstock_domain::api::bitwarden::{
    BitwardenAccessToken, BitwardenSecretsManagerAuth, BitwardenSecretsManagerProvider,
};
use penstock_domain::api::shared::SecretKeyRef;
use penstock_domain::api::store::{Identity, Provider};
use penstock_domain::bundle::{Snapshot, SourceEntry};
use penstock_domain::fault::FaultClass;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Credentials, StoreLimits, StoreObject};
use penstock_domain::sync::{SourceOptions, StoreKind, StoreReference};
use penstock_fakes::bitwarden_sm::organization::Organization;
use penstock_fakes::bitwarden_sm::{Grant, Model};
use penstock_fakes::{FakeBitwardenSm, Listen};

use super::store::BitwardenSmStore;
use crate::http::client::HttpLayer;
use crate::open::{OpenedStore as _, StoreFailure, StoreQuery};
use crate::test_failures::{Illness, Patient};
use crate::test_ports::FakeCredentials;
use crate::test_stores::OneStore;

const READ: Grant = Grant {
    read: true,
    write: false,
};

/// A server with one organisation and one machine account.
struct Lab {
    fake: FakeBitwardenSm,
    organization: Organization,
    machine: String,
    token: String,
}

impl Lab {
    async fn new() -> Self {
        Self::listening(Listen::Http).await
    }

    async fn listening(listen: Listen) -> Self {
        let fake = FakeBitwardenSm::start(listen).await.unwrap();
        let (organization, machine, token) = {
            let mut model = fake.model();
            let organization = Organization::found(&mut model).unwrap();
            let (machine, token) = organization.machine(&mut model, &[]).unwrap();
            (organization, machine, token)
        };
        Self {
            fake,
            organization,
            machine,
            token,
        }
    }

    fn edit<T>(&self, change: impl FnOnce(&mut Model, &Organization) -> T) -> T {
        change(&mut self.fake.model(), &self.organization)
    }

    /// A project that the machine account may read, with secrets.
    fn project(&self, name: &str, secrets: &[(&str, &str)]) -> String {
        self.edit(|model, organization| {
            let id = organization.project(model, name).unwrap();
            let machine = model.machines.get_mut(&self.machine).unwrap();
            machine.grants.insert(id.clone(), READ);
            for (key, value) in secrets {
                organization
                    .secret(model, Some(&id), (key, value, ""))
                    .unwrap();
            }
            model.changed(Some(&id));
            id
        })
    }

    fn provider(&self) -> BitwardenSecretsManagerProvider {
        BitwardenSecretsManagerProvider {
            address: Some(self.fake.server().address()),
            ca_bundle: self.fake.server().certificate().map(str::to_owned),
            auth: BitwardenSecretsManagerAuth {
                access_token: Some(BitwardenAccessToken {
                    secret_ref: SecretKeyRef {
                        name: "bitwarden".to_owned(),
                        key: "token".to_owned(),
                    },
                }),
            },
            ..BitwardenSecretsManagerProvider::default()
        }
    }

    fn credentials(&self) -> Arc<FakeCredentials> {
        let token = format!("{}\n", self.token);
        FakeCredentials::new(&[("prod/bitwarden/token", token.as_str())])
    }

    async fn open(&self) -> BitwardenSmStore {
        self.open_object(&store_object(self.provider()))
            .await
            .unwrap()
    }

    async fn open_object(&self, object: &StoreObject) -> Result<BitwardenSmStore, StoreFailure> {
        let provider = object.provider.bitwarden_secrets_manager.as_ref().unwrap();
        let credentials: Arc<dyn Credentials> = self.credentials();
        BitwardenSmStore::open(object, provider, &layer(), &credentials)
            .await
            .map_err(|error| error.fault("store").into())
    }

    /// How many complete lists were asked for, and how many that may be empty.
    fn syncs(&self) -> (usize, usize) {
        let seen = self.fake.server().seen();
        let mut syncs = (0, 0);
        for request in seen
            .iter()
            .filter(|request| request.path.ends_with("/sync"))
        {
            match request.parameter("lastSyncedDate") {
                None => syncs.0 += 1,
                Some(_) => syncs.1 += 1,
            }
        }
        syncs
    }
}

/// SecretStore `bitwarden` of namespace `prod`.
fn store_object(provider: BitwardenSecretsManagerProvider) -> StoreObject {
    StoreObject {
        reference: StoreReference {
            kind: StoreKind::Namespaced,
            name: ObjectName::new("bitwarden").unwrap(),
        },
        home: NamespaceName::new("prod").unwrap(),
        uid: "u-1".to_owned(),
        generation: 1,
        provider: Provider {
            bitwarden_secrets_manager: Some(provider),
            ..Provider::default()
        },
        limits: StoreLimits::default(),
        identity: Identity::Credentials,
        allow: Vec::new(),
    }
}

fn layer() -> HttpLayer {
    HttpLayer::new(vec!["127.0.0.0/8".parse::<IpNet>().unwrap()])
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

async fn read(store: &BitwardenSmStore, path: &str) -> Result<Snapshot, StoreFailure> {
    store.read("store", &query(path)).await
}

async fn class(store: &BitwardenSmStore, path: &str) -> FaultClass {
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

/// See [`crate::test_failures`]. Nobody is denied anything: what a machine account may not read it does not see.
pub(crate) async fn patient(trusted: bool) -> Patient {
    let lab = Lab::new().await;
    lab.project("shop", &[("K", "1")]);
    if !trusted {
        let mut model = lab.fake.model();
        model
            .access_tokens
            .values_mut()
            .for_each(|token| token.revoked = true);
    }
    let store = store_object(lab.provider());
    let store = OneStore::with(store, lab.credentials(), &["127.0.0.0/8"]);
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
