//! Hosts that are drained, lost, fenced and removed: what their customers get back, what stays held, and who may be told
//! what twice.

use csp_control::{
    domain::time::DAY,
    store::{LeaseState, PlacementState},
};
use csp_shared::{
    id::ServerId,
    observed::{DomainState, Observed, Remains},
};
use csp_tests::test_control::{Reply, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};

const HOUR: i64 = 3600;
/// Longer than a host may be silent.
const SILENCE: i64 = 100;

struct World {
    control: TestControl,
    host: TestHost,
    ada: TestCustomer,
}

impl World {
    async fn new() -> Self {
        let control = TestControl::with_settings(|settings| settings.billing.has_mail = true).await;
        let host = control.host("host-1").await;
        let ada = control.customer("ada", "100.00").await;
        Self { control, host, ada }
    }

    async fn order(&self) -> Reply {
        let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1"});
        self.control.api("POST", "/servers").by(&self.ada).json(&order).send().await
    }

    async fn ordered(&self) -> ServerId {
        self.host.alive().await;
        let reply = self.order().await;
        reply.data()["uuid"].as_str().unwrap_or_else(|| panic!("{}", reply.text)).parse().unwrap()
    }

    async fn running(&self) -> ServerId {
        let server = self.ordered().await;
        self.host.obey().await;
        server
    }

    async fn post(&self, server: ServerId, what: &str, body: Value) -> Reply {
        self.control.api("POST", &format!("/servers/{server}/{what}")).by(&self.ada).json(&body).send().await
    }

    async fn show(&self, server: ServerId) -> Reply {
        self.control.api("GET", &format!("/servers/{server}")).by(&self.ada).send().await
    }

    async fn direct(&self, what: &str) -> Reply {
        self.control.operator("POST", &format!("/hosts/host-1/{what}")).json(&json!({})).send().await
    }

    async fn balance(&self) -> Value {
        self.control.api("GET", "/balance").by(&self.ada).send().await.data()["balance"].clone()
    }

    async fn place(&self, server: ServerId) -> (PlacementState, Vec<LeaseState>) {
        let read = move |read: &csp_control::store::Read<'_>| {
            let place = read.placement_get(server)?.unwrap().state;
            let leases = read.lease_list()?.into_iter().filter(|lease| lease.server == server);
            Ok::<_, csp_control::store::StoreError>((place, leases.map(|lease| lease.state).collect()))
        };
        self.control.app.store.read(read).await.unwrap()
    }

    async fn actions(&self, server: ServerId) -> Vec<(String, String, Option<String>)> {
        let actions = self.control.app.store.read(move |read| read.action_list(server)).await.unwrap();
        let told = |action: csp_control::store::Action| {
            let (command, status) = (action.command.as_str().to_owned(), action.status.as_str().to_owned());
            (command, status, action.error.map(|(code, _)| code))
        };
        actions.into_iter().map(told).collect()
    }

    async fn events(&self, kind: &str) -> Vec<Value> {
        let events = self.control.events(self.ada.account).await.into_iter();
        events.filter(|(name, _)| name == kind).map(|(_, data)| data).collect()
    }

    /// Nothing contradicts itself, whatever happened.
    async fn verified(&self) {
        let verified = self.control.operator("GET", "/ledger/verify").send().await;
        assert_eq!(verified.data()["differences"], json!([]), "{}", verified.text);
    }
}

fn row(command: &str, status: &str, code: Option<&str>) -> (String, String, Option<String>) {
    (command.to_owned(), status.to_owned(), code.map(str::to_owned))
}

#[tokio::test]
async fn a_lost_hosts_servers_end_at_once_and_their_unused_time_comes_back_to_the_second() {
    let world = World::new().await;
    let server = world.running().await;
    assert_eq!(world.post(server, "extend", json!({"months": 2})).await.status.as_u16(), 200);
    world.control.pass(15 * DAY, 6 * HOUR).await;
    assert_eq!(world.balance().await, json!(79.15));
    let lost = world.direct("lost").await;
    let told = lost.data();
    assert_eq!((&told["state"], &told["changed"], &told["ended"]), (&json!("lost"), &json!(true), &json!(1)));
    // Half of a month, to the cent upwards, and two that had not begun.
    assert_eq!((&told["credited"], &told["left"], &told["held"]), (&json!("17.38"), &json!(0), &json!(1)));
    assert_eq!(world.balance().await, json!(96.53));
    assert_eq!(world.show(server).await.status.as_u16(), 404);
    assert_eq!(world.actions(server).await, [row("create", "done", None), row("destroy", "done", None)]);
    assert_eq!(world.events("server.lost").await, [json!({"amount": 17.38})]);
    assert_eq!(world.events("server.destroyed").await.len(), 1);
    assert_eq!(world.place(server).await, (PlacementState::Held, vec![LeaseState::Held]), "it may still run");

    let books = world.control.books().await;
    let again = world.direct("lost").await;
    assert_eq!((&again.data()["changed"], &again.data()["ended"]), (&json!(false), &json!(0)), "{}", again.text);
    world.control.bill().await;
    assert_eq!(world.control.books().await, books, "twice changes nothing");
    world.verified().await;
}

