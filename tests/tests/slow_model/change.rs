//! Another package a second time (BILLING 3 to 5): priced line by line to the end of what is paid.

use super::{
    model::{Model, Refused},
    money::Money,
    service::{Paid, Service, Stage},
};

impl Model {
    /// Accepts another package. The host has not done it yet.
    pub fn change(&mut self, at: usize, package: usize, price: Money) -> Result<(), Refused> {
        if self.services[at].stage == Stage::Waiting {
            return Err("server_busy");
        }
        if self.services[at].is_locked() {
            return Err("conflict");
        }
        self.whole_or_not(at, |model| model.change_now(at, package, price))
    }

    fn change_now(&mut self, at: usize, package: usize, price: Money) -> Result<(), Refused> {
        let service = &self.services[at];
        if self.now >= service.paid_until() {
            return Err("renewal_due");
        }
        if service.package == package {
            return Err("validation_failed");
        }
        let (before, owner) = (service.clone(), service.owner);
        let (is_up, is_down) = (price > before.sold_at, price < before.sold_at);
        let (mut charged, mut back) = (Money::NONE, Money::NONE);
        let mut after = before.clone();
        for number in 0..=before.last() {
            if before.lines.iter().all(|line| line.number != number) || self.now >= before.begin(number + 1) {
                continue;
            }
            let kept = before.lines.iter().filter(|line| line.number == number);
            let has = kept.fold(Money::NONE, |sum, line| sum + line.kept);
            if is_up && price > has {
                let line = self.rest(&before, number, price - has);
                charged += line.paid;
                after.lines.push(line);
            }
            if price < has {
                back += self.give_up(&mut after.lines, &before, number, has - price);
            }
        }
        if charged > Money::NONE && !self.may_order(owner) {
            return Err("account_locked");
        }
        self.take(owner, charged)?;
        (after.package, after.sold_at, after.is_fixed) = (package, price, false);
        after.announced.clear();
        after.promised = back;
        self.services[at] = after;
        self.changing = Some((at, before, charged));
        let rests = self.services[at]
            .promo
            .is_some_and(|promo| promo.every_period && promo.only.is_some_and(|only| only != package));
        if rests {
            self.count("discounts that rest");
        }
        self.count(match (is_up, is_down) {
            (true, _) => "upgrades",
            (_, true) => "downgrades",
            _ => "changes at the same price",
        });
        if charged > Money::NONE && back > Money::NONE {
            self.count("upgrades with some money back");
        }
        if back > Money::NONE {
            self.count("changes with money back");
        }
        Ok(())
    }

    /// A line for what is left of a period.
    fn rest(&self, service: &Service, number: u32, price: Money) -> Paid {
        let (from, to) = (service.begin(number), service.begin(number + 1));
        let mut line = Paid::whole(number, price, price);
        if self.now > from {
            line.since = Some(self.now);
            line.paid = price.share((to - self.now).into(), (to - from).into());
        }
        line
    }

    /// Gives up so much of what a period's lines stand for, the newest first; what that is worth.
    fn give_up(&self, lines: &mut [Paid], service: &Service, number: u32, mut price: Money) -> Money {
        let mut sum = Money::NONE;
        for line in lines.iter_mut().rev().filter(|line| line.number == number) {
            let part = price.min(line.kept);
            if part == Money::NONE {
                continue;
            }
            let worth = service.worth(line, part, self.now);
            line.kept -= part;
            line.back += worth;
            price -= part;
            sum += worth;
        }
        sum
    }

    /// The host could not do it: everything is as before, and the money that it took is back.
    pub fn change_failed(&mut self) {
        if let Some((at, before, charged)) = self.changing.take() {
            self.came_in(before.owner, charged);
            self.services[at] = before;
            self.count("changes taken back");
        }
    }
}
