//! Connections of protocols other than HTTP, under the same policy: judged addresses only, the same authorities,
//! the same budget.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use rustls::ClientConfig;
use tokio::net::TcpStream;

use super::budget::BudgetShare;
use super::client::HttpLayer;
use super::egress::{EgressPolicy, Origin, Transport};
use super::error::SendRequest;
use super::resolve::{GuardedResolver, Lookup};
use super::tls::{self, ConfigureTls, TlsSettings};

/// How long one address of a host is tried.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(5);

/// Connects to one host.
pub(crate) struct Dialer {
    host: Arc<str>,
    port: u16,
    transport: Transport,
    policy: EgressPolicy,
    lookup: Arc<dyn Lookup>,
}

impl HttpLayer {
    /// A dialer to `host`, which `origin` chose. [`Transport::Plain`] is for whatever is not encrypted and verified.
    pub(crate) fn dialer(
        &self,
        (host, port): (&str, u16),
        origin: Origin,
        transport: Transport,
    ) -> Dialer {
        Dialer {
            host: host.into(),
            port,
            transport,
            policy: EgressPolicy::new(origin, Arc::clone(&self.allowed)),
            lookup: Arc::clone(&self.lookup),
        }
    }

    /// TLS that verifies the server.
    pub(crate) fn tls(&self, settings: &TlsSettings) -> Result<ClientConfig, ConfigureTls> {
        tls::client_config(settings, &self.system)
    }

    /// The part of the budget that `namespace` has; empty for cluster-wide stores.
    pub(crate) fn share(&self, namespace: &str) -> BudgetShare {
        self.budget.share(namespace)
    }
}

impl Dialer {
    /// The host, for messages.
    pub(crate) fn host(&self) -> &str {
        &self.host
    }

    /// A connection to the first address that takes one: resolved for it, judged, and not resolved again.
    pub(crate) async fn connect(&self) -> Result<TcpStream, SendRequest> {
        let addresses = GuardedResolver::addresses(
            Arc::clone(&self.host),
            self.transport,
            self.policy.clone(),
            Arc::clone(&self.lookup),
        )
        .await
        .map_err(SendRequest::Resolve)?;
        for address in addresses {
            let connecting = TcpStream::connect(SocketAddr::new(address, self.port));
            if let Ok(Ok(stream)) = tokio::time::timeout(CONNECT_TIMEOUT, connecting).await {
                // Without it answers are merely slower.
                drop(stream.set_nodelay(true));
                return Ok(stream);
            }
        }
        Err(SendRequest::Connect)
    }
}
