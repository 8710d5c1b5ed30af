//! What answers of other systems say about a value, over real connections on the loopback interface.

use std::collections::BTreeMap;
use std::time::Duration;

use penstock_domain::api::shared::MaskedText;
use penstock_domain::api::then::HttpMethod;
use penstock_domain::names::{Key, NamespaceName, ObjectName};
use penstock_domain::validate::{Check, ExpectedJson, HttpRequest};

use super::*;
use crate::http::test_server::{Reply, TestServer};

fn sync() -> SyncId {
    SyncId {
        namespace: NamespaceName::new("prod").unwrap(),
        name: ObjectName::new("llm").unwrap(),
    }
}

fn open() -> NetworkValidators {
    let loopback: Vec<ipnet::IpNet> = vec!["127.0.0.0/8".parse().unwrap()];
    NetworkValidators::new(Arc::new(HttpLayer::new(loopback)))
}

fn request(url: &str) -> HttpRequest {
    let header = MaskedText::from("Bearer {{ value }}");
    HttpRequest {
        url: url.to_owned(),
        method: HttpMethod::Get,
        headers: BTreeMap::from([("authorization".to_owned(), header)]),
        body: None,
        expect_status: Vec::new(),
        expect_json: Vec::new(),
    }
}

async fn ask(validators: &NetworkValidators, check: RemoteCheck, value: &str) -> Verdict {
    let validator = Validator {
        name: "llm".to_owned(),
        key: Key::new("LLM_API_KEY").unwrap(),
        check: Check::Elsewhere(check.clone()),
        every: None,
        timeout: Duration::from_secs(5),
    };
    let value = SecretValue::from(value);
    validators.ask(&sync(), (&validator, &check), &value).await
}

async fn answered(reply: Reply) -> Verdict {
    let server = TestServer::http(move |_| reply.clone()).await;
    let check = RemoteCheck::Http(request(&server.url()));
    ask(&open(), check, "marker-9c1").await
}

fn class(verdict: &Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Failed(_) => "failed",
        Verdict::Inconclusive { .. } => "inconclusive",
    }
}

fn why(verdict: &Verdict) -> &str {
    match verdict {
        Verdict::Passed => "",
        Verdict::Failed(why) | Verdict::Inconclusive { why, .. } => why,
    }
}

#[tokio::test]
async fn only_a_refusal_of_the_value_fails_it() {
    for (status, expected) in [
        (200, "passed"),
        (204, "passed"),
        (401, "failed"),
        (402, "failed"),
        (403, "failed"),
        (400, "failed"),
        (422, "failed"),
        (404, "inconclusive"),
        (405, "inconclusive"),
        (302, "inconclusive"),
        (408, "inconclusive"),
        (429, "inconclusive"),
        (500, "inconclusive"),
        (503, "inconclusive"),
    ] {
        let verdict = answered(Reply::new(status, "marker-9c1 is not good")).await;
        assert_eq!(class(&verdict), expected, "{status}: {verdict:?}");
        assert!(!why(&verdict).contains("9c1"), "{verdict:?}");
    }
}

#[tokio::test]
async fn an_exhausted_account_fails_and_a_rate_limit_waits_as_long_as_it_asks() {
    let body = serde_json::json!({"error": {"code": "insufficient_quota"}});
    assert_eq!(class(&answered(Reply::json(429, &body)).await), "failed");
    let body = serde_json::json!({"error": {"code": "rate_limit_exceeded"}});
    let reply = Reply::json(429, &body).header("Retry-After", "7");
    let Verdict::Inconclusive { retry_after, .. } = answered(reply).await else {
        panic!("a rate limit is no verdict");
    };
    assert_eq!(retry_after, Some(Duration::from_secs(7)));
}

