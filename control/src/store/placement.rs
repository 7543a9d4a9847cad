//! Which host a server is on, and its share of that host.

use std::collections::HashSet;

use csp_shared::id::{HostId, ServerId};

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    placement::{Need, Promised},
    slug::Slug,
    time::Time,
};

/// What a host owes a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PlacementState {
    /// The server is there.
    Active,
    /// The server is to be gone; its host has not proved it.
    Held,
    /// Proved gone, or moved away.
    Released,
}

impl PlacementState {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Held => "held",
            Self::Released => "released",
        }
    }

    /// Reads what [`PlacementState::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Active, Self::Held, Self::Released].into_iter().find(|state| state.as_str() == text)
    }
}

/// A server's place.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Placement {
    /// On which host.
    pub host: HostId,
    /// How.
    pub state: PlacementState,
}

impl Read<'_> {
    /// The newest place of a server.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn placement_get(&self, server: ServerId) -> Result<Option<Placement>, StoreError> {
        let sql = "SELECT h.uuid, p.state FROM placements p JOIN hosts h ON h.id = p.host_id \
                   JOIN servers s ON s.id = p.server_id WHERE s.uuid = ?1 ORDER BY p.id DESC LIMIT 1";
        self.maybe(sql, [server.to_string()], |r| {
            Ok(Placement { host: row::parsed(r, 0)?, state: row::chosen(r, 1, PlacementState::parse)? })
        })
    }

    /// Where a server stands.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn server_location(&self, server: ServerId) -> Result<Option<Slug>, StoreError> {
        let sql = "SELECT l.slug FROM placements p JOIN hosts h ON h.id = p.host_id \
                   JOIN locations l ON l.id = h.location_id JOIN servers s ON s.id = p.server_id \
                   WHERE s.uuid = ?1 ORDER BY p.id DESC LIMIT 1";
        self.maybe(sql, [server.to_string()], |r| row::checked(r, 0, Slug::parse))
    }

    /// What is promised to a server on the host that it is on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn placement_promised(&self, server: ServerId) -> Result<Option<Promised>, StoreError> {
        let sql = "SELECT p.cpus, p.ram_mib, p.disk_gib FROM placements p JOIN servers s ON s.id = p.server_id \
                   WHERE s.uuid = ?1 AND p.state <> 'released'";
        self.maybe(sql, [server.to_string()], |r| {
            let (cpus, ram_mib, disk_gib) = (row::number(r, 0)?, row::number(r, 1)?, row::number(r, 2)?);
            Ok(Promised { servers: 1, cpus, ram_mib, disk_gib })
        })
    }

    /// The servers that are on a host, without those that are to be gone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn placement_servers(&self, host: HostId) -> Result<HashSet<ServerId>, StoreError> {
        // Twice the state: the first is the index's own condition.
        let sql = "SELECT s.uuid FROM placements p JOIN hosts h ON h.id = p.host_id JOIN servers s ON s.id = p.server_id \
                   WHERE h.uuid = ?1 AND p.state <> 'released' AND p.state = 'active'";
        Ok(self.many(sql, [host.to_string()], |r| row::parsed(r, 0))?.into_iter().collect())
    }

    /// The key of a server's row on a host, whatever its state.
    pub(super) fn placement_key(&self, server: ServerId, host: HostId) -> Result<Option<i64>, StoreError> {
        let sql = "SELECT p.id FROM placements p JOIN hosts h ON h.id = p.host_id JOIN servers s ON s.id = p.server_id \
                   WHERE s.uuid = ?1 AND h.uuid = ?2";
        self.maybe(sql, (server.to_string(), host.to_string()), |r| Ok(r.get(0)?))
    }
}

impl Tx<'_> {
    /// Places a server.
    ///
    /// # Errors
    /// When it is placed already, or the store cannot keep it.
    pub fn placement_insert(
        &mut self,
        server: ServerId,
        host: HostId,
        need: &Need,
        now: Time,
    ) -> Result<(), StoreError> {
        let (server, host) = (self.key_of("servers", &server.to_string())?, self.key_of("hosts", &host.to_string())?);
        let sql = "INSERT INTO placements (server_id, host_id, state, cpus, ram_mib, disk_gib, created_at) \
                   VALUES (?1, ?2, 'active', ?3, ?4, ?5, ?6)";
        let (ram, disk) = (row::signed(need.ram_mib), row::signed(need.disk_gib));
        self.insert(sql, (server, host, need.cpus, ram, disk, now.0)).map(drop)
    }

    /// Promises a server another share of its host.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn placement_promise(&mut self, server: ServerId, promised: &Promised) -> Result<(), StoreError> {
        let sql = "UPDATE placements SET cpus = ?2, ram_mib = ?3, disk_gib = ?4 \
                   WHERE server_id = (SELECT id FROM servers WHERE uuid = ?1) AND state <> 'released'";
        let (ram, disk) = (row::signed(promised.ram_mib), row::signed(promised.disk_gib));
        self.run(sql, (server.to_string(), promised.cpus, ram, disk)).map(drop)
    }

    /// Moves a server's place on. A released one never comes back.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn placement_set(&mut self, server: ServerId, state: PlacementState, now: Time) -> Result<(), StoreError> {
        let released = (state == PlacementState::Released).then_some(now.0);
        let sql = "UPDATE placements SET state = ?2, released_at = ?3 \
                   WHERE server_id = (SELECT id FROM servers WHERE uuid = ?1) AND state <> 'released'";
        self.run(sql, (server.to_string(), state.as_str(), released)).map(drop)
    }
}
