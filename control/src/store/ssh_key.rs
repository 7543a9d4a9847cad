//! Customers' public SSH keys.

use csp_shared::id::{AccountId, SshKeyId};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{label::Label, ssh_key::SshKey, time::Time};

/// A stored public key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SshKeyRow {
    /// Its id.
    pub id: SshKeyId,
    /// For its owner.
    pub label: String,
    /// Type and data.
    pub public_key: String,
    /// `SHA256:…`.
    pub fingerprint: String,
    /// When it was added.
    pub created_at: Time,
}

const COLUMNS: &str = "SELECT k.uuid, k.label, k.public_key, k.fingerprint, k.created_at \
                       FROM ssh_keys k JOIN accounts a ON a.id = k.account_id WHERE a.uuid = ?1";

fn read(row: &Row<'_>) -> Result<SshKeyRow, StoreError> {
    Ok(SshKeyRow {
        id: row::parsed(row, 0)?,
        label: row.get(1)?,
        public_key: row.get(2)?,
        fingerprint: row.get(3)?,
        created_at: row::time(row, 4)?,
    })
}

impl Read<'_> {
    /// An account's keys, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ssh_key_list(&self, account: AccountId) -> Result<Vec<SshKeyRow>, StoreError> {
        self.many(&format!("{COLUMNS} ORDER BY k.id"), [account.to_string()], read)
    }

    /// One of an account's keys.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ssh_key_get(&self, account: AccountId, id: SshKeyId) -> Result<Option<SshKeyRow>, StoreError> {
        self.maybe(&format!("{COLUMNS} AND k.uuid = ?2"), (account.to_string(), id.to_string()), read)
    }

    /// The account's key with this fingerprint.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn ssh_key_by_fingerprint(&self, account: AccountId, print: &str) -> Result<Option<SshKeyRow>, StoreError> {
        self.maybe(&format!("{COLUMNS} AND k.fingerprint = ?2"), (account.to_string(), print), read)
    }
}

impl Tx<'_> {
    /// Keeps a key.
    ///
    /// # Errors
    /// When the store cannot keep it, or the account has the same key already.
    pub fn ssh_key_insert(
        &mut self,
        account: AccountId,
        id: SshKeyId,
        label: &Label,
        key: &SshKey,
        now: Time,
    ) -> Result<(), StoreError> {
        let account = self.key_of("accounts", &account.to_string())?;
        let sql = "INSERT INTO ssh_keys (uuid, account_id, label, public_key, fingerprint, created_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.insert(sql, (id.to_string(), account, label.as_str(), key.line(), key.fingerprint(), now.0)).map(drop)
    }

    /// Gives a key another name; `false` when the account has no such key.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn ssh_key_rename(&mut self, account: AccountId, id: SshKeyId, label: &Label) -> Result<bool, StoreError> {
        let sql = "UPDATE ssh_keys SET label = ?3 WHERE uuid = ?2 \
                   AND account_id = (SELECT id FROM accounts WHERE uuid = ?1)";
        Ok(self.run(sql, (account.to_string(), id.to_string(), label.as_str()))? == 1)
    }

    /// Forgets a key; `false` when the account has no such key. Servers that were ordered with it keep their own copy.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn ssh_key_delete(&mut self, account: AccountId, id: SshKeyId) -> Result<bool, StoreError> {
        let sql =
            "SELECT k.id FROM ssh_keys k JOIN accounts a ON a.id = k.account_id WHERE a.uuid = ?1 AND k.uuid = ?2";
        let key: Option<i64> = self.maybe(sql, (account.to_string(), id.to_string()), |r| Ok(r.get(0)?))?;
        let Some(key) = key else { return Ok(false) };
        self.run("UPDATE servers SET ssh_key_id = NULL WHERE ssh_key_id = ?1", [key])?;
        self.run("DELETE FROM ssh_keys WHERE id = ?1", [key]).map(|_| true)
    }
}
