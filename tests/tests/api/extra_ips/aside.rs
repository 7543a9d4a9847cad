//! Addresses that somebody answers for: set aside, with another one in their place where there is one.

use csp_control::{domain::time::MINUTE, service::verify_ledger::verify_ledger};
use csp_shared::observed::{Fault, FaultCode, Observed};
use csp_tests::test_control::{EXAMPLE_CATALOG, TestControl};
use serde_json::json;

use super::{FIRST, SECOND, World, listed};

/// What a host says whose question for an address was answered.
fn somebody_has(address: &'static str) -> impl Fn(Observed) -> Observed {
    move |seen| {
        let fault = Fault::new(FaultCode::AddressInUse, "the machine 52:54:00:00:00:01 has it");
        Observed { reached: None, fault: Some(fault.about(address.parse().ok())), ..seen }
    }
}

#[tokio::test]
async fn an_address_that_somebody_answers_for_is_set_aside_and_another_one_takes_its_place() {
    let world = World::new().await;
    let before = world.balance().await;
    let added = world.add(0).await;
    world.hosts[0].says(somebody_has(FIRST)).await;
    assert_eq!(world.action(&added).await.0, "queued", "the server does not stand still for it");
    assert_eq!(world.list(0).await, [listed("net1", SECOND, "queued")]);
    world.settle().await;
    assert_eq!(world.list(0).await, [listed("net1", SECOND, "active")]);
    assert_eq!((world.action(&added).await.0.as_str(), world.balance().await), ("done", before - 2.0));
    let events = world.control.events(world.ada.account).await;
    let told: Vec<_> = events.into_iter().filter(|(kind, _)| kind == "server.address_replaced").collect();
    assert_eq!(told, [("server.address_replaced".to_owned(), json!({"address": SECOND}))]);

    // Nobody gets it until an operator has looked.
    let aside = world.control.operator("GET", "/addresses/aside").send().await;
    assert_eq!((&aside.data()[0]["address"], &aside.data()[0]["server"]), (&json!(FIRST), &json!(world.servers[0])));
    assert_eq!(world.add(1).await.data()["address"], "203.0.113.14");
    let clear = json!({"address": FIRST});
    let cleared = world.control.operator("POST", "/addresses/clear").json(&clear).send().await;
    assert_eq!(cleared.status.as_u16(), 200, "{}", cleared.text);
    assert_eq!(world.control.operator("POST", "/addresses/clear").json(&clear).send().await.status.as_u16(), 404);
    assert_eq!(world.add(1).await.data()["address"], FIRST);
    world.books_are_right().await;
}

#[tokio::test]
async fn a_new_server_gets_another_first_address_and_without_one_its_order_fails() {
    let few = EXAMPLE_CATALOG.replace("last = \"203.0.113.250\"", "last = \"203.0.113.11\"");
    let control = TestControl::with_catalog(&few).await;
    let (host, ada) = (control.host("host-1").await, control.customer("ada", "10").await);
    let path = format!("/servers/{}", control.order(&ada, "starter", "web1").await);
    let show = async || control.api("GET", &path).by(&ada).send().await.data().clone();
    host.says(somebody_has("203.0.113.10")).await;
    let shown = show().await;
    assert_eq!((&shown["status"], &shown["ips"][0]["address"]), (&json!("Provisioning"), &json!("203.0.113.11")));
    host.says(somebody_has("203.0.113.11")).await;
    let shown = show().await;
    assert_eq!((&shown["status"], &shown["failure"]["code"]), (&json!("Failed"), &json!("address_in_use")));
    let wallet = control.api("GET", "/balance").by(&ada).send().await;
    assert_eq!(wallet.data()["balance"], json!(10.0), "refunded");
    assert_eq!(verify_ledger(&control.app.store).await.unwrap().differences, []);
}

#[tokio::test]
async fn where_there_is_no_other_one_an_addition_fails_and_a_move_ends_for_both() {
    let few = EXAMPLE_CATALOG.replace("last = \"203.0.113.250\"", "last = \"203.0.113.12\"");
    let world = World::sold_as("starter", &few).await;
    let before = world.balance().await;
    let added = world.add(0).await;
    world.hosts[0].says(somebody_has(FIRST)).await;
    assert_eq!(world.action(&added).await, ("failed".to_owned(), json!("address_in_use")));
    assert_eq!(world.balance().await, before);
    world.settle().await;
    world.books_are_right().await;

    world.control.operator("POST", "/addresses/clear").json(&json!({"address": FIRST})).send().await;
    world.pass(MINUTE + 1).await;
    let ip = world.added(0).await;
    let moved = world.to_other(0, &ip).await;
    world.hosts[0].obey().await;
    world.hosts[1].says(somebody_has(FIRST)).await;
    assert_eq!(world.action(&moved).await, ("failed".to_owned(), json!("address_in_use")));
    assert_eq!(world.spec(1).await.nics.len(), 1, "the server goes on without it");
    world.settle().await;
    assert_eq!((world.list(0).await, world.list(1).await), (vec![], vec![]));
    assert_eq!(world.balance().await, before, "neither had it for a second");
    world.books_are_right().await;
}
