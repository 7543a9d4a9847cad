//! Both sides of a history: the product over its HTTP faces, and the model. What is asked of one is asked of the other,
//! and after every step they must agree.

use std::collections::HashSet;

use csp_control::{
    domain::{
        billing::{destroy::DestroyCredit, lock::Lock},
        server::ServiceStatus,
        time::Time,
    },
    store::{Billed, Read, StoreError},
};
use csp_shared::id::{AccountId, ServerId};
use csp_tests::test_control::{EXAMPLE_CATALOG, NOON, Reply, TestControl, TestCustomer, TestHost};
use serde_json::Value;

use super::{
    calendar::DAY,
    chance::Chance,
    model::{Code, Model, Refused, Wallet},
    money::Money,
    service::{Policy, Promo, Service, Stage},
};

pub(super) const CUSTOMERS: usize = 3;
/// Slugs and prices, in cents.
pub(super) const PACKAGES: [(&str, i128); 4] = [("small", 333), ("usual", 695), ("large", 4_295), ("free", 0)];
pub(super) const CODES: [(&str, Promo, usize); 5] = [
    ("HALF", Promo { percent: 50, amount: Money::NONE, every_period: false, only: None }, 40),
    ("THIRD", Promo { percent: 33, amount: Money::NONE, every_period: true, only: None }, 40),
    ("TWO", Promo { percent: 0, amount: Money(200), every_period: true, only: None }, 12),
    ("SMALL", Promo { percent: 50, amount: Money::NONE, every_period: true, only: Some(0) }, 40),
    ("ALL", Promo { percent: 100, amount: Money::NONE, every_period: false, only: None }, 40),
];

/// Of an extra address.
pub(super) const IP_PRICE: Money = Money(200);

/// How often an account may use a promo code.
const USES_PER_ACCOUNT: usize = 8;
/// A scheduler that saw no clock for longer than these seconds asks a person.
const BELIEVED: i64 = 3 * DAY;
/// What the histories of a test must have come by, and how often at least.
pub const CROSSED: [(&str, usize); 43] = [
    ("account_locked", 50),
    ("already_exists", 50),
    ("changes taken back", 20),
    ("changes with money back", 40),
    ("conflict", 100),
    ("debts paid", 2),
    ("deletions", 10),
    ("destroyed with none back", 20),
    ("disputes beyond the balance", 1),
    ("disputes lost", 20),
    ("disputes within the balance", 30),
    ("disputes won", 20),
    ("discounts that rest", 2),
    ("downgrades", 40),
    ("extended before the scheduler came by", 2),
    ("extended in time", 100),
    ("extended late", 5),
    ("falls announced", 20),
    ("insufficient_balance", 20),
    ("locked by the operator", 20),
    ("locked for abuse", 20),
    ("moves", 20),
    ("moves in debt", 10),
    ("moves that failed", 20),
    ("moves that failed in debt", 10),
    ("orders", 100),
    ("orders called off", 1),
    ("orders that failed", 15),
    ("paid_too_far_ahead", 3),
    ("payments told twice", 50),
    ("prices fixed", 20),
    ("promo codes for every period", 10),
    ("promo codes for the first period", 10),
    ("promo_code_refused", 10),
    ("refunds", 30),
    ("renewal_due", 1),
    ("renewals", 80),
    ("renewals at another price", 5),
    ("revivals", 5),
    ("rises announced", 20),
    ("suspensions", 20),
    ("upgrades", 40),
    ("validation_failed", 50),
];

fn catalog() -> String {
    let kept = EXAMPLE_CATALOG.find("[[images]]").map(|at| &EXAMPLE_CATALOG[at..]).unwrap();
    let kept = &kept[..kept.find("[[pools]]").unwrap()];
    let package = |(slug, price): &(&str, i128)| {
        format!(
            "[[packages]]\nslug = \"{slug}\"\ntype = \"vps\"\nname = \"{slug}\"\ncpu = 1\nram_mb = 512\ndisk_gb = 5\n\
             monthly_price = {}\nmax_extra_ips = 2\n",
            Money(*price).text()
        )
    };
    let code = |(code, promo, uses): &(&str, Promo, usize)| {
        let off = if promo.percent > 0 { format!("{}%", promo.percent) } else { promo.amount.text() };
        let duration = if promo.every_period { "recurring" } else { "first" };
        let packages = promo.only.map(|only| PACKAGES[only].0).into_iter().collect::<Vec<_>>();
        format!(
            "[[promo_codes]]\ncode = \"{code}\"\noff = \"{off}\"\nduration = \"{duration}\"\nmax_uses = {uses}\n\
             max_uses_per_account = {USES_PER_ACCOUNT}\npackages = {packages:?}\n"
        )
    };
    let pool = format!(
        "[[pools]]\nslug = \"p\"\nlocation = \"first\"\ncidr = \"10.0.0.0/16\"\ngateway = \"10.0.0.1\"\n\
                dns = [\"10.0.0.1\"]\nextra_ip_price = {}\n",
        IP_PRICE.text()
    );
    let packages: String = PACKAGES.iter().map(package).collect();
    let codes: String = CODES.iter().map(code).collect();
    format!("[[locations]]\nslug = \"first\"\nname = \"First\"\n{packages}{kept}{pool}{codes}")
}

