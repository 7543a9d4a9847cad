//! The part that adding, removing and moving extra addresses share: how each goes on with what hosts say, and how it is
//! taken back.
//!
//! An addition is done when the host has plugged it in, a removal when the host has proved that it let go. A move is both:
//! first the source's spec lacks the address; the transaction that records its host's proof gives it to the target. So it
//! is never on two cables, and from then on the target's host has the word. What is not done in time is taken back: an
//! addition as a whole, a move as long as the source's host has not let go. What was charged goes back with it, once.

use csp_shared::{
    generation::Version,
    id::{HostId, LeaseId, ServerId},
    observed::{FaultCode, Observed},
};

use super::{
    keep_promise::keep_promise,
    money_in::{Back, give_back, give_back_less},
    new_mac::new_mac,
    next_spec::next_spec,
};
use crate::{
    domain::{
        action::{Command, Progress, Status as ActionStatus, progress},
        adapter,
        billing::{extra_ip, quote::Basis},
        draw::Draw,
        failure,
        ledger::Cause,
        server::ServiceStatus,
        time::Time,
    },
    store::{IpChange, OpenAction, StoreError, Tx},
};

/// Moves an action on with a report about one of its servers; answers whom to wake.
pub(super) fn move_on(
    tx: &mut Tx<'_>,
    action: &OpenAction,
    seen: &Observed,
    draw: &mut Draw,
    now: Time,
) -> Result<Option<HostId>, StoreError> {
    let change = change_of(tx, action)?;
    let told_by = if change.is_let_go { change.target } else { Some(action.server) };
    if told_by != Some(seen.server) {
        return Ok(None);
    }
    let is_leaving = action.command == Command::MoveExtraIp && !change.is_let_go;
    let is_to_go = is_leaving || action.command == Command::RemoveExtraIp;
    // What is to go is gone when the host has let go of it, whatever else stands in the way of the spec.
    let reached = if is_to_go { let_go(seen) } else { seen.reached };
    match progress(action.wanted, seen.accepted, reached, seen.fault.as_ref()) {
        Progress::Nothing => Ok(None),
        Progress::Done if is_leaving => hand_over(tx, action, &change, draw, now).map(Some),
        Progress::Done => {
            if action.command == Command::RemoveExtraIp {
                keep_promise(tx, action.server, (action.id, action.command), draw, now)?;
            }
            tx.action_end(action.id, ActionStatus::Done, None, now).map(|()| None)
        }
        Progress::Failed if action.command == Command::AddExtraIp || is_leaving => {
            let why = failure::not_plugged(seen.fault.as_ref().map(|fault| fault.code));
            take_back(tx, action, &change, (why.0, &why.1), draw, now).map(Some)
        }
        // An agent that does not say of which address keeps standing still over it.
        Progress::Failed if change.is_let_go && is_in_use(seen) => {
            fail_after_let_go(tx, action, change.lease, draw, now).map(Some)
        }
        // What the server lacks otherwise keeps its host from saying so: an address that is to go waits for it, and so does one
        // that nobody else can have any more.
        Progress::Running | Progress::Failed => tx.action_start(action.id, now).map(|()| None),
    }
}

fn is_in_use(seen: &Observed) -> bool {
    seen.fault.as_ref().is_some_and(|fault| fault.code == FaultCode::AddressInUse)
}

/// The newest version whose lost addresses are on no cable of the server and in no filter of it any more. A host that says
/// nothing of that has brought the whole about.
pub(super) fn let_go(seen: &Observed) -> Option<Version> {
    seen.let_go.max(seen.reached)
}

/// Takes back what its host did not confirm in time; answers whom to wake.
pub(super) fn expire(tx: &mut Tx<'_>, action: &OpenAction, draw: &mut Draw, now: Time) -> Result<HostId, StoreError> {
    let change = change_of(tx, action)?;
    let seen = tx.observation_get(action.server)?.and_then(|seen| seen.observed.fault);
    let why = failure::not_plugged(seen.map(|fault| fault.code));
    take_back(tx, action, &change, (why.0, &why.1), draw, now)
}

