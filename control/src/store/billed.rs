//! A service as billing sees it: what it costs and why, how far it is paid, and why it is locked.

use csp_shared::id::{AccountId, LeaseId, ServerId};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    billing::{
        extend::{PaidSoFar, period},
        forecast::{Renewing, Sold},
        lock::{Lock, Locks},
        price::{Announced, Price},
        promo::{Discount, Duration, Terms, is_for},
        renewal::{Prices, Renewal},
    },
    catalog::ServiceType,
    event::Event,
    server::ServiceStatus,
    time::Time,
};

/// A service that is paid for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Billed {
    /// Its id.
    pub id: ServerId,
    /// Whose it is.
    pub account: AccountId,
    /// As ordered.
    pub hostname: String,
    /// Name of its package.
    pub package: String,
    /// Virtual or dedicated.
    pub kind: ServiceType,
    /// Where it stands.
    pub service: ServiceStatus,
    /// Whether its owner wants it renewed.
    pub auto_renew: bool,
    /// First Online.
    pub anchor: Option<Time>,
    /// Until when it is paid; nothing before first Online.
    pub paid_until: Option<Time>,
    /// Ordinal of its last paid period.
    pub last: u32,
    /// Of its package.
    pub price: Price,
    /// Its extra addresses.
    pub ips: Vec<(LeaseId, Price)>,
    /// What its promo code gives on the package that it has.
    pub promo: Option<Terms>,
    /// Why it is locked.
    pub locks: Locks,
}

impl Billed {
    /// What a period costs when it is paid at this moment.
    #[must_use]
    pub fn prices(&self, at: Time) -> Prices {
        self.sold().at(at)
    }

    /// What it was sold at.
    #[must_use]
    pub fn sold(&self) -> Sold<'_> {
        Sold { package: &self.price, ips: &self.ips, promo: self.promo }
    }

    /// The service as it renews by itself; nothing when it does not.
    #[must_use]
    pub fn renewing(&self) -> Option<Renewing<'_>> {
        let paid = self.paid().filter(|_| self.auto_renew && !self.locks.has(Lock::Abuse))?;
        Some(Renewing { paid, sold: self.sold() })
    }

    /// The period that a renewal pays next: its ordinal, and its beginning, whose prices count (BILLING 11). Before first
    /// Online it is the one that would begin now.
    #[must_use]
    pub fn next_period(&self, now: Time) -> (u32, Time) {
        match self.paid() {
            Some(paid) => {
                let ordinal = paid.next(now);
                (ordinal, period(paid.anchor, ordinal).from())
            }
            None => (self.last.saturating_add(1), now),
        }
    }

    /// What its next period costs, as things stand.
    #[must_use]
    pub fn renewal(&self, now: Time) -> Renewal {
        let (ordinal, begins) = self.next_period(now);
        self.prices(begins).renewal(ordinal)
    }

    /// How far it is paid; nothing before first Online.
    #[must_use]
    pub fn paid(&self) -> Option<PaidSoFar> {
        let stood_still = self.locks.has(Lock::Unpaid) || self.locks.has(Lock::Abuse);
        self.anchor.map(|anchor| PaidSoFar { anchor, last: self.last, stood_still })
    }
}

const SERVICES: &str = "SELECT s.uuid, a.uuid, s.hostname, k.name, s.type, s.service_status, s.auto_renew, s.anchor_at, \
                        s.paid_until, (SELECT max(ordinal) FROM periods WHERE server_id = s.id), \
                        s.package_monthly_cents, s.price_fixed \
                        FROM servers s JOIN accounts a ON a.id = s.account_id JOIN packages k ON k.id = s.package_id";

fn service(r: &Row<'_>) -> Result<Billed, StoreError> {
    let last: Option<i64> = r.get(9)?;
    Ok(Billed {
        id: row::parsed(r, 0)?,
        account: row::parsed(r, 1)?,
        hostname: r.get(2)?,
        package: r.get(3)?,
        kind: row::chosen(r, 4, ServiceType::parse)?,
        service: row::chosen(r, 5, ServiceStatus::parse)?,
        auto_renew: r.get(6)?,
        anchor: row::time_maybe(r, 7)?,
        paid_until: row::time_maybe(r, 8)?,
        last: last.and_then(|last| u32::try_from(last).ok()).unwrap_or(0),
        price: Price { fixed: r.get(11)?, ..Price::of(row::cents(r, 10)?) },
        ips: Vec::new(),
        promo: None,
        locks: Locks::default(),
    })
}

fn terms(r: &Row<'_>) -> Result<Option<Terms>, StoreError> {
    let (packages, package): (String, String) = (r.get(3)?, r.get(4)?);
    if !is_for(packages.split_whitespace(), &package) {
        return Ok(None);
    }
    let percent: Option<u8> = r.get(0)?;
    let discount = match percent {
        Some(percent) => Discount::Percent(percent),
        None => Discount::Amount(row::cents(r, 1)?),
    };
    Ok(Some(Terms { discount, duration: row::chosen(r, 2, Duration::parse)? }))
}

