//! Network interfaces that are ours by their mark, or that are called as if they were.

use csp_shared::audit::{HeldTap, Holding};

use crate::{
    host_machine::fault::story,
    network::{
        bridge,
        gate::{self, GateMark},
        links::{Link, Links},
        segment::name::{self, VLAN_BRIDGE},
        tap_name::{PREFIX, TapMark, TapName},
    },
};

/// Lists them. Must be called inside a tokio runtime.
pub(super) async fn list(public_bridge: &str) -> Result<Vec<Holding>, String> {
    let links = Links::connect().map_err(|error| story(&error))?;
    let links = links.list().await.map_err(|error| story(&error))?;
    Ok(held(&links, public_bridge))
}

fn held(links: &[Link], public_bridge: &str) -> Vec<Holding> {
    // Without its bridge nothing is plugged in.
    let bridge = |name: &str| bridge::find(links, name).ok().map(|bridge| bridge.index);
    let is_plugged = |link: &Link, mark: Option<TapMark>| {
        let bridges = match mark.and_then(|mark| mark.network) {
            None => [bridge(public_bridge), None],
            Some(network) => [bridge(&name::bridge(network)), bridge(VLAN_BRIDGE)],
        };
        link.controller.is_some() && bridges.contains(&link.controller)
    };
    let ours = links.iter().map(|link| (link, TapMark::parse(&link.alias)));
    let ours = ours.filter(|(link, mark)| mark.is_some() || link.name.starts_with(PREFIX));
    let taps = ours.map(|(link, mark)| {
        Holding::Tap(HeldTap {
            name: link.name.clone(),
            owner: mark.map(|mark| (mark.server, mark.mac)),
            plugged: is_plugged(link, mark),
            up: link.up,
            stray: mark.is_some_and(|mark| link.name != TapName::of(mark.server, mark.mac).as_str()),
            mac: link.mac,
        })
    });
    let queues = links.iter().map(|link| (link, GateMark::parse(&link.alias)));
    let queues = queues.filter(|(link, mark)| mark.is_some() || link.name.starts_with(gate::PREFIX));
    let queues =
        queues.map(|(link, mark)| Holding::Queue { name: link.name.clone(), server: mark.map(|mark| mark.server) });
    taps.chain(queues).collect()
}

#[cfg(test)]
mod tests {
    use csp_shared::mac::Mac;

    use super::*;
    use crate::{network::gate::Gate, plan::fixture::server};

    #[test]
    fn the_mark_makes_a_tap_ours_and_the_name_makes_it_suspect() {
        let mark = TapMark { server: server(), mac: Mac::for_guest([1, 2, 3, 4]), network: None };
        let link = |name: &str, alias: String| Link { name: name.to_owned(), alias, ..Link::default() };
        let bridge = Link { index: 7, is_bridge: true, ..link("br0", String::new()) };
        let name = TapName::of(mark.server, mark.mac).to_string();
        let own = Link { controller: Some(7), up: true, ..link(&name, mark.to_string()) };
        let twin = link("csptloop", mark.to_string());
        let links = [bridge, own, link("csptb", String::new()), twin, link("eth0", String::new())];
        let tap = |name: &str, owner, connected, stray| {
            Holding::Tap(HeldTap { name: name.to_owned(), owner, plugged: connected, up: connected, stray, mac: None })
        };
        let owner = Some((mark.server, mark.mac));
        let told =
            [tap(&name, owner, true, false), tap("csptb", None, false, false), tap("csptloop", owner, false, true)];
        assert_eq!(held(&links, "br0"), told);
        let mark = GateMark { server: server(), gate: Gate::ToGuest, mbit: Some(10) };
        let queues = [link("cspqa", mark.to_string()), link("cspqb", String::new())];
        let queue = |name: &str, server| Holding::Queue { name: name.to_owned(), server };
        assert_eq!(held(&queues, "br0"), [queue("cspqa", Some(server())), queue("cspqb", None)]);
        assert!(matches!(&held(&links, "br1")[0], Holding::Tap(tap) if !tap.plugged && tap.up));
    }
}
