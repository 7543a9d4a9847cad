//! Random histories of everything that can be asked for, done, refused, given up or lost, on hosts that come and go: the check
//! finds nothing in any of them, however it went.

use csp_control::{
    domain::{billing::destroy::DestroyCredit, time::DAY},
    service::verify_ledger::verify_ledger,
};
use csp_shared::observed::FaultCode;
use csp_tests::test_control::{Reply, TestHost};
use serde_json::{Value, json};

use super::{chance::Chance, trade::Trade};

/// Feature `long`: each history ten times as long.
const STEPS: usize = if cfg!(feature = "long") { 6_000 } else { 600 };

struct World {
    trade: Trade,
    /// The second host, and the number in its name.
    second: (usize, TestHost),
    chance: Chance,
    number: usize,
    done: std::collections::BTreeMap<String, usize>,
}

impl World {
    async fn new(policy: DestroyCredit, seed: u64) -> Self {
        let trade = Trade::with(|settings| {
            settings.billing.destroy_credit = policy;
            settings.billing.extra_ips_a_day = 50;
        })
        .await;
        trade.control.top_up(trade.ada.account, "2000.00", "much").await;
        let second = (2, trade.control.host("host-2").await);
        Self { trade, second, chance: Chance::new(seed), number: 0, done: Default::default() }
    }

    async fn ask(&mut self, method: &str, path: &str, body: Value) -> Reply {
        self.trade.control.api(method, path).by(&self.trade.ada).json(&body).send().await
    }

    fn count(&mut self, what: &str, reply: &Reply) {
        assert_ne!(reply.status.as_u16(), 500, "{what}: {}", reply.text);
        if reply.status.is_success() {
            *self.done.entry(what.to_owned()).or_default() += 1;
        }
    }

    fn host(&mut self) -> &TestHost {
        if self.chance.below(2) == 0 { &self.trade.host } else { &self.second.1 }
    }

    fn next(&mut self) -> usize {
        self.number += 1;
        self.number
    }

    /// One of the servers that there are, with its addresses.
    async fn server(&mut self) -> Option<String> {
        let list = self.ask("GET", "/servers?limit=100", json!({})).await;
        let servers = list.data().as_array().unwrap();
        let one = self.chance.one(servers)?;
        Some(one["uuid"].as_str().unwrap().to_owned())
    }

    async fn ip_of(&mut self, server: &str) -> Option<String> {
        let ips = self.ask("GET", &format!("/servers/{server}/extra-ips"), json!({})).await;
        ips.data().as_array().and_then(|ips| ips.first()?["uuid"].as_str().map(str::to_owned))
    }

    async fn step(&mut self) {
        match self.chance.below(26) {
            0 | 1 | 24 => {
                let (name, code) = (self.next(), [None, Some("WELCOME"), Some("EDGE2")][self.chance.below(3)]);
                let package = ["starter", "edge", "lite"][self.chance.below(3)];
                let mut body = json!({"type": "vps", "package_slug": package, "os_image_key": "debian-12",
                                      "hostname": format!("s{name}")});
                if let Some(code) = code {
                    body["promo_code"] = json!(code);
                }
                let reply = self.ask("POST", "/servers", body).await;
                self.count("order", &reply);
            }
            6 if self.chance.below(2) == 0 => {
                self.host().fail(FaultCode::HypervisorRefused).await;
            }
            2..=6 | 25 => {
                self.host().obey().await;
            }
            7..=9 => {
                let seconds = [1, 600, DAY / 3, 2 * DAY, 2 * DAY][self.chance.below(5)];
                self.trade.control.pass(seconds, seconds).await;
                self.trade.host.alive().await;
                self.second.1.alive().await;
            }
            10 => self.lose().await,
            11 => self.operator().await,
            _ => self.change().await,
        }
    }

    /// A host is given up, and another one comes.
    async fn lose(&mut self) {
        if self.chance.below(4) > 0 {
            return;
        }
        let path = format!("/hosts/host-{}/lost", self.second.0);
        let reply = self.trade.control.operator("POST", &path).json(&json!({})).send().await;
        self.count("lost", &reply);
        let number = self.next() + 2;
        self.second = (number, self.trade.control.host(&format!("host-{number}")).await);
    }

