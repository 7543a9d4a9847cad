//! Addresses that go to another server: one action, both sides priced, and back where they were when it cannot be.

use csp_control::domain::time::MINUTE;
use csp_shared::observed::FaultCode;
use serde_json::{Value, json};

use super::{FIRST, World, cannot, listed};

#[tokio::test]
async fn an_address_moves_once_its_server_has_let_go() {
    let world = World::new().await;
    let ip = world.added(0).await;
    let before = world.balance().await;
    let moved = world.to_other(0, &ip).await;
    assert_eq!(moved.json["message"], "Extra IPv4 transfer queued.", "{}", moved.text);
    assert_eq!((&moved.data()["charged"], &moved.data()["credit"]), (&json!(2.0), &json!(2.0)));
    assert_eq!(world.balance().await, before, "both are paid equally long");
    assert_eq!((world.spec(0).await.nics.len(), world.spec(1).await.nics.len()), (1, 1), "nobody has it yet");
    assert_eq!((world.list(0).await, world.list(1).await), (vec![listed("net1", FIRST, "removing")], vec![]));
    world.books_are_right().await;
    // Only the source's host can say that it let go.
    world.hosts[1].obey().await;
    assert_eq!(world.spec(1).await.nics.len(), 1);

    world.hosts[0].obey().await;
    assert_eq!(world.spec(1).await.nics.len(), 2);
    assert_eq!((world.list(0).await, world.list(1).await), (vec![], vec![listed("net1", FIRST, "queued")]));
    assert_eq!(world.action(&moved).await.0, "running");
    world.books_are_right().await;
    world.hosts[1].obey().await;
    assert_eq!(world.list(1).await, [listed("net1", FIRST, "active")]);
    assert_eq!(world.action(&moved).await.0, "done");
    assert_eq!(world.show(1).await["ips"][1]["uuid"], json!(ip), "it keeps its uuid");
    assert_eq!(world.show(1).await["renewal"]["extra_ips"], json!(2.0));
    assert_eq!(world.balance().await, before);
    world.books_are_right().await;
}

#[tokio::test]
async fn a_move_prices_both_servers_for_the_rest_of_their_own_time() {
    let world = World::new().await;
    let ip = world.added(0).await;
    assert_eq!(world.ask("POST", &format!("{}/extend", world.servers[1]), json!({})).await.status.as_u16(), 200);
    let before = world.balance().await;
    world.to_other(0, &ip).await;
    assert_eq!(world.balance().await, before - 2.0, "the other one is paid for two months");
    world.settle().await;
    world.settle().await;
    assert_eq!(world.balance().await, before - 2.0);
    let back = world.to_other(1, &ip).await;
    assert_eq!((&back.data()["charged"], &back.data()["credit"]), (&json!(2.0), &json!(4.0)));
    assert_eq!(world.balance().await, before - 2.0, "what comes back beyond the price comes when it is done");
    world.books_are_right().await;
    world.settle().await;
    world.settle().await;
    assert_eq!(world.balance().await, before, "away and back in the same second costs nothing");
    assert_eq!(world.list(0).await, [listed("net1", FIRST, "active")]);
    world.books_are_right().await;
}

#[tokio::test]
async fn an_address_stays_where_it_is_while_its_servers_host_does_not_let_go() {
    let world = World::new().await;
    let ip = world.added(0).await;
    world.ask("POST", &format!("{}/extend", world.servers[1]), json!({})).await;
    let before = world.balance().await;
    let moved = world.to_other(0, &ip).await;
    assert_eq!(world.balance().await, before - 2.0);
    world.pass(31 * MINUTE).await;
    assert_eq!(world.action(&moved).await, ("failed".to_owned(), json!("action_timeout")));
    assert_eq!((world.balance().await, world.spec(0).await.nics.len()), (before, 2));
    assert_eq!((world.list(0).await, world.list(1).await), (vec![listed("net1", FIRST, "active")], vec![]));
    world.books_are_right().await;
    // The host comes back and hears of the end alone.
    world.settle().await;
    assert_eq!(world.spec(1).await.nics.len(), 1);
    assert_eq!(world.list(0).await, [listed("net1", FIRST, "active")]);
    // A host that says by name that it cannot is no reason to wait.
    let moved = world.to_other(0, &ip).await;
    world.hosts[0].says(cannot(FaultCode::CrashLoop)).await;
    assert_eq!(world.action(&moved).await, ("failed".to_owned(), json!("crash_loop")));
    assert_eq!(world.balance().await, before);
    world.books_are_right().await;
}

