//! Takes in what a host says of private networks: what it holds of each, that it let go of one, and what it can do at all.

use std::collections::BTreeSet;

use csp_shared::{
    generation::SessionEpoch,
    id::HostId,
    network::{HostNetworks, ObservedNetwork},
};

use super::{record_report::Recorded, refresh_network::refresh_network};
use crate::{
    domain::time::Time,
    store::{StoreError, Tx},
};

/// Takes in what changed of networks on a host. What a connection says that is not the host's newest changes nothing.
/// `quarantine` is how long, in seconds, a deleted network's subnet and segment rest.
///
/// # Errors
/// When the store cannot keep it.
pub fn record_network_reports(
    tx: &mut Tx<'_>,
    host: HostId,
    session: SessionEpoch,
    reports: &[ObservedNetwork],
    quarantine: i64,
    now: Time,
) -> Result<Recorded, StoreError> {
    if is_stale(tx, host, session)? {
        return Ok(Recorded { stale: true, ..Recorded::default() });
    }
    tx.host_seen(host, now)?;
    let mut recorded = Recorded::default();
    take_in(tx, host, reports, quarantine, &mut recorded, now)?;
    Ok(recorded)
}

/// The same for all that a host has of networks, as a part of its inventory.
pub(super) fn take_in_all(
    tx: &mut Tx<'_>,
    host: HostId,
    held: &[ObservedNetwork],
    quarantine: i64,
    recorded: &mut Recorded,
    now: Time,
) -> Result<(), StoreError> {
    take_in(tx, host, held, quarantine, recorded, now)?;
    let named: BTreeSet<_> = held.iter().map(|seen| seen.network).collect();
    tx.network_observations_keep_only(host, &named)
}

fn take_in(
    tx: &mut Tx<'_>,
    host: HostId,
    reports: &[ObservedNetwork],
    quarantine: i64,
    recorded: &mut Recorded,
    now: Time,
) -> Result<(), StoreError> {
    for seen in reports {
        let Some((wanted, is_absent)) = tx.network_version(seen.network, host)? else {
            recorded.strange_networks.push(seen.network);
            continue;
        };
        // Ahead of a store that was restored: left alone, for the operator.
        if seen.accepted > wanted {
            recorded.strange_networks.push(seen.network);
            continue;
        }
        // The proof must be about the newest word: what was gone before may have come back since.
        let is_gone = is_absent && seen.accepted == wanted && seen.remains.is_nothing();
        tx.network_observed(host, seen, is_gone)?;
        recorded.wake |= seen.accepted < wanted;
        if is_gone {
            tx.network_rest(seen.network, now.plus(quarantine))?;
        }
    }
    Ok(())
}

/// Takes in what a host can do for private networks. Where it is reached by VXLAN stands in the lists of all hosts that
/// share a network with it.
///
/// # Errors
/// When the store cannot keep it.
pub fn record_host_networks(
    tx: &mut Tx<'_>,
    host: HostId,
    session: SessionEpoch,
    can: &HostNetworks,
) -> Result<Recorded, StoreError> {
    if is_stale(tx, host, session)? {
        return Ok(Recorded { stale: true, ..Recorded::default() });
    }
    let before = tx.host_networks(host)?;
    tx.host_set_networks(host, Some(can))?;
    if before.and_then(|before| before.underlay) != can.underlay {
        for network in tx.networks_on_host(host)? {
            refresh_network(tx, network)?;
        }
    }
    Ok(Recorded::default())
}

fn is_stale(tx: &Tx<'_>, host: HostId, session: SessionEpoch) -> Result<bool, StoreError> {
    Ok(tx.host_session(host)?.is_none_or(|current| current.session != session))
}
