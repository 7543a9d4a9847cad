//! Private networks on this host: each has a segment of its own, between its members' taps here and on other hosts.

pub mod ability;
pub mod forwarding;
pub mod name;
pub mod underlay;
pub mod vlan;
pub mod vxlan;

use std::{
    collections::{BTreeMap, BTreeSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

use csp_shared::{
    id::NetworkId,
    network::{DesiredNetwork, NetworkRemains, NetworkSpec, ObservedNetwork, Segment, VlanTag},
    observed::Fault,
};
use tokio::sync::{Notify, OnceCell};

use self::{
    ability::{Abilities, Found},
    name::NetworkMark,
    underlay::Admitted,
    vlan::PortTags,
    vxlan::Underlay,
};
use super::{
    NetworkError,
    links::{Link, Links},
    tap_name::TapMark,
};
use crate::{config::Network, host_machine::fault, machine::Mark};

/// Where taps of a network are plugged in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// The bridge's name.
    pub bridge: String,
    /// The tag that a tap is an access port of, on a bridge that several networks share.
    pub tag: Option<VlanTag>,
    /// Largest packet on it, in bytes.
    pub mtu: u32,
}

/// The private networks that are ready for taps.
pub type Ready = BTreeMap<NetworkId, Place>;

/// The host's side of private networks.
#[derive(Debug)]
pub struct Segments {
    links: Links,
    underlay: Option<Underlay>,
    trunk: Option<String>,
    reserved: Vec<VlanTag>,
    /// Whether the kernel keeps tags apart, tried until it says so or that it never will.
    kernel: OnceCell<Result<(), String>>,
    ready: Mutex<Ready>,
    /// What was admitted on the underlay, and how the kernel told of it right after.
    admitted: Mutex<Option<(Vec<Admitted>, Option<Mark>)>>,
    /// Somebody took away what was admitted.
    drifted: Notify,
}

/// What came of bringing networks about.
#[derive(Debug)]
pub struct Settled {
    /// One for each.
    pub told: Vec<ObservedNetwork>,
    /// Another network is ready, or one no longer is.
    pub is_news: bool,
}

impl Segments {
    /// For the host with this configuration.
    #[must_use]
    pub fn new(links: Links, config: &Network) -> Self {
        Self {
            links,
            underlay: Underlay::of(config),
            trunk: config.trunk_interface.clone(),
            reserved: config.reserved_tags.clone(),
            kernel: OnceCell::new(),
            ready: Mutex::default(),
            admitted: Mutex::default(),
            drifted: Notify::new(),
        }
    }

    /// The networks that are ready now.
    #[must_use]
    pub fn ready(&self) -> Ready {
        lock(&self.ready).clone()
    }

    /// What this host can do for private networks.
    ///
    /// # Errors
    /// When the kernel gives no list of interfaces: then nobody knows.
    pub async fn abilities(&self) -> Result<Abilities, NetworkError> {
        let found = Found::look(&self.links).await?;
        let mut abilities = Abilities::default();
        if let Some(underlay) = &self.underlay {
            match found.underlay(underlay) {
                Ok(_) => abilities.can.underlay = Some(underlay.address.into()),
                Err(error) => abilities.lacks.push(error.to_string()),
            }
        }
        if let Some(trunk) = &self.trunk {
            let kernel = self.kernel.get_or_try_init(|| self.try_vlans()).await.cloned();
            let kernel = kernel.unwrap_or_else(|passing| Err(fault::story(&passing)));
            match found.trunk(trunk).map_err(|error| error.to_string()).and(kernel) {
                Ok(()) => abilities.can.vlan = true,
                Err(reason) => abilities.lacks.push(reason),
            }
            let own_tags = vlan::own_tags(&found.links, trunk).into_iter().chain(self.reserved.iter().copied());
            abilities.can.own_tags = own_tags.collect::<BTreeSet<_>>().into_iter().collect();
        }
        Ok(abilities)
    }

    /// What the kernel says, for good; an error passes and is no answer.
    async fn try_vlans(&self) -> Result<Result<(), String>, NetworkError> {
        match vlan::try_kernel_here(&self.links).await {
            Err(never @ NetworkError::NoVlanFiltering) => Ok(Err(fault::story(&never))),
            tried => tried.map(Ok),
        }
    }

    /// Brings all networks about, as far as it can be done now, and tells what came of each. A network that is to be gone
    /// stays until no tap is plugged into it.
    pub async fn settle(&self, all: &[DesiredNetwork]) -> Settled {
        let admitted = self.admit(all).await.map_err(|error| fault::of(&error));
        let (mut ready, mut settled) = (Ready::new(), Vec::new());
        for desired in all {
            let done = match (desired, &admitted) {
                (DesiredNetwork::Present(spec), Ok(())) => match self.bring_about(spec).await {
                    Ok(place) => {
                        ready.insert(spec.network, place);
                        Ok(())
                    }
                    Err(error) => Err(fault::of(&error)),
                },
                (DesiredNetwork::Present(_), Err(fault)) => Err(fault.clone()),
                (DesiredNetwork::Absent(gone), _) => self.remove(gone.network).await.map_err(|error| fault::of(&error)),
            };
            settled.push((desired, done));
        }
        let swept = self.sweep_tags(all).await.map_err(|error| fault::of(&error));
        let is_news = std::mem::replace(&mut *lock(&self.ready), ready.clone()) != ready;
        let look = self.look(all).await;
        let told =
            settled.into_iter().map(|(desired, done)| observed(desired, done.and(swept.clone()), look.as_ref().ok()));
        Settled { told: told.collect(), is_news }
    }

    /// Has all be looked at again, soon.
    pub fn look_again(&self) {
        self.drifted.notify_one();
    }

    /// Waits until that is asked for. For one reader.
    pub async fn drifted(&self) {
        self.drifted.notified().await;
    }

    async fn bring_about(&self, spec: &NetworkSpec) -> Result<Place, NetworkError> {
        match &spec.segment {
            Segment::Vxlan { vni, peers } => {
                let underlay = self.underlay.as_ref().ok_or(NetworkError::NotConfigured("underlay_interface"))?;
                vxlan::bring_about(&self.links, underlay, spec, (*vni, &vxlan::peers(peers))).await
            }
            Segment::Vlan { tag } => {
                let trunk = self.trunk.as_ref().ok_or(NetworkError::NotConfigured("trunk_interface"))?;
                if self.reserved.contains(tag) {
                    return Err(NetworkError::OwnTag { tag: *tag, trunk: trunk.clone() });
                }
                vlan::bring_about(&self.links, trunk, *tag, spec.mtu).await
            }
        }
    }

    async fn remove(&self, network: NetworkId) -> Result<(), NetworkError> {
        let links = self.links.list().await?;
        if has_taps(&links, network) {
            return Ok(()); // its server's worker takes them away first
        }
        vxlan::remove(&self.links, &links, network).await
    }

    /// Keeps tags of no network of this host from the trunk. A gone network does not tell which tag it had.
    async fn sweep_tags(&self, all: &[DesiredNetwork]) -> Result<(), NetworkError> {
        let Some(trunk) = &self.trunk else { return Ok(()) };
        vlan::sweep(&self.links, trunk, &tags_of(all)).await
    }

    async fn look(&self, all: &[DesiredNetwork]) -> Result<Look, NetworkError> {
        let links = self.links.list().await?;
        let has_stale_tags = match &self.trunk {
            Some(trunk) => !vlan::stale_tags(&links, &PortTags::list().await?, trunk, &tags_of(all)).is_empty(),
            None => false,
        };
        Ok(Look { links, has_stale_tags })
    }

    /// Before any device is up: whose packets it takes in.
    async fn admit(&self, all: &[DesiredNetwork]) -> Result<(), NetworkError> {
        let Some(underlay) = self.underlay.clone() else { return Ok(()) };
        let wanted: Vec<Admitted> = all.iter().filter_map(admitted).collect();
        let before = lock(&self.admitted).clone();
        if before.is_none() && wanted.is_empty() {
            return Ok(());
        }
        let task = tokio::task::spawn_blocking(move || {
            if let Some((admitted, mark)) = before.filter(|(admitted, _)| *admitted == wanted)
                && underlay::see().is_ok_and(|now| now == mark)
            {
                return Ok((admitted, mark));
            }
            underlay::admit(&underlay.interface, &wanted)?;
            Ok((wanted, underlay::see()?))
        });
        let done = task.await.map_err(|error| NetworkError::Netlink {
            doing: "admit the peers of private networks".to_owned(),
            errno: None,
            reason: error.to_string(),
        })?;
        *lock(&self.admitted) = Some(done?);
        Ok(())
    }
}

fn admitted(desired: &DesiredNetwork) -> Option<Admitted> {
    let DesiredNetwork::Present(spec) = desired else { return None };
    let Segment::Vxlan { vni, peers } = &spec.segment else { return None };
    Some(Admitted { vni: *vni, peers: vxlan::peers(peers) })
}

/// What one look shows after all was done that could be.
#[derive(Debug)]
struct Look {
    links: Arc<[Link]>,
    /// The trunk lets out a tag that no network of this host has.
    has_stale_tags: bool,
}

/// What there is of a network. What could not be looked at counts as there.
fn observed(desired: &DesiredNetwork, done: Result<(), Fault>, look: Option<&Look>) -> ObservedNetwork {
    let network = desired.network();
    let remains = look.map_or(NetworkRemains::UNPROVED, |look| {
        let alias = NetworkMark(network).to_string();
        let has = |name: String| name::find(&look.links, &name, &alias).is_some();
        let is_gone = matches!(desired, DesiredNetwork::Absent(_));
        NetworkRemains {
            bridge: has(name::bridge(network)),
            // Whose a stale tag was is not known, so it is every gone network's until there is none.
            device: has(name::device(network)) || (is_gone && look.has_stale_tags),
            taps: has_taps(&look.links, network),
        }
    });
    let is_reached = match desired {
        DesiredNetwork::Present(_) => done.is_ok(),
        DesiredNetwork::Absent(_) => remains.is_nothing(),
    };
    ObservedNetwork {
        network,
        accepted: desired.version(),
        accepted_hash: desired.hash(),
        reached: is_reached.then(|| desired.version()),
        fault: done.err(),
        remains,
    }
}

/// Whether a tap is plugged into the network, or says that it is of it and is connected to anything. One that was cut off
/// stays while the guest holds its adapter, which may be until its next boot, and carries nothing.
fn has_taps(links: &[Link], network: NetworkId) -> bool {
    let bridge = name::find(links, &name::bridge(network), &NetworkMark(network).to_string()).map(|link| link.index);
    let is_connected = |link: &Link| link.up || link.controller.is_some();
    let is_marked = |link: &Link| TapMark::parse(&link.alias).is_some_and(|mark| mark.network == Some(network));
    let is_of = |link: &Link| is_marked(link) && is_connected(link);
    links.iter().any(|link| link.is_tun && (is_of(link) || (bridge.is_some() && link.controller == bridge)))
}

/// Tags of networks that are to be there.
fn tags_of(all: &[DesiredNetwork]) -> BTreeSet<VlanTag> {
    let tag = |desired: &DesiredNetwork| match desired {
        DesiredNetwork::Present(spec) => match spec.segment {
            Segment::Vlan { tag } => Some(tag),
            Segment::Vxlan { .. } => None,
        },
        DesiredNetwork::Absent(_) => None,
    };
    all.iter().filter_map(tag).collect()
}

/// Whoever fell while he held it left whole what he put there.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use csp_shared::mac::Mac;
    use uuid::Uuid;

    use super::*;
    use crate::plan::fixture::server;

    #[test]
    fn a_tap_that_was_cut_off_holds_no_network_and_a_connected_one_does() {
        let network = NetworkId(Uuid::from_u128(7));
        let mark = TapMark { server: server(), mac: Mac::for_guest([1, 2, 3, 4]), network: Some(network) };
        let cut_off = Link { is_tun: true, alias: mark.to_string(), ..Link::default() };
        assert!(!has_taps(std::slice::from_ref(&cut_off), network));
        assert!(has_taps(&[Link { up: true, ..cut_off.clone() }], network));
        assert!(has_taps(&[Link { controller: Some(3), ..cut_off.clone() }], network));
        assert!(!has_taps(&[Link { up: true, ..cut_off }], NetworkId(Uuid::from_u128(8))));
    }
}
