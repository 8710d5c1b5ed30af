//! Requests over a real port, to a world with two stores.

use std::sync::Mutex;

use async_trait::async_trait;
use jiff::Timestamp;
use penstock_domain::fault::{Fault, FaultClass};
use penstock_domain::names::{NamespaceName, ObjectName};
use penstock_domain::ports::Clock;
use penstock_domain::secret::SecretValue;
use penstock_domain::stores::{Credentials, TokenRequest};
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::sync::mpsc::{Receiver, channel};

use super::*;
use crate::hints::StoreHints;
use crate::world::{Change, TrackedStore, World};

/// The vector that Infisical's own way of signing gives.
const BODY: &str = r#"{"event":"secrets.modified","project":{"workspaceId":"p-1","projectId":"p-1","projectName":"demo","environment":"prod","environmentName":"Production","secretPath":"/","changedBy":"ci","changedByActorType":"identity"},"timestamp":1767225600000}"#;
const SIGNATURE: &str =
    "t=1767225600000;86587cc569f96653e7f8cd2293c8ab61821712d1bc2e01f0b20eb4d396b50f38";

struct Then;

impl Clock for Then {
    fn now(&self) -> Timestamp {
        Timestamp::from_second(1_767_225_601).unwrap()
    }
}

/// One Secret, or a fault of this class.
struct OneSecret(Mutex<Option<FaultClass>>);

#[async_trait]
impl Credentials for OneSecret {
    async fn secret_key(
        &self,
        namespace: &NamespaceName,
        name: &ObjectName,
        _key: &str,
    ) -> Result<SecretValue, Fault> {
        if let Some(class) = self.0.lock().unwrap().clone() {
            return Err(Fault::new(class, "s", "m"));
        }
        assert_eq!((namespace.as_str(), name.as_str()), ("prod", "hook"));
        Ok(SecretValue::from("whsec-example"))
    }

    async fn config_map_key(
        &self,
        _: &NamespaceName,
        _: &ObjectName,
        _: &str,
    ) -> Result<String, Fault> {
        Err(Fault::new(FaultClass::NotFound, "s", "m"))
    }

    async fn service_account_token(&self, _: &TokenRequest) -> Result<SecretValue, Fault> {
        Err(Fault::new(FaultClass::NotFound, "s", "m"))
    }
}

struct Case {
    address: SocketAddr,
    hints: Arc<StoreHints>,
    credentials: Arc<OneSecret>,
    changes: Receiver<Change>,
}

impl Case {
    async fn new() -> Self {
        let world = Arc::new(World::new(NamespaceName::new("penstock").unwrap()));
        let provider = json!({"infisical": {}});
        let webhook = json!({"secret": {"name": "hook", "key": "key"}, "signature": "infisical"});
        for (name, spec) in [
            ("signed", json!({"provider": provider, "webhook": webhook})),
            ("silent", json!({"provider": provider})),
        ] {
            let object = json!({
                "metadata": {"namespace": "prod", "name": name, "uid": name, "resourceVersion": "1"},
                "spec": spec,
            });
            let lean = serde_json::from_value(object).unwrap();
            let store = TrackedStore::of_namespace(lean).unwrap();
            world.apply(Change::Store(store.key.clone(), Some(Arc::new(store))));
        }
        let credentials = Arc::new(OneSecret(Mutex::default()));
        let port = Arc::clone(&credentials) as Arc<dyn Credentials>;
        let hints = Arc::new(StoreHints::default());
        let receiver = HookReceiver::new(world, port, Arc::new(Then), Arc::clone(&hints));
        let receiver = Arc::new(receiver);
        let (sender, changes) = channel(16);
        hints.begin(sender);
        let server = HookServer::listen(SocketAddr::from(([127, 0, 0, 1], 0)));
        let server = server.await.unwrap();
        let address = server.address();
        tokio::spawn(server.serve(Arc::clone(&receiver), CancellationToken::new()));
        Self {
            address,
            hints,
            credentials,
            changes,
        }
    }

    async fn send(&self, request: &[u8]) -> String {
        let mut stream = TcpStream::connect(self.address).await.unwrap();
        // It may be refused before it is sent as a whole.
        stream.write_all(request).await.ok();
        let mut answer = Vec::new();
        stream.read_to_end(&mut answer).await.ok();
        String::from_utf8(answer).unwrap()
    }