impl Read<'_> {
    /// A service, with all that decides what it costs.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn billed_get(&self, server: ServerId) -> Result<Option<Billed>, StoreError> {
        let found = self.maybe(&format!("{SERVICES} WHERE s.uuid = ?1"), [server.to_string()], service)?;
        found.map(|billed| self.billed_filled(billed)).transpose()
    }

    /// The services of an account that are in use, the one that expires first coming first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn billed_list(&self, account: AccountId) -> Result<Vec<Billed>, StoreError> {
        let sql = format!(
            "{SERVICES} WHERE a.uuid = ?1 AND s.service_status IN ('active', 'suspended') AND s.paid_until IS NOT NULL \
             ORDER BY s.paid_until, s.id"
        );
        let found = self.many(&sql, [account.to_string()], service)?;
        found.into_iter().map(|billed| self.billed_filled(billed)).collect()
    }

    /// Why a server is locked: reason, since when, and what the operator noted.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn billed_locks(&self, server: ServerId) -> Result<Vec<(Lock, Time, Option<String>)>, StoreError> {
        let sql = "SELECT k.reason, k.since, k.note FROM server_locks k JOIN servers s ON s.id = k.server_id \
                   WHERE s.uuid = ?1 ORDER BY k.since, k.reason";
        self.many(sql, [server.to_string()], |r| Ok((row::chosen(r, 0, Lock::parse)?, row::time(r, 1)?, r.get(2)?)))
    }

    fn billed_filled(&self, mut billed: Billed) -> Result<Billed, StoreError> {
        let id = billed.id.to_string();
        // One that is on its way from another server is paid for here.
        let sql = "SELECT l.uuid, l.monthly_cents, l.id FROM leases l JOIN nics n ON n.id = l.nic_id \
                   JOIN servers s ON s.id = n.server_id \
                   WHERE s.uuid = ?1 AND l.role = 'extra' AND l.state = 'leased' \
                   UNION ALL SELECT l.uuid, l.monthly_cents, l.id FROM servers s JOIN ip_changes c ON c.target_id = s.id \
                   JOIN actions x ON x.id = c.action_id JOIN leases l ON l.id = c.lease_id \
                   WHERE s.uuid = ?1 AND c.let_go_at IS NULL AND x.status IN ('queued', 'running') ORDER BY 3";
        billed.ips = self.many(sql, [&id], |r| Ok((row::parsed(r, 0)?, Price::of(row::cents(r, 1)?))))?;
        let sql = "SELECT l.uuid, c.new_cents, c.effective_at FROM price_changes c JOIN servers s ON s.id = c.server_id \
                   LEFT JOIN leases l ON l.id = c.lease_id WHERE s.uuid = ?1 AND c.ended IS NULL ORDER BY c.id";
        let read = |r: &Row<'_>| {
            let announced = Announced { price: row::cents(r, 1)?, effective_at: row::time(r, 2)? };
            Ok((row::parsed_maybe::<LeaseId>(r, 0)?, announced))
        };
        for (lease, announced) in self.many(sql, [&id], read)? {
            match lease {
                None => billed.price.announced.push(announced),
                Some(lease) => {
                    let ips = billed.ips.iter_mut().filter(|(ip, _)| *ip == lease);
                    ips.for_each(|(_, price)| price.announced.push(announced));
                }
            }
        }
        let sql = "SELECT u.percent, u.amount_cents, u.duration, u.packages, k.slug FROM promo_uses u \
                   JOIN servers s ON s.id = u.server_id JOIN packages k ON k.id = s.package_id \
                   WHERE s.uuid = ?1 AND u.released_at IS NULL";
        billed.promo = self.maybe(sql, [&id], terms)?.flatten();
        let locks = self.billed_locks(billed.id)?;
        billed.locks = Locks(locks.into_iter().map(|(lock, since, _)| (lock, since)).collect());
        Ok(billed)
    }
}

impl Tx<'_> {
    /// Notes until when a service is paid, and takes back letters that say otherwise; the scheduler looks at it again.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn billed_set_paid(&mut self, service: &Billed, paid_until: Time, now: Time) -> Result<(), StoreError> {
        self.mail_withdraw(service.id)?;
        let sql = "UPDATE servers SET paid_until = ?2, billing_look_at = 0 WHERE uuid = ?1";
        self.run(sql, (service.id.to_string(), paid_until.0))?;
        self.event_put(service.account, &Event::server_renewed(service.id, paid_until), now)
    }

    /// Locks a server for a reason, or lifts that reason; answers whether it was otherwise before.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn billed_lock(
        &mut self,
        server: ServerId,
        lock: Lock,
        is_on: bool,
        note: Option<&str>,
        now: Time,
    ) -> Result<bool, StoreError> {
        let key = self.key_of("servers", &server.to_string())?;
        let touched = match is_on {
            true => {
                let sql = "INSERT INTO server_locks (server_id, reason, since, note) VALUES (?1, ?2, ?3, ?4) \
                           ON CONFLICT DO NOTHING";
                self.run(sql, (key, lock.as_str(), now.0, note))?
            }
            false => self.run("DELETE FROM server_locks WHERE server_id = ?1 AND reason = ?2", (key, lock.as_str()))?,
        };
        self.run("UPDATE servers SET billing_look_at = 0 WHERE id = ?1", [key])?;
        self.news.billing = true;
        Ok(touched > 0)
    }
}
