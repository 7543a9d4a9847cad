//! The rules of BILLING.md, written down a second time: slow, plain, and with nothing of the product.

use std::collections::BTreeMap;

use super::{
    calendar::{DAY, months_later},
    money::Money,
    service::{Paid, Policy, Promo, Service, Stage, Told},
};

/// Why a request is refused, as the API names it.
pub type Refused = &'static str;

#[derive(Clone, Debug)]
pub struct Payment {
    pub owner: usize,
    pub amount: Money,
    pub went_back: Money,
}

#[derive(Clone, Debug)]
pub struct Dispute {
    pub payment: String,
    pub amount: Money,
    pub is_open: bool,
}

#[derive(Clone, Debug, Default)]
pub struct Wallet {
    pub balance: Money,
    pub owed: Money,
}

#[derive(Clone, Debug)]
pub struct Code {
    pub promo: Promo,
    pub uses_max: usize,
    pub uses_by_one: usize,
    /// By whom, for each use that was not given back.
    pub used: Vec<usize>,
}

#[derive(Debug)]
pub struct Model {
    pub now: i64,
    pub policy: Policy,
    pub grace: i64,
    pub wallets: Vec<Wallet>,
    pub services: Vec<Service>,
    pub codes: Vec<Code>,
    pub payments: BTreeMap<String, Payment>,
    pub disputes: BTreeMap<String, Dispute>,
    /// How often a history came by what it is there for.
    pub crossed: BTreeMap<&'static str, usize>,
    /// The change of a package that the host has not done: of which server, and how that was before.
    pub changing: Option<(usize, Service, Money)>,
    /// Who added an extra address, and when.
    pub added: Vec<(usize, i64)>,
}

impl Model {
    pub fn count(&mut self, what: &'static str) {
        *self.crossed.entry(what).or_default() += 1;
    }

    pub(super) fn take(&mut self, owner: usize, amount: Money) -> Result<(), Refused> {
        if self.wallets[owner].balance < amount {
            return Err("insufficient_balance");
        }
        self.wallets[owner].balance -= amount;
        Ok(())
    }

    /// Money that comes into a wallet, which pays what is owed first.
    pub(super) fn came_in(&mut self, owner: usize, amount: Money) {
        let wallet = &mut self.wallets[owner];
        let settles = amount.min(wallet.owed);
        wallet.owed -= settles;
        wallet.balance += amount - settles;
        if settles > Money::NONE {
            self.count("debts paid");
        }
    }

    pub fn credit(&mut self, owner: usize, amount: Money, reference: &str) -> Result<(), Refused> {
        if let Some(known) = self.payments.get(reference) {
            let same = known.owner == owner && known.amount == amount;
            self.count("payments told twice");
            return if same { Ok(()) } else { Err("already_exists") };
        }
        let payment = Payment { owner, amount, went_back: Money::NONE };
        self.payments.insert(reference.to_owned(), payment);
        self.came_in(owner, amount);
        Ok(())
    }

    pub fn give(&mut self, owner: usize, amount: Money) {
        self.came_in(owner, amount);
    }

    pub fn correct(&mut self, owner: usize, amount: Money, into: bool) -> Result<(), Refused> {
        if into {
            self.came_in(owner, amount);
            return Ok(());
        }
        self.take(owner, amount)
    }

    pub fn refund(&mut self, payment: &str, amount: Money) -> Result<(), Refused> {
        let known = self.payments[payment].clone();
        if known.went_back + amount > known.amount {
            return Err("validation_failed");
        }
        self.take(known.owner, amount)?;
        self.payments.get_mut(payment).unwrap().went_back += amount;
        self.count("refunds");
        Ok(())
    }

    pub fn dispute(&mut self, payment: &str, reference: &str, amount: Money) -> Result<(), Refused> {
        let known = self.payments.get_mut(payment).unwrap();
        if known.went_back + amount > known.amount {
            return Err("validation_failed");
        }
        known.went_back += amount;
        let wallet = &mut self.wallets[known.owner];
        let there = amount.min(wallet.balance);
        wallet.balance -= there;
        wallet.owed += amount - there;
        let dispute = Dispute { payment: payment.to_owned(), amount, is_open: true };
        self.disputes.insert(reference.to_owned(), dispute);
        self.count(if there < amount { "disputes beyond the balance" } else { "disputes within the balance" });
        Ok(())
    }

    pub fn close(&mut self, reference: &str, won: bool) {
        let dispute = self.disputes.get_mut(reference).unwrap();
        dispute.is_open = false;
        if won {
            let payment = self.payments.get_mut(&dispute.payment).unwrap();
            payment.went_back -= dispute.amount;
            let (owner, amount) = (payment.owner, dispute.amount);
            self.came_in(owner, amount);
        }
        self.count(if won { "disputes won" } else { "disputes lost" });
    }

