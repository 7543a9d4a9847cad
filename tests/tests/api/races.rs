//! Many want the last one: exactly one gets it, and nobody pays for nothing.

use std::sync::Arc;

use csp_tests::test_control::{EXAMPLE_CATALOG, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};
use tokio::task::JoinSet;

const CLIENTS: usize = 64;
/// A held address rests for a minute in these tests.
const REST: i64 = 61;

#[cfg(feature = "long")]
const ROUNDS: usize = 1000;
#[cfg(not(feature = "long"))]
const ROUNDS: usize = 50;

struct Race {
    control: Arc<TestControl>,
    hosts: Vec<TestHost>,
    clients: Vec<TestCustomer>,
}

impl Race {
    /// Whoever takes part has money for one order and no more.
    async fn set(catalog: &str, dollars: &str, dedicated: bool) -> Self {
        let control = TestControl::with_catalog(catalog).await;
        let host = if dedicated { control.dedicated_host("host-1").await } else { control.host("host-1").await };
        let mut clients = Vec::new();
        for number in 0..CLIENTS {
            clients.push(control.customer(&format!("client {number}"), dollars).await);
        }
        Self { control: Arc::new(control), hosts: vec![host], clients }
    }

    /// All of them order at once; answers who got it, and the new server.
    async fn round(&self, order: &Value, refusal: &str) -> (usize, String) {
        let mut running = JoinSet::new();
        for (number, client) in self.clients.iter().enumerate() {
            let (control, client, order) = (self.control.clone(), client.clone(), order.clone());
            running
                .spawn(async move { (number, control.api("POST", "/servers").by(&client).json(&order).send().await) });
        }
        let mut winners = Vec::new();
        while let Some(answered) = running.join_next().await {
            let (number, reply) = answered.unwrap();
            match reply.status.as_u16() {
                200 => winners.push((number, reply.data()["uuid"].as_str().unwrap().to_owned())),
                status => assert_eq!((status, reply.code()), (409, refusal), "{}", reply.text),
            }
        }
        assert_eq!(winners.len(), 1, "one wins");
        winners.remove(0)
    }

    /// Who paid, and for which servers: as many lines as there are, for whoever has them.
    async fn paid(&self) -> Vec<(usize, String)> {
        let mut paid = Vec::new();
        for (number, client) in self.clients.iter().enumerate() {
            let account = client.account;
            let found = self.control.app.store.read(move |read| read.account_get(account)).await.unwrap().unwrap();
            paid.push((number, found.balance.to_string()));
        }
        paid
    }

    /// The winner's server goes, is paid back, and leaves what it had to the next round.
    async fn give_back(&self, winner: usize, server: &str) {
        let path = format!("/servers/{server}/destroy");
        let gone = self.control.api("POST", &path).by(&self.clients[winner]).send().await;
        assert!(gone.status.is_success(), "{}", gone.text);
        for host in &self.hosts {
            host.obey().await;
        }
        self.control.clock.set(self.control.app.now().plus(REST));
        for host in &self.hosts {
            host.alive().await;
        }
    }

    async fn run(&self, order: &Value, refusal: &str, dollars: &str, left: &str) {
        let mut won = [0_usize; CLIENTS];
        for round in 0..ROUNDS {
            let (winner, server) = self.round(order, refusal).await;
            won[winner] += 1;
            for (number, balance) in self.paid().await {
                let want = if number == winner { left } else { dollars };
                assert_eq!(balance, want, "round {round}: client {number}, the winner is {winner}");
            }
            self.give_back(winner, &server).await;
        }
        assert!(won.iter().filter(|times| **times > 0).count() > 1, "not always the same one: {won:?}");
        let report = self.control.operator("GET", "/ledger/verify").send().await;
        assert!(report.status.is_success(), "{}", report.text);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_address_is_sold_once_and_who_did_not_get_it_paid_nothing() {
    let catalog = EXAMPLE_CATALOG.replace("last = \"203.0.113.250\"", "last = \"203.0.113.10\"");
    let race = Race::set(&catalog, "10.00", false).await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a",
                       "ssh_keys": [csp_tests::test_control::PUBLIC_KEY]});
    race.run(&order, "no_address_available", "10.00", "3.05").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_last_share_of_a_host_is_sold_once_and_who_did_not_get_it_paid_nothing() {
    let race = Race::set(EXAMPLE_CATALOG, "130.00", true).await;
    let order = json!({"type": "dedicated", "package_slug": "dedicated-16", "os_image_key": "debian-12", "hostname": "a",
                       "ssh_keys": [csp_tests::test_control::PUBLIC_KEY]});
    race.run(&order, "no_capacity", "130.00", "1.00").await;
}
