//! The rules in front of a guest's cable, as JSON for nftables. Pure: addresses in, commands out.
//!
//! One netdev table a server, two chains a tap. What must hold:
//! * default drop, and each chain ends with a drop of its own: while a table is replaced, a chain's policy alone has
//!   been seen to let frames through;
//! * a table is flushed and filled, never deleted and made again, in one transaction: never a moment without;
//! * what the kernel listed right after that is written into the table itself: whatever is changed later shows;
//! * a guest sends from its own MAC, and from any address of its server: a server with several addresses answers on
//!   each of them with whatever adapter its routing chooses;
//! * tagged frames, IPv6, broadcast and multicast of IP do not pass, nor ARP to groups or in storms; DHCP is the agent's
//!   business;
//! * no mail leaves for other servers until the operator opens it for that server;
//! * what passes goes through the server's gates: handed over by the rule that lets it pass. What goes to the guest is asked for
//!   nothing when it comes back from there. What comes from it is asked everything once more, and the mark that it carries
//!   then only says that it has been there;
//! * nothing that a guest sends reaches the host itself, whatever addresses its bridge or ports have; nor does anything
//!   that comes out of a private network.

use std::{collections::BTreeSet, net::Ipv4Addr};

use csp_shared::{id::ServerId, mac::Mac};
use serde_json::{Value, json};

use super::{
    gate::{self, Cable, Gates},
    nft_netlink::thing::{Kind, Thing},
    segment::name::DEVICE_PREFIX,
    tap_name::{PREFIX, TapName},
    tap_rules::{self, TapRules},
};
use crate::machine::Mark;

/// Changes when the rules do, so that a newer agent replaces what an older one loaded.
pub const LAYOUT: u32 = 6;

/// Begins the name of every server's table.
pub const TABLES: &str = "csp_";
pub(super) const FAMILY: &str = "netdev";
pub(super) const OWN: &str = "own4";
const GUARD_FAMILY: &str = "bridge";
pub(super) const GUARD_TABLE: &str = "csp_guard";
const GUARD_CHAIN: &str = "to_host";
const GUARD_HOOK: &str = "input";
const GUARD_HOOK_NUMBER: u32 = 1;
/// Takes what a guest may send through its queue, or lets it go when it has been there.
pub(super) const LET_OUT: &str = "queue";
/// Drops what is at the far end of the queue and was not led to a tap.
const FAR_END: &str = "far_end";
/// The same for the cable to private networks.
pub(super) const LET_OUT_PRIVATE: &str = "private_cable";
const FAR_END_PRIVATE: &str = "private_far_end";
const SEAL_PREFIX: &str = "seal_";
/// As older agents wrote seals, about what nft listed.
const OLDER_SEAL_PREFIX: &str = "mark_";

/// All that a server's filters are made from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerFilters {
    /// Whose.
    pub server: ServerId,
    /// Every public address of the server.
    pub own: Vec<Ipv4Addr>,
    /// The guest's address behind each public tap.
    pub macs: Vec<Mac>,
    /// Its taps on private networks.
    pub private: Vec<PrivateTap>,
    /// Mail may leave for other servers.
    pub smtp_open: bool,
    /// What their frames go through.
    pub gates: Gates,
    /// What they are made from; goes into the seal.
    pub mark: Mark,
}

/// A tap on a private network: its guest speaks there as itself alone, and its public addresses mean nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PrivateTap {
    /// The guest's address behind it.
    pub mac: Mac,
    /// What is its own on that network.
    pub own: Vec<Ipv4Addr>,
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

/// Stands in a table as the name of an empty chain: what the table was made from, and what the kernel told of it right
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
    chain.starts_with(SEAL_PREFIX) || chain.starts_with(OLDER_SEAL_PREFIX)
}

/// The transaction that puts the filters in place, whatever was there. `stale` are chains of the table that are
/// no longer wanted.
#[must_use]
pub fn load(filters: &ServerFilters, stale: &[String]) -> Vec<Value> {
    guard().into_iter().chain(table(filters, stale)).collect()
}

/// A server's own part of it.
#[must_use]
pub fn table(filters: &ServerFilters, stale: &[String]) -> Vec<Value> {
    let name = table_of(filters.server);
    let table = || json!({"family": FAMILY, "name": name});
    let set = || json!({"family": FAMILY, "table": name, "name": OWN, "type": "ipv4_addr"});
    let mut commands = vec![json!({"add": {"table": table()}}), json!({"flush": {"table": table()}})];
    commands.extend(
        stale.iter().map(|chain| json!({"delete": {"chain": {"family": FAMILY, "table": name, "name": chain}}})),
    );
    commands.push(json!({"add": {"set": set()}}));
    commands.push(json!({"flush": {"set": set()}}));
    if !filters.own.is_empty() {
        let own: Vec<String> = filters.own.iter().map(Ipv4Addr::to_string).collect();
        commands.push(json!({"add": {"element": {"family": FAMILY, "table": name, "name": OWN, "elem": own}}}));
    }
    commands.extend(cables(filters).flat_map(|(chains, cable)| cable_chains(&name, chains, cable)));
    let public = filters.macs.iter().map(|mac| TapRules::public(*mac, filters));
    for rules in public.chain(filters.private.iter().map(|tap| TapRules::private(tap, filters))) {
        let tap = TapName::of(filters.server, rules.mac);
        let ingress = TapChain { table: &name, name: from_guest(&tap) };
        let egress = TapChain { table: &name, name: to_guest(&tap) };
        commands.extend(ingress.commands("ingress", &tap, rules.outward()));
        commands.extend(egress.commands("egress", &tap, rules.inward()));
    }
    commands
}

