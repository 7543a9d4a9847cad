//! Locks a server for a reason, and lifts that reason. Locked means powered off over its own wish for power, which comes
//! back; a server is suspended as long as there is a reason left. As an abuse its disk is kept, too: a reinstall that its host
//! did not do yet is taken back.

use csp_shared::{
    generation::Version,
    id::{HostId, ServerId},
    spec::Desired,
};

use super::reshape::hold_back;
use crate::{
    domain::{
        action::{Command, Status as ActionStatus},
        billing::lock::Lock,
        server::ServiceStatus,
        time::Time,
    },
    store::{StoreError, Tx},
};

/// What an operator's word did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Locked {
    /// Whether anything changed.
    pub changed: bool,
    /// Whom to wake.
    pub host: Option<HostId>,
}

/// Why a server was not locked or unlocked.
#[derive(Debug, thiserror::Error)]
pub enum LockError {
    /// Unknown server, or one that is gone.
    #[error("there is no server {0} in service")]
    NotInService(ServerId),
    /// Paying lifts it, and nothing else.
    #[error("`unpaid` is set by the clock and lifted by paying; use `abuse` or `operator`")]
    Unpaid,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Locks a server for a reason of the operator's, or lifts it.
///
/// # Errors
/// When there is no such server in service.
pub fn lock_server(
    tx: &mut Tx<'_>,
    server: ServerId,
    reason: Lock,
    is_on: bool,
    note: Option<&str>,
    now: Time,
) -> Result<Locked, LockError> {
    if reason == Lock::Unpaid {
        return Err(LockError::Unpaid);
    }
    let service = tx.billed_get(server)?.ok_or(LockError::NotInService(server))?;
    if !matches!(service.service, ServiceStatus::Active | ServiceStatus::Suspended) {
        return Err(LockError::NotInService(server));
    }
    let changed = match is_on {
        true => {
            let is_new = lock(tx, server, reason, note, now)?;
            // What was asked before and is not done would erase what is to be looked into.
            let is_held_back = reason == Lock::Abuse && hold_back(tx, server)?;
            is_new || is_held_back
        }
        false => {
            if service.locks.lifting_leaves_unpaid(reason, service.paid_until, now) {
                lock(tx, server, Lock::Unpaid, None, now)?;
            }
            lift(tx, server, reason, now)?
        }
    };
    let host = tx.placement_get(server)?.map(|place| place.host).filter(|_| changed);
    Ok(Locked { changed, host })
}

/// Adds a reason; answers whether it is new.
pub(super) fn lock(
    tx: &mut Tx<'_>,
    server: ServerId,
    reason: Lock,
    note: Option<&str>,
    now: Time,
) -> Result<bool, StoreError> {
    let is_new = tx.billed_lock(server, reason, true, note, now)?;
    tx.server_set_service(server, ServiceStatus::Suspended, None, now)?;
    spec_locked(tx, server, true, now)?;
    Ok(is_new)
}

/// Takes a reason away; answers whether it was there. The last one takes the lock with it.
pub(super) fn lift(tx: &mut Tx<'_>, server: ServerId, reason: Lock, now: Time) -> Result<bool, StoreError> {
    let was_there = tx.billed_lock(server, reason, false, None, now)?;
    let is_free = tx.billed_get(server)?.is_some_and(|service| service.locks.is_empty());
    if was_there && is_free {
        tx.server_set_service(server, ServiceStatus::Active, None, now)?;
        spec_locked(tx, server, false, now)?;
    }
    Ok(was_there)
}

/// Tells the host. What was asked of its power before is overtaken; the wish itself stays.
fn spec_locked(tx: &mut Tx<'_>, server: ServerId, locked: bool, now: Time) -> Result<(), StoreError> {
    let Some(Desired::Present(mut spec)) = tx.spec_get(server)?.filter(|desired| match desired {
        Desired::Present(spec) => spec.locked != locked,
        Desired::Absent(_) => false,
    }) else {
        return Ok(());
    };
    let Some(place) = tx.placement_get(server)? else { return Ok(()) };
    spec.version = Version { incarnation: tx.incarnation()?, generation: spec.version.generation.next() };
    spec.locked = locked;
    tx.spec_put(place.host, &Desired::Present(spec))?;
    for overtaken in tx.action_open(server)? {
        if matches!(overtaken.command, Command::Start | Command::Stop | Command::Restart) {
            tx.action_end(overtaken.id, ActionStatus::Superseded, None, now)?;
        }
    }
    Ok(())
}
