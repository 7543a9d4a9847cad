//! Whether the bridge to the public network is there and leads somewhere.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use csp_shared::host_status::BridgeState;

use super::Finding;
use crate::{
    host_machine::fault::story,
    network::{
        bridge,
        host_addresses::HostAddresses,
        links::{Link, Links},
        segment::ability::Found,
        tap_name::PREFIX,
    },
};

const BRIDGE: &str = "bridge";
const NETFILTER: &str = "/proc/sys/net/bridge/bridge-nf-call-iptables";

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Network {
    /// All interfaces, or why they could not be listed.
    pub links: Result<Vec<Link>, String>,
    /// The host's addresses, each with the number of its interface.
    pub addresses: BTreeSet<(u32, IpAddr)>,
    /// Bridged frames also pass the host's own packet filter, which knows nothing of guests.
    pub host_filter_on_bridges: bool,
}

/// Lists the interfaces.
pub async fn probe() -> Network {
    let look = async { Found::look(&Links::connect()?).await };
    let (links, addresses) = match look.await {
        Ok(found) => (Ok(found.links.to_vec()), found.addresses),
        Err(error) => (Err(story(&error)), BTreeSet::new()),
    };
    let host_filter = std::fs::read_to_string(NETFILTER); // not there while nobody loaded the module: then it is off
    Network { links, addresses, host_filter_on_bridges: host_filter.is_ok_and(|text| text.trim() == "1") }
}

/// Judges the bridge called `name`.
#[must_use]
pub fn judge(name: &str, network: &Network) -> Finding {
    let links = match &network.links {
        Ok(links) => links,
        Err(reason) => return Finding::fault(BRIDGE, reason, "run as root"),
    };
    let state = bridge::state(links, name);
    let (detail, cure) = bridge::trouble(state, name).unwrap_or_default();
    let bridge = match bridge::find(links, name) {
        Ok(bridge) => bridge,
        Err(error) => return Finding::fault(BRIDGE, story(&error), cure),
    };
    let uplinks: Vec<&str> = bridge::uplinks(links, bridge).iter().map(|link| link.name.as_str()).collect();
    if uplinks.iter().any(|uplink| uplink.starts_with(PREFIX)) {
        let detail = format!("a port of {name} that csp did not make is called like its taps ({PREFIX}…)");
        return Finding::fault(BRIDGE, detail, "rename it: what comes from such names never reaches the host");
    }
    if state == BridgeState::Down {
        return Finding::fault(BRIDGE, detail, cure);
    }
    if !detail.is_empty() {
        return Finding::warning(BRIDGE, detail, cure);
    }
    if network.host_filter_on_bridges {
        let detail = format!("{name} is there, and bridged frames also pass the host's own packet filter");
        let cure = "`sysctl net.bridge.bridge-nf-call-iptables=0`, unless a program on this host (Docker) needs it";
        return Finding::warning(BRIDGE, detail, cure);
    }
    let found = Found { links: links.as_slice().into(), addresses: network.addresses.clone() };
    let reached = reached(&HostAddresses::sort(&found, name));
    Finding::ok(BRIDGE, format!("{name} leads to {}{reached}", uplinks.join(", ")))
}

/// Where others find this host by the bridge: what is open there is for its own firewall to say.
fn reached(addresses: &HostAddresses) -> String {
    let named =
        |addresses: &BTreeSet<Ipv4Addr>| addresses.iter().map(Ipv4Addr::to_string).collect::<Vec<_>>().join(", ");
    let open: BTreeSet<Ipv4Addr> = addresses.bridge.union(&addresses.ports).copied().collect();
    let mut told = String::new();
    if !open.is_empty() {
        told += &format!("; there everybody, guests of other hosts too, reaches this host at {}", named(&open));
        told += ", as far as its own firewall lets them";
    }
    if !addresses.elsewhere.is_empty() {
        told += &format!("; nobody reaches it there at {}", named(&addresses.elsewhere));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    fn network() -> Network {
        let bridge = Link { index: 2, name: "br-public".to_owned(), is_bridge: true, up: true, ..Link::default() };
        let port = Link { controller: Some(2), up: true, has_carrier: true, ..Link::default() };
        let uplink = Link { index: 3, name: "eth0".to_owned(), ..port };
        Network { links: Ok(vec![bridge, uplink]), addresses: BTreeSet::new(), host_filter_on_bridges: false }
    }

    #[test]
    fn where_the_host_is_reached_is_told() {
        let addresses = [(2, [203, 0, 113, 2]), (9, [198, 51, 100, 12])];
        let addresses = addresses.map(|(index, address)| (index, IpAddr::from(address))).into();
        let finding = judge("br-public", &Network { addresses, ..network() });
        assert_eq!(finding.verdict, Verdict::Ok);
        assert!(finding.detail.contains("this host at 203.0.113.2,"), "{finding:?}");
        assert!(finding.detail.ends_with("nobody reaches it there at 198.51.100.12"), "{finding:?}");
    }

    #[test]
    fn each_fault_of_the_bridge_has_its_verdict() {
        let with = |change: fn(&mut Vec<Link>)| {
            let mut links = network().links.unwrap();
            change(&mut links);
            Network { links: Ok(links), ..network() }
        };
        let table = [
            ("as it should be", network(), Verdict::Ok),
            ("not there", with(|links| drop(links.remove(0))), Verdict::Fault),
            ("no bridge", with(|links| links[0].is_bridge = false), Verdict::Fault),
            ("down", with(|links| links[0].up = false), Verdict::Fault),
            ("no uplink", with(|links| links[1].controller = None), Verdict::Warning),
            ("an uplink that is down", with(|links| links[1].up = false), Verdict::Warning),
            ("an uplink with a tap's name", with(|links| links[1].name = "cspt0".to_owned()), Verdict::Fault),
            ("filtered by the host", Network { host_filter_on_bridges: true, ..network() }, Verdict::Warning),
            ("unreadable", Network { links: Err("no".to_owned()), ..network() }, Verdict::Fault),
        ];
        for (name, network, verdict) in table {
            let finding = judge("br-public", &network);
            assert_eq!(finding.verdict, verdict, "{name}");
            assert_eq!(finding.cure.is_empty(), verdict == Verdict::Ok, "{name}");
        }
    }
}
