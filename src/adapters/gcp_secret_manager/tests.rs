//! The client against the strict stand-in: logins, reading, refusals, lies.

mod contract;
mod logging_in;
mod reading;
mod unwell;

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use ipnet::IpNet;
use penstock_domain::api::gcp_secret_manager::{
    GcpAuth, GcpCredentialsJson, GcpEndpoints, GcpSecretManagerProvider, GcpWorkloadIdentity,
};
use penstock_domain::api::shared::{SecretKeyRef, ServiceAccountRef};
use penstock_domain::api::store::{Identity, Provider};
use penstock_domain::bundle::Snapshot;
use penstock_domain::fault::FaultClass;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Credentials, StoreLimits, StoreObject};
use penstock_domain::sync::{SourceOptions, StoreKind, StoreReference};
use penstock_fakes::gcp::{Grant, Place, ServiceAccount, User};
use penstock_fakes::{FakeGcp, Listen};
use serde_json::json;

use super::store::GcpStore;
use crate::http::client::HttpLayer;
use crate::open::{OpenedStore as _, Proposal, StoreFailure, StoreQuery};
use crate::test_failures::{Illness, Patient};
use crate::test_ports::FakeCredentials;
use crate::test_stores::OneStore;

const READER: &str = "reader@shop.iam.gserviceaccount.com";
const POOL: &str =
    "//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/p/providers/k";

/// A key costs a second to make.
fn key() -> &'static (String, Vec<u8>) {
    static KEY: OnceLock<(String, Vec<u8>)> = OnceLock::new();
    KEY.get_or_init(penstock_fakes::new_key)
}

fn place() -> Place {
    Place::global("shop")
}

/// A project with an account that may read everything in it.
async fn gcp() -> FakeGcp {
    let fake = FakeGcp::start(Listen::Http).await.unwrap();
    {
        let mut model = fake.model();
        let account = ServiceAccount {
            keys: [("k-1".to_owned(), key().1.clone())].into(),
            ..ServiceAccount::default()
        };
        model.accounts.insert(READER.to_owned(), account);
        model.grants.insert(READER.to_owned(), Grant::reader());
        let user = User {
            client_id: "client".to_owned(),
            client_secret: "hunter2-client".to_owned(),
            refresh_token: "hunter2-refresh".to_owned(),
        };
        model.users.insert("me@example.com".to_owned(), user);
        let person = "me@example.com".to_owned();
        model.grants.insert(person, Grant::reader());
    }
    fake
}

fn put(fake: &FakeGcp, id: &str, value: impl AsRef<[u8]>) {
    fake.model().put(&place(), id, value);
}

fn secret_ref(key: &str) -> SecretKeyRef {
    SecretKeyRef {
        name: "gcp".to_owned(),
        key: key.to_owned(),
    }
}

fn with_json(key: &str) -> GcpAuth {
    GcpAuth {
        credentials_json: Some(GcpCredentialsJson {
            secret_ref: secret_ref(key),
        }),
        ..GcpAuth::default()
    }
}

fn federated(impersonate: Option<&str>) -> GcpAuth {
    GcpAuth {
        workload_identity: Some(GcpWorkloadIdentity {
            audience: POOL.to_owned(),
            service_account: Some(ServiceAccountRef {
                name: "reader".to_owned(),
                audiences: Vec::new(),
            }),
            token_ref: None,
            impersonate: impersonate.map(str::to_owned),
        }),
        ..GcpAuth::default()
    }
}

fn provider(fake: &FakeGcp, auth: GcpAuth) -> GcpSecretManagerProvider {
    let address = Some(fake.server().address());
    GcpSecretManagerProvider {
        project: "shop".to_owned(),
        endpoints: Some(GcpEndpoints {
            secret_manager: address.clone(),
            oauth2: address.clone(),
            sts: address.clone(),
            iam_credentials: address,
        }),
        auth: Some(auth),
        ..GcpSecretManagerProvider::default()
    }
}

