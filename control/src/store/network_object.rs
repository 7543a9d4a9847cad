//! What each host should know of private networks and what it said of them, one row for a network on a host; and what a
//! host said that it can do for them.

use std::{
    collections::{BTreeMap, BTreeSet},
    net::IpAddr,
};

use csp_shared::{
    generation::{Generation, Incarnation, NetworkVersion, Version},
    id::{HostId, NetworkId},
    network::{DesiredNetwork, HostNetworks, ObservedNetwork},
};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};

/// What a network should be on a host, and what the host said last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkObject {
    /// On which host.
    pub host: HostId,
    /// What it should be.
    pub desired: DesiredNetwork,
    /// What the host said.
    pub observed: Option<ObservedNetwork>,
    /// It is to be gone, and is proved to be.
    pub is_gone: bool,
}

const OBJECTS: &str =
    "SELECT h.uuid, o.body, o.observed, o.gone FROM network_objects o JOIN hosts h ON h.id = o.host_id";

fn json<T: serde::de::DeserializeOwned>(text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|why| StoreError::Damaged(why.to_string()))
}

fn text<T: serde::Serialize>(value: &T) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|why| StoreError::Damaged(why.to_string()))
}

fn object(r: &Row<'_>) -> Result<NetworkObject, StoreError> {
    let observed: Option<String> = r.get(2)?;
    Ok(NetworkObject {
        host: row::parsed(r, 0)?,
        desired: json(&r.get::<_, String>(1)?)?,
        observed: observed.map(|observed| json(&observed)).transpose()?,
        is_gone: r.get(3)?,
    })
}

impl Read<'_> {
    /// What every host should know of a network, those too that it has left.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn network_objects(&self, network: NetworkId) -> Result<Vec<NetworkObject>, StoreError> {
        let sql = format!("{OBJECTS} WHERE o.network_id = (SELECT id FROM networks WHERE uuid = ?1) ORDER BY o.id");
        self.many(&sql, [network.to_string()], object)
    }

    /// The version of what a network should be on a host, and whether that is to be gone; nothing when the host was never
    /// told of it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn network_version(
        &self,
        network: NetworkId,
        host: HostId,
    ) -> Result<Option<(NetworkVersion, bool)>, StoreError> {
        let sql = "SELECT o.incarnation, o.generation, o.absent FROM network_objects o \
                   WHERE o.network_id = (SELECT id FROM networks WHERE uuid = ?1) \
                   AND o.host_id = (SELECT id FROM hosts WHERE uuid = ?2)";
        self.maybe(sql, (network.to_string(), host.to_string()), |r| {
            let (incarnation, generation) = (Incarnation(row::number(r, 0)?), Generation(row::number(r, 1)?));
            Ok((NetworkVersion(Version { incarnation, generation }), r.get(2)?))
        })
    }

    /// What of networks a host has not accepted yet, what is to be gone first: a number may be another network's by now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn network_unreported(&self, host: HostId) -> Result<Vec<DesiredNetwork>, StoreError> {
        let sql = "SELECT o.body FROM hosts h JOIN network_objects o ON o.host_id = h.id \
                   WHERE h.uuid = ?1 AND (o.accepted_incarnation IS NULL OR o.accepted_incarnation < o.incarnation \
                   OR (o.accepted_incarnation = o.incarnation AND o.accepted_generation < o.generation)) \
                   ORDER BY o.absent DESC, o.id";
        self.many(sql, [host.to_string()], |r| json(&r.get::<_, String>(0)?))
    }

    /// Networks that a host should have.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn networks_on_host(&self, host: HostId) -> Result<Vec<NetworkId>, StoreError> {
        let sql = "SELECT w.uuid FROM hosts h JOIN network_objects o ON o.host_id = h.id \
                   JOIN networks w ON w.id = o.network_id WHERE h.uuid = ?1 AND o.absent = 0 ORDER BY o.id";
        self.many(sql, [host.to_string()], |r| row::parsed(r, 0))
    }

    /// What a host can do for private networks, by what it told last; nothing when its agent understands none of it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn host_networks(&self, host: HostId) -> Result<Option<HostNetworks>, StoreError> {
        let sql = "SELECT networks FROM hosts WHERE uuid = ?1 AND networks IS NOT NULL";
        self.maybe(sql, [host.to_string()], |r| json(&r.get::<_, String>(0)?))
    }

    /// Where each host of the fleet is reached by VXLAN, by what it told last.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn host_underlays(&self) -> Result<BTreeMap<HostId, IpAddr>, StoreError> {
        let sql = "SELECT uuid, networks FROM hosts WHERE networks IS NOT NULL AND state <> 'removed'";
        let told = self.many(sql, [], |r| Ok((row::parsed(r, 0)?, json::<HostNetworks>(&r.get::<_, String>(1)?)?)))?;
        Ok(told.into_iter().filter_map(|(host, networks)| Some((host, networks.underlay?))).collect())
    }

    /// Tags that hosts of a location use themselves, by what each told last.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub(super) fn host_own_tags(&self, location: &str) -> Result<BTreeSet<u32>, StoreError> {
        let sql = "SELECT h.networks FROM hosts h JOIN locations l ON l.id = h.location_id \
                   WHERE l.slug = ?1 AND h.networks IS NOT NULL AND h.state <> 'removed'";
        let told = self.many(sql, [location], |r| json::<HostNetworks>(&r.get::<_, String>(0)?))?;
        Ok(told.iter().flat_map(|networks| &networks.own_tags).map(|tag| u32::from(tag.get())).collect())
    }

    /// Every object on every host; for an audit.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn network_audit(&self) -> Result<Vec<NetworkObject>, StoreError> {
        self.many(&format!("{OBJECTS} ORDER BY o.host_id, o.id"), [], object)
    }
}