/// The chains of a table that belong to no tap.
#[must_use]
pub fn common_chains(filters: &ServerFilters) -> Vec<String> {
    cables(filters).flat_map(|(chains, _)| chains).map(str::to_owned).collect()
}

/// The cables that frames of the guest go through, with the chains in front of and behind each.
fn cables(filters: &ServerFilters) -> impl Iterator<Item = ([&'static str; 2], &Cable)> {
    let Gates { public, private } = &filters.gates;
    let public = public.iter().map(|queues| ([LET_OUT, FAR_END], &queues.from_guest));
    public.chain(private.iter().map(|cable| ([LET_OUT_PRIVATE, FAR_END_PRIVATE], cable)))
}

fn cable_chains(table: &str, [let_out, far_end]: [&str; 2], cable: &Cable) -> Vec<Value> {
    let mark = json!({"meta": {"key": "mark"}});
    let set_mark = |value: u32| json!({"mangle": {"key": mark, "value": value}});
    let rule = |chain, expr| json!({"add": {"rule": {"family": FAMILY, "table": table, "chain": chain, "expr": expr}}});
    let waited = json!([tap_rules::equal(mark.clone(), json!(gate::WAITED)), set_mark(0), {"accept": null}]);
    vec![
        json!({"add": {"chain": {"family": FAMILY, "table": table, "name": let_out}}}),
        rule(let_out, waited),
        rule(let_out, json!([set_mark(gate::WAITED)])),
        rule(let_out, json!([{"fwd": {"dev": cable.near}}])),
        json!({"add": {"chain": {"family": FAMILY, "table": table, "name": far_end,
            "type": "filter", "hook": "ingress", "dev": cable.far, "prio": 0, "policy": "drop"}}}),
        rule(far_end, json!([{"drop": null}])),
    ]
}

/// The transaction that removes a server's table, which need not be there.
#[must_use]
pub fn remove(server: ServerId) -> Vec<Value> {
    let table = || json!({"table": {"family": FAMILY, "name": table_of(server)}});
    vec![json!({"add": table()}), json!({"delete": table()})]
}

/// Drops what a guest sends to the host itself: frames for the bridge's own address or that of any of its ports, and
/// broadcasts as far as the host would take them in. One rule for all taps, since their names begin alike.
#[must_use]
pub fn guard() -> Vec<Value> {
    let rule = |expr| json!({"add": {"rule": {"family": GUARD_FAMILY, "table": GUARD_TABLE, "chain": GUARD_CHAIN, "expr": expr}}});
    let chain = vec![
        json!({"add": {"table": {"family": GUARD_FAMILY, "name": GUARD_TABLE}}}),
        json!({"add": {"chain": {"family": GUARD_FAMILY, "table": GUARD_TABLE, "name": GUARD_CHAIN,
            "type": "filter", "hook": GUARD_HOOK, "prio": -300, "policy": "accept"}}}),
        json!({"flush": {"chain": guard_chain()}}),
    ];
    chain.into_iter().chain(guard_rules().into_iter().map(rule)).collect()
}

/// Names the guard's chain.
#[must_use]
pub fn guard_chain() -> Value {
    json!({"family": GUARD_FAMILY, "table": GUARD_TABLE, "name": GUARD_CHAIN})
}

/// Whether the guard's chain is in its place, among all that is in its table.
#[must_use]
pub fn is_guard_in_place(things: &[Thing]) -> bool {
    let is_chain = |thing: &Thing| thing.kind == Kind::Chain && thing.name == GUARD_CHAIN;
    things.iter().any(|thing| is_chain(thing) && thing.hook() == Some(GUARD_HOOK_NUMBER))
        && !things.iter().any(|thing| thing.kind == Kind::Table && thing.is_dormant())
}

/// All that the guard says, as nft lists it too.
#[must_use]
pub fn guard_rules() -> [Value; 2] {
    [PREFIX, DEVICE_PREFIX].map(|prefix| {
        json!([tap_rules::equal(json!({"meta": {"key": "iifname"}}), json!(format!("{prefix}*"))), {"drop": null}])
    })
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

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::{super::gate::Queues, *};

    #[test]
    fn the_filters_of_a_server_are_the_known_ones() {
        let filters = ServerFilters {
            server: ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bb)),
            own: vec![[203, 0, 113, 10].into(), [203, 0, 113, 11].into()],
            macs: vec![Mac::for_guest([1, 2, 3, 4])],
            private: Vec::new(),
            smtp_open: false,
            gates: Gates::default(),
            mark: Mark(7),
        };
        let commands = load(&filters, &["from_csptold".to_owned()]);
        let lines: Vec<String> = commands.iter().map(Value::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"));
        let cable = |name: &str| Cable { near: format!("cspq{name}"), far: format!("cspq{name}far") };
        let public = Some(Queues { from_guest: cable("from"), to_guest: "cspqto".to_owned() });
        let gates = Gates { public, private: Some(cable("private")) };
        let own = vec![[10, 0, 0, 2].into()];
        let private = vec![PrivateTap { mac: Mac::for_guest([1, 2, 3, 5]), own }];
        let gated = load(&ServerFilters { gates, private, ..filters }, &["from_csptold".to_owned()]);
        let changed: Vec<String> = gated.iter().map(Value::to_string).filter(|line| !lines.contains(line)).collect();
        insta::assert_snapshot!("gated", changed.join("\n"));
    }
}
