//! A small HTTP(S) server on the loopback interface: a function from request to reply.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bytes::Bytes;
use http::HeaderMap;
use http_body_util::{BodyExt as _, Full, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use rustls::pki_types::PrivateKeyDer;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

/// The largest body of a request.
const MAX_BODY_BYTES: usize = 16 * 1024 * 1024;
/// How many requests are remembered.
const MAX_SEEN: usize = 100_000;

/// A request as it arrived, without its body.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The path, as it was sent.
    pub path: String,
    /// The query's pairs, decoded, in order.
    pub query: Vec<(String, String)>,
    /// The headers.
    pub headers: HeaderMap,
}

impl Request {
    /// The first value of a query parameter.
    pub fn parameter(&self, name: &str) -> Option<&str> {
        let mut pairs = self.query.iter();
        pairs
            .find(|(known, _)| known == name)
            .map(|(_, value)| value.as_str())
    }

    /// A header, where it is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name)?.to_str().ok()
    }

    /// The segments of the path, decoded.
    pub fn segments(&self) -> Vec<String> {
        let path = self.path.trim_matches('/');
        path.split('/').map(decoded).collect()
    }
}

fn decoded(segment: &str) -> String {
    // In a path a plus sign is a plus sign.
    let text = segment.replace('+', "%2B");
    url::form_urlencoded::parse(format!("={text}").as_bytes())
        .map(|(_, value)| value.into_owned())
        .next()
        .unwrap_or_default()
}

/// What to answer.
#[derive(Debug, Clone)]
pub struct Reply {
    status: u16,
    headers: Vec<(&'static str, String)>,
    body: Vec<u8>,
    hang_up: bool,
}

impl Reply {
    /// A status and a body.
    pub fn new(status: u16, body: impl Into<Vec<u8>>) -> Self {
        Self {
            status,
            headers: Vec::new(),
            body: body.into(),
            hang_up: false,
        }
    }

    /// A status and a JSON document.
    pub fn json(status: u16, body: &serde_json::Value) -> Self {
        Self::new(status, body.to_string())
            .header("content-type", "application/json; charset=utf-8")
    }

    /// The same with a header.
    #[must_use]
    pub fn header(mut self, name: &'static str, value: impl Into<String>) -> Self {
        self.headers.push((name, value.into()));
        self
    }

    /// The connection breaks before there is an answer.
    pub fn hang_up() -> Self {
        Self {
            hang_up: true,
            ..Self::new(500, "")
        }
    }

    /// The first half of the body, under the length of the whole: the connection breaks in the middle.
    #[must_use]
    pub fn first_half(mut self) -> Self {
        let whole = self.body.len();
        self.body.truncate(whole / 2);
        self.header("content-length", whole.to_string())
    }

    fn into_response(self) -> Result<http::Response<Full<Bytes>>, Broken> {
        if self.hang_up {
            return Err(Broken);
        }
        let mut response = http::Response::builder().status(self.status);
        for (name, value) in self.headers {
            response = response.header(name, value);
        }
        response
            .body(Full::new(Bytes::from(self.body)))
            .map_err(|_| Broken)
    }
}

/// The connection is to be broken.
#[derive(Debug, thiserror::Error)]
#[error("break the connection")]
struct Broken;

/// How a server listens.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Listen {
    /// In the clear.
    Http,
    /// With TLS, under a certificate of its own for `localhost` and 127.0.0.1.
    Https,
}