#[tokio::test]
async fn whoever_is_lost_a_server_is_written_a_letter() {
    let world = World::new().await;
    let account = world.control.operator("POST", "/accounts").json(&json!({"name": "Bob", "email": "bob@example.com"}));
    let account = account.send().await.data()["uuid"].as_str().unwrap().to_owned();
    let credit = json!({"amount": "20", "reference": "bank/9", "note": null});
    world.control.operator("POST", &format!("/accounts/{account}/credits")).json(&credit).send().await;
    let (_, key) = world.control.key(account.parse().unwrap(), &json!({})).await;
    let bob = TestCustomer { account: account.parse().unwrap(), key: csp_shared::secret::Secret::new(key) };
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1"});
    assert_eq!(world.control.api("POST", "/servers").by(&bob).json(&order).send().await.status.as_u16(), 200);
    world.host.obey().await;
    world.direct("lost").await;
    let letters = world.control.operator("GET", "/mails").send().await;
    assert_eq!(letters.data()[0]["subject"], json!("web1 was lost"), "{}", letters.text);
    assert_eq!(letters.data()[1], Value::Null, "one letter");
}

#[tokio::test]
async fn an_order_in_the_making_is_refunded_whole_and_says_why() {
    let world = World::new().await;
    let server = world.ordered().await;
    assert_eq!(world.balance().await, json!(93.05));
    assert_eq!(world.direct("lost").await.data()["credited"], json!("6.95"));
    assert_eq!(world.balance().await, json!(100.0));
    let shown = world.show(server).await;
    assert_eq!(shown.data()["failure"]["code"], json!("host_lost"), "{}", shown.text);
    assert_eq!(world.actions(server).await, [row("create", "failed", Some("host_lost"))]);
    // Its owner tidies up: nobody waits for the host.
    assert_eq!(world.post(server, "destroy", json!({})).await.status.as_u16(), 200);
    world.control.bill().await;
    assert_eq!(world.actions(server).await[1], row("destroy", "done", None));
    assert_eq!(world.balance().await, json!(100.0));
    world.verified().await;
}

#[tokio::test]
async fn an_upgrade_under_way_is_given_back_once() {
    let world = World::new().await;
    let server = world.running().await;
    world.control.pass(15 * DAY, 6 * HOUR).await;
    world.host.alive().await;
    assert_eq!(world.post(server, "change-package", json!({"package_slug": "edge"})).await.status.as_u16(), 200);
    assert_ne!(world.balance().await, json!(93.05));
    world.direct("lost").await;
    assert_eq!(world.balance().await, json!(96.53), "the upgrade whole, and half of the month at the old price");
    let actions = world.actions(server).await;
    assert_eq!(actions[1], row("change_package", "failed", Some("host_lost")), "{actions:?}");
    world.host.obey().await;
    world.control.bill().await;
    assert_eq!(world.balance().await, json!(96.53));
    world.verified().await;
}

#[tokio::test]
async fn a_destruction_under_way_ends_with_what_was_promised_then() {
    let world = World::new().await;
    let server = world.running().await;
    assert_eq!(world.post(server, "extend", json!({"months": 1})).await.status.as_u16(), 200);
    assert_eq!(world.post(server, "destroy", json!({})).await.status.as_u16(), 200);
    assert_eq!(world.balance().await, json!(86.10));
    assert_eq!(world.direct("lost").await.data()["credited"], json!("6.95"), "the period that had not begun");
    assert_eq!(world.actions(server).await[1], row("destroy", "done", None));
    assert_eq!(world.events("server.lost").await, Vec::<Value>::new(), "its owner had given it up before");
    world.host.obey().await;
    assert_eq!(world.balance().await, json!(93.05));
    world.verified().await;
}

#[tokio::test]
async fn a_service_that_is_suspended_for_want_of_payment_is_owed_nothing() {
    let world = World::new().await;
    let server = world.running().await;
    let change = json!({"auto_renew": false});
    let _ = world.control.api("PATCH", &format!("/servers/{server}")).by(&world.ada).json(&change).send().await.data();
    world.control.pass(31 * DAY, 6 * HOUR).await;
    assert_eq!(world.show(server).await.data()["service_status"], json!("suspended"));
    assert_eq!(world.direct("lost").await.data()["credited"], json!("0.00"));
    assert_eq!(world.balance().await, json!(93.05));
    assert_eq!(world.show(server).await.status.as_u16(), 404);
    world.verified().await;
}

#[tokio::test]
async fn a_server_under_abuse_ends_with_its_host_too() {
    let world = World::new().await;
    let server = world.running().await;
    let lock = json!({"reason": "abuse", "note": null});
    world.control.operator("POST", &format!("/servers/{server}/lock")).json(&lock).send().await;
    assert_eq!(world.direct("lost").await.data()["ended"], json!(1));
    assert_eq!(world.balance().await, json!(100.0), "nothing of it was used");
    world.verified().await;
}

