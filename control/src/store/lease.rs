//! Addresses and adapters in use. The database allows one open lease for each address.

use std::{collections::BTreeSet, net::Ipv4Addr};

use csp_shared::{
    generation::Version,
    id::{AccountId, LeaseId, ServerId},
    mac::Mac,
};
use rusqlite::Row;

use super::{Read, StoreError, Tx, extra_ip::gone, row};
use crate::domain::{money::Cents, time::Time};

/// What an address is to its server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseRole {
    /// Its first one; part of the package.
    Primary,
    /// Rented beside it.
    Extra,
}

impl LeaseRole {
    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Primary => "primary",
            Self::Extra => "extra",
        }
    }

    /// Reads what [`LeaseRole::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Primary, Self::Extra].into_iter().find(|role| role.as_str() == text)
    }
}

/// How an address is in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LeaseState {
    /// Its server may speak with it.
    Leased,
    /// Its server is to be gone; the host has not proved it.
    Held,
    /// Proved unused; waits until nobody expects the old server there.
    Resting,
    /// Can be leased anew.
    Free,
}

impl LeaseState {
    /// As stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leased => "leased",
            Self::Held => "held",
            Self::Resting => "resting",
            Self::Free => "free",
        }
    }

    /// Reads what [`LeaseState::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Leased, Self::Held, Self::Resting, Self::Free].into_iter().find(|state| state.as_str() == text)
    }
}

/// An address in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Lease {
    /// Its id.
    pub id: LeaseId,
    /// Whose it is, or was.
    pub server: ServerId,
    /// The address.
    pub address: Ipv4Addr,
    /// What it is to its server.
    pub role: LeaseRole,
    /// How it is in use.
    pub state: LeaseState,
    /// Adapter.
    pub adapter: String,
    /// Price of a month beside the package.
    pub monthly: Cents,
    /// Where its server gave it up and goes on: the version of the spec that lacks it.
    pub gone: Option<Version>,
}

/// An address about to be leased, and the adapter that carries it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewLease<'a> {
    /// Its id.
    pub id: LeaseId,
    /// Whose.
    pub server: ServerId,
    /// From which pool.
    pub pool: &'a str,
    /// The address.
    pub address: Ipv4Addr,
    /// Of its network.
    pub prefix_len: u8,
    /// The way out.
    pub gateway: Ipv4Addr,
    /// What it is to its server.
    pub role: LeaseRole,
    /// Price of a month beside the package.
    pub monthly: Cents,
    /// The adapter's name.
    pub adapter: &'a str,
    /// The adapter's own address.
    pub mac: Mac,
}

const LEASES: &str = "SELECT l.uuid, s.uuid, l.address, l.role, l.state, n.name, l.monthly_cents, \
                      l.gone_incarnation, l.gone_generation FROM leases l \
                      JOIN nics n ON n.id = l.nic_id JOIN servers s ON s.id = n.server_id";

fn lease(r: &Row<'_>) -> Result<Lease, StoreError> {
    Ok(Lease {
        id: row::parsed(r, 0)?,
        server: row::parsed(r, 1)?,
        address: row::parsed(r, 2)?,
        role: row::chosen(r, 3, LeaseRole::parse)?,
        state: row::chosen(r, 4, LeaseState::parse)?,
        adapter: r.get(5)?,
        monthly: row::cents(r, 6)?,
        gone: gone(r, 7)?,
    })
}

