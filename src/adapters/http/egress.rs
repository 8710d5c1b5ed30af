//! Where credentials may go: a pure decision over addresses.
//!
//! The special-purpose ranges are those of the IANA IPv4 and IPv6 Special-Purpose Address Registries
//! (RFC 6890 and successors). An IPv6 address that carries an IPv4 address inside (mapped, NAT64, 6to4 …)
//! is judged as both, because a gateway may unwrap it.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::Arc;

use ipnet::{IpNet, Ipv4Net, Ipv6Net};
use penstock_domain::stores::StoreObject;

/// Who chose an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Origin {
    /// An object of a namespace: its author may reach the public internet and what the administrator lists.
    Namespace,
    /// The administrator, in a ClusterSecretStore: anything but metadata services.
    Administrator,
}

impl Origin {
    /// Who chose the addresses in a store.
    pub fn of(store: &StoreObject) -> Self {
        if store.is_cluster() {
            Self::Administrator
        } else {
            Self::Namespace
        }
    }
}

/// Whether a connection is encrypted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Transport {
    /// https
    Tls,
    /// http
    Plain,
}

/// Why an address is refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refusal {
    /// A cloud's metadata service, which hands out credentials of the machine.
    Metadata,
    /// The machine itself.
    Loopback,
    /// The local link.
    LinkLocal,
    /// A private network (RFC 1918, unique local IPv6).
    Private,
    /// Shared address space of carriers (RFC 6598).
    Shared,
    /// Multicast.
    Multicast,
    /// No address at all (`0.0.0.0/8`, `::`).
    Unspecified,
    /// Reserved, for documentation, benchmarking or protocols; never a public server.
    Reserved,
    /// A tunnel whose far end cannot be told from the address.
    Tunnel,
    /// Plain http to an address that is not on the administrator's list.
    PlainText,
    /// Another address than that of the one credential service that was to be asked.
    Other,
}

impl fmt::Display for Refusal {
    fn fmt(&self, formatter: &mut fmt::Formatter<'_>) -> fmt::Result {
        formatter.write_str(match self {
            Self::Metadata => "that of a cloud's metadata service",
            Self::Loopback => "a loopback address",
            Self::LinkLocal => "a link-local address",
            Self::Private => "an address of a private network",
            Self::Shared => "an address of a carrier's shared network",
            Self::Multicast => "a multicast address",
            Self::Unspecified => "an unspecified address",
            Self::Reserved => "a reserved address",
            Self::Tunnel => "an address of a tunnel",
            Self::PlainText => "reached by plain http",
            Self::Other => "another than that of the credential service",
        })
    }
}

/// Decides which addresses one store may connect to.
#[derive(Debug, Clone)]
pub struct EgressPolicy {
    rule: Rule,
}

#[derive(Debug, Clone)]
enum Rule {
    /// Addresses that a store names.
    Judged {
        origin: Origin,
        allowed: Arc<[IpNet]>,
    },
    /// One credential service of the operator's own surroundings, and nothing else.
    Only(IpAddr),
}

impl EgressPolicy {
    /// The policy for addresses chosen by `origin`; `allowed` is the administrator's list (`--egress-allow`).
    pub fn new(origin: Origin, allowed: Arc<[IpNet]>) -> Self {
        Self {
            rule: Rule::Judged { origin, allowed },
        }
    }

    /// The policy of a client for one credential service: the operator's own identity is asked for there. No
    /// store can come by it: it is made where [`super::ambient`] has granted that identity.
    pub(super) fn only(address: IpAddr) -> Self {
        Self {
            rule: Rule::Only(address),
        }
    }

    /// The policy of a client for one pod, at the address that its node says it has: that one, and no other. What no
    /// pod can have stays closed, unless the administrator lists it.
    pub(super) fn pod(address: IpAddr, allowed: &[IpNet]) -> Result<Self, Refusal> {
        let faces = faces(address);
        if faces.iter().any(|face| is_metadata(*face)) && !names_exactly(allowed, &faces) {
            return Err(Refusal::Metadata);
        }
        let refusal = faces
            .iter()
            .find_map(|face| special(*face))
            .filter(|refusal| {
                matches!(
                    refusal,
                    Refusal::Loopback
                        | Refusal::LinkLocal
                        | Refusal::Multicast
                        | Refusal::Unspecified
                        | Refusal::Tunnel
                )
            });
        match refusal {
            Some(refusal) if !lists(allowed, &faces) => Err(refusal),
            _ => Ok(Self::only(address)),
        }
    }

