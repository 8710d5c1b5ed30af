//! Resolves a host for one connection and lets only judged addresses through.
//!
//! The connector connects to what this returns and never resolves again, so there is no moment between the
//! judgement and the connection in which a name could come to mean something else.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use async_trait::async_trait;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::egress::{EgressPolicy, Refusal, Transport};

/// The most addresses of one name that are tried.
const MAX_ADDRESSES: usize = 16;

/// Finds the addresses of a host name.
#[async_trait]
pub trait Lookup: Send + Sync {
    /// The addresses of `host`, in the order in which to try them.
    async fn lookup(&self, host: &str) -> std::io::Result<Vec<IpAddr>>;
}

/// The resolver of the system.
#[derive(Debug, Clone, Copy, Default)]
pub struct SystemLookup;

#[async_trait]
impl Lookup for SystemLookup {
    async fn lookup(&self, host: &str) -> std::io::Result<Vec<IpAddr>> {
        let addresses = tokio::net::lookup_host((host, 0)).await?;
        Ok(addresses
            .map(|address| address.ip())
            .take(MAX_ADDRESSES)
            .collect())
    }
}

/// Why a host has no address to connect to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ResolveHost {
    /// The name has no address, or the resolver does not answer.
    #[error("cannot resolve the host name")]
    Unknown,
    /// The policy refuses every address of it.
    #[error("the host is {0}")]
    Refused(Refusal),
}

/// The resolver of one store.
pub(super) struct GuardedResolver {
    /// What is resolved, whatever name the connector asks for: the host of the store's address.
    pub(super) host: Arc<str>,
    pub(super) transport: Transport,
    pub(super) policy: EgressPolicy,
    pub(super) lookup: Arc<dyn Lookup>,
}

impl GuardedResolver {
    /// The addresses of `host` that the policy permits; the first refusal when it permits none.
    pub(super) async fn addresses(
        host: Arc<str>,
        transport: Transport,
        policy: EgressPolicy,
        lookup: Arc<dyn Lookup>,
    ) -> Result<Vec<IpAddr>, ResolveHost> {
        let literal = host.trim_start_matches('[').trim_end_matches(']').parse();
        let found = match literal {
            Ok(address) => vec![address],
            Err(_) => lookup
                .lookup(&host)
                .await
                .map_err(|_| ResolveHost::Unknown)?,
        };
        let (mut permitted, mut refusal) = (Vec::new(), None);
        for address in found.into_iter().take(MAX_ADDRESSES) {
            match policy.permits(address, transport) {
                Ok(()) => permitted.push(address),
                Err(why) => refusal = refusal.or(Some(why)),
            }
        }
        match (permitted.is_empty(), refusal) {
            (false, _) => Ok(permitted),
            (true, Some(why)) => Err(ResolveHost::Refused(why)),
            (true, None) => Err(ResolveHost::Unknown),
        }
    }
}

impl Resolve for GuardedResolver {
    fn resolve(&self, _asked: Name) -> Resolving {
        let resolving = Self::addresses(
            Arc::clone(&self.host),
            self.transport,
            self.policy.clone(),
            Arc::clone(&self.lookup),
        );
        Box::pin(async move {
            let addresses: Addrs = Box::new(
                resolving
                    .await?
                    .into_iter()
                    // Port 0: the connector puts the port of the URL there.
                    .map(|address| SocketAddr::new(address, 0)),
            );
            Ok(addresses)
        })
    }
}

#[cfg(test)]
mod tests {
    use super::super::egress::Origin;
    use super::*;

    struct Answers(Vec<&'static str>);

    #[async_trait]
    impl Lookup for Answers {
        async fn lookup(&self, _host: &str) -> std::io::Result<Vec<IpAddr>> {
            Ok(self.0.iter().map(|text| text.parse().unwrap()).collect())
        }
    }

    async fn resolve(answers: Vec<&'static str>) -> Result<Vec<String>, ResolveHost> {
        let policy = EgressPolicy::new(Origin::Namespace, Arc::from(Vec::new()));
        GuardedResolver::addresses(
            "vault.example.com".into(),
            Transport::Tls,
            policy,
            Arc::new(Answers(answers)),
        )
        .await
        .map(|found| found.iter().map(ToString::to_string).collect())
    }

    #[tokio::test]
    async fn only_permitted_addresses_get_through() {
        assert_eq!(
            resolve(vec!["10.0.0.1", "1.1.1.1", "::1"]).await,
            Ok(vec!["1.1.1.1".to_owned()])
        );
    }

    #[tokio::test]
    async fn a_public_name_for_an_inner_address_is_refused() {
        assert_eq!(
            resolve(vec!["127.0.0.1", "10.0.0.1"]).await,
            Err(ResolveHost::Refused(Refusal::Loopback))
        );
    }

    #[tokio::test]
    async fn no_address_is_not_a_refusal() {
        assert_eq!(resolve(vec![]).await, Err(ResolveHost::Unknown));
    }

    #[tokio::test]
    async fn a_name_with_a_thousand_addresses_is_cut() {
        assert_eq!(
            resolve(vec!["1.1.1.1"; 1000]).await.unwrap().len(),
            MAX_ADDRESSES
        );
    }
}
