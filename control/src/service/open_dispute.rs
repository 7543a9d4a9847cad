//! A payment is disputed: it is taken back at once, whatever the wallet holds, and its account orders nothing until the
//! dispute is closed and nothing is owed (BILLING 14).
//!
//! What the wallet no longer holds is first claimed, from the book of receivables into the wallet, and then taken with the
//! rest: so both lines stand in the customer's list with the whole sums, and every transfer touches one wallet.

use csp_shared::id::TransferId;

use super::money_in::{Moved, PaymentError, account, moved};
use crate::{
    domain::{
        draw::Draw,
        ledger::{Book, Cause, Holder, Transfer},
        money::Cents,
        payment::{Reference, claims},
        time::Time,
    },
    store::{NewDispute, Tx},
};

/// A dispute.
#[derive(Clone, Debug)]
pub struct OpenDispute {
    /// The payment's id.
    pub payment: Reference,
    /// The dispute's id at whoever took the payment; unique for ever.
    pub reference: Reference,
    /// How much; nothing: all that is left of the payment.
    pub amount: Option<Cents>,
}

/// Takes back a disputed payment.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn open_dispute(tx: &mut Tx<'_>, dispute: &OpenDispute, draw: Draw, now: Time) -> Result<Moved, PaymentError> {
    let mut draw = draw;
    let name = |reference: &Reference| reference.as_str().to_owned();
    let found = tx.payment_get(&dispute.payment)?.ok_or_else(|| PaymentError::NoPayment(name(&dispute.payment)))?;
    if let Some(known) = tx.dispute_get(&dispute.reference)? {
        if known.payment == dispute.payment.as_str() && dispute.amount.is_none_or(|asked| asked == known.amount) {
            return moved(tx, found.account, known.amount, true);
        }
        let what = format!("for {} USD of payment `{}`", known.amount, known.payment);
        return Err(PaymentError::Differs { reference: name(&dispute.reference), what });
    }
    if dispute.amount == Some(Cents::ZERO) {
        return Err(PaymentError::Zero);
    }
    let amount = found.payment.give_back(dispute.amount)?;
    let claim = Transfer {
        from: Holder::Book(Book::Receivables),
        to: Holder::Wallet(found.account),
        amount: claims(amount, account(tx, found.account)?.balance),
        cause: Cause::Claim { reference: name(&dispute.reference) },
        server: None,
        description: format!("Owed for disputed payment {}", dispute.payment.as_str()),
    };
    let taken = Transfer {
        from: Holder::Wallet(found.account),
        to: Holder::Book(Book::TopUps),
        amount,
        cause: Cause::Dispute { reference: name(&dispute.reference) },
        server: None,
        description: format!("Disputed payment {}", dispute.payment.as_str()),
    };
    tx.transfer_post(&claim, TransferId(draw.uuid(now)), now)?;
    tx.transfer_post(&taken, TransferId(draw.uuid(now)), now)?;
    let new = NewDispute { reference: &dispute.reference, payment: &dispute.payment, account: found.account, amount };
    tx.dispute_insert(&new, now)?;
    moved(tx, found.account, amount, false)
}
