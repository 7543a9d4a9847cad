//! Puts money that came in into a wallet. The payment's id makes it happen once, however often it is told.

use csp_shared::id::AccountId;

use super::money_in::{Moved, PaymentError, account, moved, post_in};
use crate::{
    domain::{
        draw::Draw,
        ledger::{Book, Cause, Holder, Transfer},
        money::Cents,
        payment::{Reference, settles},
        time::Time,
    },
    store::{Held, PostError, Posted, StoreError, Tx},
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
    if credit.amount.is_zero() {
        return Err(PaymentError::Zero);
    }
    let reference = Reference::parse(&credit.reference)?;
    let transfer = Transfer {
        from: Holder::Book(from),
        to: Holder::Wallet(credit.account),
        amount: credit.amount,
        cause: cause(reference.as_str().to_owned()),
        server: None,
        description: credit.note.clone().unwrap_or_else(|| usual.to_owned()),
    };
    let settled = settles(credit.amount, account(tx, credit.account)?.owed);
    match post_in(tx, &transfer, &mut draw, now) {
        Ok(Held { balance, owed }) => {
            Ok(Moved { account: credit.account, amount: credit.amount, balance, owed, settled, before: false })
        }
        Err(PostError::Twice(_)) => told_again(tx, credit, &transfer.cause),
        Err(why) => Err(why.into()),
    }
}

/// The same payment once more moves nothing; another one under its id is somebody's mistake.
fn told_again(tx: &Tx<'_>, credit: &CreditAccount, cause: &Cause) -> Result<Moved, PaymentError> {
    let gone = || StoreError::Damaged(format!("`{cause}` was posted and is not there"));
    let Posted { account: other, amount, .. } = tx.transfer_by_cause(cause)?.ok_or_else(gone)?;
    if amount == credit.amount && other == credit.account {
        return moved(tx, credit.account, credit.amount, true);
    }
    let (reference, what) = (credit.reference.clone(), format!("for {amount} USD to account {other}"));
    Err(PaymentError::Differs { reference, what })
}
