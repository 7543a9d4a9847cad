//! Extra addresses a second time (BILLING 5, 6 and 10): added, removed, moved, extended, destroyed with their server, beside
//! what the product decides. Every step of a random history costs and gives back the same, to the cent.

use csp_control::domain::{
    billing::{
        destroy::{self, DestroyCredit},
        extend::{PaidSoFar, extend, period},
        extra_ip,
        line::{Line, LineId, Period},
        quote::Quote,
        renewal::Prices,
    },
    money::Cents,
    time::Time,
};
use csp_shared::id::LeaseId;
use uuid::Uuid;

use super::{
    calendar::{DAY, months_later},
    chance::Chance,
    money::Money,
};

const SERVICES: usize = 3;
const STEPS: usize = 10_000;
const IPS_MAX: usize = 3;
const PACKAGE: Money = Money(695);

/// A line that was paid, of the package or of one address.
#[derive(Clone, Copy)]
struct Slow {
    service: usize,
    ip: Option<u128>,
    number: u32,
    since: i64,
    price: Money,
    paid: Money,
    ended: Option<i64>,
}

#[derive(Clone, Copy)]
struct Ip {
    id: u128,
    service: usize,
    price: Money,
    added: i64,
}

struct World {
    now: i64,
    anchors: [i64; SERVICES],
    last: [u32; SERVICES],
    slow: Vec<Slow>,
    ips: Vec<Ip>,
    /// The product's side: what the store would keep.
    kept: [Vec<Period>; SERVICES],
    number: i64,
    chance: Chance,
    crossed: std::collections::BTreeMap<&'static str, usize>,
}

fn cents(money: Money) -> Cents {
    Cents::new(i64::try_from(money.0).unwrap()).unwrap()
}

fn lease(ip: u128) -> LeaseId {
    LeaseId(Uuid::from_u128(ip))
}

impl World {
    fn new(seed: u64) -> Self {
        let begin = 1_769_855_400;
        let mut world = Self {
            now: begin,
            anchors: [begin; SERVICES],
            last: [0; SERVICES],
            slow: vec![],
            ips: vec![],
            kept: Default::default(),
            number: 0,
            chance: Chance::new(seed),
            crossed: Default::default(),
        };
        for service in 0..SERVICES {
            world.begin(service);
        }
        world
    }

    /// A new server, seen running now.
    fn begin(&mut self, service: usize) {
        (self.anchors[service], self.last[service]) = (self.now, 0);
        self.kept[service].clear();
        let prices = Prices { package: cents(PACKAGE), ips: vec![], promo: None };
        let quote = Quote { charges: prices.charges(0), credits: vec![] };
        self.keep(service, &quote);
        self.pay(service, None, 0, PACKAGE);
    }

    fn span(&self, service: usize, number: u32) -> (i64, i64) {
        (months_later(self.anchors[service], number), months_later(self.anchors[service], number + 1))
    }

    /// Pays for a thing until a period ends; answers how much.
    fn pay(&mut self, service: usize, ip: Option<u128>, number: u32, price: Money) -> Money {
        let (from, to) = self.span(service, number);
        let since = self.now.max(from);
        let paid = price.share((to - since).into(), (to - from).into());
        self.slow.push(Slow { service, ip, number, since, price, paid, ended: None });
        paid
    }

    /// Numbers of the periods of a service that are not over.
    fn open(&self, service: usize) -> Vec<u32> {
        (0..=self.last[service]).filter(|number| self.span(service, *number).1 > self.now).collect()
    }

    /// Gives up a thing's lines from a moment on; answers what comes back.
    fn give_up(&mut self, service: usize, ip: Option<u128>, until: i64) -> Money {
        let mut sum = Money::NONE;
        for at in 0..self.slow.len() {
            let line = self.slow[at];
            let (from, to) = self.span(service, line.number);
            if (line.service, line.ip, line.ended) != (service, ip, None) || to <= self.now {
                continue;
            }
            let unused = to - until.max(line.since).min(to);
            sum += line.price.share(unused.into(), (to - from).into()).min(line.paid);
            self.slow[at].ended = Some(self.now);
        }
        sum
    }

