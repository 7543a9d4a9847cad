//! Extra addresses of a host that is given up: held with their server's own until the host is proved to be off, and paid back;
//! and moves that such a host has a part in.

use csp_control::store::LeaseState;
use serde_json::{Value, json};

use super::{FIRST, World, listed};

/// Longer than a host may be silent.
const SILENCE: i64 = 100;
/// Of the 100 that were paid in, when one server is all that is left.
const ONE_LEFT: f64 = 93.05;

impl World {
    async fn direct(&self, at: usize, what: &str) -> Value {
        let server = self.servers[at];
        let place = self.control.app.store.read(move |read| read.placement_get(server)).await.unwrap().unwrap();
        let host = usize::from(place.host != self.hosts[0].host);
        let names = self.control.operator("GET", "/hosts").send().await.data().clone();
        let uuid = json!(self.hosts[host].host);
        let found = names.as_array().unwrap().iter().find(|listed| listed["uuid"] == uuid);
        let name = found.unwrap_or_else(|| panic!("{uuid} in {names}"))["name"].as_str().unwrap().to_owned();
        let reply = self.control.operator("POST", &format!("/hosts/{name}/{what}")).json(&json!({})).send().await;
        reply.data().clone()
    }

    async fn states(&self, at: usize) -> Vec<LeaseState> {
        let server = self.servers[at];
        let all = self.control.app.store.read::<_, csp_control::store::StoreError>(|read| read.lease_list()).await;
        all.unwrap().into_iter().filter(|lease| lease.server == server).map(|lease| lease.state).collect()
    }
}

#[tokio::test]
async fn what_a_lost_hosts_server_had_is_held_and_paid_back_and_rests_once_the_host_is_off() {
    let world = World::new().await;
    let untouched = world.balance().await;
    world.added(0).await;
    assert_eq!(world.balance().await, untouched - 2.0);
    let lost = world.direct(0, "lost").await;
    assert_eq!((&lost["ended"], &lost["credited"]), (&json!(1), &json!("8.95")), "server and address, unused: {lost}");
    assert_eq!(world.states(0).await, [LeaseState::Held, LeaseState::Held], "both may still be on its cables");
    world.books_are_right().await;

    // The other host's server gets another address.
    let added = world.add(1).await;
    assert_ne!(added.data()["address"], json!(FIRST), "{}", added.text);
    world.control.clock.advance(SILENCE);
    world.hosts[1].alive().await;
    assert_eq!(world.direct(0, "fenced").await["state"], json!("fenced"));
    assert_eq!(world.states(0).await, [LeaseState::Resting, LeaseState::Resting]);
    world.books_are_right().await;
}

#[tokio::test]
async fn an_address_that_was_to_leave_a_lost_host_is_not_the_targets_before_the_host_is_off() {
    let world = World::new().await;
    let ip = world.added(0).await;
    let moved = world.to_other(0, &ip).await;
    world.direct(0, "lost").await;
    assert_eq!(world.action(&moved).await, ("failed".to_owned(), json!("host_lost")));
    assert_eq!(world.leases().await, [(FIRST.to_owned(), LeaseState::Held)]);
    assert_eq!(world.spec(1).await.nics.len(), 1, "it may still be on the lost host's cables");
    assert_eq!(world.balance().await, ONE_LEFT, "server and address are paid back");
    world.books_are_right().await;
    world.control.clock.advance(SILENCE);
    world.hosts[1].alive().await;
    world.direct(0, "fenced").await;
    world.hosts[1].obey().await;
    assert_eq!(world.leases().await, [(FIRST.to_owned(), LeaseState::Resting)]);
    assert_eq!((world.list(1).await, world.spec(1).await.nics.len()), (vec![], 1), "it is nobody's");
    world.books_are_right().await;
}

#[tokio::test]
async fn an_address_on_its_way_to_a_lost_host_is_held_there() {
    let world = World::new().await;
    let ip = world.added(0).await;
    let moved = world.to_other(0, &ip).await;
    world.hosts[0].obey().await;
    assert_eq!(world.list(1).await, [listed("net1", FIRST, "queued")]);
    world.direct(1, "lost").await;
    assert_eq!(world.action(&moved).await, ("failed".to_owned(), json!("host_lost")));
    assert_eq!(world.balance().await, ONE_LEFT, "server and address are paid back");
    assert_eq!((world.list(0).await, world.spec(0).await.nics.len()), (vec![], 1));
    assert_eq!(world.states(1).await, [LeaseState::Held, LeaseState::Held]);
    world.books_are_right().await;
}
