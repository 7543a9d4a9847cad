//! Pays what an action was to give back, once it is done (BILLING 4). The amount was fixed when it was accepted.

use csp_shared::id::{ActionId, ServerId, TransferId};

use crate::{
    domain::{
        action::Command,
        draw::Draw,
        ledger::{Book, Cause, Holder, Transfer},
        money::Cents,
        time::Time,
    },
    store::{PostError, StoreError, Tx},
};

/// Pays what a removal or a cheaper package gives back. Doing it again pays nothing: the promise is gone with its payment.
pub(super) fn keep_promise(
    tx: &mut Tx<'_>,
    server: ServerId,
    (action, command): (ActionId, Command),
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    let sum = tx.credit_keep(action)?;
    let amount =
        Cents::new(sum).map_err(|why| StoreError::Damaged(format!("action {action} gives back {sum}: {why}")))?;
    let (cause, description) = match command {
        Command::ChangePackage => (Cause::ChangeCredit(action), "Unused time at the price of the package before"),
        command if command.is_about_ips() => {
            (Cause::ExtraIpCredit(action), "Unused time of an extra address that was given up")
        }
        _ => (Cause::DestroyCredit(action), "Unused time of a destroyed server"),
    };
    let Some(found) = tx.server_get(server)? else { return Ok(()) };
    let back = Transfer {
        from: Holder::Book(Book::Revenue),
        to: Holder::Wallet(found.account),
        amount,
        cause,
        server: Some(server),
        description: description.to_owned(),
    };
    tx.transfer_post(&back, TransferId(draw.uuid(now)), now).map(drop).map_err(PostError::into_store)
}