impl Read<'_> {
    /// The extra addresses of a server that are in use or held, and since when it or another has had each.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lease_extra_since(&self, server: ServerId) -> Result<Vec<(LeaseId, Time)>, StoreError> {
        let sql = "SELECT l.uuid, l.created_at FROM leases l JOIN nics n ON n.id = l.nic_id \
                   JOIN servers s ON s.id = n.server_id \
                   WHERE s.uuid = ?1 AND l.role = 'extra' AND l.state IN ('leased', 'held') ORDER BY l.id";
        self.many(sql, [server.to_string()], |r| Ok((row::parsed(r, 0)?, row::time(r, 1)?)))
    }

    /// Addresses leased from a pool that cannot be leased again now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lease_taken(&self, pool: &str, now: Time) -> Result<BTreeSet<Ipv4Addr>, StoreError> {
        let sql = "SELECT l.address FROM address_pools p JOIN leases l ON l.pool_id = p.id \
                   WHERE p.slug = ?1 AND l.state <> 'free' AND (l.rests_until IS NULL OR l.rests_until > ?2)";
        Ok(self.many(sql, (pool, now.0), |r| row::parsed(r, 0))?.into_iter().collect())
    }

    /// Whether an address cannot be leased now, whichever pool it was leased from.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lease_is_held(&self, address: Ipv4Addr, now: Time) -> Result<bool, StoreError> {
        let sql = "SELECT 1 FROM leases WHERE address = ?1 AND state <> 'free' \
                   AND (rests_until IS NULL OR rests_until > ?2)";
        Ok(self.maybe(sql, (address.to_string(), now.0), |_| Ok(()))?.is_some())
    }

    /// One lease.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lease_get(&self, id: LeaseId) -> Result<Option<Lease>, StoreError> {
        self.maybe(&format!("{LEASES} WHERE l.uuid = ?1"), [id.to_string()], lease)
    }

    /// When extra addresses were added to an account's servers since a time, oldest first, also what is gone by now. A move
    /// adds none. What a clock that was ahead dated later than `until` counts no more.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lease_additions(&self, account: AccountId, since: Time, until: Time) -> Result<Vec<Time>, StoreError> {
        let sql = "SELECT l.created_at FROM accounts a JOIN servers s ON s.account_id = a.id \
                   JOIN nics n ON n.server_id = s.id JOIN leases l ON l.nic_id = n.id \
                   WHERE a.uuid = ?1 AND l.role = 'extra' AND l.created_at > ?2 AND l.created_at <= ?3 ORDER BY l.created_at";
        self.many(sql, (account.to_string(), since.0, until.0), |r| row::time(r, 0))
    }

    /// All leases that are not free, by address row.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lease_list(&self) -> Result<Vec<Lease>, StoreError> {
        self.many(&format!("{LEASES} WHERE l.state <> 'free' ORDER BY l.id"), [], lease)
    }
}

impl Tx<'_> {
    /// Leases an address on a new adapter.
    ///
    /// # Errors
    /// When someone holds the address or the adapter's own one, or the store cannot keep it.
    pub fn lease_insert(&mut self, new: &NewLease<'_>, now: Time) -> Result<(), StoreError> {
        let server = self.key_of("servers", &new.server.to_string())?;
        let sql = "INSERT INTO nics (server_id, name, mac) VALUES (?1, ?2, ?3)";
        let nic = self.insert(sql, (server, new.adapter, new.mac.to_string()))?;
        let sql = "INSERT INTO leases (uuid, pool_id, family, address, prefix_len, gateway, nic_id, role, monthly_cents, \
                   state, created_at) SELECT ?1, id, 4, ?3, ?4, ?5, ?6, ?7, ?8, 'leased', ?9 FROM address_pools WHERE slug = ?2";
        let (address, gateway) = (new.address.to_string(), new.gateway.to_string());
        let (role, monthly) = (new.role.as_str(), new.monthly.get());
        let id = new.id.to_string();
        self.insert(sql, (id, new.pool, address, new.prefix_len, gateway, nic, role, monthly, now.0)).map(drop)
    }

    /// Holds all addresses of a server that is to be gone.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn lease_hold(&mut self, server: ServerId) -> Result<(), StoreError> {
        let sql = "UPDATE leases SET state = 'held' WHERE state = 'leased' AND nic_id IN \
                   (SELECT n.id FROM nics n JOIN servers s ON s.id = n.server_id WHERE s.uuid = ?1)";
        self.run(sql, [server.to_string()]).map(drop)
    }

    /// Lets the held addresses of a server rest: its host proved that it is gone.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn lease_rest(&mut self, server: ServerId, until: Time) -> Result<(), StoreError> {
        let sql = "UPDATE leases SET state = 'resting', rests_until = ?2 WHERE state = 'held' AND nic_id IN \
                   (SELECT n.id FROM nics n JOIN servers s ON s.id = n.server_id WHERE s.uuid = ?1)";
        self.run(sql, (server.to_string(), until.0)).map(drop)
    }

    /// Frees what has rested long enough; answers how many.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn lease_free_rested(&mut self, now: Time) -> Result<usize, StoreError> {
        let sql = "UPDATE leases SET state = 'free', rests_until = NULL, freed_at = ?1 \
                   WHERE state = 'resting' AND rests_until <= ?1";
        self.run(sql, [now.0])
    }
}
