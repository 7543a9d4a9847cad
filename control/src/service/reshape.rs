//! The part that reinstalls and other packages share: what is written when one is accepted, and how it ends.
//!
//! A change is done when its host says so, and pays its credits then. One that cannot be done is taken back: the spec has
//! its old size and disk again, and the service follows once the host said which disk the server has (see
//! `domain::reshape`). So an action ends once, as done or as failed, and its money with it. Once the new disk is the
//! server's it is not taken back: what was on the old one is in the trash.

use csp_shared::{
    generation::{DiskEpoch, Version},
    id::{AccountId, ActionId, HostId, ServerId},
    observed::{FaultCode, Observed},
    spec::{Desired, ServerSpec},
};

use super::{
    change_power::PATIENCE_SECONDS,
    keep_promise::keep_promise,
    money_in::{Back, give_back},
};
use crate::{
    domain::{
        action::{Command, Progress, Status as ActionStatus, progress},
        billing::{
            line::Period,
            package,
            quote::{Basis, Quote},
        },
        draw::Draw,
        failure,
        ledger::Cause,
        money::Cents,
        placement::Promised,
        reshape::{GivenUp, Shape, Sold, judge, reshaped},
        time::Time,
    },
    store::{NewAction, OpenAction, ReshapeRow, StoreError, Tx},
};

/// A change about to be accepted.
pub(super) struct Reshape<'a> {
    pub account: AccountId,
    pub command: Command,
    pub before: &'a Shape,
    pub after: &'a Shape,
    pub host: HostId,
    /// Ordinal of the last paid period.
    pub period: u32,
}

/// Writes an accepted change: the service's side, the spec with its next version, and an action that waits for the host.
pub(super) fn accept(
    tx: &mut Tx<'_>,
    reshape: &Reshape<'_>,
    draw: &mut Draw,
    now: Time,
) -> Result<ActionId, StoreError> {
    let Reshape { account, command, before, after, host, period } = *reshape;
    let server = before.spec.server;
    let mut after = after.clone();
    after.spec.version = next_version(tx, &before.spec)?;
    tx.sold_put(&after.sold, &after.spec)?;
    tx.spec_put(host, &Desired::Present(Box::new(after.spec.clone())))?;
    for overtaken in tx.action_open(server)?.iter().filter(|action| !action.command.is_about_adapters()) {
        tx.action_end(overtaken.id, ActionStatus::Superseded, None, now)?;
    }
    let id = ActionId(draw.uuid(now));
    let (wanted, deadline_at) = (after.spec.version, Some(now.plus(PATIENCE_SECONDS)));
    tx.action_insert(&NewAction { id, account, server, command, wanted, deadline_at }, now)?;
    tx.reshape_insert(id, before, &after, period)?;
    if before.spec.disk_epoch != after.spec.disk_epoch {
        promise_both(tx, server, &after.spec)?;
    }
    Ok(id)
}

/// Promises the new disk beside the old one, which has its room until the change ended: so two that are made anew at once
/// do not both count on the same room.
fn promise_both(tx: &mut Tx<'_>, server: ServerId, wanted: &ServerSpec) -> Result<(), StoreError> {
    let Some(now) = tx.placement_promised(server)? else { return Ok(()) };
    let disk_gib = now.disk_gib.saturating_add(wanted.disk_gib.into());
    tx.placement_promise(server, &Promised { disk_gib, ..now })
}

/// Whether the server's host has room for another disk beside the one that is there.
pub(super) fn has_room_beside(tx: &Tx<'_>, host: HostId, disk_gib: u32) -> Result<bool, StoreError> {
    Ok(tx.host_pool(host)?.is_some_and(|pool| pool.has_room_beside(disk_gib.into())))
}

