//! What one tap lets through, each way, as expressions of nftables. Pure.

use std::net::Ipv4Addr;

use csp_shared::mac::Mac;
use serde_json::{Value, json};

use super::{
    dhcp,
    filter_rules::{LET_OUT, LET_OUT_PRIVATE, OWN, PrivateTap, ServerFilters},
    gate,
};

/// Where servers hand mail to each other. The ports for customers' own programs, 465 and 587, ask for a name and a
/// password before they take anything, so what sends unwanted mail has no use for them: they stay open.
const SMTP: u16 = 25;
/// Questions of ARP are the one thing of a guest's that reaches everybody on its segment. More than who scans a large network
/// needs, and far less than a storm.
const ARP_BROADCASTS_PER_SECOND: u32 = 1_000;
const ARP_BROADCASTS_AT_ONCE: u32 = 20_000;
const BROADCAST: &str = "ff:ff:ff:ff:ff:ff";

/// What the rules of one tap differ in.
#[derive(Debug)]
pub(super) struct TapRules {
    /// The guest's address behind it.
    pub mac: Mac,
    /// What the guest may call its own here, as the right side of a comparison; nothing when it has no address.
    own: Option<Value>,
    /// It may hand mail to other servers.
    mail: bool,
    /// What becomes of a frame that may leave.
    let_out: Value,
    /// And of one that may come in.
    let_in: Value,
}

impl TapRules {
    /// On the public network: all addresses of the server, through its queues.
    pub(super) fn public(mac: Mac, filters: &ServerFilters) -> Self {
        let (let_out, let_in) = match &filters.gates.public {
            Some(queues) => (go_to(LET_OUT), json!({"fwd": {"dev": queues.to_guest}})),
            None => (accept(), accept()),
        };
        Self { mac, own: Some(json!(format!("@{OWN}"))), mail: filters.smtp_open, let_out, let_in }
    }

    /// On a private one: what is its own there. Mail stays among its owner's servers, and no rate holds it.
    pub(super) fn private(tap: &PrivateTap, filters: &ServerFilters) -> Self {
        let own: Vec<String> = tap.own.iter().map(Ipv4Addr::to_string).collect();
        let own = match own.as_slice() {
            [] => None,
            [one] => Some(json!(one)),
            several => Some(json!({"set": several})),
        };
        let let_out = if filters.gates.private.is_some() { go_to(LET_OUT_PRIVATE) } else { accept() };
        Self { mac: tap.mac, own, mail: true, let_out, let_in: accept() }
    }

    /// What the guest may send. The first rule is the one that keeps tagged frames out: all later ones look inside.
    pub(super) fn outward(&self) -> Vec<Value> {
        let mac = self.mac.to_string();
        let strange = [
            json!([differs(payload("ether", "type"), json!({"set": ["ip", "arp"]})), {"drop": null}]),
            json!([differs(payload("ether", "saddr"), json!(mac)), {"drop": null}]),
        ];
        let Some(own) = &self.own else { return strange.into() };
        let rules = [
            json!([is_group(), {"drop": null}]),
            // What asks for a lease is answered by the agent, which sees it before this, and nobody plays server.
            json!([equal(payload("udp", "dport"), json!(dhcp::SERVER_PORT)), {"drop": null}]),
            json!([equal(payload("udp", "sport"), json!(dhcp::SERVER_PORT)), {"drop": null}]),
        ];
        let mail = json!([equal(payload("tcp", "dport"), json!(SMTP)), {"drop": null}]);
        let pass = json!([
            equal(payload("ip", "saddr"), own.clone()),
            // No packet has this protocol; but a header that the kernel cannot read has none at all, and neither ports nor
            // anything else of such a packet were looked at above.
            differs(json!({"meta": {"key": "l4proto"}}), json!(255)),
            self.let_out,
        ]);
        strange
            .into_iter()
            .chain(self.arp_outward(own))
            .chain(rules)
            .chain((!self.mail).then_some(mail))
            .chain([pass])
            .collect()
    }

