use std::collections::BTreeSet;

use penstock_domain::api::store::{Allow, Provider};
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Capability, Credentials, StoreCatalog};
use penstock_domain::sync::SourceOptions;
use penstock_domain::testing::contract::source::{CASES, Content, SourceWorld};
use penstock_domain::testing::{self, sync_id};
use serde_json::json;

use super::*;
use crate::http::client::HttpLayer;
use crate::test_ports::{FakeCatalog, FakeCredentials, FakeObjects};
use crate::vault::fake::{FakeVault, app_role};

struct Case {
    vault: FakeVault,
    catalog: Arc<FakeCatalog>,
    credentials: Arc<FakeCredentials>,
    registry: Registry,
}

impl Case {
    async fn new() -> Self {
        let vault = FakeVault::start().await;
        vault.put("apps/panbot", json!({"DB_URL": "postgres://"}));
        let catalog = Arc::new(FakeCatalog::default());
        catalog.put(vault.store(app_role()));
        let credentials = FakeCredentials::new(&[
            ("prod/vault/secretId", "secret-id-1"),
            ("penstock-system/vault/secretId", "secret-id-1"),
        ]);
        let allowed: Vec<ipnet::IpNet> = vec!["127.0.0.0/8".parse().unwrap()];
        let registry = Registry::new(Reached {
            http: Arc::new(HttpLayer::new(allowed)),
            catalog: Arc::clone(&catalog) as Arc<dyn StoreCatalog>,
            credentials: Arc::clone(&credentials) as Arc<dyn Credentials>,
            objects: Arc::new(FakeObjects),
        });
        Self {
            vault,
            catalog,
            credentials,
            registry,
        }
    }

    async fn read(&self, sync: &str, source: &ValidatedSource) -> Result<Snapshot, Fault> {
        let within = Freshness::Within(Duration::from_mins(1));
        self.registry.read(&id(sync), source, within).await
    }

    /// Turns the store into a ClusterSecretStore with these entries.
    fn make_cluster(&self, allow: Vec<Allow>) -> StoreReference {
        let mut store = self.vault.store(app_role());
        store.reference.kind = StoreKind::Cluster;
        store.home = NamespaceName::new("penstock-system").unwrap();
        store.allow = allow;
        let reference = store.reference.clone();
        self.catalog.put(store);
        reference
    }
}

/// `namespace/name`
fn id(text: &str) -> SyncId {
    let (namespace, name) = text.split_once('/').unwrap();
    sync_id(namespace, name)
}

fn openbao() -> StoreReference {
    StoreReference {
        kind: StoreKind::Namespaced,
        name: ObjectName::new("openbao").unwrap(),
    }
}

fn source(origin: Origin) -> ValidatedSource {
    ValidatedSource {
        origin,
        path: "apps/panbot".to_owned(),
        ..testing::source("vault")
    }
}

fn from_store() -> ValidatedSource {
    source(Origin::Store(openbao()))
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    let entries = snapshot.entries.iter();
    entries.map(|entry| entry.name.as_str()).collect()
}

#[tokio::test]
async fn a_source_is_read_through_its_store() {
    let case = Case::new().await;
    let snapshot = case.read("prod/panbot", &from_store()).await.unwrap();
    assert_eq!(names(&snapshot), ["DB_URL"]);
}

#[tokio::test]
async fn a_missing_store_is_named() {
    let case = Case::new().await;
    // Another namespace has no such SecretStore, whatever prod has.
    let fault = case.read("dev/panbot", &from_store()).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::NotFound);
    assert_eq!(fault.reason, Reason::StoreNotFound);
    assert_eq!(
        fault.to_string(),
        "SecretStore openbao: it does not exist in this namespace. Create it, or correct the name"
    );
}

#[tokio::test]
async fn two_syncs_share_a_read_and_a_login() {
    let case = Case::new().await;
    for sync in ["prod/a", "prod/b", "prod/c", "prod/a"] {
        case.read(sync, &from_store()).await.unwrap();
    }
    assert_eq!(case.vault.count("GET", "/v1/secret/data/apps/panbot"), 2);
    assert_eq!(case.vault.logins(), 1);
    assert_eq!(case.credentials.fetched().len(), 1);
}

#[tokio::test]
async fn nothing_is_fetched_for_whom_nothing_is_allowed() {
    let case = Case::new().await;
    let reference = case.make_cluster(vec![]);
    let source = source(Origin::Store(reference));
    let fault = case.read("prod/panbot", &source).await.unwrap_err();
    assert_eq!(fault.reason, Reason::NotAllowed);
    assert!(case.credentials.fetched().is_empty());
    assert!(case.vault.server.seen().is_empty());
}

