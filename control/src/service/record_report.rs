//! Takes in what a host says: observations are stored, actions move, a first Online begins the paid period, and a
//! proof that nothing is left gives back address and room. The only place where a server becomes active.

use csp_shared::{
    generation::SessionEpoch,
    id::{HostId, NetworkId, ServerId},
    message::Inventory,
    observed::{Fault, FaultCode, Observed},
    spec::Desired,
};

use super::{
    expire_orders::fail_order,
    extra_ips,
    keep_promise::keep_promise,
    record_networks::take_in_all,
    reshape,
    set_aside::{Aside, set_aside},
};
use crate::{
    domain::{
        action::{Command, Progress, Status as ActionStatus, progress},
        draw::Draw,
        event::Event,
        failure::{not_done, refused},
        period,
        server::ServiceStatus,
        time::Time,
    },
    store::{OpenAction, PlacementState, StoreError, Tx},
};

/// What came of a report.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Recorded {
    /// The connection is not the host's newest: nothing was changed.
    pub stale: bool,
    /// The host must be told something new.
    pub wake: bool,
    /// Other hosts that must be told something new.
    pub others: Vec<HostId>,
    /// Servers that the host spoke of and that were never placed on it: ignored, and worth a line in the log.
    pub foreign: Vec<ServerId>,
    /// Servers of which the host holds something newer than the store: left alone, for the operator.
    pub diverged: Vec<ServerId>,
    /// Private networks that the host was never told of, or of which it holds something newer than the store.
    pub strange_networks: Vec<NetworkId>,
    /// Servers of which an address is somebody else's: it was set aside.
    pub aside: Vec<ServerId>,
    /// What the host cannot do, and did not say before: for the operator, whom customers believe to have been told.
    pub faults: Vec<(ServerId, Fault)>,
}

/// Takes in all that a host has.
///
/// # Errors
/// When the store cannot keep it.
pub fn record_inventory(
    tx: &mut Tx<'_>,
    host: HostId,
    inventory: &Inventory,
    quarantine: i64,
    draw: Draw,
    now: Time,
) -> Result<Recorded, StoreError> {
    let mut recorded = record_report(tx, host, inventory.session, &inventory.servers, quarantine, draw, now)?;
    if !recorded.stale {
        let named = inventory.servers.iter().map(|seen| seen.server).collect();
        tx.observations_keep_only(host, &named)?;
        tx.host_inventory(host)?;
        take_in_all(tx, host, &inventory.networks, quarantine, &mut recorded, now)?;
        // An empty list may mean that the host could not look: what was known stays, until it says so beside.
        if !inventory.orphans.is_empty() {
            tx.orphan_put_all(host, &inventory.orphans, now)?;
        }
    }
    Ok(recorded)
}

/// Takes in what changed on a host. `quarantine` is how long, in seconds, an address rests after its server's end.
///
/// # Errors
/// When the store cannot keep it.
pub fn record_report(
    tx: &mut Tx<'_>,
    host: HostId,
    session: SessionEpoch,
    reports: &[Observed],
    quarantine: i64,
    draw: Draw,
    now: Time,
) -> Result<Recorded, StoreError> {
    let mut draw = draw;
    if tx.host_session(host)?.is_none_or(|current| current.session != session) {
        return Ok(Recorded { stale: true, ..Recorded::default() });
    }
    tx.host_seen(host, now)?;
    let mut recorded = Recorded::default();
    for seen in reports {
        let Some(wanted) = tx.spec_version(seen.server, host)? else {
            recorded.foreign.push(seen.server);
            continue;
        };
        if seen.accepted > wanted {
            recorded.diverged.push(seen.server);
            continue;
        }
        let before = tx.server_status(seen.server, now)?;
        if let Some(fault) = &seen.fault {
            note_fault(tx, seen.server, fault, &mut recorded)?;
        }
        tx.observation_put(host, seen, now)?;
        // What the host does not hold yet it must be sent, whether or not it was sent before.
        recorded.wake |= seen.accepted < wanted;
        let aside = set_aside(tx, seen, wanted, &mut draw, now)?;
        if aside != Aside::Nothing {
            recorded.aside.push(seen.server);
        }
        if let Aside::Replaced(_) = aside {
            // What was said of the address says nothing of the other one.
            recorded.wake = true;
            continue;
        }
        let adapters = move_actions(tx, seen, &mut draw, now, &mut recorded)?;
        recorded.wake |= adapters.contains(&host);
        recorded.others.extend(adapters.into_iter().filter(|other| *other != host));
        if let Some(let_go) = extra_ips::let_go(seen) {
            tx.lease_rest_gone(seen.server, let_go, now.plus(quarantine), now)?;
        }
        if let Some(reached) = seen.reached {
            tx.member_rest_gone(seen.server, reached, now.plus(quarantine), now)?;
        }
        give_back(tx, host, seen, quarantine, &mut draw, now)?;
        if let (Some((account, before)), Some((_, after))) = (before, tx.server_status(seen.server, now)?)
            && let Some(event) = Event::status_seen(seen.server, before, after)
        {
            tx.event_put(account, &event, now)?;
        }
    }
    Ok(recorded)
}

