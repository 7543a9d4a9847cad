//! An extra address that is added, moved to another server of its owner and given up again, all in one second: with debts
//! that come up on the way, and with moves that fail.

use csp_shared::observed::FaultCode;
use serde_json::json;

use super::{
    calendar::DAY,
    model::{Model, Payment, Refused},
    money::Money,
    service::{Service, Stage},
    world::{IP_PRICE, World},
};

impl Model {
    /// What an address costs on a server from a moment on, for all that is paid of it.
    fn address_from(&self, at: usize, since: i64) -> Money {
        let service = &self.services[at];
        let mut sum = Money::NONE;
        for number in 0..=service.last() {
            let (from, to) = (service.begin(number), service.begin(number + 1));
            let is_paid = service.lines.iter().any(|line| line.number == number);
            let left = to - since.max(from);
            if is_paid && left > 0 {
                sum += IP_PRICE.share(left.into(), (to - from).into());
            }
        }
        sum
    }

    /// Takes a price for something new.
    fn buy(&mut self, owner: usize, price: Money) -> Result<(), Refused> {
        if price > Money::NONE && !self.may_order(owner) {
            return Err("account_locked");
        }
        self.take(owner, price)
    }
}

impl World {
    /// The servers of one owner between which an address can move.
    fn pair(&mut self) -> Option<(usize, usize)> {
        let now = self.model.now;
        let is_free =
            |service: &Service| service.stage == Stage::InUse && !service.is_locked() && now < service.paid_until();
        let free: Vec<usize> = (0..self.model.services.len()).filter(|at| is_free(&self.model.services[*at])).collect();
        let source = *self.chance.one(&free)?;
        let owner = self.model.services[source].owner;
        let others: Vec<usize> =
            free.into_iter().filter(|at| *at != source && self.model.services[*at].owner == owner).collect();
        let target = *self.chance.one(&others)?;
        // A few are added in a day at most.
        let is_early = self.model.added.iter().any(|(who, at)| *who == owner && now < at + DAY);
        (!is_early).then_some((source, target))
    }

    pub(super) async fn address(&mut self) {
        self.obey().await;
        let Some((source, target)) = self.pair() else { return };
        let now = self.model.now;
        let Service { id: from, owner, .. } = self.model.services[source].clone();
        let to = self.model.services[target].id.clone();
        let added = self.ask(owner, "POST", &format!("/servers/{from}/extra-ips"), &json!({})).await;
        self.note(format!("{from} gets an address: {}", added.status));
        let paid = self.model.address_from(source, now);
        let expected = self.model.buy(owner, paid);
        self.agree(&added, expected);
        if expected.is_err() {
            return;
        }
        self.model.added.push((owner, now));
        self.obey().await;
        let trouble = self.trouble(owner).await;
        let ip = added.json["data"]["uuid"].as_str().unwrap().to_owned();
        let has_it = if self.move_to((source, target), (&from, &to), &ip).await { target } else { source };
        // Its first day is charged.
        let back = self.model.address_from(has_it, now + DAY);
        let server = self.model.services[has_it].id.clone();
        let removed = self.ask(owner, "DELETE", &format!("/servers/{server}/extra-ips/{ip}"), &json!({})).await;
        self.note(format!("{server} gives its address up: {}", removed.status));
        self.agree(&removed, Ok(()));
        self.obey().await;
        self.model.came_in(owner, back);
        self.make_up(owner, trouble).await;
    }

    /// Moves an address, or tries to; answers whether it arrived.
    async fn move_to(&mut self, (source, target): (usize, usize), (from, to): (&str, &str), ip: &str) -> bool {
        let (now, owner) = (self.model.now, self.model.services[source].owner);
        let path = format!("/servers/{from}/extra-ips/{ip}/move");
        let moved = self.ask(owner, "POST", &path, &json!({"target_server_uuid": to})).await;
        self.note(format!("its address goes to {to}: {}", moved.status));
        let (back, costs) = (self.model.address_from(source, now), self.model.address_from(target, now));
        let set_off = back.min(costs);
        let expected = self.model.buy(owner, costs - set_off);
        self.agree(&moved, expected);
        if expected.is_err() {
            return false;
        }
        let trouble = self.trouble(owner).await;
        let owes = self.model.wallets[owner].owed > Money::NONE;
        let fails = self.chance.below(2) == 0;
        let settled = if fails { costs - set_off } else { back - set_off };
        if fails {
            self.host.fail(FaultCode::HypervisorRefused).await;
            self.note("the host refuses it");
        }
        self.obey().await;
        self.obey().await;
        self.model.came_in(owner, settled);
        self.model.count(match (fails, owes) {
            (true, true) => "moves that failed in debt",
            (true, false) => "moves that failed",
            (false, true) => "moves in debt",
            (false, false) => "moves",
        });
        self.make_up(owner, trouble).await;
        !fails
    }

    /// Sometimes the owner's wallet is emptied and a payment disputed, so that something is owed; answers what was taken,
    /// and the dispute's id.
    async fn trouble(&mut self, owner: usize) -> Option<(Money, String)> {
        let is_left = |payment: &Payment| payment.owner == owner && payment.went_back < payment.amount;
        let left = self.model.payments.iter().filter(|(_, payment)| is_left(payment));
        let payments: Vec<String> = left.map(|(id, _)| id.clone()).collect();
        let payment = self.chance.one(&payments)?.clone();
        if self.chance.below(4) > 0 {
            return None;
        }
        let balance = self.model.wallets[owner].balance;
        self.put(owner, balance, "debit").await;
        let reference = self.reference();
        let disputed = self.operate("/disputes", json!({"payment": payment, "reference": reference})).await;
        self.note(format!("customer {owner} disputes {payment} as {reference}: {}", disputed.status));
        let left = self.model.payments[&payment].amount - self.model.payments[&payment].went_back;
        let expected = self.model.dispute(&payment, &reference, left);
        self.agree(&disputed, expected);
        Some((balance, reference))
    }

    /// The dispute is won, and the wallet has again what was taken.
    async fn make_up(&mut self, owner: usize, trouble: Option<(Money, String)>) {
        let Some((balance, reference)) = trouble else { return };
        let closed = self.operate("/disputes/close", json!({"reference": reference, "outcome": "won"})).await;
        self.note(format!("dispute {reference} is won"));
        self.model.close(&reference, true);
        self.agree(&closed, Ok(()));
        self.put(owner, balance, "credit").await;
    }

    async fn put(&mut self, owner: usize, amount: Money, direction: &str) {
        if amount == Money::NONE {
            return;
        }
        let (reference, path) = (self.reference(), format!("/accounts/{}/corrections", self.customers[owner].account));
        let body = json!({"direction": direction, "amount": amount.text(), "reference": reference, "note": "n"});
        let put = self.operate(&path, body).await;
        let expected = self.model.correct(owner, amount, direction == "credit");
        self.agree(&put, expected);
    }
}
