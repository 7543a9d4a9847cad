//! Extra addresses of servers that go on: which there are, what is being done with them, and how each comes and goes.

use std::net::IpAddr;

use csp_shared::{
    generation::{Generation, Incarnation, Version},
    id::{ActionId, LeaseId, ServerId},
    mac::Mac,
    spec::{Nic, NicAddress, NicNetwork},
};
use rusqlite::Row;

use super::{LeaseState, OpenAction, Read, StoreError, Tx, action::OPEN, row};
use crate::domain::{action::Command, money::Cents, time::Time};

/// An extra address of a server, as its owner is shown it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ExtraIp {
    /// Its id.
    pub id: LeaseId,
    /// The address.
    pub address: String,
    /// The adapter that carries it.
    pub adapter: String,
    /// That adapter's own address.
    pub mac: String,
    /// Price of a month.
    pub monthly: Cents,
    /// How it is in use.
    pub state: LeaseState,
    /// It is on its way here.
    pub is_coming: bool,
    /// When it was added, to whichever server.
    pub added_at: Time,
}

/// What an action does with an extra address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IpChange {
    /// With which.
    pub lease: LeaseId,
    /// Where a move leads.
    pub target: Option<ServerId>,
    /// A move's first host has let go of it: it is the target's.
    pub is_let_go: bool,
}

const IPS: &str = "SELECT l.uuid, l.address, n.name, n.mac, l.monthly_cents, l.state, \
                   EXISTS (SELECT 1 FROM ip_changes c JOIN actions x ON x.id = c.action_id WHERE c.lease_id = l.id \
                   AND x.status IN ('queued', 'running')), l.created_at \
                   FROM servers s JOIN nics n ON n.server_id = s.id JOIN leases l ON l.nic_id = n.id \
                   WHERE l.role = 'extra' AND l.state IN ('leased', 'held')";

fn extra_ip(r: &Row<'_>) -> Result<ExtraIp, StoreError> {
    Ok(ExtraIp {
        id: row::parsed(r, 0)?,
        address: r.get(1)?,
        adapter: r.get(2)?,
        mac: r.get(3)?,
        monthly: row::cents(r, 4)?,
        state: row::chosen(r, 5, LeaseState::parse)?,
        is_coming: r.get(6)?,
        added_at: row::time(r, 7)?,
    })
}

/// Of a lease whose server goes on without it, the version of the spec that says so.
pub(super) fn gone(r: &Row<'_>, column: usize) -> Result<Option<Version>, StoreError> {
    let number = |column| row::number_maybe::<u64>(r, column);
    let (incarnation, generation) = (number(column)?, number(column + 1)?);
    Ok(incarnation.zip(generation).map(|(incarnation, generation)| Version {
        incarnation: Incarnation(incarnation),
        generation: Generation(generation),
    }))
}

impl Read<'_> {
    /// The extra addresses of a server, the oldest first: those in use, and those that its host has not let go of.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn extra_ip_list(&self, server: ServerId) -> Result<Vec<ExtraIp>, StoreError> {
        self.many(&format!("{IPS} AND s.uuid = ?1 ORDER BY l.id"), [server.to_string()], extra_ip)
    }

    /// How many extra addresses a server may have: its package's word, or the operator's.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn extra_ips_max(&self, server: ServerId) -> Result<u32, StoreError> {
        let sql = "SELECT coalesce(s.extra_ips_max, k.extra_ips_max) FROM servers s JOIN packages k ON k.id = s.package_id \
                   WHERE s.uuid = ?1";
        Ok(self.maybe(sql, [server.to_string()], |r| row::number(r, 0))?.unwrap_or(0))
    }

    /// An address as the adapter of its server's spec that carries it. The way out is the primary's alone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn lease_nic(&self, lease: LeaseId) -> Result<Option<Nic>, StoreError> {
        let sql = "SELECT n.name, n.mac, l.address, l.prefix_len, p.dns, \
                   CASE WHEN l.role = 'primary' THEN l.gateway END FROM leases l JOIN nics n ON n.id = l.nic_id \
                   JOIN address_pools p ON p.id = l.pool_id WHERE l.uuid = ?1";
        self.maybe(sql, [lease.to_string()], |r| {
            let dns: String = r.get(4)?;
            let damaged = || StoreError::Damaged(dns.clone());
            let (address, prefix_len) = (row::parsed(r, 2)?, row::number(r, 3)?);
            let address = NicAddress { address, prefix_len, gateway: row::parsed_maybe(r, 5)? };
            Ok(Nic {
                name: r.get(0)?,
                mac: row::parsed(r, 1)?,
                network: NicNetwork::Public,
                addresses: vec![address],
                dns: dns
                    .split_whitespace()
                    .map(|one| one.parse::<IpAddr>().map_err(|_| damaged()))
                    .collect::<Result<_, _>>()?,
            })
        })
    }

    /// What an action does with an extra address; nothing for one that is about something else.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ip_change_get(&self, action: ActionId) -> Result<Option<IpChange>, StoreError> {
        let sql = "SELECT l.uuid, t.uuid, c.let_go_at IS NOT NULL FROM actions x JOIN ip_changes c ON c.action_id = x.id \
                   JOIN leases l ON l.id = c.lease_id LEFT JOIN servers t ON t.id = c.target_id WHERE x.uuid = ?1";
        self.maybe(sql, [action.to_string()], |r| {
            Ok(IpChange { lease: row::parsed(r, 0)?, target: row::parsed_maybe(r, 1)?, is_let_go: r.get(2)? })
        })
    }

    /// What is being done with an extra address now.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ip_change_open(&self, lease: LeaseId) -> Result<Option<(ActionId, Command)>, StoreError> {
        let sql = "SELECT x.uuid, x.command FROM leases l JOIN ip_changes c ON c.lease_id = l.id \
                   JOIN actions x ON x.id = c.action_id \
                   WHERE l.uuid = ?1 AND x.status IN ('queued', 'running') ORDER BY x.id DESC LIMIT 1";
        self.maybe(sql, [lease.to_string()], |r| Ok((row::parsed(r, 0)?, row::chosen(r, 1, Command::parse)?)))
    }

    /// Moves that lead to a server and have not ended, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ip_moves_to(&self, target: ServerId) -> Result<Vec<OpenAction>, StoreError> {
        let sql = format!(
            "{OPEN} JOIN ip_changes c ON c.action_id = x.id WHERE c.target_id = (SELECT id FROM servers WHERE uuid = ?1) \
             AND x.status IN ('queued', 'running') ORDER BY x.id"
        );
        self.many(&sql, [target.to_string()], super::action::open)
    }
}

