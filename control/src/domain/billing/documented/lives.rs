//! Runs the blocks of `docs/billing.md` that are marked `life`: what the scheduler does, look by look, and what is owed.

use std::collections::BTreeMap;

use csp_shared::{observed::DomainState, spec::Power};

use super::{DOCUMENT, amount, at};
use crate::domain::{
    allowed::{Ask, allowed},
    billing::{
        clock::{Clock, look},
        extend::PaidSoFar,
        life::{Life, Reminder, Step, Told, next},
        lock::{Lock, LockSet, Locks},
        rules::Rules,
    },
    money::Cents,
    payment::{account_locks, claims, settles},
    server::{ServiceStatus, Standing},
    time::{DAY, Time},
};

#[test]
fn every_life_of_the_document_goes_as_the_code_decides() {
    let mut lives = 0;
    for part in DOCUMENT.split("```life\n").skip(1) {
        World::default().run(part.split("```").next().unwrap());
        lives += 1;
    }
    assert!(lives > 8, "{lives} lives: the document lost some");
}

#[test]
fn what_the_document_says_is_allowed_is_allowed() {
    let block = DOCUMENT.split("```allowed\n").nth(1).unwrap().split("```").next().unwrap();
    let mut rows = 0;
    for line in block.lines() {
        let (reasons, wanted) = line.split_once(": ").unwrap();
        let locks: Vec<Lock> = reasons.split(" and ").map(|name| Lock::parse(name).unwrap()).collect();
        let standing = Standing {
            service: ServiceStatus::Suspended,
            locks: LockSet::of(&locks),
            protect_destroy: false,
            protect_reinstall: false,
            power: Power::On,
            domain: DomainState::Off,
            settled: true,
            stuck: false,
            faulty: false,
            host_heard: true,
            running: None,
        };
        let names: Vec<&str> = allowed(&standing).into_iter().map(Ask::as_str).collect();
        assert_eq!(names.join(", "), wanted, "{line}");
        rows += 1;
    }
    assert_eq!(rows, 4);
}

#[derive(Default)]
struct World {
    services: BTreeMap<String, Service>,
    wallet: i64,
    owed: i64,
    disputed: bool,
    seen: Option<Time>,
    stopped: bool,
    said: Vec<String>,
}

struct Service {
    anchor: Time,
    last: u32,
    price: i64,
    auto_renew: bool,
    locks: Locks,
    told: Vec<Told>,
    letters: bool,
}

fn cents(amount: i64) -> Cents {
    Cents::new(amount).unwrap()
}

impl Service {
    fn paid(&self) -> PaidSoFar {
        let stood_still = self.locks.has(Lock::Unpaid) || self.locks.has(Lock::Abuse);
        PaidSoFar { anchor: self.anchor, last: self.last, stood_still }
    }

    fn paid_until(&self) -> Time {
        self.paid().paid_until()
    }

    fn life(&self, wallet: i64, foreseen: bool) -> Life {
        Life {
            paid_until: self.paid_until(),
            locks: self.locks.clone(),
            auto_renew: self.auto_renew,
            affordable: wallet >= self.price,
            foreseen,
            told: self.told.clone(),
            month_ends: None,
        }
    }

    /// Pays the next period; says until when.
    fn renew(&mut self, now: Time) -> Time {
        self.last = self.paid().next(now);
        self.told.clear();
        if self.paid_until() > now {
            self.locks.0.retain(|(lock, _)| *lock != Lock::Unpaid);
        }
        self.paid_until()
    }
}

impl World {
    fn run(&mut self, text: &str) {
        for line in text.lines() {
            match line.strip_prefix("=> ") {
                None => {
                    assert!(self.said.is_empty(), "before `{line}` the document leaves out: {:?}", self.said);
                    self.happens(line);
                    self.said.reverse();
                }
                Some(wanted) => assert_eq!(self.said.pop().as_deref(), Some(wanted), "in:\n{text}"),
            }
        }
        assert!(self.said.is_empty(), "the document leaves out: {:?} in:\n{text}", self.said);
    }

    fn happens(&mut self, line: &str) {
        let (now, words) = (at(&line[..19]), line[20..].split(' ').collect::<Vec<_>>());
        match words.as_slice() {
            ["wallet", sum] => self.wallet = amount(sum).get(),
            ["top-up", sum] => self.comes_in(amount(sum).get()),
            ["dispute", sum] => {
                let claim = claims(amount(sum), cents(self.wallet)).get();
                self.wallet += claim - amount(sum).get();
                self.owed += claim;
                self.disputed = true;
                self.tell_money();
            }
            ["dispute", "won", sum] => {
                self.disputed = false;
                self.comes_in(amount(sum).get());
            }
            ["order"] => {
                let locks = account_locks(cents(self.owed), self.disputed);
                self.said = locks.first().map(|lock| format!("refused: {lock}")).into_iter().collect();
            }
            ["look"] => self.look(now),
            ["resume"] => {
                self.stopped = false;
                self.seen = Some(now);
            }
            [name, "paid", "from", day, hour, "at", price] => {
                let service = Service {
                    anchor: at(&format!("{day} {hour}")),
                    last: 0,
                    price: amount(price).get(),
                    auto_renew: true,
                    locks: Locks::default(),
                    told: vec![],
                    letters: false,
                };
                self.services.insert((*name).to_owned(), service);
            }
            [name, what @ ..] => self.asked(name, what, now),
            other => panic!("not understood: {other:?}"),
        }
    }

