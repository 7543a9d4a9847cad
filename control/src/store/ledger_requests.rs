//! What was asked for about services, and what came back by it, as the ledger's check reads them beside their lines.

use rusqlite::Row;

use super::{
    Read, StoreError,
    ledger_services::{ServicePlace, Services},
    row,
};
use crate::domain::ledger::verify::{ActionRow, CreditRow};

fn credit(r: &Row<'_>) -> Result<CreditRow, StoreError> {
    Ok(CreditRow {
        action: row::parsed_maybe(r, 2)?,
        basis: r.get(3)?,
        amount: r.get(4)?,
        set_off: r.get(5)?,
        kept: r.get(6)?,
        at: row::time(r, 7)?,
        paid: row::time_maybe(r, 8)?,
    })
}

fn action(r: &Row<'_>) -> Result<ActionRow, StoreError> {
    let prices: Option<i64> = r.get(9)?;
    Ok(ActionRow {
        id: row::parsed(r, 1)?,
        command: r.get(2)?,
        status: r.get(3)?,
        asked: row::time(r, 4)?,
        finished: row::time_maybe(r, 5)?,
        is_own: r.get(6)?,
        lease: row::parsed_maybe(r, 7)?,
        let_go: row::time_maybe(r, 8)?,
        prices: prices.zip(r.get(10)?),
        period: r.get(11)?,
    })
}

impl Read<'_> {
    /// Every credit of the services' lines, in the order in which they were fixed.
    pub(super) fn ledger_credits(
        &self,
        after: ServicePlace,
        last: ServicePlace,
        services: &mut Services,
    ) -> Result<(), StoreError> {
        let sql = "SELECT p.server_id, c.line_id, x.uuid, c.basis, c.amount_cents, c.set_off_cents, c.kept_cents, \
                   c.fixed_at, c.paid_at FROM periods p JOIN paid_lines l ON l.period_id = p.id \
                   JOIN line_credits c ON c.line_id = l.id LEFT JOIN actions x ON x.id = c.action_id \
                   WHERE p.server_id > ?1 AND p.server_id <= ?2 ORDER BY p.server_id, c.id";
        let rows = self.many(sql, (after.0, last.0), |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?, credit(r)?)))?;
        for (server, line, credit) in rows {
            let service = services.get_mut(&server).map(|(_, service)| service);
            let mut lines = service.into_iter().flat_map(|service| &mut service.periods).flat_map(|p| &mut p.lines);
            if let Some(line) = lines.find(|one| one.id == line) {
                line.credits.push(credit);
            }
        }
        Ok(())
    }

    /// What was asked for that can charge something or give it back, in the order in which it was accepted; also what moves
    /// an address here.
    pub(super) fn ledger_actions(
        &self,
        after: ServicePlace,
        last: ServicePlace,
        services: &mut Services,
    ) -> Result<(), StoreError> {
        const ABOUT: &str = "x.uuid, x.command, x.status, x.created_at, x.finished_at";
        let sql = format!(
            "SELECT x.server_id, {ABOUT}, 1, l.uuid, c.let_go_at, before ->> '$.sold.monthly_cents', \
             after ->> '$.sold.monthly_cents', r.period, x.id FROM actions x \
             LEFT JOIN ip_changes c ON c.action_id = x.id LEFT JOIN leases l ON l.id = c.lease_id \
             LEFT JOIN reshapes r ON r.action_id = x.id AND json_valid(before) AND json_valid(after) \
             WHERE x.server_id > ?1 AND x.server_id <= ?2 AND x.command IN ('create', 'change_package', 'add_extra_ip', \
             'remove_extra_ip', 'move_extra_ip', 'destroy') \
             UNION ALL SELECT c.target_id, {ABOUT}, 0, l.uuid, c.let_go_at, NULL, NULL, NULL, x.id FROM ip_changes c \
             JOIN actions x ON x.id = c.action_id JOIN leases l ON l.id = c.lease_id \
             WHERE c.target_id > ?1 AND c.target_id <= ?2 ORDER BY 13"
        );
        for (server, action) in self.many(&sql, (after.0, last.0), |r| Ok((r.get::<_, i64>(0)?, action(r)?)))? {
            if let Some((_, service)) = services.get_mut(&server) {
                service.actions.push(action);
            }
        }
        Ok(())
    }
}
