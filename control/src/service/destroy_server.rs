//! Removes a server for good. Accepted in every state, unless its owner protected it; hidden from its owner at once. What it held stays held until its
//! host has proved that nothing of it is left.

use csp_shared::id::{AccountId, ActionId, HostId, ServerId};

use super::fail_order::{bury, refund};
use crate::{
    domain::{
        action::{Command, Status as ActionStatus},
        allowed::{Ask, Denied, allow},
        draw::Draw,
        server::ServiceStatus,
        time::Time,
    },
    store::{NewAction, PlacementState, StoreError, Tx},
};

/// An accepted request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Destroying {
    /// What records it.
    pub action: ActionId,
    /// Whom to wake.
    pub host: HostId,
}

/// Why a request was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DestroyError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such server")]
    NotFound,
    /// Its owner protected it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Removes a server.
///
/// # Errors
/// When the account has no such server, or has protected it.
pub fn destroy_server(
    tx: &mut Tx<'_>,
    account: AccountId,
    server: ServerId,
    draw: Draw,
    now: Time,
) -> Result<Destroying, DestroyError> {
    let mut draw = draw;
    let standing = tx.server_standing(account, server, now)?.ok_or(DestroyError::NotFound)?;
    allow(Ask::Destroy, &standing)?;
    let found = tx.server_get(server)?.ok_or(DestroyError::NotFound)?;
    let (host, wanted) = bury(tx, &found, now)?;
    if found.service == ServiceStatus::Provisioning {
        // Never seen running, so its only period never began and goes back whole.
        refund(tx, &found, &mut draw, now)?;
    }
    tx.server_set_service(server, ServiceStatus::Destroyed, None, now)?;
    for overtaken in tx.action_open(server)? {
        tx.action_end(overtaken.id, ActionStatus::Superseded, None, now)?;
    }
    let action = ActionId(draw.uuid(now));
    let record = NewAction { id: action, account, server, command: Command::Destroy, wanted, deadline_at: None };
    tx.action_insert(&record, now)?;
    // A failed order's host may have proved before that nothing is left.
    if tx.placement_get(server)?.is_some_and(|place| place.state == PlacementState::Released) {
        tx.action_end(action, ActionStatus::Done, None, now)?;
    }
    Ok(Destroying { action, host })
}