/// Moves a change on with a report of its host; answers whether the host must be told something new.
pub(super) fn move_on(
    tx: &mut Tx<'_>,
    action: &OpenAction,
    seen: &Observed,
    draw: &mut Draw,
    now: Time,
) -> Result<bool, StoreError> {
    let row = row(tx, action)?;
    let Some(why) = &row.given_up else {
        match progress(action.wanted, seen.accepted, seen.reached, seen.fault.as_ref()) {
            Progress::Nothing => {}
            Progress::Running => tx.action_start(action.id, now)?,
            Progress::Done => done(tx, action, &row, draw, now)?,
            Progress::Failed => {
                tx.action_start(action.id, now)?;
                let code = seen.fault.as_ref().map_or(FaultCode::Internal, |fault| fault.code);
                return give_up(tx, action, &row, Some(code), seen.disk_epoch, draw, now);
            }
        }
        return Ok(false);
    };
    match judge(action.wanted, row.before.spec.disk_epoch, seen) {
        GivenUp::Waiting => Ok(false),
        GivenUp::Kept => {
            failed(tx, action, &row, &row.before.sold, (&why.0, &why.1), draw, now)?;
            Ok(false)
        }
        GivenUp::Overtaken => {
            let wanted = put_spec(tx, action.server, &row.after.spec, false)?;
            tx.reshape_turn(action.id, None, wanted, Some(now.plus(PATIENCE_SECONDS)))?;
            Ok(true)
        }
    }
}

/// Takes back a change that its host did not confirm in time; answers whether the host must be told.
pub(super) fn expire(tx: &mut Tx<'_>, action: &OpenAction, draw: &mut Draw, now: Time) -> Result<bool, StoreError> {
    let row = row(tx, action)?;
    let seen = tx.observation_get(action.server)?.map(|seen| seen.observed);
    let fault = seen.as_ref().and_then(|seen| seen.fault.as_ref()).map(|fault| fault.code);
    give_up(tx, action, &row, fault, seen.and_then(|seen| seen.disk_epoch), draw, now)
}

/// Takes back what is to erase the disk of a server that was locked as an abuse, unless its host said that the new disk is
/// there; answers whether there was such a change. Its host may be swapping the disks at this moment: its answer tells how that
/// ended, as for every change that is given up.
pub(super) fn hold_back(tx: &mut Tx<'_>, server: ServerId) -> Result<bool, StoreError> {
    let seen = tx.observation_get(server)?.and_then(|seen| seen.observed.disk_epoch);
    let mut is_held = false;
    for action in tx.action_open(server)? {
        if !matches!(action.command, Command::Reinstall | Command::ChangePackage) {
            continue;
        }
        let row = row(tx, &action)?;
        let (before, after) = (row.before.spec.disk_epoch, row.after.spec.disk_epoch);
        if before == after || row.given_up.is_some() || seen >= Some(after) {
            continue;
        }
        let (code, words) = failure::held_back(action.command == Command::ChangePackage);
        ask_back(tx, &action, &row.before.spec, (code, &words))?;
        is_held = true;
    }
    Ok(is_held)
}

fn row(tx: &Tx<'_>, action: &OpenAction) -> Result<ReshapeRow, StoreError> {
    let row = tx.reshape_get(action.id)?;
    row.ok_or_else(|| StoreError::Damaged(format!("action {} changes nothing", action.id)))
}

fn done(tx: &mut Tx<'_>, action: &OpenAction, row: &ReshapeRow, draw: &mut Draw, now: Time) -> Result<(), StoreError> {
    tx.placement_promise(action.server, &promised(&row.after.spec))?;
    keep_promise(tx, action.server, (action.id, action.command), draw, now)?;
    tx.action_end(action.id, ActionStatus::Done, None, now)
}

/// Takes back what can be: all of it, or all but a disk that was swapped already.
fn give_up(
    tx: &mut Tx<'_>,
    action: &OpenAction,
    row: &ReshapeRow,
    fault: Option<FaultCode>,
    seen: Option<DiskEpoch>,
    draw: &mut Draw,
    now: Time,
) -> Result<bool, StoreError> {
    let (before, after) = (&row.before, &row.after);
    let is_swapped = before.spec.disk_epoch != after.spec.disk_epoch && seen >= Some(after.spec.disk_epoch);
    let (code, words) = failure::taken_back(fault, is_swapped, action.command == Command::ChangePackage);
    let why = (code, words.as_str());
    if before.spec.disk_epoch == after.spec.disk_epoch || is_swapped {
        let Sold { package, monthly_cents, price_fixed, .. } = before.sold;
        let swapped = Sold { package, monthly_cents, price_fixed, ..after.sold.clone() };
        let sold = if is_swapped { &swapped } else { &before.sold };
        put_spec(tx, action.server, &before.spec, is_swapped)?;
        failed(tx, action, row, sold, why, draw, now)?;
    } else {
        ask_back(tx, action, &before.spec, why)?;
    }
    Ok(true)
}

