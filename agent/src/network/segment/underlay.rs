//! Whose VXLAN packets are taken in: those of a network's peers, on the underlay, and no others. What carries the number
//! of no network of csp's is left to whoever uses it.

use std::{collections::BTreeSet, net::Ipv4Addr};

use csp_shared::network::Vni;
use serde_json::{Value, json};

use crate::{
    machine::Mark,
    network::{
        NetworkError,
        filter_table::FilterTable,
        nft,
        nft_netlink::{self, INET},
    },
};

/// Where VXLAN packets arrive (RFC 7348).
pub const PORT: u16 = 4789;
const FAMILY: &str = "inet";
/// Its name.
pub const TABLE: &str = "csp_underlay";
const CHAIN: &str = "input";
/// The network's number stands behind the headers of UDP (8 bytes) and four bytes of flags.
const VNI_OFFSET_BITS: u32 = 96;
const VNI_BITS: u32 = 24;

/// One network on the underlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Admitted {
    /// Its number.
    pub vni: Vni,
    /// The hosts that its packets are taken from.
    pub peers: Vec<Ipv4Addr>,
}

/// The transaction that lets in what is admitted. It begins with an empty table: a hook or a flag that somebody changed cannot be
/// set right otherwise, and rules of before hold until the end. Pure.
#[must_use]
pub fn rules(interface: &str, admitted: &[Admitted]) -> Vec<Value> {
    let table = || json!({"table": {"family": FAMILY, "name": TABLE}});
    let mut commands = vec![
        json!({"add": table()}),
        json!({"delete": table()}),
        json!({"add": table()}),
        json!({"add": {"chain": {"family": FAMILY, "table": TABLE, "name": CHAIN,
            "type": "filter", "hook": "input", "prio": -300, "policy": "accept"}}}),
    ];
    for network in admitted {
        let of_network = || {
            vec![
                equal(json!({"payload": {"protocol": "udp", "field": "dport"}}), json!(PORT)),
                equal(
                    json!({"payload": {"base": "th", "offset": VNI_OFFSET_BITS, "len": VNI_BITS}}),
                    json!(network.vni.get()),
                ),
            ]
        };
        if !network.peers.is_empty() {
            let peers: Vec<String> = network.peers.iter().map(Ipv4Addr::to_string).collect();
            let mut accept = of_network();
            accept.push(equal(json!({"meta": {"key": "iifname"}}), json!(interface)));
            accept.push(equal(json!({"payload": {"protocol": "ip", "field": "saddr"}}), json!({"set": peers})));
            accept.push(json!({"accept": null}));
            commands.push(rule(accept));
        }
        let mut drop = of_network();
        drop.push(json!({"drop": null}));
        commands.push(rule(drop));
    }
    commands
}

/// Lets in what is admitted, in one transaction, and nothing else of these networks. Blocks.
///
/// # Errors
/// When nftables refuses; then what was admitted before still is.
pub fn admit(interface: &str, admitted: &[Admitted]) -> Result<(), NetworkError> {
    nft::apply("admit the peers of private networks", &rules(interface, admitted))
}

/// A mark of all that is there now, hook and flags too; for telling whether somebody changed it. Blocks.
///
/// # Errors
/// When nftables does not answer.
pub fn see() -> Result<Option<Mark>, NetworkError> {
    let read = nft_netlink::read("read which peers are admitted", INET, &BTreeSet::from([TABLE.to_owned()]))?;
    Ok(read.tables.get(TABLE).map(|things| FilterTable::read(things).content))
}

fn rule(expr: Vec<Value>) -> Value {
    json!({"add": {"rule": {"family": FAMILY, "table": TABLE, "chain": CHAIN, "expr": expr}}})
}

fn equal(left: Value, right: Value) -> Value {
    json!({"match": {"op": "==", "left": left, "right": right}})
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_network_takes_packets_of_its_peers_alone() {
        let vni = |vni: u32| Vni::try_from(vni).unwrap();
        let admitted = [
            Admitted { vni: vni(7), peers: vec![[192, 0, 2, 12].into(), [192, 0, 2, 13].into()] },
            Admitted { vni: vni(8), peers: vec![] },
        ];
        let lines: Vec<String> = rules("eth1", &admitted).iter().map(Value::to_string).collect();
        insta::assert_snapshot!(lines.join("\n"));
    }
}
