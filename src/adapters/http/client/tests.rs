use std::net::Ipv4Addr;
use std::num::NonZeroU32;

use super::super::egress::Refusal;
use super::super::endpoint::ParseAddress;
use super::super::resolve::ResolveHost;
use super::super::test_server::{Everywhere, Received, Reply, TestServer, closed_port};
use super::super::tls::CertificateProblem;
use super::*;

fn layer(allowed: &[&str]) -> HttpLayer {
    let allowed: Vec<IpNet> = allowed.iter().map(|range| range.parse().unwrap()).collect();
    HttpLayer::with_lookup(allowed, Arc::new(Everywhere(Ipv4Addr::LOCALHOST.into())))
}

fn limits() -> StoreLimits {
    StoreLimits {
        concurrency: NonZeroU32::new(4).unwrap(),
        timeout: Duration::from_secs(20),
        ..StoreLimits::default()
    }
}

fn open(layer: &HttpLayer, address: &str, tls: &TlsSettings) -> Result<HttpClient, OpenClient> {
    layer.client(&ClientSettings {
        address,
        origin: Origin::Namespace,
        namespace: "prod",
        tls,
        limits: &limits(),
    })
}

/// A client of a namespace for which loopback has been opened.
fn client(address: &str) -> HttpClient {
    open(&layer(&["127.0.0.0/8"]), address, &TlsSettings::default()).unwrap()
}

fn get() -> Request {
    Request::get(["v1", "secret", "data", "app"])
}

fn token() -> SecretValue {
    SecretValue::from("s.hunter2")
}

async fn status(client: &HttpClient, request: &Request) -> Result<u16, SendRequest> {
    client
        .send(request)
        .await
        .map(|response| response.status.as_u16())
}

#[tokio::test]
async fn a_request_arrives_as_it_was_made() {
    let server = TestServer::http(|_| Reply::new(200, "{}")).await;
    let request = get()
        .query("version", "3")
        .header("x-vault-namespace", "team/a")
        .unwrap()
        .credential("x-vault-token", &token())
        .unwrap();
    let response = client(&server.url()).send(&request).await.unwrap();
    assert_eq!(
        (response.status.as_u16(), response.body()),
        (200, &b"{}"[..])
    );
    let [seen] = &server.seen()[..] else {
        panic!("one request")
    };
    assert_eq!(seen.target, "/v1/secret/data/app?version=3");
    assert_eq!(seen.header("x-vault-token"), Some("s.hunter2"));
    assert_eq!(seen.header("x-vault-namespace"), Some("team/a"));
    assert_eq!(
        seen.header("accept-encoding"),
        None,
        "no compression is asked for"
    );
    assert_eq!(seen.header("referer"), None);
}

#[tokio::test]
async fn a_credential_with_a_line_break_is_refused_without_telling_it() {
    let value = SecretValue::from("s.hunter2\nx-evil: 1");
    let Err(error) = get().credential("x-vault-token", &value) else {
        panic!("refused")
    };
    let fault = error.fault("store s", "h");
    assert_eq!(error, SendRequest::Credential);
    assert!(!format!("{fault} {fault:?}").contains("hunter2"));
}

#[tokio::test]
async fn an_inner_address_is_refused_by_literal_and_by_name() {
    let closed = layer(&[]);
    let tls = TlsSettings::default();
    let literal = open(&closed, "https://127.0.0.1:1", &tls).unwrap_err();
    assert_eq!(
        literal,
        OpenClient::Address(ParseAddress::Refused(Refusal::Loopback))
    );
    let named = open(&closed, "https://vault.example.com", &tls).unwrap();
    let error = status(&named, &get()).await.unwrap_err();
    assert_eq!(
        error,
        SendRequest::Resolve(ResolveHost::Refused(Refusal::Loopback))
    );
    let fault = error.fault("store s", "vault.example.com");
    assert_eq!(
        fault.reason,
        penstock_domain::conditions::Reason::EgressDenied
    );
    assert!(
        !fault.to_string().contains("127.0.0.1"),
        "inner addresses are not told"
    );
}

#[tokio::test]
async fn plain_http_is_refused_outside_the_list() {
    let client = open(
        &layer(&[]),
        "http://vault.example.com",
        &TlsSettings::default(),
    )
    .unwrap();
    assert_eq!(
        status(&client, &get()).await,
        Err(SendRequest::Resolve(ResolveHost::Refused(
            Refusal::PlainText
        )))
    );
}