    fn asked(&mut self, name: &str, what: &[&str], now: Time) {
        let wallet = self.wallet;
        let service = self.services.get_mut(name).unwrap();
        match what {
            ["auto-renew", "off"] => service.auto_renew = false,
            ["letters"] => service.letters = true,
            ["letter", "taken"] => {
                service.told.iter_mut().for_each(|told| told.at = told.at.or(Some(now)));
            }
            ["lock", reason] => service.locks.0.push((Lock::parse(reason).unwrap(), now)),
            ["unlock", reason] => {
                let reason = Lock::parse(reason).unwrap();
                if service.locks.lifting_leaves_unpaid(reason, Some(service.paid_until()), now) {
                    service.locks.0.push((Lock::Unpaid, now));
                }
                service.locks.0.retain(|(lock, _)| *lock != reason);
            }
            ["locks"] => {
                let names: Vec<&str> = service.locks.0.iter().map(|(lock, _)| lock.as_str()).collect();
                self.said = vec![names.join(", ")];
            }
            ["change"] => {
                let life = service.life(wallet, true);
                if life.is_expired(now) && life.may_renew() {
                    self.renew(name, now);
                } else if life.is_expired(now) {
                    self.said = vec!["refused: renewal_due".to_owned()];
                }
            }
            ["extend"] => self.renew(name, now),
            other => panic!("not understood: {other:?}"),
        }
    }

    fn renew(&mut self, name: &str, now: Time) {
        let service = self.services.get_mut(name).unwrap();
        let (price, until) = (cents(service.price), service.renew(now));
        self.wallet -= price.get();
        assert!(self.wallet >= 0, "{name} was paid with nothing");
        self.said.push(format!("{name} charge {price}, paid until {until}"));
    }

    fn look(&mut self, now: Time) {
        let rules = Rules::default();
        if let (false, Clock::Jumped(by)) = (self.stopped, look(self.seen, None, now, rules.clock_jump_max)) {
            self.stopped = true;
            self.said.push(format!("stopped: the clock jumped by {} d", by / DAY));
        }
        if self.stopped {
            return;
        }
        self.seen = Some(now);
        let mut waiting: Vec<String> = self.services.keys().cloned().collect();
        // Who expired first comes first.
        while let Some(name) = waiting.iter().min_by_key(|name| self.services[*name].paid_until()).cloned() {
            let foreseen = self.wallet >= self.needed_by(&name, now);
            match next(&self.services[&name].life(self.wallet, foreseen), rules.grace, now) {
                Step::Wait(_) => waiting.retain(|other| *other != name),
                Step::Renew => self.renew(&name, now),
                Step::Remind(kind) => self.remind(&name, kind, now),
                Step::Lift => {
                    self.services.get_mut(&name).unwrap().locks.0.retain(|(lock, _)| *lock != Lock::Unpaid);
                    self.said.push(format!("{name} is paid and goes on"));
                }
                Step::Suspend => {
                    self.services.get_mut(&name).unwrap().locks.0.push((Lock::Unpaid, now));
                    self.said.push(format!("{name} suspended"));
                }
                Step::Delete => {
                    self.services.remove(&name);
                    waiting.retain(|other| *other != name);
                    self.said.push(format!("{name} deleted"));
                }
            }
        }
    }

    /// What the wallet must hold so that a service renews, after all that renews before it.
    fn needed_by(&self, name: &str, now: Time) -> i64 {
        let end = self.services[name].paid_until();
        let before = self.services.values().filter(|other| {
            let until = other.paid_until();
            other.auto_renew && !other.locks.has(Lock::Abuse) && until > now && until < end
        });
        before.map(|other| other.price).sum::<i64>() + self.services[name].price
    }

    fn remind(&mut self, name: &str, kind: Reminder, now: Time) {
        let service = self.services.get_mut(name).unwrap();
        service.told.push(Told { kind, at: Some(now).filter(|_| !service.letters) });
        self.said.push(format!("{name} reminder {}", kind.as_str()));
    }

    fn comes_in(&mut self, sum: i64) {
        let settled = settles(cents(sum), cents(self.owed)).get();
        self.wallet += sum - settled;
        self.owed -= settled;
        self.tell_money();
    }

    fn tell_money(&mut self) {
        let (wallet, owed) = (cents(self.wallet), cents(self.owed));
        self.said = vec![format!("wallet {wallet}, owed {owed}")];
    }
}