    /// Whether a connection to `address` may be made.
    ///
    /// Metadata services stay closed to everybody, under a listed range too: only an entry that names
    /// exactly that one address opens it.
    pub fn permits(&self, address: IpAddr, transport: Transport) -> Result<(), Refusal> {
        let (origin, allowed) = match &self.rule {
            Rule::Only(only) if *only == address => return Ok(()),
            Rule::Only(_) => return Err(Refusal::Other),
            Rule::Judged { origin, allowed } => (*origin, allowed),
        };
        let faces = faces(address);
        if faces.iter().any(|face| is_metadata(*face)) && !names_exactly(allowed, &faces) {
            return Err(Refusal::Metadata);
        }
        if origin == Origin::Administrator || lists(allowed, &faces) {
            return Ok(());
        }
        if transport == Transport::Plain {
            return Err(Refusal::PlainText);
        }
        faces
            .iter()
            .find_map(|face| special(*face))
            .map_or(Ok(()), Err)
    }
}

fn lists(allowed: &[IpNet], faces: &[IpAddr]) -> bool {
    allowed
        .iter()
        .any(|range| faces.iter().any(|face| range.contains(face)))
}

fn names_exactly(allowed: &[IpNet], faces: &[IpAddr]) -> bool {
    allowed
        .iter()
        .any(|range| range.prefix_len() == range.max_prefix_len() && faces.contains(&range.addr()))
}

/// The address, and the IPv4 address inside it where there is one.
fn faces(address: IpAddr) -> Vec<IpAddr> {
    let inner = match address {
        IpAddr::V4(_) => None,
        IpAddr::V6(address) => embedded(address),
    };
    match inner {
        // A mapped address is the IPv4 address: the kernel connects to just that.
        Some(inner) if is_mapped(address) => vec![IpAddr::V4(inner)],
        Some(inner) => vec![address, IpAddr::V4(inner)],
        None => vec![address],
    }
}

fn is_mapped(address: IpAddr) -> bool {
    matches!(address, IpAddr::V6(address) if address.to_ipv4_mapped().is_some())
}

/// The IPv4 address that an IPv6 address carries by its form: mapped and compatible (RFC 4291), NAT64
/// (RFC 6052), 6to4 (RFC 3056), ISATAP (RFC 5214).
fn embedded(address: Ipv6Addr) -> Option<Ipv4Addr> {
    let bytes = address.octets();
    let at = |start: usize| {
        let part: [u8; 4] = bytes.get(start..start + 4)?.try_into().ok()?;
        Some(Ipv4Addr::from(part))
    };
    if address.is_loopback() || address.is_unspecified() {
        None
    } else if address.to_ipv4().is_some() || NAT64.contains(&address) {
        at(12)
    } else if SIX_TO_FOUR.contains(&address) {
        at(2)
    } else if matches!(
        bytes,
        [_, _, _, _, _, _, _, _, 0 | 2, 0, 0x5e, 0xfe, _, _, _, _]
    ) {
        at(12)
    } else {
        None
    }
}

const fn v4(a: u8, b: u8, c: u8, d: u8, prefix: u8) -> Ipv4Net {
    Ipv4Net::new_assert(Ipv4Addr::new(a, b, c, d), prefix)
}

const fn v6(high: [u16; 4], prefix: u8) -> Ipv6Net {
    let [a, b, c, d] = high;
    Ipv6Net::new_assert(Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0), prefix)
}

const NAT64: Ipv6Net = v6([0x64, 0xff9b, 0, 0], 96);
const SIX_TO_FOUR: Ipv6Net = v6([0x2002, 0, 0, 0], 16);
/// All that IANA has given out as global unicast.
const GLOBAL_UNICAST: Ipv6Net = v6([0x2000, 0, 0, 0], 3);

