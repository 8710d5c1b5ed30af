//! The client against the strict stand-in: logins, both versions of the API, tags, lies.

mod changing;
mod coalescing;
mod contract;
mod logging_in;
mod permissions;
mod reading;
mod records;
mod unwell;

use std::sync::Arc;

use ipnet::IpNet;
use penstock_domain::api::infisical::{
    InfisicalAuth, InfisicalKubernetesAuth, InfisicalProvider, InfisicalServiceToken,
    InfisicalUniversalAuth,
};
use penstock_domain::api::shared::{SecretKeyRef, ServiceAccountRef};
use penstock_domain::api::store::{Identity, Provider};
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::FaultClass;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Credentials, StoreLimits, StoreObject};
use penstock_domain::sync::{SourceOptions, StoreKind, StoreReference};
use penstock_fakes::infisical::{Grant, Identity as Machine, Scope, ServiceToken};
use penstock_fakes::{FakeInfisical, Listen};

use super::store::InfisicalStore;
use crate::http::client::HttpLayer;
use crate::open::{OpenedStore as _, StoreFailure, StoreQuery};
use crate::test_failures::{Illness, Patient};
use crate::test_ports::FakeCredentials;
use crate::test_stores::OneStore;

const PROJECT: &str = "0b6c1a2e-0000-4000-8000-000000000001";
const IDENTITY: &str = "1d3f0000-0000-4000-8000-000000000002";

/// A project with one environment, and an identity that may read everything in it.
async fn infisical() -> FakeInfisical {
    let fake = FakeInfisical::start(Listen::Http).await.unwrap();
    {
        let mut model = fake.model();
        model.folder(PROJECT, "prod", "/app");
        model.projects.get_mut(PROJECT).unwrap().slug = "panbot".to_owned();
        let machine = Machine {
            client_id: "client-1".to_owned(),
            client_secrets: ["hunter2-secret".to_owned()].into(),
            service_accounts: ["jwt for SecretStore/prod/infisical".to_owned()].into(),
            ttl: 7200,
            max_ttl: 43_200,
            grants: vec![Grant::reader(PROJECT)],
            ..Machine::default()
        };
        model.identities.insert(IDENTITY.to_owned(), machine);
        let token = ServiceToken {
            project: PROJECT.to_owned(),
            scopes: vec![Scope {
                environment: "prod".to_owned(),
                path: "/app".to_owned(),
            }],
        };
        model
            .service_tokens
            .insert("st.1.hunter2".to_owned(), token);
    }
    fake
}

fn put(fake: &FakeInfisical, path: &str, name: &str, value: &str) {
    fake.model().put((PROJECT, "prod", path), name, value);
}

fn secret_ref(key: &str) -> SecretKeyRef {
    SecretKeyRef {
        name: "infisical".to_owned(),
        key: key.to_owned(),
    }
}

fn universal() -> InfisicalAuth {
    InfisicalAuth {
        universal: Some(InfisicalUniversalAuth {
            client_id: Some("client-1".into()),
            client_id_ref: None,
            client_secret_ref: secret_ref("clientSecret"),
        }),
        ..InfisicalAuth::default()
    }
}

fn kubernetes() -> InfisicalAuth {
    InfisicalAuth {
        kubernetes: Some(InfisicalKubernetesAuth {
            identity_id: IDENTITY.to_owned(),
            service_account: ServiceAccountRef {
                name: "reader".to_owned(),
                audiences: Vec::new(),
            },
        }),
        ..InfisicalAuth::default()
    }
}

fn service_token() -> InfisicalAuth {
    InfisicalAuth {
        service_token: Some(InfisicalServiceToken {
            secret_ref: secret_ref("serviceToken"),
        }),
        ..InfisicalAuth::default()
    }
}

fn provider(fake: &FakeInfisical, auth: InfisicalAuth) -> InfisicalProvider {
    InfisicalProvider {
        address: fake.server().address(),
        project_id: Some(PROJECT.to_owned()),
        environment: Some("prod".to_owned()),
        ca_bundle: fake.server().certificate().map(str::to_owned),
        auth,
        ..InfisicalProvider::default()
    }
}

