//! Upgrades and downgrades: the price of a service changes for the time that is paid already (BILLING 3 and 5).

use super::{
    line::{Paid, Thing},
    quote::{Charge, Quote},
};
use crate::domain::{money::Cents, time::Time};

/// What changing the package from the price `before` to the price `after` costs or gives back, period by period, periods
/// paid ahead included.
///
/// Each period's own lines say what it was sold at: one that was paid ahead before a rise of prices has another
/// difference to the new package than the next one. Where a period was sold at more than the new price, it gives back
/// that difference, whatever the change is; only an upgrade charges where one was sold at less.
pub fn change(paid: &Paid, before: Cents, after: Cents, now: Time) -> Quote {
    let mut quote = Quote::default();
    for period in paid.iter().filter(|period| period.is_open(now)) {
        let sold = period.price_of(Thing::Package);
        if let Some(more) = after.minus(sold).filter(|more| !more.is_zero()) {
            if after > before {
                quote.charges.push(Charge::rest(period, Thing::Package, more, now));
            }
        } else if let Some(less) = sold.minus(after).filter(|less| !less.is_zero()) {
            quote.give_up(period, Thing::Package, less, now);
        }
    }
    quote
}
