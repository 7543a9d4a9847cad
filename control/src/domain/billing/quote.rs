//! What a request costs and gives back, line by line: shown by a dry run, posted by the request itself.

use super::{
    line::{Line, LineId, Period, Thing},
    proration::rest,
};
use crate::domain::{money::Cents, time::Time};

/// A line to be paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Charge {
    /// The period that it is for.
    pub ordinal: u32,
    /// What it pays for.
    pub thing: Thing,
    /// List price of a whole period.
    pub price: Cents,
    /// The same after a promotion.
    pub net_price: Cents,
    /// Since when, within the period; nothing when it is for the whole of it.
    pub from: Option<Time>,
    /// What the time costs at list price.
    pub list: Cents,
    /// What is charged for it.
    pub net: Cents,
}

impl Charge {
    /// A whole period at a price, less a discount.
    #[must_use]
    pub fn whole(ordinal: u32, thing: Thing, price: Cents, discount: Cents) -> Self {
        let net = price.minus(discount).unwrap_or_default();
        Self { ordinal, thing, price, net_price: net, from: None, list: price, net }
    }

    /// What is left of a period at a moment, at list price; the whole of it when it has not begun.
    #[must_use]
    pub fn rest(period: &Period, thing: Thing, price: Cents, at: Time) -> Self {
        match period.span.filter(|span| span.from() < at) {
            None => Self::whole(period.ordinal, thing, price, Cents::ZERO),
            Some(span) => {
                let list = rest(price, span, at);
                let (ordinal, from) = (period.ordinal, Some(at));
                Self { ordinal, thing, price, net_price: price, from, list, net: list }
            }
        }
    }
}

/// A credit on a line.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Credit {
    /// Which line.
    pub line: LineId,
    /// How much is given back.
    pub amount: Cents,
    /// What of the line's price stays in use.
    pub kept: Cents,
}

/// How the amount of a credit comes about.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Basis {
    /// Unused time; of an address that is removed, beyond the day that it costs at least.
    Time,
    /// Unused time of an address that the provider took back: without that day.
    Relief,
    /// Nothing: its service was suspended or locked (BILLING 9).
    Locked,
    /// All that was paid: what it was paid for did not come about.
    Whole,
}

impl Basis {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Time => "time",
            Self::Relief => "relief",
            Self::Locked => "locked",
            Self::Whole => "whole",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Time, Self::Relief, Self::Locked, Self::Whole].into_iter().find(|basis| basis.as_str() == text)
    }
}

/// What a request costs and gives back.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
#[must_use = "a quote that is not posted charges nothing"]
pub struct Quote {
    /// Lines to be paid.
    pub charges: Vec<Charge>,
    /// Credits on lines that were paid.
    pub credits: Vec<Credit>,
}

fn sum(amounts: impl Iterator<Item = Cents>) -> Cents {
    amounts.fold(Cents::ZERO, |sum, amount| sum.plus(amount).unwrap_or(Cents::MAX))
}

impl Quote {
    /// What is charged to the wallet. Sufficiency is tested on this, the net.
    #[must_use]
    pub fn charged(&self) -> Cents {
        sum(self.charges.iter().map(|charge| charge.net))
    }

    /// What promotions pay of it.
    #[must_use]
    pub fn discount(&self) -> Cents {
        sum(self.charges.iter().map(|charge| charge.list.minus(charge.net).unwrap_or_default()))
    }

    /// What is given back to the wallet.
    #[must_use]
    pub fn credited(&self) -> Cents {
        sum(self.credits.iter().map(|credit| credit.amount))
    }

    /// Adds what another quote says.
    pub fn append(&mut self, mut other: Self) {
        self.charges.append(&mut other.charges);
        self.credits.append(&mut other.credits);
    }

    /// Gives up `price` of what a period's lines for a thing stand for, newest line first, each at its own net, for the
    /// time from `at` on.
    pub(super) fn give_up(&mut self, period: &Period, thing: Thing, price: Cents, at: Time) {
        let mut left = price;
        let live = |line: &&Line| line.thing == thing && line.ended_at.is_none();
        for line in period.lines.iter().rev().filter(live) {
            // A free line has nothing to give up but itself.
            let part = left.min(line.kept);
            if part.is_zero() && !line.kept.is_zero() {
                continue;
            }
            let kept = line.kept.minus(part).unwrap_or_default();
            self.credits.push(Credit { line: line.id, amount: line.worth(part, period.span, at), kept });
            left = left.minus(part).unwrap_or_default();
        }
    }
}
