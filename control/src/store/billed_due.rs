//! Which services the scheduler has to look at, and when. Every service has a time of its own in an index, so nobody ever
//! goes through all of them; whatever changes a service sets its time back to 0, which is at once.

use csp_shared::id::{AccountId, ServerId};

use super::{Read, StoreError, Tx, row};
use crate::domain::time::{DAY, Time};

/// What a wallet holds matters to a service that is suspended, or ends within its reminders' time.
const MONEY_MATTERS_SECONDS: i64 = 8 * DAY;

impl Read<'_> {
    /// Services that are to be looked at by now, each with the end of its paid time.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn billed_due(&self, now: Time) -> Result<Vec<(Time, ServerId)>, StoreError> {
        let sql = "SELECT paid_until, uuid FROM servers WHERE service_status IN ('active', 'suspended') \
                   AND billing_look_at <= ?1 AND paid_until IS NOT NULL";
        self.many(sql, [now.0], |r| Ok((row::time(r, 0)?, row::parsed(r, 1)?)))
    }
}

impl Tx<'_> {
    /// Says when a service is looked at again; nothing: not before something happens to it.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn billed_look_at(&mut self, server: ServerId, at: Option<Time>) -> Result<(), StoreError> {
        let at = at.map_or(i64::MAX, |at| at.0);
        self.run("UPDATE servers SET billing_look_at = ?2 WHERE uuid = ?1", (server.to_string(), at)).map(drop)
    }

    /// An account's wallet holds another sum: what rests on it is looked at again.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn billed_look_again(&mut self, account: AccountId, now: Time) -> Result<(), StoreError> {
        let key = self.key_of("accounts", &account.to_string())?;
        self.look_again(key, now)
    }

    pub(super) fn look_again(&mut self, account: i64, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE servers SET billing_look_at = 0 WHERE account_id = ?1 \
                   AND service_status IN ('active', 'suspended') AND paid_until <= ?2 AND billing_look_at > 0";
        let touched = self.run(sql, (account, now.plus(MONEY_MATTERS_SECONDS).0))?;
        self.news.billing |= touched > 0;
        Ok(())
    }
}
