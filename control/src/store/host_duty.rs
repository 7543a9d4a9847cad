//! What an operator decided about a host, and what comes of it for those who have servers there.

use csp_shared::id::{HostId, ServerId};

use super::{HostState, Read, StoreError, Tx, row};
use crate::domain::time::Time;

/// Servers that are ended in one look: a large host must not make one long list.
const ENDED_AT_ONCE: u32 = 1000;

/// Whom the loss of a host concerns.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Loss {
    /// Servers on it.
    pub servers: u64,
    /// Whose: so many accounts.
    pub accounts: u64,
}

impl Read<'_> {
    /// Whom the loss of a host would concern.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn host_loss(&self, host: HostId) -> Result<Loss, StoreError> {
        let sql = "SELECT count(*), count(DISTINCT s.account_id) FROM hosts h \
                   JOIN placements p ON p.host_id = h.id AND p.state <> 'released' JOIN servers s ON s.id = p.server_id \
                   WHERE h.uuid = ?1 AND p.state = 'active'";
        self.one(sql, [host.to_string()], |r| Ok(Loss { servers: row::number(r, 0)?, accounts: row::number(r, 1)? }))
    }

    /// Servers on hosts that were given up of which something is still to be ended: the service, or an action that waits
    /// for a host that does not answer. The oldest first; a part of them when there are many.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn host_lost_servers(&self) -> Result<Vec<(HostId, ServerId)>, StoreError> {
        let sql = "SELECT h.uuid, s.uuid FROM hosts h JOIN placements p ON p.host_id = h.id AND p.state <> 'released' \
                   JOIN servers s ON s.id = p.server_id WHERE h.state IN ('lost', 'fenced') AND (p.state = 'active' OR \
                   EXISTS (SELECT 1 FROM actions x WHERE x.server_id = s.id AND x.status IN ('queued', 'running'))) \
                   ORDER BY h.id, p.id LIMIT ?1";
        self.many(sql, [ENDED_AT_ONCE], |r| Ok((row::parsed(r, 0)?, row::parsed(r, 1)?)))
    }
}

impl Tx<'_> {
    /// Notes what became of a host.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn host_set_state(&mut self, host: HostId, state: HostState) -> Result<(), StoreError> {
        self.run("UPDATE hosts SET state = ?2 WHERE uuid = ?1", (host.to_string(), state.as_str())).map(drop)
    }

    /// Promises another number of virtual processors for each real one from now on.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn host_set_overcommit(&mut self, host: HostId, cpu_overcommit: u32) -> Result<(), StoreError> {
        self.run("UPDATE hosts SET cpu_overcommit = ?2 WHERE uuid = ?1", (host.to_string(), cpu_overcommit)).map(drop)
    }

    /// Gives back all that is held on a host of which nothing can speak any more: its servers' shares of it, and their
    /// addresses, which rest first. What was on it and belonged to no server is forgotten.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn host_give_back(&mut self, host: HostId, rest_until: Time, now: Time) -> Result<(), StoreError> {
        let host = self.key_of("hosts", &host.to_string())?;
        let sql = "UPDATE leases SET state = 'resting', rests_until = ?2 WHERE state = 'held' AND nic_id IN \
                   (SELECT n.id FROM placements p JOIN nics n ON n.server_id = p.server_id \
                   WHERE p.host_id = ?1 AND p.state <> 'released' AND p.state = 'held')";
        self.run(sql, (host, rest_until.0))?;
        let sql = "SELECT s.uuid FROM placements p JOIN servers s ON s.id = p.server_id \
                   WHERE p.host_id = ?1 AND p.state <> 'released' AND p.state = 'held'";
        for server in self.many(sql, [host], |r| row::parsed::<ServerId>(r, 0))? {
            self.member_rest(server, rest_until, now)?;
        }
        let sql = "UPDATE placements SET state = 'released', released_at = ?2 \
                   WHERE host_id = ?1 AND state <> 'released' AND state = 'held'";
        self.run(sql, (host, now.0))?;
        self.run("DELETE FROM orphans WHERE host_id = ?1", [host]).map(drop)
    }
}
