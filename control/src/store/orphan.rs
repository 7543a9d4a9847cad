//! What hosts have that no spec explains. It is never touched, and what it may use as its address is leased to nobody.

use std::{collections::BTreeMap, net::Ipv4Addr};

use csp_shared::{
    id::HostId,
    message::{Orphan, OrphanKind},
};

use super::{Read, StoreError, Tx, row};
use crate::domain::time::Time;

/// An orphan, as its host told of it last.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OrphanRow {
    /// Name of its host.
    pub host: String,
    /// What it is.
    pub kind: OrphanKind,
    /// What it is called there.
    pub name: String,
    /// MAC addresses that it may use.
    pub macs: Vec<String>,
    /// Addresses that it may use.
    pub addresses: Vec<String>,
    /// Since when it has been told of.
    pub first_seen_at: Time,
}

fn kind(text: &str) -> Option<OrphanKind> {
    OrphanKind::ALL.into_iter().find(|kind| kind.as_str() == text)
}

impl Read<'_> {
    /// Whether a MAC address was ever given to a server, or something that no spec explains has it.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn mac_is_known(&self, mac: &str) -> Result<bool, StoreError> {
        let sql =
            "SELECT (SELECT count(*) FROM nics WHERE mac = ?1) + (SELECT count(*) FROM orphan_macs WHERE mac = ?1)";
        Ok(self.count(sql, [mac])? > 0)
    }

    /// Whether something that no spec explains may use this address.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn orphan_has_address(&self, address: Ipv4Addr) -> Result<bool, StoreError> {
        let sql = "SELECT count(*) FROM orphan_addresses WHERE address = ?1";
        Ok(self.count(sql, [address.to_string()])? > 0)
    }

    /// All orphans, by host.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn orphan_list(&self) -> Result<Vec<OrphanRow>, StoreError> {
        let sql = "SELECT h.name, o.kind, o.name, o.first_seen_at, \
                   (SELECT group_concat(m.mac, ' ') FROM orphan_macs m WHERE m.orphan_id = o.id), \
                   (SELECT group_concat(a.address, ' ') FROM orphan_addresses a WHERE a.orphan_id = o.id) \
                   FROM orphans o JOIN hosts h ON h.id = o.host_id ORDER BY h.name, o.kind, o.name";
        let words =
            |text: Option<String>| text.map(|text| text.split(' ').map(str::to_owned).collect()).unwrap_or_default();
        self.many(sql, [], |r| {
            Ok(OrphanRow {
                host: r.get(0)?,
                kind: row::chosen(r, 1, kind)?,
                name: r.get(2)?,
                first_seen_at: row::time(r, 3)?,
                macs: words(r.get(4)?),
                addresses: words(r.get(5)?),
            })
        })
    }
}

impl Tx<'_> {
    /// Keeps what a host has that no spec explains: this, and no more. What was known keeps its first day.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn orphan_put_all(&mut self, host: HostId, orphans: &[Orphan], now: Time) -> Result<(), StoreError> {
        let host = self.key_of("hosts", &host.to_string())?;
        let known = self.many("SELECT kind, name, first_seen_at FROM orphans WHERE host_id = ?1", [host], |r| {
            Ok(((r.get::<_, String>(0)?, r.get::<_, String>(1)?), r.get::<_, i64>(2)?))
        })?;
        let known: BTreeMap<(String, String), i64> = known.into_iter().collect();
        self.run("DELETE FROM orphans WHERE host_id = ?1", [host])?;
        for orphan in orphans {
            let (kind, name) = (orphan.kind.as_str().to_owned(), orphan.name.clone());
            let since = known.get(&(kind.clone(), name.clone())).copied().unwrap_or(now.0);
            let sql = "INSERT INTO orphans (host_id, kind, name, first_seen_at) VALUES (?1, ?2, ?3, ?4) \
                       ON CONFLICT (host_id, kind, name) DO UPDATE SET first_seen_at = excluded.first_seen_at RETURNING id";
            let key: i64 = self.one(sql, (host, kind, name, since), |r| Ok(r.get(0)?))?;
            for mac in &orphan.macs {
                let sql = "INSERT INTO orphan_macs (orphan_id, mac) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
                self.run(sql, (key, mac.to_string()))?;
            }
            for address in &orphan.addresses {
                let sql = "INSERT INTO orphan_addresses (orphan_id, address) VALUES (?1, ?2) ON CONFLICT DO NOTHING";
                self.run(sql, (key, address.to_string()))?;
            }
        }
        Ok(())
    }
}