const SPECIAL_V4: [(Ipv4Net, Refusal); 17] = [
    (v4(0, 0, 0, 0, 8), Refusal::Unspecified),
    (v4(10, 0, 0, 0, 8), Refusal::Private),
    (v4(100, 64, 0, 0, 10), Refusal::Shared),
    (v4(127, 0, 0, 0, 8), Refusal::Loopback),
    (v4(169, 254, 0, 0, 16), Refusal::LinkLocal),
    (v4(172, 16, 0, 0, 12), Refusal::Private),
    (v4(192, 0, 0, 0, 24), Refusal::Reserved),
    (v4(192, 0, 2, 0, 24), Refusal::Reserved),
    (v4(192, 31, 196, 0, 24), Refusal::Reserved),
    (v4(192, 52, 193, 0, 24), Refusal::Reserved),
    (v4(192, 88, 99, 0, 24), Refusal::Tunnel),
    (v4(192, 168, 0, 0, 16), Refusal::Private),
    (v4(198, 18, 0, 0, 15), Refusal::Reserved),
    (v4(198, 51, 100, 0, 24), Refusal::Reserved),
    (v4(203, 0, 113, 0, 24), Refusal::Reserved),
    (v4(224, 0, 0, 0, 4), Refusal::Multicast),
    (v4(240, 0, 0, 0, 4), Refusal::Reserved),
];

const SPECIAL_V6: [(Ipv6Net, Refusal); 8] = [
    (v6([0xfc00, 0, 0, 0], 7), Refusal::Private),
    (v6([0xfec0, 0, 0, 0], 10), Refusal::Private),
    (v6([0xfe80, 0, 0, 0], 10), Refusal::LinkLocal),
    (v6([0xff00, 0, 0, 0], 8), Refusal::Multicast),
    // Teredo, ORCHID and other protocol assignments.
    (v6([0x2001, 0, 0, 0], 23), Refusal::Tunnel),
    (v6([0x2001, 0xdb8, 0, 0], 32), Refusal::Reserved),
    (v6([0x3fff, 0, 0, 0], 20), Refusal::Reserved),
    (v6([0x64, 0xff9b, 1, 0], 48), Refusal::Tunnel),
];

/// Metadata and credential services of the clouds, by their documentation: the common IPv4 address and its
/// IPv6 forms at AWS and Google, container credentials at AWS (ECS, EKS Pod Identity), the Azure host
/// channel, Alibaba Cloud, Oracle Cloud.
const METADATA: [IpAddr; 9] = [
    IpAddr::V4(Ipv4Addr::new(169, 254, 169, 254)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 2)),
    IpAddr::V4(Ipv4Addr::new(169, 254, 170, 23)),
    IpAddr::V4(Ipv4Addr::new(168, 63, 129, 16)),
    IpAddr::V4(Ipv4Addr::new(100, 100, 100, 200)),
    IpAddr::V4(Ipv4Addr::new(192, 0, 0, 192)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x254)),
    IpAddr::V6(Ipv6Addr::new(0xfd00, 0xec2, 0, 0, 0, 0, 0, 0x23)),
    IpAddr::V6(Ipv6Addr::new(0xfd20, 0xce, 0, 0, 0, 0, 0, 0x254)),
];

/// Whether a service that hands out credentials may listen at `address`: a known one, the machine itself, the
/// local link. It decides over addresses of the operator's own environment only.
pub(super) fn may_serve_credentials(address: IpAddr) -> bool {
    is_metadata(address)
        || address.is_loopback()
        || matches!(address, IpAddr::V4(address) if address.is_link_local())
}

fn is_metadata(address: IpAddr) -> bool {
    METADATA.contains(&address)
}

fn special(address: IpAddr) -> Option<Refusal> {
    match address {
        IpAddr::V4(address) => SPECIAL_V4
            .iter()
            .find(|(range, _)| range.contains(&address))
            .map(|(_, refusal)| *refusal),
        IpAddr::V6(address) => special_v6(address),
    }
}

