//! What should be and what was seen, one of each for a server on a host.

use std::collections::BTreeSet;

use csp_shared::{
    generation::{Generation, Incarnation, Version},
    id::{HostId, ServerId},
    observed::Observed,
    spec::Desired,
};

use super::{Read, StoreError, Tx, row};
use crate::domain::time::Time;

/// A host's last word about a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Observation {
    /// What it saw.
    pub observed: Observed,
    /// When it was told.
    pub seen_at: Time,
}

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|why| StoreError::Damaged(why.to_string()))
}

fn text<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|why| StoreError::Damaged(why.to_string()))
}

fn version(r: &rusqlite::Row<'_>, column: usize) -> Result<Version, StoreError> {
    let incarnation = Incarnation(row::number(r, column)?);
    Ok(Version { incarnation, generation: Generation(row::number(r, column + 1)?) })
}

impl Read<'_> {
    /// What a server should be.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn spec_get(&self, server: ServerId) -> Result<Option<Desired>, StoreError> {
        let sql = "SELECT sp.body FROM specs sp JOIN placements p ON p.id = sp.placement_id \
                   JOIN servers s ON s.id = p.server_id WHERE s.uuid = ?1 ORDER BY p.id DESC LIMIT 1";
        self.maybe(sql, [server.to_string()], |r| json(&r.get::<_, String>(0)?))
    }

    /// The version of what a server should be on a host; nothing when it was never placed there.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn spec_version(&self, server: ServerId, host: HostId) -> Result<Option<Version>, StoreError> {
        let Some(placement) = self.placement_key(server, host)? else { return Ok(None) };
        let sql = "SELECT incarnation, generation FROM specs WHERE placement_id = ?1";
        self.maybe(sql, [placement], |r| version(r, 0))
    }

    /// What a host has not accepted yet, tombstones first: a host that was away hears what it may no longer run before it
    /// hears what it is to start. One that is ahead of the store (restored from a backup) is told nothing.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn specs_unreported(&self, host: HostId) -> Result<Vec<Desired>, StoreError> {
        let sql = "SELECT sp.body FROM specs sp JOIN placements p ON p.id = sp.placement_id \
                   JOIN hosts h ON h.id = p.host_id LEFT JOIN observations o ON o.placement_id = p.id \
                   WHERE h.uuid = ?1 AND (o.placement_id IS NULL OR o.accepted_incarnation < sp.incarnation \
                   OR (o.accepted_incarnation = sp.incarnation AND o.accepted_generation < sp.generation)) \
                   ORDER BY sp.absent DESC, p.id";
        self.many(sql, [host.to_string()], |r| json(&r.get::<_, String>(0)?))
    }

    /// A host's last word about a server.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn observation_get(&self, server: ServerId) -> Result<Option<Observation>, StoreError> {
        let sql = "SELECT o.body, o.seen_at FROM observations o JOIN placements p ON p.id = o.placement_id \
                   JOIN servers s ON s.id = p.server_id WHERE s.uuid = ?1 ORDER BY p.id DESC LIMIT 1";
        self.maybe(sql, [server.to_string()], |r| {
            Ok(Observation { observed: json(&r.get::<_, String>(0)?)?, seen_at: row::time(r, 1)? })
        })
    }
}

impl Tx<'_> {
    /// Stores what a server should be. Versions only grow: an older one is refused by the statement itself.
    ///
    /// # Errors
    /// When the server has no place, or the store holds something newer.
    pub fn spec_put(&mut self, host: HostId, desired: &Desired) -> Result<(), StoreError> {
        let server = desired.server();
        let placement = self.placement_key(server, host)?;
        let placement =
            placement.ok_or_else(|| StoreError::Damaged(format!("server {server} is not on host {host}")))?;
        let Version { incarnation, generation } = desired.version();
        let absent = matches!(desired, Desired::Absent(_));
        let sql = "INSERT INTO specs (placement_id, incarnation, generation, absent, body) VALUES (?1, ?2, ?3, ?4, ?5) \
                   ON CONFLICT (placement_id) DO UPDATE SET incarnation = excluded.incarnation, \
                   generation = excluded.generation, absent = excluded.absent, body = excluded.body \
                   WHERE excluded.incarnation > incarnation \
                   OR (excluded.incarnation = incarnation AND excluded.generation > generation)";
        let (incarnation, generation) = (row::signed(incarnation.0), row::signed(generation.0));
        let touched = self.run(sql, (placement, incarnation, generation, absent, text(desired)?))?;
        if touched == 1 {
            Ok(())
        } else {
            Err(StoreError::Damaged(format!("a newer spec of server {server} is stored")))
        }
    }

    /// Stores a host's word about a server; `false` when the server was never placed on that host.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn observation_put(&mut self, host: HostId, observed: &Observed, now: Time) -> Result<bool, StoreError> {
        let Some(placement) = self.placement_key(observed.server, host)? else { return Ok(false) };
        let sql = "INSERT INTO observations (placement_id, accepted_incarnation, accepted_generation, body, seen_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5) ON CONFLICT (placement_id) DO UPDATE SET \
                   accepted_incarnation = excluded.accepted_incarnation, \
                   accepted_generation = excluded.accepted_generation, body = excluded.body, seen_at = excluded.seen_at";
        let Version { incarnation, generation } = observed.accepted;
        let (incarnation, generation) = (row::signed(incarnation.0), row::signed(generation.0));
        self.run(sql, (placement, incarnation, generation, text(observed)?, now.0)).map(|_| true)
    }

    /// Forgets what a host said about servers that it does not name any more: it lost them, and must be told again.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn observations_keep_only(&mut self, host: HostId, named: &BTreeSet<ServerId>) -> Result<(), StoreError> {
        let sql = "SELECT o.placement_id, s.uuid FROM observations o JOIN placements p ON p.id = o.placement_id \
                   JOIN hosts h ON h.id = p.host_id JOIN servers s ON s.id = p.server_id WHERE h.uuid = ?1";
        let known: Vec<(i64, ServerId)> =
            self.many(sql, [host.to_string()], |r| Ok((r.get(0)?, row::parsed(r, 1)?)))?;
        for (placement, _) in known.iter().filter(|(_, server)| !named.contains(server)) {
            self.run("DELETE FROM observations WHERE placement_id = ?1", [placement])?;
        }
        Ok(())
    }
}