/// Ends what is under way with the addresses of a server that is removed: what was to come gives back what it took, what was
/// to go gives back what was promised for it.
pub(super) fn end_with_server(
    tx: &mut Tx<'_>,
    action: &OpenAction,
    (status, why): (ActionStatus, Option<(&str, &str)>),
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    let change = change_of(tx, action)?;
    match action.command {
        // It is another server's by now.
        Command::MoveExtraIp if change.is_let_go => return Ok(()),
        Command::RemoveExtraIp => keep_promise(tx, action.server, (action.id, action.command), draw, now)?,
        _ => reverse(tx, action, &change, draw, now)?,
    }
    tx.action_end(action.id, status, why, now)
}

/// Ends the moves that lead to a server which is removed: an address that is on its way stays where it was. Answers whom to
/// wake.
pub(super) fn end_moves_to(
    tx: &mut Tx<'_>,
    target: ServerId,
    (status, why): (ActionStatus, Option<(&str, &str)>),
    draw: &mut Draw,
    now: Time,
) -> Result<Vec<HostId>, StoreError> {
    let mut woken = Vec::new();
    for action in tx.ip_moves_to(target)? {
        let change = change_of(tx, &action)?;
        if change.is_let_go {
            tx.action_end(action.id, status, why, now)?;
        } else {
            woken.push(take_back(tx, &action, &change, failure::TARGET_GONE, draw, now)?);
        }
    }
    Ok(woken)
}

fn change_of(tx: &Tx<'_>, action: &OpenAction) -> Result<IpChange, StoreError> {
    let change = tx.ip_change_get(action.id)?;
    change.ok_or_else(|| StoreError::Damaged(format!("action {} is about no address", action.id)))
}

/// Gives an address that its source has let go of to the target; answers whom to wake.
fn hand_over(
    tx: &mut Tx<'_>,
    action: &OpenAction,
    change: &IpChange,
    draw: &mut Draw,
    now: Time,
) -> Result<HostId, StoreError> {
    let Some(target) = able_to_take(tx, change)? else {
        return take_back(tx, action, change, failure::TARGET_GONE, draw, now);
    };
    let names = tx.nic_names(target)?;
    let (name, mac) = (adapter::free_name(names.iter().map(String::as_str)), new_mac(tx, draw)?);
    tx.lease_hand_over(change.lease, (target, &name, mac), now)?;
    tx.price_changes_follow(change.lease, action.server, target)?;
    let (host, version) = plug(tx, target, change.lease)?;
    tx.action_start(action.id, now)?;
    tx.ip_change_let_go(action.id, version, now)?;
    // The source's side is done.
    keep_promise(tx, action.server, (action.id, action.command), draw, now)?;
    Ok(host)
}

/// The target of a move, while it is in service and has a free port.
fn able_to_take(tx: &Tx<'_>, change: &IpChange) -> Result<Option<ServerId>, StoreError> {
    let Some(target) = change.target else { return Ok(None) };
    let in_service = tx
        .server_get(target)?
        .is_some_and(|server| matches!(server.service, ServiceStatus::Active | ServiceStatus::Suspended));
    let fits = adapter::room_for_one(tx.nic_names(target)?.len()).is_ok();
    Ok(Some(target).filter(|_| in_service && fits))
}

/// Puts an address into its server's spec.
pub(super) fn plug(tx: &mut Tx<'_>, server: ServerId, lease: LeaseId) -> Result<(HostId, Version), StoreError> {
    let gone = || StoreError::Damaged(format!("lease {lease} is on no adapter"));
    let nic = tx.lease_nic(lease)?.ok_or_else(gone)?;
    next_spec(tx, server, |spec| {
        adapter::with(spec, nic).map_err(|why| StoreError::Damaged(format!("server {server}: {why}")))
    })
}