#[tokio::test]
async fn a_move_to_what_cannot_take_it_is_refused() {
    let world = World::new().await;
    let (ip, eve) = (world.added(0).await, world.control.customer("eve", "10").await);
    world.added(1).await;
    world.added(1).await;
    let full = world.to_other(0, &ip).await;
    assert_eq!((full.status.as_u16(), full.code()), (409, "limit_reached"), "{}", full.text);
    let path = format!("{}/extra-ips/{ip}/move", world.servers[0]);
    for (target, status, code) in [
        (json!(world.servers[0]), 422, "validation_failed"),
        (json!("0192f0c1-0000-7000-8000-000000000001"), 404, "not_found"),
        (json!("nonsense"), 422, "validation_failed"),
        (Value::Null, 422, "validation_failed"),
    ] {
        let refused = world.ask("POST", &path, json!({"target_server_uuid": target})).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (status, code), "{target}: {}", refused.text);
    }
    let foreign = json!({"target_server_uuid": world.servers[1]});
    let foreign = world.control.api("POST", &format!("/servers/{path}")).by(&eve).json(&foreign).send().await;
    assert_eq!(foreign.status.as_u16(), 404);
    let lock = json!({"reason": "operator"});
    world.control.operator("POST", &format!("/servers/{}/lock", world.servers[1])).json(&lock).send().await;
    let locked = world.to_other(0, &ip).await;
    assert_eq!((locked.status.as_u16(), locked.code()), (409, "conflict"), "{}", locked.text);
}

#[tokio::test]
async fn an_address_does_not_leave_for_a_host_that_is_away() {
    let world = World::new().await;
    let ip = world.added(0).await;
    let before = (world.balance().await, world.spec(0).await);
    // Its session ends; only half a minute of silence later it counts as silent.
    drop(world.hosts[1].line(&world.control));
    let moved = world.to_other(0, &ip).await;
    assert_eq!((moved.status.as_u16(), moved.code()), (503, "host_unreachable"), "{}", moved.text);
    assert!(moved.headers.contains_key("retry-after"));
    assert_eq!((world.balance().await, world.spec(0).await), before);
    let _line = world.hosts[1].line(&world.control);
    let moved = world.to_other(0, &ip).await;
    assert_eq!(moved.status.as_u16(), 200, "{}", moved.text);
}

/// Disputes all that was paid in; answers what is owed then.
async fn dispute(world: &World) -> String {
    let body = json!({"payment": "ada", "reference": "dp_1"});
    let opened = world.control.operator("POST", "/disputes").json(&body).send().await;
    assert_eq!(opened.data()["balance"], "0.00", "{}", opened.text);
    opened.data()["owed"].as_str().unwrap().to_owned()
}

async fn owed(world: &World) -> (String, String) {
    let account = world.control.operator("GET", "/accounts").send().await.data()[0].clone();
    (account["balance"].as_str().unwrap().to_owned(), account["owed"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn a_move_that_fails_pays_a_debt_with_the_difference_alone() {
    let world = World::new().await;
    let ip = world.added(0).await;
    world.ask("POST", &format!("{}/extend", world.servers[1]), json!({})).await;
    let moved = world.to_other(0, &ip).await;
    assert_eq!((&moved.data()["charged"], &moved.data()["credit"]), (&json!(4.0), &json!(2.0)));
    assert_eq!(dispute(&world).await, "24.85");
    world.hosts[0].says(cannot(FaultCode::CrashLoop)).await;
    assert_eq!(world.action(&moved).await, ("failed".to_owned(), json!("crash_loop")));
    assert_eq!(owed(&world).await, ("0.00".to_owned(), "22.85".to_owned()), "the wallet had paid 2.00");
    world.books_are_right().await;
}

#[tokio::test]
async fn who_owes_can_move_what_costs_nothing_and_a_failure_of_that_moves_nothing() {
    let world = World::new().await;
    let ip = world.added(0).await;
    assert_eq!(dispute(&world).await, "15.90");
    let nothing_moved = ("0.00".to_owned(), "15.90".to_owned());
    let moved = world.to_other(0, &ip).await;
    assert_eq!((&moved.data()["charged"], &moved.data()["credit"]), (&json!(2.0), &json!(2.0)), "{}", moved.text);
    assert_eq!(owed(&world).await, nothing_moved);
    world.hosts[0].says(cannot(FaultCode::CrashLoop)).await;
    assert_eq!(world.action(&moved).await.0, "failed");
    assert_eq!(owed(&world).await, nothing_moved);
    world.books_are_right().await;
}