    async fn post(&self, path: &str, signature: &str, body: &str) -> String {
        let request = format!(
            "POST {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-infisical-signature: {signature}\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        );
        self.send(request.as_bytes()).await
    }

    async fn status(&self, path: &str) -> u16 {
        let answer = self.post(path, SIGNATURE, BODY).await;
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }
}

const SIGNED: &str = "/hooks/namespaces/prod/signed";

#[tokio::test]
async fn a_signed_request_wakes_whoever_reads_from_the_store() {
    let mut case = Case::new().await;
    assert_eq!(case.status(SIGNED).await, 202);
    let Some(Change::Hook(store)) = case.changes.recv().await else {
        panic!("a hint")
    };
    assert_eq!(store.to_string(), "prod/signed");
    assert_eq!(case.status(SIGNED).await, 202, "again within the window");
    assert!(case.changes.try_recv().is_err(), "and gathered");
}

#[tokio::test]
async fn whatever_is_wrong_is_answered_alike() {
    let mut case = Case::new().await;
    let expected = case.post("/hooks/namespaces/prod/never", SIGNATURE, BODY);
    let expected = without_date(&expected.await);
    assert!(expected.starts_with("HTTP/1.1 404"), "{expected}");
    let wrong = SIGNATURE.replace('8', "9");
    for (path, signature, body) in [
        ("/hooks/namespaces/prod/silent", SIGNATURE, BODY),
        ("/hooks/namespaces/other/signed", SIGNATURE, BODY),
        ("/hooks/clusterstores/signed", SIGNATURE, BODY),
        ("/", SIGNATURE, BODY),
        (SIGNED, wrong.as_str(), BODY),
        (SIGNED, "", BODY),
        (SIGNED, SIGNATURE, "{}"),
        (SIGNED, SIGNATURE, ""),
    ] {
        let answer = case.post(path, signature, body).await;
        assert_eq!(without_date(&answer), expected, "{path} {signature}");
    }
    let twice = format!(
        "POST {SIGNED} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nx-infisical-signature: {SIGNATURE}\r\nx-infisical-signature: {SIGNATURE}\r\ncontent-length: {}\r\n\r\n{BODY}",
        BODY.len()
    );
    assert_eq!(without_date(&case.send(twice.as_bytes()).await), expected);
    *case.credentials.0.lock().unwrap() = Some(FaultClass::NotFound);
    assert_eq!(case.status(SIGNED).await, 404, "its key is gone");
    assert!(case.changes.try_recv().is_err());
}

fn without_date(answer: &str) -> String {
    let lines = answer.lines().filter(|line| !line.starts_with("date"));
    lines.collect::<Vec<_>>().join("\n")
}

#[tokio::test]
async fn who_cannot_do_anything_about_it_says_so() {
    let case = Case::new().await;
    *case.credentials.0.lock().unwrap() = Some(FaultClass::Unavailable);
    assert_eq!(case.status(SIGNED).await, 503);
    *case.credentials.0.lock().unwrap() = None;
    case.hints.end();
    assert_eq!(case.status(SIGNED).await, 503);
    assert_eq!(case.status("/hooks/namespaces/prod/never").await, 503);
}

#[tokio::test]
async fn a_large_body_is_refused_before_it_is_read() {
    let case = Case::new().await;
    let announced = format!(
        "POST {SIGNED} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        MAX_BODY_BYTES + 1
    );
    let answer = case.send(announced.as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
    let mut chunked = format!(
        "POST {SIGNED} HTTP/1.1\r\nhost: x\r\nconnection: close\r\ntransfer-encoding: chunked\r\n\r\n"
    )
    .into_bytes();
    chunked.extend(format!("{:x}\r\n", MAX_BODY_BYTES + 1).bytes());
    chunked.extend(vec![b'x'; MAX_BODY_BYTES + 1]);
    let answer = case.send(&chunked).await;
    assert!(answer.starts_with("HTTP/1.1 413"), "{answer}");
}

#[tokio::test]
async fn other_methods_and_too_many_requests_are_refused() {
    let case = Case::new().await;
    let get = b"GET /hooks/clusterstores/a HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n";
    assert!(case.send(get).await.starts_with("HTTP/1.1 405"));
    let mut refused = false;
    for _ in 0..1000 {
        refused |= case.send(get).await.starts_with("HTTP/1.1 429");
        if refused {
            break;
        }
    }
    assert!(refused);
}
