//! Periods of a service and what was paid for each.

use csp_shared::id::{ActionId, LeaseId, ServerId, TransferId};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    billing::{
        destroy::EndCredit,
        line::{Line, LineId, Period, Thing},
        proration::Span,
        quote::{Basis, Charge, Credit},
    },
    money::Cents,
    time::Time,
};

const LINES: &str = "SELECT p.ordinal, p.starts_at, p.ends_at, l.id, l.thing, e.uuid, l.price_cents, l.net_price_cents, \
                     l.kept_cents, l.from_at, l.net_cents, l.credited_cents, l.ended_at \
                     FROM periods p JOIN servers s ON s.id = p.server_id JOIN paid_lines l ON l.period_id = p.id \
                     LEFT JOIN leases e ON e.id = l.lease_id";

fn line(r: &Row<'_>) -> Result<Line, StoreError> {
    let lease: Option<LeaseId> = row::parsed_maybe(r, 5)?;
    Ok(Line {
        id: LineId(r.get(3)?),
        thing: lease.map_or(Thing::Package, Thing::ExtraIp),
        price: row::cents(r, 6)?,
        net_price: row::cents(r, 7)?,
        kept: row::cents(r, 8)?,
        from: row::time_maybe(r, 9)?,
        net: row::cents(r, 10)?,
        credited: row::cents(r, 11)?,
        ended_at: row::time_maybe(r, 12)?,
    })
}

impl Read<'_> {
    /// The periods of a service that are not over, in order, each with its lines, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn period_list(&self, server: ServerId, now: Time) -> Result<Vec<Period>, StoreError> {
        let sql =
            format!("{LINES} WHERE s.uuid = ?1 AND (p.ends_at IS NULL OR p.ends_at > ?2) ORDER BY p.ordinal, l.id");
        let mut periods: Vec<Period> = Vec::new();
        let rows = self.many(&sql, (server.to_string(), now.0), |r| {
            let ends = row::time_maybe(r, 1)?.zip(row::time_maybe(r, 2)?);
            Ok((row::number(r, 0)?, ends.and_then(|(from, to)| Span::new(from, to)), line(r)?))
        })?;
        for (ordinal, span, line) in rows {
            match periods.last_mut().filter(|period| period.ordinal == ordinal) {
                Some(period) => period.lines.push(line),
                None => periods.push(Period { ordinal, span, lines: vec![line] }),
            }
        }
        Ok(periods)
    }
}