    /// What the store would keep of a quote.
    fn keep(&mut self, service: usize, quote: &Quote) {
        for charge in &quote.charges {
            if !self.kept[service].iter().any(|period| period.ordinal == charge.ordinal) {
                let span = Some(period(Time(self.anchors[service]), charge.ordinal));
                self.kept[service].push(Period { ordinal: charge.ordinal, span, lines: vec![] });
            }
            self.number += 1;
            let line = Line {
                id: LineId(self.number),
                thing: charge.thing,
                price: charge.price,
                net_price: charge.net_price,
                kept: charge.price,
                from: charge.from,
                net: charge.net,
                credited: Cents::ZERO,
                ended_at: None,
            };
            let periods = &mut self.kept[service];
            periods.iter_mut().find(|period| period.ordinal == charge.ordinal).unwrap().lines.push(line);
        }
        for credit in &quote.credits {
            let lines = self.kept[service].iter_mut().flat_map(|period| &mut period.lines);
            let line = lines.into_iter().find(|line| line.id == credit.line).unwrap();
            line.credited = line.credited.plus(credit.amount).unwrap();
            assert!(line.credited <= line.net, "more than was paid came back");
            line.kept = credit.kept;
            line.ended_at = credit.kept.is_zero().then_some(Time(self.now));
        }
    }

    fn count(&mut self, what: &'static str) {
        *self.crossed.entry(what).or_default() += 1;
    }

    fn agree(&mut self, what: &'static str, told: (Cents, Cents), expected: (Money, Money)) {
        let told = (Money(told.0.get().into()), Money(told.1.get().into()));
        assert_eq!(told, expected, "{what} at {}", Time(self.now));
        self.count(what);
    }

    fn step(&mut self) {
        match self.chance.below(12) {
            0..=3 => self.pass(),
            4 | 5 => self.add(),
            6 => self.remove(),
            7 | 8 => self.moves(),
            9 => self.extend(),
            10 => self.price(),
            _ => self.destroy(),
        }
    }

    fn pass(&mut self) {
        let most = [3_600, DAY, 9 * DAY][self.chance.below(3)];
        self.now += 1 + i64::try_from(self.chance.below(usize::try_from(most).unwrap())).unwrap();
        for service in 0..SERVICES {
            while self.span(service, self.last[service]).1 <= self.now {
                self.extend_by(service, 1);
            }
        }
    }

    fn add(&mut self) {
        let service = self.chance.below(SERVICES);
        if self.ips.iter().filter(|ip| ip.service == service).count() >= IPS_MAX {
            return;
        }
        self.number += 1;
        let price = Money(i128::try_from(self.chance.below(400)).unwrap());
        let ip = Ip { id: u128::try_from(self.number).unwrap(), service, price, added: self.now };
        let quote = extra_ip::add(&self.kept[service], lease(ip.id), cents(price), Time(self.now));
        self.keep(service, &quote);
        let mut paid = Money::NONE;
        for number in self.open(service) {
            paid += self.pay(service, Some(ip.id), number, price);
        }
        self.ips.push(ip);
        self.agree("added", (quote.charged(), quote.credited()), (paid, Money::NONE));
    }

    fn any(&mut self) -> Option<usize> {
        let places: Vec<usize> = (0..self.ips.len()).collect();
        self.chance.one(&places).copied()
    }

    fn remove(&mut self) {
        let Some(at) = self.any() else { return };
        let Ip { id, service, added, .. } = self.ips.swap_remove(at);
        let quote = extra_ip::remove(&self.kept[service], lease(id), Time(added), Time(self.now));
        self.keep(service, &quote);
        // A day is charged, however soon it goes.
        let back = self.give_up(service, Some(id), self.now.max(added + DAY));
        let what = if self.now < added + DAY { "removed within a day" } else { "removed" };
        self.agree(what, (quote.charged(), quote.credited()), (Money::NONE, back));
    }

    fn moves(&mut self) {
        let Some(at) = self.any() else { return };
        let (home, away) = (self.ips[at].service, (self.ips[at].service + 1) % SERVICES);
        let (paid, back) = self.move_to(at, away);
        if self.chance.below(2) == 0 {
            return;
        }
        let (paid_again, back_again) = self.move_to(at, home);
        assert_eq!(paid + paid_again, back + back_again, "away and back in the same second costs nothing");
        self.count("away and back");
    }

