//! An operator gives one server another bound on its extra addresses than its package has.

use csp_shared::id::ServerId;

use crate::{
    domain::server::ServiceStatus,
    store::{StoreError, Tx},
};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum AllowError {
    /// Unknown server, or one that is gone.
    #[error("there is no server {0}, or it is gone")]
    NoServer(ServerId),
    /// More than a server has ports for.
    #[error("a server has at most {EXTRA_IPS_MAX} extra addresses")]
    TooMany,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Most extra addresses of one server, whoever says so; the store's check constraint says the same.
const EXTRA_IPS_MAX: u32 = 64;

/// Bounds a server's extra addresses; None takes it back to its package's bound. What it has it keeps. Answers the bound that
/// holds now.
///
/// # Errors
/// When there is no such server, or the bound is beyond what can be.
pub fn allow_extra_ips(tx: &mut Tx<'_>, server: ServerId, max: Option<u32>) -> Result<u32, AllowError> {
    if max.is_some_and(|max| max > EXTRA_IPS_MAX) {
        return Err(AllowError::TooMany);
    }
    let found = tx.server_get(server)?.filter(|server| server.service != ServiceStatus::Destroyed);
    found.ok_or(AllowError::NoServer(server))?;
    tx.extra_ips_max_put(server, max)?;
    Ok(tx.extra_ips_max(server)?)
}