/// SecretStore `infisical` of namespace `prod`.
fn store_object(provider: InfisicalProvider) -> StoreObject {
    StoreObject {
        reference: StoreReference {
            kind: StoreKind::Namespaced,
            name: ObjectName::new("infisical").unwrap(),
        },
        home: NamespaceName::new("prod").unwrap(),
        uid: "u-1".to_owned(),
        generation: 1,
        provider: Provider {
            infisical: Some(provider),
            ..Provider::default()
        },
        limits: StoreLimits::default(),
        identity: Identity::Credentials,
        allow: Vec::new(),
    }
}

fn credentials() -> Arc<FakeCredentials> {
    let mut all = Vec::new();
    for home in ["prod", "penstock-system"] {
        for (key, value) in [
            ("clientId", "client-1\n"),
            ("clientSecret", "hunter2-secret\n"),
            ("serviceToken", "st.1.hunter2.key\n"),
        ] {
            all.push((format!("{home}/infisical/{key}"), value));
        }
    }
    let all: Vec<_> = all
        .iter()
        .map(|(place, value)| (place.as_str(), *value))
        .collect();
    FakeCredentials::new(&all)
}

fn layer() -> HttpLayer {
    HttpLayer::new(vec!["127.0.0.0/8".parse::<IpNet>().unwrap()])
}

async fn open_store(object: &StoreObject) -> Result<InfisicalStore, StoreFailure> {
    let provider = object.provider.infisical.as_ref().unwrap();
    let credentials: Arc<dyn Credentials> = credentials();
    InfisicalStore::open(object, provider, &layer(), &credentials)
        .await
        .map_err(|error| error.fault("store").into())
}

async fn open(fake: &FakeInfisical, auth: InfisicalAuth) -> InfisicalStore {
    open_store(&store_object(provider(fake, auth)))
        .await
        .unwrap()
}

/// What is asked when nobody restricts anything.
fn query(path: &str) -> StoreQuery {
    StoreQuery {
        environment: Some("prod".to_owned()),
        path: RemotePath::parse(path).unwrap().as_folder(),
        recursive: false,
        field: None,
        version: None,
        options: SourceOptions::Infisical {
            imports: Some(true),
            references: Some(true),
        },
        on_behalf_of: None,
    }
}

async fn read(store: &InfisicalStore, path: &str) -> Result<Snapshot, StoreFailure> {
    store.read("store", &query(path)).await
}

async fn class(store: &InfisicalStore, path: &str) -> FaultClass {
    read(store, path).await.unwrap_err().fault.class
}

/// `path name=value`, for each entry.
fn lines(snapshot: &Snapshot) -> Vec<String> {
    let line = |entry: &penstock_domain::bundle::SourceEntry| {
        let value = entry.value.expose_text().unwrap();
        format!("{} {}={value}", entry.path, entry.name)
    };
    snapshot.entries.iter().map(line).collect()
}

/// How many lists of secrets were asked for, in any version.
fn lists(fake: &FakeInfisical) -> usize {
    ["/api/v4/secrets", "/api/v3/secrets/raw"]
        .iter()
        .map(|path| fake.server().count("GET", path))
        .sum()
}

/// See [`crate::test_failures`].
pub(crate) async fn patient(trusted: bool) -> Patient {
    let fake = infisical().await;
    put(&fake, "/app", "K", "1");
    if !trusted {
        let mut model = fake.model();
        model
            .identities
            .get_mut(IDENTITY)
            .unwrap()
            .client_secrets
            .clear();
    }
    let store = store_object(provider(&fake, universal()));
    let store = OneStore::with(store, credentials(), &["127.0.0.0/8"]);
    Patient::new(store, ("app", "never"), move |illness| {
        let mut model = fake.model();
        match illness {
            Illness::Denied => model.identities.get_mut(IDENTITY).unwrap().grants.clear(),
            Illness::Throttled => model.behaviour.throttle = Some(12),
            illness => model.behaviour.outage = illness.outage(),
        }
        true
    })
}
