//! Removes a server for good. Accepted in every state, unless its owner protected it; hidden from its owner at once. What it held stays held until its
//! host has proved that nothing of it is left.

use csp_shared::id::{AccountId, ActionId, HostId, ServerId};

use super::remove_server::{Ending, Removal, remove};
use crate::{
    domain::{
        allowed::{Ask, Denied, allow},
        billing::destroy::DestroyCredit,
        draw::Draw,
        time::Time,
    },
    store::{StoreError, Tx},
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

/// Removes a server. `policy` says what of its paid time comes back.
///
/// # Errors
/// When the account has no such server, or has protected it.
pub fn destroy_server(
    tx: &mut Tx<'_>,
    account: AccountId,
    server: ServerId,
    policy: DestroyCredit,
    draw: Draw,
    now: Time,
) -> Result<Destroying, DestroyError> {
    let mut draw = draw;
    let standing = tx.server_standing(account, server, now)?.ok_or(DestroyError::NotFound)?;
    allow(Ask::Destroy, &standing)?;
    let found = tx.server_get(server)?.ok_or(DestroyError::NotFound)?;
    Ok(remove(tx, &found, Removal { policy, ending: Ending::Proved }, &mut draw, now)?)
}