/// Keeps a host's words beside what was asked of it: its next report may have others, or none.
fn note_fault(tx: &mut Tx<'_>, server: ServerId, fault: &Fault, recorded: &mut Recorded) -> Result<(), StoreError> {
    let known = tx.observation_get(server)?.and_then(|before| before.observed.fault);
    if known.as_ref() == Some(fault) {
        return Ok(());
    }
    for action in tx.action_open(server)? {
        tx.action_host_says(action.id, &format!("{}: {}", fault.code.as_str(), fault.detail))?;
    }
    recorded.faults.push((server, fault.clone()));
    Ok(())
}

/// Moves on what was asked of a server, and what is on its way to it; answers whose specs that changed.
fn move_actions(
    tx: &mut Tx<'_>,
    seen: &Observed,
    draw: &mut Draw,
    now: Time,
    recorded: &mut Recorded,
) -> Result<Vec<HostId>, StoreError> {
    let (adapters, others): (Vec<_>, Vec<_>) =
        tx.action_open(seen.server)?.into_iter().partition(|action| action.command.is_about_ips());
    for action in others {
        recorded.wake |= move_action(tx, &action, seen, draw, now)?;
    }
    let mut changed = Vec::new();
    let coming = tx.ip_moves_to(seen.server)?;
    for action in adapters.iter().chain(&coming) {
        changed.extend(extra_ips::move_on(tx, action, seen, draw, now)?);
    }
    Ok(changed)
}

fn move_action(
    tx: &mut Tx<'_>,
    action: &OpenAction,
    seen: &Observed,
    draw: &mut Draw,
    now: Time,
) -> Result<bool, StoreError> {
    if matches!(action.command, Command::Reinstall | Command::ChangePackage) {
        return reshape::move_on(tx, action, seen, draw, now);
    }
    match progress(action.wanted, seen.accepted, seen.reached, seen.fault.as_ref()) {
        Progress::Nothing => {}
        Progress::Running => tx.action_start(action.id, now)?,
        Progress::Done if action.command == Command::Create => begin_service(tx, action, now)?,
        // A destroyed server is done when it is proved gone, which is more than having been reached; and whatever stands in
        // the way, its host goes on trying. Were it given up, what it gives back would never be paid.
        Progress::Done | Progress::Failed if action.command == Command::Destroy => tx.action_start(action.id, now)?,
        Progress::Done => tx.action_end(action.id, ActionStatus::Done, None, now)?,
        Progress::Failed => {
            let why = seen.fault.as_ref().map_or(FaultCode::Internal, |fault| fault.code);
            if action.command == Command::Create {
                let (code, words) = refused(why);
                return Ok(fail_order(tx, action, (code, &words), draw, now)?.is_some());
            }
            let words = not_done(why, action.command);
            tx.action_end(action.id, ActionStatus::Failed, Some((why.as_str(), &words)), now)?;
        }
    }
    Ok(false)
}

/// The first Online: from here on the period runs.
fn begin_service(tx: &mut Tx<'_>, action: &OpenAction, now: Time) -> Result<(), StoreError> {
    tx.action_end(action.id, ActionStatus::Done, None, now)?;
    let Some(server) = tx.server_get(action.server)?.filter(|s| s.service == ServiceStatus::Provisioning) else {
        return Ok(());
    };
    tx.server_set_service(server.id, ServiceStatus::Active, None, now)?;
    tx.period_begin(server.id, now, period::months_after(now, 1))
}

/// Gives back what a buried server held, and what is due of its paid time, once its host proved that nothing of it is left.
fn give_back(
    tx: &mut Tx<'_>,
    host: HostId,
    seen: &Observed,
    quarantine: i64,
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    if !seen.remains.is_nothing() {
        return Ok(());
    }
    let Some(Desired::Absent(tombstone)) = tx.spec_get(seen.server)? else { return Ok(()) };
    let place = tx.placement_get(seen.server)?.filter(|p| p.host == host && p.state == PlacementState::Held);
    // The proof must be about the tombstone: a server whose spec never arrived is not there either, and may still come.
    if place.is_none() || seen.accepted < tombstone.version {
        return Ok(());
    }
    tx.placement_set(seen.server, PlacementState::Released, now)?;
    tx.lease_rest(seen.server, now.plus(quarantine))?;
    tx.member_rest(seen.server, now.plus(quarantine), now)?;
    for action in tx.action_open(seen.server)?.iter().filter(|action| action.command == Command::Destroy) {
        tx.action_end(action.id, ActionStatus::Done, None, now)?;
        keep_promise(tx, seen.server, (action.id, action.command), draw, now)?;
    }
    Ok(())
}
