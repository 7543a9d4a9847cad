//! Whose VXLAN packets are taken in: those of a network's peers, on the underlay, and no others. What carries the number
//! of no network of csp's is left to whoever uses it.

use std::net::Ipv4Addr;

use csp_shared::network::Vni;
use serde_json::{Value, json};

use crate::network::{NetworkError, nft};

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

/// The transaction that lets in what is admitted. Pure.
#[must_use]
pub fn rules(interface: &str, admitted: &[Admitted]) -> Vec<Value> {
    let chain = json!({"family": FAMILY, "table": TABLE, "name": CHAIN});
    let mut commands = vec![
        json!({"add": {"table": {"family": FAMILY, "name": TABLE}}}),
        json!({"add": {"chain": {"family": FAMILY, "table": TABLE, "name": CHAIN,
            "type": "filter", "hook": "input", "prio": -300, "policy": "accept"}}}),
        json!({"flush": {"chain": chain}}),
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

/// What is there now, as nft lists it; for telling whether somebody changed it. Blocks.
///
/// # Errors
/// When it is not there, or nftables does not answer.
pub fn listed() -> Result<Vec<Value>, NetworkError> {
    nft::list_rules("read which peers are admitted", &json!({"family": FAMILY, "table": TABLE, "name": CHAIN}))
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
