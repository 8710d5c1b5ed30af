use std::collections::BTreeMap;
use std::sync::Arc;

use async_trait::async_trait;
use penstock_domain::api::kubernetes::{KubernetesProvider, KubernetesServer};
use penstock_domain::api::shared::SecretKeyRef;
use penstock_domain::api::store::{Identity, Provider};
use penstock_domain::bundle::Snapshot;
use penstock_domain::conditions::Reason;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::items::ItemState;
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::access::RemotePath;
use penstock_domain::stores::{
    Credentials, DataKind, DataObject, DataObjects, StoreLimits, StoreObject, TokenRequest,
};
use penstock_domain::sync::{SourceOptions, StoreKind, StoreReference};
use serde_json::{Value, json};

use super::{OtherCluster, OtherNamespace};
use crate::http::client::HttpLayer;
use crate::http::test_server::{Reply, TestServer};
use crate::open::{ItemAddress, OpenedStore, StoreFailure, StoreQuery};
use crate::test_failures::{Illness, Patient};
use crate::test_ports::FakeCredentials;
use crate::test_stores::OneStore;

fn store(kind: StoreKind, identity: Identity, provider: KubernetesProvider) -> StoreObject {
    StoreObject {
        reference: StoreReference {
            kind,
            name: ObjectName::new("shared").unwrap(),
        },
        home: NamespaceName::new("prod").unwrap(),
        uid: "u".to_owned(),
        generation: 1,
        provider: Provider {
            kubernetes: Some(provider),
            ..Provider::default()
        },
        limits: StoreLimits::default(),
        identity,
        allow: Vec::new(),
    }
}

fn provider() -> KubernetesProvider {
    KubernetesProvider {
        namespace: "platform".to_owned(),
        ..KubernetesProvider::default()
    }
}

fn query(path: &str) -> StoreQuery {
    StoreQuery {
        environment: None,
        path: RemotePath::parse(path).unwrap(),
        recursive: false,
        field: None,
        version: None,
        options: SourceOptions::None,
        on_behalf_of: NamespaceName::new("prod").ok(),
    }
}

fn names(snapshot: &Snapshot) -> Vec<&str> {
    let entries = snapshot.entries.iter();
    entries.map(|entry| entry.name.as_str()).collect()
}