#[tokio::test]
async fn what_one_namespace_has_read_another_is_still_refused() {
    let case = Case::new().await;
    let allow = |namespace: &str| Allow {
        namespaces: Some(vec![namespace.to_owned()]),
        key_prefixes: vec!["apps/panbot".to_owned()],
        read: Some(true),
        ..Allow::default()
    };
    let reference = case.make_cluster(vec![allow("prod"), allow("stage")]);
    let source = source(Origin::Store(reference));
    for sync in ["prod/a", "stage/a", "prod/a"] {
        case.read(sync, &source).await.unwrap();
    }
    assert_eq!(
        case.vault.count("GET", "/v1/secret/data/"),
        2,
        "the third was kept"
    );
    let fault = case.read("dev/a", &source).await.unwrap_err();
    assert_eq!(fault.reason, Reason::NotAllowed);
    // A folder above what is allowed, by either way of asking for one.
    for path in ["apps/", "apps/panbot/../other", "apps/panbot-evil", "", "/"] {
        let mut outside = source.clone();
        outside.path = path.to_owned();
        assert!(case.read("prod/a", &outside).await.is_err(), "{path}");
    }
    let mut recursive = source.clone();
    recursive.path = "apps".to_owned();
    recursive.select.recursive = true;
    let fault = case.read("prod/a", &recursive).await.unwrap_err();
    assert_eq!(fault.reason, Reason::NotAllowed);
}

#[tokio::test]
async fn a_mount_other_than_the_stores_own_must_be_allowed() {
    let case = Case::new().await;
    let entry = Allow {
        namespaces: Some(vec!["prod".to_owned()]),
        key_prefixes: vec!["/".to_owned()],
        read: Some(true),
        ..Allow::default()
    };
    let mut source = source(Origin::Store(case.make_cluster(vec![entry])));
    for own in ["secret", "secret/", "/secret"] {
        source.options = SourceOptions::Vault {
            mount: Some(own.to_owned()),
        };
        case.read("prod/a", &source).await.unwrap();
    }
    for other in ["database", "secret/apps", "sys"] {
        source.options = SourceOptions::Vault {
            mount: Some(other.to_owned()),
        };
        let fault = case.read("prod/a", &source).await.unwrap_err();
        assert_eq!(fault.reason, Reason::NotAllowed, "{other}");
    }
    source.options = SourceOptions::Vault {
        mount: Some("secret/../sys".to_owned()),
    };
    let fault = case.read("prod/a", &source).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Invalid);
}

#[tokio::test]
async fn an_edited_store_is_opened_anew_and_its_login_given_back() {
    let case = Case::new().await;
    case.read("prod/a", &from_store()).await.unwrap();
    let mut store = case.vault.store(app_role());
    store.generation = 2;
    case.catalog.put(store);
    case.read("prod/a", &from_store()).await.unwrap();
    assert_eq!(case.vault.logins(), 2);
    assert_eq!(
        case.vault.model().tokens.len(),
        2,
        "others may still be reading"
    );
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(1)).await;
    tokio::time::resume();
    while case.vault.model().tokens.len() > 1 {
        tokio::task::yield_now().await;
    }
    assert!(case.vault.model().tokens.contains("s.2"));
    case.registry.close().await;
    assert!(case.vault.model().tokens.is_empty());
}

#[tokio::test]
async fn credentials_are_fetched_anew_when_told() {
    let case = Case::new().await;
    case.vault.model().secret_id = "secret-id-2".to_owned();
    let fault = case.read("prod/a", &from_store()).await.unwrap_err();
    assert_eq!(fault.reason, Reason::CredentialsRefused);
    case.credentials.set("prod/vault/secretId", "secret-id-2");
    let home = NamespaceName::new("prod").unwrap();
    case.registry.invalidate(&home, &openbao());
    case.read("prod/a", &from_store()).await.unwrap();
    assert_eq!(case.credentials.fetched().len(), 2);
}

#[tokio::test]
async fn credentials_that_are_refused_are_fetched_anew_once_a_minute() {
    let case = Case::new().await;
    case.vault.model().secret_id = "secret-id-2".to_owned();
    for _ in 0..5 {
        case.read("prod/a", &from_store()).await.unwrap_err();
    }
    assert_eq!(case.credentials.fetched().len(), 1);
    case.credentials.set("prod/vault/secretId", "secret-id-2");
    tokio::time::pause();
    tokio::time::advance(REFETCH).await;
    tokio::time::resume();
    case.read("prod/a", &from_store()).await.unwrap();
    assert_eq!(case.credentials.fetched().len(), 2);
}