    pub(super) fn may_order(&self, owner: usize) -> bool {
        let disputed = |dispute: &Dispute| dispute.is_open && self.payments[&dispute.payment].owner == owner;
        self.wallets[owner].owed == Money::NONE && !self.disputes.values().any(disputed)
    }

    /// Charges an order; `id` is what the server is called once it is accepted.
    pub fn order(
        &mut self,
        owner: usize,
        (package, price): (usize, Money),
        code: Option<usize>,
        id: &str,
    ) -> Result<(), Refused> {
        if let Some(code) = code {
            let code = &self.codes[code];
            let mine = code.used.iter().filter(|user| **user == owner).count();
            let is_for = code.promo.only.is_none_or(|only| only == package);
            if !is_for || code.used.len() >= code.uses_max || mine >= code.uses_by_one {
                return Err("promo_code_refused");
            }
        }
        if !self.may_order(owner) {
            return Err("account_locked");
        }
        let mut service = Service {
            id: id.to_owned(),
            owner,
            package,
            stage: Stage::Waiting,
            sold_at: price,
            is_fixed: false,
            announced: vec![],
            promo: code.map(|code| self.codes[code].promo),
            code,
            renews: true,
            anchor: 0,
            lines: vec![],
            unpaid: None,
            abuse: false,
            operator: false,
            told: Told::default(),
            promised: Money::NONE,
        };
        let paid = service.charge(0, price);
        self.take(owner, paid.paid)?;
        service.lines.push(paid);
        self.count("orders");
        if let Some(code) = code {
            self.codes[code].used.push(owner);
            let every = self.codes[code].promo.every_period;
            self.count(if every { "promo codes for every period" } else { "promo codes for the first period" });
        }
        self.services.push(service);
        Ok(())
    }

    /// The host has done all that was asked: orders run, and what was destroyed is gone.
    pub fn obeyed(&mut self) {
        for at in 0..self.services.len() {
            let service = &mut self.services[at];
            if service.stage == Stage::Waiting {
                service.stage = Stage::InUse;
                service.anchor = self.now;
            }
            let (owner, promised) = (service.owner, std::mem::replace(&mut service.promised, Money::NONE));
            self.came_in(owner, promised);
        }
        self.changing = None;
    }

    /// An order ends without having run: everything goes back.
    fn undo(&mut self, at: usize) {
        let service = &mut self.services[at];
        service.stage = Stage::Over;
        let (owner, paid) = (service.owner, service.lines[0].paid);
        self.came_in(owner, paid);
        let service = &self.services[at];
        if let Some(code) = service.code {
            let used = &mut self.codes[code].used;
            let mine = used.iter().position(|user| *user == service.owner).unwrap();
            used.remove(mine);
        }
    }

    pub fn failed(&mut self) {
        for at in 0..self.services.len() {
            if self.services[at].stage == Stage::Waiting {
                self.undo(at);
                self.count("orders that failed");
            }
        }
    }

    pub fn destroy(&mut self, at: usize) -> Result<(), Refused> {
        match self.services[at].stage {
            Stage::Waiting => {
                self.undo(at);
                self.count("orders called off");
            }
            _ if self.services[at].abuse => return Err("conflict"),
            _ => {
                self.remove(at);
                let gives = self.services[at].promised > Money::NONE;
                self.count(if gives { "destroyed with money back" } else { "destroyed with none back" });
            }
        }
        Ok(())
    }

    fn remove(&mut self, at: usize) {
        let (policy, now, service) = (self.policy, self.now, &mut self.services[at]);
        service.stage = Stage::Over;
        service.promised = service.unused(policy, now);
    }

    pub fn extend(&mut self, at: usize, months: u32) -> Result<(), Refused> {
        if self.services[at].stage == Stage::Waiting {
            return Err("conflict");
        }
        let service = &self.services[at];
        let (is_late, is_due) = (service.unpaid.is_some(), self.now >= service.paid_until());
        self.extend_now(at, months)?;
        self.count(match (is_late, is_due) {
            (true, _) => "extended late",
            (false, true) => "extended before the scheduler came by",
            (false, false) => "extended in time",
        });
        Ok(())
    }

    /// Renews what is due and does what was asked. A refusal takes back what it renewed on the way.
    pub(super) fn whole_or_not(
        &mut self,
        at: usize,
        ask: impl FnOnce(&mut Self) -> Result<(), Refused>,
    ) -> Result<(), Refused> {
        let before = (self.wallets.clone(), self.services[at].clone(), self.crossed.clone());
        while self.can_renew(at) {
            self.renew(at);
        }
        let done = ask(self);
        if done.is_err() {
            (self.wallets, self.services[at], self.crossed) = before;
        }
        done
    }

