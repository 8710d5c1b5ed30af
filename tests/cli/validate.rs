//! `spec.validate` from the command line: what fails is not written, and what was rejected is not asked about again.
#![expect(
    clippy::unwrap_used,
    reason = "support of tests: what is broken here ends the test"
)]

use std::io::{Read as _, Write as _};
use std::net::TcpListener;
use std::sync::Arc;
use std::sync::atomic::{AtomicU16, AtomicUsize, Ordering};

use insta::assert_snapshot;

use super::stage::{Stage, literals, marker};

/// A provider that answers every request with one status, and counts them.
struct Provider {
    address: String,
    status: Arc<AtomicU16>,
    asked: Arc<AtomicUsize>,
}

impl Provider {
    fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = format!("http://{}", listener.local_addr().unwrap());
        let (status, asked) = (Arc::new(AtomicU16::new(200)), Arc::default());
        let (says, counts) = (Arc::clone(&status), Arc::clone(&asked));
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let mut stream = stream.unwrap();
                let mut request = [0; 4096];
                let length = stream.read(&mut request).unwrap_or_default();
                let text = String::from_utf8_lossy(&request[..length]).to_lowercase();
                if text.contains(&format!("authorization: bearer {}", marker("llm"))) {
                    AtomicUsize::fetch_add(&counts, 1, Ordering::SeqCst);
                }
                let status = says.load(Ordering::SeqCst);
                let reply = format!(
                    "HTTP/1.1 {status} x\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
                );
                drop(stream.write_all(reply.as_bytes()));
            }
        });
        Self {
            address,
            status,
            asked,
        }
    }

    fn says(&self, status: u16) {
        self.status.store(status, Ordering::SeqCst);
    }

    /// How often it was asked since the last look.
    fn asked(&self) -> usize {
        self.asked.swap(0, Ordering::SeqCst)
    }

    fn validator(&self) -> String {
        format!(
            "  validate:\n  - name: llm\n    key: LLM_API_KEY\n    http:\n      url: {}/v1/models\n      header: {{Authorization: \"Bearer {{{{ value }}}}\"}}\n",
            self.address
        )
    }
}

#[test]
fn a_value_that_looks_wrong_is_not_written() {
    let stage = Stage::new();
    let rule = "  validate: [{name: length, key: A, length: {min: 100}}]\n";
    stage.file("app.yaml", &literals(&[("A", &marker("a"))], rule));
    assert_snapshot!("too_short", stage.penstock("sync -f app.yaml").ended(1));
    assert_eq!(stage.read("app.env"), None);
}

#[test]
fn a_key_that_its_provider_refuses_is_not_written_and_not_asked_about_again() {
    let (stage, provider) = (Stage::new(), Provider::start());
    let document = |key: &str| literals(&[("LLM_API_KEY", key)], &provider.validator());
    stage.file("app.yaml", &document(&marker("llm")));
    provider.says(401);
    let refused = stage.penstock("sync -f app.yaml").ended(1);
    assert!(
        refused
            .to_string()
            .contains("validator llm: key LLM_API_KEY is refused")
    );
    assert_eq!(stage.read("app.env"), None);
    assert_eq!(provider.asked(), 1);
    provider.says(200);
    let rejected = stage.penstock("sync -f app.yaml").ended(1);
    assert!(
        rejected.to_string().contains("stays rejected"),
        "{rejected}"
    );
    assert_eq!(provider.asked(), 0, "the record remembers");
    stage.penstock("sync -f app.yaml --retry").ended(0);
    assert_eq!(provider.asked(), 1);
    assert!(stage.read("app.env").unwrap().contains(&marker("llm")));
    stage.penstock("sync -f app.yaml").ended(0);
    stage.penstock("plan -f app.yaml").ended(0);
    assert_eq!(provider.asked(), 0, "what is in use has passed");
}

#[test]
fn a_provider_that_stumbles_holds_the_write_and_rejects_nothing() {
    let (stage, provider) = (Stage::new(), Provider::start());
    let document = literals(&[("LLM_API_KEY", &marker("llm"))], &provider.validator());
    stage.file("app.yaml", &document);
    provider.says(503);
    let waits = stage.penstock("sync -f app.yaml").ended(1);
    assert!(waits.to_string().contains("could not be tried"), "{waits}");
    assert_eq!(stage.read("app.env"), None);
    provider.says(200);
    stage.penstock("sync -f app.yaml").ended(0);
}

#[test]
fn offline_names_the_host_that_a_validator_asks() {
    let stage = Stage::new();
    let rule =
        "  validate: [{name: llm, key: A, http: {url: \"https://api.example.com/v1/models\"}}]\n";
    stage.file("app.yaml", &literals(&[("A", &marker("a"))], rule));
    let told = stage.penstock("plan -f app.yaml --offline");
    assert!(
        told.to_string().contains("api.example.com (validator llm)"),
        "{told}"
    );
}
