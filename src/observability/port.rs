//! A port of ours: bounded connections, and an end when the process ends.

use std::io;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
#[error("cannot listen on {address}")]
pub struct Listen {
    /// The address that was asked for.
    pub address: SocketAddr,
    #[source]
    source: io::Error,
}

/// A port that is taken, and answers nobody yet.
#[derive(Debug)]
pub struct Port {
    listener: TcpListener,
    address: SocketAddr,
}

impl Port {
    /// Takes the port, so that a port in use is an error at the start and not a line in the log.
    pub async fn listen(address: SocketAddr) -> Result<Self, Listen> {
        let failed = |source| Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        Ok(Self { listener, address })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Serves each connection by `serve`, at most `connections` at a time, until `stop`; more wait. `serve` gets
    /// the address of the other side, an IPv4 address as such.
    pub async fn serve<F>(
        self,
        connections: usize,
        stop: CancellationToken,
        serve: impl Fn(TcpStream, IpAddr) -> F,
    ) where
        F: Future<Output = ()> + Send + 'static,
    {
        let seats = Arc::new(Semaphore::new(connections));
        let accept = async {
            loop {
                let Ok(seat) = Arc::clone(&seats).acquire_owned().await else {
                    return;
                };
                let Ok((stream, peer)) = self.listener.accept().await else {
                    // Out of file descriptors, most likely: give the others time to close some.
                    tokio::time::sleep(Duration::from_millis(100)).await;
                    continue;
                };
                let serving = serve(stream, peer.ip().to_canonical());
                let stop = stop.clone();
                tokio::spawn(async move {
                    let _seat = seat;
                    stop.run_until_cancelled(serving).await;
                });
            }
        };
        stop.run_until_cancelled(accept).await;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_port_in_use_is_named() {
        let any = SocketAddr::from(([127, 0, 0, 1], 0));
        let first = Port::listen(any).await.unwrap();
        let refusal = Port::listen(first.address()).await.unwrap_err();
        assert_eq!(
            refusal.to_string(),
            format!("cannot listen on {}", first.address())
        );
    }
}
