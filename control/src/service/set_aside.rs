//! What becomes of an address that somebody answered for before its server used it: it is set aside, and leased to nobody
//! until an operator has looked. A server that is being made, or an address that is being added, gets another one in its
//! place, in the transaction that records the answer, so that nothing stands still for it. A live server that was to use it
//! again goes on without it. Where there is no other one the order or addition fails as it does for any other reason.

use std::net::Ipv4Addr;

use csp_shared::{
    generation::Version,
    id::{ActionId, HostId, LeaseId, ServerId},
    observed::{FaultCode, Observed},
};

use super::{
    extra_ips::{fail_after_let_go, unplug},
    look_for_room::free_address,
    next_spec::next_spec,
};
use crate::{
    domain::{
        action::Command,
        billing::{extra_ip, quote::Basis},
        draw::Draw,
        event::Event,
        server::ServiceStatus,
        time::Time,
    },
    store::{LeaseRole, NewAction, OpenAction, StoreError, Tx},
};

/// What was done about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Aside {
    /// Nobody else has an address of this server.
    Nothing,
    /// It was set aside, and there is nothing to be had in its place: what asked for it fails.
    Noted,
    /// It was set aside and the server's spec has another one, or none; whom to wake.
    Replaced(HostId),
}

/// Takes in that an address of a server is somebody else's. `newest` is the server's newest spec.
pub(super) fn set_aside(
    tx: &mut Tx<'_>,
    seen: &Observed,
    newest: Version,
    draw: &mut Draw,
    now: Time,
) -> Result<Aside, StoreError> {
    let fault = seen.fault.as_ref().filter(|fault| fault.code == FaultCode::AddressInUse);
    let Some((address, detail)) = fault.and_then(|fault| Some((fault.address?, &fault.detail))) else {
        return Ok(Aside::Nothing);
    };
    // What is said of an older spec was taken care of when the newer one was written.
    let lease = tx.lease_at(seen.server, address)?.filter(|_| seen.accepted == newest);
    let Some(lease) = lease else { return Ok(Aside::Nothing) };
    tx.address_set_aside(address, seen.server, detail, now)?;
    let role = tx.lease_get(lease)?.map(|lease| lease.role);
    let open = tx.ip_change_open(lease)?;
    match (role, open) {
        (Some(LeaseRole::Primary), _) => {
            let order = tx.action_open(seen.server)?.into_iter().find(|action| action.command == Command::Create);
            order.map_or(Ok(Aside::Noted), |order| replace(tx, seen.server, lease, order.id, now))
        }
        (_, Some((action, Command::AddExtraIp))) => replace(tx, seen.server, lease, action, now),
        (_, Some((action, Command::MoveExtraIp))) => {
            let coming = tx.ip_moves_to(seen.server)?.into_iter().find(|open| open.id == action);
            coming.map_or(Ok(Aside::Noted), |open| lose(tx, &open, lease, draw, now))
        }
        _ => relieve(tx, seen.server, lease, draw, now),
    }
}

/// Another address in its place, on the same adapter; what was asked for is fulfilled by that.
fn replace(
    tx: &mut Tx<'_>,
    server: ServerId,
    lease: LeaseId,
    action: ActionId,
    now: Time,
) -> Result<Aside, StoreError> {
    tx.lease_free_rested(now)?;
    let Some(location) = tx.server_location(server)? else { return Ok(Aside::Noted) };
    let Some((pool, address)) = free_address(tx, &location, now)? else { return Ok(Aside::Noted) };
    tx.lease_readdress(lease, &pool, address)?;
    let gone = || StoreError::Damaged(format!("lease {lease} is on no adapter"));
    let nic = tx.lease_nic(lease)?.ok_or_else(gone)?;
    let (host, wanted) = next_spec(tx, server, |mut spec| {
        spec.nics.iter_mut().filter(|own| own.mac == nic.mac).for_each(|own| own.clone_from(&nic));
        Ok::<_, StoreError>(spec)
    })?;
    tx.action_want(action, wanted)?;
    tell(tx, server, address, now)?;
    Ok(Aside::Replaced(host))
}

fn tell(tx: &mut Tx<'_>, server: ServerId, address: Ipv4Addr, now: Time) -> Result<(), StoreError> {
    let owner = tx.server_get(server)?.filter(|server| server.service != ServiceStatus::Destroyed);
    owner.map_or(Ok(()), |owner| tx.event_put(owner.account, &Event::address_replaced(server, address), now))
}

/// A move that cannot be done: its first server has let go, and nobody can have the address now.
fn lose(tx: &mut Tx<'_>, action: &OpenAction, lease: LeaseId, draw: &mut Draw, now: Time) -> Result<Aside, StoreError> {
    fail_after_let_go(tx, action, lease, draw, now).map(Aside::Replaced)
}

/// An address that a server had, and was to have again: it is removed, as if its owner had asked for it and had not to pay for
/// a day at least.
fn relieve(tx: &mut Tx<'_>, server: ServerId, lease: LeaseId, draw: &mut Draw, now: Time) -> Result<Aside, StoreError> {
    let Some(owner) = tx.server_get(server)? else { return Ok(Aside::Noted) };
    let quote = extra_ip::withdraw(&tx.period_list(server, now)?, lease, now);
    let (host, wanted) = unplug(tx, server, lease)?;
    let (id, command) = (ActionId(draw.uuid(now)), Command::RemoveExtraIp);
    tx.action_insert(&NewAction { id, account: owner.account, server, command, wanted, deadline_at: None }, now)?;
    tx.ip_change_insert(id, lease, None)?;
    tx.credit_promise(id, &quote.credits, Basis::Relief, now)?;
    Ok(Aside::Replaced(host))
}