impl Tx<'_> {
    /// Adds a paid line, and its period when it is the first of it. A free line has no transfer.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn period_charge(
        &mut self,
        server: ServerId,
        charge: &Charge,
        span: Option<Span>,
        paid: (TransferId, Option<ActionId>),
        now: Time,
    ) -> Result<(), StoreError> {
        let server = self.key_of("servers", &server.to_string())?;
        let known = "SELECT id FROM periods WHERE server_id = ?1 AND ordinal = ?2";
        let period = match self.maybe(known, (server, charge.ordinal), |r| Ok(r.get(0)?))? {
            Some(period) => period,
            None => {
                let sql = "INSERT INTO periods (server_id, ordinal, starts_at, ends_at) VALUES (?1, ?2, ?3, ?4)";
                let (from, to) = span.map(|span| (span.from().0, span.to().0)).unzip();
                self.insert(sql, (server, charge.ordinal, from, to))?
            }
        };
        let (thing, lease) = match charge.thing {
            Thing::Package => ("package", None),
            Thing::ExtraIp(lease) => ("extra_ip", Some(self.key_of("leases", &lease.to_string())?)),
        };
        let action = paid.1.map(|action| self.key_of("actions", &action.to_string())).transpose()?;
        let sql = "INSERT INTO paid_lines (period_id, thing, lease_id, price_cents, net_price_cents, kept_cents, from_at, \
                   list_cents, net_cents, transfer_id, action_id, created_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?4, ?6, ?7, ?8, (SELECT id FROM transfers WHERE uuid = ?9), ?10, ?11)";
        let params = rusqlite::params![
            period,
            thing,
            lease,
            charge.price.get(),
            charge.net_price.get(),
            charge.from.map(|from| from.0),
            charge.list.get(),
            charge.net.get(),
            paid.0.to_string(),
            action,
            now.0
        ];
        self.insert(sql, params).map(drop)
    }

    /// Begins the first period: the server was seen running. A service that has an anchor keeps it.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn period_begin(&mut self, server: ServerId, anchor: Time, paid_until: Time) -> Result<(), StoreError> {
        let sql = "UPDATE servers SET anchor_at = ?2, paid_until = ?3, billing_look_at = 0 \
                   WHERE uuid = ?1 AND anchor_at IS NULL";
        if self.run(sql, (server.to_string(), anchor.0, paid_until.0))? == 0 {
            return Ok(());
        }
        let sql = "UPDATE periods SET starts_at = ?2, ends_at = ?3 \
                   WHERE ordinal = 0 AND server_id = (SELECT id FROM servers WHERE uuid = ?1)";
        self.run(sql, (server.to_string(), anchor.0, paid_until.0)).map(drop)
    }

    /// Gives back all lines of a server that never ran, each whole.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn period_credit_all(&mut self, server: ServerId, now: Time) -> Result<(), StoreError> {
        let sql = "SELECT l.id, l.net_cents - l.credited_cents, x.id FROM servers s JOIN periods p ON p.server_id = s.id \
                   JOIN paid_lines l ON l.period_id = p.id JOIN actions x ON x.server_id = s.id AND x.command = 'create' \
                   WHERE s.uuid = ?1 AND l.ended_at IS NULL ORDER BY l.id";
        let lines = self.many(sql, [server.to_string()], |r| Ok((r.get(0)?, r.get(1)?, r.get(2)?)))?;
        lines.into_iter().try_for_each(|(line, left, action)| self.give_back_whole(line, left, action, now))
    }

    fn give_back_whole(&mut self, line: i64, left: i64, action: i64, now: Time) -> Result<(), StoreError> {
        let sql = "INSERT INTO line_credits (line_id, action_id, basis, amount_cents, kept_cents, fixed_at, paid_at) \
                   VALUES (?1, ?2, 'whole', ?3, 0, ?4, ?4)";
        self.insert(sql, (line, action, left, now.0))?;
        let sql = "UPDATE paid_lines SET credited_cents = net_cents, kept_cents = 0, ended_at = ?2 WHERE id = ?1";
        self.run(sql, (line, now.0)).map(drop)
    }

    /// Notes by what a destroyed server's time is given back.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn end_credit_note(&mut self, server: ServerId, by: EndCredit) -> Result<(), StoreError> {
        self.run("UPDATE servers SET end_credit = ?2 WHERE uuid = ?1", (server.to_string(), by.as_str())).map(drop)
    }

    /// Fixes what an action gives back when it is done.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn credit_promise(
        &mut self,
        action: ActionId,
        credits: &[Credit],
        basis: Basis,
        now: Time,
    ) -> Result<(), StoreError> {
        let action = self.key_of("actions", &action.to_string())?;
        let sql = "INSERT INTO line_credits (action_id, line_id, basis, amount_cents, kept_cents, fixed_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        for credit in credits {
            let params = (action, credit.line.0, basis.as_str(), credit.amount.get(), credit.kept.get(), now.0);
            self.insert(sql, params)?;
        }
        Ok(())
    }

    /// Gives a part of what an action promises at once: `amount`, of its lines in order.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn credit_set_off(&mut self, action: ActionId, amount: Cents) -> Result<(), StoreError> {
        let action = self.key_of("actions", &action.to_string())?;
        let sql = "SELECT line_id, amount_cents FROM line_credits WHERE action_id = ?1 ORDER BY line_id";
        let promised = self.many(sql, [action], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)))?;
        let mut left = amount.get();
        for (line, promised) in promised {
            let part = promised.min(left);
            left -= part;
            let sql = "UPDATE line_credits SET amount_cents = amount_cents - ?3, set_off_cents = ?3 \
                       WHERE action_id = ?1 AND line_id = ?2";
            self.run(sql, (action, line, part))?;
            self.run("UPDATE paid_lines SET credited_cents = credited_cents + ?2 WHERE id = ?1", (line, part))?;
        }
        Ok(())
    }

    /// Forgets what an action promised and did not pay, and what of it was set off: it will not be done. Lines that it paid
    /// for are given back, each whole.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn period_reverse(&mut self, action: ActionId, now: Time) -> Result<(), StoreError> {
        let action = self.key_of("actions", &action.to_string())?;
        let sql = "SELECT line_id, set_off_cents FROM line_credits \
                   WHERE action_id = ?1 AND paid_at IS NULL AND set_off_cents > 0";
        for (line, part) in self.many(sql, [action], |r| Ok((r.get::<_, i64>(0)?, r.get::<_, i64>(1)?)))? {
            self.run("UPDATE paid_lines SET credited_cents = credited_cents - ?2 WHERE id = ?1", (line, part))?;
        }
        self.run("DELETE FROM line_credits WHERE action_id = ?1 AND paid_at IS NULL", [action])?;
        let sql = "SELECT id, net_cents - credited_cents FROM paid_lines WHERE action_id = ?1 AND ended_at IS NULL \
                   ORDER BY id";
        let lines = self.many(sql, [action], |r| Ok((r.get(0)?, r.get(1)?)))?;
        lines.into_iter().try_for_each(|(line, left)| self.give_back_whole(line, left, action, now))
    }

    /// Pays what an action promised: takes it off its lines, and answers the sum, in cents. Doing it again changes nothing.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn credit_keep(&mut self, action: ActionId, now: Time) -> Result<i64, StoreError> {
        let sql = "SELECT c.id, c.line_id, c.amount_cents, c.kept_cents, c.fixed_at FROM line_credits c \
                   JOIN actions a ON a.id = c.action_id WHERE a.uuid = ?1 AND c.paid_at IS NULL ORDER BY c.line_id";
        let read = |r: &Row<'_>| -> Result<[i64; 5], StoreError> {
            Ok([r.get(0)?, r.get(1)?, r.get(2)?, r.get(3)?, r.get(4)?])
        };
        let mut sum = 0;
        for [credit, line, amount, kept, fixed_at] in self.many(sql, [action.to_string()], read)? {
            let sql = "UPDATE paid_lines SET credited_cents = credited_cents + ?2, kept_cents = ?3, \
                       ended_at = CASE WHEN ?3 = 0 THEN ?4 END WHERE id = ?1";
            self.run(sql, (line, amount, kept, fixed_at))?;
            self.run("UPDATE line_credits SET paid_at = ?2 WHERE id = ?1", (credit, now.0))?;
            sum += amount;
        }
        Ok(sum)
    }
}