fn special_v6(address: Ipv6Addr) -> Option<Refusal> {
    if address.is_loopback() {
        return Some(Refusal::Loopback);
    }
    if address.is_unspecified() {
        return Some(Refusal::Unspecified);
    }
    let listed = SPECIAL_V6
        .iter()
        .find(|(range, _)| range.contains(&address))
        .map(|(_, refusal)| *refusal);
    listed.or_else(|| {
        let public = GLOBAL_UNICAST.contains(&address) || NAT64.contains(&address);
        (!public).then_some(Refusal::Reserved)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_pod_has_an_address_that_a_pod_can_have_and_only_that_one() {
        let pod = |text: &str, allowed: &[&str]| {
            let allowed: Vec<IpNet> = allowed.iter().map(|range| range.parse().unwrap()).collect();
            EgressPolicy::pod(text.parse().unwrap(), &allowed)
        };
        for good in [
            "10.244.0.7",
            "192.168.1.1",
            "100.64.3.4",
            "fd00::7",
            "1.1.1.1",
        ] {
            let policy = pod(good, &[]).unwrap();
            let permits = |text: &str| policy.permits(text.parse().unwrap(), Transport::Plain);
            assert_eq!(permits(good), Ok(()));
            assert_eq!(permits("10.244.0.8"), Err(Refusal::Other));
        }
        for (bad, refusal) in [
            ("169.254.169.254", Refusal::Metadata),
            ("fd00:ec2::254", Refusal::Metadata),
            ("127.0.0.1", Refusal::Loopback),
            ("::1", Refusal::Loopback),
            ("169.254.1.1", Refusal::LinkLocal),
            ("0.0.0.0", Refusal::Unspecified),
            ("224.0.0.1", Refusal::Multicast),
        ] {
            assert_eq!(pod(bad, &[]).unwrap_err(), refusal, "{bad}");
        }
        assert!(pod("127.0.0.1", &["127.0.0.0/8"]).is_ok());
        assert!(pod("169.254.169.254", &["169.254.0.0/16"]).is_err());
    }

    fn policy(origin: Origin, allowed: &[&str]) -> EgressPolicy {
        let allowed = allowed.iter().map(|range| range.parse().unwrap()).collect();
        EgressPolicy::new(origin, allowed)
    }

    fn judge(policy: &EgressPolicy, address: &str) -> Result<(), Refusal> {
        policy.permits(address.parse().unwrap(), Transport::Tls)
    }

    #[test]
    fn a_namespace_reaches_public_addresses() {
        let policy = policy(Origin::Namespace, &[]);
        for address in [
            "1.1.1.1",
            "8.8.8.8",
            "172.15.255.255",
            "172.32.0.1",
            "100.63.255.255",
            "100.128.0.1",
            "169.253.1.1",
            "223.255.255.255",
            "2606:4700::1111",
            "2a00:1450:4001::1",
            "::ffff:1.1.1.1",
            "64:ff9b::101:101",
            "2002:101:101::1",
        ] {
            assert_eq!(judge(&policy, address), Ok(()), "{address}");
        }
    }

    #[test]
    fn a_namespace_reaches_nothing_inside() {
        let policy = policy(Origin::Namespace, &[]);
        for (address, refusal) in [
            ("127.0.0.1", Refusal::Loopback),
            ("127.255.255.254", Refusal::Loopback),
            ("::1", Refusal::Loopback),
            ("0.0.0.0", Refusal::Unspecified),
            ("0.1.2.3", Refusal::Unspecified),
            ("::", Refusal::Unspecified),
            ("10.0.0.1", Refusal::Private),
            ("10.96.0.1", Refusal::Private),
            ("172.16.0.1", Refusal::Private),
            ("172.31.255.255", Refusal::Private),
            ("192.168.1.1", Refusal::Private),
            ("fc00::1", Refusal::Private),
            ("fdff::1", Refusal::Private),
            ("fec0::1", Refusal::Private),
            ("100.64.0.1", Refusal::Shared),
            ("100.127.255.255", Refusal::Shared),
            ("169.254.1.1", Refusal::LinkLocal),
            ("fe80::1", Refusal::LinkLocal),
            ("224.0.0.1", Refusal::Multicast),
            ("ff02::1", Refusal::Multicast),
            ("255.255.255.255", Refusal::Reserved),
            ("240.0.0.1", Refusal::Reserved),
            ("192.0.2.1", Refusal::Reserved),
            ("198.18.0.1", Refusal::Reserved),
            ("2001:db8::1", Refusal::Reserved),
            ("4000::1", Refusal::Reserved),
            ("100::1", Refusal::Reserved),
            ("2001::1", Refusal::Tunnel),
            ("192.88.99.1", Refusal::Tunnel),
            ("64:ff9b:1::a00:1", Refusal::Tunnel),
        ] {
            assert_eq!(judge(&policy, address), Err(refusal), "{address}");
        }
    }

    #[test]
    fn an_inner_address_is_found_in_every_wrapping() {
        let policy = policy(Origin::Namespace, &[]);
        for (address, refusal) in [
            ("::ffff:127.0.0.1", Refusal::Loopback),
            ("::ffff:10.0.0.1", Refusal::Private),
            ("::ffff:169.254.169.254", Refusal::Metadata),
            ("64:ff9b::7f00:1", Refusal::Loopback),
            ("64:ff9b::a9fe:a9fe", Refusal::Metadata),
            ("64:ff9b::a00:1", Refusal::Private),
            ("2002:7f00:1::", Refusal::Loopback),
            ("2002:a9fe:a9fe::1", Refusal::Metadata),
            ("2002:c0a8:101::1", Refusal::Private),
            ("2606:4700::5efe:10.0.0.1", Refusal::Private),
            ("2606:4700::200:5efe:a9fe:a9fe", Refusal::Metadata),
        ] {
            assert_eq!(judge(&policy, address), Err(refusal), "{address}");
        }
        assert!(
            judge(&policy, "::127.0.0.1").is_err(),
            "IPv4-compatible, deprecated"
        );
    }

    #[test]
    fn metadata_services_are_closed_to_everybody() {
        for address in [
            "169.254.169.254",
            "169.254.170.2",
            "169.254.170.23",
            "168.63.129.16",
            "100.100.100.200",
            "192.0.0.192",
            "fd00:ec2::254",
            "fd00:ec2::23",
            "fd20:ce::254",
            "::ffff:169.254.169.254",
        ] {
            for policy in [
                policy(Origin::Namespace, &[]),
                policy(Origin::Administrator, &[]),
                policy(
                    Origin::Administrator,
                    &["169.254.0.0/16", "0.0.0.0/0", "::/0"],
                ),
                policy(Origin::Namespace, &["0.0.0.0/0", "::/0"]),
            ] {
                assert_eq!(
                    judge(&policy, address),
                    Err(Refusal::Metadata),
                    "{address} {policy:?}"
                );
            }
        }
        let exact = policy(Origin::Namespace, &["169.254.169.254/32"]);
        assert_eq!(judge(&exact, "169.254.169.254"), Ok(()));
        assert_eq!(judge(&exact, "169.254.170.2"), Err(Refusal::Metadata));
    }

    #[test]
    fn the_client_of_a_credential_service_reaches_nothing_else() {
        let policy = EgressPolicy::only("169.254.170.23".parse().unwrap());
        let plain = |address: &str| policy.permits(address.parse().unwrap(), Transport::Plain);
        assert_eq!(plain("169.254.170.23"), Ok(()));
        for other in [
            "169.254.169.254",
            "127.0.0.1",
            "1.1.1.1",
            "::ffff:a9fe:aa17",
        ] {
            assert_eq!(plain(other), Err(Refusal::Other), "{other}");
        }
    }

    #[test]
    fn the_administrators_list_opens_exactly_its_ranges() {
        let policy = policy(Origin::Namespace, &["10.1.0.0/16", "fd12::/32"]);
        for address in ["10.1.2.3", "::ffff:10.1.2.3", "fd12::1"] {
            assert_eq!(judge(&policy, address), Ok(()), "{address}");
        }
        for address in ["10.2.0.1", "fd13::1", "127.0.0.1"] {
            assert!(judge(&policy, address).is_err(), "{address}");
        }
    }

    #[test]
    fn the_administrators_own_stores_reach_private_addresses() {
        let policy = policy(Origin::Administrator, &[]);
        for address in ["127.0.0.1", "10.0.0.1", "fc00::1", "1.1.1.1"] {
            assert_eq!(judge(&policy, address), Ok(()), "{address}");
            assert_eq!(
                policy.permits(address.parse().unwrap(), Transport::Plain),
                Ok(())
            );
        }
    }

    #[test]
    fn plain_http_needs_the_list() {
        let policy = policy(Origin::Namespace, &["10.1.0.0/16"]);
        let plain = |address: &str| policy.permits(address.parse().unwrap(), Transport::Plain);
        assert_eq!(plain("10.1.2.3"), Ok(()));
        assert_eq!(plain("1.1.1.1"), Err(Refusal::PlainText));
        assert_eq!(plain("10.2.2.3"), Err(Refusal::PlainText));
    }
}
