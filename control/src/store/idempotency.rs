//! Answers that may have to be given again, sealed under keys that are not stored.

use csp_shared::{id::AccountId, sha256::Sha256};

use super::{Read, StoreError, Tx, row};
use crate::domain::time::Time;

/// How long an answer is kept, in seconds: a day.
const KEPT_SECONDS: i64 = 86_400;

/// An answer that was given before.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredAnswer {
    /// Digest of the request that it answered.
    pub request: Sha256,
    /// HTTP status.
    pub status: u16,
    /// The body, sealed.
    pub sealed_body: Vec<u8>,
}

impl Read<'_> {
    /// The answer that was given under a key, if it is not too old.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn idempotency_get(
        &self,
        account: AccountId,
        key: Sha256,
        now: Time,
    ) -> Result<Option<StoredAnswer>, StoreError> {
        let sql = "SELECT i.request_hash, i.status, i.sealed_body FROM idempotency_keys i \
                   JOIN accounts a ON a.id = i.account_id WHERE a.uuid = ?1 AND i.key_hash = ?2 AND i.created_at > ?3";
        self.maybe(sql, (account.to_string(), key.0, now.plus(-KEPT_SECONDS).0), |r| {
            Ok(StoredAnswer { request: Sha256(r.get(0)?), status: row::number(r, 1)?, sealed_body: r.get(2)? })
        })
    }
}

impl Tx<'_> {
    /// Keeps an answer; one that is too old under the same key makes room.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn idempotency_insert(
        &mut self,
        account: AccountId,
        key: Sha256,
        answer: &StoredAnswer,
        now: Time,
    ) -> Result<(), StoreError> {
        let account = self.key_of("accounts", &account.to_string())?;
        let sql = "INSERT OR REPLACE INTO idempotency_keys (account_id, key_hash, request_hash, status, sealed_body, created_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.run(sql, (account, key.0, answer.request.0, answer.status, &answer.sealed_body, now.0)).map(drop)
    }

    /// Forgets answers that are too old; answers how many.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn idempotency_forget_old(&mut self, now: Time) -> Result<usize, StoreError> {
        self.run("DELETE FROM idempotency_keys WHERE created_at <= ?1", [now.plus(-KEPT_SECONDS).0])
    }
}