pub struct World {
    pub(super) control: TestControl,
    pub(super) host: TestHost,
    pub(super) customers: Vec<TestCustomer>,
    pub model: Model,
    pub(super) chance: Chance,
    pub(super) number: usize,
    /// What was done, for whoever has to find out why it differs.
    pub log: Vec<String>,
    /// Services that are over, on both sides.
    over: HashSet<String>,
    looked_at: i64,
}

impl World {
    pub async fn new(seed: u64) -> Self {
        let (policy, credit) = [
            (Policy::None, DestroyCredit::None),
            (Policy::Unstarted, DestroyCredit::Unstarted),
            (Policy::Prorata, DestroyCredit::Prorata),
        ][usize::try_from(seed % 3).unwrap()];
        let control = TestControl::with_settings(|settings| settings.billing.destroy_credit = credit).await;
        control.apply(&catalog()).await;
        let host = control.host("host-1").await;
        let mut customers = Vec::new();
        for customer in 0..CUSTOMERS {
            customers.push(control.customer(&format!("customer {customer}"), "0").await);
        }
        let codes = CODES.iter().map(|(_, promo, uses_max)| Code {
            promo: *promo,
            uses_max: *uses_max,
            uses_by_one: USES_PER_ACCOUNT,
            used: vec![],
        });
        let model = Model {
            now: NOON.0,
            policy,
            grace: 7 * DAY,
            wallets: vec![Wallet::default(); CUSTOMERS],
            services: vec![],
            codes: codes.collect(),
            payments: Default::default(),
            disputes: Default::default(),
            crossed: Default::default(),
            changing: None,
            added: vec![],
        };
        let (chance, number, log) = (Chance::new(seed), 0, vec![]);
        let looked_at = NOON.0;
        let mut world = Self { looked_at, control, host, customers, model, chance, number, log, over: HashSet::new() };
        world.look().await;
        world
    }

    /// One thing happens, the scheduler looks, and both sides are held against each other.
    pub async fn step(&mut self) {
        match self.chance.below(30) {
            0..=9 => self.pass().await,
            10 | 11 => self.order().await,
            12 | 13 => self.top_up().await,
            14 => self.goodwill_or_correction().await,
            15 | 16 => self.refund_or_dispute().await,
            17 => self.close_dispute().await,
            18 => self.extend().await,
            19 => self.destroy().await,
            20 => self.renews().await,
            21 => self.lock().await,
            22 => self.price().await,
            23..=25 => self.change().await,
            26 | 27 => self.address().await,
            _ => self.obey().await,
        }
        // A scheduler may be late; then a request finds what has expired.
        if self.chance.below(2) > 0 {
            self.look().await;
        }
        self.compare().await;
    }

    pub(super) fn note(&mut self, what: impl Into<String>) {
        self.log.push(format!("{}: {}", Time(self.model.now), what.into()));
    }

    /// Both sides must have taken it, or refused it for the same reason.
    pub(super) fn agree(&mut self, reply: &Reply, expected: Result<(), Refused>) {
        let told = match reply.status.as_u16() {
            200 | 202 => Ok(()),
            _ => Err(reply.code()),
        };
        assert_eq!(told, expected, "{}\n{}", reply.text, self.told());
        if let Err(why) = expected {
            self.model.count(why);
        }
    }

    /// The last of what was done.
    pub fn told(&self) -> String {
        self.log[self.log.len().saturating_sub(40)..].join("\n")
    }

    async fn look(&mut self) {
        let looked = self.control.bill().await;
        assert_eq!(looked.stopped, None);
        self.model.look();
        self.looked_at = self.model.now;
    }

