//! The address of one outside system, checked once, and the URLs below it.

use std::fmt;
use std::net::IpAddr;

use url::{Host, Url};

use super::egress::{EgressPolicy, Refusal, Transport};

/// The longest address that is looked at, in bytes.
const MAX_ADDRESS_LENGTH: usize = 2048;

/// The root of one outside system: scheme, host, port and a path that every request is below of.
#[derive(Clone, PartialEq, Eq)]
pub struct Endpoint {
    base: Url,
    host: String,
}

/// Why a text is no usable address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ParseAddress {
    /// Not a URL at all.
    #[error("is not a URL")]
    Syntax,
    /// Longer than anybody needs.
    #[error("is longer than {MAX_ADDRESS_LENGTH} bytes")]
    TooLong,
    /// Another scheme than https, or http.
    #[error("must start with `https://`")]
    Scheme,
    /// A user name or a password stands in it.
    #[error("must not hold a user name or password")]
    Credentials,
    /// A query or a fragment stands in it.
    #[error("must not hold a query or fragment")]
    Query,
    /// It is a literal address that the egress policy refuses.
    #[error("is {0}")]
    Refused(Refusal),
}

impl Endpoint {
    /// Checks `text` and takes it as an address. A literal IP address is judged here, because no name is
    /// resolved for it later.
    pub fn parse(text: &str, policy: &EgressPolicy) -> Result<Self, ParseAddress> {
        if text.len() > MAX_ADDRESS_LENGTH {
            return Err(ParseAddress::TooLong);
        }
        let mut base = Url::parse(text).map_err(|_| ParseAddress::Syntax)?;
        let transport = match base.scheme() {
            "https" => Transport::Tls,
            "http" => Transport::Plain,
            _ => return Err(ParseAddress::Scheme),
        };
        if !base.username().is_empty() || base.password().is_some() {
            return Err(ParseAddress::Credentials);
        }
        if base.query().is_some() || base.fragment().is_some() {
            return Err(ParseAddress::Query);
        }
        let host = base.host().ok_or(ParseAddress::Syntax)?;
        let literal = match host {
            Host::Ipv4(address) => Some(IpAddr::V4(address)),
            Host::Ipv6(address) => Some(IpAddr::V6(address)),
            Host::Domain(_) => None,
        };
        if let Some(address) = literal {
            policy
                .permits(address, transport)
                .map_err(ParseAddress::Refused)?;
        }
        let host = host.to_string();
        // `push` of the first segment replaces an empty last one.
        if !base.path().ends_with('/') {
            let path = format!("{}/", base.path());
            base.set_path(&path);
        }
        Ok(Self { base, host })
    }

    /// The host, for messages.
    pub fn host(&self) -> &str {
        &self.host
    }

    /// How connections are made.
    pub fn transport(&self) -> Transport {
        if self.base.scheme() == "http" {
            Transport::Plain
        } else {
            Transport::Tls
        }
    }

    /// Whether the host is an address and not a name.
    pub fn is_literal(&self) -> bool {
        !matches!(self.base.host(), Some(Host::Domain(_)))
    }

    /// What the `Host` header of a request says: the host, with the port where it is not the usual one.
    pub fn authority(&self) -> String {
        match self.base.port() {
            Some(port) => format!("{}:{port}", self.host),
            None => self.host.clone(),
        }
    }

    /// The same address under another host name, for a server whose certificate names another host.
    pub(super) fn with_host(&self, name: &str) -> Result<Self, ParseAddress> {
        let mut base = self.base.clone();
        base.set_host(Some(name))
            .map_err(|_| ParseAddress::Syntax)?;
        Ok(Self {
            base,
            host: self.host.clone(),
        })
    }