#[tokio::test]
async fn redirects_stay_on_the_same_origin() {
    let server = TestServer::http(|request| match request.target.as_str() {
        "/v1/secret/data/app" => Reply::new(307, "").header("location", "/v1/moved?x=1"),
        _ => Reply::new(200, "{}"),
    })
    .await;
    let request = get().credential("x-vault-token", &token()).unwrap();
    assert_eq!(status(&client(&server.url()), &request).await, Ok(200));
    let seen = server.seen();
    assert_eq!(seen[1].target, "/v1/moved?x=1");
    assert_eq!(seen[1].header("x-vault-token"), Some("s.hunter2"));
}

#[tokio::test]
async fn a_redirect_to_another_host_port_or_scheme_gets_nothing() {
    let other = TestServer::http(|_| Reply::new(200, "{}")).await;
    let port = other.port();
    for location in [
        format!("http://127.0.0.1:{port}/v1/x"),
        format!("http://localhost:{port}/v1/x"),
        format!("https://127.0.0.1:{port}/v1/x"),
        "//evil.test/v1/x".to_owned(),
        String::new(),
    ] {
        let to = location.clone();
        let server = TestServer::http(move |_| Reply::new(307, "").header("location", &to)).await;
        let request = get().credential("x-vault-token", &token()).unwrap();
        let outcome = status(&client(&server.url()), &request).await;
        assert_eq!(outcome, Err(SendRequest::Redirect), "{location}");
    }
    assert!(other.seen().is_empty());
}

#[tokio::test]
async fn redirects_in_circles_end() {
    let server = TestServer::http(|_| Reply::new(308, "").header("location", "/v1/x")).await;
    assert_eq!(
        status(&client(&server.url()), &get()).await,
        Err(SendRequest::Redirect)
    );
    assert_eq!(server.seen().len(), MAX_REDIRECTS + 1);
}

#[tokio::test]
async fn a_write_is_not_turned_into_a_read_by_a_redirect() {
    let server = TestServer::http(|_| Reply::new(302, "").header("location", "/v1/x")).await;
    let request = Request::post(["v1"], Zeroizing::new(b"{}".to_vec()));
    assert_eq!(
        status(&client(&server.url()), &request).await,
        Err(SendRequest::Redirect)
    );
}

#[tokio::test]
async fn passing_faults_are_tried_again_and_others_are_not() {
    for (first, expected, requests) in [
        (503, 200, 2),
        (412, 200, 2),
        (500, 200, 2),
        (501, 501, 1),
        (404, 404, 1),
        (429, 429, 1),
    ] {
        let count = std::sync::atomic::AtomicUsize::new(0);
        let server = TestServer::http(move |_| {
            let earlier = count.fetch_add(1, std::sync::atomic::Ordering::SeqCst);
            Reply::new(if earlier == 0 { first } else { 200 }, "{}")
        })
        .await;
        assert_eq!(
            status(&client(&server.url()), &get()).await,
            Ok(expected),
            "{first}"
        );
        assert_eq!(server.seen().len(), requests, "{first}");
    }
}

#[tokio::test]
async fn retries_end() {
    let server = TestServer::http(|_| Reply::hang_up()).await;
    assert_eq!(
        status(&client(&server.url()), &get()).await,
        Err(SendRequest::Interrupted)
    );
    assert_eq!(server.seen().len(), 3);
}

