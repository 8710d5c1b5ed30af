//! The client against the small Vault: logins, denials, folders, lies.

use std::sync::Arc;
use std::time::Duration;

use ipnet::IpNet;
use penstock_domain::api::store::Identity;
use penstock_domain::api::vault::VaultAuth;
use penstock_domain::bundle::{Snapshot, SourceVersion};
use penstock_domain::conditions::Reason;
use penstock_domain::fault::FaultClass;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{Capability, Credentials, StoreObject};
use penstock_domain::sync::SourceOptions;
use serde_json::json;

use super::fake::{FakeVault, app_role, service_account, token};
use super::store::VaultStore;
use crate::http::client::HttpLayer;
use crate::open::{OpenedStore, StoreFailure, StoreQuery};
use crate::test_failures::{Illness, Patient};
use crate::test_ports::FakeCredentials;
use crate::test_stores::OneStore;

fn layer() -> HttpLayer {
    HttpLayer::new(vec!["127.0.0.0/8".parse::<IpNet>().unwrap()])
}

fn credentials() -> Arc<FakeCredentials> {
    FakeCredentials::new(&[
        ("prod/vault/secretId", "secret-id-1\n"),
        ("prod/vault/token", "s.given\n"),
    ])
}

async fn open_store(store: &StoreObject) -> Result<VaultStore, StoreFailure> {
    let provider = store.provider.vault.as_ref().unwrap();
    let credentials: Arc<dyn Credentials> = credentials();
    VaultStore::open(store, provider, &layer(), &credentials)
        .await
        .map_err(|error| error.fault("store").into())
}

async fn open(vault: &FakeVault, auth: VaultAuth) -> VaultStore {
    open_store(&vault.store(auth)).await.unwrap()
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

async fn read(store: &VaultStore, path: &str) -> Result<Snapshot, StoreFailure> {
    store.read("store", &query(path)).await
}

async fn class(store: &VaultStore, path: &str) -> FaultClass {
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

#[tokio::test]
async fn a_secret_gives_an_entry_for_each_field() {
    let vault = FakeVault::start().await;
    vault.put(
        "apps/panbot",
        json!({"DB_URL": "postgres://", "PORT": 5432}),
    );
    let store = open(&vault, app_role()).await;
    let snapshot = read(&store, "apps/panbot").await.unwrap();
    assert_eq!(
        lines(&snapshot),
        ["apps/panbot DB_URL=postgres://", "apps/panbot PORT=5432"]
    );
    assert_eq!(snapshot.version, Some(SourceVersion::Counter(1)));
}

#[tokio::test]
async fn one_field_can_be_asked_for_and_must_be_there() {
    let vault = FakeVault::start().await;
    vault.put("app", json!({"a": "1", "b": "2"}));
    let store = open(&vault, app_role()).await;
    let field = |name: &str| StoreQuery {
        field: Some(name.to_owned()),
        ..query("app")
    };
    let snapshot = store.read("store", &field("b")).await.unwrap();
    assert_eq!(lines(&snapshot), ["app b=2"]);
    let failure = store.read("store", &field("c")).await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::NotFound);
}

#[tokio::test]
async fn a_hundred_readers_share_one_login_and_one_look_at_the_mount() {
    let vault = FakeVault::start().await;
    vault.put("app", json!({"a": "1"}));
    let store = open(&vault, app_role()).await;
    let reads = (0..100).map(|_| read(&store, "app"));
    let answers = futures::future::join_all(reads).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(vault.logins(), 1);
    assert_eq!(vault.count("GET", "/v1/sys/internal/ui/mounts/"), 1);
}

#[tokio::test]
async fn a_dead_token_is_replaced_once_for_all_readers() {
    let vault = FakeVault::start().await;
    vault.put("app", json!({"a": "1"}));
    let store = open(&vault, app_role()).await;
    read(&store, "app").await.unwrap();
    vault.model().tokens.clear();
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(2)).await;
    tokio::time::resume();
    let answers = futures::future::join_all((0..20).map(|_| read(&store, "app"))).await;
    assert!(answers.iter().all(Result::is_ok));
    assert_eq!(vault.logins(), 2);
}

