//! One service: its periods, the lines that were paid for each, and the transfers that those lines stand for.

use std::collections::BTreeMap;

use csp_shared::id::{ServerId, TransferId};

use super::{
    Difference, DifferenceKind,
    addresses::check_addresses,
    cents,
    credits::{check_credits, check_line_credits},
    discounts::check_discounts,
    lines::check_line,
    promises::check_promises,
    rows::{Posting, ServiceRows},
};
use crate::domain::{
    ledger::{Book, Cause, CauseKind, Flow},
    period::months_after,
    time::Time,
};

/// Whether a posting pays for lines or gives back what lines cost; nothing for what no line knows of, a gift or a
/// correction for example.
pub(super) fn concerns_lines(posting: &Posting) -> bool {
    posting.key.parse::<Cause>().is_ok_and(|cause| {
        let with_revenue = matches!(cause.flow(), Flow::In(Book::Revenue) | Flow::Out(Book::Revenue));
        with_revenue && cause.kind() != CauseKind::Correction
    })
}

/// Whether it takes back what was given for lines before: no charge, though the wallet gave.
pub(super) fn is_taken_back(posting: &Posting) -> bool {
    let cause = posting.key.parse::<Cause>();
    posting.is_debit && cause.is_ok_and(|cause| cause.kind() == CauseKind::Reversal)
}

/// Holds a service's periods, lines and transfers against each other.
#[must_use]
pub fn check_service(server: ServerId, rows: &ServiceRows) -> Vec<Difference> {
    let mut found = Vec::new();
    periods(server, rows, &mut found);
    let is_charge = |posting: &&Posting| posting.is_debit && concerns_lines(posting) && !is_taken_back(posting);
    let charges: BTreeMap<TransferId, &Posting> =
        rows.postings.iter().filter(is_charge).map(|posting| (posting.transfer, posting)).collect();
    let mut paid: BTreeMap<TransferId, i128> = BTreeMap::new();
    for (period, line) in rows.lines() {
        let mut tell = |kind, what: String| {
            let place = format!("server {server}, period {}, {} line", period.ordinal, line.thing);
            found.push(Difference::new(kind, place, what));
        };
        if line.credited < 0 || line.credited > line.net || line.net > line.list {
            let (list, net, back) = (cents(line.list.into()), cents(line.net.into()), cents(line.credited.into()));
            tell(DifferenceKind::LineCredit, format!("its price is {list}, {net} were paid, {back} were given back"));
        }
        for (kind, what) in check_line(line, period, rows).into_iter().chain(check_line_credits(line, rows)) {
            tell(kind, what);
        }
        match line.transfer {
            Some(transfer) if charges.contains_key(&transfer) => {
                *paid.entry(transfer).or_default() += i128::from(line.net)
            }
            Some(transfer) => {
                tell(
                    DifferenceKind::LineTransfer,
                    format!("transfer {transfer}, which paid it, charged nothing for this server"),
                );
            }
            None if line.net != 0 => {
                tell(
                    DifferenceKind::LineTransfer,
                    format!("{} were paid, and no transfer did", cents(line.net.into())),
                );
            }
            None => {}
        }
    }
    for (transfer, charge) in &charges {
        let lines = paid.get(transfer).copied().unwrap_or_default();
        if lines != i128::from(charge.amount) {
            let what = format!("it charged {}, and its lines come to {}", cents(charge.amount.into()), cents(lines));
            let place = format!("server {server}, transfer {transfer}, {}", charge.key);
            found.push(Difference::new(DifferenceKind::ChargeLines, place, what));
        }
    }
    check_credits(server, rows, &mut found);
    check_promises(server, rows, &mut found);
    check_addresses(server, rows, &mut found);
    check_discounts(server, rows, &mut found);
    found
}

/// Each period has what was sold in it, is the month that its ordinal says, and the last one ends when the service is
/// paid until.
fn periods(server: ServerId, rows: &ServiceRows, found: &mut Vec<Difference>) {
    for (at, period) in rows.periods.iter().enumerate() {
        let place = format!("server {server}, period {}", period.ordinal);
        if !period.lines.iter().any(|line| line.thing == "package") {
            let what = "no line of it is for the package";
            found.push(Difference::new(DifferenceKind::PeriodUnpaid, &place, what));
        }
        let mut tell = |what: String| found.push(Difference::new(DifferenceKind::PeriodOrder, &place, what));
        let before = at.checked_sub(1).and_then(|before| rows.periods.get(before));
        if before.is_some_and(|before| before.ordinal >= period.ordinal) || (at == 0 && period.ordinal != 0) {
            tell("it is not in its place among the server's periods".to_owned());
        }
        let month = rows.anchor.zip(u32::try_from(period.ordinal).ok());
        let month = month.map(|(anchor, ordinal)| (months_after(anchor, ordinal), months_after(anchor, ordinal + 1)));
        if period.span != month {
            tell(format!("it is {}, and by the server's anchor it is {}", shown(period.span), shown(month)));
        }
    }
    // What never ran needs nobody to end it.
    let was_ended = rows.actions.iter().any(|action| action.command == "destroy");
    if rows.has_ended != was_ended && (rows.anchor.is_some() || !rows.has_ended) {
        let what = if was_ended { "it was destroyed, and is in service" } else { "it is over, and nobody ended it" };
        found.push(Difference::new(DifferenceKind::Service, format!("server {server}"), what));
    }
    let end = rows.periods.last().and_then(|period| period.span).map(|(_, to)| to);
    if !rows.has_ended && end != rows.paid_until {
        let shown = |at: Option<Time>| at.map_or_else(|| "no time yet".to_owned(), |at| at.to_string());
        let what = format!("it is paid until {}, and its last period ends at {}", shown(rows.paid_until), shown(end));
        found.push(Difference::new(DifferenceKind::PeriodOrder, format!("server {server}"), what));
    }
}

fn shown(span: Option<(Time, Time)>) -> String {
    span.map_or_else(|| "not begun".to_owned(), |(from, to)| format!("from {from} to {to}"))
}
