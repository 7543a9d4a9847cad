//! Puts right what went wrong, by one more transfer: a transfer is never changed.

use csp_shared::id::{AccountId, ServerId, TransferId};

use super::money_in::{Moved, PaymentError, account, moved, post_in};
use crate::{
    domain::{
        draw::Draw,
        label::Label,
        ledger::{Book, Cause, Holder, Transfer},
        money::Cents,
        payment::{Reference, settles},
        time::Time,
    },
    store::{Held, Posted, StoreError, Tx},
};

/// A correction.
#[derive(Clone, Debug)]
pub struct CorrectAccount {
    /// Whose wallet.
    pub account: AccountId,
    /// Into the wallet, or out of it.
    pub is_credit: bool,
    /// How much; not zero.
    pub amount: Cents,
    /// The other side: what was booked wrongly.
    pub book: Book,
    /// A ticket's number, for example; unique for ever.
    pub reference: Reference,
    /// Why, for the customer's list.
    pub note: Label,
    /// The service that it is about.
    pub server: Option<ServerId>,
}

/// Why a correction was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum CorrectError {
    /// As for any payment.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// Not this account's.
    #[error("account {account} has no server {server}")]
    NoServer {
        /// Whose.
        account: AccountId,
        /// Which.
        server: ServerId,
    },
}

impl From<StoreError> for CorrectError {
    fn from(error: StoreError) -> Self {
        Self::Payment(error.into())
    }
}

/// Posts a correction, once.
///
/// # Errors
/// With the reason, and nothing changed: a correction never takes more than the wallet holds.
pub fn correct_account(
    tx: &mut Tx<'_>,
    correction: &CorrectAccount,
    draw: Draw,
    now: Time,
) -> Result<Moved, CorrectError> {
    let mut draw = draw;
    let owner = correction.account;
    let owed_before = account(tx, owner)?.owed;
    if correction.amount.is_zero() {
        return Err(PaymentError::Zero.into());
    }
    if let Some(server) = correction.server
        && tx.server_get(server)?.is_none_or(|found| found.account != owner)
    {
        return Err(CorrectError::NoServer { account: owner, server });
    }
    let cause = Cause::Correction { reference: correction.reference.as_str().to_owned() };
    let same = Posted { account: owner, is_credit: correction.is_credit, amount: correction.amount };
    if let Some(known) = tx.transfer_by_cause(&cause)? {
        if known == same {
            return Ok(moved(tx, owner, correction.amount, true)?);
        }
        let way = if known.is_credit { "into" } else { "out of" };
        let what = format!("for {} USD {way} the wallet of account {}", known.amount, known.account);
        let reference = correction.reference.as_str().to_owned();
        return Err(PaymentError::Differs { reference, what }.into());
    }
    let (wallet, book) = (Holder::Wallet(owner), Holder::Book(correction.book));
    let (from, to) = if correction.is_credit { (book, wallet) } else { (wallet, book) };
    let transfer = Transfer {
        from,
        to,
        amount: correction.amount,
        cause,
        server: correction.server,
        description: correction.note.as_str().to_owned(),
    };
    let (posted, settled) = match correction.is_credit {
        true => (post_in(tx, &transfer, &mut draw, now), settles(correction.amount, owed_before)),
        false => (tx.transfer_post(&transfer, TransferId(draw.uuid(now)), now), Cents::ZERO),
    };
    let Held { balance, owed } = posted.map_err(PaymentError::from)?;
    Ok(Moved { account: owner, amount: correction.amount, balance, owed, settled, before: false })
}
