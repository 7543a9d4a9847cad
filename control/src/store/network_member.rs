//! Adapters in private networks, and the addresses that they have there.

use std::{
    collections::BTreeSet,
    net::{IpAddr, Ipv4Addr},
};

use csp_shared::{
    generation::Version,
    id::{MembershipId, NetworkId, ServerId},
    mac::Mac,
};
use rusqlite::Row;

use super::{LeaseState, Read, StoreError, Tx, row};
use crate::domain::{private_network::Member, time::Time};

/// An adapter in a network, as its owner is shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MemberRow {
    /// Its id.
    pub id: MembershipId,
    /// In which network.
    pub network: NetworkId,
    /// Whose.
    pub server: ServerId,
    /// What that is called.
    pub hostname: String,
    /// Its address in the network.
    pub address: Ipv4Addr,
    /// Its name.
    pub adapter: String,
    /// Its own address.
    pub mac: Mac,
    /// How the address is in use.
    pub state: LeaseState,
    /// Its host has reported it brought about.
    pub is_there: bool,
}

/// A member about to be stored, and the adapter that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewMember<'a> {
    /// Its id.
    pub id: MembershipId,
    /// In which network.
    pub network: NetworkId,
    /// Whose.
    pub server: ServerId,
    /// Its address in the network.
    pub address: Ipv4Addr,
    /// The adapter's name.
    pub adapter: &'a str,
    /// The adapter's own address.
    pub mac: Mac,
    /// The version of the server's spec that has it.
    pub wanted: Version,
}

const MEMBERS: &str = "SELECT m.uuid, w.uuid, s.uuid, s.hostname, m.address, n.name, n.mac, m.state, \
                       EXISTS (SELECT 1 FROM placements p JOIN observations o ON o.placement_id = p.id \
                       WHERE p.server_id = s.id AND p.state <> 'released' AND \
                       (json_extract(o.body, '$.reached.incarnation') > m.made_incarnation \
                       OR (json_extract(o.body, '$.reached.incarnation') = m.made_incarnation \
                       AND json_extract(o.body, '$.reached.generation') >= m.made_generation))) \
                       FROM networks w JOIN network_members m ON m.network_id = w.id \
                       JOIN servers s ON s.id = m.server_id JOIN nics n ON n.id = m.nic_id";

fn member(r: &Row<'_>) -> Result<MemberRow, StoreError> {
    Ok(MemberRow {
        id: row::parsed(r, 0)?,
        network: row::parsed(r, 1)?,
        server: row::parsed(r, 2)?,
        hostname: r.get(3)?,
        address: row::parsed(r, 4)?,
        adapter: r.get(5)?,
        mac: row::parsed(r, 6)?,
        state: row::chosen(r, 7, LeaseState::parse)?,
        is_there: r.get(8)?,
    })
}

impl Read<'_> {
    /// The members of a network, oldest first: those in use, and those that their host has not let go of.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn member_list(&self, network: NetworkId) -> Result<Vec<MemberRow>, StoreError> {
        let sql = format!(
            "{MEMBERS} WHERE w.uuid = ?1 AND m.state <> 'free' AND m.state IN ('leased', 'held') ORDER BY m.id"
        );
        self.many(&sql, [network.to_string()], member)
    }

    /// Names of a server's adapters, those among them that its host has not let go of.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn nic_names(&self, server: ServerId) -> Result<Vec<String>, StoreError> {
        let sql = "SELECT n.name FROM servers s JOIN nics n ON n.server_id = s.id \
                   WHERE s.uuid = ?1 AND n.removed_at IS NULL ORDER BY n.id";
        self.many(sql, [server.to_string()], |r| Ok(r.get(0)?))
    }

    /// Adapters of a server in private networks, oldest first: those in use.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn member_list_of(&self, server: ServerId) -> Result<Vec<MemberRow>, StoreError> {
        let sql = format!("{MEMBERS} WHERE s.uuid = ?1 AND m.state = 'leased' ORDER BY m.id");
        self.many(&sql, [server.to_string()], member)
    }

    /// Addresses of a network that cannot be given now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn member_addresses_taken(&self, network: NetworkId, now: Time) -> Result<BTreeSet<Ipv4Addr>, StoreError> {
        let sql = "SELECT m.address FROM networks w JOIN network_members m ON m.network_id = w.id \
                   WHERE w.uuid = ?1 AND m.state <> 'free' AND (m.rests_until IS NULL OR m.rests_until > ?2)";
        Ok(self.many(sql, (network.to_string(), now.0), |r| row::parsed(r, 0))?.into_iter().collect())
    }

    /// What hosts are told of a network's members: those in use, and where they are.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn member_places(&self, network: NetworkId) -> Result<Vec<Member>, StoreError> {
        let sql = "SELECT h.uuid, n.mac, m.address FROM networks w JOIN network_members m ON m.network_id = w.id \
                   JOIN nics n ON n.id = m.nic_id \
                   JOIN placements p ON p.server_id = m.server_id AND p.state <> 'released' \
                   JOIN hosts h ON h.id = p.host_id WHERE w.uuid = ?1 AND m.state <> 'free' AND m.state = 'leased' \
                   ORDER BY m.id";
        self.many(sql, [network.to_string()], |r| {
            let address: Ipv4Addr = row::parsed(r, 2)?;
            Ok(Member { host: row::parsed(r, 0)?, mac: row::parsed(r, 1)?, address: IpAddr::V4(address) })
        })
    }
}

