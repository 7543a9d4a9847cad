//! What hosts counted of their servers' traffic, and its months.

use csp_shared::{
    id::{AccountId, HostId, ServerId},
    sample::NetworkMoved,
};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    month::Month,
    time::Time,
    traffic::{Known, Mark, Quota},
};

/// One month of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrafficMonth {
    /// Which.
    pub month: Month,
    /// What its public adapters carried.
    pub moved: NetworkMoved,
    /// What its owner was told of the quota.
    pub told: Mark,
}

/// What a server may use, and what it is called.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TrafficPlan {
    /// Whose it is.
    pub account: AccountId,
    /// What it is called.
    pub hostname: String,
    /// Its package, for people.
    pub package: String,
    /// What was sold; None: as much as it likes.
    pub quota: Option<Quota>,
    /// The rate that it is held to now because of it, in megabits a second.
    pub held: Option<u32>,
}

const AMOUNTS: &str = "received_bytes, received_packets, sent_bytes, sent_packets";

fn moved(r: &Row<'_>, first: usize) -> Result<NetworkMoved, StoreError> {
    Ok(NetworkMoved {
        received_bytes: row::number(r, first)?,
        received_packets: row::number(r, first + 1)?,
        sent_bytes: row::number(r, first + 2)?,
        sent_packets: row::number(r, first + 3)?,
    })
}

fn month(r: &Row<'_>) -> Result<TrafficMonth, StoreError> {
    let percent: u8 = row::number(r, 5)?;
    let told = Mark::from_percent(percent).ok_or_else(|| StoreError::Damaged(format!("{percent} percent told")))?;
    Ok(TrafficMonth { month: row::parsed(r, 0)?, moved: moved(r, 1)?, told })
}

/// A package's quota, or a server's: two columns.
pub(super) fn quota(r: &Row<'_>, first: usize) -> Result<Option<Quota>, StoreError> {
    let (bytes, shape_mbit_per_second) = (row::number_maybe(r, first)?, row::number_maybe(r, first + 1)?);
    Ok(bytes.map(|bytes| Quota { bytes, shape_mbit_per_second }))
}

impl Read<'_> {
    /// What a host told last of a server.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn traffic_known(&self, server: ServerId, host: HostId) -> Result<Option<Known>, StoreError> {
        let Some(placement) = self.placement_key(server, host)? else { return Ok(None) };
        let sql = format!("SELECT count, {AMOUNTS}, told_at FROM traffic_counts WHERE placement_id = ?1");
        self.maybe(&sql, [placement], |r| {
            Ok(Known { count: row::parsed(r, 0)?, total: moved(r, 1)?, at: row::time(r, 5)? })
        })
    }

    /// When the server's traffic was told last, by whichever host.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn traffic_told_at(&self, server: ServerId) -> Result<Option<Time>, StoreError> {
        let sql = "SELECT c.told_at FROM servers s JOIN placements p ON p.server_id = s.id \
                   JOIN traffic_counts c ON c.placement_id = p.id WHERE s.uuid = ?1 ORDER BY c.told_at DESC LIMIT 1";
        self.maybe(sql, [server.to_string()], |r| row::time(r, 0))
    }

    /// The months of a server in which something moved, the newest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn traffic_months(&self, server: ServerId) -> Result<Vec<TrafficMonth>, StoreError> {
        let sql = format!(
            "SELECT month, {AMOUNTS}, told_percent FROM traffic_months \
             WHERE server_id = (SELECT id FROM servers WHERE uuid = ?1) ORDER BY month DESC"
        );
        self.many(&sql, [server.to_string()], month)
    }

    /// One month of a server; nothing moved in one that has no row.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn traffic_month(&self, server: ServerId, of: Month) -> Result<TrafficMonth, StoreError> {
        let sql = format!(
            "SELECT month, {AMOUNTS}, told_percent FROM traffic_months \
             WHERE server_id = (SELECT id FROM servers WHERE uuid = ?1) AND month = ?2"
        );
        let found = self.maybe(&sql, (server.to_string(), of.to_string()), month)?;
        Ok(found.unwrap_or(TrafficMonth { month: of, moved: NetworkMoved::default(), told: Mark::None }))
    }

    /// What a server may use.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn traffic_plan(&self, server: ServerId) -> Result<Option<TrafficPlan>, StoreError> {
        let sql = "SELECT a.uuid, s.hostname, k.name, s.traffic_bytes, s.traffic_shape_mbit, s.traffic_held_mbit \
                   FROM servers s JOIN accounts a ON a.id = s.account_id JOIN packages k ON k.id = s.package_id \
                   WHERE s.uuid = ?1";
        self.maybe(sql, [server.to_string()], |r| {
            Ok(TrafficPlan {
                account: row::parsed(r, 0)?,
                hostname: r.get(1)?,
                package: r.get(2)?,
                quota: quota(r, 3)?,
                held: row::number_maybe(r, 5)?,
            })
        })
    }

    /// Servers that are held to a rate because their traffic is used up.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn traffic_held(&self) -> Result<Vec<ServerId>, StoreError> {
        self.many("SELECT uuid FROM servers WHERE traffic_held_mbit IS NOT NULL", [], |r| row::parsed(r, 0))
    }
}

