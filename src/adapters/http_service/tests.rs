//! The client against a small service.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use penstock_domain::api::http::{HttpMethod, HttpNotFound, HttpProvider, HttpSecret};
use penstock_domain::api::store::{Identity, Provider};
use penstock_domain::conditions::Reason;
use penstock_domain::fault::FaultClass;
use penstock_domain::names::SyncId;
use penstock_domain::ports::Sources;
use penstock_domain::stores::StoreProbe;
use penstock_domain::sync::{SourceOptions, ValidatedSource};
use penstock_domain::testing::contract::source::{Content, SourceWorld};
use penstock_domain::testing::sync_id;
use serde_json::{Value, json};

use crate::http::test_server::{Received, Reply, TestServer};
use crate::test_failures::Patient;
use crate::test_stores::{
    OneStore, cluster_store, contract_holds, lines, secret_ref, store, values,
};

const SECRETS: &[(&str, &str)] = &[("token", "hunter2\"x\n")];

type Documents = Arc<Mutex<BTreeMap<String, Value>>>;

/// Gives documents below `/v1/` to whoever has the token, and says in its own words what it does not have.
async fn service(documents: &Documents) -> TestServer {
    let own = Arc::clone(documents);
    TestServer::http(move |request| {
        let authorized = request.header("authorization") == Some("Bearer hunter2\"x");
        if !authorized {
            return Reply::json(401, &json!({"error": {"code": "UNAUTHENTICATED"}}));
        }
        let path = request.target.split('?').next().unwrap_or_default();
        let name = path.trim_start_matches("/v1/");
        match own.lock().unwrap().get(name) {
            None => Reply::json(404, &json!({"error": {"code": "NO_SUCH_KEY"}})),
            Some(document) => tagged(request, document),
        }
    })
    .await
}

fn tagged(request: &Received, document: &Value) -> Reply {
    let text = document.to_string();
    let tag = format!("\"{}\"", text.len());
    if request.header("if-none-match") == Some(tag.as_str()) {
        return Reply::new(304, "").header("etag", &tag);
    }
    Reply::new(200, text).header("etag", &tag)
}

fn provider(server: &TestServer) -> HttpProvider {
    HttpProvider {
        address: format!("{}/v1", server.url()),
        headers: [("Authorization".to_owned(), "Bearer {{ token }}".into())].into(),
        secrets: vec![HttpSecret {
            name: "token".to_owned(),
            secret_ref: secret_ref("token"),
        }],
        not_found: Some(HttpNotFound {
            status: None,
            property: "error.code".to_owned(),
            equals: "NO_SUCH_KEY".to_owned(),
        }),
        ..HttpProvider::default()
    }
}

fn of(provider: HttpProvider) -> Provider {
    Provider {
        http: Some(provider),
        ..Provider::default()
    }
}

fn open(provider: HttpProvider) -> OneStore {
    OneStore::new(store(of(provider)), SECRETS)
}

fn with(store: &OneStore, path: &str, result: &str, raw: bool) -> ValidatedSource {
    ValidatedSource {
        options: SourceOptions::Http {
            result: result.to_owned(),
            raw,
        },
        ..store.source(path)
    }
}

struct World {
    documents: Documents,
    _server: TestServer,
    store: OneStore,
}

#[async_trait]
impl SourceWorld for World {
    fn sources(&self) -> &dyn Sources {
        &self.store.registry
    }

    fn sync(&self) -> SyncId {
        sync_id("prod", "shop")
    }

    fn source(&self, place: &str) -> ValidatedSource {
        self.store.source(place)
    }

    async fn put(&self, place: &str, content: &Content) {
        let mut documents = self.documents.lock().unwrap();
        documents.insert(place.to_owned(), json!(content));
    }

    async fn remove(&self, place: &str) {
        self.documents.lock().unwrap().remove(place);
    }
}

#[tokio::test]
async fn the_contract_holds() {
    contract_holds(async || {
        let documents = Documents::default();
        let server = service(&documents).await;
        let store = open(provider(&server));
        World {
            documents,
            _server: server,
            store,
        }
    })
    .await;
}

fn documents(pairs: &[(&str, Value)]) -> Documents {
    let own = |(name, value): &(&str, Value)| ((*name).to_owned(), value.clone());
    Arc::new(Mutex::new(pairs.iter().map(own).collect()))
}

#[tokio::test]
async fn a_document_gives_its_members_or_a_part_of_it() {
    let held = documents(&[(
        "apps/shop",
        json!({"data": {"DB_URL": "postgres://", "PORT": 5432}, "list": ["a"]}),
    )]);
    let server = service(&held).await;
    let store = open(provider(&server));
    let data = store.read(&with(&store, "apps/shop", "data", false)).await;
    assert_eq!(
        lines(&data.unwrap()),
        ["apps/shop DB_URL=postgres://", "apps/shop PORT=5432"]
    );
    let one = with(&store, "apps/shop", "data.PORT", false);
    assert_eq!(lines(&store.read(&one).await.unwrap()), ["apps shop=5432"]);
    let raw = with(&store, "apps/shop", "", true);
    let raw = store.read(&raw).await.unwrap();
    assert!(values(&raw)["shop"].starts_with('{'));
    let field = ValidatedSource {
        field: Some("DB_URL".to_owned()),
        ..with(&store, "apps/shop", "data", false)
    };
    assert_eq!(store.read(&field).await.unwrap().entries.len(), 1);
    let never = with(&store, "apps/shop", "never", false);
    let fault = store.read(&never).await.unwrap_err();
    assert_eq!(fault.class, FaultClass::NotFound);
    let list = with(&store, "apps/shop", "list", false);
    assert_eq!(
        lines(&store.read(&list).await.unwrap()),
        ["apps shop=[\"a\"]"]
    );
}