/// Takes an address out of its server's spec, and holds it until the host has proved that it let go.
pub(super) fn unplug(tx: &mut Tx<'_>, server: ServerId, lease: LeaseId) -> Result<(HostId, Version), StoreError> {
    let gone = || StoreError::Damaged(format!("lease {lease} is on no adapter"));
    let mac = tx.lease_nic(lease)?.ok_or_else(gone)?.mac;
    let (host, version) = next_spec(tx, server, |spec| Ok::<_, StoreError>(adapter::without(spec, mac)))?;
    tx.lease_give_up(lease, version)?;
    Ok((host, version))
}

/// The end of an addition or a move that was not done: the address where it was, and the money too.
fn take_back(
    tx: &mut Tx<'_>,
    action: &OpenAction,
    change: &IpChange,
    why: (&str, &str),
    draw: &mut Draw,
    now: Time,
) -> Result<HostId, StoreError> {
    let (host, _) = if action.command == Command::AddExtraIp {
        unplug(tx, action.server, change.lease)?
    } else {
        // Nobody else has it: its own server may, whether its host had let go or not.
        tx.lease_take_back(change.lease)?;
        plug(tx, action.server, change.lease)?
    };
    reverse(tx, action, change, draw, now)?;
    tx.action_end(action.id, ActionStatus::Failed, Some(why), now)?;
    Ok(host)
}

/// The end of a move whose address nobody can have now: its source has let go, and on the target it is somebody else's. Each
/// server pays for the time in which it had it.
pub(super) fn fail_after_let_go(
    tx: &mut Tx<'_>,
    action: &OpenAction,
    lease: LeaseId,
    draw: &mut Draw,
    now: Time,
) -> Result<HostId, StoreError> {
    let change = change_of(tx, action)?;
    let target = change.target.unwrap_or(action.server);
    let (host, _) = unplug(tx, target, lease)?;
    let back = refund(tx, action, target, &change, now)?;
    give_back(tx, back, draw, now)?;
    let why = failure::not_plugged(Some(FaultCode::AddressInUse));
    tx.action_end(action.id, ActionStatus::Failed, Some((why.0, &why.1)), now)?;
    Ok(host)
}

/// Gives back what an action took, less what of it was given at once: the wallet sees the difference alone, as when the
/// action was accepted.
fn reverse(
    tx: &mut Tx<'_>,
    action: &OpenAction,
    change: &IpChange,
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    let back = refund(tx, action, change.target.unwrap_or(action.server), change, now)?;
    let set_off = tx.transfer_amount(&Cause::ExtraIpSetOff(action.id))?.map(|amount| Back {
        server: action.server,
        amount,
        cause: Cause::ExtraIpSetOffReversal(action.id),
        description: "Unused time of an extra address that did not move".to_owned(),
    });
    give_back_less(tx, back, set_off, draw, now).map(drop)
}

/// What an action took of `payer`, and the rest of periods that were renewed with the address meanwhile. The lines of all
/// that are given back with this.
fn refund(
    tx: &mut Tx<'_>,
    action: &OpenAction,
    payer: ServerId,
    change: &IpChange,
    now: Time,
) -> Result<Back, StoreError> {
    tx.period_reverse(action.id, now)?;
    let took = tx.transfer_amount(&Cause::ExtraIp(action.id))?.unwrap_or_default();
    let quote = extra_ip::withdraw(&tx.period_list(payer, now)?, change.lease, now);
    tx.credit_promise(action.id, &quote.credits, Basis::Time, now)?;
    tx.credit_keep(action.id, now)?;
    let amount = took.plus(quote.credited()).unwrap_or(took);
    let description = "Refund of an extra address that did not come".to_owned();
    Ok(Back { server: payer, amount, cause: Cause::ExtraIpReversal(action.id), description })
}
