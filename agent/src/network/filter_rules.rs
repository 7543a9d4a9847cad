//! The rules in front of a guest's cable, as JSON for nftables. Pure: addresses in, commands out.
//!
//! One netdev table a server, two chains a tap. What must hold:
//! * default drop, and each chain ends with a drop of its own: while a table is replaced, a chain's policy alone has
//!   been seen to let frames through;
//! * a table is flushed and filled, never deleted and made again, in one transaction: never a moment without;
//! * what the kernel listed right after that is written into the table itself: whatever is changed later shows;
//! * a guest sends from its own MAC, and from any address of its server: a server with several addresses answers on
//!   each of them with whatever adapter its routing chooses;
//! * tagged frames, IPv6, broadcast and multicast of IP do not pass; DHCP is the agent's business;
//! * no mail leaves for other servers until the operator opens it for that server;
//! * nothing that a guest sends reaches the host itself, whatever addresses its bridge or ports have.

use std::{collections::BTreeSet, net::Ipv4Addr};

use csp_shared::{id::ServerId, mac::Mac};
use serde_json::{Value, json};

use super::{
    dhcp,
    nft::Chain,
    tap_name::{PREFIX, TapName},
};
use crate::machine::Mark;

/// Changes when the rules do, so that a newer agent replaces what an older one loaded.
pub const LAYOUT: u32 = 3;

/// Begins the name of every server's table.
pub const TABLES: &str = "csp_";
pub(super) const FAMILY: &str = "netdev";
pub(super) const OWN: &str = "own4";
const GUARD_FAMILY: &str = "bridge";
const GUARD_TABLE: &str = "csp_guard";
const GUARD_CHAIN: &str = "to_host";
const GUARD_HOOK: &str = "input";
/// Where servers hand mail to each other. The ports for customers' own programs, 465 and 587, ask for a name and a
/// password before they take anything, so what sends unwanted mail has no use for them: they stay open.
const SMTP: u16 = 25;
const SEAL_PREFIX: &str = "mark_";

/// All that a server's filters are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFilters {
    /// Whose.
    pub server: ServerId,
    /// Every public address of the server.
    pub own: Vec<Ipv4Addr>,
    /// The guest's address behind each tap.
    pub macs: Vec<Mac>,
    /// Mail may leave for other servers.
    pub smtp_open: bool,
    /// What they are made from; goes into the seal.
    pub mark: Mark,
}

/// Name of the server's table.
#[must_use]
pub fn table_of(server: ServerId) -> String {
    format!("{TABLES}{}", server.0.simple())
}

/// The tables with a name like a server's that none of `known` explains.
#[must_use]
pub fn tables_beside(tables: &BTreeSet<String>, known: &BTreeSet<ServerId>) -> Vec<String> {
    let own: BTreeSet<String> = known.iter().copied().map(table_of).collect();
    tables.iter().filter(|name| name.starts_with(TABLES) && !own.contains(*name)).cloned().collect()
}

/// Whose table it is by its name; nothing when it is no server's.
#[must_use]
pub fn server_of(table: &str) -> Option<ServerId> {
    let server = ServerId(uuid::Uuid::try_parse(table.strip_prefix("csp_")?).ok()?);
    (table_of(server) == table).then_some(server)
}

/// Names the set of a server's own addresses.
#[must_use]
pub fn own_set(server: ServerId) -> Value {
    json!({"family": FAMILY, "table": table_of(server), "name": OWN})
}

/// The chain of frames that come from the guest.
#[must_use]
pub fn from_guest(tap: &TapName) -> String {
    format!("from_{tap}")
}

/// The chain of frames that go to the guest.
#[must_use]
pub fn to_guest(tap: &TapName) -> String {
    format!("to_{tap}")
}

/// Stands in a table as the name of an empty chain: what the table was made from, and what the kernel listed of it right
/// after it was loaded. So one look tells whether it still is what was loaded, also after a restart of the agent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seal {
    /// What the filters were made from.
    pub mark: Mark,
    /// All that the table holds beside the seal, see [`super::filter_table::FilterTable::content`].
    pub content: Mark,
}

impl Seal {
    /// The chain's name.
    #[must_use]
    pub fn chain(self) -> String {
        format!("{SEAL_PREFIX}{}_{}", self.mark, self.content)
    }

    /// Reads a chain's name; nothing when it is no seal.
    #[must_use]
    pub fn parse(chain: &str) -> Option<Self> {
        let (mark, content) = chain.strip_prefix(SEAL_PREFIX)?.split_once('_')?;
        Some(Self { mark: mark.parse().ok()?, content: content.parse().ok()? })
    }
}

/// Whether a chain only says something about its table: a seal, or the mark of an older agent.
#[must_use]
pub fn is_label(chain: &str) -> bool {
    chain.starts_with(SEAL_PREFIX)
}