#[tokio::test]
async fn a_request_that_changes_something_is_sent_once() {
    let request = || Request::post(["v1"], Zeroizing::new(b"{}".to_vec()));
    let server = TestServer::http(|_| Reply::new(503, "")).await;
    assert_eq!(status(&client(&server.url()), &request()).await, Ok(503));
    assert_eq!(server.seen().len(), 1);
    let server = TestServer::http(|_| Reply::hang_up()).await;
    assert!(status(&client(&server.url()), &request()).await.is_err());
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn retry_after_holds_back_the_whole_store() {
    let server = TestServer::http(|_| Reply::new(429, "").header("retry-after", "86400")).await;
    let client = client(&server.url());
    assert_eq!(
        client.send(&get()).await.unwrap().retry_after,
        Some(Duration::from_hours(1))
    );
    let Err(SendRequest::Paused { left }) = status(&client, &get()).await else {
        panic!("paused")
    };
    assert!(left > Duration::from_mins(59) && left <= Duration::from_hours(1));
    assert_eq!(server.seen().len(), 1);
}

#[tokio::test]
async fn a_body_beyond_the_bound_is_cut_off_announced_or_not() {
    let announced = TestServer::http(|_| {
        Reply::new(200, "").header("content-length", &(MAX_BODY_BYTES + 1).to_string())
    })
    .await;
    let endless = TestServer::http(|_| {
        let chunk = format!("{:x}\r\n{}\r\n", 1 << 20, "x".repeat(1 << 20));
        Reply::new(200, chunk.repeat(9)).header("transfer-encoding", "chunked")
    })
    .await;
    for server in [announced, endless] {
        assert_eq!(
            status(&client(&server.url()), &get()).await,
            Err(SendRequest::TooLarge)
        );
    }
    let largest = TestServer::http(|_| Reply::new(200, vec![b'x'; MAX_BODY_BYTES])).await;
    let response = client(&largest.url()).send(&get()).await.unwrap();
    assert_eq!(response.body().len(), MAX_BODY_BYTES);
}

#[tokio::test]
async fn half_an_answer_is_no_answer() {
    let server =
        TestServer::http(|_| Reply::new(200, r#"{"data":{"#).header("content-length", "500")).await;
    assert_eq!(
        status(&client(&server.url()), &get()).await,
        Err(SendRequest::Interrupted)
    );
}

#[tokio::test]
async fn a_compressed_answer_is_refused() {
    let server =
        TestServer::http(|_| Reply::new(200, "x").header("content-encoding", "gzip")).await;
    assert_eq!(
        status(&client(&server.url()), &get()).await,
        Err(SendRequest::Compressed)
    );
}

#[tokio::test]
async fn a_closed_port_is_unavailable() {
    let address = format!("http://{}", closed_port().await);
    let error = status(&client(&address), &get()).await.unwrap_err();
    assert_eq!(error, SendRequest::Connect);
}

async fn https(name: &str) -> TestServer {
    TestServer::https(name, |_: &Received| Reply::new(200, "{}")).await
}

#[tokio::test]
async fn https_is_verified_against_the_stores_own_authority() {
    let (server, other) = (https("vault.test").await, https("vault.test").await);
    let layer = layer(&["127.0.0.0/8"]);
    let address = format!("https://vault.test:{}", server.port());
    let with = |ca: Option<Vec<u8>>| TlsSettings {
        ca,
        ..TlsSettings::default()
    };
    let good = open(&layer, &address, &with(Some(server.ca()))).unwrap();
    assert_eq!(status(&good, &get()).await, Ok(200));
    for ca in [Some(other.ca()), None] {
        let wrong = open(&layer, &address, &with(ca)).unwrap();
        let error = status(&wrong, &get()).await.unwrap_err();
        assert_eq!(
            error,
            SendRequest::Verify(CertificateProblem::UnknownAuthority)
        );
        assert!(
            error
                .fault("store s", "vault.test")
                .to_string()
                .contains("CA bundle")
        );
    }
}

#[tokio::test]
async fn the_name_in_the_certificate_counts_unless_another_is_given() {
    let server = https("inner.vault.test").await;
    let layer = layer(&["127.0.0.0/8"]);
    let address = format!("https://outer.test:{}", server.port());
    let mut tls = TlsSettings {
        ca: Some(server.ca()),
        ..TlsSettings::default()
    };
    let unnamed = open(&layer, &address, &tls).unwrap();
    assert_eq!(
        status(&unnamed, &get()).await,
        Err(SendRequest::Verify(CertificateProblem::WrongName))
    );
    tls.server_name = Some("inner.vault.test".to_owned());
    let named = open(&layer, &address, &tls).unwrap();
    assert_eq!(status(&named, &get()).await, Ok(200));
    let host = format!("outer.test:{}", server.port());
    assert_eq!(server.seen()[0].header("host"), Some(host.as_str()));
}

#[tokio::test]
async fn a_server_name_cannot_lead_around_the_policy() {
    let layer = layer(&[]);
    for name in ["127.0.0.1", "0x7f.1", "[::1]", "a/b", ""] {
        let tls = TlsSettings {
            server_name: Some(name.to_owned()),
            ..TlsSettings::default()
        };
        let error = open(&layer, "https://vault.example.com", &tls).unwrap_err();
        assert_eq!(error, OpenClient::Tls(ConfigureTls::ServerName), "{name}");
    }
    let tls = TlsSettings {
        server_name: Some("public.example".to_owned()),
        ..TlsSettings::default()
    };
    let client = open(&layer, "https://vault.example.com", &tls).unwrap();
    assert_eq!(
        status(&client, &get()).await,
        Err(SendRequest::Resolve(ResolveHost::Refused(
            Refusal::Loopback
        )))
    );
}
