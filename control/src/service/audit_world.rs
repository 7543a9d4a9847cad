//! Reads what the store says for an audit, before and after the hosts were looked at, and puts both sides together.
//!
//! The store moves on while hosts answer. What it changed meanwhile is marked, so that a server that was started between
//! the two snapshots is not called wrong.

use std::collections::BTreeMap;

use csp_shared::{
    id::{AccountId, HostId, ServerId},
    limits::SILENCE_SECONDS_MAX,
};

use crate::{
    domain::{
        audit::{Hold, HostSide, LeaseSide, NetworkSide, Place, ServerSide, Size, World},
        time::Time,
    },
    store::{HostRow, HostState, LeaseState, NetworkObject, PlacementState, Read, StoreError},
};

/// The store's side, at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Books {
    /// Hosts that should answer.
    pub hosts: Vec<(HostId, String)>,
    servers: Vec<ServerSide>,
    leases: Vec<LeaseSide>,
    networks: Vec<NetworkSide>,
    wallets: Vec<(AccountId, i64, i64)>,
}

/// Reads the store's side.
///
/// # Errors
/// When the store cannot be read.
pub fn read_books(read: &Read<'_>, now: Time) -> Result<Books, StoreError> {
    let placed = read.placement_audit()?;
    let mut open = read.action_open_all()?;
    let hosts = read.host_list()?.into_iter().filter(|host| should_answer(host, now)).map(|host| (host.id, host.name));
    // The newest place of a server comes last and takes its actions; an older one has none.
    let newest: BTreeMap<ServerId, HostId> = placed.iter().map(|place| (place.server, place.host)).collect();
    let servers = placed.into_iter().map(|placed| ServerSide {
        open: match newest.get(&placed.server) == Some(&placed.host) {
            true => open.remove(&placed.server).unwrap_or_default(),
            false => Vec::new(),
        },
        server: placed.server,
        host: placed.host,
        service: placed.service,
        place: place(placed.place),
        sold: size(placed.sold),
        kept: size(placed.kept),
        desired: placed.desired,
        observed: placed.observed,
        changed: false,
    });
    let leases = read.lease_list()?.into_iter().filter_map(|lease| {
        let (address, server, gone) = (lease.address, lease.server, lease.gone);
        Some(LeaseSide { address, server, state: hold(lease.state)?, gone })
    });
    Ok(Books {
        hosts: hosts.collect(),
        servers: servers.collect(),
        leases: leases.collect(),
        networks: read.network_audit()?.into_iter().map(network).collect(),
        wallets: read.ledger_differences()?,
    })
}

/// Puts the sides together. `before` was read before the hosts were asked, `after` when all had answered.
#[must_use]
pub fn put_together(before: Books, after: Books, hosts: Vec<HostSide>) -> World {
    let was: BTreeMap<(ServerId, HostId), ServerSide> =
        before.servers.into_iter().map(|side| ((side.server, side.host), side)).collect();
    let servers = after.servers.into_iter().map(|side| {
        let changed = was.get(&(side.server, side.host)) != Some(&side);
        ServerSide { changed, ..side }
    });
    let networks =
        after.networks.into_iter().map(|side| NetworkSide { changed: !before.networks.contains(&side), ..side });
    World {
        hosts,
        servers: servers.collect(),
        leases: after.leases,
        networks: networks.collect(),
        wallets: after.wallets,
    }
}

/// Whether a silence of this host is worth telling. One that never enrolled has nothing; one that was given up is known
/// to be silent, unless it is heard again.
fn should_answer(host: &HostRow, now: Time) -> bool {
    match host.state {
        HostState::New | HostState::Removed => false,
        HostState::Active | HostState::Draining => true,
        HostState::Lost | HostState::Fenced => host.seen_at.is_some_and(|at| at.plus(SILENCE_SECONDS_MAX) >= now),
    }
}

fn network(object: NetworkObject) -> NetworkSide {
    let NetworkObject { host, desired, observed, is_gone } = object;
    NetworkSide { host, desired, observed, is_gone, changed: false }
}

fn size((cpus, ram_mib, disk_gib): (u64, u64, u64)) -> Size {
    Size { cpus, ram_mib, disk_gib }
}

fn place(state: PlacementState) -> Place {
    match state {
        PlacementState::Active => Place::Active,
        PlacementState::Held => Place::Held,
        PlacementState::Released => Place::Released,
    }
}

fn hold(state: LeaseState) -> Option<Hold> {
    match state {
        LeaseState::Leased => Some(Hold::Leased),
        LeaseState::Held => Some(Hold::Held),
        LeaseState::Resting => Some(Hold::Resting),
        LeaseState::Free => None,
    }
}
