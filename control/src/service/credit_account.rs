//! Puts money that came in into a wallet. The payment's id makes it happen once, however often it is told.

use csp_shared::id::{AccountId, TransferId};

use crate::{
    domain::{
        draw::Draw,
        ledger::{Book, Cause, Holder, Transfer},
        money::Cents,
        time::Time,
    },
    store::{PostError, Posted, StoreError, Tx},
};

/// A payment.
#[derive(Clone, Debug)]
pub struct CreditAccount {
    /// Whose wallet.
    pub account: AccountId,
    /// How much; not zero.
    pub amount: Cents,
    /// The payment's id at whoever took it; unique for ever.
    pub reference: String,
    /// For the customer's list.
    pub note: Option<String>,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credited {
    /// The wallet now.
    pub balance: Cents,
    /// The payment was known: nothing was changed.
    pub before: bool,
}

/// Why a payment was not credited.
#[derive(Debug, thiserror::Error)]
pub enum CreditError {
    /// Unknown account.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// Nothing to credit.
    #[error("the amount is zero")]
    Zero,
    /// Not an id.
    #[error("the reference has 1 to 200 printable characters and does not begin or end with a space")]
    Reference,
    /// The same id with another amount or account: one of the two is wrong.
    #[error("payment `{reference}` was credited before: {amount} to account {account}; check which is right")]
    Differs {
        /// The payment's id.
        reference: String,
        /// What it was credited with.
        amount: Cents,
        /// Whom it was credited to.
        account: AccountId,
    },
    /// Beyond any real balance.
    #[error("the balance would pass its bound")]
    Overflow,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Credits a payment once.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn credit_account(tx: &mut Tx<'_>, credit: &CreditAccount, draw: Draw, now: Time) -> Result<Credited, CreditError> {
    let mut draw = draw;
    let account = tx.account_get(credit.account)?.ok_or(CreditError::NoAccount(credit.account))?;
    if credit.amount.is_zero() {
        return Err(CreditError::Zero);
    }
    let printable = !credit.reference.chars().any(|c| c.is_control());
    let trimmed = credit.reference.trim() == credit.reference;
    if !printable || !trimmed || !(1..=200).contains(&credit.reference.chars().count()) {
        return Err(CreditError::Reference);
    }
    let cause = Cause::TopUp { reference: credit.reference.clone() };
    if let Some(Posted { account: other, amount }) = tx.transfer_by_cause(&cause)? {
        let same = amount == credit.amount && other == credit.account;
        let known = Credited { balance: account.balance, before: true };
        let reference = credit.reference.clone();
        return if same { Ok(known) } else { Err(CreditError::Differs { reference, amount, account: other }) };
    }
    let transfer = Transfer {
        from: Holder::Book(Book::TopUps),
        to: Holder::Wallet(credit.account),
        amount: credit.amount,
        cause,
        server: None,
        description: credit.note.clone().unwrap_or_else(|| "Wallet top-up".to_owned()),
    };
    match tx.transfer_post(&transfer, TransferId(draw.uuid(now)), now) {
        Ok(balance) => Ok(Credited { balance, before: false }),
        Err(PostError::Overflow) => Err(CreditError::Overflow),
        Err(PostError::Store(why)) => Err(why.into()),
        Err(why) => Err(StoreError::Damaged(why.to_string()).into()),
    }
}