#[tokio::test]
async fn a_denied_path_causes_no_storm_of_logins() {
    let vault = FakeVault::start().await;
    vault.put("app", json!({"a": "1"}));
    vault.model().denied.insert("secret/data/other".to_owned());
    let store = open(&vault, app_role()).await;
    read(&store, "app").await.unwrap();
    for _ in 0..5 {
        assert_eq!(class(&store, "other").await, FaultClass::Denied);
    }
    assert_eq!(vault.logins(), 1, "the token is young: it is the path");
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(11)).await;
    tokio::time::resume();
    for _ in 0..5 {
        assert_eq!(class(&store, "other").await, FaultClass::Denied);
    }
    assert_eq!(
        vault.logins(),
        2,
        "an old token is replaced once, then the path is known"
    );
    assert_eq!(
        vault.count("POST", "/v1/auth/token/revoke-self"),
        1,
        "and given back"
    );
    read(&store, "app").await.unwrap();
}

#[tokio::test]
async fn a_refused_login_is_not_repeated_at_once() {
    let vault = FakeVault::start().await;
    vault.model().secret_id = "another".to_owned();
    let store = open(&vault, app_role()).await;
    for _ in 0..10 {
        let failure = read(&store, "app").await.unwrap_err();
        assert_eq!(failure.fault.reason, Reason::CredentialsRefused);
        assert!(failure.blames_credentials);
        assert!(!format!("{failure:?}").contains("secret-id-1"));
    }
    assert_eq!(vault.logins(), 1);
}

#[tokio::test]
async fn a_token_is_renewed_in_time() {
    let vault = FakeVault::start().await;
    vault.put("app", json!({"a": "1"}));
    let store = open(&vault, app_role()).await;
    read(&store, "app").await.unwrap();
    tokio::time::pause();
    // The second renewal shows that the first one's answer was used.
    for renewals in 1..=2 {
        tokio::time::advance(Duration::from_mins(41)).await;
        tokio::time::resume();
        while vault.count("POST", "/v1/auth/token/renew-self") < renewals {
            tokio::task::yield_now().await;
        }
        store.session().settled().await;
        read(&store, "app").await.unwrap();
        tokio::time::pause();
    }
    assert_eq!(vault.logins(), 1, "one hour has passed twice");
}

#[tokio::test]
async fn a_lease_that_shrinks_ends_in_a_new_login() {
    let vault = FakeVault::start().await;
    vault.put("app", json!({"a": "1"}));
    let store = open(&vault, app_role()).await;
    read(&store, "app").await.unwrap();
    vault.model().lease = 60;
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(41)).await;
    tokio::time::resume();
    while vault.count("POST", "/v1/auth/token/renew-self") < 1 {
        tokio::task::yield_now().await;
    }
    store.session().settled().await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_mins(2)).await;
    tokio::time::resume();
    read(&store, "app").await.unwrap();
    assert_eq!(
        vault.count("POST", "/v1/auth/token/renew-self"),
        1,
        "no chase after seconds"
    );
    assert_eq!(vault.logins(), 2);
}

#[tokio::test]
async fn a_token_that_dies_by_use_is_replaced_before_it_is_refused() {
    let vault = FakeVault::start().await;
    vault.model().uses = 3;
    vault.put("app", json!({"a": "1"}));
    let store = open(&vault, app_role()).await;
    for _ in 0..5 {
        read(&store, "app").await.unwrap();
    }
    assert_eq!(vault.logins(), 2, "six requests, three each");
}

#[tokio::test]
async fn a_given_token_is_trimmed_used_and_never_revoked() {
    let vault = FakeVault::start().await;
    vault.put("app", json!({"a": "1"}));
    vault.model().tokens.insert("s.given".to_owned());
    let store = open(&vault, token()).await;
    read(&store, "app").await.unwrap();
    store.close().await;
    assert!(vault.model().tokens.contains("s.given"));
}

#[tokio::test]
async fn a_login_of_ours_is_given_back() {
    let vault = FakeVault::start().await;
    vault.put("app", json!({"a": "1"}));
    let store = open(&vault, app_role()).await;
    read(&store, "app").await.unwrap();
    store.close().await;
    assert!(vault.model().tokens.is_empty());
}

#[tokio::test]
async fn a_dead_given_token_is_told_from_a_denied_path() {
    let vault = FakeVault::start().await;
    let store = open(&vault, token()).await;
    let failure = read(&store, "app").await.unwrap_err();
    assert_eq!(failure.fault.reason, Reason::CredentialsRefused);
    assert!(failure.blames_credentials);
    vault.model().tokens.insert("s.given".to_owned());
    vault.model().denied.insert("secret/data/app".to_owned());
    let failure = read(&store, "app").await.unwrap_err();
    assert_eq!(failure.fault.reason, Reason::Denied);
    assert!(!failure.blames_credentials);
}

