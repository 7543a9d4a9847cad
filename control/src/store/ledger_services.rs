//! Services as the ledger's check reads them, in pages: what was paid for each, given back, and known about it. Rows come as
//! they are, damaged or not; each page is a handful of questions, however many services it has.

use std::collections::BTreeMap;

use csp_shared::id::{LeaseId, ServerId};

use super::{Read, StoreError, ledger::posted_before, row};
use crate::domain::ledger::verify::{LineRow, PeriodRow, Posting, PromoRow, ServiceRows};

/// A place among the services.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ServicePlace(pub(super) i64);

/// By the key of their rows.
pub(super) type Services = BTreeMap<i64, (ServerId, ServiceRows)>;

impl Read<'_> {
    /// The next services after a place with all that was paid for them, and the place of the last of them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ledger_services(
        &self,
        after: ServicePlace,
        limit: u32,
    ) -> Result<(Vec<(ServerId, ServiceRows)>, ServicePlace), StoreError> {
        let carried = self.many("SELECT until FROM ledger_carried", [], |r| row::time(r, 0))?;
        let sql = "SELECT s.id, s.uuid, s.paid_until, s.service_status IN ('failed', 'destroyed'), s.end_credit, \
                   s.anchor_at FROM servers s WHERE s.id > ?1 ORDER BY s.id LIMIT ?2";
        let services = self.many(sql, (after.0, limit), |r| {
            let rows = ServiceRows {
                paid_until: row::time_maybe(r, 2)?,
                has_ended: r.get(3)?,
                end_credit: r.get(4)?,
                carried_until: carried.first().copied(),
                anchor: row::time_maybe(r, 5)?,
                ..ServiceRows::default()
            };
            Ok((r.get::<_, i64>(0)?, (row::parsed::<ServerId>(r, 1)?, rows)))
        })?;
        let last = services.last().map_or(after, |(place, _)| ServicePlace(*place));
        let mut services: Services = services.into_iter().collect();
        self.ledger_periods(after, last, &mut services)?;
        self.ledger_postings(after, last, &mut services)?;
        self.ledger_prices(after, last, &mut services)?;
        self.ledger_promos(after, last, &mut services)?;
        self.ledger_credits(after, last, &mut services)?;
        self.ledger_actions(after, last, &mut services)?;
        Ok((services.into_values().collect(), last))
    }

    fn ledger_periods(
        &self,
        after: ServicePlace,
        last: ServicePlace,
        services: &mut Services,
    ) -> Result<(), StoreError> {
        let sql = concat!(
            "SELECT p.server_id, p.ordinal, p.starts_at, p.ends_at, l.thing, l.list_cents, l.net_cents, \
                   l.credited_cents, t.uuid, e.uuid, l.price_cents, l.net_price_cents, l.kept_cents, l.from_at, l.ended_at, \
                   l.created_at, x.uuid, l.id, e.created_at, ",
            posted_before!("l.transfer_id"),
            " FROM periods p LEFT JOIN paid_lines l ON l.period_id = p.id \
                   LEFT JOIN transfers t ON t.id = l.transfer_id LEFT JOIN leases e ON e.id = l.lease_id \
                   LEFT JOIN actions x ON x.id = l.action_id WHERE p.server_id > ?1 AND p.server_id <= ?2 ORDER BY p.server_id, p.ordinal, l.id"
        );
        let rows = self.many(sql, (after.0, last.0), |r| {
            let span = row::time_maybe(r, 2)?.zip(row::time_maybe(r, 3)?);
            let at = row::time_maybe(r, 15)?;
            let line = match r.get::<_, Option<String>>(4)?.zip(at) {
                Some((thing, at)) => Some(LineRow {
                    thing,
                    list: r.get(5)?,
                    net: r.get(6)?,
                    credited: r.get(7)?,
                    transfer: row::parsed_maybe(r, 8)?,
                    lease: row::parsed_maybe(r, 9)?,
                    price: r.get(10)?,
                    net_price: r.get(11)?,
                    kept: r.get(12)?,
                    from: row::time_maybe(r, 13)?,
                    ended: row::time_maybe(r, 14)?,
                    at,
                    placed: row::time_maybe(r, 19)?.map_or(at, |said| said.min(at)),
                    action: row::parsed_maybe(r, 16)?,
                    id: r.get(17)?,
                    added: row::time_maybe(r, 18)?,
                    credits: Vec::new(),
                }),
                None => None,
            };
            Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?, span, line))
        })?;
        for (server, ordinal, span, line) in rows {
            let Some((_, service)) = services.get_mut(&server) else { continue };
            if service.periods.last().is_none_or(|last| last.ordinal != ordinal) {
                service.periods.push(PeriodRow { ordinal, span, lines: Vec::new() });
            }
            if let (Some(period), Some(line)) = (service.periods.last_mut(), line) {
                period.lines.push(line);
            }
        }
        Ok(())
    }

    fn ledger_postings(
        &self,
        after: ServicePlace,
        last: ServicePlace,
        services: &mut Services,
    ) -> Result<(), StoreError> {
        let sql = "SELECT server_id, uuid, cause_key, from_account_id IS NOT NULL, amount_cents, \
                   from_book IS NOT NULL AND to_book IS NOT NULL FROM transfers \
                   WHERE server_id > ?1 AND server_id <= ?2 ORDER BY server_id, id";
        let rows = self.many(sql, (after.0, last.0), |r| {
            let posting =
                Posting { transfer: row::parsed(r, 1)?, key: r.get(2)?, is_debit: r.get(3)?, amount: r.get(4)? };
            Ok((r.get::<_, i64>(0)?, r.get::<_, bool>(5)?, posting))
        })?;
        for (server, is_inside, posting) in rows {
            if let Some((_, service)) = services.get_mut(&server) {
                if is_inside { service.inside.push(posting) } else { service.postings.push(posting) }
            }
        }
        Ok(())
    }

    /// Prices that a service or its addresses had, have, or were to have.
    fn ledger_prices(
        &self,
        after: ServicePlace,
        last: ServicePlace,
        services: &mut Services,
    ) -> Result<(), StoreError> {
        let sql = "SELECT id, NULL, package_monthly_cents, NULL FROM servers WHERE id > ?1 AND id <= ?2 \
                   UNION ALL SELECT n.server_id, l.uuid, l.monthly_cents, NULL FROM nics n JOIN leases l ON l.nic_id = n.id \
                   WHERE n.server_id > ?1 AND n.server_id <= ?2 \
                   UNION ALL SELECT c.server_id, l.uuid, c.old_cents, c.new_cents FROM price_changes c \
                   LEFT JOIN leases l ON l.id = c.lease_id WHERE c.server_id > ?1 AND c.server_id <= ?2 \
                   UNION ALL SELECT server_id, NULL, before ->> '$.sold.monthly_cents', after ->> '$.sold.monthly_cents' \
                   FROM reshapes WHERE server_id > ?1 AND server_id <= ?2 AND json_valid(before) AND json_valid(after)";
        let rows = self.many(sql, (after.0, last.0), |r| {
            let prices: [Option<i64>; 2] = [r.get(2)?, r.get(3)?];
            Ok((r.get::<_, i64>(0)?, row::parsed_maybe::<LeaseId>(r, 1)?, prices))
        })?;
        for (server, lease, prices) in rows {
            let Some((_, service)) = services.get_mut(&server) else { continue };
            service.prices.extend(prices.into_iter().flatten().map(|price| (lease, price)));
        }
        Ok(())
    }

    fn ledger_promos(
        &self,
        after: ServicePlace,
        last: ServicePlace,
        services: &mut Services,
    ) -> Result<(), StoreError> {
        let sql = "SELECT server_id, percent, amount_cents, duration, released_at IS NOT NULL, packages <> '' \
                   AND EXISTS (SELECT 1 FROM reshapes r WHERE r.server_id = promo_uses.server_id), \
                   account_id = (SELECT account_id FROM servers s WHERE s.id = promo_uses.server_id) FROM promo_uses \
                   WHERE server_id > ?1 AND server_id <= ?2";
        let rows = self.many(sql, (after.0, last.0), |r| {
            let (percent, amount) = (r.get(1)?, r.get(2)?);
            let (duration, is_released, may_lapse) = (r.get(3)?, r.get(4)?, r.get(5)?);
            let promo = PromoRow { percent, amount, duration, is_released, may_lapse, is_owners: r.get(6)? };
            Ok((r.get::<_, i64>(0)?, promo))
        })?;
        for (server, promo) in rows {
            if let Some((_, service)) = services.get_mut(&server) {
                service.promo = Some(promo);
            }
        }
        Ok(())
    }
}
