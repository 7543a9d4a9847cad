//! Gives a payment back to whoever paid it: the operator refunds it where it was taken, and tells so here, once.

use csp_shared::id::TransferId;

use super::money_in::{Moved, PaymentError, moved};
use crate::{
    domain::{
        draw::Draw,
        ledger::{Book, Cause, Holder, Transfer},
        money::Cents,
        payment::Reference,
        time::Time,
    },
    store::{PostError, Tx},
};

/// A refund.
#[derive(Clone, Debug)]
pub struct RefundPayment {
    /// The payment's id.
    pub payment: Reference,
    /// The refund's id at whoever took the payment; unique for ever.
    pub reference: Reference,
    /// How much; nothing: all that is left of the payment.
    pub amount: Option<Cents>,
}

/// Takes a refund out of the wallet that the payment went into.
///
/// # Errors
/// With the reason, and nothing changed: never more than the wallet holds, nor than is left of the payment.
pub fn refund_payment(tx: &mut Tx<'_>, refund: &RefundPayment, draw: Draw, now: Time) -> Result<Moved, PaymentError> {
    let mut draw = draw;
    let name = |reference: &Reference| reference.as_str().to_owned();
    let found = tx.payment_get(&refund.payment)?.ok_or_else(|| PaymentError::NoPayment(name(&refund.payment)))?;
    if let Some((payment, amount)) = tx.refund_get(&refund.reference)? {
        if payment == refund.payment.as_str() && refund.amount.is_none_or(|asked| asked == amount) {
            return moved(tx, found.account, amount, true);
        }
        let what = format!("for {amount} USD of payment `{payment}`");
        return Err(PaymentError::Differs { reference: name(&refund.reference), what });
    }
    if refund.amount == Some(Cents::ZERO) {
        return Err(PaymentError::Zero);
    }
    let amount = found.payment.give_back(refund.amount)?;
    let transfer = Transfer {
        from: Holder::Wallet(found.account),
        to: Holder::Book(Book::TopUps),
        amount,
        cause: Cause::Refund { reference: name(&refund.reference) },
        server: None,
        description: format!("Refund of payment {}", refund.payment.as_str()),
    };
    let id = TransferId(draw.uuid(now));
    tx.transfer_post(&transfer, id, now).map_err(|why| match why {
        PostError::Insufficient { missing } => {
            PaymentError::Spent { payment: name(&refund.payment), reference: name(&refund.reference), amount, missing }
        }
        why => why.into(),
    })?;
    tx.refund_insert(id, &refund.payment, amount)?;
    moved(tx, found.account, amount, false)
}