#[tokio::test]
async fn the_value_goes_into_headers_and_body_and_a_failure_is_not_tried_again() {
    let server = TestServer::http(|_| Reply::new(500, "")).await;
    let sent = HttpRequest {
        method: HttpMethod::Post,
        body: Some(MaskedText::from(
            "{\"key\": \"{{value}}\", \"again\": \"{{ value }}\"}",
        )),
        ..request(&format!("{}/v1/models?limit=1&x=a%20b", server.url()))
    };
    let verdict = ask(&open(), RemoteCheck::Http(sent), "sk-1").await;
    assert_eq!(class(&verdict), "inconclusive");
    let received = server.seen();
    assert_eq!(received.len(), 1, "it is asked once");
    assert_eq!(received[0].target, "/v1/models?limit=1&x=a%20b");
    assert_eq!(received[0].header("authorization"), Some("Bearer sk-1"));
    assert_eq!(
        received[0].body,
        b"{\"key\": \"sk-1\", \"again\": \"sk-1\"}"
    );
}

#[tokio::test]
async fn an_answer_must_hold_what_is_expected() {
    let expect = |pattern: &str| ExpectedJson {
        pointer: "/data/0/active".to_owned(),
        matching: Some(regex::Regex::new(pattern).unwrap()),
    };
    for (body, pattern, expected) in [
        (r#"{"data": [{"active": true}]}"#, "^true$", "passed"),
        (r#"{"data": [{"active": false}]}"#, "^true$", "failed"),
        (r#"{"data": []}"#, "^true$", "failed"),
        ("<html>", "^true$", "inconclusive"),
    ] {
        let server = TestServer::http(move |_| Reply::new(200, body)).await;
        let asked = HttpRequest {
            expect_json: vec![expect(pattern)],
            ..request(&server.url())
        };
        let verdict = ask(&open(), RemoteCheck::Http(asked), "k").await;
        assert_eq!(class(&verdict), expected, "{body}");
    }
}

#[tokio::test]
async fn an_address_that_the_administrator_has_not_allowed_is_never_asked() {
    let server = TestServer::http(|_| Reply::new(200, "")).await;
    let closed = NetworkValidators::new(Arc::new(HttpLayer::new(Vec::new())));
    let verdict = ask(&closed, RemoteCheck::Http(request(&server.url())), "k").await;
    assert_eq!(class(&verdict), "inconclusive");
    assert!(why(&verdict).contains("--egress-allow"), "{verdict:?}");
    let metadata = request("http://169.254.169.254/latest/meta-data");
    let verdict = ask(&open(), RemoteCheck::Http(metadata), "k").await;
    assert_eq!(class(&verdict), "inconclusive");
    let port = server.port();
    for address in [format!("127.0.0.1:{port}"), "169.254.169.254:80".to_owned()] {
        let connect = RemoteCheck::Connect {
            address: Some(address),
            tls: false,
        };
        assert_eq!(class(&ask(&closed, connect, "k").await), "inconclusive");
    }
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_value_that_no_header_can_carry_fails() {
    let server = TestServer::http(|_| Reply::new(200, "")).await;
    let check = RemoteCheck::Http(request(&server.url()));
    assert_eq!(class(&ask(&open(), check, "a\nb").await), "failed");
    assert_eq!(server.seen().len(), 0);
}

#[tokio::test]
async fn a_connection_is_tried_and_a_closed_port_says_nothing_about_the_value() {
    let server = TestServer::http(|_| Reply::new(200, "")).await;
    let address = format!("127.0.0.1:{}", server.port());
    let connect = |address: Option<String>, tls| RemoteCheck::Connect { address, tls };
    let passed = ask(&open(), connect(Some(address.clone()), false), "k").await;
    assert_eq!(passed, Verdict::Passed);
    let passed = ask(&open(), connect(None, false), &address).await;
    assert_eq!(passed, Verdict::Passed);
    let no_tls = ask(&open(), connect(Some(address), true), "k").await;
    assert_eq!(class(&no_tls), "inconclusive");
    let unused = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let closed = unused.local_addr().unwrap().to_string();
    drop(unused);
    let verdict = ask(&open(), connect(None, false), &closed).await;
    assert_eq!(class(&verdict), "inconclusive");
    assert!(!why(&verdict).contains("127.0.0.1"), "{verdict:?}");
    assert_eq!(
        class(&ask(&open(), connect(None, false), "nowhere").await),
        "failed"
    );
}
