//! Where the servers are: identity and API are two addresses in the cloud, and two paths of one elsewhere.

use penstock_domain::api::bitwarden::BitwardenRegion;

/// The two addresses of a server.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Addresses {
    /// Where one logs in.
    pub(crate) identity: String,
    /// Everything else.
    pub(crate) api: String,
}

impl Addresses {
    /// Those of a cloud.
    pub(crate) fn of_cloud(region: BitwardenRegion) -> Self {
        let domain = match region {
            BitwardenRegion::Us => "bitwarden.com",
            BitwardenRegion::Eu => "bitwarden.eu",
        };
        Self {
            identity: format!("https://identity.{domain}"),
            api: format!("https://api.{domain}"),
        }
    }

    /// Those of a server of one's own, Bitwarden's or Vaultwarden. The web vault's address is the one that people
    /// copy; one that ends in `/api` or `/identity` is understood, too.
    pub(crate) fn of_server(address: &str) -> Self {
        let base = address.trim_end_matches('/');
        let base = base
            .strip_suffix("/api")
            .or_else(|| base.strip_suffix("/identity"))
            .unwrap_or(base);
        Self {
            identity: format!("{base}/identity"),
            api: format!("{base}/api"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clouds_have_two_hosts_and_servers_two_paths() {
        let eu = Addresses::of_cloud(BitwardenRegion::Eu);
        assert_eq!(eu.identity, "https://identity.bitwarden.eu");
        assert_eq!(eu.api, "https://api.bitwarden.eu");
        let us = Addresses::of_cloud(BitwardenRegion::Us);
        assert_eq!(us.api, "https://api.bitwarden.com");
        for address in [
            "https://vault.example.com/bw",
            "https://vault.example.com/bw/",
            "https://vault.example.com/bw/api",
            "https://vault.example.com/bw/identity/",
        ] {
            let own = Addresses::of_server(address);
            assert_eq!(own.identity, "https://vault.example.com/bw/identity");
            assert_eq!(own.api, "https://vault.example.com/bw/api", "{address}");
        }
    }
}