    /// Of ARP, what the guest may send.
    fn arp_outward(&self, own: &Value) -> Vec<Value> {
        let is_arp = || equal(payload("ether", "type"), json!("arp"));
        let storm = json!({"limit": {"rate": ARP_BROADCASTS_PER_SECOND, "per": "second",
            "burst": ARP_BROADCASTS_AT_ONCE, "inv": true}});
        // Only what may leave is counted, and what has been through a gate was counted before.
        let own_arp = |operation: Value, addresses: Vec<Value>| {
            let mut own = arp_ipv4();
            own.push(equal(payload("arp", "operation"), operation));
            own.push(equal(payload("arp", "saddr ether"), json!(self.mac.to_string())));
            own.extend(addresses);
            let waited = json!({"meta": {"key": "mark"}});
            let too_many = [is_group(), differs(waited, json!(gate::WAITED)), storm.clone(), json!({"drop": null})];
            let held = own.iter().cloned().chain(too_many).collect();
            own.push(self.let_out.clone());
            [Value::Array(held), Value::Array(own)]
        };
        let sender = |address: Value| equal(payload("arp", "saddr ip"), address);
        let asked = equal(payload("arp", "daddr ip"), own.clone());
        // ARP is for one or for all; to other groups, switches carry it where it is not looked for.
        let mut rules =
            vec![json!([is_arp(), is_group(), differs(payload("ether", "daddr"), json!(BROADCAST)), {"drop": null}])];
        rules.extend(own_arp(json!({"set": ["request", "reply"]}), vec![sender(own.clone())]));
        // Asking whether an address of its own is free (RFC 5227): there is no sender's address yet. Who asks so for another's
        // would keep that one from using it.
        rules.extend(own_arp(json!("request"), vec![sender(json!("0.0.0.0")), asked]));
        rules.push(json!([is_arp(), {"drop": null}]));
        rules
    }

    /// What reaches the guest.
    pub(super) fn inward(&self) -> Vec<Value> {
        let arp = |matches: Vec<Value>| {
            let mut expr = arp_ipv4();
            expr.push(equal(payload("arp", "operation"), json!({"set": ["request", "reply"]})));
            expr.extend(matches);
            expr.push(self.let_in.clone());
            Value::from(expr)
        };
        let strange = json!([differs(payload("ether", "type"), json!({"set": ["ip", "arp"]})), {"drop": null}]);
        let Some(own) = &self.own else { return vec![strange] };
        vec![
            strange,
            arp(vec![equal(payload("arp", "daddr ip"), own.clone())]),
            // An address that moved to another machine is announced to everybody; who does not hear it goes on sending to
            // the old one. Announcements cannot be told from other broadcasts here (nftables compares no two fields), so
            // all ARP broadcasts come in, as on any cable of the segment.
            arp(vec![equal(payload("ether", "daddr"), json!(BROADCAST))]),
            // The agent's own answers: nothing that comes over the bridge has the mark.
            json!([
                equal(json!({"meta": {"key": "mark"}}), json!(dhcp::MARK)),
                equal(payload("ether", "saddr"), json!(self.mac.of_tap().to_string())),
                equal(payload("udp", "sport"), json!(dhcp::SERVER_PORT)),
                equal(payload("udp", "dport"), json!(dhcp::CLIENT_PORT)),
                self.let_in,
            ]),
            json!([equal(payload("udp", "sport"), json!(dhcp::SERVER_PORT)), {"drop": null}]),
            json!([
                equal(payload("ether", "daddr"), json!(self.mac.to_string())),
                equal(payload("ip", "daddr"), own.clone()),
                self.let_in,
            ]),
        ]
    }
}

/// For a group of receivers, or for all.
fn is_group() -> Value {
    let group_bit = json!({"&": [payload("ether", "daddr"), "01:00:00:00:00:00"]});
    equal(group_bit, json!("01:00:00:00:00:00"))
}

fn arp_ipv4() -> Vec<Value> {
    vec![
        equal(payload("arp", "htype"), json!(1)),
        equal(payload("arp", "ptype"), json!("ip")),
        equal(payload("arp", "hlen"), json!(6)),
        equal(payload("arp", "plen"), json!(4)),
    ]
}

pub(super) fn payload(protocol: &str, field: &str) -> Value {
    json!({"payload": {"protocol": protocol, "field": field}})
}

pub(super) fn equal(left: Value, right: Value) -> Value {
    json!({"match": {"op": "==", "left": left, "right": right}})
}

pub(super) fn differs(left: Value, right: Value) -> Value {
    json!({"match": {"op": "!=", "left": left, "right": right}})
}

fn go_to(chain: &str) -> Value {
    json!({"goto": {"target": chain}})
}

fn accept() -> Value {
    json!({"accept": null})
}