impl Tx<'_> {
    /// Notes what an action does with an extra address. The action is stored already.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn ip_change_insert(
        &mut self,
        action: ActionId,
        lease: LeaseId,
        target: Option<ServerId>,
    ) -> Result<(), StoreError> {
        let (action, lease) =
            (self.key_of("actions", &action.to_string())?, self.key_of("leases", &lease.to_string())?);
        let target = target.map(|server| self.key_of("servers", &server.to_string())).transpose()?;
        let sql = "INSERT INTO ip_changes (action_id, lease_id, target_id) VALUES (?1, ?2, ?3)";
        self.insert(sql, (action, lease, target)).map(drop)
    }

    /// Notes that a move's first host has let go, and which version of the target's spec ends it. It has no deadline any more:
    /// the address is the target's, and cannot be taken back without its host's word.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn ip_change_let_go(&mut self, action: ActionId, wanted: Version, now: Time) -> Result<(), StoreError> {
        let key = self.key_of("actions", &action.to_string())?;
        self.run("UPDATE ip_changes SET let_go_at = ?2 WHERE action_id = ?1", (key, now.0))?;
        let sql = "UPDATE actions SET incarnation = ?2, generation = ?3, deadline_at = NULL WHERE id = ?1";
        self.run(sql, (key, row::signed(wanted.incarnation.0), row::signed(wanted.generation.0))).map(drop)
    }

    /// Holds an extra address until its host has reached the version of the spec that lacks it.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn lease_give_up(&mut self, lease: LeaseId, gone: Version) -> Result<(), StoreError> {
        let sql = "UPDATE leases SET state = 'held', gone_incarnation = ?2, gone_generation = ?3 \
                   WHERE uuid = ?1 AND state = 'leased'";
        let (incarnation, generation) = (row::signed(gone.incarnation.0), row::signed(gone.generation.0));
        self.run(sql, (lease.to_string(), incarnation, generation)).map(drop)
    }

    /// An address that was held is its server's again.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn lease_take_back(&mut self, lease: LeaseId) -> Result<(), StoreError> {
        let sql = "UPDATE leases SET state = 'leased', gone_incarnation = NULL, gone_generation = NULL \
                   WHERE uuid = ?1 AND state = 'held'";
        self.run(sql, [lease.to_string()]).map(drop)
    }

    /// An address that its host has let go of is another server's, on a new adapter.
    ///
    /// # Errors
    /// When the adapter's own address was somebody's, or the store cannot keep it.
    pub fn lease_hand_over(
        &mut self,
        lease: LeaseId,
        (server, adapter, mac): (ServerId, &str, Mac),
        now: Time,
    ) -> Result<(), StoreError> {
        let server = self.key_of("servers", &server.to_string())?;
        let key = self.key_of("leases", &lease.to_string())?;
        self.run("UPDATE nics SET removed_at = ?2 WHERE id = (SELECT nic_id FROM leases WHERE id = ?1)", (key, now.0))?;
        let sql = "INSERT INTO nics (server_id, name, mac) VALUES (?1, ?2, ?3)";
        let nic = self.insert(sql, (server, adapter, mac.to_string()))?;
        let sql = "UPDATE leases SET state = 'leased', nic_id = ?2, gone_incarnation = NULL, gone_generation = NULL \
                   WHERE id = ?1";
        self.run(sql, (key, nic)).map(drop)
    }

    /// Lets those addresses of a server rest that its host has let go of by reaching a version without them.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn lease_rest_gone(
        &mut self,
        server: ServerId,
        reached: Version,
        until: Time,
        now: Time,
    ) -> Result<(), StoreError> {
        let sql = "SELECT l.id, n.id FROM servers s JOIN nics n ON n.server_id = s.id JOIN leases l ON l.nic_id = n.id \
                   WHERE s.uuid = ?1 AND l.state = 'held' AND l.gone_generation IS NOT NULL AND (l.gone_incarnation < ?2 \
                   OR (l.gone_incarnation = ?2 AND l.gone_generation <= ?3))";
        let (incarnation, generation) = (row::signed(reached.incarnation.0), row::signed(reached.generation.0));
        let gone = self.many(sql, (server.to_string(), incarnation, generation), |r| {
            Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?))
        })?;
        for (lease, nic) in gone {
            self.run("UPDATE leases SET state = 'resting', rests_until = ?2 WHERE id = ?1", (lease, until.0))?;
            self.run("UPDATE nics SET removed_at = ?2 WHERE id = ?1", (nic, now.0))?;
        }
        Ok(())
    }

    /// Gives a server a bound of its own on its extra addresses; None takes it back to the package's.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn extra_ips_max_put(&mut self, server: ServerId, max: Option<u32>) -> Result<(), StoreError> {
        self.run("UPDATE servers SET extra_ips_max = ?2 WHERE uuid = ?1", (server.to_string(), max)).map(drop)
    }
}
