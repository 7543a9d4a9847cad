//! Extra addresses: added, removed, moved (BILLING 5).

use csp_shared::id::LeaseId;

use super::{
    line::{Paid, Period, Thing},
    quote::{Charge, Quote},
};
use crate::domain::{
    money::Cents,
    time::{DAY, Time},
};

/// An address is charged for at least this long, in seconds, from its addition on.
pub const CHARGED_SECONDS_MIN: i64 = DAY;

/// How many addresses an account adds in 24 hours, unless the provider decided otherwise.
pub const ADDITIONS_A_DAY: usize = 5;

/// Too many were added lately.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("at most {max} extra addresses are added in 24 hours; the next one can be from {next} on")]
pub struct TooManyAdditions {
    /// So many may be.
    pub max: usize,
    /// From when on there is room for one.
    pub next: Time,
}

/// Whether one more address may be added. `added` says when the account added others, also such as are gone by now: who
/// takes one and gives it back used the provider's room all the same.
///
/// # Errors
/// When too many were added in the last 24 hours.
pub fn may_add(added: &[Time], max: usize, now: Time) -> Result<(), TooManyAdditions> {
    let mut lately: Vec<Time> = added.iter().copied().filter(|at| *at > now.plus(-DAY)).collect();
    lately.sort_unstable();
    if lately.len() < max {
        return Ok(());
    }
    // There is room once all but `max - 1` of them are a day old; where none is allowed, never.
    let next = lately.len().checked_sub(max).and_then(|place| lately.get(place));
    Err(TooManyAdditions { max, next: next.map_or(Time(i64::MAX), |at| at.plus(DAY)) })
}

/// What adding an address at a monthly price costs: the rest of each period that is paid.
pub fn add(paid: &Paid, lease: LeaseId, price: Cents, now: Time) -> Quote {
    let open = paid.iter().filter(|period| period.is_open(now));
    let charges = open.map(|period| Charge::rest(period, Thing::ExtraIp(lease), price, now)).collect();
    Quote { charges, credits: Vec::new() }
}

/// What removing an address gives back: the unused rest of each period, but for its first 24 hours. `added_at` is when it
/// was added, to whichever server.
pub fn remove(paid: &Paid, lease: LeaseId, added_at: Time, now: Time) -> Quote {
    take_off(paid, lease, now.max(added_at.plus(CHARGED_SECONDS_MIN)), now)
}

/// What an address gives back that did not come, beyond what its own addition or move took: the rest of periods that were
/// renewed with it meanwhile.
pub fn withdraw(paid: &Paid, lease: LeaseId, now: Time) -> Quote {
    take_off(paid, lease, now, now)
}

/// Both sides of a move.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a quote that is not posted charges nothing"]
pub struct Move {
    /// What the server that loses it gets back.
    pub source: Quote,
    /// What the server that gets it pays.
    pub target: Quote,
}

impl Move {
    /// What the wallet pays, and what it gets back: one of the two is zero. The sides are set off against each other, so
    /// that a move between servers that are paid equally long needs no balance.
    #[must_use]
    pub fn net(&self) -> (Cents, Cents) {
        let (pays, gets) = (self.target.charged(), self.source.credited());
        (pays.minus(gets).unwrap_or_default(), gets.minus(pays).unwrap_or_default())
    }
}

/// What moving an address from one server to another costs and gives back. There is no minimum here: the address is not
/// given up. Coming back in the second in which it left, it is charged what its own lines gave back then.
pub fn move_to(source: &Paid, target: &Paid, lease: LeaseId, price: Cents, now: Time) -> Move {
    let thing = Thing::ExtraIp(lease);
    let open = target.iter().filter(|period| period.is_open(now));
    let charge = |period: &Period| Charge::rest(period, thing, left_just_now(period, thing, now).unwrap_or(price), now);
    Move {
        source: take_off(source, lease, now, now),
        target: Quote { charges: open.map(charge).collect(), credits: Vec::new() },
    }
}

/// The price of the line that ended in this very second, if one did.
fn left_just_now(period: &Period, thing: Thing, now: Time) -> Option<Cents> {
    period.lines.iter().rev().find(|line| line.thing == thing && line.ended_at == Some(now)).map(|line| line.net_price)
}

fn take_off(paid: &Paid, lease: LeaseId, until: Time, now: Time) -> Quote {
    let mut quote = Quote::default();
    for period in paid.iter().filter(|period| period.is_open(now)) {
        let thing = Thing::ExtraIp(lease);
        quote.give_up(period, thing, period.price_of(thing), until);
    }
    quote
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NOON: Time = Time(1_781_092_800);

    #[test]
    fn the_sixth_address_in_a_day_waits_until_the_first_is_a_day_old() {
        let five: Vec<Time> = (0..5).map(|hours| NOON.plus(hours * 3600)).collect();
        let refused = TooManyAdditions { max: 5, next: NOON.plus(DAY) };
        assert_eq!(may_add(&five[..4], 5, NOON.plus(DAY - 1)), Ok(()));
        assert_eq!(may_add(&five, 5, NOON.plus(DAY - 1)), Err(refused));
        assert_eq!(may_add(&five, 5, NOON.plus(DAY)), Ok(()));
        assert!(may_add(&[], 0, NOON).is_err(), "a provider may sell none");
    }

    proptest! {
        #[test]
        fn who_waits_as_long_as_told_may_add_one_and_nobody_adds_more_in_any_day(
            waits in prop::collection::vec(0i64..DAY / 2, 1..60),
            max in 1usize..8,
        ) {
            let (mut now, mut added) = (NOON, Vec::new());
            for wait in waits {
                now = now.plus(wait);
                if let Err(refused) = may_add(&added, max, now) {
                    prop_assert!(refused.next > now && may_add(&added, max, refused.next.plus(-1)).is_err());
                    now = refused.next;
                }
                prop_assert_eq!(may_add(&added, max, now), Ok(()));
                added.push(now);
            }
            for day in added.windows(max + 1) {
                prop_assert!(day[max].0 - day[0].0 >= DAY);
            }
        }
    }
}
