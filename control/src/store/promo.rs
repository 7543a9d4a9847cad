//! Promo codes, and who used them.

use csp_shared::id::{AccountId, ServerId};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    billing::promo::{Code, Discount, Duration, Promo, Terms, Uses},
    catalog::ServiceType,
    slug::Slug,
    time::Time,
};

const CODES: &str = "SELECT code, percent, amount_cents, duration, type, packages, valid_from, valid_until, uses_max, \
                     uses_per_account_max FROM promo_codes WHERE active = 1";

fn promo(r: &Row<'_>) -> Result<Promo, StoreError> {
    let percent: Option<u8> = r.get(1)?;
    let discount = match percent {
        Some(percent) => Discount::Percent(percent),
        None => Discount::Amount(row::cents(r, 2)?),
    };
    let (kind, packages): (Option<String>, String) = (r.get(4)?, r.get(5)?);
    let damaged = || StoreError::Damaged(packages.clone());
    Ok(Promo {
        code: row::checked(r, 0, Code::parse)?,
        terms: Terms { discount, duration: row::chosen(r, 3, Duration::parse)? },
        kind: kind.as_deref().and_then(ServiceType::parse),
        packages: packages
            .split_whitespace()
            .map(|s| Slug::parse(s).map_err(|_| damaged()))
            .collect::<Result<_, _>>()?,
        valid_from: row::time_maybe(r, 6)?,
        valid_until: row::time_maybe(r, 7)?,
        uses_max: r.get(8)?,
        uses_per_account_max: r.get(9)?,
    })
}

impl Read<'_> {
    /// A code that is not retired.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn promo_get(&self, code: &Code) -> Result<Option<Promo>, StoreError> {
        self.maybe(&format!("{CODES} AND code = ?1"), [code.as_str()], promo)
    }

    /// Codes that are not retired, with how often each was used.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn promo_list(&self) -> Result<Vec<(Promo, u64)>, StoreError> {
        let promos = self.many(&format!("{CODES} ORDER BY code"), [], promo)?;
        let sql = "SELECT count(*) FROM promo_uses u JOIN promo_codes c ON c.id = u.promo_id \
                   WHERE c.code = ?1 AND u.released_at IS NULL";
        promos.into_iter().map(|p| self.count(sql, [p.code.as_str()]).map(|uses| (p, uses))).collect()
    }

    /// How often a code was used, by everybody and by one account.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn promo_uses(&self, code: &Code, account: AccountId) -> Result<Uses, StoreError> {
        let sql = "SELECT count(*), coalesce(sum(a.uuid = ?2), 0) FROM promo_uses u JOIN accounts a ON a.id = u.account_id \
                   WHERE u.released_at IS NULL AND u.promo_id = (SELECT id FROM promo_codes WHERE code = ?1)";
        let (code, account) = (code.as_str(), account.to_string());
        self.one(sql, (code, account), |r| Ok(Uses { total: row::number(r, 0)?, by_account: row::number(r, 1)? }))
    }
}

impl Tx<'_> {
    /// Notes that an order used a code, with the terms of now.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn promo_use(
        &mut self,
        promo: &Promo,
        account: AccountId,
        server: ServerId,
        now: Time,
    ) -> Result<(), StoreError> {
        let (account, server) =
            (self.key_of("accounts", &account.to_string())?, self.key_of("servers", &server.to_string())?);
        let (percent, amount) = match promo.terms.discount {
            Discount::Percent(percent) => (Some(percent), None),
            Discount::Amount(amount) => (None, Some(amount.get())),
        };
        let sql = "INSERT INTO promo_uses (promo_id, account_id, server_id, percent, amount_cents, duration, used_at, packages) \
                   SELECT id, ?2, ?3, ?4, ?5, ?6, ?7, packages FROM promo_codes WHERE code = ?1";
        let code = promo.code.as_str();
        self.insert(sql, (code, account, server, percent, amount, promo.terms.duration.as_str(), now.0)).map(drop)
    }

    /// Gives an order's use of a code back: the order did not run.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn promo_release(&mut self, server: ServerId, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE promo_uses SET released_at = ?2 WHERE released_at IS NULL \
                   AND server_id = (SELECT id FROM servers WHERE uuid = ?1)";
        self.run(sql, (server.to_string(), now.0)).map(drop)
    }
}