#[tokio::test]
async fn credentials_travel_in_headers_and_bodies_and_are_escaped_there() {
    let server = TestServer::http(|request| {
        Reply::json(200, &json!({"SAID": request.json()["query"]["key"]}))
    })
    .await;
    let store = open(HttpProvider {
        method: Some(HttpMethod::Post),
        query: [("format".to_owned(), "full".to_owned())].into(),
        body: Some(r#"{"query":{"key":"<{{ token }}>"}}"#.into()),
        ..provider(&server)
    });
    let snapshot = store.read(&store.source("graph")).await.unwrap();
    assert_eq!(values(&snapshot)["SAID"], "<hunter2\"x>");
    let seen = &server.seen()[0];
    assert_eq!(
        (seen.method.as_str(), seen.target.as_str()),
        ("POST", "/v1/graph?format=full")
    );
    assert_eq!(seen.header("authorization"), Some("Bearer hunter2\"x"));
    // A tag belongs to a GET: every read asks.
    store.refresh(&store.source("graph")).await.unwrap();
    assert!(server.seen()[1].header("if-none-match").is_none());
}

#[tokio::test]
async fn an_unchanged_document_is_an_answer_without_a_body() {
    let held = documents(&[("app", json!({"K": "1"}))]);
    let server = service(&held).await;
    let store = open(provider(&server));
    let source = store.source("app");
    let first = store.refresh(&source).await.unwrap();
    assert!(store.refresh(&source).await.unwrap() == first);
    assert!(server.seen()[1].header("if-none-match").is_some());
    held.lock()
        .unwrap()
        .insert("app".to_owned(), json!({"K": "22"}));
    assert_eq!(values(&store.refresh(&source).await.unwrap())["K"], "22");
    store.read(&source).await.unwrap();
    assert!(server.seen()[3].header("if-none-match").is_none());
}

#[tokio::test]
async fn what_the_spec_says_wrong_is_told_by_its_field() {
    let held = Documents::default();
    let server = service(&held).await;
    let headers = |name: &str, value: &str| HttpProvider {
        headers: [(name.to_owned(), value.into())].into(),
        ..provider(&server)
    };
    for (provider, field) in [
        (headers("Host", "elsewhere"), "headers"),
        (headers("Content-Length", "0"), "headers"),
        (headers("a b", "x"), "headers"),
        (headers("X-Key", "{{ other }}"), "headers"),
        (headers("X-Key", "{{ token | upper }}"), "headers"),
        (
            HttpProvider {
                body: Some("{}".into()),
                ..provider(&server)
            },
            "body",
        ),
        (
            HttpProvider {
                method: Some(HttpMethod::Post),
                body: Some(r#"{"a":{{ token }}}"#.into()),
                ..provider(&server)
            },
            "body",
        ),
    ] {
        let fault = open(provider).fault("app").await;
        assert_eq!(fault.class, FaultClass::Invalid, "{fault}");
        assert!(
            fault.subject.ends_with(&format!("provider.http.{field}")),
            "{fault}"
        );
        assert!(!format!("{fault} {fault:?}").contains("hunter2"));
    }
    let store = open(provider(&server));
    for source in [
        ValidatedSource {
            environment: Some("prod".to_owned()),
            ..store.source("app")
        },
        ValidatedSource {
            version: Some("1".to_owned()),
            ..store.source("app")
        },
        ValidatedSource {
            options: SourceOptions::Vault { mount: None },
            ..store.source("app")
        },
    ] {
        let fault = store.read(&source).await.unwrap_err();
        assert_eq!(fault.class, FaultClass::Invalid, "{fault}");
    }
    assert_eq!(store.fault("a/../b").await.class, FaultClass::Invalid);
    assert!(server.seen().is_empty(), "nothing was sent");
}

/// What the service answers, whatever is asked.
async fn answering(reply: Reply) -> (TestServer, OneStore) {
    let server = TestServer::http(move |_| reply.clone()).await;
    let store = open(provider(&server));
    (server, store)
}

#[tokio::test]
async fn every_status_has_its_class() {
    for (reply, class) in [
        (Reply::new(404, "<html>"), FaultClass::Unavailable),
        (
            Reply::json(404, &json!({"error": {"code": "OTHER"}})),
            FaultClass::Unavailable,
        ),
        (
            Reply::json(404, &json!({"error": {"code": "NO_SUCH_KEY"}})),
            FaultClass::NotFound,
        ),
        (
            Reply::new(200, "<html>log in</html>"),
            FaultClass::Unavailable,
        ),
        (Reply::new(200, ""), FaultClass::Unavailable),
        (Reply::new(200, "{\"a\":"), FaultClass::Unavailable),
        (Reply::new(200, "[1]"), FaultClass::Invalid),
        (Reply::new(204, ""), FaultClass::Unavailable),
        (Reply::new(304, ""), FaultClass::Unavailable),
        (
            Reply::new(302, "").header("location", "https://elsewhere.example.com/"),
            FaultClass::Unavailable,
        ),
        (Reply::new(400, "{}"), FaultClass::Invalid),
        (Reply::new(401, ""), FaultClass::Denied),
        (Reply::new(403, ""), FaultClass::Denied),
        (Reply::new(500, ""), FaultClass::Unavailable),
        (Reply::hang_up(), FaultClass::Unavailable),
        (
            Reply::new(200, "{\"A\":\"1\"").header("content-length", "400"),
            FaultClass::Unavailable,
        ),
        (
            Reply::new(200, "").header("content-length", "99999999"),
            FaultClass::Invalid,
        ),
    ] {
        let (_server, store) = answering(reply.clone()).await;
        let fault = store.fault("app").await;
        assert_eq!(fault.class, class, "{reply:?}: {fault}");
    }
    let throttled = Reply::new(429, "").header("retry-after", "12");
    let (server, store) = answering(throttled).await;
    assert_eq!(
        store.fault("app").await.retry_after().unwrap().as_secs(),
        12
    );
    assert_eq!(store.fault("app").await.reason, Reason::Throttled);
    assert_eq!(server.seen().len(), 1, "nobody knocks meanwhile");
}

#[tokio::test]
async fn ten_thousand_members_are_read_and_one_more_is_not() {
    let members = |count: usize| {
        let member = |number| (format!("KEY_{number}"), json!(""));
        Value::Object((0..count).map(member).collect())
    };
    let held = documents(&[("all", members(10_000)), ("more", members(10_001))]);
    let server = service(&held).await;
    let store = open(provider(&server));
    let snapshot = store.read(&store.source("all")).await.unwrap();
    assert_eq!(snapshot.entries.len(), 10_000);
    assert_eq!(store.fault("more").await.class, FaultClass::Invalid);
}

#[tokio::test]
async fn a_tenant_reaches_no_address_of_the_inside_and_nobody_uses_the_operators_identity() {
    let server = service(&Documents::default()).await;
    let inside = OneStore::allowing(store(of(provider(&server))), SECRETS, &[]);
    assert_eq!(inside.fault("app").await.reason, Reason::EgressDenied);
    let mut operator = cluster_store(of(provider(&server)), &["/"]);
    operator.identity = Identity::Operator;
    let operator = OneStore::new(operator, SECRETS);
    assert_eq!(operator.fault("app").await.class, FaultClass::Invalid);
    assert!(server.seen().is_empty());
}

#[tokio::test]
async fn a_namespace_reads_the_paths_that_an_entry_names() {
    let held = documents(&[
        ("apps/shop", json!({"K": "1"})),
        ("other", json!({"K": "1"})),
    ]);
    let server = service(&held).await;
    let store = OneStore::new(cluster_store(of(provider(&server)), &["apps"]), SECRETS);
    assert!(store.read(&store.source("apps/shop")).await.is_ok());
    for path in ["other", "", "appstore"] {
        assert_eq!(store.fault(path).await.reason, Reason::NotAllowed, "{path}");
    }
}

#[tokio::test]
async fn the_check_tells_a_refused_credential_and_nothing_more() {
    let server = service(&Documents::default()).await;
    let good = open(provider(&server));
    assert!(
        good.registry.check(&good.store).await.is_ok(),
        "its own 404 will do"
    );
    let bad = OneStore::new(store(of(provider(&server))), &[("token", "wrong")]);
    let fault = bad.registry.check(&bad.store).await.unwrap_err();
    assert_eq!(fault.reason, Reason::CredentialsRefused);
}

/// See [`crate::test_failures`].
pub(crate) async fn patient(trusted: bool) -> Patient {
    let held = documents(&[("app", json!({"K": "1"}))]);
    let instead: Arc<Mutex<Option<Reply>>> = Arc::default();
    let answered = Arc::clone(&instead);
    let server = TestServer::http(move |request| {
        if let Some(reply) = &*answered.lock().unwrap() {
            return reply.clone();
        }
        if !trusted {
            return Reply::json(401, &json!({"error": "PROVIDER SAYS"}));
        }
        match request.target.strip_prefix("/v1/") {
            Some("app") => Reply::json(200, &held.lock().unwrap()["app"]),
            _ => Reply::json(404, &json!({"error": {"code": "NO_SUCH_KEY"}})),
        }
    })
    .await;
    let store = open(provider(&server));
    Patient::new(store, ("app", "never"), move |illness| {
        let reply = illness.reply("PROVIDER SAYS", "PROVIDER SAYS");
        *instead.lock().unwrap() = Some(reply);
        true
    })
}
