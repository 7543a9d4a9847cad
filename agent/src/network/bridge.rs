//! The provider's bridge: looked for and plugged into, never changed.

use csp_shared::host_status::BridgeState;

use super::{NetworkError, links::Link, tap};

/// Finds the bridge by its name.
///
/// # Errors
/// When there is no such interface, or it is no bridge.
pub fn find<'a>(links: &'a [Link], name: &str) -> Result<&'a Link, NetworkError> {
    match links.iter().find(|link| link.name == name) {
        Some(link) if link.is_bridge => Ok(link),
        Some(_) => Err(NetworkError::NotBridge(name.to_owned())),
        None => Err(NetworkError::NoBridge(name.to_owned())),
    }
}

/// The ports of a bridge that do not lead to guests.
#[must_use]
pub fn uplinks<'a>(links: &'a [Link], bridge: &Link) -> Vec<&'a Link> {
    links.iter().filter(|link| link.controller == Some(bridge.index) && !tap::is_tap(link)).collect()
}

/// Whether guests' frames can leave by the bridge of that name.
#[must_use]
pub fn state(links: &[Link], name: &str) -> BridgeState {
    let Ok(bridge) = find(links, name) else { return BridgeState::Missing };
    let uplinks = uplinks(links, bridge);
    if !bridge.up {
        BridgeState::Down
    } else if uplinks.is_empty() {
        BridgeState::NoUplink
    } else if !uplinks.iter().any(|uplink| uplink.up && uplink.has_carrier) {
        BridgeState::UplinkDown
    } else {
        BridgeState::Ready
    }
}

/// What a state of the bridge means to guests, and its cure; nothing when nothing is wrong.
#[must_use]
pub fn trouble(state: BridgeState, name: &str) -> Option<(String, String)> {
    match state {
        BridgeState::Ready | BridgeState::Unknown => None,
        BridgeState::Missing => Some((
            format!("there is no bridge {name}: no guest has a network"),
            "make the bridge with the uplink as a port, or name the right one in `network.public_bridge`".to_owned(),
        )),
        BridgeState::Down => {
            Some((format!("{name} is down: no guest has a network"), format!("`ip link set {name} up`")))
        }
        BridgeState::NoUplink => Some((
            format!("{name} has no port but guests': they reach nobody else"),
            format!("`ip link set UPLINK master {name}`"),
        )),
        BridgeState::UplinkDown => Some((
            format!("no port of {name} that leads out is up and has a carrier: guests reach nobody else"),
            "`ip link set UPLINK up`; look at the cable and the switch".to_owned(),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_no_bridge_is_told_from_what_is_not_there() {
        let bridge = Link { name: "br-public".to_owned(), is_bridge: true, ..Link::default() };
        let cable = Link { name: "eth0".to_owned(), ..Link::default() };
        let links = [bridge.clone(), cable];
        assert_eq!(find(&links, "br-public").unwrap(), &bridge);
        assert!(matches!(find(&links, "eth0"), Err(NetworkError::NotBridge(_))));
        assert!(matches!(find(&links, "br-other"), Err(NetworkError::NoBridge(_))));
    }

    #[test]
    fn each_way_in_which_guests_are_cut_off_is_told_with_its_cure() {
        let bridge = Link { index: 2, name: "br-public".to_owned(), is_bridge: true, up: true, ..Link::default() };
        let port = Link { controller: Some(2), up: true, has_carrier: true, ..Link::default() };
        let uplink = Link { index: 3, name: "eth0".to_owned(), ..port.clone() };
        let mark = "csp server=0198c0de-0000-7000-8000-00000000000a mac=0a:c5:00:00:00:01".to_owned();
        let tap = Link { index: 4, name: "csptabc".to_owned(), alias: mark, is_tun: true, ..port };
        let all = [bridge, uplink, tap];
        let with = |change: fn(&mut [Link; 3])| {
            let mut links = all.clone();
            change(&mut links);
            links
        };
        for (links, wanted) in [
            (with(|_| {}), BridgeState::Ready),
            (with(|[bridge, ..]| bridge.is_bridge = false), BridgeState::Missing),
            (with(|[bridge, ..]| bridge.up = false), BridgeState::Down),
            (with(|[_, uplink, _]| uplink.controller = None), BridgeState::NoUplink),
            (with(|[_, uplink, _]| uplink.up = false), BridgeState::UplinkDown),
            (with(|[_, uplink, _]| uplink.has_carrier = false), BridgeState::UplinkDown),
        ] {
            assert_eq!(state(&links, "br-public"), wanted);
            let told = trouble(wanted, "br-public");
            assert_eq!(told.is_some(), wanted != BridgeState::Ready);
            assert_eq!(told.is_some(), wanted.is_missing() || wanted.is_without_uplink());
            assert!(told.is_none_or(|(detail, cure)| detail.contains("br-public") && !cure.is_empty()));
        }
    }
}
