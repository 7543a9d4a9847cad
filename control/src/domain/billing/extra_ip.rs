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
