//! Keeps what comes in by the public bridge from the host's other addresses: a host answers, and takes in, on each of its
//! interfaces what is for any of them, so guests of another host would reach the address by which it is managed.
//!
//! Addresses of the bridge itself, and those that were left on its ports, stay reachable from outside. What guests of this host
//! send reaches none at all, which is the guard's work.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use futures_util::StreamExt;
use rtnetlink::MulticastGroup;
use serde_json::{Value, json};
use tokio::{sync::Notify, task::JoinSet, time::sleep};
use tracing::warn;

use super::{
    NetworkError,
    filter_table::FilterTable,
    links::Links,
    nft,
    nft_netlink::{self, ARP, IPV4},
    segment::ability::Found,
    tap_rules::{differs, equal, payload},
};
use crate::{host_machine::fault::story, machine::Mark};

/// Its name in both families.
pub const TABLE: &str = "csp_host";
const CHAIN: &str = "by_public_bridge";
/// The set of addresses that are not spoken of on the bridge, or that are in spite of where they are.
const ADDRESSES: &str = "addresses";
const DOING: &str = "keep the public bridge from the host's other addresses";
const EVERY: Duration = Duration::from_secs(30);

/// The host's addresses, as seen from the public bridge.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct HostAddresses {
    /// Of the bridge.
    pub bridge: BTreeSet<Ipv4Addr>,
    /// Of its ports.
    pub ports: BTreeSet<Ipv4Addr>,
    /// Of other interfaces.
    pub elsewhere: BTreeSet<Ipv4Addr>,
}

impl HostAddresses {
    /// Sorts what one look shows.
    #[must_use]
    pub fn sort(found: &Found, bridge: &str) -> Self {
        let bridge = found.links.iter().find(|link| link.name == bridge).map(|link| link.index);
        let is_port = |index| found.links.iter().any(|link| link.index == index && link.controller == bridge);
        let mut sorted = Self::default();
        for (index, address) in &found.addresses {
            let IpAddr::V4(address) = address else { continue };
            let place = match bridge {
                Some(bridge) if bridge == *index => &mut sorted.bridge,
                Some(_) if is_port(*index) => &mut sorted.ports,
                _ => &mut sorted.elsewhere,
            };
            place.insert(*address);
        }
        sorted.elsewhere.retain(|address| {
            !address.is_loopback() && !sorted.bridge.contains(address) && !sorted.ports.contains(address)
        });
        sorted
    }

    /// The transaction that keeps them apart. The kernel itself tells which IP packet is for an address of another interface;
    /// for ARP there is no such question, so the addresses stand in a set.
    #[must_use]
    pub fn rules(&self, bridge: &str) -> Vec<Value> {
        let by_bridge = || equal(json!({"meta": {"key": "iifname"}}), json!(bridge));
        let kind = |flags: &[&str]| json!({"fib": {"result": "type", "flags": flags}});
        let elsewhere = |what: &str| {
            vec![by_bridge(), equal(kind(&["daddr"]), json!(what)), differs(kind(&["daddr", "iif"]), json!(what))]
        };
        let set = json!(format!("@{ADDRESSES}"));
        let left = json!([by_bridge(), equal(payload("ip", "daddr"), set.clone()), {"accept": null}]);
        let mut broadcast = elsewhere("broadcast");
        broadcast.push(differs(payload("ip", "daddr"), json!(Ipv4Addr::BROADCAST.to_string())));
        let asked = vec![
            by_bridge(),
            equal(payload("arp", "operation"), json!("request")),
            equal(payload("arp", "daddr ip"), set),
        ];
        let drop = |mut expr: Vec<Value>| {
            expr.push(json!({"drop": null}));
            Value::from(expr)
        };
        let ip = [left, drop(elsewhere("local")), drop(broadcast)];
        let mut commands = table("ip", "prerouting", &self.ports, ip.into());
        commands.extend(table("arp", "input", &self.elsewhere, vec![drop(asked)]));
        commands
    }
}

fn table(family: &str, hook: &str, addresses: &BTreeSet<Ipv4Addr>, rules: Vec<Value>) -> Vec<Value> {
    let in_table = |name: &str| json!({"family": family, "table": TABLE, "name": name});
    let set = json!({"family": family, "table": TABLE, "name": ADDRESSES, "type": "ipv4_addr"});
    let mut commands = vec![
        json!({"add": {"table": {"family": family, "name": TABLE}}}),
        json!({"add": {"chain": {"family": family, "table": TABLE, "name": CHAIN,
            "type": "filter", "hook": hook, "prio": -300, "policy": "accept"}}}),
        json!({"flush": {"chain": in_table(CHAIN)}}),
        json!({"add": {"set": set}}),
        json!({"flush": {"set": set}}),
    ];
    if !addresses.is_empty() {
        let addresses: Vec<String> = addresses.iter().map(Ipv4Addr::to_string).collect();
        commands.push(
            json!({"add": {"element": {"family": family, "table": TABLE, "name": ADDRESSES, "elem": addresses}}}),
        );
    }
    let rule = |expr| json!({"add": {"rule": {"family": family, "table": TABLE, "chain": CHAIN, "expr": expr}}});
    commands.extend(rules.into_iter().map(rule));
    commands
}