#[tokio::test]
async fn a_service_account_shows_a_token_for_this_store_only() {
    let vault = FakeVault::start().await;
    vault.put("app", json!({"a": "1"}));
    let store = open(&vault, service_account(&[])).await;
    read(&store, "app").await.unwrap();
    for audience in [
        "",
        " ",
        "api",
        "https://kubernetes.default.svc",
        "kubernetes.default.svc.cluster.local",
    ] {
        let failure = open_store(&vault.store(service_account(&["vault", audience]))).await;
        let Err(failure) = failure else {
            panic!("{audience:?} is refused")
        };
        assert_eq!(failure.fault.class, FaultClass::Invalid, "{audience:?}");
    }
}

#[tokio::test]
async fn the_operators_own_identity_is_not_for_vault() {
    let vault = FakeVault::start().await;
    let mut store = vault.store(service_account(&[]));
    store.identity = Identity::Operator;
    let Err(failure) = open_store(&store).await else {
        panic!("refused")
    };
    assert_eq!(failure.fault.class, FaultClass::Invalid);
}

#[tokio::test]
async fn the_namespace_goes_with_every_request() {
    let vault = FakeVault::start().await;
    vault.put("app", json!({"a": "1"}));
    let mut object = vault.store(app_role());
    object.provider.vault.as_mut().unwrap().namespace = Some("/team/a/".to_owned());
    read(&open_store(&object).await.unwrap(), "app")
        .await
        .unwrap();
    let seen = vault.server.seen();
    assert!(
        seen.iter()
            .all(|seen| seen.header("x-vault-namespace") == Some("team/a"))
    );
    assert!(
        seen.iter()
            .all(|seen| seen.header("x-vault-request") == Some("true"))
    );
    object.provider.vault.as_mut().unwrap().namespace = Some("team/../b".to_owned());
    assert!(open_store(&object).await.is_err());
}

#[tokio::test]
async fn a_folder_is_read_as_a_whole_in_order() {
    let vault = FakeVault::start().await;
    vault.put("apps/b", json!({"k": "b"}));
    vault.put("apps/a", json!({"k": "a"}));
    vault.put("apps/sub/c", json!({"k": "c"}));
    vault.put("apps", json!({"k": "namesake of the folder"}));
    let store = open(&vault, app_role()).await;
    let snapshot = read(&store, "apps/").await.unwrap();
    assert_eq!(lines(&snapshot), ["apps/a k=a", "apps/b k=b"]);
    assert_eq!(snapshot.version, None);
    let recursive = StoreQuery {
        recursive: true,
        ..query("apps/")
    };
    let snapshot = store.read("store", &recursive).await.unwrap();
    assert_eq!(
        lines(&snapshot),
        ["apps/a k=a", "apps/b k=b", "apps/sub/c k=c"]
    );
    let field = StoreQuery {
        field: Some("k".to_owned()),
        ..recursive
    };
    let snapshot = store.read("store", &field).await.unwrap();
    assert_eq!(lines(&snapshot), ["apps a=a", "apps b=b", "apps/sub c=c"]);
}

#[tokio::test]
async fn the_root_is_a_folder() {
    let vault = FakeVault::start().await;
    vault.put("a", json!({"k": "1"}));
    let store = open(&vault, app_role()).await;
    assert_eq!(lines(&read(&store, "").await.unwrap()), ["a k=1"]);
}

#[tokio::test]
async fn half_a_folder_is_no_folder() {
    let vault = FakeVault::start().await;
    vault.put("apps/a", json!({"k": "a"}));
    let store = open(&vault, app_role()).await;
    vault.model().vanishing.insert("apps/b".to_owned());
    assert_eq!(class(&store, "apps/").await, FaultClass::Unavailable);
    vault.model().vanishing.clear();
    vault.put("apps/c", json!({"k": "c"}));
    vault.model().denied.insert("secret/data/apps/c".to_owned());
    assert_eq!(class(&store, "apps/").await, FaultClass::Denied);
    vault.model().denied.clear();
    assert_eq!(read(&store, "apps/").await.unwrap().entries.len(), 2);
}

#[tokio::test]
async fn deleted_and_unwritten_secrets_are_no_part_of_a_folder() {
    let vault = FakeVault::start().await;
    vault.put("apps/a", json!({"k": "a"}));
    vault.model().deleted.insert("apps/b".to_owned());
    vault.model().unwritten.insert("apps/c".to_owned());
    let store = open(&vault, app_role()).await;
    assert_eq!(lines(&read(&store, "apps/").await.unwrap()), ["apps/a k=a"]);
    let failure = read(&store, "apps/b").await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::NotFound);
    assert!(failure.fault.message.contains("deleted"));
}

