//! The part that orders, extensions and renewals share: whole periods are paid, one transfer each, with the discount as a
//! posting of its own between the provider's books.

use csp_shared::id::TransferId;

use crate::{
    domain::{
        billing::{extend::period, quote::Charge},
        draw::Draw,
        ledger::{Book, Cause, Holder, Transfer},
        money::Cents,
        time::Time,
    },
    store::{Billed, PostError, Tx},
};

/// Charges whole periods, in order. The period's cause is what makes it unique, also where nothing is to be paid.
pub(super) fn pay_periods(
    tx: &mut Tx<'_>,
    service: &Billed,
    charges: &[Charge],
    draw: &mut Draw,
    now: Time,
) -> Result<(), PostError> {
    for lines in charges.chunk_by(|one, next| one.ordinal == next.ordinal) {
        let Some(ordinal) = lines.first().map(|line| line.ordinal) else { continue };
        pay_period(tx, service, ordinal, lines, draw, now)?;
    }
    Ok(())
}

fn pay_period(
    tx: &mut Tx<'_>,
    service: &Billed,
    ordinal: u32,
    lines: &[Charge],
    draw: &mut Draw,
    now: Time,
) -> Result<(), PostError> {
    let sum = |amount: fn(&Charge) -> Cents| {
        lines.iter().map(amount).try_fold(Cents::ZERO, Cents::plus).ok_or(PostError::Overflow)
    };
    let (net, list) = (sum(|line| line.net)?, sum(|line| line.list)?);
    let span = service.anchor.map(|anchor| period(anchor, ordinal));
    let what = format!("{} for {}", service.package, service.hostname);
    let description = match span {
        None => format!("{what}, first month"),
        Some(span) => format!("{what}, {} to {}", day(span.from()), day(span.to())),
    };
    let cause = if ordinal == 0 { Cause::Order(service.id) } else { Cause::Renewal(service.id, ordinal) };
    let paid = TransferId(draw.uuid(now));
    let (from, to, server) = (Holder::Wallet(service.account), Holder::Book(Book::Revenue), Some(service.id));
    tx.transfer_post(&Transfer { from, to, amount: net, cause, server, description }, paid, now)?;
    let discount = Transfer {
        from: Holder::Book(Book::Promotions),
        to: Holder::Book(Book::Revenue),
        amount: list.minus(net).unwrap_or_default(),
        cause: Cause::Discount(service.id, ordinal),
        server,
        description: format!("Discount on {what}"),
    };
    tx.transfer_post_inside(&discount, TransferId(draw.uuid(now)), now)?;
    for line in lines {
        tx.period_charge(service.id, line, span, (paid, None), now)?;
    }
    Ok(())
}

/// `2026-06-10`
fn day(at: Time) -> String {
    at.to_string().chars().take(10).collect()
}
