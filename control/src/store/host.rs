//! Hosts, as the operator knows them, and what is promised on each.

use csp_shared::{
    host_status::HostStatus,
    id::{AccountId, HostId},
    key_pin::KeyPin,
    limits::SILENCE_SECONDS_MAX,
    spec::CpuUse,
};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
pub use crate::domain::host::HostState;
use crate::domain::{
    host::{STRANGER_SECONDS, Standing},
    makeup::Makeup,
    placement::{HostLoad, PoolLoad, Promised, Trouble},
    slug::Slug,
    time::Time,
};

/// What kind of servers a host takes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostClass {
    /// Many servers that share it.
    Shared,
    /// One dedicated server.
    Dedicated,
}

impl HostClass {
    /// As stored and typed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Shared => "shared",
            Self::Dedicated => "dedicated",
        }
    }

    /// Reads what [`HostClass::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Shared, Self::Dedicated].into_iter().find(|class| class.as_str() == text)
    }

    fn cpu_use(self) -> CpuUse {
        match self {
            Self::Shared => CpuUse::Shared,
            Self::Dedicated => CpuUse::Pinned,
        }
    }
}

/// A host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostRow {
    /// Its id.
    pub id: HostId,
    /// For people; unique.
    pub name: String,
    /// Where it stands.
    pub location: String,
    /// What it takes.
    pub class: HostClass,
    /// Whether it is in service.
    pub state: HostState,
    /// Its key, once enrolled.
    pub key_pin: Option<KeyPin>,
    /// Version of its agent.
    pub agent_version: Option<String>,
    /// `kvm` or `qemu`.
    pub virt: Option<String>,
    /// What it has: processors, MiB, GiB.
    pub capacity: Option<(u32, u64, u64)>,
    /// How many virtual processors are promised for each real one.
    pub cpu_overcommit: u32,
    /// What is promised of it: processors, MiB, GiB.
    pub promised: (u32, u64, u64),
    /// Servers that are on it.
    pub placed: u32,
    /// Servers that are to be gone, of which it has not proved that nothing is left.
    pub held: u32,
    /// Things on it that no spec explains.
    pub orphans: u32,
    /// It told all that it holds in its newest session.
    pub has_told: bool,
    /// When it was last heard of.
    pub seen_at: Option<Time>,
    /// When another machine came with its key last.
    pub stranger_at: Option<Time>,
}

impl HostRow {
    /// What decides about it.
    #[must_use]
    pub fn standing(&self, now: Time) -> Standing {
        let Self { state, has_told, placed, held, orphans, .. } = *self;
        let has_stranger = self.stranger_at.is_some_and(|at| at.plus(STRANGER_SECONDS) >= now);
        Standing { state, is_heard: self.is_heard(now), has_told, placed, held, orphans, has_stranger }
    }

    /// Whether it was heard of lately enough to be believed.
    #[must_use]
    pub fn is_heard(&self, now: Time) -> bool {
        self.seen_at.is_some_and(|at| at.plus(SILENCE_SECONDS_MAX) >= now)
    }
}

/// A host that the operator adds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewHost {
    /// Its id.
    pub id: HostId,
    /// For people; unique.
    pub name: Slug,
    /// Where it stands.
    pub location: Slug,
    /// What it takes.
    pub class: HostClass,
    /// How many virtual processors are promised for each real one.
    pub cpu_overcommit: u32,
}

const HOSTS: &str = "SELECT h.uuid, h.name, l.slug, h.class, h.state, h.key_pin, h.agent_version, h.virt, h.cpus, \
                     h.ram_mib, h.disk_gib, \
                     (SELECT count(*) FROM placements p WHERE p.host_id = h.id AND p.state <> 'released' AND p.state = 'active'), \
                     (SELECT count(*) FROM placements p WHERE p.host_id = h.id AND p.state <> 'released' AND p.state = 'held'), \
                     (SELECT count(*) FROM orphans o WHERE o.host_id = h.id), h.seen_at, \
                     h.session > 0 AND h.inventory_session = h.session, h.cpu_overcommit, \
                     (SELECT coalesce(sum(p.cpus), 0) FROM placements p WHERE p.host_id = h.id AND p.state <> 'released'), \
                     (SELECT coalesce(sum(p.ram_mib), 0) FROM placements p WHERE p.host_id = h.id AND p.state <> 'released'), \
                     (SELECT coalesce(sum(p.disk_gib), 0) FROM placements p WHERE p.host_id = h.id AND p.state <> 'released'), \
                     h.stranger_at FROM hosts h JOIN locations l ON l.id = h.location_id";

fn host(r: &Row<'_>) -> Result<HostRow, StoreError> {
    let has: Option<i64> = r.get(8)?;
    let capacity = has.map(|_| Ok::<_, StoreError>((row::number(r, 8)?, row::number(r, 9)?, row::number(r, 10)?)));
    Ok(HostRow {
        id: row::parsed(r, 0)?,
        name: r.get(1)?,
        location: r.get(2)?,
        class: row::chosen(r, 3, HostClass::parse)?,
        state: row::chosen(r, 4, HostState::parse)?,
        key_pin: row::parsed_maybe(r, 5)?,
        agent_version: r.get(6)?,
        virt: r.get(7)?,
        capacity: capacity.transpose()?,
        placed: row::number(r, 11)?,
        held: row::number(r, 12)?,
        orphans: row::number(r, 13)?,
        seen_at: row::time_maybe(r, 14)?,
        stranger_at: row::time_maybe(r, 20)?,
        has_told: r.get(15)?,
        cpu_overcommit: row::number(r, 16)?,
        promised: (row::number(r, 17)?, row::number(r, 18)?, row::number(r, 19)?),
    })
}

