//! Properties of the billing rules: what holds for every price, every moment and every sequence of requests.
//!
//! Together 100,000 cases.

use csp_shared::id::LeaseId;
use proptest::prelude::*;
use uuid::Uuid;

use super::{
    destroy::{self, DestroyCredit},
    extend::{PaidSoFar, extend, period},
    extra_ip,
    line::{Line, LineId, Period, Thing},
    package,
    proration::rest,
    quote::Quote,
    renewal::Prices,
};
use crate::domain::{money::Cents, time::Time};

const ANCHOR: Time = Time(1_769_855_400);

/// A service as the store would keep it, in memory.
#[derive(Clone, Debug, Default)]
pub(super) struct Book {
    pub(super) paid: Vec<Period>,
    lines: i64,
    pub(super) charged: i64,
    pub(super) credited: i64,
}

impl Book {
    /// Posts a quote. A credit is posted at once here: how long its action takes changes no amount.
    pub(super) fn post(&mut self, quote: &Quote, anchor: Option<Time>, now: Time) {
        self.charged += quote.charged().get();
        self.credited += quote.credited().get();
        for charge in &quote.charges {
            if !self.paid.iter().any(|period| period.ordinal == charge.ordinal) {
                let span = anchor.map(|anchor| period(anchor, charge.ordinal));
                self.paid.push(Period { ordinal: charge.ordinal, span, lines: Vec::new() });
            }
            self.lines += 1;
            let line = Line {
                id: LineId(self.lines),
                thing: charge.thing,
                price: charge.price,
                net_price: charge.net_price,
                kept: charge.price,
                from: charge.from,
                net: charge.net,
                credited: Cents::ZERO,
                ended_at: None,
            };
            self.paid.iter_mut().find(|period| period.ordinal == charge.ordinal).unwrap().lines.push(line);
        }
        for credit in &quote.credits {
            let line = self.paid.iter_mut().flat_map(|p| &mut p.lines).find(|line| line.id == credit.line).unwrap();
            line.credited = line.credited.plus(credit.amount).unwrap();
            line.kept = credit.kept;
            line.ended_at = credit.kept.is_zero().then_some(now);
        }
    }

    fn check(&self) -> Result<(), TestCaseError> {
        for line in self.paid.iter().flat_map(|period| &period.lines) {
            prop_assert!(line.credited <= line.net, "{line:?}");
            prop_assert!(line.kept <= line.price, "{line:?}");
        }
        prop_assert!(self.credited <= self.charged);
        Ok(())
    }

    /// What all of it cost, less what came back.
    fn cost(&self) -> i64 {
        self.charged - self.credited
    }
}

pub(super) fn cents(number: i64) -> Cents {
    Cents::new(number).unwrap()
}

pub(super) fn lease(number: u128) -> LeaseId {
    LeaseId(Uuid::from_u128(number))
}

/// A service that is paid for `months` periods.
fn paid(package: Cents, months: u32) -> Book {
    let prices = Prices { package, ips: vec![], promo: None };
    let mut book = Book::default();
    let charges = (0..months).flat_map(|ordinal| prices.charges(ordinal)).collect();
    book.post(&Quote { charges, credits: vec![] }, Some(ANCHOR), ANCHOR);
    book
}

fn cases(number: u32) -> ProptestConfig {
    ProptestConfig { cases: number, failure_persistence: None, ..ProptestConfig::default() }
}

/// Prices as people have them, and a few that nobody has.
fn price() -> impl Strategy<Value = Cents> {
    prop_oneof![8 => 0i64..20_000, 1 => 0i64..5, 1 => 0..=Cents::MAX.get()].prop_map(cents)
}

/// Seconds since the anchor, within `months` of 28 days.
fn moment(months: i64) -> impl Strategy<Value = Time> {
    (0..months * 28 * 86_400).prop_map(|after| ANCHOR.plus(after))
}

/// Something that a customer may ask for.
#[derive(Clone, Debug)]
enum Ask {
    Package(Cents),
    Add(u128, Cents),
    Remove(u128),
    Extend,
}

