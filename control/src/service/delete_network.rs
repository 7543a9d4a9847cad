//! Deletes a private network without members. Its subnet and its segment are held until every host that had it has proved
//! that nothing of it is left, then they rest.

use csp_shared::id::{AccountId, NetworkId};

use crate::{
    domain::{event::Event, time::Time},
    store::{LeaseState, StoreError, Tx},
};

/// Why a network was not deleted. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum DeleteNetworkError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such private network")]
    NotFound,
    /// Servers are in it.
    #[error("{0} servers are in the private network; detach them first")]
    HasMembers(usize),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Deletes a network. `quarantine` is how long, in seconds, what it had rests.
///
/// # Errors
/// When the account has no such network, or it has members.
pub fn delete_network(
    tx: &mut Tx<'_>,
    account: AccountId,
    network: NetworkId,
    quarantine: i64,
    now: Time,
) -> Result<(), DeleteNetworkError> {
    let found = tx.network_get(account, network)?.ok_or(DeleteNetworkError::NotFound)?;
    let members = tx.member_list(network)?.iter().filter(|member| member.state == LeaseState::Leased).count();
    if members > 0 {
        return Err(DeleteNetworkError::HasMembers(members));
    }
    tx.network_end(network, now)?;
    // Made and deleted over and over, unused ones would take all there are from everybody else.
    tx.network_free_unused(network)?;
    // At once where all hosts have proved already that they let go.
    tx.network_rest(network, now.plus(quarantine))?;
    Ok(tx.event_put(account, &Event::network_deleted(network, &found.name), now)?)
}
