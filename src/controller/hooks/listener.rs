//! The port of webhooks: HTTP/1.1, bounded in every respect before a request is looked at (rule 11).
//!
//! TLS ends before it, at an ingress: nothing in a request is secret.

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, Method, Request, Response, StatusCode};
use http_body_util::{BodyExt as _, Full, LengthLimitError, Limited};
use hyper::body::{Body as _, Incoming};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use penstock_domain::hooks::MAX_BODY_BYTES;
use penstock_observability::port::{Listen, Port};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep_until, timeout};
use tokio_util::sync::CancellationToken;

use super::receiver::{Answer, HookReceiver};

/// Connections at a time; more wait.
const MAX_CONNECTIONS: usize = 64;
/// Bytes of one request's head.
const MAX_HEAD: usize = 16 * 1024;
/// How long a request's head, and then its body, may take.
const PATIENCE: Duration = Duration::from_secs(10);
/// How long one connection lives at most.
const CONNECTION_LIFETIME: Duration = Duration::from_mins(1);
/// How long every answer takes at least, so that it does not tell by its time what was looked up for it.
const ANSWER_TAKES: Duration = Duration::from_millis(200);

/// The listener, which has its port and answers nobody yet.
#[derive(Debug)]
pub struct HookServer(Port);

impl HookServer {
    /// Takes the port, so that a port in use is an error at the start and not a line in the log.
    pub async fn listen(address: SocketAddr) -> Result<Self, Listen> {
        Port::listen(address).await.map(Self)
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.0.address()
    }

    /// Answers until `stop`.
    pub async fn serve(self, receiver: Arc<HookReceiver>, stop: CancellationToken) {
        let serve = |stream, peer| serve_connection(stream, peer, Arc::clone(&receiver));
        self.0.serve(MAX_CONNECTIONS, stop, serve).await;
    }
}

async fn serve_connection(stream: TcpStream, peer: IpAddr, receiver: Arc<HookReceiver>) {
    let service = service_fn(|request: Request<Incoming>| {
        let receiver = Arc::clone(&receiver);
        async move { Ok::<_, Infallible>(answer(peer, &receiver, request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_buf_size(MAX_HEAD)
        .serve_connection(TokioIo::new(stream), service);
    // A client that breaks off or stalls is nothing to report.
    drop(timeout(CONNECTION_LIFETIME, connection).await);
}

async fn answer(
    peer: IpAddr,
    receiver: &Arc<HookReceiver>,
    request: Request<Incoming>,
) -> Response<Full<Bytes>> {
    let begun = Instant::now();
    if !receiver.admits(peer) {
        return plain(StatusCode::TOO_MANY_REQUESTS, "slow down\n");
    }
    if request.method() != Method::POST {
        return plain(StatusCode::METHOD_NOT_ALLOWED, "only POST\n");
    }
    let (head, body) = request.into_parts();
    let body = match read(body).await {
        Ok(body) => body,
        Err(status) => return plain(status, "no such body\n"),
    };
    let header = |name: &'static str| header(&head.headers, name);
    let answer = receiver.receive(head.uri.path(), header, &body).await;
    sleep_until(begun + ANSWER_TAKES).await;
    match answer {
        Answer::Accepted => plain(StatusCode::ACCEPTED, ""),
        Answer::Refused => plain(
            StatusCode::NOT_FOUND,
            "no such webhook, or not signed for it\n",
        ),
        Answer::Unavailable => plain(StatusCode::SERVICE_UNAVAILABLE, "not now\n"),
    }
}

/// The whole body, as far as it is none too large and comes in time.
async fn read(body: Incoming) -> Result<Bytes, StatusCode> {
    let announced = body.size_hint().lower();
    if announced > u64::try_from(MAX_BODY_BYTES).unwrap_or(u64::MAX) {
        return Err(StatusCode::PAYLOAD_TOO_LARGE);
    }
    let reading = Limited::new(body, MAX_BODY_BYTES).collect();
    match timeout(PATIENCE, reading).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<LengthLimitError>() => Err(StatusCode::PAYLOAD_TOO_LARGE),
        Ok(Err(_)) => Err(StatusCode::BAD_REQUEST),
        Err(_) => Err(StatusCode::REQUEST_TIMEOUT),
    }
}

/// A header that is there once, as text.
fn header(headers: &HeaderMap, name: &'static str) -> Option<String> {
    let mut values = headers.get_all(name).iter();
    match (values.next(), values.next()) {
        (Some(value), None) => value.to_str().ok().map(str::to_owned),
        _ => None,
    }
}

fn plain(status: StatusCode, text: &'static str) -> Response<Full<Bytes>> {
    let mut response = Response::new(Full::new(Bytes::from_static(text.as_bytes())));
    *response.status_mut() = status;
    response
}

#[cfg(test)]
mod tests;
