//! The part that every change of a service which costs something shares: what its quote charges is paid in one transfer, and
//! each line of it stands in the period that it is for.

use csp_shared::id::{ActionId, TransferId};

use crate::{
    domain::{
        billing::quote::Quote,
        draw::Draw,
        ledger::{Book, Cause, Holder, Transfer},
        time::Time,
    },
    store::{Billed, PostError, StoreError, Tx},
};

/// Takes what a change costs, for the rest of the paid time. The wallet must hold it.
pub(super) fn charge_quote(
    tx: &mut Tx<'_>,
    service: &Billed,
    (action, cause, description): (ActionId, Cause, String),
    quote: &Quote,
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    let transfer = Transfer {
        from: Holder::Wallet(service.account),
        to: Holder::Book(Book::Revenue),
        amount: quote.charged(),
        cause,
        server: Some(service.id),
        description,
    };
    let paid = TransferId(draw.uuid(now));
    tx.transfer_post(&transfer, paid, now).map_err(PostError::into_store)?;
    for line in &quote.charges {
        tx.period_charge(service.id, line, None, (paid, Some(action)), now)?;
    }
    Ok(())
}
