//! Takes in what a host has that no spec explains. Nothing of it is touched; nothing of it is leased.

use csp_shared::{generation::SessionEpoch, id::HostId, message::Orphan};

use super::record_report::Recorded;
use crate::{
    domain::time::Time,
    store::{StoreError, Tx},
};

/// Keeps all of it in the place of what was told before. What a connection says that is not the host's newest changes
/// nothing.
///
/// # Errors
/// When the store cannot keep it.
pub fn record_orphans(
    tx: &mut Tx<'_>,
    host: HostId,
    session: SessionEpoch,
    orphans: &[Orphan],
    now: Time,
) -> Result<Recorded, StoreError> {
    if tx.host_session(host)?.is_none_or(|current| current.session != session) {
        return Ok(Recorded { stale: true, ..Recorded::default() });
    }
    tx.orphan_put_all(host, orphans, now)?;
    Ok(Recorded::default())
}
