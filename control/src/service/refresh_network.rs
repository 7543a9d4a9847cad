//! The part that everything which changes a network's members shares: every host of it is told what it should be now, or
//! that it should be gone from there. To be written together with the change.

use csp_shared::{
    generation::{Generation, NetworkVersion, Version},
    id::{HostId, NetworkId, ServerId},
    network::{DesiredNetwork, NetworkSpec, NetworkTombstone},
};

use crate::{
    domain::private_network::{Object, objects},
    store::{NetworkObject, StoreError, Tx},
};

/// Brings the objects of a network to its members. What is so already gets no newer version.
pub(super) fn refresh_network(tx: &mut Tx<'_>, network: NetworkId) -> Result<(), StoreError> {
    // A network without a segment never had a member.
    let Some(carrier) = tx.network_any(network)?.and_then(|found| found.carrier) else { return Ok(()) };
    let wanted = objects(carrier, &tx.member_places(network)?, &tx.host_underlays()?);
    let damaged = || StoreError::Damaged(format!("network {network} has the segment {carrier:?}"));
    let wanted = wanted.ok_or_else(damaged)?;
    let stored = tx.network_objects(network)?;
    let find = |host: HostId| stored.iter().find(|object| object.host == host);
    for (host, object) in wanted.iter().filter(|(host, object)| !find(**host).is_some_and(|was| is_same(was, object))) {
        let version = next_version(tx, find(*host))?;
        let Object { segment, mtu, members } = object.clone();
        let spec = NetworkSpec { network, version, segment, mtu, members };
        tx.network_object_put(*host, &DesiredNetwork::Present(Box::new(spec)))?;
    }
    let left = stored.iter().filter(|object| matches!(object.desired, DesiredNetwork::Present(_)));
    for object in left.filter(|object| !wanted.contains_key(&object.host)) {
        let version = next_version(tx, Some(object))?;
        tx.network_object_put(object.host, &DesiredNetwork::Absent(NetworkTombstone { network, version }))?;
    }
    Ok(())
}

/// Takes a server that is to be gone out of its networks. Its addresses there are held until its host has proved that.
pub(super) fn leave_networks(tx: &mut Tx<'_>, server: ServerId) -> Result<(), StoreError> {
    for network in tx.member_hold_all(server)? {
        refresh_network(tx, network)?;
    }
    Ok(())
}

fn is_same(stored: &NetworkObject, wanted: &Object) -> bool {
    match &stored.desired {
        DesiredNetwork::Present(spec) => {
            spec.segment == wanted.segment && spec.mtu == wanted.mtu && spec.members == wanted.members
        }
        DesiredNetwork::Absent(_) => false,
    }
}

fn next_version(tx: &Tx<'_>, before: Option<&NetworkObject>) -> Result<NetworkVersion, StoreError> {
    let generation = before.map_or(Generation::FIRST, |before| before.desired.version().0.generation.next());
    Ok(NetworkVersion(Version { incarnation: tx.incarnation()?, generation }))
}