    /// The URL of `segments` below the address, each encoded as one segment, and `query`.
    ///
    /// Empty segments keep their slash; `.` and `..` would be lost, so callers refuse them before.
    pub fn url<'a>(
        &self,
        segments: impl IntoIterator<Item = &'a str>,
        query: &[(&str, &str)],
    ) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        if !query.is_empty() {
            url.query_pairs_mut().extend_pairs(query);
        }
        url
    }

    /// Whether `url` lies at the same scheme, host and port.
    pub fn same_origin(&self, url: &Url) -> bool {
        self.base.origin() == url.origin()
    }
}

/// Scheme, host and port; the path of an address may tell too much.
impl fmt::Debug for Endpoint {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            formatter,
            "Endpoint({}://{})",
            self.base.scheme(),
            self.authority()
        )
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::super::egress::Origin;
    use super::*;

    fn parse(text: &str) -> Result<Endpoint, ParseAddress> {
        Endpoint::parse(
            text,
            &EgressPolicy::new(Origin::Namespace, Arc::from(Vec::new())),
        )
    }

    #[test]
    fn bad_addresses_are_refused_with_their_reason() {
        for (text, error) in [
            ("vault.example.com", ParseAddress::Syntax),
            ("", ParseAddress::Syntax),
            ("https://", ParseAddress::Syntax),
            ("ftp://vault.example.com", ParseAddress::Scheme),
            ("file:///etc/passwd", ParseAddress::Scheme),
            ("unix:/run/x.sock", ParseAddress::Scheme),
            ("https://user@vault.example.com", ParseAddress::Credentials),
            ("https://u:p@vault.example.com", ParseAddress::Credentials),
            ("https://vault.example.com/?a=b", ParseAddress::Query),
            ("https://vault.example.com/#a", ParseAddress::Query),
            (
                "https://127.0.0.1",
                ParseAddress::Refused(Refusal::Loopback),
            ),
            (
                "https://[::1]:8200",
                ParseAddress::Refused(Refusal::Loopback),
            ),
            ("http://1.1.1.1", ParseAddress::Refused(Refusal::PlainText)),
        ] {
            assert_eq!(parse(text), Err(error), "{text}");
        }
        let long = format!("https://a/{}", "x".repeat(MAX_ADDRESS_LENGTH));
        assert_eq!(parse(&long), Err(ParseAddress::TooLong));
    }

    #[test]
    fn other_spellings_of_an_address_are_seen_through() {
        for text in [
            "https://2130706433",
            "https://0x7f.1",
            "https://0177.0.0.1",
            "https://127.1",
            "https://１２７.0.0.1",
            "https://[::ffff:127.0.0.1]",
        ] {
            assert_eq!(
                parse(text),
                Err(ParseAddress::Refused(Refusal::Loopback)),
                "{text}"
            );
        }
    }

    #[test]
    fn urls_keep_every_segment_to_itself() {
        let endpoint = parse("https://vault.example.com:8200/proxy").unwrap();
        let url = |segments: &[&str]| endpoint.url(segments.iter().copied(), &[]).to_string();
        assert_eq!(
            url(&["v1", "secret", "data", "a b#c?d%2e/e"]),
            "https://vault.example.com:8200/proxy/v1/secret/data/a%20b%23c%3Fd%252e%2Fe"
        );
        assert_eq!(
            url(&["v1", "ü"]),
            "https://vault.example.com:8200/proxy/v1/%C3%BC"
        );
        assert_eq!(
            parse("https://h.example")
                .unwrap()
                .url(["v1", "x"], &[("version", "3"), ("list", "a&b")])
                .as_str(),
            "https://h.example/v1/x?version=3&list=a%26b"
        );
    }

    #[test]
    fn another_scheme_host_or_port_is_another_origin() {
        let endpoint = parse("https://vault.example.com").unwrap();
        let same = |text: &str| endpoint.same_origin(&text.parse().unwrap());
        assert!(same("https://vault.example.com/v1/other"));
        assert!(same("https://vault.example.com:443/"));
        for other in [
            "http://vault.example.com/",
            "https://vault.example.com:8200/",
            "https://vault.example.com.evil.test/",
            "https://evil.test/vault.example.com",
        ] {
            assert!(!same(other), "{other}");
        }
    }
}