/// Secret `database` of namespace `platform`, with an annotation.
struct Neighbours(Option<&'static str>);

#[async_trait]
impl DataObjects for Neighbours {
    async fn get(
        &self,
        namespace: &NamespaceName,
        kind: DataKind,
        name: &ObjectName,
    ) -> Result<Option<DataObject>, Fault> {
        assert_eq!(namespace.as_str(), "platform");
        let found = kind == DataKind::Secret && name.as_str() == "database";
        Ok(found.then(|| DataObject {
            resource_version: "1".to_owned(),
            accept_from: self.0.map(str::to_owned),
            data: BTreeMap::from([
                ("password".to_owned(), SecretValue::from("hunter2")),
                ("user".to_owned(), SecretValue::from("app")),
            ]),
        }))
    }
}

fn neighbour(accept_from: Option<&'static str>) -> OtherNamespace {
    let store = store(StoreKind::Cluster, Identity::Operator, provider());
    let objects: Arc<dyn DataObjects> = Arc::new(Neighbours(accept_from));
    OtherNamespace::open(&store, &provider(), &objects).unwrap()
}

#[test]
fn only_the_administrators_store_with_the_operators_identity_reaches_a_neighbour() {
    let objects: Arc<dyn DataObjects> = Arc::new(Neighbours(None));
    for (kind, identity, good) in [
        (StoreKind::Cluster, Identity::Operator, true),
        (StoreKind::Cluster, Identity::Credentials, false),
        (StoreKind::Namespaced, Identity::Operator, false),
        (StoreKind::Namespaced, Identity::Credentials, false),
    ] {
        let store = store(kind, identity, provider());
        let opened = OtherNamespace::open(&store, &provider(), &objects);
        assert_eq!(opened.is_ok(), good, "{kind:?} {identity:?}");
    }
}

#[tokio::test]
async fn an_object_of_a_neighbour_must_consent_to_store_and_namespace() {
    for (accept_from, good) in [
        (None, false),
        (Some(""), false),
        (Some("shared/prod"), true),
        (Some("other/x, shared/prod"), true),
        (Some("shared"), false),
        (Some("shared/"), false),
        (Some("shared/*"), false),
        (Some("shared/production"), false),
        (Some("shared/dev"), false),
        (Some("other/prod"), false),
        (Some("SHARED/prod"), false),
        (Some("shared/prod/x"), false),
    ] {
        let outcome = neighbour(accept_from).read("s", &query("database")).await;
        match outcome {
            Ok(snapshot) => {
                assert!(good, "{accept_from:?}");
                assert_eq!(names(&snapshot), ["password", "user"]);
            }
            Err(failure) => {
                assert!(!good, "{accept_from:?}");
                assert_eq!(failure.fault.reason, Reason::NotAllowed);
                assert!(!format!("{failure:?}").contains("hunter2"));
            }
        }
    }
    let nobody = StoreQuery {
        on_behalf_of: None,
        ..query("database")
    };
    assert!(
        neighbour(Some("shared/prod"))
            .read("s", &nobody)
            .await
            .is_err()
    );
}

#[tokio::test]
async fn a_source_is_one_object_or_one_key_of_it() {
    let store = neighbour(Some("shared/prod"));
    let field = |name: &str| StoreQuery {
        field: Some(name.to_owned()),
        ..query("database")
    };
    let snapshot = store.read("s", &field("user")).await.unwrap();
    assert_eq!(names(&snapshot), ["user"]);
    let class = async |query: StoreQuery| store.read("s", &query).await.unwrap_err().fault.class;
    assert_eq!(class(field("absent")).await, FaultClass::NotFound);
    assert_eq!(class(query("absent")).await, FaultClass::NotFound);
    assert_eq!(
        class(query("penstock-installation-key")).await,
        FaultClass::Denied
    );
    for path in ["", "database/", "a/b", "Database"] {
        assert_eq!(class(query(path)).await, FaultClass::Invalid, "{path}");
    }
    let versioned = StoreQuery {
        version: Some("1".to_owned()),
        ..query("database")
    };
    let environment = StoreQuery {
        environment: Some("prod".to_owned()),
        ..query("database")
    };
    let vault = StoreQuery {
        options: SourceOptions::Vault { mount: None },
        ..query("database")
    };
    for query in [versioned, environment, vault] {
        assert_eq!(class(query).await, FaultClass::Invalid);
    }
}

/// Answers every key of every Secret.
struct AnyCredentials(String);

#[async_trait]
impl Credentials for AnyCredentials {
    async fn secret_key(
        &self,
        namespace: &NamespaceName,
        _: &ObjectName,
        _: &str,
    ) -> Result<SecretValue, Fault> {
        assert_eq!(namespace.as_str(), "prod");
        Ok(SecretValue::from(self.0.as_str()))
    }

    async fn config_map_key(
        &self,
        _: &NamespaceName,
        _: &ObjectName,
        _: &str,
    ) -> Result<String, Fault> {
        Err(Fault::new(FaultClass::NotFound, "ConfigMap", "none here"))
    }

    async fn service_account_token(&self, _: &TokenRequest) -> Result<SecretValue, Fault> {
        Err(Fault::new(
            FaultClass::NotFound,
            "ServiceAccount",
            "none here",
        ))
    }
}

fn secret_ref() -> SecretKeyRef {
    SecretKeyRef {
        name: "east".to_owned(),
        key: "value".to_owned(),
    }
}

/// A store of the cluster behind `address`, whose CA bundle is `ca`.
async fn east(address: String, ca: Vec<u8>) -> Result<OtherCluster, Fault> {
    let provider = KubernetesProvider {
        server: Some(KubernetesServer {
            address,
            ca_bundle: String::from_utf8(ca).ok(),
            token_ref: secret_ref(),
            ..KubernetesServer::default()
        }),
        ..provider()
    };
    open(&provider, Identity::Credentials, "t-1\n").await
}

async fn open(
    provider: &KubernetesProvider,
    identity: Identity,
    credential: &str,
) -> Result<OtherCluster, Fault> {
    let allowed: Vec<ipnet::IpNet> = vec!["127.0.0.0/8".parse().unwrap()];
    let credentials: Arc<dyn Credentials> = Arc::new(AnyCredentials(credential.to_owned()));
    let kind = if identity == Identity::Operator {
        StoreKind::Cluster
    } else {
        StoreKind::Namespaced
    };
    let store = store(kind, identity, provider.clone());
    OtherCluster::open(&store, provider, &HttpLayer::new(allowed), &credentials).await
}

fn status(code: u16, reason: &str) -> Reply {
    let body = json!({"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": reason, "code": code});
    Reply::json(code, &body)
}

async fn api_server(secret: Value) -> TestServer {
    TestServer::https("127.0.0.1", move |request| {
        if request.header("authorization") != Some("Bearer t-1") {
            return status(401, "Unauthorized");
        }
        match request.target.as_str() {
            "/api/v1/namespaces/platform/secrets/database" => Reply::json(200, &secret),
            "/api/v1/namespaces/platform/secrets/closed" => status(403, "Forbidden"),
            "/api/v1/namespaces/platform/secrets/bare" => Reply::new(404, "404 page not found"),
            "/api/v1/namespaces/platform/secrets/busy" => status(429, "TooManyRequests"),
            "/api/v1/namespaces/platform/configmaps/settings" => Reply::json(
                200,
                &json!({"kind": "ConfigMap", "data": {"LEVEL": "3"}, "binaryData": {"b": "AP8="}}),
            ),
            _ => status(404, "NotFound"),
        }
    })
    .await
}

#[tokio::test]
async fn an_object_of_another_cluster_is_read_with_a_token() {
    let secret = json!({"kind": "Secret", "data": {"password": "aHVudGVyMg==", "empty": ""}});
    let server = api_server(secret).await;
    let address = format!("https://127.0.0.1:{}", server.port());
    let store = east(address, server.ca()).await.unwrap();
    let snapshot = store.read("s", &query("database")).await.unwrap();
    assert_eq!(names(&snapshot), ["empty", "password"]);
    assert_eq!(snapshot.entries[1].value, SecretValue::from("hunter2"));
    let settings = StoreQuery {
        options: SourceOptions::Kubernetes { config_map: true },
        ..query("settings")
    };
    let snapshot = store.read("s", &settings).await.unwrap();
    assert_eq!(names(&snapshot), ["LEVEL", "b"]);
    assert_eq!(snapshot.entries[1].value, SecretValue::new(vec![0, 0xff]));
    for (name, class) in [
        ("absent", FaultClass::NotFound),
        ("bare", FaultClass::Unavailable),
        ("closed", FaultClass::Denied),
        ("busy", FaultClass::Throttled { retry_after: None }),
    ] {
        let failure = store.read("s", &query(name)).await.unwrap_err();
        assert_eq!(failure.fault.class, class, "{name}");
    }
    assert!(store.probe("s").await.is_ok());
}

#[tokio::test]
async fn an_answer_of_another_kind_or_coding_is_not_believed() {
    for body in [
        json!({"kind": "SecretList", "items": []}),
        json!({"kind": "Secret", "data": {"password": "%%"}}),
        json!({"kind": "Secret", "data": ["x"]}),
        json!("x"),
    ] {
        let server = api_server(body.clone()).await;
        let address = format!("https://127.0.0.1:{}", server.port());
        let store = east(address, server.ca()).await.unwrap();
        let failure = store.read("s", &query("database")).await.unwrap_err();
        assert_eq!(failure.fault.class, FaultClass::Unavailable, "{body}");
    }
}

#[tokio::test]
async fn a_kubeconfig_leads_to_a_cluster_and_to_nothing_else() {
    use base64::Engine as _;
    let server = api_server(json!({"kind": "Secret", "data": {"user": "YXBw"}})).await;
    let ca = base64::engine::general_purpose::STANDARD.encode(server.ca());
    let file = |user: &str| {
        format!(
            "current-context: c\ncontexts: [{{name: c, context: {{cluster: c, user: u}}}}]\n\
             clusters: [{{name: c, cluster: {{server: 'https://127.0.0.1:{}', certificate-authority-data: {ca}}}}}]\n\
             users: [{{name: u, user: {{{user}}}}}]\n",
            server.port()
        )
    };
    let provider = KubernetesProvider {
        kubeconfig_ref: Some(secret_ref()),
        ..provider()
    };
    let store = open(&provider, Identity::Credentials, &file("token: t-1"))
        .await
        .unwrap();
    let snapshot = store.read("s", &query("database")).await.unwrap();
    assert_eq!(names(&snapshot), ["user"]);
    let store = open(&provider, Identity::Credentials, &file("token: wrong"))
        .await
        .unwrap();
    let failure: StoreFailure = store.read("s", &query("database")).await.unwrap_err();
    assert_eq!(failure.fault.reason, Reason::CredentialsRefused);
    assert!(failure.blames_credentials);
    for user in ["exec: {command: id}", "tokenFile: /etc/passwd"] {
        let refused = open(&provider, Identity::Credentials, &file(user)).await;
        let Err(fault) = refused else {
            panic!("{user} is refused")
        };
        assert_eq!(fault.class, FaultClass::Invalid, "{user}");
    }
    assert!(
        open(&provider, Identity::Operator, &file("token: t-1"))
            .await
            .is_err()
    );
}

/// An API server with one namespace of Secrets: each change counts a version up, and is refused where another is named.
async fn changing_server(secrets: Value) -> (TestServer, Arc<std::sync::Mutex<Value>>) {
    let held = Arc::new(std::sync::Mutex::new(secrets));
    let kept = Arc::clone(&held);
    let server = TestServer::https("127.0.0.1", move |request| {
        let mut held = kept.lock().unwrap();
        let folder = "/api/v1/namespaces/platform/secrets";
        let sent: Value = serde_json::from_slice(&request.body).unwrap_or(Value::Null);
        if let Some(query) = request.target.strip_prefix(folder).filter(|rest| !rest.starts_with('/')) {
            if request.method == "POST" {
                let name = sent["metadata"]["name"].as_str().unwrap().to_owned();
                if held[&name].is_object() {
                    return status(409, "AlreadyExists");
                }
                assert_eq!((&sent["kind"], &sent["type"]), (&json!("Secret"), &json!("Opaque")));
                held[&name] = json!({"rv": "1", "data": sent["data"]});
                return Reply::json(201, &sent);
            }
            let accepts = request.header("accept").unwrap_or_default();
            assert!(accepts.contains("PartialObjectMetadataList"), "{accepts}");
            assert!(query.contains("limit="), "{query}");
            let mut names: Vec<&String> = held.as_object().unwrap().keys().collect();
            // Two pages.
            let last = query.contains("continue=more");
            let next = if last { "" } else { "more" };
            names.retain(|name| (name.as_str() > "m") == last);
            let items: Vec<Value> = names.iter().map(|name| json!({"metadata": {"name": name}})).collect();
            let page = json!({"kind": "PartialObjectMetadataList", "metadata": {"continue": next}, "items": items});
            return Reply::json(200, &page);
        }
        let name = request.target.rsplit('/').next().unwrap().to_owned();
        if !held[&name].is_object() {
            return status(404, "NotFound");
        }
        let object = &mut held[&name];
        if request.method == "PATCH" {
            let kind = request.header("content-type");
            assert_eq!(kind, Some("application/merge-patch+json"));
            if sent["metadata"]["resourceVersion"] != object["rv"] {
                return status(409, "Conflict");
            }
            for (key, value) in sent["data"].as_object().unwrap() {
                object["data"][key] = value.clone();
            }
            object["rv"] = json!(format!("{}0", object["rv"].as_str().unwrap()));
        }
        let answer = json!({
            "kind": "Secret", "data": object["data"], "immutable": object["immutable"] == json!(true),
            "metadata": {"name": name, "resourceVersion": object["rv"], "annotations": object["marks"].as_object()
                .cloned().unwrap_or_default()},
        });
        Reply::json(200, &answer)
    })
    .await;
    (server, held)
}

#[tokio::test]
async fn secrets_of_another_cluster_are_listed_made_and_changed_key_by_key() {
    let (server, held) = changing_server(json!({
        "app": {"rv": "7", "data": {"KEPT": "a2VwdA==", "B": "Yg=="}},
        "frozen": {"rv": "1", "data": {}, "immutable": true},
        "target": {"rv": "1", "data": {}, "marks": {"penstock.dev/owner": "i/prod/shop"}},
    }))
    .await;
    let address = format!("https://127.0.0.1:{}", server.port());
    let store = east(address, server.ca()).await.unwrap();
    let items = store.items().unwrap();
    let path = |text: &str| RemotePath::parse(text).unwrap();
    let none = SourceOptions::None;
    let (app, new, root) = (path("app"), path("new"), path("/"));
    let (frozen, target) = (path("frozen"), path("target"));
    let at = |path| ItemAddress {
        environment: None,
        options: &none,
        path,
    };
    let value = |text: &str| SecretValue::from(text);

    assert_eq!(
        items.list("s", at(&root)).await.unwrap(),
        ["app", "frozen", "target"]
    );
    assert!(items.list("s", at(&app)).await.is_err(), "no folder");

    let item = items.read("s", at(&app)).await.unwrap();
    assert_eq!(item.keys["KEPT"], value("kept"));
    let keys = BTreeMap::from([("B".to_owned(), value("hunter2"))]);
    items.set("s", at(&app), &keys, &item.state).await.unwrap();
    assert_eq!(
        held.lock().unwrap()["app"]["data"],
        json!({"KEPT": "a2VwdA==", "B": "aHVudGVyMg=="})
    );
    let late = items
        .set("s", at(&app), &keys, &item.state)
        .await
        .unwrap_err();
    assert_eq!(
        late.fault.class,
        FaultClass::Conflict,
        "it is no longer as it was seen"
    );

    let item = items.read("s", at(&new)).await.unwrap();
    assert!(!item.exists);
    items.set("s", at(&new), &keys, &item.state).await.unwrap();
    let late = items
        .set("s", at(&new), &keys, &ItemState::new(""))
        .await
        .unwrap_err();
    assert_eq!(
        late.fault.class,
        FaultClass::Conflict,
        "somebody has made it"
    );
    assert_eq!(
        held.lock().unwrap()["new"]["data"],
        json!({"B": "aHVudGVyMg=="})
    );

    for (name, place) in [("frozen", &frozen), ("target", &target)] {
        let item = items.read("s", at(place)).await.unwrap();
        let refused = items
            .set("s", at(place), &keys, &item.state)
            .await
            .unwrap_err();
        assert_eq!(refused.fault.class, FaultClass::Invalid, "{name}");
        assert!(refused.fault.hint.is_some(), "{name}");
    }
    let wrong = BTreeMap::from([("NO KEY".to_owned(), value("x"))]);
    let item = items.read("s", at(&app)).await.unwrap();
    let refused = items
        .set("s", at(&app), &wrong, &item.state)
        .await
        .unwrap_err();
    assert!(
        refused.fault.message.contains("NO KEY"),
        "{}",
        refused.fault
    );
}

/// See [`crate::test_failures`].
pub(crate) async fn patient(trusted: bool) -> Patient {
    let instead: Arc<std::sync::Mutex<Option<Reply>>> = Arc::default();
    let answered = Arc::clone(&instead);
    let server = TestServer::https("127.0.0.1", move |request| {
        if let Some(reply) = &*answered.lock().unwrap() {
            return reply.clone();
        }
        match request.target.as_str() {
            _ if !trusted => status(401, "Unauthorized"),
            "/api/v1/namespaces/platform/secrets/database" => Reply::json(
                200,
                &json!({"kind": "Secret", "data": {"password": "eA=="}}),
            ),
            _ => status(404, "NotFound"),
        }
    })
    .await;
    let own = KubernetesProvider {
        server: Some(KubernetesServer {
            address: format!("https://127.0.0.1:{}", server.port()),
            ca_bundle: String::from_utf8(server.ca()).ok(),
            token_ref: secret_ref(),
            ..KubernetesServer::default()
        }),
        ..provider()
    };
    let store = store(StoreKind::Namespaced, Identity::Credentials, own);
    let credentials = FakeCredentials::new(&[("prod/east/value", "t-1\n")]);
    let store = OneStore::with(store, credentials, &["127.0.0.0/8"]);
    Patient::new(store, ("database", "never"), move |illness| {
        let reply = match illness {
            Illness::Denied => status(403, "Forbidden"),
            Illness::Throttled => status(429, "TooManyRequests").header("retry-after", "12"),
            Illness::Stumbling => status(500, "InternalError"),
            illness => illness.reply("", ""),
        };
        *instead.lock().unwrap() = Some(reply);
        true
    })
}
