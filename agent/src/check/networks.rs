//! Whether this host can carry the private networks that its configuration speaks of.

use rtnetlink::LinkBridge;

use super::{Finding, trial};
use crate::{
    config::Network,
    host_machine::fault::story,
    network::{
        NetworkError,
        links::{Link, Links},
        segment::{name::VLAN_BRIDGE, vlan, vxlan::OVERHEAD_BYTES},
    },
};

const NETWORKS: &str = "networks";
/// What guests expect where nobody tells them anything else.
const USUAL_MTU: u32 = 1500;

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Private {
    /// All interfaces, or why they could not be listed.
    pub links: Result<Vec<Link>, String>,
    /// A bridge of this kernel keeps tags apart, or why not; only looked at where a trunk is named.
    pub vlans: Option<Result<(), String>>,
}

/// Looks.
pub async fn probe(config: &Network) -> Private {
    let list = async { Links::connect()?.list().await };
    let links = list.await.map_err(|error: NetworkError| story(&error));
    let vlans = match config.trunk_interface {
        Some(_) => Some(trial::in_own_network(try_vlans).await),
        None => None,
    };
    Private { links, vlans }
}

async fn try_vlans() -> Result<(), NetworkError> {
    let links = Links::connect()?;
    links.add("try a bridge that keeps VLANs apart", LinkBridge::new("trial").vlan_filtering(true).build()).await?;
    let keeps_apart = links.list().await?.iter().any(|link| link.filters_vlans);
    if keeps_apart { Ok(()) } else { Err(NetworkError::NoVlanFiltering) }
}

/// Judges what was found against the configuration.
#[must_use]
pub fn judge(config: &Network, found: &Private) -> Finding {
    let links = match &found.links {
        Ok(links) => links,
        Err(reason) => return Finding::fault(NETWORKS, reason, "run as root"),
    };
    let find = |name: &str| links.iter().find(|link| link.name == name);
    let mut told = Vec::new();
    if let Some(name) = &config.underlay_interface {
        match find(name) {
            None => return missing(&NetworkError::NoUnderlay(name.clone())),
            Some(link) if link.mtu < USUAL_MTU + OVERHEAD_BYTES => told.push(format!(
                "VXLAN on {name}, whose packets of {} bytes leave guests {} ({} would leave them {USUAL_MTU})",
                link.mtu,
                link.mtu.saturating_sub(OVERHEAD_BYTES),
                USUAL_MTU + OVERHEAD_BYTES,
            )),
            Some(_) => told.push(format!("VXLAN on {name}")),
        }
    }
    if let Some(name) = &config.trunk_interface {
        let Some(link) = find(name) else { return missing(&NetworkError::NoTrunk(name.clone())) };
        let of_ours = find(VLAN_BRIDGE).map(|bridge| bridge.index);
        if link.controller.is_some() && link.controller != of_ours {
            return missing(&NetworkError::UsedTrunk(name.clone()));
        }
        if let Some(Err(reason)) = &found.vlans {
            let cure = "boot a kernel with CONFIG_BRIDGE_VLAN_FILTERING, or take `network.trunk_interface` out";
            return Finding::fault(NETWORKS, reason, cure);
        }
        let own: Vec<String> = vlan::own_tags(links, name).iter().map(ToString::to_string).collect();
        let own = if own.is_empty() { String::new() } else { format!(", but for the host's own: {}", own.join(", ")) };
        told.push(format!("VLANs on {name}{own}"));
    }
    if told.is_empty() {
        told.push("none: neither `network.underlay_interface` nor `network.trunk_interface` is set".to_owned());
    }
    Finding::ok(NETWORKS, told.join("; "))
}

fn missing(error: &NetworkError) -> Finding {
    Finding::fault(NETWORKS, story(error), "name the right interface in agent.toml, or leave it out")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn each_thing_that_private_networks_need_is_asked_for() {
        let link = |index, name: &str| Link { index, name: name.to_owned(), mtu: 9000, ..Link::default() };
        let links = vec![link(1, "under"), link(2, "trunk"), link(3, VLAN_BRIDGE)];
        let tag = Link { lower: Some(2), vlan_tag: Some(7), ..link(4, "trunk.7") };
        let with = |change: fn(&mut Vec<Link>)| {
            let mut links = [links.clone(), vec![tag.clone()]].concat();
            change(&mut links);
            Private { links: Ok(links), vlans: Some(Ok(())) }
        };
        let both = Network {
            underlay_interface: Some("under".to_owned()),
            underlay_address: Some([192, 0, 2, 11].into()),
            trunk_interface: Some("trunk".to_owned()),
            ..Network::default()
        };
        let good = judge(&both, &with(|_| {}));
        assert_eq!(
            (good.verdict, good.detail.as_str()),
            (Verdict::Ok, "VXLAN on under; VLANs on trunk, but for the host's own: 7")
        );
        let small = judge(&both, &with(|links| links[0].mtu = 1500));
        assert!(small.verdict == Verdict::Ok && small.detail.contains("leave guests 1450"), "{small}");
        for (name, found) in [
            ("no underlay", with(|links| links[0].name = "eth9".to_owned())),
            ("no trunk", with(|links| links[1].name = "eth9".to_owned())),
            ("a trunk of another bridge", with(|links| links[1].controller = Some(9))),
            ("no VLAN filtering", Private { vlans: Some(Err("no".to_owned())), ..with(|_| {}) }),
            ("unreadable", Private { links: Err("no".to_owned()), ..with(|_| {}) }),
        ] {
            let finding = judge(&both, &found);
            assert!(finding.verdict == Verdict::Fault && !finding.cure.is_empty(), "{name}: {finding}");
        }
        assert_eq!(judge(&both, &with(|links| links[1].controller = Some(3))).verdict, Verdict::Ok, "csp's own bridge");
        let none = judge(&Network::default(), &Private { links: Ok(Vec::new()), vlans: None });
        assert_eq!(none.verdict, Verdict::Ok, "who names neither needs neither");
    }
}