#[tokio::test]
async fn a_store_that_cannot_be_opened_is_not_tried_for_every_sync() {
    let case = Case::new().await;
    let mut store = case.vault.store(app_role());
    let provider = store.provider.vault.as_mut().unwrap();
    let role = provider.auth.app_role.as_mut().unwrap();
    role.secret_id_ref.name = "missing".to_owned();
    case.catalog.put(store);
    for sync in 0..10 {
        let fault = case
            .read(&format!("prod/s{sync}"), &from_store())
            .await
            .unwrap_err();
        assert_eq!(fault.class, FaultClass::NotFound);
        assert!(fault.subject.contains("prod/missing/secretId"));
    }
    assert_eq!(case.credentials.fetched().len(), 1);
}

#[tokio::test]
async fn a_store_is_checked_through_the_same_login() {
    let case = Case::new().await;
    let store = case.vault.store(app_role());
    let capabilities = case.registry.check(&store).await.unwrap();
    assert_eq!(
        capabilities,
        BTreeSet::from([
            Capability::Read,
            Capability::List,
            Capability::Versions,
            Capability::Tags,
            Capability::Probe,
        ])
    );
    case.read("prod/a", &from_store()).await.unwrap();
    assert_eq!(case.vault.logins(), 1);
    let nothing = StoreObject {
        provider: Provider::default(),
        generation: 2,
        ..store
    };
    let fault = case.registry.check(&nothing).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::Invalid);
}

#[tokio::test]
async fn objects_of_the_namespace_are_sources() {
    let case = Case::new().await;
    let named = |name: &str| ObjectName::new(name).unwrap();
    let secret = |name: &str, optional| {
        source(Origin::Secret {
            name: named(name),
            optional,
        })
    };
    let snapshot = case
        .read("dev/a", &secret("settings", false))
        .await
        .unwrap();
    assert_eq!(names(&snapshot), ["bytes", "key"]);
    assert_eq!(snapshot.version, None, "a label is no news");
    assert_eq!(snapshot.entries[1].value, SecretValue::from("dev Secret"));
    let absent = case.read("dev/a", &secret("absent", true)).await.unwrap();
    assert_eq!(absent, Snapshot::default());
    let fault = case
        .read("dev/a", &secret("absent", false))
        .await
        .unwrap_err();
    assert_eq!(fault.class, FaultClass::NotFound);
    let map = source(Origin::ConfigMap {
        name: named("settings"),
        optional: false,
    });
    let snapshot = case.read("dev/a", &map).await.unwrap();
    assert_eq!(
        snapshot.entries[1].value,
        SecretValue::from("dev ConfigMap")
    );
}

#[tokio::test]
async fn literals_are_sources() {
    let case = Case::new().await;
    let values = BTreeMap::from([(Key::new("A").unwrap(), SecretValue::from("1"))]);
    let snapshot = case
        .read("dev/a", &source(Origin::Literal(values)))
        .await
        .unwrap();
    assert_eq!(names(&snapshot), ["A"]);
}

#[tokio::test]
async fn templates_are_texts_of_config_maps() {
    let case = Case::new().await;
    let template = async |name: &str, key: &str| {
        let (name, key) = (ObjectName::new(name).unwrap(), Key::new(key).unwrap());
        case.registry.template(&id("dev/a"), &name, &key).await
    };
    assert_eq!(template("settings", "key").await.unwrap(), "dev ConfigMap");
    for (name, key, class) in [
        ("absent", "key", FaultClass::NotFound),
        ("settings", "other", FaultClass::NotFound),
        ("settings", "bytes", FaultClass::Invalid),
    ] {
        assert_eq!(
            template(name, key).await.unwrap_err().class,
            class,
            "{name} {key}"
        );
    }
}

#[tokio::test]
async fn a_malformed_path_never_reaches_a_store() {
    let case = Case::new().await;
    for path in ["a//b", "../x", "a/%2e%2e/b"] {
        let mut source = from_store();
        source.path = path.to_owned();
        let fault = case.read("prod/a", &source).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::Invalid, "{path}");
        assert!(RemotePath::parse(path).is_err());
    }
    assert!(case.vault.server.seen().is_empty());
}

#[async_trait]
impl SourceWorld for Case {
    fn sources(&self) -> &dyn Sources {
        &self.registry
    }

    fn sync(&self) -> SyncId {
        id("prod/panbot")
    }

    fn source(&self, place: &str) -> ValidatedSource {
        ValidatedSource {
            path: format!("apps/{place}"),
            ..from_store()
        }
    }

    async fn put(&self, place: &str, content: &Content) {
        self.vault.put(&format!("apps/{place}"), json!(content));
    }

    async fn remove(&self, place: &str) {
        let path = format!("apps/{place}");
        self.vault.model().secrets.remove(&path);
    }
}

#[tokio::test]
async fn the_contract_of_sources_holds() {
    for case in CASES {
        (case.run)(&Case::new().await).await;
    }
}
