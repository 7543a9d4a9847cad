//! Everything that an audit compares with the hosts, in few questions however many servers there are.

use std::collections::BTreeMap;

use csp_shared::{
    generation::{Generation, Incarnation, Version},
    id::{HostId, ServerId},
    observed::Observed,
    spec::Desired,
};

use super::{PlacementState, Read, StoreError, row};
use crate::domain::{action::Command, server::ServiceStatus};

/// A server's place on a host, with what should be there and what was last reported.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PlacedServer {
    /// Which server.
    pub server: ServerId,
    /// Where the service stands.
    pub service: ServiceStatus,
    /// On which host.
    pub host: HostId,
    /// What the host owes it.
    pub place: PlacementState,
    /// What was sold: processors, MiB of memory, GiB of disk.
    pub sold: (u64, u64, u64),
    /// What is kept for it on the host, likewise.
    pub kept: (u64, u64, u64),
    /// What should be there.
    pub desired: Option<Desired>,
    /// What was last reported.
    pub observed: Option<Observed>,
}

fn json<T: serde::de::DeserializeOwned>(
    text: Option<String>,
    what: &str,
    server: ServerId,
) -> Result<Option<T>, StoreError> {
    let damaged = |why| StoreError::Damaged(format!("the {what} of server {server} cannot be read: {why}"));
    text.map(|text| serde_json::from_str(&text).map_err(damaged)).transpose()
}

impl Read<'_> {
    /// Every place that a server ever had, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn placement_audit(&self) -> Result<Vec<PlacedServer>, StoreError> {
        let sql = "SELECT s.uuid, s.service_status, h.uuid, p.state, sp.body, o.body, \
                   s.cpu, s.ram_mb, s.disk_gb, p.cpus, p.ram_mib, p.disk_gib FROM placements p \
                   JOIN servers s ON s.id = p.server_id JOIN hosts h ON h.id = p.host_id \
                   LEFT JOIN specs sp ON sp.placement_id = p.id LEFT JOIN observations o ON o.placement_id = p.id \
                   ORDER BY p.id";
        self.many(sql, [], |r| {
            let server = row::parsed(r, 0)?;
            Ok(PlacedServer {
                server,
                service: row::chosen(r, 1, ServiceStatus::parse)?,
                host: row::parsed(r, 2)?,
                place: row::chosen(r, 3, PlacementState::parse)?,
                desired: json(r.get(4)?, "spec", server)?,
                observed: json(r.get(5)?, "last report", server)?,
                sold: (row::number(r, 6)?, row::number(r, 7)?, row::number(r, 8)?),
                kept: (row::number(r, 9)?, row::number(r, 10)?, row::number(r, 11)?),
            })
        })
    }

    /// Actions of all servers that have not ended, oldest first for each.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn action_open_all(&self) -> Result<BTreeMap<ServerId, Vec<(Command, Version)>>, StoreError> {
        // An address that another server has by now is asked of that one's host.
        let sql = "SELECT coalesce(t.uuid, s.uuid), x.command, x.incarnation, x.generation FROM actions x \
                   LEFT JOIN ip_changes c ON c.action_id = x.id AND c.let_go_at IS NOT NULL \
                   LEFT JOIN servers t ON t.id = c.target_id \
                   JOIN servers s ON s.id = x.server_id WHERE x.status IN ('queued', 'running') ORDER BY x.id";
        let open = self.many(sql, [], |r| {
            let (incarnation, generation) = (Incarnation(row::number(r, 2)?), Generation(row::number(r, 3)?));
            let wanted = Version { incarnation, generation };
            Ok((row::parsed::<ServerId>(r, 0)?, (row::chosen(r, 1, Command::parse)?, wanted)))
        })?;
        let mut each: BTreeMap<_, Vec<_>> = BTreeMap::new();
        for (server, action) in open {
            each.entry(server).or_default().push(action);
        }
        Ok(each)
    }
}