/// Hosts in service that are heard of and have told what they hold, with what is promised on each. How a host is, it tells
/// every minute: what is five minutes old is no longer so.
const LOADS: &str = "SELECT h.uuid, h.class, h.cpus * h.cpu_overcommit, h.ram_mib, h.disk_gib, count(p.id), \
                     coalesce(sum(p.cpus), 0), coalesce(sum(p.ram_mib), 0), coalesce(sum(p.disk_gib), 0), \
                     (SELECT count(*) FROM accounts a JOIN servers s ON s.account_id = a.id \
                     JOIN placements o ON o.server_id = s.id \
                     WHERE a.uuid = ?2 AND o.host_id = h.id AND o.state = 'active'), \
                     CASE WHEN h.status_at >= ?1 - 210 THEN h.status END \
                     FROM hosts h JOIN locations l ON l.id = h.location_id \
                     LEFT JOIN placements p ON p.host_id = h.id AND p.state <> 'released' \
                     WHERE l.active = 1 AND h.state = 'active' AND h.seen_at >= ?1 AND h.session > 0 \
                     AND h.inventory_session = h.session";

fn load(r: &Row<'_>) -> Result<HostLoad, StoreError> {
    let status: Option<HostStatus> = r.get::<_, Option<String>>(10)?.and_then(|text| serde_json::from_str(&text).ok());
    Ok(HostLoad {
        host: row::parsed(r, 0)?,
        class: row::chosen(r, 1, HostClass::parse)?.cpu_use(),
        cpus: row::number(r, 2)?,
        ram_mib: row::number(r, 3)?,
        disk_gib: row::number(r, 4)?,
        promised: Promised {
            servers: row::number(r, 5)?,
            cpus: row::number(r, 6)?,
            ram_mib: row::number(r, 7)?,
            disk_gib: row::number(r, 8)?,
        },
        own: row::number(r, 9)?,
        trouble: status.as_ref().and_then(Trouble::of),
        makeup: status.map(Makeup::of).unwrap_or_default(),
    })
}

impl Read<'_> {
    /// All hosts, by name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn host_list(&self) -> Result<Vec<HostRow>, StoreError> {
        self.many(&format!("{HOSTS} ORDER BY h.name"), [], host)
    }

    /// The host of this name.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn host_by_name(&self, name: &str) -> Result<Option<HostRow>, StoreError> {
        self.maybe(&format!("{HOSTS} WHERE h.name = ?1"), [name], host)
    }

    /// Hosts of a location that are in service, heard of, and have told what they hold, with what is promised on each, and
    /// how much of that to `account`.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn host_loads(
        &self,
        location: &str,
        account: Option<AccountId>,
        now: Time,
    ) -> Result<Vec<HostLoad>, StoreError> {
        let sql = format!("{LOADS} AND l.slug = ?3 GROUP BY h.id ORDER BY h.id");
        let account = account.map(|account| account.to_string());
        self.many(&sql, (now.plus(-SILENCE_SECONDS_MAX).0, account, location), load)
    }

    /// One host as [`Read::host_loads`] has it; nothing when it is not in service, not heard of, or has not told.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn host_load(&self, host: HostId, now: Time) -> Result<Option<HostLoad>, StoreError> {
        let sql = format!("{LOADS} AND h.uuid = ?3 GROUP BY h.id");
        self.maybe(&sql, (now.plus(-SILENCE_SECONDS_MAX).0, None::<String>, host.to_string()), load)
    }
}

impl Read<'_> {
    /// What of a host's pool is promised, by what the host told last; nothing when it never did.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn host_pool(&self, host: HostId) -> Result<Option<PoolLoad>, StoreError> {
        let sql = "SELECT h.disk_gib, (SELECT coalesce(sum(p.disk_gib), 0) FROM placements p \
                   WHERE p.host_id = h.id AND p.state <> 'released') FROM hosts h \
                   WHERE h.uuid = ?1 AND h.disk_gib IS NOT NULL";
        self.maybe(sql, [host.to_string()], |r| {
            Ok(PoolLoad { disk_gib: row::number(r, 0)?, promised_gib: row::number(r, 1)? })
        })
    }
}

impl Tx<'_> {
    /// Changes what was said of a host that has not enrolled yet.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn host_set_new(&mut self, host: &NewHost) -> Result<(), StoreError> {
        let sql = "UPDATE hosts SET location_id = (SELECT id FROM locations WHERE slug = ?2), class = ?3, \
                   cpu_overcommit = ?4 WHERE uuid = ?1 AND state = 'new'";
        let (location, class) = (host.location.as_str(), host.class.as_str());
        self.run(sql, (host.id.to_string(), location, class, host.cpu_overcommit)).map(drop)
    }

    /// Adds a host that has not enrolled yet.
    ///
    /// # Errors
    /// When its location is unknown or the store cannot keep it.
    pub fn host_insert(&mut self, host: &NewHost, now: Time) -> Result<(), StoreError> {
        let sql = "INSERT INTO hosts (uuid, name, location_id, class, state, cpu_overcommit, created_at) \
                   SELECT ?1, ?2, id, ?4, 'new', ?5, ?6 FROM locations WHERE slug = ?3";
        let (name, location) = (host.name.as_str(), host.location.as_str());
        let class = host.class.as_str();
        self.insert(sql, (host.id.to_string(), name, location, class, host.cpu_overcommit, now.0)).map(drop)
    }
}