/// Why there is no server.
#[derive(Debug, thiserror::Error)]
pub enum StartServer {
    /// No port.
    #[error("listen on the loopback interface")]
    Bind(#[source] io::Error),
    /// No certificate.
    #[error("make a certificate")]
    Certify(#[source] rcgen::Error),
    /// No TLS.
    #[error("set up TLS")]
    Tls(#[source] rustls::Error),
}

/// Answers requests.
pub trait Handler: Send + Sync + 'static {
    /// The answer to one request.
    fn answer(&self, request: &Request, body: &[u8]) -> Reply;
}

/// A running server. It ends when it is dropped.
pub struct Server {
    address: SocketAddr,
    certificate: Option<String>,
    seen: Arc<Mutex<Vec<Request>>>,
    serving: tokio::task::AbortHandle,
}

impl Server {
    /// Starts one on a free port, or on `port`.
    pub async fn start(
        listen: Listen,
        port: u16,
        handler: Arc<dyn Handler>,
    ) -> Result<Self, StartServer> {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port))
            .await
            .map_err(StartServer::Bind)?;
        let address = listener.local_addr().map_err(StartServer::Bind)?;
        let (acceptor, certificate) = match listen {
            Listen::Http => (None, None),
            Listen::Https => {
                let (acceptor, certificate) = certified()?;
                (Some(acceptor), Some(certificate))
            }
        };
        let seen = Arc::new(Mutex::new(Vec::new()));
        let connection = Connection {
            handler,
            seen: Arc::clone(&seen),
        };
        let serving = tokio::spawn(accept(listener, acceptor, connection)).abort_handle();
        Ok(Self {
            address,
            certificate,
            seen,
            serving,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> String {
        let scheme = if self.certificate.is_some() {
            "https"
        } else {
            "http"
        };
        format!("{scheme}://{}", self.address)
    }

    /// The certificate that clients must trust, PEM; none without TLS.
    pub fn certificate(&self) -> Option<&str> {
        self.certificate.as_deref()
    }

    /// The requests so far.
    pub fn seen(&self) -> Vec<Request> {
        lock(&self.seen).clone()
    }

    /// How many requests of this method have asked for a path that begins so.
    pub fn count(&self, method: &str, path: &str) -> usize {
        let matches =
            |request: &&Request| request.method == method && request.path.starts_with(path);
        lock(&self.seen).iter().filter(matches).count()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn certified() -> Result<(TlsAcceptor, String), StartServer> {
    let names = ["localhost", "127.0.0.1"].map(str::to_owned);
    let made = rcgen::generate_simple_self_signed(names).map_err(StartServer::Certify)?;
    let key = PrivateKeyDer::Pkcs8(made.signing_key.serialize_der().into());
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(StartServer::Tls)?
        .with_no_client_auth()
        .with_single_cert(vec![made.cert.der().clone()], key)
        .map_err(StartServer::Tls)?;
    Ok((TlsAcceptor::from(Arc::new(config)), made.cert.pem()))
}

#[derive(Clone)]
struct Connection {
    handler: Arc<dyn Handler>,
    seen: Arc<Mutex<Vec<Request>>>,
}

async fn accept(listener: TcpListener, acceptor: Option<TlsAcceptor>, connection: Connection) {
    // With the accepting task all connections end.
    let mut connections = tokio::task::JoinSet::new();
    while let Ok((stream, _)) = listener.accept().await {
        let (acceptor, connection) = (acceptor.clone(), connection.clone());
        connections.spawn(async move {
            match acceptor {
                None => connection.serve(stream).await,
                Some(acceptor) => {
                    if let Ok(stream) = acceptor.accept(stream).await {
                        connection.serve(stream).await;
                    }
                }
            }
        });
        while connections.try_join_next().is_some() {}
    }
}

impl Connection {
    async fn serve(self, stream: impl AsyncRead + AsyncWrite + Unpin + Send + 'static) {
        let service = service_fn(|request| {
            let connection = self.clone();
            async move { connection.respond(request).await }
        });
        let serving = http1::Builder::new().serve_connection(TokioIo::new(stream), service);
        // A client that hangs up is no failure of ours.
        serving.await.ok();
    }

    async fn respond(
        &self,
        request: http::Request<Incoming>,
    ) -> Result<http::Response<Full<Bytes>>, Broken> {
        let (head, body) = request.into_parts();
        let request = Request {
            method: head.method.to_string(),
            path: head.uri.path().to_owned(),
            query: url::form_urlencoded::parse(head.uri.query().unwrap_or_default().as_bytes())
                .map(|(name, value)| (name.into_owned(), value.into_owned()))
                .collect(),
            headers: head.headers,
        };
        let body = Limited::new(body, MAX_BODY_BYTES).collect().await;
        let body = body.map_err(|_| Broken)?.to_bytes();
        {
            let mut seen = lock(&self.seen);
            if seen.len() < MAX_SEEN {
                seen.push(request.clone());
            }
        }
        self.handler.answer(&request, &body).into_response()
    }
}
