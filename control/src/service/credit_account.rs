//! Puts money that came in into a wallet. The payment's id makes it happen once, however often it is told.

use csp_shared::id::AccountId;

use super::money_in::{Moved, PaymentError, account, moved, post_in};
use crate::{
    domain::{
        draw::Draw,
        ledger::{Book, Cause, Holder, Transfer},
        money::Cents,
        payment::Reference,
        time::Time,
    },
    store::{Posted, Tx},
};

/// Money that came in, or that the provider gives.
#[derive(Clone, Debug)]
pub struct CreditAccount {
    /// Whose wallet.
    pub account: AccountId,
    /// How much; not zero.
    pub amount: Cents,
    /// The payment's id at whoever took it, or a ticket's; unique for ever.
    pub reference: String,
    /// For the customer's list.
    pub note: Option<String>,
}

/// Credits a payment once. What is owed is paid from it first.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn credit_account(tx: &mut Tx<'_>, credit: &CreditAccount, draw: Draw, now: Time) -> Result<Moved, PaymentError> {
    let cause = |reference| Cause::TopUp { reference };
    once(tx, credit, Book::TopUps, cause, "Wallet top-up", draw, now)
}

/// Gives the provider's own money, once.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn give_goodwill(tx: &mut Tx<'_>, gift: &CreditAccount, draw: Draw, now: Time) -> Result<Moved, PaymentError> {
    let cause = |reference| Cause::Goodwill { reference };
    once(tx, gift, Book::Promotions, cause, "Credit from your provider", draw, now)
}

fn once(
    tx: &mut Tx<'_>,
    credit: &CreditAccount,
    from: Book,
    cause: fn(String) -> Cause,
    usual: &str,
    draw: Draw,
    now: Time,
) -> Result<Moved, PaymentError> {
    let mut draw = draw;
    account(tx, credit.account)?;
    if credit.amount.is_zero() {
        return Err(PaymentError::Zero);
    }
    let reference = Reference::parse(&credit.reference)?;
    let cause = cause(reference.as_str().to_owned());
    if let Some(Posted { account: other, amount, .. }) = tx.transfer_by_cause(&cause)? {
        if amount == credit.amount && other == credit.account {
            return moved(tx, credit.account, credit.amount, true);
        }
        let (reference, what) = (credit.reference.clone(), format!("for {amount} USD to account {other}"));
        return Err(PaymentError::Differs { reference, what });
    }
    let transfer = Transfer {
        from: Holder::Book(from),
        to: Holder::Wallet(credit.account),
        amount: credit.amount,
        cause,
        server: None,
        description: credit.note.clone().unwrap_or_else(|| usual.to_owned()),
    };
    post_in(tx, &transfer, &mut draw, now)?;
    moved(tx, credit.account, credit.amount, false)
}
