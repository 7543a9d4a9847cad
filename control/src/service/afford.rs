//! The part that everything which costs shares: whether the account may spend that, and whether its wallet holds it. Asked
//! inside the transaction that takes the money.

use csp_shared::id::AccountId;

use crate::{
    domain::{
        money::Cents,
        payment::{AccountLock, Spending, may_spend},
    },
    store::{StoreError, Tx},
};

/// Why something was not paid. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum Unaffordable {
    /// A payment is disputed, or something is owed.
    #[error("the account may not order: {0}")]
    Locked(AccountLock),
    /// The wallet has less.
    #[error("the balance is {missing} short of {price}")]
    Short {
        /// What it costs.
        price: Cents,
        /// How much is missing.
        missing: Cents,
        /// What the renewal takes that has to come first; most of the time none has.
        renewal: Cents,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl Unaffordable {
    /// The same, where renewals had to be paid first: they are taken back with all else, and whoever tops up needs both.
    pub(super) fn behind(self, renewals: Cents) -> Self {
        match self {
            Self::Short { price, missing, .. } => Self::Short { price, missing, renewal: renewals },
            other => other,
        }
    }
}

/// What a wallet holds before and after a price is paid.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Funds {
    pub(super) before: Cents,
    pub(super) left: Cents,
}

/// What a wallet holds before and after `price` is paid for `spending`.
///
/// # Errors
/// When the account may not, or the wallet has less.
pub(super) fn afford(tx: &Tx<'_>, account: AccountId, spending: Spending, price: Cents) -> Result<Funds, Unaffordable> {
    let account = tx.account_get(account)?;
    let locks = account.as_ref().map(|account| account.locks()).unwrap_or_default();
    may_spend(spending, price, &locks).map_err(Unaffordable::Locked)?;
    let before = account.map_or(Cents::ZERO, |account| account.balance);
    let short = || {
        let missing = price.minus(before).unwrap_or_default();
        Unaffordable::Short { price, missing, renewal: Cents::ZERO }
    };
    Ok(Funds { before, left: before.minus(price).ok_or_else(short)? })
}