    /// Both sides, each for the rest of its own time; what was paid, and what came back.
    fn move_to(&mut self, at: usize, target: usize) -> (Money, Money) {
        let Ip { id, service: source, price, .. } = self.ips[at];
        let moved = extra_ip::move_to(&self.kept[source], &self.kept[target], lease(id), cents(price), Time(self.now));
        self.keep(source, &moved.source);
        self.keep(target, &moved.target);
        let back = self.give_up(source, Some(id), self.now);
        let mut paid = Money::NONE;
        for number in self.open(target) {
            let left = |line: &&Slow| {
                (line.service, line.ip, line.number, line.ended) == (target, Some(id), number, Some(self.now))
            };
            // What left in this very second comes back at what it had cost.
            let price = self.slow.iter().rev().find(left).map_or(price, |line| line.price);
            paid += self.pay(target, Some(id), number, price);
        }
        self.ips[at].service = target;
        let net = (paid - paid.min(back), back - paid.min(back));
        self.agree("moved", moved.net(), net);
        (paid, back)
    }

    fn extend(&mut self) {
        let service = self.chance.below(SERVICES);
        if self.last[service] < 200 && self.open(service).len() < 4 {
            let months = 1 + u32::try_from(self.chance.below(2)).unwrap();
            self.extend_by(service, months);
        }
    }

    fn extend_by(&mut self, service: usize, months: u32) {
        let anchor = Time(self.anchors[service]);
        let mine: Vec<Ip> = self.ips.iter().filter(|ip| ip.service == service).copied().collect();
        let ips = mine.iter().map(|ip| (lease(ip.id), cents(ip.price))).collect();
        let prices = Prices { package: cents(PACKAGE), ips, promo: None };
        let so_far = PaidSoFar { anchor, last: self.last[service], stood_still: false };
        let extension = extend(so_far, &prices, months, Time(self.now)).unwrap();
        self.keep(service, &extension.quote);
        let mut paid = Money::NONE;
        for _ in 0..months {
            self.last[service] += 1;
            let number = self.last[service];
            let whole = |world: &mut Self, ip, price| {
                let (from, _) = world.span(service, number);
                let line = Slow { service, ip, number, since: from, price, paid: price, ended: None };
                world.slow.push(line);
                price
            };
            paid += whole(self, None, PACKAGE);
            for ip in &mine {
                paid += whole(self, Some(ip.id), ip.price);
            }
        }
        self.agree("extended", (extension.quote.charged(), extension.quote.credited()), (paid, Money::NONE));
    }

    /// What was announced about an address holds from now on: what is paid already stays as it was paid.
    fn price(&mut self) {
        let Some(at) = self.any() else { return };
        self.ips[at].price = Money(i128::try_from(self.chance.below(400)).unwrap());
    }

    fn destroy(&mut self) {
        if self.chance.below(8) > 0 {
            return;
        }
        let service = self.chance.below(SERVICES);
        let mine: Vec<Ip> = self.ips.iter().filter(|ip| ip.service == service).copied().collect();
        let added: Vec<_> = mine.iter().map(|ip| (lease(ip.id), Time(ip.added))).collect();
        let quote = destroy::credit(&self.kept[service], DestroyCredit::Prorata, &added, Time(self.now));
        self.keep(service, &quote);
        let mut back = self.give_up(service, None, self.now);
        for ip in &mine {
            back += self.give_up(service, Some(ip.id), self.now.max(ip.added + DAY));
        }
        self.ips.retain(|ip| ip.service != service);
        self.agree("destroyed", (quote.charged(), quote.credited()), (Money::NONE, back));
        // The next server has periods of its own, with the same numbers.
        self.slow.retain(|line| line.service != service);
        self.begin(service);
    }
}

#[test]
fn model_and_product_agree_on_extra_addresses() {
    let mut world = World::new(1);
    for step in 0..STEPS {
        world.step();
        if step % 32 > 0 {
            continue;
        }
        // What is over is nobody's any more.
        let (now, anchors) = (world.now, world.anchors);
        world.slow.retain(|line| months_later(anchors[line.service], line.number + 1) > now);
        for kept in &mut world.kept {
            kept.retain(|period| period.is_open(Time(now)));
        }
    }
    for what in ["added", "removed", "removed within a day", "moved", "away and back", "extended", "destroyed"] {
        let times = world.crossed.get(what).copied().unwrap_or(0);
        assert!(times >= 50, "{what}: only {times}; {:?}", world.crossed);
    }
}