/// The transaction that puts the filters in place, whatever was there. `stale` are chains of the table that are
/// no longer wanted.
#[must_use]
pub fn load(filters: &ServerFilters, stale: &[String]) -> Vec<Value> {
    let name = table_of(filters.server);
    let table = || json!({"family": FAMILY, "name": name});
    let set = || json!({"family": FAMILY, "table": name, "name": OWN, "type": "ipv4_addr"});
    let mut commands = guard();
    commands.push(json!({"add": {"table": table()}}));
    commands.push(json!({"flush": {"table": table()}}));
    commands.extend(
        stale.iter().map(|chain| json!({"delete": {"chain": {"family": FAMILY, "table": name, "name": chain}}})),
    );
    commands.push(json!({"add": {"set": set()}}));
    commands.push(json!({"flush": {"set": set()}}));
    if !filters.own.is_empty() {
        let own: Vec<String> = filters.own.iter().map(Ipv4Addr::to_string).collect();
        commands.push(json!({"add": {"element": {"family": FAMILY, "table": name, "name": OWN, "elem": own}}}));
    }
    for mac in &filters.macs {
        let tap = TapName::of(filters.server, *mac);
        let ingress = TapChain { table: &name, name: from_guest(&tap) };
        let egress = TapChain { table: &name, name: to_guest(&tap) };
        commands.extend(ingress.commands("ingress", &tap, rules_from_guest(*mac, filters.smtp_open)));
        commands.extend(egress.commands("egress", &tap, rules_to_guest(*mac)));
    }
    commands
}

/// The transaction that makes sure that a server's table is there.
#[must_use]
pub fn open(server: ServerId) -> Vec<Value> {
    vec![json!({"add": {"table": {"family": FAMILY, "name": table_of(server)}}})]
}

/// The transaction that seals a table, after everything else in it was found to be as it was loaded.
#[must_use]
pub fn seal(server: ServerId, seal: Seal) -> Vec<Value> {
    vec![json!({"add": {"chain": {"family": FAMILY, "table": table_of(server), "name": seal.chain()}}})]
}

/// The transaction that removes a server's table, which need not be there.
#[must_use]
pub fn remove(server: ServerId) -> Vec<Value> {
    let delete = json!({"delete": {"table": {"family": FAMILY, "name": table_of(server)}}});
    open(server).into_iter().chain([delete]).collect()
}

/// Drops what a guest sends to the host itself: frames for the bridge's own address or that of any of its ports, and
/// broadcasts as far as the host would take them in. One rule for all taps, since their names begin alike.
fn guard() -> Vec<Value> {
    let rule = json!({"family": GUARD_FAMILY, "table": GUARD_TABLE, "chain": GUARD_CHAIN, "expr": guard_rule()});
    vec![
        json!({"add": {"table": {"family": GUARD_FAMILY, "name": GUARD_TABLE}}}),
        json!({"add": {"chain": {"family": GUARD_FAMILY, "table": GUARD_TABLE, "name": GUARD_CHAIN,
            "type": "filter", "hook": GUARD_HOOK, "prio": -300, "policy": "accept"}}}),
        json!({"flush": {"chain": guard_chain()}}),
        json!({"add": {"rule": rule}}),
    ]
}

/// Names the guard's chain.
#[must_use]
pub fn guard_chain() -> Value {
    json!({"family": GUARD_FAMILY, "table": GUARD_TABLE, "name": GUARD_CHAIN})
}

/// Whether a chain is the guard's, and in its place.
#[must_use]
pub fn is_guard(chain: &Chain) -> bool {
    let Chain { family, table, name, hook } = chain;
    (family.as_str(), table.as_str(), name.as_str()) == (GUARD_FAMILY, GUARD_TABLE, GUARD_CHAIN)
        && hook.as_deref() == Some(GUARD_HOOK)
}

/// All that the guard says: its only rule, as nft lists it too.
#[must_use]
pub fn guard_rule() -> Value {
    json!([equal(json!({"meta": {"key": "iifname"}}), json!(format!("{PREFIX}*"))), {"drop": null}])
}

struct TapChain<'a> {
    table: &'a str,
    name: String,
}

impl TapChain<'_> {
    fn commands(&self, hook: &str, tap: &TapName, rules: Vec<Value>) -> Vec<Value> {
        let chain = json!({"add": {"chain": {"family": FAMILY, "table": self.table, "name": self.name,
            "type": "filter", "hook": hook, "dev": tap.as_str(), "prio": 0, "policy": "drop"}}});
        let rules = rules.into_iter().chain([json!([{"drop": null}])]);
        let rules = rules.map(
            |expr| json!({"add": {"rule": {"family": FAMILY, "table": self.table, "chain": self.name, "expr": expr}}}),
        );
        std::iter::once(chain).chain(rules).collect()
    }
}

