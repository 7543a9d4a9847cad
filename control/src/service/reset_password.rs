//! A new root password for a guest that runs: who may ask for it, and what is noted once the guest has taken it.
//!
//! The guest takes it between the two, over its host's session, so this is no transaction. Whoever is cut off in the
//! middle asks again and gets another password: nothing rests on the one that nobody was told.

use csp_shared::id::{AccountId, HostId, ServerId};

use crate::{
    domain::{
        allowed::{Ask, Denied, allow},
        event::Event,
        time::Time,
    },
    store::{Read, StoreError, Tx},
};

/// Why a guest cannot be asked.
#[derive(Debug, thiserror::Error)]
pub enum ResetError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such server")]
    NotFound,
    /// The state does not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// The host that can ask the server's guest.
///
/// # Errors
/// When the account has no such server, or it is not running.
pub fn guest_to_ask(read: &Read<'_>, account: AccountId, server: ServerId, now: Time) -> Result<HostId, ResetError> {
    let standing = read.server_standing(account, server, now)?.ok_or(ResetError::NotFound)?;
    // What can be seen can be asked: the table's column is the console's.
    allow(Ask::Console, &standing)?;
    Ok(read.placement_get(server)?.ok_or(ResetError::NotFound)?.host)
}

/// Notes that the guest has another password now.
///
/// # Errors
/// When the store cannot keep it.
pub fn note_password_reset(tx: &mut Tx<'_>, account: AccountId, server: ServerId, now: Time) -> Result<(), StoreError> {
    tx.event_put(account, &Event::password_reset(server), now)
}
