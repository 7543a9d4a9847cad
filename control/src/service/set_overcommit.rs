//! Sets how many virtual processors are promised for each real one of a host. Servers that are there keep what they have.

use csp_shared::id::HostId;

use super::add_host::OVERCOMMIT;
use crate::store::{StoreError, Tx};

/// Why nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OvercommitError {
    /// No such host.
    #[error("there is no host `{0}`; `csp-control host list` names them")]
    NotFound(String),
    /// Beyond reason.
    #[error("cpu_overcommit is {} to {}", OVERCOMMIT.start(), OVERCOMMIT.end())]
    Overcommit,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Sets it; answers whether it was another number before.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn set_overcommit(tx: &mut Tx<'_>, name: &str, cpu_overcommit: u32) -> Result<(HostId, bool), OvercommitError> {
    if !OVERCOMMIT.contains(&cpu_overcommit) {
        return Err(OvercommitError::Overcommit);
    }
    let host = tx.host_by_name(name)?.ok_or_else(|| OvercommitError::NotFound(name.to_owned()))?;
    tx.host_set_overcommit(host.id, cpu_overcommit)?;
    Ok((host.id, host.cpu_overcommit != cpu_overcommit))
}
