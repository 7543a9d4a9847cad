//! Pays what an action was to give back, once it is done (BILLING 4). The amount was fixed when it was accepted.

use csp_shared::id::{ActionId, ServerId};

use super::money_in::{Back, give_back};
use crate::{
    domain::{action::Command, draw::Draw, ledger::Cause, money::Cents, time::Time},
    store::{StoreError, Tx},
};

/// Pays what a removal or a cheaper package gives back. Doing it again pays nothing: a promise is kept once.
pub(super) fn keep_promise(
    tx: &mut Tx<'_>,
    server: ServerId,
    (action, command): (ActionId, Command),
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    let sum = tx.credit_keep(action, now)?;
    let amount =
        Cents::new(sum).map_err(|why| StoreError::Damaged(format!("action {action} gives back {sum}: {why}")))?;
    let (cause, description) = match command {
        Command::ChangePackage => (Cause::ChangeCredit(action), "Unused time at the price of the package before"),
        command if command.is_about_ips() => {
            (Cause::ExtraIpCredit(action), "Unused time of an extra address that was given up")
        }
        _ => (Cause::DestroyCredit(action), "Unused time of a server that ended"),
    };
    let back = Back { server, amount, cause, description: description.to_owned() };
    give_back(tx, back, draw, now).map(drop)
}
