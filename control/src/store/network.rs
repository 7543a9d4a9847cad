//! Private networks: whose they are, and the subnet and segment that each has.

use std::{collections::BTreeSet, net::Ipv4Addr};

use csp_shared::id::{AccountId, NetworkId};
use ipnet::Ipv4Net;
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    private_network::Carrier,
    segment::{PrivateRange, SegmentKind, Segments},
    slug::Slug,
    time::Time,
};

/// How a network's subnet and segment are in use.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NetworkState {
    /// It is its owner's.
    Active,
    /// It was deleted; not every host has proved that nothing of it is left.
    Held,
    /// Proved gone; its subnet and segment wait.
    Resting,
    /// They can be another's.
    Free,
}

impl NetworkState {
    /// Every state; the store's check constraint lists the same.
    pub const ALL: [Self; 4] = [Self::Active, Self::Held, Self::Resting, Self::Free];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Held => "held",
            Self::Resting => "resting",
            Self::Free => "free",
        }
    }

    /// Reads what [`NetworkState::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// A private network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NetworkRow {
    /// Its id.
    pub id: NetworkId,
    /// Whose.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: String,
    /// Its addresses.
    pub subnet: Ipv4Net,
    /// Where it is, once that is known.
    pub location: Option<String>,
    /// Its segment there.
    pub carrier: Option<Carrier>,
    /// How it is in use.
    pub state: NetworkState,
    /// When it was made.
    pub created_at: Time,
}

/// A network about to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewNetwork<'a> {
    /// Its id.
    pub id: NetworkId,
    /// Whose.
    pub account: AccountId,
    /// What its owner calls it.
    pub name: &'a str,
    /// The key of the range that its subnet is from.
    pub range: &'a str,
    /// Its addresses.
    pub subnet: Ipv4Net,
}

/// A range in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RangeRow {
    /// Its key.
    pub slug: String,
    /// The range.
    pub range: PrivateRange,
}

const NETWORKS: &str = "SELECT n.uuid, a.uuid, n.name, n.subnet, n.subnet_len, l.slug, n.segments, n.segment, n.mtu, n.state, \
                        n.created_at FROM networks n JOIN accounts a ON a.id = n.account_id \
                        LEFT JOIN locations l ON l.id = n.location_id";

fn network(r: &Row<'_>) -> Result<NetworkRow, StoreError> {
    let carrier = match r.get::<_, Option<String>>(6)? {
        None => None,
        Some(kind) => Some(Carrier {
            kind: SegmentKind::parse(&kind).ok_or(StoreError::Damaged(kind))?,
            number: row::number(r, 7)?,
            mtu: row::number(r, 8)?,
        }),
    };
    Ok(NetworkRow {
        id: row::parsed(r, 0)?,
        account: row::parsed(r, 1)?,
        name: r.get(2)?,
        subnet: net(r, 3)?,
        location: r.get(5)?,
        carrier,
        state: row::chosen(r, 9, NetworkState::parse)?,
        created_at: row::time(r, 10)?,
    })
}

/// A network's address, and the length of its prefix in the column behind it.
fn net(r: &Row<'_>, column: usize) -> Result<Ipv4Net, StoreError> {
    let address: Ipv4Addr = row::parsed(r, column)?;
    let len: u8 = row::number(r, column + 1)?;
    Ipv4Net::new(address, len).map_err(|_| StoreError::Damaged(format!("{address}/{len}")))
}

impl Read<'_> {
    /// An account's networks, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn network_list(&self, account: AccountId) -> Result<Vec<NetworkRow>, StoreError> {
        let sql = format!("{NETWORKS} WHERE a.uuid = ?1 AND n.state = 'active' ORDER BY n.id");
        self.many(&sql, [account.to_string()], network)
    }

    /// One network of an account.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn network_get(&self, account: AccountId, id: NetworkId) -> Result<Option<NetworkRow>, StoreError> {
        let sql = format!("{NETWORKS} WHERE n.uuid = ?1 AND a.uuid = ?2 AND n.state = 'active'");
        self.maybe(&sql, (id.to_string(), account.to_string()), network)
    }

    /// One network, whoever owns it and however it ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn network_any(&self, id: NetworkId) -> Result<Option<NetworkRow>, StoreError> {
        self.maybe(&format!("{NETWORKS} WHERE n.uuid = ?1"), [id.to_string()], network)
    }

    /// Everybody's networks whose subnet and segment are not free, oldest first; for the operator.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn network_all(&self) -> Result<Vec<NetworkRow>, StoreError> {
        self.many(&format!("{NETWORKS} WHERE n.state <> 'free' ORDER BY n.id"), [], network)
    }

    /// Ranges in use, in the order in which subnets are taken from them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn private_range_list(&self) -> Result<Vec<RangeRow>, StoreError> {
        let sql = "SELECT slug, network, prefix_len, subnet_len FROM private_ranges WHERE active = 1 AND family = 4 \
                   ORDER BY id";
        self.many(sql, [], |r| {
            let range = PrivateRange { network: net(r, 1)?, subnet_len: row::number(r, 3)? };
            Ok(RangeRow { slug: r.get(0)?, range })
        })
    }

    /// How a location carries private networks; nothing when it has none, or is not in use.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn location_segments(&self, location: &str) -> Result<Option<Segments>, StoreError> {
        let sql = "SELECT segments, segment_first, segment_last, segment_reserved, segment_mtu FROM locations \
                   WHERE slug = ?1 AND active = 1 AND segments IS NOT NULL";
        self.maybe(sql, [location], |r| {
            let reserved: String = r.get(3)?;
            let numbers = reserved.split_whitespace().map(str::parse).collect::<Result<BTreeSet<u32>, _>>();
            Ok(Segments {
                kind: row::chosen(r, 0, SegmentKind::parse)?,
                first: row::number(r, 1)?,
                last: row::number(r, 2)?,
                reserved: numbers.map_err(|_| StoreError::Damaged(reserved))?,
                mtu: row::number(r, 4)?,
            })
        })
    }

    /// Subnets that cannot be given now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn network_subnets_taken(&self, now: Time) -> Result<BTreeSet<Ipv4Net>, StoreError> {
        let sql = "SELECT n.subnet, n.subnet_len FROM private_ranges r JOIN networks n ON n.range_id = r.id \
                   WHERE n.state <> 'free' AND (n.rests_until IS NULL OR n.rests_until > ?1)";
        Ok(self.many(sql, [now.0], |r| net(r, 0))?.into_iter().collect())
    }

    /// Numbers of a location's segments that cannot be given now: those of networks, and those that its hosts use
    /// themselves, by what each told last.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn network_segments_taken(&self, location: &str, now: Time) -> Result<BTreeSet<u32>, StoreError> {
        let sql = "SELECT n.segment FROM locations l JOIN networks n ON n.location_id = l.id \
                   WHERE l.slug = ?1 AND n.state <> 'free' AND (n.rests_until IS NULL OR n.rests_until > ?2)";
        let mut taken: BTreeSet<u32> = self.many(sql, (location, now.0), |r| row::number(r, 0))?.into_iter().collect();
        taken.extend(self.host_own_tags(location)?);
        Ok(taken)
    }
}

