//! Connections that are no HTTP, under the same policy.

use std::net::SocketAddr;
use std::sync::Arc;

use rustls::ClientConfig;
use tokio::net::TcpStream;
use tokio::time::timeout;

use super::{CONNECT_TIMEOUT, HttpLayer};
use crate::http::egress::{EgressPolicy, Origin, Transport};
use crate::http::error::SendRequest;
use crate::http::resolve::GuardedResolver;
use crate::http::tls::{self, ConfigureTls, TlsSettings};

impl HttpLayer {
    /// What TLS of a connection is set up with.
    pub fn tls_config(&self, settings: &TlsSettings) -> Result<ClientConfig, ConfigureTls> {
        tls::client_config(settings, &self.system)
    }

    /// Connects to `host`, which is resolved once: nothing is connected to but what was judged. `transport` says
    /// whether what follows is encrypted.
    pub async fn dial(
        &self,
        (origin, transport): (Origin, Transport),
        (host, port): (&str, u16),
    ) -> Result<TcpStream, SendRequest> {
        let policy = EgressPolicy::new(origin, Arc::clone(&self.allowed));
        let lookup = Arc::clone(&self.lookup);
        let connecting = async {
            let addresses = GuardedResolver::addresses(host.into(), transport, policy, lookup)
                .await
                .map_err(SendRequest::Resolve)?;
            for address in addresses {
                if let Ok(stream) = TcpStream::connect(SocketAddr::new(address, port)).await {
                    return Ok(stream);
                }
            }
            Err(SendRequest::Connect)
        };
        timeout(CONNECT_TIMEOUT, connecting)
            .await
            .unwrap_or(Err(SendRequest::Timeout))
    }
}
