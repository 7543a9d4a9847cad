//! Somebody wants to pay in, and Stripe tells what came of it. Amount and account are those that we asked for; what the word from
//! outside says of them must agree.

use csp_shared::id::{AccountId, TopUpId};

use super::{money_in::PaymentError, open_dispute::OpenDispute, refund_payment::RefundPayment};
use crate::{
    domain::{
        draw::Draw,
        money::Cents,
        payment::{BadReference, Reference},
        time::Time,
        top_up::{
            ASKED_MAX, ASKED_SECONDS, CURRENCY, Disputed, Refunded, ToldSession, TopUpState, reference, still_to_take,
        },
    },
    store::{StoreError, TopUpRow, Tx},
};

/// Why nothing was done.
#[derive(Debug, thiserror::Error)]
pub enum TopUpError {
    /// Pages are made at Stripe: not without end.
    #[error("you asked for {ASKED_MAX} payments within an hour; pay one of them, or wait")]
    TooMany,
    /// Not one of ours.
    #[error("no top-up is paid as `{0}`")]
    Unknown(String),
    /// What was told is not what we asked for: somebody has to look.
    #[error("`{session}` was told with another {what} than we asked for: nothing was credited")]
    Differs {
        /// Stripe's page.
        session: String,
        /// What is another one.
        what: &'static str,
    },
    /// No id.
    #[error(transparent)]
    Reference(#[from] BadReference),
    /// Money was not moved.
    #[error(transparent)]
    Payment(#[from] PaymentError),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Keeps what somebody wants to pay in.
///
/// # Errors
/// When they asked for too many.
pub fn ask_top_up(
    tx: &mut Tx<'_>,
    account: AccountId,
    amount: Cents,
    draw: Draw,
    now: Time,
) -> Result<TopUpId, TopUpError> {
    let mut draw = draw;
    if tx.top_up_count(account, now.plus(-ASKED_SECONDS), now)? >= ASKED_MAX {
        return Err(TopUpError::TooMany);
    }
    let id = TopUpId(draw.uuid(now));
    tx.top_up_insert(id, account, amount, now)?;
    Ok(id)
}

/// The top-up that is paid on a page, where all that is told of it is as we asked for it.
///
/// # Errors
/// When it is not.
pub fn told_top_up(tx: &Tx<'_>, told: &ToldSession) -> Result<TopUpRow, TopUpError> {
    let row = tx.top_up_by_session(&told.session)?.ok_or_else(|| TopUpError::Unknown(told.session.clone()))?;
    let agrees = [
        ("amount", told.amount == Some(row.amount.get())),
        ("currency", told.currency.as_deref() == Some(CURRENCY)),
        ("top-up", told.top_up.as_deref() == Some(&row.id.to_string())),
        ("account", told.account.as_deref() == Some(&row.account.to_string())),
    ];
    match agrees.into_iter().find(|(_, agrees)| !agrees) {
        Some((what, _)) => Err(TopUpError::Differs { session: told.session.clone(), what }),
        None => Ok(row),
    }
}

/// Notes which payment a top-up was paid by, and answers how the ledger calls it; to be credited in the same transaction.
///
/// # Errors
/// When none is named, it was paid by another one, or that one paid another top-up.
pub fn note_paid(tx: &mut Tx<'_>, row: &TopUpRow, told: &ToldSession) -> Result<Reference, TopUpError> {
    let differs = || TopUpError::Differs { session: told.session.clone(), what: "payment" };
    let payment = reference(told.payment.as_deref().ok_or_else(differs)?)?;
    let is_anothers = tx.top_up_by_payment(&payment)?.is_some_and(|other| other.id != row.id);
    if is_anothers || row.payment.as_deref().is_some_and(|known| known != payment.as_str()) {
        return Err(differs());
    }
    tx.top_up_pay(row.id, &payment)?;
    Ok(payment)
}

/// Notes that nothing came of it yet, or at all. What is paid stays paid.
///
/// # Errors
/// When the store cannot keep it.
pub fn note_state(tx: &mut Tx<'_>, row: &TopUpRow, state: TopUpState) -> Result<(), TopUpError> {
    Ok(tx.top_up_set_state(row.id, state)?)
}

fn check_currency(told: &str, of: &str) -> Result<(), TopUpError> {
    let differs = || TopUpError::Differs { session: of.to_owned(), what: "currency" };
    if told == CURRENCY { Ok(()) } else { Err(differs()) }
}

fn cents(told: i64, of: &str) -> Result<Cents, TopUpError> {
    Cents::new(told).map_err(|_| TopUpError::Differs { session: of.to_owned(), what: "amount" })
}

/// What is to be taken from a wallet after so much of its payment went back, and notes how much it was; None where that was told
/// before, or a dispute took it.
///
/// # Errors
/// When it is no payment of ours.
pub fn told_refund(tx: &mut Tx<'_>, told: &Refunded) -> Result<Option<RefundPayment>, TopUpError> {
    let unknown = || TopUpError::Unknown(told.payment.clone());
    check_currency(&told.currency, &told.charge)?;
    let (payment, sum) = (reference(&told.payment)?, cents(told.amount, &told.charge)?);
    let row = tx.top_up_by_payment(&payment)?.ok_or_else(unknown)?;
    let left = tx.payment_get(&payment)?.ok_or_else(unknown)?.payment.left();
    let amount = still_to_take(sum, row.refunded, left);
    tx.top_up_set_refunded(row.id, sum.max(row.refunded))?;
    let reference = reference(&format!("{}/refunded/{sum}", told.charge))?;
    Ok((!amount.is_zero()).then_some(RefundPayment { payment, reference, amount: Some(amount) }))
}

/// The dispute that is to be opened; None where it is known, or nothing of the payment is left to be taken.
///
/// # Errors
/// When it is no payment that was credited.
pub fn told_dispute(tx: &Tx<'_>, told: &Disputed) -> Result<Option<OpenDispute>, TopUpError> {
    check_currency(&told.currency, &told.dispute)?;
    let (payment, dispute) = (reference(&told.payment)?, reference(&told.dispute)?);
    let found = tx.payment_get(&payment)?.ok_or_else(|| TopUpError::Unknown(told.payment.clone()))?;
    // The bank may name more than is left: what went back already is not taken twice.
    let amount = cents(told.amount, &told.dispute)?.min(found.payment.left());
    let is_new = tx.dispute_get(&dispute)?.is_none() && !amount.is_zero();
    Ok(is_new.then_some(OpenDispute { payment, reference: dispute, amount: Some(amount) }))
}
