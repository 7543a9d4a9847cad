//! Which addresses a renewal was to pay: those that the server had then, by what was asked for.

use std::collections::{BTreeMap, BTreeSet};

use csp_shared::id::{LeaseId, ServerId};

use super::{
    Difference, DifferenceKind,
    rows::{ActionRow, ServiceRows},
};
use crate::domain::time::Time;

/// Holds the lines of each renewed period against the addresses that the server had.
pub(super) fn check_addresses(server: ServerId, rows: &ServiceRows, found: &mut Vec<Difference>) {
    for period in &rows.periods {
        let renewed = period.lines.iter().filter(|line| line.action.is_none());
        let Some(at) = renewed.clone().find(|line| line.thing == "package").map(|line| line.at) else { continue };
        let place = format!("server {server}, period {}", period.ordinal);
        let mut tell = |what: String| found.push(Difference::new(DifferenceKind::LineCause, &place, what));
        let mut paid = BTreeSet::new();
        for lease in renewed.filter_map(|line| line.lease) {
            if !paid.insert(lease) {
                tell(format!("address {lease} was paid twice with it"));
            }
        }
        let had = had(rows, at);
        for lease in paid.iter().filter(|lease| had.get(lease) == Some(&Some(false))) {
            tell(format!("address {lease} was paid with it, and the server had no such address at {at}"));
        }
        for (lease, _) in had.iter().filter(|(lease, had)| **had == Some(true) && !paid.contains(lease)) {
            tell(format!("the server had address {lease} at {at}, and it was not paid with it"));
        }
        for lease in paid.iter().filter(|lease| !had.contains_key(lease)) {
            tell(format!("address {lease} was paid with it, and the server never had it"));
        }
    }
}

/// The addresses that the server ever had, and whether it had each at a time; nothing where it came or went in that second.
fn had(rows: &ServiceRows, at: Time) -> BTreeMap<LeaseId, Option<bool>> {
    let mut had = BTreeMap::new();
    for action in &rows.actions {
        let Some(lease) = action.lease else { continue };
        let is_had = had.entry(lease).or_insert(Some(false));
        let (comes, goes_back) = effect(action);
        if action.asked == at || (goes_back && action.finished == Some(at)) {
            *is_had = None;
        } else if action.asked < at {
            let is_back = goes_back && action.finished.is_some_and(|ended| ended < at);
            *is_had = is_had.map(|_| comes != is_back);
        }
    }
    had
}

/// Whether a request brings an address or takes it, and whether that was undone.
fn effect(action: &ActionRow) -> (bool, bool) {
    match action.command.as_str() {
        "remove_extra_ip" => (false, false),
        // It left; it is back if its host had not let go.
        "move_extra_ip" if action.is_own => (false, action.is_given_up() && action.let_go.is_none()),
        _ => (true, action.is_given_up()),
    }
}