/// SecretStore `gcp` of namespace `prod`.
fn store_object(provider: GcpSecretManagerProvider) -> StoreObject {
    StoreObject {
        reference: StoreReference {
            kind: StoreKind::Namespaced,
            name: ObjectName::new("gcp").unwrap(),
        },
        home: NamespaceName::new("prod").unwrap(),
        uid: "u-1".to_owned(),
        generation: 1,
        provider: Provider {
            gcp_secret_manager: Some(provider),
            ..Provider::default()
        },
        limits: StoreLimits::default(),
        identity: Identity::Credentials,
        allow: Vec::new(),
    }
}

fn key_document(token_uri: &str) -> String {
    json!({
        "type": "service_account", "project_id": "shop", "private_key_id": "k-1", "private_key": key().0,
        "client_email": READER, "client_id": "1", "token_uri": token_uri, "universe_domain": "googleapis.com",
        "auth_uri": "https://accounts.google.com/o/oauth2/auth",
    })
    .to_string()
}

fn credentials() -> Arc<FakeCredentials> {
    let own = key_document("https://oauth2.googleapis.com/token");
    let evil = key_document("https://evil.example/token");
    let user = json!({
        "type": "authorized_user", "client_id": "client", "client_secret": "hunter2-client",
        "refresh_token": "hunter2-refresh",
    })
    .to_string();
    FakeCredentials::new(&[
        ("prod/gcp/key", &own),
        ("prod/gcp/evil", &evil),
        ("prod/gcp/user", &user),
        ("prod/gcp/token", "token of ci\n"),
        ("penstock-system/gcp/key", &own),
    ])
}

fn layer() -> HttpLayer {
    HttpLayer::new(vec!["127.0.0.0/8".parse::<IpNet>().unwrap()])
}

async fn open_store(object: &StoreObject) -> Result<GcpStore, StoreFailure> {
    let provider = object.provider.gcp_secret_manager.as_ref().unwrap();
    let credentials: Arc<dyn Credentials> = credentials();
    GcpStore::open(object, provider, &layer(), &credentials)
        .await
        .map_err(|error| error.fault("store").into())
}

async fn open(fake: &FakeGcp, auth: GcpAuth) -> GcpStore {
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

fn labelled(pairs: &[(&str, &str)], leave_out: bool) -> SourceOptions {
    let own = |(key, value): &(&str, &str)| ((*key).to_owned(), (*value).to_owned());
    SourceOptions::GcpSecretManager {
        labels: pairs.iter().map(own).collect::<BTreeMap<_, _>>(),
        leave_out,
    }
}

/// What a query means, and then its answer.
async fn ask(store: &GcpStore, query: StoreQuery) -> Result<Snapshot, StoreFailure> {
    let proposal = propose(query)?;
    store.read("store", &proposal.query).await
}

fn propose(query: StoreQuery) -> Result<Proposal, StoreFailure> {
    GcpStore::propose(&GcpSecretManagerProvider::default(), query)
        .map_err(|error| error.fault("store").into())
}

async fn read(store: &GcpStore, path: &str) -> Result<Snapshot, StoreFailure> {
    ask(store, query(path)).await
}

async fn class(store: &GcpStore, path: &str) -> FaultClass {
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
    let fake = gcp().await;
    put(&fake, "a", "1");
    if !trusted {
        fake.model().accounts.clear();
    }
    let store = store_object(provider(&fake, with_json("key")));
    let store = OneStore::with(store, credentials(), &["127.0.0.0/8"]);
    Patient::new(store, ("a", "never"), move |illness| {
        let mut model = fake.model();
        match illness {
            Illness::Denied => model.grants.clear(),
            Illness::Throttled => model.behaviour.throttle = Some(Some(12)),
            illness => model.behaviour.outage = illness.outage(),
        }
        true
    })
}
