//! Addresses that are set aside: somebody answered for them before a server used them.

use std::net::Ipv4Addr;

use csp_shared::id::{LeaseId, ServerId};
use rusqlite::Row;

use super::{PoolRow, Read, StoreError, Tx, row};
use crate::domain::time::Time;

/// An address that is leased to nobody until an operator has looked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AsideRow {
    /// The address.
    pub address: Ipv4Addr,
    /// For whom it was asked for.
    pub server: ServerId,
    /// What that one's host says: who answered.
    pub detail: String,
    /// When.
    pub found_at: Time,
}

const ASIDE: &str = "SELECT d.address, s.uuid, d.detail, d.found_at FROM addresses_aside d \
                     JOIN servers s ON s.id = d.server_id";

fn aside(r: &Row<'_>) -> Result<AsideRow, StoreError> {
    Ok(AsideRow {
        address: row::parsed(r, 0)?,
        server: row::parsed(r, 1)?,
        detail: r.get(2)?,
        found_at: row::time(r, 3)?,
    })
}

impl Read<'_> {
    /// Whether an address is set aside.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn address_is_aside(&self, address: Ipv4Addr) -> Result<bool, StoreError> {
        Ok(self.count("SELECT count(*) FROM addresses_aside WHERE address = ?1", [address.to_string()])? > 0)
    }

    /// Every address that is set aside, the oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn address_aside_list(&self) -> Result<Vec<AsideRow>, StoreError> {
        self.many(&format!("{ASIDE} ORDER BY d.found_at, d.address"), [], aside)
    }

    /// The lease by which a server has an address now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lease_at(&self, server: ServerId, address: Ipv4Addr) -> Result<Option<LeaseId>, StoreError> {
        let sql = "SELECT l.uuid FROM leases l JOIN nics n ON n.id = l.nic_id JOIN servers s ON s.id = n.server_id \
                   WHERE l.address = ?2 AND l.state <> 'free' AND l.state = 'leased' AND s.uuid = ?1";
        self.maybe(sql, (server.to_string(), address.to_string()), |r| row::parsed(r, 0))
    }
}

impl Tx<'_> {
    /// Sets an address aside. One that is aside already keeps its first reason.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn address_set_aside(
        &mut self,
        address: Ipv4Addr,
        server: ServerId,
        detail: &str,
        now: Time,
    ) -> Result<(), StoreError> {
        let server = self.key_of("servers", &server.to_string())?;
        let sql = "INSERT INTO addresses_aside (address, server_id, detail, found_at) VALUES (?1, ?2, ?3, ?4) \
                   ON CONFLICT DO NOTHING";
        self.run(sql, (address.to_string(), server, detail, now.0)).map(drop)
    }

    /// Gives an address back to its pool; whether it was aside.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn address_clear(&mut self, address: Ipv4Addr) -> Result<bool, StoreError> {
        Ok(self.run("DELETE FROM addresses_aside WHERE address = ?1", [address.to_string()])? > 0)
    }

    /// Makes a lease one of another address, which its server has not used yet.
    ///
    /// # Errors
    /// When someone holds the address, or the store cannot keep it.
    pub fn lease_readdress(&mut self, lease: LeaseId, pool: &PoolRow, address: Ipv4Addr) -> Result<(), StoreError> {
        let sql = "UPDATE leases SET pool_id = (SELECT id FROM address_pools WHERE slug = ?2), address = ?3, \
                   prefix_len = ?4, gateway = ?5 WHERE uuid = ?1";
        let (prefix_len, gateway) = (pool.range.network.prefix_len(), pool.range.gateway.to_string());
        self.run(sql, (lease.to_string(), &pool.slug, address.to_string(), prefix_len, gateway)).map(drop)
    }
}