/// What the guest may send. The first rule is the one that keeps tagged frames out: all later ones look inside.
fn rules_from_guest(mac: Mac, smtp_open: bool) -> Vec<Value> {
    let mac = mac.to_string();
    let own_arp = |operation: Value, addresses: Vec<Value>| {
        let mut expr = arp_ipv4();
        expr.push(equal(payload("arp", "operation"), operation));
        expr.push(equal(payload("arp", "saddr ether"), json!(mac)));
        expr.extend(addresses);
        expr.push(accept());
        Value::from(expr)
    };
    let own = || json!(format!("@{OWN}"));
    let group_bit = json!({"&": [payload("ether", "daddr"), "01:00:00:00:00:00"]});
    let mail = json!([equal(payload("tcp", "dport"), json!(SMTP)), {"drop": null}]);
    let rules = [
        json!([differs(payload("ether", "type"), json!({"set": ["ip", "arp"]})), {"drop": null}]),
        json!([differs(payload("ether", "saddr"), json!(mac)), {"drop": null}]),
        own_arp(json!({"set": ["request", "reply"]}), vec![equal(payload("arp", "saddr ip"), own())]),
        // Asking whether an address of its own is free (RFC 5227): there is no sender's address yet. Who asks so for
        // another's would keep that one from using it.
        own_arp(
            json!("request"),
            vec![equal(payload("arp", "saddr ip"), json!("0.0.0.0")), equal(payload("arp", "daddr ip"), own())],
        ),
        json!([equal(payload("ether", "type"), json!("arp")), {"drop": null}]),
        json!([equal(group_bit, json!("01:00:00:00:00:00")), {"drop": null}]),
        // What asks for a lease is answered by the agent, which sees it before this, and nobody plays server.
        json!([equal(payload("udp", "dport"), json!(dhcp::SERVER_PORT)), {"drop": null}]),
        json!([equal(payload("udp", "sport"), json!(dhcp::SERVER_PORT)), {"drop": null}]),
    ];
    let pass = json!([
        equal(payload("ip", "saddr"), own()),
        // No packet has this protocol; but a header that the kernel cannot read has none at all, and neither ports nor
        // anything else of such a packet were looked at above.
        differs(json!({"meta": {"key": "l4proto"}}), json!(255)),
        accept(),
    ]);
    rules.into_iter().chain((!smtp_open).then_some(mail)).chain([pass]).collect()
}

/// What reaches the guest.
fn rules_to_guest(mac: Mac) -> Vec<Value> {
    let arp = |matches: Vec<Value>| {
        let mut expr = arp_ipv4();
        expr.push(equal(payload("arp", "operation"), json!({"set": ["request", "reply"]})));
        expr.extend(matches);
        expr.push(accept());
        Value::from(expr)
    };
    let own = || json!(format!("@{OWN}"));
    vec![
        json!([differs(payload("ether", "type"), json!({"set": ["ip", "arp"]})), {"drop": null}]),
        arp(vec![equal(payload("arp", "daddr ip"), own())]),
        // An address that moved to another machine is announced to everybody; who does not hear it goes on sending to
        // the old one. Announcements cannot be told from other broadcasts here (nftables compares no two fields), so
        // all ARP broadcasts come in, as on any cable of the segment.
        arp(vec![equal(payload("ether", "daddr"), json!("ff:ff:ff:ff:ff:ff"))]),
        // The agent's own answers: nothing that comes over the bridge has the mark.
        json!([
            equal(json!({"meta": {"key": "mark"}}), json!(dhcp::MARK)),
            equal(payload("ether", "saddr"), json!(mac.of_tap().to_string())),
            equal(payload("udp", "sport"), json!(dhcp::SERVER_PORT)),
            equal(payload("udp", "dport"), json!(dhcp::CLIENT_PORT)),
            accept(),
        ]),
        json!([equal(payload("udp", "sport"), json!(dhcp::SERVER_PORT)), {"drop": null}]),
        json!([
            equal(payload("ether", "daddr"), json!(mac.to_string())),
            equal(payload("ip", "daddr"), own()),
            accept(),
        ]),
    ]
}

fn arp_ipv4() -> Vec<Value> {
    vec![
        equal(payload("arp", "htype"), json!(1)),
        equal(payload("arp", "ptype"), json!("ip")),
        equal(payload("arp", "hlen"), json!(6)),
        equal(payload("arp", "plen"), json!(4)),
    ]
}

fn payload(protocol: &str, field: &str) -> Value {
    json!({"payload": {"protocol": protocol, "field": field}})
}

fn equal(left: Value, right: Value) -> Value {
    json!({"match": {"op": "==", "left": left, "right": right}})
}

fn differs(left: Value, right: Value) -> Value {
    json!({"match": {"op": "!=", "left": left, "right": right}})
}

fn accept() -> Value {
    json!({"accept": null})
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn the_filters_of_a_server_are_the_known_ones() {
        let filters = ServerFilters {
            server: ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bb)),
            own: vec![[203, 0, 113, 10].into(), [203, 0, 113, 11].into()],
            macs: vec![Mac::for_guest([1, 2, 3, 4])],
            smtp_open: false,
            mark: Mark(7),
        };
        let commands = load(&filters, &["from_csptold".to_owned()]);
        let lines: Vec<String> = commands.iter().map(Value::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