#[tokio::test]
async fn a_missing_folder_is_not_an_empty_one() {
    let vault = FakeVault::start().await;
    let store = open(&vault, app_role()).await;
    assert_eq!(class(&store, "apps/").await, FaultClass::NotFound);
}

#[tokio::test]
async fn a_version_is_pinned_or_the_answer_is_not_believed() {
    let vault = FakeVault::start().await;
    vault.put("app", json!({"a": "1"}));
    let store = open(&vault, app_role()).await;
    let pinned = |version: &str, path: &str| StoreQuery {
        version: Some(version.to_owned()),
        ..query(path)
    };
    let snapshot = store.read("store", &pinned("7", "app")).await.unwrap();
    assert_eq!(snapshot.version, Some(SourceVersion::Counter(7)));
    vault.model().lies_about_version = true;
    let failure = store.read("store", &pinned("7", "app")).await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::Unavailable);
    for (version, path) in [
        ("0", "app"),
        ("-1", "app"),
        ("latest", "app"),
        ("1", "apps/"),
    ] {
        let failure = store
            .read("store", &pinned(version, path))
            .await
            .unwrap_err();
        assert_eq!(failure.fault.class, FaultClass::Invalid, "{version} {path}");
    }
}

#[tokio::test]
async fn an_engine_that_makes_credentials_is_never_read() {
    let vault = FakeVault::start().await;
    let store = open(&vault, app_role()).await;
    let database = StoreQuery {
        options: SourceOptions::Vault {
            mount: Some("database".to_owned()),
        },
        ..query("creds/app")
    };
    let failure = store.read("store", &database).await.unwrap_err();
    assert_eq!(failure.fault.class, FaultClass::Invalid);
    assert_eq!(vault.count("GET", "/v1/database/"), 0);
}

#[tokio::test]
async fn what_vault_has_no_notion_of_is_refused() {
    let vault = FakeVault::start().await;
    let store = open(&vault, app_role()).await;
    let environment = StoreQuery {
        environment: Some("prod".to_owned()),
        ..query("app")
    };
    let kubernetes = StoreQuery {
        options: SourceOptions::Kubernetes { config_map: true },
        ..query("app")
    };
    for query in [environment, kubernetes] {
        let failure = store.read("store", &query).await.unwrap_err();
        assert_eq!(failure.fault.class, FaultClass::Invalid);
    }
}

#[tokio::test]
async fn a_sealed_server_is_unavailable() {
    let vault = FakeVault::start().await;
    vault.put("app", json!({"a": "1"}));
    let store = open(&vault, app_role()).await;
    read(&store, "app").await.unwrap();
    vault.model().sealed = true;
    assert_eq!(class(&store, "app").await, FaultClass::Unavailable);
    vault.model().sealed = false;
    read(&store, "app").await.unwrap();
}

#[tokio::test]
async fn a_check_logs_in_and_looks_every_time() {
    let vault = FakeVault::start().await;
    let store = open(&vault, app_role()).await;
    for looks in 1..=2 {
        let capabilities = store.probe("store").await.unwrap();
        assert!(capabilities.contains(&Capability::Versions));
        assert_eq!(
            vault.count("GET", "/v1/sys/internal/ui/mounts/secret"),
            looks
        );
    }
    vault.model().sealed = true;
    assert!(store.probe("store").await.is_err());
}

/// See [`crate::test_failures`].
pub(crate) async fn patient(trusted: bool) -> Patient {
    let vault = FakeVault::start().await;
    vault.put("app", json!({"a": "1"}));
    if !trusted {
        "another".clone_into(&mut vault.model().secret_id);
    }
    let store = OneStore::with(vault.store(app_role()), credentials(), &["127.0.0.0/8"]);
    Patient::new(store, ("app", "never"), move |illness| {
        let mut model = vault.model();
        match illness {
            Illness::Denied => drop(model.denied.insert("secret/data/app".to_owned())),
            illness => {
                let sealed = json!({"errors": ["PROVIDER SAYS: sealed"]}).to_string();
                let throttled = json!({"errors": ["PROVIDER SAYS: too many"]}).to_string();
                model.instead = Some(illness.reply(&sealed, &throttled));
            }
        }
        true
    })
}