    async fn operator(&mut self) {
        let number = self.next();
        let Some(server) = self.server().await else { return };
        let (path, body) = match self.chance.below(8) {
            0 => (format!("/servers/{server}/price/fix"), json!({"price": "3.50"})),
            1 => (format!("/servers/{server}/price/release"), json!({})),
            2 => ("/prices".to_owned(), json!({"server_uuid": server, "price": (["3.00", "9.00"][number % 2])})),
            3 => ("/prices".to_owned(), json!({"pool": "public-1", "price": (["1.50", "2.75"][number % 2])})),
            4 => (format!("/servers/{server}/lock"), json!({"reason": "operator", "note": "x"})),
            5 => (format!("/servers/{server}/unlock"), json!({"reason": "operator"})),
            _ => {
                let (reference, outcome) = (format!("d{number}"), ["won", "lost"][number % 2]);
                let dispute = json!({"payment": "much", "reference": reference, "amount": "3.00"});
                self.trade.control.operator("POST", "/disputes").json(&dispute).send().await;
                ("/disputes/close".to_owned(), json!({"reference": reference, "outcome": outcome}))
            }
        };
        let reply = self.trade.control.operator("POST", &path).json(&body).send().await;
        self.count(path.rsplit('/').next().unwrap(), &reply);
    }

    async fn change(&mut self) {
        if self.chance.below(2) == 0 {
            self.trade.host.obey().await;
            self.second.1.obey().await;
        }
        let (Some(mut server), Some(other)) = (self.server().await, self.server().await) else { return };
        let mut ip = self.ip_of(&server).await;
        // Few have one, and it is moved between servers that are at rest alone.
        for _ in 0..4 {
            if ip.is_none() {
                server = self.server().await.unwrap();
                ip = self.ip_of(&server).await;
            }
        }
        let package = ["starter", "edge", "lite"][self.chance.below(3)];
        let confirmed = json!({"package_slug": package, "os_image_key": "debian-12", "erase_confirmation": "ERASE",
                               "confirm_data_loss": true});
        let kept = json!({"package_slug": package});
        let (what, method, path, body) = match (self.chance.below(12), ip) {
            (0, _) => ("destroy", "POST", "destroy".to_owned(), json!({})),
            (1, _) => ("extend", "POST", "extend".to_owned(), json!({"months": 1 + self.chance.below(3)})),
            (2, _) => ("smaller", "POST", "change-package".to_owned(), confirmed),
            (3 | 4, _) => ("change", "POST", "change-package".to_owned(), kept),
            (5, Some(ip)) => ("remove", "DELETE", format!("extra-ips/{ip}"), json!({})),
            (6..=8, Some(ip)) => ("move", "POST", format!("extra-ips/{ip}/move"), json!({"target_server_uuid": other})),
            (9, _) => ("renews", "PATCH", String::new(), json!({"auto_renew": self.chance.below(2) == 0})),
            _ => ("add", "POST", "extra-ips".to_owned(), json!({})),
        };
        let path = format!("/servers/{server}/{path}");
        let reply = self.ask(method, path.trim_end_matches('/'), body).await;
        self.count(what, &reply);
    }
}

async fn nothing_is_found(policy: DestroyCredit, seed: u64) {
    let mut world = World::new(policy, seed).await;
    for step in 0..STEPS {
        world.step().await;
        if step % 5 == 0 {
            let found = verify_ledger(&world.trade.control.app.store).await.unwrap().differences;
            assert_eq!(found, [], "step {step} of {seed}: {:?}", world.done);
        }
    }
    for what in ["order", "lost", "destroy", "extend", "change", "add", "remove", "move"] {
        assert!(world.done.contains_key(what), "no {what}: {:?}", world.done);
    }
}

#[tokio::test]
async fn nothing_is_found_where_a_destroyed_server_gives_nothing_back() {
    nothing_is_found(DestroyCredit::None, 1).await;
}

#[tokio::test]
async fn nothing_is_found_where_months_ahead_come_back() {
    nothing_is_found(DestroyCredit::Unstarted, 2).await;
}

#[tokio::test]
async fn nothing_is_found_where_all_unused_time_comes_back() {
    nothing_is_found(DestroyCredit::Prorata, 3).await;
}