fn ask() -> impl Strategy<Value = Ask> {
    prop_oneof![
        (0i64..9_000).prop_map(|price| Ask::Package(cents(price))),
        (0u128..3, 0i64..900).prop_map(|(ip, price)| Ask::Add(ip, cents(price))),
        (0u128..3).prop_map(Ask::Remove),
        Just(Ask::Extend),
    ]
}

proptest! {
    #![proptest_config(cases(20_000))]

    #[test]
    fn parts_of_a_period_add_up_to_the_whole(
        price in price(), ordinal in 0u32..30, cuts in prop::collection::vec(0i64..2_700_000, 0..6),
    ) {
        let span = period(ANCHOR, ordinal);
        let mut cuts: Vec<Time> = cuts.into_iter().map(|after| span.from().plus(after)).collect();
        cuts.extend([span.from(), span.to()]);
        cuts.sort_unstable();
        let parts = cuts.windows(2).map(|pair| rest(price, span, pair[0]).get() - rest(price, span, pair[1]).get());
        let parts: Vec<i64> = parts.collect();
        prop_assert!(parts.iter().all(|part| *part >= 0), "{parts:?}");
        prop_assert_eq!(parts.iter().sum::<i64>(), price.get());
    }

    #[test]
    fn a_sequence_of_changes_costs_the_same_as_its_parts(
        base in 0i64..9_000, more in 0i64..9_000, ip in 0i64..900, months in 1u32..4,
        moments in prop::collection::vec(moment(4), 2..7),
    ) {
        let (base, upgraded, ip) = (cents(base), cents(base + more), cents(ip));
        let mut moments = moments;
        moments.sort_unstable();
        let (first, last) = (moments[0], *moments.last().unwrap());
        // Upgraded and with an address all the time, or given up and taken again in between.
        let mut whole = paid(base, months);
        let mut parts = whole.clone();
        for (book, moments) in [(&mut whole, &[first, last][..]), (&mut parts, &moments[..])] {
            for pair in moments.windows(2) {
                book.post(&package::change(&book.paid, base, upgraded, pair[0]), Some(ANCHOR), pair[0]);
                book.post(&extra_ip::add(&book.paid, lease(1), ip, pair[0]), Some(ANCHOR), pair[0]);
                book.post(&package::change(&book.paid, upgraded, base, pair[1]), Some(ANCHOR), pair[1]);
                // As a move does it: without the 24 hours of a removal.
                let away = extra_ip::move_to(&book.paid, &[], lease(1), ip, pair[1]).source;
                book.post(&away, Some(ANCHOR), pair[1]);
            }
        }
        prop_assert_eq!(whole.cost(), parts.cost());
        // And each part costs the difference for its time.
        let time = |price: i64| -> i64 {
            let of = |p: u32, at| rest(cents(price), period(ANCHOR, p), at).get();
            (0..months).map(|p| of(p, first) - of(p, last)).sum()
        };
        prop_assert_eq!(whole.cost(), i64::from(months) * base.get() + time(more) + time(ip.get()));
    }

    #[test]
    fn no_credit_exceeds_what_was_paid(
        first in 0i64..9_000, off in 0i64..9_000,
        asks in prop::collection::vec((ask(), 0i64..900_000), 1..8), policy in 0usize..3,
    ) {
        let prices = |package| Prices { package, ips: vec![], promo: None };
        let mut current = cents(first);
        let mut book = Book::default();
        let mut charge = prices(current).charges(0);
        charge[0] = super::quote::Charge::whole(0, Thing::Package, current, cents(off.min(first)));
        book.post(&Quote { charges: charge, credits: vec![] }, Some(ANCHOR), ANCHOR);
        let (mut now, mut added) = (ANCHOR, vec![]);
        for (ask, later) in asks {
            now = now.plus(later);
            let quote = match ask {
                Ask::Package(price) => {
                    let quote = package::change(&book.paid, current, price, now);
                    if price < current {
                        prop_assert!(quote.charges.is_empty(), "a downgrade never charges");
                    }
                    current = price;
                    quote
                }
                Ask::Add(ip, price) if added.iter().all(|(known, _)| *known != lease(ip)) => {
                    added.push((lease(ip), now));
                    extra_ip::add(&book.paid, lease(ip), price, now)
                }
                Ask::Remove(ip) => {
                    let Some(at) = added.iter().position(|(known, _)| *known == lease(ip)) else { continue };
                    let (known, since) = added.swap_remove(at);
                    extra_ip::remove(&book.paid, known, since, now)
                }
                Ask::Add(..) => continue,
                Ask::Extend => {
                    let last = book.paid.iter().map(|period| period.ordinal).max().unwrap();
                    let far = PaidSoFar { anchor: ANCHOR, last, stood_still: false };
                    let Ok(more) = extend(far, &prices(current), 1, now) else { continue };
                    more.quote
                }
            };
            book.post(&quote, Some(ANCHOR), now);
            book.check()?;
        }
        let quote = destroy::credit(&book.paid, DestroyCredit::ALL[policy], &added, now);
        prop_assert!(quote.charges.is_empty());
        book.post(&quote, Some(ANCHOR), now);
        book.check()?;
        // Twice gives nothing more.
        prop_assert_eq!(destroy::credit(&book.paid, DestroyCredit::ALL[policy], &added, now).credited(), Cents::ZERO);
    }

    #[test]
    fn away_and_back_in_the_same_second_costs_nothing(
        package_price in 0i64..9_000, up in 0i64..9_000, ip in 0i64..900, later_ip in 0i64..900,
        months in (1u32..4, 1u32..4), added in moment(1), at in moment(3),
    ) {
        let at = at.max(added);
        let (mut here, mut there) = (paid(cents(package_price), months.0), paid(cents(700), months.1));
        here.post(&extra_ip::add(&here.paid, lease(1), cents(ip), added), Some(ANCHOR), added);
        let before = here.cost() + there.cost();
        // Its price may have changed since it was sold.
        let away = extra_ip::move_to(&here.paid, &there.paid, lease(1), cents(later_ip), at);
        here.post(&away.source, Some(ANCHOR), at);
        there.post(&away.target, Some(ANCHOR), at);
        let back = extra_ip::move_to(&there.paid, &here.paid, lease(1), cents(later_ip), at);
        there.post(&back.source, Some(ANCHOR), at);
        here.post(&back.target, Some(ANCHOR), at);
        prop_assert_eq!(here.cost() + there.cost(), before);
        prop_assert!(away.net().0.is_zero() || away.net().1.is_zero());

        // Up and down again is the same.
        let (low, high) = (cents(package_price), cents(package_price + up));
        let before = here.cost();
        here.post(&package::change(&here.paid, low, high, at), Some(ANCHOR), at);
        here.post(&package::change(&here.paid, high, low, at), Some(ANCHOR), at);
        prop_assert_eq!(here.cost(), before);
    }

    #[test]
    fn months_paid_together_cost_and_last_as_months_paid_one_by_one(
        package in price(), ip in price(), months in 1u32..=12, anchor in 0i64..4_000_000_000,
    ) {
        let prices = Prices { package: package.min(cents(1_000_000)), ips: vec![(lease(1), ip.min(cents(9_000)))], promo: None };
        let paid = PaidSoFar { anchor: Time(anchor), last: 0, stood_still: false };
        let now = paid.paid_until().plus(-1);
        let together = extend(paid, &prices, months, now).unwrap();
        let mut one_by_one = (Quote::default(), paid);
        for _ in 0..months {
            let next = extend(one_by_one.1, &prices, 1, now).unwrap();
            prop_assert_eq!(period(Time(anchor), next.ordinals[0]).from(), one_by_one.1.paid_until(), "no gap, no overlap");
            one_by_one.0.append(next.quote);
            one_by_one.1.last = next.ordinals[0];
        }
        prop_assert_eq!(&together.quote, &one_by_one.0);
        prop_assert_eq!(together.paid_until, one_by_one.1.paid_until());
    }
}
