//! Networks that something is allowed from, and which of the addresses that a request names is its client's.

use std::net::{IpAddr, Ipv6Addr};

use ipnet::IpNet;

/// Networks of one list: an operator who needs more of them means everywhere.
const NETWORKS_MAX: usize = 32;
/// Addresses of `X-Forwarded-For` that are looked at: more proxies than stand in any real chain.
const HOPS_MAX: usize = 32;

/// Some networks, IPv4 and IPv6, never none.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Networks(Vec<IpNet>);

/// A text that is no list of networks.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadNetworks {
    /// Not even one.
    #[error("`{0}` is no network: write 203.0.113.0/24, 2001:db8::/32 or a single address")]
    NoNetwork(String),
    /// `203.0.113.7/24` may mean the address or the network; whoever wrote it must say.
    #[error("`{given}` has bits beyond its prefix: write {network}, or the address alone")]
    HostBits {
        /// What was written.
        given: String,
        /// What it would be.
        network: IpNet,
    },
    /// More than anybody can oversee.
    #[error("there are at most {NETWORKS_MAX} networks")]
    TooMany,
    /// Nowhere at all.
    #[error("there is no network in it")]
    None,
}

impl Networks {
    /// Reads networks, each a text; single addresses are networks of one.
    ///
    /// # Errors
    /// When one of them is none, or there are none or too many.
    pub fn parse<'a>(texts: impl IntoIterator<Item = &'a str>) -> Result<Self, BadNetworks> {
        let mut networks = texts.into_iter().map(network).collect::<Result<Vec<_>, _>>()?;
        networks.sort();
        networks.dedup();
        match networks.len() {
            0 => Err(BadNetworks::None),
            1..=NETWORKS_MAX => Ok(Self(networks)),
            _ => Err(BadNetworks::TooMany),
        }
    }

    /// Reads what [`Networks::to_words`] wrote.
    ///
    /// # Errors
    /// When that did not write it.
    pub fn parse_words(text: &str) -> Result<Self, BadNetworks> {
        Self::parse(text.split_whitespace())
    }

    /// As stored: words with a space between.
    #[must_use]
    pub fn to_words(&self) -> String {
        self.texts().join(" ")
    }

    /// Each as a text.
    #[must_use]
    pub fn texts(&self) -> Vec<String> {
        self.0.iter().map(ToString::to_string).collect()
    }

    /// Whether the address is in one of them.
    #[must_use]
    pub fn contain(&self, address: IpAddr) -> bool {
        contain(&self.0, address)
    }
}

fn network(text: &str) -> Result<IpNet, BadNetworks> {
    let wrong = || BadNetworks::NoNetwork(text.chars().filter(|c| !c.is_control()).take(64).collect());
    let network = match text.parse::<IpAddr>() {
        Ok(address) => IpNet::from(address.to_canonical()),
        Err(_) => text.parse::<IpNet>().map_err(|_| wrong())?,
    };
    if network.trunc() == network {
        Ok(network)
    } else {
        Err(BadNetworks::HostBits { given: network.to_string(), network: network.trunc() })
    }
}

/// Whether the address is in one of the networks. An IPv4 address in IPv6's clothes is the IPv4 address.
#[must_use]
pub fn contain(networks: &[IpNet], address: IpAddr) -> bool {
    let address = address.to_canonical();
    networks.iter().any(|network| network.contains(&address))
}

/// What a trusted proxy wrote where the client's address belongs. Counted as the proxy itself, such a client would share
/// everybody's allowance there, and open keys that are bound to the proxy's network.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("its last element that is no trusted proxy must be the client's address")]
pub struct UnreadableClient;

/// Whose request it is: the peer's own, unless the peer is a trusted proxy; then the right-most address of
/// `X-Forwarded-For` that is none. Everything further left was written by that client, who may write anything. A proxy
/// that names nobody asks for itself.
///
/// # Errors
/// When a trusted proxy names the client unreadably (`unknown`), or more proxies than there can be.
pub fn client_address<'a>(
    peer: IpAddr,
    forwarded_for: impl DoubleEndedIterator<Item = &'a str>,
    trusted_proxies: &[IpNet],
) -> Result<IpAddr, UnreadableClient> {
    let mut client = peer.to_canonical();
    let hops = forwarded_for.rev().flat_map(|line| line.rsplit(','));
    for (at, hop) in hops.enumerate() {
        if !contain(trusted_proxies, client) {
            break;
        }
        client = hop_address(hop.trim()).filter(|_| at < HOPS_MAX).ok_or(UnreadableClient)?.to_canonical();
    }
    Ok(client)
}

/// An address as proxies write it: bare, with a port, or in brackets.
fn hop_address(text: &str) -> Option<IpAddr> {
    if let Ok(address) = text.parse() {
        return Some(address);
    }
    if let Ok(with_port) = text.parse::<std::net::SocketAddr>() {
        return Some(with_port.ip());
    }
    text.strip_prefix('[')?.strip_suffix(']')?.parse::<Ipv6Addr>().ok().map(IpAddr::V6)
}

