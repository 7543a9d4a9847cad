//! Customers' accounts and their wallets' balances.

use csp_shared::id::AccountId;
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    email::Email,
    label::Label,
    money::Cents,
    payment::{AccountLock, account_locks},
    time::Time,
};

/// A customer's account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Account {
    /// Its id.
    pub id: AccountId,
    /// For people.
    pub name: String,
    /// Where its owner is reached.
    pub email: Option<String>,
    /// What is left in the wallet.
    pub balance: Cents,
    /// What is owed for disputed payments.
    pub owed: Cents,
    /// A dispute of one of its payments is open.
    pub is_disputed: bool,
    /// When it was opened.
    pub created_at: Time,
    /// When its owner closed it.
    pub closed_at: Option<Time>,
}

const COLUMNS: &str = "SELECT uuid, name, email, balance_cents, created_at, owed_cents, EXISTS (SELECT 1 FROM disputes d \
                       WHERE d.account_id = accounts.id AND d.closed_at IS NULL), closed_at FROM accounts";

impl Account {
    /// Why it may not order; empty when it may.
    #[must_use]
    pub fn locks(&self) -> Vec<AccountLock> {
        let closed = self.closed_at.map(|_| AccountLock::Closed);
        closed.into_iter().chain(account_locks(self.owed, self.is_disputed)).collect()
    }
}

fn read(row: &Row<'_>) -> Result<Account, StoreError> {
    Ok(Account {
        id: row::parsed(row, 0)?,
        name: row.get(1)?,
        email: row.get(2)?,
        balance: row::cents(row, 3)?,
        created_at: row::time(row, 4)?,
        owed: row::cents(row, 5)?,
        is_disputed: row.get(6)?,
        closed_at: row::time_maybe(row, 7)?,
    })
}

impl Read<'_> {
    /// One account.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn account_get(&self, id: AccountId) -> Result<Option<Account>, StoreError> {
        self.maybe(&format!("{COLUMNS} WHERE uuid = ?1"), [id.to_string()], read)
    }

    /// All accounts, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn account_list(&self) -> Result<Vec<Account>, StoreError> {
        self.many(&format!("{COLUMNS} ORDER BY id"), [], read)
    }
}

impl Tx<'_> {
    /// Opens an account with an empty wallet.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn account_insert(
        &mut self,
        id: AccountId,
        name: &Label,
        email: Option<&Email>,
        now: Time,
    ) -> Result<(), StoreError> {
        let sql = "INSERT INTO accounts (uuid, name, email, created_at) VALUES (?1, ?2, ?3, ?4)";
        self.insert(sql, (id.to_string(), name.as_str(), email.map(Email::as_str), now.0)).map(drop)
    }

    /// Says where an account's owner is reached from now on.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn account_set_email(&mut self, id: AccountId, email: &Email) -> Result<(), StoreError> {
        let sql = "UPDATE accounts SET email = ?2 WHERE uuid = ?1";
        self.run(sql, (id.to_string(), email.as_str())).map(drop)
    }
}
