//! An operator has found out who used an address that was set aside: it can be leased again.

use std::net::Ipv4Addr;

use crate::store::{StoreError, Tx};

/// Why nothing was cleared.
#[derive(Debug, thiserror::Error)]
pub enum ClearError {
    /// Nothing is kept from it.
    #[error("{0} is not set aside; `csp-control address list` names those that are")]
    NotAside(Ipv4Addr),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Gives an address that was set aside back to its pool. The next server that is to use it asks for it again.
///
/// # Errors
/// When it was not set aside.
pub fn clear_address(tx: &mut Tx<'_>, address: Ipv4Addr) -> Result<(), ClearError> {
    if tx.address_clear(address)? { Ok(()) } else { Err(ClearError::NotAside(address)) }
}