/// What was loaded last: for which addresses, and how the kernel told of it.
type Loaded = (HostAddresses, [Option<Mark>; 2]);

/// Keeps them so.
#[derive(Debug)]
pub struct HostAddressKeeper {
    links: Links,
    bridge: String,
    loaded: Arc<Mutex<Option<Loaded>>>,
    look: Notify,
}

impl HostAddressKeeper {
    /// For the public bridge of that name.
    #[must_use]
    pub fn new(links: Links, bridge: String) -> Self {
        Self { links, bridge, loaded: Arc::default(), look: Notify::new() }
    }

    /// Looks again, soon.
    pub fn look_again(&self) {
        self.look.notify_one();
    }

    /// Loads what is not as it should be.
    ///
    /// # Errors
    /// When the kernel does not tell its addresses, or nftables refuses.
    pub async fn settle(&self) -> Result<(), NetworkError> {
        let wanted = HostAddresses::sort(&Found::look(&self.links).await?, &self.bridge);
        let (loaded, bridge) = (Arc::clone(&self.loaded), self.bridge.clone());
        let settled = tokio::task::spawn_blocking(move || {
            let is_loaded = |(addresses, marks): &Loaded| *addresses == wanted && see().is_ok_and(|now| now == *marks);
            if lock(&loaded).as_ref().is_some_and(is_loaded) {
                return Ok(());
            }
            if lock(&loaded).as_ref().is_some_and(|(addresses, _)| *addresses == wanted) {
                warn!(
                    "somebody changed the rules that keep the public bridge from the host's other addresses; they are loaded again"
                );
            }
            nft::apply(DOING, &wanted.rules(&bridge))?;
            let marks = see()?;
            *lock(&loaded) = Some((wanted, marks));
            Ok(())
        });
        settled.await.unwrap_or_else(|fell| {
            Err(NetworkError::Netlink { doing: DOING.to_owned(), errno: None, reason: fell.to_string() })
        })
    }

    /// Settles for ever: when addresses come and go, when it is told to, and every now and then.
    pub async fn keep(&self) {
        let mut told = String::new();
        // Without news the looks in between do.
        let (_connected, mut news) = match rtnetlink::new_multicast_connection(&[MulticastGroup::Ipv4Ifaddr]) {
            Ok((connection, _, news)) => (JoinSet::from_iter([connection]), Some(news)),
            Err(_) => (JoinSet::new(), None),
        };
        loop {
            let failed = self.settle().await.err().map(|error| story(&error)).unwrap_or_default();
            if failed != told && !failed.is_empty() {
                warn!(why = failed, "guests of other hosts may reach this host's other addresses by the public bridge");
            }
            told = failed;
            let changed = async {
                match &mut news {
                    Some(news) => news.next().await.is_some(),
                    None => std::future::pending().await,
                }
            };
            tokio::select! {
                is_open = changed => if !is_open { news = None },
                () = self.look.notified() => {}
                () = sleep(EVERY) => {}
            }
        }
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Marks of both tables as they are. Blocks.
fn see() -> Result<[Option<Mark>; 2], NetworkError> {
    let see = |family| {
        let read = nft_netlink::read(DOING, family, &BTreeSet::from([TABLE.to_owned()]))?;
        Ok(read.tables.get(TABLE).map(|things| FilterTable::read(things).content))
    };
    Ok([see(IPV4)?, see(ARP)?])
}

#[cfg(test)]
mod tests {
    use super::{super::links::Link, *};

    fn found() -> Found {
        let link = |index, name: &str, controller| Link { index, name: name.to_owned(), controller, ..Link::default() };
        let links = [link(1, "lo", None), link(2, "br-public", None), link(3, "eno1", Some(2)), link(4, "eno2", None)];
        let addresses = [(1, [127, 0, 0, 1]), (2, [203, 0, 113, 2]), (3, [203, 0, 113, 3]), (4, [198, 51, 100, 12])];
        let addresses = addresses.into_iter().map(|(index, address)| (index, IpAddr::from(address)));
        Found { links: links.into(), addresses: addresses.collect() }
    }

    #[test]
    fn only_addresses_of_other_interfaces_are_kept_from_the_bridge() {
        let sorted = HostAddresses::sort(&found(), "br-public");
        assert_eq!(sorted.bridge, [[203, 0, 113, 2].into()].into());
        assert_eq!(sorted.ports, [[203, 0, 113, 3].into()].into());
        assert_eq!(sorted.elsewhere, [[198, 51, 100, 12].into()].into());
        let mut twice = found();
        twice.addresses.insert((4, IpAddr::from([203, 0, 113, 2])));
        assert_eq!(HostAddresses::sort(&twice, "br-public").elsewhere, sorted.elsewhere, "it is the bridge's too");
        let lines: Vec<String> = sorted.rules("br-public").iter().map(Value::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