#[tokio::test]
async fn a_report_that_comes_meanwhile_brings_nothing_back() {
    let world = World::new().await;
    let (running, ordered) = (world.running().await, world.ordered().await);
    world.direct("lost").await;
    let books = world.control.books().await;
    // What the host says of what it ran before it heard of the tombstones.
    let runs = |seen: Observed| Observed { domain: DomainState::Running, remains: Remains::UNPROVED, ..seen };
    world.host.says(runs).await;
    assert_eq!(world.control.books().await, books);
    for server in [running, ordered] {
        assert_eq!(world.place(server).await.0, PlacementState::Held);
    }
    assert_eq!(world.show(ordered).await.data()["service_status"], json!("failed"));
}

#[tokio::test]
async fn a_lost_host_takes_no_order_until_it_came_back_and_proved() {
    let world = World::new().await;
    let server = world.running().await;
    let unknown = world.control.operator("POST", "/hosts/nobody/lost").json(&json!({})).send().await;
    assert_eq!(unknown.status.as_u16(), 404);
    world.direct("lost").await;
    world.host.alive().await;
    assert_eq!(world.order().await.code().to_owned(), "no_capacity");
    assert_eq!(world.direct("undrain").await.status.as_u16(), 409, "what it held is not proved gone");
    assert_eq!(world.direct("drain").await.status.as_u16(), 409);
    world.host.obey().await;
    assert_eq!(world.place(server).await, (PlacementState::Released, vec![LeaseState::Resting]));
    assert_eq!(world.direct("undrain").await.data()["state"], json!("active"));
    let second = world.ordered().await;
    world.host.obey().await;
    assert_eq!(world.show(second).await.data()["status"], json!("Online"));
    world.verified().await;
}

#[tokio::test]
async fn a_fenced_hosts_addresses_rest_and_are_leased_again_elsewhere() {
    let world = World::new().await;
    let (server, failed) = (world.running().await, world.ordered().await);
    assert_eq!(world.direct("fenced").await.status.as_u16(), 409, "it is not lost");
    world.direct("lost").await;
    let heard = world.direct("fenced").await;
    assert!(heard.status.as_u16() == 409 && heard.text.contains("it has power"), "{}", heard.text);
    world.control.clock.advance(SILENCE);
    assert_eq!(world.direct("fenced").await.data()["state"], json!("fenced"));
    for gone in [server, failed] {
        assert_eq!(world.place(gone).await, (PlacementState::Released, vec![LeaseState::Resting]));
    }
    let books = world.control.books().await;
    let again = world.direct("fenced").await;
    assert_eq!((&again.data()["changed"], world.control.books().await), (&json!(false), books));
    // One that comes back in spite of it is told to delete, and is given nothing.
    let back = world.host.connected_again().await;
    back.obey().await;
    assert_eq!(world.order().await.code().to_owned(), "no_capacity");
    assert_eq!(world.direct("undrain").await.status.as_u16(), 409);
    assert_eq!(world.direct("remove").await.data()["state"], json!("removed"));
    world.verified().await;
}

#[tokio::test]
async fn a_drained_host_keeps_what_it_has_and_takes_nothing_new() {
    let world = World::new().await;
    let server = world.running().await;
    assert_eq!(world.direct("drain").await.data()["changed"], json!(true));
    assert_eq!(world.direct("drain").await.data()["changed"], json!(false));
    assert_eq!(world.order().await.code().to_owned(), "no_capacity");
    assert_eq!(world.post(server, "restart", json!({})).await.status.as_u16(), 200);
    world.host.obey().await;
    assert_eq!(world.show(server).await.data()["status"], json!("Online"));
    assert_eq!(world.direct("undrain").await.data()["state"], json!("active"));
    assert_eq!(world.order().await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_host_is_removed_only_when_nothing_is_left_on_it() {
    let world = World::new().await;
    let server = world.running().await;
    let full = world.direct("remove").await;
    assert!(full.status.as_u16() == 409 && full.text.contains("1 servers are on it"), "{}", full.text);
    world.post(server, "destroy", json!({})).await;
    assert_eq!(world.direct("remove").await.status.as_u16(), 409, "held");
    world.host.obey().await;
    assert_eq!(world.direct("remove").await.data()["state"], json!("removed"));
    assert_eq!(world.direct("remove").await.data()["changed"], json!(false));
    let hosts = world.control.operator("GET", "/hosts").send().await;
    assert_eq!(hosts.data(), &json!([]));
    assert!(!world.host.is_let_in().await, "its key opens nothing");
}

#[tokio::test]
async fn a_clock_that_jumped_gives_nothing_back() {
    let world = World::new().await;
    let server = world.running().await;
    world.control.bill().await;
    world.control.clock.jump(400 * DAY);
    world.control.bill().await;
    let refused = world.direct("lost").await;
    assert!(refused.status.as_u16() == 409 && refused.text.contains("the clock jumped"), "{}", refused.text);
    assert_eq!(world.place(server).await.0, PlacementState::Active);
}
