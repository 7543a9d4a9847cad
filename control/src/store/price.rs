//! What services cost from when on: prices as sold, and changes that were announced.

use csp_shared::id::{ActionId, LeaseId, ServerId};

use super::{Billed, Read, StoreError, Tx, row};
use crate::domain::{
    billing::price::{Announced, Price},
    money::Cents,
    slug::Slug,
    time::Time,
};

impl Read<'_> {
    /// The services in use that were sold as this package, oldest first; nothing when there never was such a package.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn price_holders(&self, package: &Slug) -> Result<Option<Vec<ServerId>>, StoreError> {
        let known = "SELECT 1 FROM packages WHERE slug = ?1";
        if self.maybe(known, [package.as_str()], |_| Ok(()))?.is_none() {
            return Ok(None);
        }
        let sql = "SELECT s.uuid FROM servers s JOIN packages k ON k.id = s.package_id \
                   WHERE k.slug = ?1 AND s.service_status IN ('active', 'suspended') ORDER BY s.id";
        self.many(sql, [package.as_str()], |r| row::parsed(r, 0)).map(Some)
    }

    /// The extra addresses in use that come from this pool, oldest first, each with its server; nothing when there never was
    /// such a pool.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn price_holders_of_pool(&self, pool: &Slug) -> Result<Option<Vec<(ServerId, LeaseId)>>, StoreError> {
        let known = "SELECT 1 FROM address_pools WHERE slug = ?1";
        if self.maybe(known, [pool.as_str()], |_| Ok(()))?.is_none() {
            return Ok(None);
        }
        let sql = "SELECT s.uuid, l.uuid FROM address_pools p JOIN leases l ON l.pool_id = p.id \
                   JOIN nics n ON n.id = l.nic_id JOIN servers s ON s.id = n.server_id \
                   WHERE p.slug = ?1 AND l.state <> 'free' AND l.state = 'leased' AND l.role = 'extra' \
                   AND s.service_status IN ('active', 'suspended') ORDER BY l.id";
        self.many(sql, [pool.as_str()], |r| Ok((row::parsed(r, 0)?, row::parsed(r, 1)?))).map(Some)
    }
}

impl Tx<'_> {
    /// Makes announced prices that are in force by `at` what was sold: a period was paid at them.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn billed_use_prices(&mut self, billed: &Billed, at: Time, now: Time) -> Result<(), StoreError> {
        let sold = |price: &Price| (price.at(at) != price.sold).then(|| price.at(at).get());
        if let Some(cents) = sold(&billed.price) {
            let sql = "UPDATE servers SET package_monthly_cents = ?2 WHERE uuid = ?1";
            self.run(sql, (billed.id.to_string(), cents))?;
        }
        for (lease, price) in &billed.ips {
            if let Some(cents) = sold(price) {
                self.run("UPDATE leases SET monthly_cents = ?2 WHERE uuid = ?1", (lease.to_string(), cents))?;
            }
        }
        let sql = "UPDATE price_changes SET ended = 'applied', ended_at = ?3 WHERE ended IS NULL AND effective_at <= ?2 \
                   AND server_id = (SELECT id FROM servers WHERE uuid = ?1)";
        self.run(sql, (billed.id.to_string(), at.0, now.0)).map(drop)
    }

    /// Announces a price for a service's package, or for one of its addresses. The database itself holds a rise back for
    /// thirty days.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn billed_announce(
        &mut self,
        (server, ip): (ServerId, Option<LeaseId>),
        before: Cents,
        announced: &Announced,
        now: Time,
    ) -> Result<(), StoreError> {
        let key = self.key_of("servers", &server.to_string())?;
        let lease = ip.map(|lease| self.key_of("leases", &lease.to_string())).transpose()?;
        let sql = "INSERT INTO price_changes (server_id, lease_id, old_cents, new_cents, notified_at, effective_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.insert(sql, (key, lease, before.get(), announced.price.get(), now.0, announced.effective_at.0))?;
        self.run("UPDATE servers SET billing_look_at = 0 WHERE id = ?1", [key]).map(drop)
    }

    /// Fixes the price of a server's package, or lets it go with announcements again; open announcements end. Another price
    /// than `before` is kept like one that was announced and used at once: the ledger's check asks what was ever the price.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn billed_fix_price(
        &mut self,
        server: ServerId,
        before: Cents,
        price: Option<Cents>,
        now: Time,
    ) -> Result<(), StoreError> {
        if let Some(price) = price.filter(|price| *price != before) {
            let key = self.key_of("servers", &server.to_string())?;
            let sql = "INSERT INTO price_changes (server_id, old_cents, new_cents, notified_at, effective_at, ended, ended_at) \
                       VALUES (?1, ?2, ?3, ?4, ?4, 'applied', ?4)";
            self.insert(sql, (key, before.get(), price.get(), now.0))?;
        }
        let sql = "UPDATE servers SET package_monthly_cents = coalesce(?2, package_monthly_cents), \
                   price_fixed = ?2 IS NOT NULL, billing_look_at = 0 WHERE uuid = ?1";
        self.run(sql, (server.to_string(), price.map(Cents::get)))?;
        self.price_changes_void(server, None, now)
    }

    /// Ends what was announced about a package's price: it is fixed, or the server has another package by an action.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn price_changes_void(&mut self, server: ServerId, by: Option<ActionId>, now: Time) -> Result<(), StoreError> {
        let by = by.map(|action| self.key_of("actions", &action.to_string())).transpose()?;
        let sql = "UPDATE price_changes SET ended = 'void', ended_at = ?2, voided_by = ?3 \
                   WHERE ended IS NULL AND lease_id IS NULL AND server_id = (SELECT id FROM servers WHERE uuid = ?1)";
        self.run(sql, (server.to_string(), now.0, by)).map(drop)
    }

    /// What was announced about an address goes with it to another server of its owner.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn price_changes_follow(&mut self, ip: LeaseId, from: ServerId, to: ServerId) -> Result<(), StoreError> {
        let sql = "UPDATE price_changes SET server_id = (SELECT id FROM servers WHERE uuid = ?3) WHERE ended IS NULL \
                   AND server_id = (SELECT id FROM servers WHERE uuid = ?2) \
                   AND lease_id = (SELECT id FROM leases WHERE uuid = ?1)";
        self.run(sql, (ip.to_string(), from.to_string(), to.to_string())).map(drop)
    }

    /// Lets announcements stand again that an action ended: the server has its package back.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn price_changes_restore(&mut self, by: ActionId) -> Result<(), StoreError> {
        let sql = "UPDATE price_changes SET ended = NULL, ended_at = NULL, voided_by = NULL \
                   WHERE voided_by = (SELECT id FROM actions WHERE uuid = ?1)";
        self.run(sql, [by.to_string()]).map(drop)
    }
}
