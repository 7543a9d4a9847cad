//! Takes in how a host is, and says when its pool begins to fill.

use csp_shared::{
    generation::SessionEpoch,
    host_status::{HostStatus, PoolStatus},
    id::HostId,
};

use super::record_report::Recorded;
use crate::{
    domain::time::Time,
    store::{StoreError, Tx},
};

/// What came of it.
#[derive(Debug, Default)]
pub struct StatusRecorded {
    /// As for every message of a host.
    pub recorded: Recorded,
    /// The host's name, when its pool was well the last time and is filling now.
    pub filling: Option<String>,
}

/// Keeps how a host is. What a connection says that is not the host's newest changes nothing.
///
/// # Errors
/// When the store cannot keep it.
pub fn record_status(
    tx: &mut Tx<'_>,
    host: HostId,
    session: SessionEpoch,
    status: &HostStatus,
    now: Time,
) -> Result<StatusRecorded, StoreError> {
    if tx.host_session(host)?.is_none_or(|current| current.session != session) {
        let recorded = Recorded { stale: true, ..Recorded::default() };
        return Ok(StatusRecorded { recorded, filling: None });
    }
    let is_filling = |status: &HostStatus| status.pool.as_ref().is_some_and(PoolStatus::is_filling);
    let was_filling = tx.host_status(host)?.is_some_and(|(before, _)| is_filling(&before));
    tx.host_set_status(host, status, now)?;
    let is_new = is_filling(status) && !was_filling;
    let name = tx.host_list()?.into_iter().find(|known| known.id == host && is_new).map(|known| known.name);
    Ok(StatusRecorded { recorded: Recorded::default(), filling: name })
}
