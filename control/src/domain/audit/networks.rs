//! Private networks: each host holds the object that the store has for it, and nothing of a network that left it.

use std::collections::BTreeSet;

use csp_shared::{
    audit::HostPart,
    id::{HostId, NetworkId},
    network::{DesiredNetwork, ObservedNetwork},
};

use super::{Finding, Kind, host_view::HostView};

/// A private network on a host, as the store has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkSide {
    /// On which host.
    pub host: HostId,
    /// What it should be there.
    pub desired: DesiredNetwork,
    /// What the host last reported.
    pub observed: Option<ObservedNetwork>,
    /// It is to be gone, and is proved to be.
    pub is_gone: bool,
    /// The store changed it while the hosts were looked at.
    pub changed: bool,
}

impl NetworkSide {
    /// The host has not said yet that it holds the newest state.
    fn is_under_way(&self) -> bool {
        self.changed || self.observed.as_ref().is_none_or(|seen| seen.accepted < self.desired.version())
    }
}

/// `here` is all that the store has of networks on this host.
pub(super) fn compare(here: &[&NetworkSide], view: &HostView<'_>, found: &mut Vec<Finding>) {
    if !view.saw(HostPart::Networks) {
        return;
    }
    let finding = |kind, network: NetworkId| Finding::new(kind, Some(view.name), None, format!("network {network}"));
    let reconnect =
        || format!("restart csp-agent on {}: a new session sends all that the host does not hold", view.name);
    for side in here {
        let (network, wanted) = (side.desired.network(), side.desired.version());
        let (kind, what, cure) = match view.networks.get(&network) {
            // A host that was set up anew need not remember what it never had.
            None if side.is_gone => continue,
            None => (
                Kind::NetworkMissing,
                "the host does not hold it, so its guests do not reach it".to_owned(),
                reconnect(),
            ),
            Some(held) if held.version < wanted => (
                Kind::NetworkBehind,
                format!("the host holds version {}, the store has {wanted}", held.version),
                reconnect(),
            ),
            Some(held) if held.version > wanted => {
                let what = format!("the host holds version {}, the store only {wanted}", held.version);
                (
                    Kind::NetworkAhead,
                    what,
                    "the store was restored from a backup: a newer one knows its members".to_owned(),
                )
            }
            Some(held) if held.hash != side.desired.hash() => {
                let cure =
                    "one of them was edited by hand: attaching or detaching a server makes them equal".to_owned();
                (Kind::NetworkAltered, format!("host and store hold different objects of version {wanted}"), cure)
            }
            Some(held) if held.tombstone && !side.is_gone => {
                let fault = side.observed.as_ref().and_then(|seen| seen.fault.as_ref());
                let why =
                    fault.map(|fault| format!(" ({}: {})", fault.code.as_str(), fault.detail)).unwrap_or_default();
                let what =
                    format!("it is to be gone from the host, which has not proved that{why}: its segment is held");
                (Kind::NetworkHeld, what, super::present::BY_ITSELF.to_owned())
            }
            Some(_) => match side.observed.as_ref().and_then(|seen| seen.fault.as_ref()) {
                None => continue,
                Some(fault) => (
                    Kind::NetworkBroken,
                    format!("its guests do not reach it on this host ({}: {})", fault.code.as_str(), fault.detail),
                    "mend what the host names; the agent does the rest".to_owned(),
                ),
            },
        };
        found.push(finding(kind, network).what(what).cure(cure).moving(side.is_under_way()));
    }
    let known: BTreeSet<NetworkId> = here.iter().map(|side| side.desired.network()).collect();
    for held in view.networks.values().filter(|held| !held.tombstone && !known.contains(&held.network)) {
        let what = "the store never had it on this host: it is left alone until you decide";
        let cure = "see whether the store was restored from an older backup: a newer one brings it back";
        found.push(finding(Kind::NetworkOrphan, held.network).what(what).cure(cure));
    }
    for file in &view.bad_networks {
        let what = "cannot be read as a private network";
        let cure = format!("move it away on {}, and {}", view.name, reconnect());
        found.push(
            Finding::new(Kind::NetworkDamaged, Some(view.name), None, format!("file {file}")).what(what).cure(cure),
        );
    }
}
