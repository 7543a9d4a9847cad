//! A dispute ends. Won, what it took comes back and pays what is owed; lost, nothing moves and what is owed stays owed.

use super::money_in::{Moved, PaymentError, account, moved, post_in};
use crate::{
    domain::{
        draw::Draw,
        ledger::{Book, Cause, Holder, Transfer},
        money::Cents,
        payment::{Outcome, Reference, settles},
        time::Time,
    },
    store::Tx,
};

/// Closes a dispute.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn close_dispute(
    tx: &mut Tx<'_>,
    reference: &Reference,
    outcome: Outcome,
    draw: Draw,
    now: Time,
) -> Result<Moved, PaymentError> {
    let mut draw = draw;
    let name = || reference.as_str().to_owned();
    let dispute = tx.dispute_get(reference)?.ok_or_else(|| PaymentError::NoDispute(name()))?;
    match dispute.outcome {
        Some(known) if known == outcome => return moved(tx, dispute.account, dispute.amount, true),
        Some(known) => {
            let what = format!("to close it as {}", known.as_str());
            return Err(PaymentError::Differs { reference: name(), what });
        }
        None => {}
    }
    tx.dispute_close(reference, outcome, now)?;
    let mut settled = Cents::ZERO;
    if outcome == Outcome::Won {
        let back = Transfer {
            from: Holder::Book(Book::TopUps),
            to: Holder::Wallet(dispute.account),
            amount: dispute.amount,
            cause: Cause::DisputeWon { reference: name() },
            server: None,
            description: format!("Payment {} is no longer disputed", dispute.payment),
        };
        settled = settles(dispute.amount, account(tx, dispute.account)?.owed);
        post_in(tx, &back, &mut draw, now)?;
    }
    Ok(Moved { settled, ..moved(tx, dispute.account, dispute.amount, false)? })
}