impl Tx<'_> {
    /// Stores a new network, of which no location is known yet.
    ///
    /// # Errors
    /// When its subnet is another's, or the store cannot keep it.
    pub fn network_insert(&mut self, new: &NewNetwork<'_>, now: Time) -> Result<(), StoreError> {
        let account = self.key_of("accounts", &new.account.to_string())?;
        let sql = "INSERT INTO networks (uuid, account_id, name, range_id, family, subnet, subnet_len, state, created_at) \
                   SELECT ?1, ?2, ?3, id, 4, ?5, ?6, 'active', ?7 FROM private_ranges WHERE slug = ?4";
        let (subnet, len) = (new.subnet.network().to_string(), new.subnet.prefix_len());
        self.insert(sql, (new.id.to_string(), account, new.name, new.range, subnet, len, now.0)).map(drop)
    }

    /// Gives a network its place and its segment there, for as long as it lives.
    ///
    /// # Errors
    /// When the segment is another's, or the store cannot keep it.
    pub fn network_settle(&mut self, id: NetworkId, location: &Slug, carrier: Carrier) -> Result<(), StoreError> {
        let Carrier { kind, number, mtu } = carrier;
        let sql = "UPDATE networks SET location_id = (SELECT id FROM locations WHERE slug = ?2), segments = ?3, segment = ?4, \
                   mtu = ?5 WHERE uuid = ?1 AND location_id IS NULL";
        self.run(sql, (id.to_string(), location.as_str(), kind.as_str(), number, mtu)).map(drop)
    }

    /// Calls a network something else.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn network_rename(&mut self, id: NetworkId, name: &str) -> Result<(), StoreError> {
        self.run("UPDATE networks SET name = ?2 WHERE uuid = ?1", (id.to_string(), name)).map(drop)
    }

    /// Ends a network for its owner. What it has is held.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn network_end(&mut self, id: NetworkId, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE networks SET state = 'held', ended_at = ?2 WHERE uuid = ?1 AND state = 'active'";
        self.run(sql, (id.to_string(), now.0)).map(drop)
    }

    /// Lets subnet and segment of an ended network rest, if every host has proved that nothing of it is left; whether that
    /// is so.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn network_rest(&mut self, id: NetworkId, until: Time) -> Result<bool, StoreError> {
        let sql = "UPDATE networks SET state = 'resting', rests_until = ?2 WHERE uuid = ?1 AND state = 'held' \
                   AND NOT EXISTS (SELECT 1 FROM network_objects o WHERE o.network_id = networks.id AND o.gone = 0)";
        Ok(self.run(sql, (id.to_string(), until.0))? > 0)
    }

    /// Frees subnet and segment of an ended network that no host ever had: nothing of it can be anywhere.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn network_free_unused(&mut self, id: NetworkId) -> Result<(), StoreError> {
        let sql = "UPDATE networks SET state = 'free' WHERE uuid = ?1 AND state = 'held' \
                   AND NOT EXISTS (SELECT 1 FROM network_objects o WHERE o.network_id = networks.id)";
        self.run(sql, [id.to_string()]).map(drop)
    }

    /// Frees subnets, segments and members' addresses that have rested long enough; answers how many.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn network_free_rested(&mut self, now: Time) -> Result<usize, StoreError> {
        let members = "UPDATE network_members SET state = 'free', rests_until = NULL, freed_at = ?1 \
                       WHERE state = 'resting' AND rests_until <= ?1";
        let networks = "UPDATE networks SET state = 'free', rests_until = NULL \
                        WHERE state = 'resting' AND rests_until <= ?1";
        Ok(self.run(members, [now.0])? + self.run(networks, [now.0])?)
    }
}