impl Tx<'_> {
    /// Keeps what a host told of a server that was placed on it.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn traffic_known_put(&mut self, server: ServerId, host: HostId, known: &Known) -> Result<(), StoreError> {
        let placement = self.placement_key(server, host)?;
        let sql = format!(
            "INSERT INTO traffic_counts (placement_id, count, {AMOUNTS}, told_at) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7) \
             ON CONFLICT (placement_id) DO UPDATE SET count = excluded.count, received_bytes = excluded.received_bytes, \
             received_packets = excluded.received_packets, sent_bytes = excluded.sent_bytes, \
             sent_packets = excluded.sent_packets, told_at = excluded.told_at"
        );
        let [a, b, c, d] = columns(&known.total);
        self.run(&sql, (placement, known.count.to_string(), a, b, c, d, known.at.0)).map(drop)
    }

    /// Adds to a month of a server.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn traffic_add(&mut self, server: ServerId, month: Month, moved: &NetworkMoved) -> Result<(), StoreError> {
        let key = self.key_of("servers", &server.to_string())?;
        // Added here and not by the statement: a sum beyond the column would fail, and a host may tell any number.
        let [a, b, c, d] = columns(&self.traffic_month(server, month)?.moved.plus(moved));
        let sql = format!(
            "INSERT INTO traffic_months (server_id, month, {AMOUNTS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6) \
             ON CONFLICT (server_id, month) DO UPDATE SET received_bytes = excluded.received_bytes, \
             received_packets = excluded.received_packets, sent_bytes = excluded.sent_bytes, \
             sent_packets = excluded.sent_packets"
        );
        self.run(&sql, (key, month.to_string(), a, b, c, d)).map(drop)
    }

    /// Notes what a server's owner was told of a month in which something moved.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn traffic_set_told(&mut self, server: ServerId, month: Month, told: Mark) -> Result<(), StoreError> {
        let sql = "UPDATE traffic_months SET told_percent = ?3 \
                   WHERE server_id = (SELECT id FROM servers WHERE uuid = ?1) AND month = ?2";
        self.run(sql, (server.to_string(), month.to_string(), told.percent())).map(drop)
    }

    /// Notes to which rate a server is held, or that it is not.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn traffic_set_held(&mut self, server: ServerId, mbit: Option<u32>) -> Result<(), StoreError> {
        self.run("UPDATE servers SET traffic_held_mbit = ?2 WHERE uuid = ?1", (server.to_string(), mbit)).map(drop)
    }

    /// Forgets months before `oldest`, and what was told by hosts that said nothing since.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn traffic_forget_old(&mut self, oldest: Month) -> Result<(), StoreError> {
        self.run("DELETE FROM traffic_months WHERE month < ?1", [oldest.to_string()])?;
        self.run("DELETE FROM traffic_counts WHERE told_at < ?1", [oldest.span().0.0]).map(drop)
    }
}

fn columns(moved: &NetworkMoved) -> [i64; 4] {
    [moved.received_bytes, moved.received_packets, moved.sent_bytes, moved.sent_packets].map(row::signed)
}
