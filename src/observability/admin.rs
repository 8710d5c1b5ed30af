//! `/healthz`, `/readyz` and `/metrics` on a port of their own.
//!
//! Small on purpose: three paths, HTTP/1.1, bounded connections, headers and patience (rule 11), and no
//! answer that depends on who asks.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Method, Request, Response, StatusCode, header};
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::TcpStream;
use tokio_util::sync::CancellationToken;

use crate::health::Health;
use crate::metrics::Metrics;
use crate::port::{Listen, Port};

/// Connections at a time; more wait.
const MAX_CONNECTIONS: usize = 32;
/// Bytes of one request's head.
const MAX_HEAD: usize = 16 * 1024;
/// How long a request's head may take, and a kept connection may idle.
const HEAD_TIMEOUT: Duration = Duration::from_secs(10);
/// How long one connection lives at most.
const CONNECTION_LIFETIME: Duration = Duration::from_mins(10);

/// The media type of the text that `prometheus-client` encodes.
const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// The admin server, listening and not yet answering.
#[derive(Debug)]
pub struct AdminServer(Port);

impl AdminServer {
    /// Takes the port, so that a port in use is an error at the start and not a line in the log.
    pub async fn listen(address: SocketAddr) -> Result<Self, Listen> {
        Port::listen(address).await.map(Self)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Answers until `stop`.
    pub async fn serve(self, health: Health, metrics: Arc<Metrics>, stop: CancellationToken) {
        let serve = |stream, _peer| {
            let (health, metrics) = (health.clone(), Arc::clone(&metrics));
            async move { serve_connection(stream, &health, &metrics).await }
        };
        self.0.serve(MAX_CONNECTIONS, stop, serve).await;
    }
}

async fn serve_connection(stream: TcpStream, health: &Health, metrics: &Metrics) {
    let service = service_fn(|request: Request<Incoming>| async move {
        Ok::<_, Infallible>(answer(
            request.method(),
            request.uri().path(),
            health,
            metrics,
        ))
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD_TIMEOUT)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // A client that breaks off or stalls is nothing to report.
    drop(tokio::time::timeout(CONNECTION_LIFETIME, connection).await);
}

fn answer(
    method: &Method,
    path: &str,
    health: &Health,
    metrics: &Metrics,
) -> Response<Full<Bytes>> {
    if !matches!(*method, Method::GET | Method::HEAD) {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only GET\n");
    }
    match path {
        "/healthz" if health.is_alive() => plain(StatusCode::OK, "ok\n"),
        "/healthz" => plain(StatusCode::SERVICE_UNAVAILABLE, "the main loop hangs\n"),
        "/readyz" => {
            let missing = health.missing();
            if missing.is_empty() {
                plain(StatusCode::OK, "ok\n")
            } else {
                let text = format!("waiting for {}\n", missing.join(", "));
                plain(StatusCode::SERVICE_UNAVAILABLE, text)
            }
        }
        "/metrics" => match metrics.encode() {
            Ok(text) => respond(StatusCode::OK, OPEN_METRICS, text),
            Err(_) => plain(StatusCode::INTERNAL_SERVER_ERROR, "cannot encode\n"),
        },
        _ => plain(StatusCode::NOT_FOUND, "/healthz, /readyz, /metrics\n"),
    }
}

fn plain(status: StatusCode, text: impl Into<Bytes>) -> Response<Full<Bytes>> {
    respond(status, "text/plain; charset=utf-8", text)
}

fn respond(
    status: StatusCode,
    media_type: &'static str,
    body: impl Into<Bytes>,
) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(body.into()));
    *response.status_mut() = status;
    response.headers_mut().insert(
        header::CONTENT_TYPE,
        header::HeaderValue::from_static(media_type),
    );
    response
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    async fn get(address: SocketAddr, path: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        let request = format!("GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    #[tokio::test]
    async fn probes_and_metrics_are_answered() {
        let health = Health::new(Duration::from_mins(1));
        let awaited = health.await_first("SecretSyncs");
        let server = AdminServer::listen(SocketAddr::from(([127, 0, 0, 1], 0)))
            .await
            .unwrap();
        let address = server.address();
        let stop = CancellationToken::new();
        let metrics = Arc::new(Metrics::new());
        let serving = tokio::spawn(server.serve(health, metrics, stop.clone()));

        assert!(get(address, "/healthz").await.starts_with("HTTP/1.1 200"));
        let unready = get(address, "/readyz").await;
        assert!(unready.starts_with("HTTP/1.1 503"));
        assert!(unready.ends_with("waiting for SecretSyncs\n"));
        drop(awaited);
        assert!(get(address, "/readyz").await.starts_with("HTTP/1.1 200"));
        let scrape = get(address, "/metrics").await;
        assert!(scrape.contains("penstock_build_info"));
        assert!(scrape.ends_with("# EOF\n"));
        assert!(get(address, "/secrets").await.starts_with("HTTP/1.1 404"));

        stop.cancel();
        serving.await.unwrap();
    }
}
