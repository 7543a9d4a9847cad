//! How hosts are, as each told last.

use csp_shared::{
    host_status::HostStatus,
    id::{HostId, ServerId},
};

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    host::{DISK_FAULTS, FAULTY_DISKS_MAX},
    time::Time,
};

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

    /// Servers of a host of whose disk it said last that it is not as it should be, and the code of that; the oldest ones of
    /// many.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn host_faulty_disks(&self, host: HostId) -> Result<Vec<(ServerId, String)>, StoreError> {
        let codes = DISK_FAULTS.map(|code| format!("'{}'", code.as_str())).join(", ");
        let sql = format!(
            "SELECT s.uuid, json_extract(o.body, '$.fault.code') FROM placements p JOIN hosts h ON h.id = p.host_id \
             JOIN servers s ON s.id = p.server_id JOIN observations o ON o.placement_id = p.id \
             WHERE h.uuid = ?1 AND p.state = 'active' AND json_extract(o.body, '$.fault.code') IN ({codes}) \
             ORDER BY p.id LIMIT {FAULTY_DISKS_MAX}"
        );
        self.many(&sql, [host.to_string()], |r| Ok((row::parsed(r, 0)?, r.get(1)?)))
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
