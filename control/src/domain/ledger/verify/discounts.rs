//! What promotions paid of a service's periods: a posting of its own for each, which no wallet sees.

use std::collections::BTreeMap;

use csp_shared::id::ServerId;

use super::{Difference, DifferenceKind, cents, rows::ServiceRows};
use crate::domain::ledger::Cause;

/// Each period's discount is what its lines cost less than their list price. It goes back with an order that did not run,
/// and so does the use of the promo code; with nothing else.
pub(super) fn check_discounts(server: ServerId, rows: &ServiceRows, found: &mut Vec<Difference>) {
    let mut tell = |kind, place: String, what: String| found.push(Difference::new(kind, place, what));
    let mut given: BTreeMap<i64, i128> = BTreeMap::new();
    for period in &rows.periods {
        let off = period.lines.iter().map(|line| i128::from(line.list) - i128::from(line.net)).sum();
        given.insert(period.ordinal, off);
    }
    let first = given.get(&0).copied().unwrap_or_default();
    let (mut posted, mut back): (BTreeMap<i64, i128>, i128) = (BTreeMap::new(), 0);
    for posting in &rows.inside {
        match posting.key.parse::<Cause>() {
            Ok(Cause::Discount(_, ordinal)) => *posted.entry(ordinal.into()).or_default() += i128::from(posting.amount),
            Ok(Cause::DiscountReversal(_)) => back += i128::from(posting.amount),
            // Told of where keys are read.
            _ => {}
        }
    }
    let ordinals: std::collections::BTreeSet<i64> = given.keys().chain(posted.keys()).copied().collect();
    for ordinal in ordinals {
        let of = |sums: &BTreeMap<i64, i128>| sums.get(&ordinal).copied().unwrap_or_default();
        let (lines, transfers) = (of(&given), of(&posted));
        if lines != transfers {
            let what =
                format!("its lines say that {} were taken off, its transfers {}", cents(lines), cents(transfers));
            tell(DifferenceKind::Discount, format!("server {server}, period {ordinal}"), what);
        }
    }
    let never_ran = rows.has_ended && rows.anchor.is_none();
    let due = if never_ran { first } else { 0 };
    if back != due {
        let what = format!("{} of its discount came back, and {} were to", cents(back), cents(due));
        tell(DifferenceKind::Discount, format!("server {server}"), what);
    }
    if rows.promo.as_ref().is_some_and(|promo| !promo.is_owners) {
        let what = "the use of its promo code counts as another account's".to_owned();
        tell(DifferenceKind::PromoUse, format!("server {server}"), what);
    }
    if rows.promo.as_ref().is_some_and(|promo| promo.is_released != never_ran) {
        let what = match never_ran {
            true => "its order did not run, and the use of its promo code did not come back",
            false => "the use of its promo code came back, and its order was not called off",
        };
        tell(DifferenceKind::PromoUse, format!("server {server}"), what.to_owned());
    }
}
