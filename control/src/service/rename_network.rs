//! Calls a private network something else.

use csp_shared::id::{AccountId, NetworkId};

use crate::{
    domain::{event::Event, label::Label, time::Time},
    store::{StoreError, Tx},
};

/// Why a network was not changed.
#[derive(Debug, thiserror::Error)]
pub enum RenameNetworkError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such private network")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Renames a network; None, or the same name, changes nothing.
///
/// # Errors
/// When the account has no such network.
pub fn rename_network(
    tx: &mut Tx<'_>,
    account: AccountId,
    network: NetworkId,
    name: Option<&Label>,
    now: Time,
) -> Result<(), RenameNetworkError> {
    let found = tx.network_get(account, network)?.ok_or(RenameNetworkError::NotFound)?;
    let Some(name) = name.filter(|name| name.as_str() != found.name) else { return Ok(()) };
    tx.network_rename(network, name.as_str())?;
    Ok(tx.event_put(account, &Event::network_updated(network, name.as_str()), now)?)
}
