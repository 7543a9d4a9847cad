//! How hosts are, as each told last.

use csp_shared::{host_status::HostStatus, id::HostId};

use super::{Read, StoreError, Tx, row};
use crate::domain::time::Time;

impl Read<'_> {
    /// How a host was when it told last, and when that was. What an older or newer agent told and cannot be read is none.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn host_status(&self, host: HostId) -> Result<Option<(HostStatus, Time)>, StoreError> {
        let sql = "SELECT status, status_at FROM hosts WHERE uuid = ?1 AND status IS NOT NULL";
        let told = self.maybe(sql, [host.to_string()], |r| Ok((r.get::<_, String>(0)?, row::time(r, 1)?)))?;
        Ok(told.and_then(|(text, at)| Some((serde_json::from_str(&text).ok()?, at))))
    }
}

impl Tx<'_> {
    /// Keeps how a host is.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn host_set_status(&mut self, host: HostId, status: &HostStatus, now: Time) -> Result<(), StoreError> {
        let text = serde_json::to_string(status).map_err(|why| StoreError::Damaged(why.to_string()))?;
        self.run("UPDATE hosts SET status = ?2, status_at = ?3 WHERE uuid = ?1", (host.to_string(), text, now.0))
            .map(drop)
    }
}