    fn extend_now(&mut self, at: usize, months: u32) -> Result<(), Refused> {
        let (now, service) = (self.now, &self.services[at]);
        let first = service.next(now);
        if service.begin(first + months) > months_later(now, 13) {
            return Err("paid_too_far_ahead");
        }
        let price = service.price(now);
        let lines: Vec<Paid> = (first..first + months).map(|number| service.charge(number, price)).collect();
        let sum = lines.iter().fold(Money::NONE, |sum, line| sum + line.paid);
        self.take(service.owner, sum)?;
        let service = &mut self.services[at];
        service.lines.extend(lines);
        service.use_price(now);
        if service.paid_until() > now {
            service.unpaid = None;
        }
        Ok(())
    }

    fn can_renew(&self, at: usize) -> bool {
        let service = &self.services[at];
        let has = self.wallets[service.owner].balance;
        self.now >= service.paid_until() && service.renews && !service.abuse && has >= service.renewal(self.now).paid
    }

    fn renew(&mut self, at: usize) {
        let (now, service) = (self.now, &mut self.services[at]);
        let line = service.renewal(now);
        let is_other = service.sold_at != line.list;
        self.wallets[service.owner].balance -= line.paid;
        service.use_price(service.begin(line.number));
        service.lines.push(line);
        let revives = service.paid_until() > now && service.unpaid.take().is_some();
        self.count("renewals");
        if is_other {
            self.count("renewals at another price");
        }
        if revives {
            self.count("revivals");
        }
    }

    pub fn lock(&mut self, at: usize, abuse: bool) {
        let service = &mut self.services[at];
        if abuse {
            service.abuse = true
        } else {
            service.operator = true
        }
        self.count(if abuse { "locked for abuse" } else { "locked by the operator" });
    }

    pub fn unlock(&mut self, at: usize, abuse: bool) {
        let (now, service) = (self.now, &mut self.services[at]);
        let was_there = if abuse { service.abuse } else { service.operator };
        // What ran out meanwhile has its whole grace time from here on.
        if was_there && now >= service.paid_until() && service.unpaid.is_none() {
            service.unpaid = Some(now);
        }
        if abuse { service.abuse = false } else { service.operator = false }
    }

    pub fn announce(&mut self, at: usize, price: Money) -> bool {
        let (now, service) = (self.now, &mut self.services[at]);
        if service.is_fixed {
            return false;
        }
        let from = if price > service.price(now) { now + 30 * DAY } else { now };
        if service.price(from) == price {
            return false;
        }
        // A rise beside what holds by then, which may have been announced before.
        if price > service.price(from) && from < now + 30 * DAY {
            return false;
        }
        service.announced.push((price, from));
        self.count(if from > now { "rises announced" } else { "falls announced" });
        true
    }

    pub fn fix(&mut self, at: usize) {
        let (now, service) = (self.now, &mut self.services[at]);
        let mut lowest = service.price(now);
        for (price, from) in &service.announced {
            if *from > now && !service.is_fixed {
                lowest = lowest.min(*price);
            }
        }
        service.sold_at = lowest;
        service.is_fixed = true;
        service.announced.clear();
        self.count("prices fixed");
    }

    pub fn release(&mut self, at: usize) {
        self.services[at].is_fixed = false;
    }

    /// What the clock brings: one step of one service after the other, whoever's paid time ends first coming first.
    pub fn look(&mut self) {
        loop {
            let mut order: Vec<usize> = (0..self.services.len()).collect();
            order.retain(|at| self.services[*at].stage == Stage::InUse);
            order.sort_by_key(|at| (self.services[*at].paid_until(), self.services[*at].id.clone()));
            if !order.into_iter().any(|at| self.step(at)) {
                return;
            }
        }
    }

    /// Takes a step in the life of a service; false when there is nothing to do.
    fn step(&mut self, at: usize) -> bool {
        let (now, service) = (self.now, &self.services[at]);
        if service.abuse || now < service.paid_until() {
            return false;
        }
        if self.can_renew(at) {
            self.renew(at);
            return true;
        }
        let service = &mut self.services[at];
        let Some(since) = service.unpaid else {
            service.unpaid = Some(now);
            self.count("suspensions");
            return true;
        };
        if service.told.about != service.paid_until() {
            service.told = Told { about: service.paid_until(), ..Told::default() };
        }
        let deleted_at = since + self.grace;
        if !service.told.suspended {
            service.told.suspended = true;
        } else if now >= deleted_at - DAY && service.told.one_day.is_none() {
            service.told.one_day = Some(now);
        } else if now >= deleted_at - 3 * DAY && !service.told.three_days && service.told.one_day.is_none() {
            service.told.three_days = true;
        } else if now >= deleted_at && !service.operator && service.told.one_day.is_some_and(|told| now >= told + DAY) {
            self.remove(at);
            self.count("deletions");
        } else {
            return false;
        }
        true
    }
}
