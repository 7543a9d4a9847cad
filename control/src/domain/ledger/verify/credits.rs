//! What was given back: each line is what its credits left of it, and each transfer that gave something back is the credits of
//! its request.

use std::collections::BTreeMap;

use csp_shared::id::{ActionId, ServerId};

use super::{
    Difference, DifferenceKind, cents,
    rows::{CreditRow, LineRow, ServiceRows},
    services::{concerns_lines, is_taken_back},
};
use crate::domain::{billing::quote::Basis, ledger::Cause, time::Time};

/// What is left of a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Left {
    /// What of its price is in use.
    pub kept: i64,
    /// What was given back.
    pub credited: i64,
    /// Since when nothing is in use.
    pub ended: Option<Time>,
}

/// What some of its credits left of a line, as if they had been paid.
pub(super) fn left(line: &LineRow, counts: impl Fn(&CreditRow) -> bool) -> Left {
    let whole = Left { kept: line.price, credited: 0, ended: None };
    line.credits.iter().filter(|credit| counts(credit)).fold(whole, |left, credit| Left {
        kept: credit.kept,
        credited: left.credited.saturating_add(credit.amount).saturating_add(credit.set_off),
        // Of a line that was carried over it was not kept when it ended.
        ended: (credit.kept == 0)
            .then_some(if credit.action.is_some() { Some(credit.at) } else { line.ended })
            .flatten(),
    })
}

/// Holds a line against its credits.
pub(super) fn check_line_credits(line: &LineRow, rows: &ServiceRows) -> Vec<(DifferenceKind, String)> {
    let mut told = Vec::new();
    let set_off: i64 = line.credits.iter().filter(|credit| credit.paid.is_none()).map(|credit| credit.set_off).sum();
    let mut due = left(line, |credit| credit.paid.is_some());
    due.credited = due.credited.saturating_add(set_off);
    let is = Left { kept: line.kept, credited: line.credited, ended: line.ended };
    if due != is {
        let [kept, back, due_kept, due_back] =
            [is.kept, is.credited, due.kept, due.credited].map(|amount| cents(amount.into()));
        let since = |at: Option<Time>| at.map_or_else(String::new, |at| format!(", and ended at {at}"));
        let what = format!(
            "{kept} of its price are in use, {back} were given back{}; by its credits it is {due_kept} and {due_back}{}",
            since(is.ended),
            since(due.ended)
        );
        told.push((DifferenceKind::LineUse, what));
    }
    let mut before = 0;
    for credit in &line.credits {
        if credit.basis == Basis::Whole.as_str() {
            if credit.amount.saturating_add(before) != line.net || credit.kept != 0 || credit.set_off != 0 {
                let (back, net) = (cents(credit.amount.into()), cents(line.net.into()));
                told.push((
                    DifferenceKind::Promise,
                    format!("{net} were paid for it, and {back} of that came back whole"),
                ));
            }
            if !may_come_back(line, credit, rows) {
                told.push((
                    DifferenceKind::Promise,
                    "it came back whole, and nothing that was not done paid it".to_owned(),
                ));
            }
        }
        before = before.saturating_add(credit.amount).saturating_add(credit.set_off);
    }
    let order = rows.actions.iter().find(|action| action.command == "create");
    let never_ran = rows.has_ended && rows.anchor.is_none();
    if never_ran && rows.carried().is_none() && !has_whole(line, order.map(|order| order.id)) {
        told.push((DifferenceKind::Promise, "its order did not run, and it did not come back".to_owned()));
    }
    told
}

/// Whether a line came back whole by a request.
pub(super) fn has_whole(line: &LineRow, action: Option<ActionId>) -> bool {
    line.credits.iter().any(|credit| credit.basis == Basis::Whole.as_str() && credit.action == action)
}

/// Only what was bought by a request that was not done comes back whole, or with an order that did not run.
fn may_come_back(line: &LineRow, credit: &CreditRow, rows: &ServiceRows) -> bool {
    let by = credit.action.and_then(|action| rows.actions.iter().find(|row| row.id == action));
    by.filter(|by| by.is_given_up() && by.finished == Some(credit.at) && by.finished == credit.paid).is_some_and(|by| {
        match by.command.as_str() {
            "create" => rows.has_ended && rows.anchor.is_none(),
            _ => line.action == Some(by.id),
        }
    })
}

/// What went back into the wallet is what the credits say, request by request.
pub(super) fn check_credits(server: ServerId, rows: &ServiceRows, found: &mut Vec<Difference>) {
    let order = rows.actions.iter().find(|action| action.command == "create").map(|order| order.id);
    // What was so before credits were kept is held against the sum of all.
    let is_carried = rows.carried().is_some();
    let of = |action: Option<ActionId>| action.filter(|_| !is_carried);
    let mut due: BTreeMap<Option<ActionId>, i128> = BTreeMap::new();
    for credit in rows.lines().flat_map(|(_, line)| &line.credits) {
        let now = credit.paid.map_or(0, |_| credit.amount);
        *due.entry(of(credit.action)).or_default() += i128::from(now) + i128::from(credit.set_off);
    }
    let mut posted: BTreeMap<Option<ActionId>, i128> = BTreeMap::new();
    for posting in &rows.postings {
        let sign = if is_taken_back(posting) { -1 } else { i128::from(!posting.is_debit && concerns_lines(posting)) };
        let action = posting.key.parse::<Cause>().ok().and_then(|cause| cause.action()).or(order);
        if sign != 0 {
            *posted.entry(of(action)).or_default() += sign * i128::from(posting.amount);
        }
    }
    let actions: std::collections::BTreeSet<_> = due.keys().chain(posted.keys()).copied().collect();
    for action in actions {
        let sum = |sums: &BTreeMap<_, i128>| sums.get(&action).copied().unwrap_or_default();
        if sum(&due) != sum(&posted) {
            let what = format!("its lines gave back {}, its transfers {}", cents(sum(&due)), cents(sum(&posted)));
            let by = action.map_or_else(String::new, |action| format!(", action {action}"));
            found.push(Difference::new(DifferenceKind::Credits, format!("server {server}{by}"), what));
        }
    }
}
