//! One service a second time: what it costs, how far it is paid, and what its paid time leads to.

use super::{calendar::months_later, money::Money};

/// What a promo code takes off.
#[derive(Clone, Copy, Debug)]
pub struct Promo {
    pub percent: i128,
    pub amount: Money,
    pub every_period: bool,
    /// The one package that it is for, by its place in the list.
    pub only: Option<usize>,
}

impl Promo {
    fn off(&self, price: Money, number: u32, package: usize) -> Money {
        if number > 0 && !self.every_period || self.only.is_some_and(|only| only != package) {
            return Money::NONE;
        }
        if self.percent > 0 { price.share(self.percent, 100) } else { self.amount.min(price) }
    }
}

/// A line that was paid: for a period, or for a dearer package in the rest of one.
#[derive(Clone, Copy, Debug)]
pub struct Paid {
    /// Months from the anchor to the period's beginning.
    pub number: u32,
    /// Since when it pays for something, where that is not the whole period.
    pub since: Option<i64>,
    /// What a whole period costs by the list, and what of that is still in use.
    pub list: Money,
    pub kept: Money,
    /// What a whole period costs with a promo code.
    pub net: Money,
    /// What the wallet paid, and what it got back.
    pub paid: Money,
    pub back: Money,
}

impl Paid {
    pub fn whole(number: u32, list: Money, net: Money) -> Self {
        Self { number, since: None, list, kept: list, net, paid: net, back: Money::NONE }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Ordered, and not seen running.
    Waiting,
    InUse,
    /// Destroyed, deleted, or an order that failed.
    Over,
}

#[derive(Clone, Debug)]
pub struct Service {
    pub id: String,
    pub owner: usize,
    pub package: usize,
    pub stage: Stage,
    pub sold_at: Money,
    pub is_fixed: bool,
    /// Prices that were announced, and from when on each holds.
    pub announced: Vec<(Money, i64)>,
    pub promo: Option<Promo>,
    pub code: Option<usize>,
    pub renews: bool,
    pub anchor: i64,
    /// Oldest first.
    pub lines: Vec<Paid>,
    /// Since when it is locked as unpaid.
    pub unpaid: Option<i64>,
    pub abuse: bool,
    pub operator: bool,
    /// What was told about the end of its paid time: of which end, and when it was told last in the grace time.
    pub told: Told,
    /// What its destruction gives back once the host has done it.
    pub promised: Money,
}

#[derive(Clone, Copy, Debug, Default)]
pub struct Told {
    pub about: i64,
    pub suspended: bool,
    pub three_days: bool,
    pub one_day: Option<i64>,
}

impl Service {
    pub fn begin(&self, number: u32) -> i64 {
        months_later(self.anchor, number)
    }

    pub fn last(&self) -> u32 {
        self.lines.iter().map(|line| line.number).max().unwrap_or(0)
    }

    pub fn paid_until(&self) -> i64 {
        self.begin(self.last() + 1)
    }

    pub fn is_locked(&self) -> bool {
        self.unpaid.is_some() || self.abuse || self.operator
    }

    /// What a period costs that is paid as of a moment.
    pub fn price(&self, at: i64) -> Money {
        if self.is_fixed {
            return self.sold_at;
        }
        let mut found = (self.sold_at, i64::MIN);
        for (price, from) in &self.announced {
            if *from <= at && *from >= found.1 {
                found = (*price, *from);
            }
        }
        found.0
    }

    /// Announced prices that hold by a moment are what was sold from now on.
    pub fn use_price(&mut self, at: i64) {
        self.sold_at = self.price(at);
        self.announced.retain(|(_, from)| *from > at);
    }

    pub fn charge(&self, number: u32, price: Money) -> Paid {
        let net = price - self.promo.map_or(Money::NONE, |promo| promo.off(price, number, self.package));
        Paid::whole(number, price, net)
    }

    /// The number of the period that is paid next. Months that went by whole while it stood still are nobody's.
    pub fn next(&self, now: i64) -> u32 {
        let mut next = self.last() + 1;
        while (self.unpaid.is_some() || self.abuse) && self.begin(next + 1) <= now {
            next += 1;
        }
        next
    }

    /// What the next renewal takes from the wallet.
    pub fn renewal(&self, now: i64) -> Paid {
        let next = self.next(now);
        self.charge(next, self.price(self.begin(next)))
    }

    /// What destroying it gives back: nothing, periods that have not begun, or all unused time.
    pub fn unused(&self, policy: Policy, now: i64) -> Money {
        let mut sum = Money::NONE;
        for line in &self.lines {
            let from = if policy == Policy::Unstarted { self.begin(line.number) } else { self.begin(line.number + 1) };
            if now < from && policy != Policy::None {
                sum += self.worth(line, line.kept, now);
            }
        }
        sum
    }

    /// What giving up `part` of a line's list price is worth: as much of what it cost, for the time that is left.
    pub fn worth(&self, line: &Paid, part: Money, now: i64) -> Money {
        let (from, to) = (self.begin(line.number), self.begin(line.number + 1));
        let left = to - now.max(from).max(line.since.unwrap_or(from));
        let (part, list) = if line.list == Money::NONE { (1, 1) } else { (part.0, line.list.0) };
        line.net.share(part * i128::from(left), list * i128::from(to - from)).min(line.paid - line.back)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Policy {
    None,
    Unstarted,
    Prorata,
}
