//! Whether this host can carry the private networks that its configuration speaks of.

use super::Finding;
use crate::{
    config::Network,
    host_machine::fault::story,
    network::{
        NetworkError,
        links::Links,
        segment::{
            ability::Found,
            vlan,
            vxlan::{OVERHEAD_BYTES, Underlay},
        },
    },
};

const NETWORKS: &str = "networks";
/// What guests expect where nobody tells them anything else.
const USUAL_MTU: u32 = 1500;

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Private {
    /// The host's interfaces, or why they could not be listed.
    pub found: Result<Found, String>,
    /// A bridge of this kernel keeps tags apart, or why not; only looked at where a trunk is named.
    pub vlans: Option<Result<(), String>>,
}

/// Looks.
pub async fn probe(config: &Network) -> Private {
    let look = async { Found::look(&Links::connect()?).await };
    let found = look.await.map_err(|error: NetworkError| story(&error));
    let vlans = match config.trunk_interface {
        Some(_) => Some(vlan::try_kernel().await),
        None => None,
    };
    Private { found, vlans }
}

/// Judges what was found against the configuration.
#[must_use]
pub fn judge(config: &Network, private: &Private) -> Finding {
    let found = match &private.found {
        Ok(found) => found,
        Err(reason) => return Finding::fault(NETWORKS, reason, "run as root"),
    };
    let mut told = Vec::new();
    if let Some(underlay) = Underlay::of(config) {
        let name = &underlay.interface;
        match found.underlay(&underlay) {
            Err(error) => return missing(&error),
            Ok(link) if link.mtu < USUAL_MTU + OVERHEAD_BYTES => told.push(format!(
                "VXLAN on {name}, whose packets of {} bytes leave guests {} ({} would leave them {USUAL_MTU})",
                link.mtu,
                link.mtu.saturating_sub(OVERHEAD_BYTES),
                USUAL_MTU + OVERHEAD_BYTES,
            )),
            Ok(_) => told.push(format!("VXLAN on {name}")),
        }
    }
    if let Some(name) = &config.trunk_interface {
        if let Err(error) = found.trunk(name) {
            return missing(&error);
        }
        if let Some(Err(reason)) = &private.vlans {
            let cure = "boot a kernel with CONFIG_BRIDGE_VLAN_FILTERING, or take `network.trunk_interface` out";
            return Finding::fault(NETWORKS, reason, cure);
        }
        let own: Vec<String> = vlan::own_tags(&found.links, name).iter().map(ToString::to_string).collect();
        let own = if own.is_empty() { String::new() } else { format!(", but for the host's own: {}", own.join(", ")) };
        told.push(format!("VLANs on {name}{own}"));
    }
    if told.is_empty() {
        told.push("none: neither `network.underlay_interface` nor `network.trunk_interface` is set".to_owned());
    }
    Finding::ok(NETWORKS, told.join("; "))
}

fn missing(error: &NetworkError) -> Finding {
    Finding::fault(NETWORKS, story(error), "put what is right into agent.toml, or leave it out")
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::{
        check::Verdict,
        network::{links::Link, segment::name::VLAN_BRIDGE},
    };

    #[test]
    fn each_thing_that_private_networks_need_is_asked_for() {
        let link = |index, name: &str| Link { index, name: name.to_owned(), mtu: 9000, ..Link::default() };
        let tag = Link { lower: Some(2), vlan_tag: Some(7), ..link(4, "trunk.7") };
        let links = vec![link(1, "under"), link(2, "trunk"), link(3, VLAN_BRIDGE), tag];
        let good = Found { links: links.into(), addresses: [(1, [192, 0, 2, 11].into())].into() };
        let with = |change: fn(&mut Found)| {
            let mut found = good.clone();
            change(&mut found);
            Private { found: Ok(found), vlans: Some(Ok(())) }
        };
        let both = Network {
            underlay_interface: Some("under".to_owned()),
            underlay_address: Some([192, 0, 2, 11].into()),
            trunk_interface: Some("trunk".to_owned()),
            ..Network::default()
        };
        let finding = judge(&both, &with(|_| {}));
        assert_eq!(
            (finding.verdict, finding.detail.as_str()),
            (Verdict::Ok, "VXLAN on under; VLANs on trunk, but for the host's own: 7")
        );
        let small = judge(&both, &with(|found| Arc::make_mut(&mut found.links)[0].mtu = 1500));
        assert!(small.verdict == Verdict::Ok && small.detail.contains("leave guests 1450"), "{small}");
        for (name, private) in [
            ("no underlay", with(|found| Arc::make_mut(&mut found.links)[0].name = "eth9".to_owned())),
            ("no address on it", with(|found| found.addresses.clear())),
            ("no trunk", with(|found| Arc::make_mut(&mut found.links)[1].name = "eth9".to_owned())),
            ("a trunk of another bridge", with(|found| Arc::make_mut(&mut found.links)[1].controller = Some(9))),
            ("no VLAN filtering", Private { vlans: Some(Err("no".to_owned())), ..with(|_| {}) }),
            ("unreadable", Private { found: Err("no".to_owned()), ..with(|_| {}) }),
        ] {
            let finding = judge(&both, &private);
            assert!(finding.verdict == Verdict::Fault && !finding.cure.is_empty(), "{name}: {finding}");
        }
        let none = judge(&Network::default(), &Private { found: Ok(Found::default()), vlans: None });
        assert_eq!(none.verdict, Verdict::Ok, "who names neither needs neither");
    }
}