impl Tx<'_> {
    /// Stores what a network should be on a host, and wakes the host after the commit. Versions only grow: an older one is
    /// refused by the statement itself.
    ///
    /// # Errors
    /// When the store holds something newer, or cannot keep it.
    pub fn network_object_put(&mut self, host: HostId, desired: &DesiredNetwork) -> Result<(), StoreError> {
        let network = self.key_of("networks", &desired.network().to_string())?;
        let key = self.key_of("hosts", &host.to_string())?;
        let NetworkVersion(Version { incarnation, generation }) = desired.version();
        let absent = matches!(desired, DesiredNetwork::Absent(_));
        let sql = "INSERT INTO network_objects (network_id, host_id, incarnation, generation, absent, body) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT (network_id, host_id) DO UPDATE SET \
                   incarnation = excluded.incarnation, generation = excluded.generation, absent = excluded.absent, \
                   body = excluded.body, gone = 0 WHERE network_objects.incarnation < excluded.incarnation \
                   OR (network_objects.incarnation = excluded.incarnation \
                   AND network_objects.generation < excluded.generation)";
        let (incarnation, generation) = (row::signed(incarnation.0), row::signed(generation.0));
        let touched = self.run(sql, (network, key, incarnation, generation, absent, text(desired)?))?;
        self.news.hosts.insert(host);
        match touched {
            1 => Ok(()),
            _ => Err(StoreError::Damaged(format!("something newer of network {} is stored", desired.network()))),
        }
    }

    /// Keeps what a host said of a network. With `is_gone` it has proved that nothing of it is left.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn network_observed(&mut self, host: HostId, seen: &ObservedNetwork, is_gone: bool) -> Result<(), StoreError> {
        let NetworkVersion(Version { incarnation, generation }) = seen.accepted;
        let sql = "UPDATE network_objects SET accepted_incarnation = ?3, accepted_generation = ?4, observed = ?5, \
                   gone = max(gone, ?6) WHERE network_id = (SELECT id FROM networks WHERE uuid = ?1) \
                   AND host_id = (SELECT id FROM hosts WHERE uuid = ?2)";
        let (network, host) = (seen.network.to_string(), host.to_string());
        let (incarnation, generation) = (row::signed(incarnation.0), row::signed(generation.0));
        self.run(sql, (network, host, incarnation, generation, text(seen)?, is_gone)).map(drop)
    }

    /// Forgets what a host said of networks that its inventory does not name: it holds nothing of them on its disk, so all
    /// is sent to it again.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn network_observations_keep_only(
        &mut self,
        host: HostId,
        named: &BTreeSet<NetworkId>,
    ) -> Result<(), StoreError> {
        let sql = "SELECT o.id, w.uuid FROM hosts h JOIN network_objects o ON o.host_id = h.id \
                   JOIN networks w ON w.id = o.network_id WHERE h.uuid = ?1 AND o.accepted_generation IS NOT NULL";
        let known =
            self.many(sql, [host.to_string()], |r| Ok((r.get::<_, i64>(0)?, row::parsed::<NetworkId>(r, 1)?)))?;
        for (object, _) in known.iter().filter(|(_, network)| !named.contains(network)) {
            let sql = "UPDATE network_objects SET accepted_incarnation = NULL, accepted_generation = NULL, observed = NULL \
                       WHERE id = ?1";
            self.run(sql, [object])?;
        }
        Ok(())
    }

    /// Takes everything of networks on a host as gone that will not speak of it any more; answers which networks that
    /// concerns.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn network_objects_given_up(&mut self, host: HostId) -> Result<Vec<NetworkId>, StoreError> {
        let sql = "SELECT w.uuid FROM hosts h JOIN network_objects o ON o.host_id = h.id \
                   JOIN networks w ON w.id = o.network_id WHERE h.uuid = ?1 AND o.absent = 1 AND o.gone = 0 ORDER BY o.id";
        let networks = self.many(sql, [host.to_string()], |r| row::parsed(r, 0))?;
        let sql = "UPDATE network_objects SET gone = 1 WHERE absent = 1 \
                   AND host_id = (SELECT id FROM hosts WHERE uuid = ?1)";
        self.run(sql, [host.to_string()])?;
        Ok(networks)
    }

    /// Keeps what a host can do for private networks; None: its agent understands none of it.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn host_set_networks(&mut self, host: HostId, can: Option<&HostNetworks>) -> Result<(), StoreError> {
        let can = can.map(text).transpose()?;
        self.run("UPDATE hosts SET networks = ?2 WHERE uuid = ?1", (host.to_string(), can)).map(drop)
    }
}
