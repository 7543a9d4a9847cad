//! How many of each thing an account has, and where its bound is not the usual one.

use csp_shared::id::AccountId;

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    limits::{Limit, Limits},
    time::Time,
};

/// Servers of somebody who signed up and has paid nothing in: a gift is to be tried, not to be farmed.
const SERVERS_UNPAID_MAX: u32 = 1;

impl Read<'_> {
    /// What an account may have: the usual numbers, and its own where it has some.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn account_limits(&self, account: AccountId, usual: &Limits) -> Result<Limits, StoreError> {
        let sql = "SELECT l.name, l.value FROM account_limits l JOIN accounts a ON a.id = l.account_id \
                   WHERE a.uuid = ?1";
        let own = self
            .many(sql, [account.to_string()], |r| Ok((row::chosen(r, 0, Limit::parse)?, row::number::<u32>(r, 1)?)))?;
        // What the operator gave the account is meant as it is.
        let is_own = own.iter().any(|(limit, _)| *limit == Limit::Servers);
        let is_bound = !is_own && usual.get(Limit::Servers) > SERVERS_UNPAID_MAX && self.account_is_unpaid(account)?;
        let bound: &[_] = if is_bound { &[(Limit::Servers, SERVERS_UNPAID_MAX)] } else { &[] };
        Ok(usual.overridden(bound).overridden(&own))
    }

    /// Whether somebody signed up for an account by themselves, and no top-up of it has arrived and stayed: one that went back
    /// to whoever paid it, or that their bank wants back, counts for nothing.
    fn account_is_unpaid(&self, account: AccountId) -> Result<bool, StoreError> {
        let sql = "SELECT EXISTS (SELECT 1 FROM people p WHERE p.account_id = a.id) AND NOT EXISTS \
                   (SELECT 1 FROM transfers t WHERE t.to_account_id = a.id AND t.cause = 'topup' AND t.amount_cents > \
                   (SELECT coalesce(sum(r.amount_cents), 0) FROM refunds r WHERE r.payment_id = t.id) + \
                   (SELECT coalesce(sum(d.amount_cents), 0) FROM disputes d WHERE d.payment_id = t.id \
                   AND d.outcome IS NOT 'won')) \
                   FROM accounts a WHERE a.uuid = ?1";
        Ok(self.maybe(sql, [account.to_string()], |r| Ok(r.get(0)?))?.unwrap_or(false))
    }

    /// How many of these an account has: what counts is what the provider keeps for it, so neither a failed order, which
    /// was refunded, nor a key that opens nothing.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn account_used(&self, account: AccountId, limit: Limit, now: Time) -> Result<u64, StoreError> {
        let account = account.to_string();
        match limit {
            Limit::Servers => {
                let sql = "SELECT count(*) FROM servers s JOIN accounts a ON a.id = s.account_id \
                           WHERE a.uuid = ?1 AND s.service_status IN ('provisioning', 'active', 'suspended')";
                self.count(sql, [account])
            }
            Limit::SshKeys => {
                let sql = "SELECT count(*) FROM ssh_keys k JOIN accounts a ON a.id = k.account_id WHERE a.uuid = ?1";
                self.count(sql, [account])
            }
            Limit::ApiKeys => {
                let sql = "SELECT count(*) FROM api_keys k JOIN accounts a ON a.id = k.account_id \
                           WHERE a.uuid = ?1 AND k.revoked_at IS NULL AND (k.expires_at IS NULL OR k.expires_at > ?2)";
                self.count(sql, (account, now.0))
            }
            Limit::ShareLinks => {
                let sql = "SELECT count(*) FROM share_links l JOIN servers s ON s.id = l.server_id \
                           JOIN accounts a ON a.id = s.account_id WHERE a.uuid = ?1 AND l.revoked_at IS NULL \
                           AND (l.expires_at IS NULL OR l.expires_at > ?2) \
                           AND s.service_status IN ('provisioning', 'active', 'suspended')";
                self.count(sql, (account, now.0))
            }
            Limit::PrivateNetworks => {
                let sql = "SELECT count(*) FROM accounts a JOIN networks n ON n.account_id = a.id \
                           WHERE a.uuid = ?1 AND n.state = 'active'";
                self.count(sql, [account])
            }
        }
    }
}

impl Tx<'_> {
    /// Gives an account a bound of its own; None takes it back to the usual one.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn account_limit_put(&mut self, account: AccountId, limit: Limit, max: Option<u32>) -> Result<(), StoreError> {
        let account = self.key_of("accounts", &account.to_string())?;
        let changed = match max {
            Some(max) => {
                let sql = "INSERT INTO account_limits (account_id, name, value) VALUES (?1, ?2, ?3) \
                           ON CONFLICT (account_id, name) DO UPDATE SET value = excluded.value";
                self.run(sql, (account, limit.as_str(), max))
            }
            None => {
                self.run("DELETE FROM account_limits WHERE account_id = ?1 AND name = ?2", (account, limit.as_str()))
            }
        };
        changed.map(drop)
    }
}