/// Whom an address stands for where requests are counted: one IPv4 address, or the /64 that one customer of an access
/// provider has at least.
#[must_use]
pub fn counted_as(address: IpAddr) -> IpAddr {
    match address.to_canonical() {
        IpAddr::V6(v6) => IpAddr::V6(Ipv6Addr::from_bits(v6.to_bits() >> 64 << 64)),
        v4 @ IpAddr::V4(_) => v4,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn nets(text: &str) -> Vec<IpNet> {
        text.split_whitespace().map(|net| net.parse().unwrap()).collect()
    }

    #[test]
    fn a_list_of_networks_is_strict_and_survives_the_store() {
        let list = Networks::parse(["2001:db8::/32", "203.0.113.0/24", "198.51.100.7", "203.0.113.0/24"]).unwrap();
        assert_eq!(list.to_words(), "198.51.100.7/32 203.0.113.0/24 2001:db8::/32");
        assert_eq!(Networks::parse_words(&list.to_words()), Ok(list.clone()));
        for inside in ["203.0.113.255", "198.51.100.7", "2001:db8:1::1", "::ffff:203.0.113.9"] {
            assert!(list.contain(inside.parse().unwrap()), "{inside}");
        }
        for outside in ["203.0.114.0", "198.51.100.8", "2001:db9::1", "::", "::ffff:8.8.8.8"] {
            assert!(!list.contain(outside.parse().unwrap()), "{outside}");
        }
        for bad in ["", "203.0.113.7/24", "203.0.113.0/33", "203.0.113", "2001:db8::1/32", "a\u{1b}[2J", "0x7f.1/8"] {
            assert!(Networks::parse([bad]).is_err(), "{bad}");
        }
        let many: Vec<String> = (0..33).map(|n| format!("10.0.{n}.0/24")).collect();
        assert_eq!(Networks::parse(many.iter().map(String::as_str)), Err(BadNetworks::TooMany));
        assert_eq!(Networks::parse([]), Err(BadNetworks::None));
    }

    #[test]
    fn the_client_is_the_right_most_address_that_is_no_proxy_of_ours() {
        let trusted = "127.0.0.1/32 10.0.0.0/8 2001:db8:f::/48";
        let table: [(&str, &[&str], &str); 15] = [
            // Nobody in front: the header is the client's own and means nothing.
            ("203.0.113.9", &[], "203.0.113.9"),
            ("203.0.113.9", &["198.51.100.1"], "203.0.113.9"),
            ("203.0.113.9", &["127.0.0.1"], "203.0.113.9"),
            // One proxy.
            ("127.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            ("::ffff:127.0.0.1", &["203.0.113.9"], "203.0.113.9"),
            // A client that writes the header itself: what the proxy appended stands to the right of it.
            ("127.0.0.1", &["198.51.100.1, 203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", &["10.0.0.1, 203.0.113.9"], "203.0.113.9"),
            ("127.0.0.1", &["198.51.100.1", "203.0.113.9"], "203.0.113.9"),
            // Two proxies.
            ("127.0.0.1", &["198.51.100.1, 203.0.113.9, 10.2.3.4"], "203.0.113.9"),
            ("2001:db8:f::1", &["2001:db8:a::7, 10.2.3.4"], "2001:db8:a::7"),
            // Ports and brackets.
            ("127.0.0.1", &["203.0.113.9:4711"], "203.0.113.9"),
            ("127.0.0.1", &["[2001:db8:a::7]:4711"], "2001:db8:a::7"),
            ("127.0.0.1", &["[2001:db8:a::7]"], "2001:db8:a::7"),
            // Nobody is named: a proxy that looks whether we are there.
            ("127.0.0.1", &[], "127.0.0.1"),
            ("127.0.0.1", &["10.0.0.7"], "10.0.0.7"),
        ];
        let found =
            |peer: &str, header: &[&str]| client_address(peer.parse().unwrap(), header.iter().copied(), &nets(trusted));
        for (peer, header, want) in table {
            assert_eq!(found(peer, header), Ok(want.parse::<IpAddr>().unwrap()), "{peer} {header:?}");
        }
        for unreadable in [
            &["unknown"] as &[&str],
            &[""],
            &["203.0.113.9,"],
            &["203.0.113.9", ""],
            &["203.0.113.9, <script>, 10.2.3.4"],
            &["203.0.113.9, 0x7f.1"],
            &["203.0.113.9, 127.0.0.1:port"],
            &["10.0.0.1,".repeat(100_000).trim_end_matches(',')],
        ] {
            assert_eq!(found("127.0.0.1", unreadable), Err(UnreadableClient), "{unreadable:.1?}");
            assert_eq!(
                found("203.0.113.9", unreadable),
                Ok("203.0.113.9".parse().unwrap()),
                "of a stranger it means nothing"
            );
        }
    }

    proptest! {
        /// Whatever a client puts in front, the answer is what the proxy saw.
        #[test]
        fn no_header_of_the_client_changes_who_it_is(text in "[ -~]{0,200}") {
            let line = format!("{text}, 203.0.113.9");
            let found = client_address("127.0.0.1".parse().unwrap(), [line.as_str()].into_iter(), &nets("127.0.0.1/32"));
            prop_assert_eq!(found, Ok("203.0.113.9".parse::<IpAddr>().unwrap()));
        }
    }

    #[test]
    fn a_customers_whole_network_is_counted_as_one() {
        let counted = |text: &str| counted_as(text.parse().unwrap()).to_string();
        assert_eq!(counted("2001:db8:1:2:3:4:5:6"), "2001:db8:1:2::");
        assert_eq!(counted("203.0.113.9"), "203.0.113.9");
        assert_eq!(counted("::ffff:203.0.113.9"), "203.0.113.9");
    }
}
