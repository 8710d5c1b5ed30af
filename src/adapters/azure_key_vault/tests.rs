//! The client against the strict stand-in: logins, reading, refusals, lies.

mod contract;
mod logging_in;
mod reading;
mod unwell;

use std::collections::BTreeMap;
use std::sync::Arc;

use ipnet::IpNet;
use penstock_domain::api::azure_key_vault::{
    AzureAuth, AzureAuthority, AzureClientCertificate, AzureClientSecret, AzureKeyVaultProvider,
    AzureWorkloadIdentity,
};
use penstock_domain::api::shared::{SecretKeyRef, ServiceAccountRef};
use penstock_domain::api::store::{Identity, Provider};
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::FaultClass;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Credentials, StoreLimits, StoreObject};
use penstock_domain::sync::{SourceOptions, StoreKind, StoreReference};
use penstock_fakes::azure::{Application, Rights};
use penstock_fakes::{FakeAzure, Listen};

use super::store::AzureStore;
use crate::http::client::HttpLayer;
use crate::open::{OpenedStore as _, Proposal, StoreFailure, StoreQuery};
use crate::test_failures::{Illness, Patient};
use crate::test_ports::FakeCredentials;
use crate::test_stores::OneStore;

const TENANT: &str = "00000000-0000-4000-8000-0000000000aa";
const CLIENT: &str = "00000000-0000-4000-8000-0000000000cc";

/// A vault, and an application that may read everything in it.
async fn azure() -> FakeAzure {
    let fake = FakeAzure::start(Listen::Http).await.unwrap();
    {
        let mut model = fake.model();
        let application = Application {
            secrets: ["hunter2-client".to_owned()].into(),
            expired: ["hunter2-old".to_owned()].into(),
            ..Application::default()
        };
        model.applications.insert(CLIENT.to_owned(), application);
        model.rights.insert(CLIENT.to_owned(), Rights::reader());
    }
    fake
}

fn put(fake: &FakeAzure, name: &str, value: &str) {
    fake.model().put(name, value);
}

fn secret_ref(key: &str) -> SecretKeyRef {
    SecretKeyRef {
        name: "azure".to_owned(),
        key: key.to_owned(),
    }
}

fn client_secret(key: &str) -> AzureAuth {
    AzureAuth {
        client_secret: Some(AzureClientSecret {
            tenant_id: TENANT.to_owned(),
            client_id: CLIENT.to_owned(),
            secret_ref: secret_ref(key),
        }),
        ..AzureAuth::default()
    }
}

fn certificate() -> AzureAuth {
    AzureAuth {
        client_certificate: Some(AzureClientCertificate {
            tenant_id: TENANT.to_owned(),
            client_id: CLIENT.to_owned(),
            certificate_ref: secret_ref("crt"),
            key_ref: secret_ref("key"),
        }),
        ..AzureAuth::default()
    }
}

fn federated() -> AzureAuth {
    AzureAuth {
        workload_identity: Some(AzureWorkloadIdentity {
            tenant_id: TENANT.to_owned(),
            client_id: CLIENT.to_owned(),
            service_account: ServiceAccountRef {
                name: "reader".to_owned(),
                audiences: vec!["api://AzureADTokenExchange".to_owned()],
            },
        }),
        ..AzureAuth::default()
    }
}

fn provider(fake: &FakeAzure, auth: AzureAuth) -> AzureKeyVaultProvider {
    AzureKeyVaultProvider {
        vault_url: fake.server().address(),
        authority: Some(AzureAuthority {
            address: fake.server().address(),
            resource: "https://vault.azure.net".to_owned(),
        }),
        auth: Some(auth),
        ..AzureKeyVaultProvider::default()
    }
}

/// SecretStore `azure` of namespace `prod`.
fn store_object(provider: AzureKeyVaultProvider) -> StoreObject {
    StoreObject {
        reference: StoreReference {
            kind: StoreKind::Namespaced,
            name: ObjectName::new("azure").unwrap(),
        },
        home: NamespaceName::new("prod").unwrap(),
        uid: "u-1".to_owned(),
        generation: 1,
        provider: Provider {
            azure_key_vault: Some(provider),
            ..Provider::default()
        },
        limits: StoreLimits::default(),
        identity: Identity::Credentials,
        allow: Vec::new(),
    }
}

fn credentials() -> Arc<FakeCredentials> {
    FakeCredentials::new(&[
        ("prod/azure/secret", "hunter2-client\n"),
        ("prod/azure/wrong", "hunter2-wrong"),
        ("prod/azure/old", "hunter2-old"),
    ])
}

fn layer() -> HttpLayer {
    HttpLayer::new(vec!["127.0.0.0/8".parse::<IpNet>().unwrap()])
}

async fn open_with(
    object: &StoreObject,
    credentials: Arc<FakeCredentials>,
) -> Result<AzureStore, StoreFailure> {
    let provider = object.provider.azure_key_vault.as_ref().unwrap();
    let credentials: Arc<dyn Credentials> = credentials;
    AzureStore::open(object, provider, &layer(), &credentials)
        .await
        .map_err(|error| error.fault("store").into())
}

async fn open_store(object: &StoreObject) -> Result<AzureStore, StoreFailure> {
    open_with(object, credentials()).await
}

async fn open(fake: &FakeAzure, auth: AzureAuth) -> AzureStore {
    open_store(&store_object(provider(fake, auth)))
        .await
        .unwrap()
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

fn tagged(pairs: &[(&str, &str)], leave_out: bool) -> SourceOptions {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    SourceOptions::AzureKeyVault {
        tags: pairs.iter().map(own).collect::<BTreeMap<_, _>>(),
        leave_out,
    }
}

fn propose(query: StoreQuery) -> Result<Proposal, StoreFailure> {
    let provider = AzureKeyVaultProvider::default();
    AzureStore::propose(&provider, query).map_err(|error| error.fault("store").into())
}

/// What a query means, and then its answer.
async fn ask(store: &AzureStore, query: StoreQuery) -> Result<Snapshot, StoreFailure> {
    let proposal = propose(query)?;
    store.read("store", &proposal.query).await
}

async fn read(store: &AzureStore, path: &str) -> Result<Snapshot, StoreFailure> {
    ask(store, query(path)).await
}

async fn class(store: &AzureStore, path: &str) -> FaultClass {
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

/// See [`crate::test_failures`].
pub(crate) async fn patient(trusted: bool) -> Patient {
    let fake = azure().await;
    put(&fake, "a", "1");
    let key = if trusted { "secret" } else { "wrong" };
    let store = store_object(provider(&fake, client_secret(key)));
    let store = OneStore::with(store, credentials(), &["127.0.0.0/8"]);
    Patient::new(store, ("a", "never"), move |illness| {
        let mut model = fake.model();
        match illness {
            Illness::Denied => model.rights.clear(),
            Illness::Throttled => model.behaviour.throttle = Some(Some(12)),
            illness => model.behaviour.outage = illness.outage(),
        }
        true
    })
}
