//! How long a wallet lasts: the renewals to come, in their order, at the prices that are known today.

use std::{cmp::Reverse, collections::BinaryHeap};

use csp_shared::id::LeaseId;

use super::{
    extend::{PaidSoFar, period},
    price::Price,
    promo::Terms,
    renewal::Prices,
};
use crate::domain::{
    money::Cents,
    time::{DAY, Time},
};

/// Nobody is told of a day that is further away, in seconds: five years.
const FORESIGHT_SECONDS: i64 = 5 * 365 * DAY;
/// Months in it, and one that has begun at either end.
const MONTHS_MAX: usize = 62;

/// What a service was sold at, and what was announced about it.
#[derive(Clone, Copy, Debug)]
pub struct Sold<'a> {
    /// Its package.
    pub package: &'a Price,
    /// Its extra addresses.
    pub ips: &'a [(LeaseId, Price)],
    /// What its promo code gives.
    pub promo: Option<Terms>,
}

impl Sold<'_> {
    /// What a period costs when it is paid at this moment.
    #[must_use]
    pub fn at(&self, at: Time) -> Prices {
        let ips = self.ips.iter().map(|(lease, price)| (*lease, price.at(at))).collect();
        Prices { package: self.package.at(at), ips, promo: self.promo }
    }
}

/// A service that renews by itself.
#[derive(Clone, Copy, Debug)]
pub struct Renewing<'a> {
    /// How far it is paid.
    pub paid: PaidSoFar,
    /// What it costs.
    pub sold: Sold<'a>,
}

/// When the first renewal comes that the wallet cannot pay, if nothing comes in, nothing is ordered and nothing ends. Nothing
/// when it can pay all of them for five years.
#[must_use]
pub fn runs_out(balance: Cents, services: &[Renewing<'_>], now: Time) -> Option<Time> {
    let first = |(place, service): (usize, &Renewing<'_>)| {
        Reverse((service.paid.paid_until().max(now), place, service.paid.next(now)))
    };
    let mut due: BinaryHeap<_> = services.iter().enumerate().map(first).collect();
    let mut left = balance;
    // The bound ends it also where the calendar does.
    for _ in 0..services.len().saturating_mul(MONTHS_MAX) {
        let Reverse((at, place, ordinal)) = due.pop()?;
        let service = services.get(place)?;
        if at > now.plus(FORESIGHT_SECONDS) {
            return None;
        }
        let span = period(service.paid.anchor, ordinal);
        let Some(rest) = left.minus(service.sold.at(span.from()).renewal(ordinal).total) else { return Some(at) };
        left = rest;
        due.push(Reverse((span.to().max(now), place, ordinal.saturating_add(1))));
    }
    None
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::{
        billing::{
            price::Announced,
            promo::{Discount, Duration},
        },
        period::months_after,
    };

    const NOON: Time = Time(1_781_092_800);

    fn cents(cents: i64) -> Cents {
        Cents::new(cents).unwrap()
    }

    fn renewing(price: &Price, anchor: Time, promo: Option<Terms>) -> Renewing<'_> {
        let paid = PaidSoFar { anchor, last: 0, stood_still: false };
        Renewing { paid, sold: Sold { package: price, ips: &[], promo } }
    }

    #[test]
    fn it_is_the_first_renewal_that_cannot_be_paid() {
        let (seven, two) = (Price::of(cents(700)), Price::of(cents(200)));
        // Paid until 10 July, and until 11 July.
        let both = [renewing(&seven, NOON, None), renewing(&two, NOON.plus(DAY), None)];
        let table = [(0, 1, 0), (699, 1, 0), (700, 1, DAY), (900, 2, 0), (1_600, 2, DAY), (1_800, 3, 0)];
        for (balance, months, later) in table {
            let expected = months_after(NOON.plus(later), months);
            assert_eq!(runs_out(cents(balance), &both, NOON), Some(expected), "{balance}");
        }
        assert_eq!(runs_out(cents(1_000_000), &both, NOON), None, "further away than anybody is told");
        assert_eq!(runs_out(Cents::ZERO, &[], NOON), None, "nothing renews");
        let free = Price::of(Cents::ZERO);
        assert_eq!(runs_out(Cents::ZERO, &[renewing(&free, NOON, None)], NOON), None, "what is free runs for ever");
    }

    #[test]
    fn what_was_announced_and_promised_counts_from_its_time_on() {
        let rise = Announced { price: cents(1_000), effective_at: NOON.plus(40 * DAY) };
        let rises = Price { announced: vec![rise], ..Price::of(cents(700)) };
        let at = |months| Some(months_after(NOON, months));
        // 7.00 on 10 July, 10.00 from 10 August on.
        assert_eq!(runs_out(cents(1_699), &[renewing(&rises, NOON, None)], NOON), at(2));
        assert_eq!(runs_out(cents(1_700), &[renewing(&rises, NOON, None)], NOON), at(3));
        let terms = |duration| Some(Terms { discount: Discount::Percent(50), duration });
        let seven = Price::of(cents(700));
        assert_eq!(runs_out(cents(700), &[renewing(&seven, NOON, terms(Duration::Recurring))], NOON), at(3));
        assert_eq!(runs_out(cents(700), &[renewing(&seven, NOON, terms(Duration::First))], NOON), at(2));
    }

    #[test]
    fn what_has_expired_and_cannot_be_paid_has_run_out_now() {
        let seven = Price::of(cents(700));
        let mut late = renewing(&seven, NOON.plus(-90 * DAY), None);
        late.paid.stood_still = true;
        assert_eq!(runs_out(cents(699), &[late], NOON), Some(NOON));
        // Months that went by whole are nobody's, so 7.00 last until the present one ends.
        assert_eq!(runs_out(cents(700), &[late], NOON), Some(months_after(late.paid.anchor, 3)));
    }

    proptest! {
        #[test]
        fn more_money_never_runs_out_sooner(
            balance in 0i64..100_000,
            more in 0i64..100_000,
            services in prop::collection::vec((0i64..5_000, -70i64..40), 0..6),
        ) {
            let prices: Vec<Price> = services.iter().map(|(price, _)| Price::of(cents(*price))).collect();
            let anchored = prices.iter().zip(&services);
            let all: Vec<_> = anchored.map(|(price, (_, days))| renewing(price, NOON.plus(days * DAY), None)).collect();
            let end = |balance| runs_out(cents(balance), &all, NOON).unwrap_or(Time(i64::MAX));
            prop_assert!(end(balance) <= end(balance + more) && end(balance) >= NOON);
        }
    }
}