impl Tx<'_> {
    /// Puts a server into a network, on a new adapter.
    ///
    /// # Errors
    /// When the address or the adapter's own one is somebody's, the server is in it, or the store cannot keep it.
    pub fn member_insert(&mut self, new: &NewMember<'_>, now: Time) -> Result<(), StoreError> {
        let network = self.key_of("networks", &new.network.to_string())?;
        let server = self.key_of("servers", &new.server.to_string())?;
        let sql = "INSERT INTO nics (server_id, name, mac) VALUES (?1, ?2, ?3)";
        let nic = self.insert(sql, (server, new.adapter, new.mac.to_string()))?;
        let sql = "INSERT INTO network_members (uuid, network_id, server_id, nic_id, address, state, made_incarnation, \
                   made_generation, created_at) VALUES (?1, ?2, ?3, ?4, ?5, 'leased', ?6, ?7, ?8)";
        let (incarnation, generation) = (row::signed(new.wanted.incarnation.0), row::signed(new.wanted.generation.0));
        let (id, address) = (new.id.to_string(), new.address.to_string());
        self.insert(sql, (id, network, server, nic, address, incarnation, generation, now.0)).map(drop)
    }

    /// Holds a member's address until its host has reached the version of its server's spec that lacks it.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn member_give_up(&mut self, member: MembershipId, gone: Version) -> Result<(), StoreError> {
        let sql = "UPDATE network_members SET state = 'held', gone_incarnation = ?2, gone_generation = ?3 \
                   WHERE uuid = ?1 AND state = 'leased'";
        let (incarnation, generation) = (row::signed(gone.incarnation.0), row::signed(gone.generation.0));
        self.run(sql, (member.to_string(), incarnation, generation)).map(drop)
    }

    /// Takes a server that is to be gone out of all its networks, and holds its addresses there. Answers which they are.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn member_hold_all(&mut self, server: ServerId) -> Result<Vec<NetworkId>, StoreError> {
        let sql = "SELECT w.uuid FROM servers s JOIN network_members m ON m.server_id = s.id \
                   JOIN networks w ON w.id = m.network_id WHERE s.uuid = ?1 AND m.state = 'leased' ORDER BY m.id";
        let networks = self.many(sql, [server.to_string()], |r| row::parsed(r, 0))?;
        let sql = "UPDATE network_members SET state = 'held' WHERE state = 'leased' \
                   AND server_id = (SELECT id FROM servers WHERE uuid = ?1)";
        self.run(sql, [server.to_string()])?;
        Ok(networks)
    }

    /// Lets all held addresses of a server rest: its host proved that nothing of it is left.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn member_rest(&mut self, server: ServerId, until: Time, now: Time) -> Result<(), StoreError> {
        let sql = "SELECT m.id, m.nic_id FROM servers s JOIN network_members m ON m.server_id = s.id \
                   WHERE s.uuid = ?1 AND m.state = 'held'";
        let held = self.many(sql, [server.to_string()], |r| Ok((r.get(0)?, r.get(1)?)))?;
        self.members_rest(&held, until, now)
    }

    /// Lets those addresses of a server rest that its host has let go of by reaching a version without them.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn member_rest_gone(
        &mut self,
        server: ServerId,
        reached: Version,
        until: Time,
        now: Time,
    ) -> Result<(), StoreError> {
        let sql = "SELECT m.id, m.nic_id FROM servers s JOIN network_members m ON m.server_id = s.id \
                   WHERE s.uuid = ?1 AND m.state = 'held' AND (m.gone_incarnation < ?2 \
                   OR (m.gone_incarnation = ?2 AND m.gone_generation <= ?3))";
        let (incarnation, generation) = (row::signed(reached.incarnation.0), row::signed(reached.generation.0));
        let gone = self.many(sql, (server.to_string(), incarnation, generation), |r| Ok((r.get(0)?, r.get(1)?)))?;
        self.members_rest(&gone, until, now)
    }

    fn members_rest(&self, members: &[(i64, i64)], until: Time, now: Time) -> Result<(), StoreError> {
        for (member, nic) in members {
            self.run(
                "UPDATE network_members SET state = 'resting', rests_until = ?2 WHERE id = ?1",
                (member, until.0),
            )?;
            self.run("UPDATE nics SET removed_at = ?2 WHERE id = ?1", (nic, now.0))?;
        }
        Ok(())
    }
}