    pub(super) async fn pass(&mut self) {
        // Often seconds, often days; never beyond what a scheduler believes.
        let most = [3_600, DAY, 5 * DAY / 2, 5 * DAY / 2][self.chance.below(4)];
        let seconds = 61 + i64::try_from(self.chance.below(usize::try_from(most).unwrap())).unwrap();
        if self.model.now + seconds > self.looked_at + BELIEVED {
            self.look().await;
        }
        self.control.clock.advance(seconds);
        self.model.now += seconds;
        self.host.alive().await;
        self.note(format!("{seconds} s pass"));
    }

    pub(super) async fn obey(&mut self) {
        self.host.obey().await;
        self.model.obeyed();
        self.note("the host obeys");
    }

    pub(super) async fn operate(&self, path: &str, body: Value) -> Reply {
        self.control.operator("POST", path).json(&body).send().await
    }

    pub(super) async fn ask(&self, owner: usize, method: &str, path: &str, body: &Value) -> Reply {
        self.control.api(method, path).by(&self.customers[owner]).json(body).send().await
    }

    pub(super) fn amount(&mut self, most: usize) -> Money {
        Money(i128::try_from(1 + self.chance.below(most)).unwrap())
    }

    pub(super) fn reference(&mut self) -> String {
        self.number += 1;
        format!("ref:{}", self.number)
    }

    async fn compare(&mut self) {
        let accounts: Vec<AccountId> = self.customers.iter().map(|customer| customer.account).collect();
        let services: Vec<Service> =
            self.model.services.iter().filter(|service| !self.over.contains(&service.id)).cloned().collect();
        let ids: Vec<ServerId> = services.iter().map(|service| service.id.parse().unwrap()).collect();
        let read = move |read: &Read<'_>| {
            let accounts: Result<Vec<_>, StoreError> = accounts.iter().map(|id| read.account_get(*id)).collect();
            let billed: Result<Vec<_>, StoreError> = ids.iter().map(|id| read.billed_get(*id)).collect();
            Ok::<_, StoreError>((accounts?, billed?))
        };
        let (accounts, billed) = self.control.app.store.read(read).await.unwrap();
        for (owner, (wallet, stored)) in self.model.wallets.iter().zip(accounts).enumerate() {
            let stored = stored.unwrap();
            let (balance, owed) = (stored.balance.get().into(), stored.owed.get().into());
            assert_eq!((balance, owed), (wallet.balance.0, wallet.owed.0), "customer {owner}\n{}", self.told());
        }
        for (service, stored) in services.into_iter().zip(billed) {
            self.compare_service(&service, &stored.unwrap());
            if service.stage == Stage::Over {
                self.over.insert(service.id);
            }
        }
    }

    fn compare_service(&self, service: &Service, stored: &Billed) {
        let id = &service.id;
        let is_over = matches!(stored.service, ServiceStatus::Failed | ServiceStatus::Destroyed);
        let stage = match stored.service {
            ServiceStatus::Provisioning => Stage::Waiting,
            _ if is_over => Stage::Over,
            _ => Stage::InUse,
        };
        assert_eq!(stage, service.stage, "{id}\n{}", self.told());
        if stage != Stage::InUse {
            return;
        }
        let locks = [Lock::Unpaid, Lock::Abuse, Lock::Operator].map(|lock| stored.locks.has(lock));
        let paid_until = stored.paid_until.unwrap().0;
        let found = (paid_until, locks, stored.service == ServiceStatus::Suspended, stored.auto_renew);
        let model = [service.unpaid.is_some(), service.abuse, service.operator];
        let expected = (service.paid_until(), model, service.is_locked(), service.renews);
        assert_eq!(found, expected, "{id}\n{}", self.told());
        let next = i128::from(stored.renewal(Time(self.model.now)).total.get());
        assert_eq!(next, service.renewal(self.model.now).paid.0, "what {id} costs next\n{}", self.told());
    }

    /// The ledger agrees with itself, too; what was done, for whoever reads.
    pub async fn end(&self) -> String {
        let verified = csp_control::service::verify_ledger::verify_ledger(&self.control.app.store).await.unwrap();
        assert_eq!(verified.differences, [], "{}", self.told());
        format!(
            "{:?} comes back, {} transfers, {} services, until {}: {:?}",
            self.model.policy,
            verified.transfers,
            self.model.services.len(),
            Time(self.model.now),
            self.model.crossed
        )
    }
}
