//! Takes in that a host lives, and what it has in all when that changed.
//!
//! A host's size is no constant: a disk that rests in the trash keeps its room, and an emptied trash gives it back.

use csp_shared::{generation::SessionEpoch, id::HostId, message::Capacity};

use super::record_report::Recorded;
use crate::{
    domain::time::Time,
    store::{StoreError, Tx},
};

/// Notes a sign of life. What a connection says that is not the host's newest changes nothing.
///
/// # Errors
/// When the store cannot keep it.
pub fn record_alive(
    tx: &mut Tx<'_>,
    host: HostId,
    session: SessionEpoch,
    capacity: Option<Capacity>,
    now: Time,
) -> Result<Recorded, StoreError> {
    if tx.host_session(host)?.is_none_or(|current| current.session != session) {
        return Ok(Recorded { stale: true, ..Recorded::default() });
    }
    tx.host_seen(host, now)?;
    if let Some(capacity) = capacity {
        tx.host_set_capacity(host, capacity)?;
    }
    Ok(Recorded::default())
}
