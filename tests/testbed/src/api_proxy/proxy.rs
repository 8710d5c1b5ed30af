//! The proxy itself.

use std::collections::BTreeMap;
use std::io;
use std::net::Ipv4Addr;
use std::sync::{Arc, Mutex, PoisonError};

use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use reqwest::Certificate;
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::task::JoinSet;

use super::forward::Passage;
use super::request::{ApiRequest, Count, Filter};
use super::trap::{Snare, Trap, Traps};
use crate::endpoint::Endpoint;

/// Why a proxy does not start.
#[derive(Debug, thiserror::Error)]
pub enum ProxyError {
    /// No port could be listened on.
    #[error("cannot listen")]
    Listen(#[source] io::Error),
    /// The client for the API server could not be set up.
    #[error("cannot make a client for the API server")]
    MakeClient(#[source] reqwest::Error),
}

/// A running proxy. It lives in the runtime that started it; dropping it cuts all connections.
pub struct ApiProxy {
    passage: Arc<Passage>,
    endpoint: Endpoint,
    serving: JoinHandle<()>,
}

impl ApiProxy {
    /// Starts a proxy in front of `target`.
    pub async fn start(target: &Endpoint) -> Result<Self, ProxyError> {
        crate::install_cryptography();
        let mut http = reqwest::Client::builder()
            .no_proxy()
            // As many connections as the client would open: one for all would be a queue.
            .http1_only();
        if let Some(authority) = &target.certificate_authority {
            let authority = Certificate::from_pem(authority.as_bytes());
            http = http.tls_certs_only([authority.map_err(ProxyError::MakeClient)?]);
        }
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).await;
        let listener = listener.map_err(ProxyError::Listen)?;
        let port = listener.local_addr().map_err(ProxyError::Listen)?.port();
        let passage = Arc::new(Passage {
            target: target.address.clone(),
            http: http.build().map_err(ProxyError::MakeClient)?,
            traps: Traps::default(),
            counts: Mutex::default(),
            log: Mutex::default(),
        });
        Ok(Self {
            serving: tokio::spawn(serve(listener, Arc::clone(&passage))),
            passage,
            endpoint: Endpoint {
                address: format!("http://127.0.0.1:{port}"),
                certificate_authority: None,
            },
        })
    }

    /// Where the proxy is reached: make the operator's kubeconfig of this.
    pub fn endpoint(&self) -> &Endpoint {
        &self.endpoint
    }

    /// Sets a trap for the `nth` request (from 1) that matches from now on.
    pub fn trap(&self, filter: Filter, nth: usize, snare: Snare) -> Trap {
        self.passage.traps.set(filter, nth, snare)
    }

    /// How often each thing was done so far; requests that a trap kept from the API server are not
    /// counted.
    pub fn counts(&self) -> BTreeMap<Count, u64> {
        self.passage
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// All requests that reached the API server so far, in order.
    pub fn requests(&self) -> Vec<ApiRequest> {
        self.passage
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }

    /// How many requests so far match.
    pub fn count(&self, filter: &Filter) -> usize {
        let log = self
            .passage
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner);
        log.iter().filter(|request| filter.matches(request)).count()
    }

    /// Forgets what was counted.
    pub fn reset(&self) {
        self.passage
            .counts
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
        self.passage
            .log
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}

impl Drop for ApiProxy {
    fn drop(&mut self) {
        self.serving.abort();
    }
}

async fn serve(listener: TcpListener, passage: Arc<Passage>) {
    // Dropped with this task, and all connections with it.
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(connection(stream, Arc::clone(&passage)));
                }
            }
            Some(_) = connections.join_next() => {}
        }
    }
}

async fn connection(stream: TcpStream, passage: Arc<Passage>) {
    // Only delays: the answers of a watch are small.
    drop(stream.set_nodelay(true));
    let service = service_fn(|request| Arc::clone(&passage).pass(request));
    // A connection that a trap or the client cut ends in an error, as it should.
    drop(
        http1::Builder::new()
            .serve_connection(TokioIo::new(stream), service)
            .await,
    );
}