/// Asks for the older disk again. The change ends when the host has said which disk the server has.
fn ask_back(tx: &mut Tx<'_>, action: &OpenAction, before: &ServerSpec, why: (&str, &str)) -> Result<(), StoreError> {
    let wanted = put_spec(tx, action.server, before, false)?;
    tx.reshape_turn(action.id, Some(why), wanted, None)
}

/// The end of a change that was taken back: the service as it was, and exactly the money that it took.
fn failed(
    tx: &mut Tx<'_>,
    action: &OpenAction,
    row: &ReshapeRow,
    sold: &Sold,
    why: (&str, &str),
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    tx.sold_put(sold, &row.before.spec)?;
    tx.placement_promise(action.server, &promised(&row.before.spec))?;
    if action.command == Command::ChangePackage {
        reverse(tx, action, row, draw, now)?;
    }
    tx.action_end(action.id, ActionStatus::Failed, Some(why), now)
}

/// Gives back what a change of package took that a removal overtook: it was not done (BILLING 4).
pub(super) fn undo_charge(
    tx: &mut Tx<'_>,
    overtaken: &OpenAction,
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    if overtaken.command == Command::ChangePackage {
        let row = row(tx, overtaken)?;
        tx.sold_put(&row.before.sold, &row.before.spec)?;
        reverse(tx, overtaken, &row, draw, now)?;
    }
    Ok(())
}

/// Gives back what the change took. A period that was renewed meanwhile was paid at the new price: the difference goes
/// back, too.
fn reverse(
    tx: &mut Tx<'_>,
    action: &OpenAction,
    row: &ReshapeRow,
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    tx.period_reverse(action.id, now)?;
    let took = tx.transfer_amount(&Cause::Change(action.id))?.unwrap_or_default();
    let back = Back {
        server: action.server,
        amount: took,
        cause: Cause::ChangeReversal(action.id),
        description: "Refund of a package change that was not done".to_owned(),
    };
    give_back(tx, back, draw, now)?;
    tx.price_changes_restore(action.id)?;
    let cents = |shape: &Shape| Cents::new(shape.sold.monthly_cents).unwrap_or_default();
    let renewed = tx.period_list(action.server, now)?.into_iter().filter(|period| period.ordinal > row.period);
    let renewed: Vec<Period> = renewed.collect();
    let Quote { credits, .. } = package::change(&renewed, cents(&row.after), cents(&row.before), now);
    tx.credit_promise(action.id, &credits, Basis::Time, now)?;
    keep_promise(tx, action.server, (action.id, action.command), draw, now)
}

/// Gives the server's spec the size of `wanted`, and its disk, unless the present one is kept.
fn put_spec(tx: &mut Tx<'_>, server: ServerId, wanted: &ServerSpec, keeps_disk: bool) -> Result<Version, StoreError> {
    let place = tx.placement_get(server)?;
    let place = place.ok_or_else(|| StoreError::Damaged(format!("server {server} has no place")))?;
    let Some(Desired::Present(current)) = tx.spec_get(server)? else {
        return Err(StoreError::Damaged(format!("server {server} has no spec and an open action")));
    };
    let mut spec = reshaped(&current, wanted, keeps_disk);
    spec.version = next_version(tx, &current)?;
    let version = spec.version;
    tx.spec_put(place.host, &Desired::Present(Box::new(spec)))?;
    Ok(version)
}

fn next_version(tx: &Tx<'_>, spec: &ServerSpec) -> Result<Version, StoreError> {
    Ok(Version { incarnation: tx.incarnation()?, generation: spec.version.generation.next() })
}

/// The share of its host that a spec needs.
pub(super) fn promised(spec: &ServerSpec) -> Promised {
    let (cpus, ram_mib, disk_gib) = (spec.cpus.into(), spec.ram_mib.into(), spec.disk_gib.into());
    Promised { servers: 1, cpus, ram_mib, disk_gib }
}
