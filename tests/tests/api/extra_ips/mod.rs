//! `/servers/{uuid}/extra-ips`: what comes and goes, what it costs and gives back, and what is left of it when it fails.

mod aside;
mod lost;
mod moves;

use csp_control::{
    domain::time::{DAY, MINUTE},
    entropy::SeededEntropy,
    schedule,
    service::{note_key_uses::KeyUses, verify_ledger::verify_ledger},
    store::{LeaseState, StoreError},
};
use csp_shared::{
    id::ServerId,
    observed::{Fault, FaultCode, Observed},
    spec::{Desired, ServerSpec},
};
use csp_tests::test_control::{EXAMPLE_CATALOG, Reply, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};

/// Two hosts, and in the same order a server on each: `web1` and `web2`, both online since noon, 2026-06-10.
struct World {
    control: TestControl,
    hosts: [TestHost; 2],
    ada: TestCustomer,
    servers: [ServerId; 2],
}

impl World {
    async fn new() -> Self {
        Self::sold_as("starter", EXAMPLE_CATALOG).await
    }

    async fn sold_as(package: &str, catalog: &str) -> Self {
        let control = TestControl::with_catalog(catalog).await;
        let mut hosts = [control.host("host-1").await, control.host("host-2").await];
        let ada = control.customer("ada", "100").await;
        let mut servers = Vec::new();
        for name in ["web1", "web2"] {
            servers.push(control.order(&ada, package, name).await);
        }
        let servers: [ServerId; 2] = servers.try_into().unwrap();
        let first = servers[0];
        let place = control.app.store.read(move |read| read.placement_get(first)).await.unwrap().unwrap();
        if place.host != hosts[0].host {
            hosts.reverse();
        }
        let world = Self { control, hosts, ada, servers };
        world.settle().await;
        world
    }

    async fn settle(&self) {
        for host in &self.hosts {
            host.obey().await;
        }
    }

    async fn ask(&self, method: &str, path: &str, body: Value) -> Reply {
        self.control.api(method, &format!("/servers/{path}")).by(&self.ada).json(&body).send().await
    }

    async fn add(&self, at: usize) -> Reply {
        self.ask("POST", &format!("{}/extra-ips", self.servers[at]), json!({})).await
    }

    async fn added(&self, at: usize) -> String {
        let added = self.add(at).await;
        self.settle().await;
        added.data()["uuid"].as_str().unwrap().to_owned()
    }

    async fn remove(&self, at: usize, ip: &str) -> Reply {
        self.ask("DELETE", &format!("{}/extra-ips/{ip}", self.servers[at]), json!({})).await
    }

    async fn to_other(&self, at: usize, ip: &str) -> Reply {
        let body = json!({"target_server_uuid": self.servers[1 - at]});
        self.ask("POST", &format!("{}/extra-ips/{ip}/move", self.servers[at]), body).await
    }

    /// Adapter, address and status of each.
    async fn list(&self, at: usize) -> Vec<(String, String, String)> {
        let path = format!("/servers/{}/extra-ips", self.servers[at]);
        let listed = self.control.api("GET", &path).by(&self.ada).send().await;
        let text = |ip: &Value, name: &str| ip[name].as_str().unwrap().to_owned();
        let ips = listed.data().as_array().unwrap().clone();
        assert_eq!(listed.json["total"], json!(ips.len()));
        ips.iter().map(|ip| (text(ip, "adapter"), text(ip, "address"), text(ip, "status"))).collect()
    }

    async fn show(&self, at: usize) -> Value {
        self.control.api("GET", &format!("/servers/{}", self.servers[at])).by(&self.ada).send().await.data().clone()
    }

    async fn balance(&self) -> f64 {
        let told = self.control.api("GET", "/balance").by(&self.ada).send().await;
        told.data()["balance"].as_f64().unwrap()
    }

    async fn action(&self, reply: &Reply) -> (String, Value) {
        let uuid = reply.json["action"]["uuid"].as_str().unwrap();
        let action = self.control.api("GET", &format!("/actions/{uuid}")).by(&self.ada).send().await;
        (action.data()["status"].as_str().unwrap().to_owned(), action.data()["error"]["code"].clone())
    }

    async fn spec(&self, at: usize) -> ServerSpec {
        let server = self.servers[at];
        match self.control.app.store.read(move |read| read.spec_get(server)).await.unwrap() {
            Some(Desired::Present(spec)) => *spec,
            other => panic!("{other:?}"),
        }
    }

    async fn pass(&self, seconds: i64) {
        self.control.clock.advance(seconds);
        let (store, now) = (&self.control.app.store, self.control.app.now());
        schedule::tick(store, &SeededEntropy::new(7), &KeyUses::default(), now).await.unwrap();
        for host in &self.hosts {
            host.alive().await;
        }
    }

    /// How the extra addresses are in use that were ever given and are not free.
    async fn leases(&self) -> Vec<(String, LeaseState)> {
        let all = self.control.app.store.read::<_, StoreError>(|read| read.lease_list()).await.unwrap();
        let extra = all.into_iter().filter(|lease| lease.role.as_str() == "extra");
        extra.map(|lease| (lease.address.to_string(), lease.state)).collect()
    }

    async fn books_are_right(&self) {
        assert_eq!(verify_ledger(&self.control.app.store).await.unwrap().differences, []);
    }
}

fn cannot(code: FaultCode) -> impl Fn(Observed) -> Observed {
    move |seen| Observed { reached: None, fault: Some(Fault::new(code, "for a test")), ..seen }
}

fn listed(adapter: &str, address: &str, status: &str) -> (String, String, String) {
    (adapter.to_owned(), address.to_owned(), status.to_owned())
}

const FIRST: &str = "203.0.113.12";
const SECOND: &str = "203.0.113.13";

#[tokio::test]
async fn an_address_is_reserved_and_paid_at_once_and_up_when_its_host_says_so() {
    let world = World::new().await;
    let before = world.balance().await;
    let added = world.add(0).await;
    assert_eq!(added.json["message"], "Extra IPv4 address queued.");
    let data = added.data();
    assert_eq!(
        (&data["address"], &data["adapter"], &data["status"]),
        (&json!(FIRST), &json!("net1"), &json!("queued"))
    );
    assert_eq!((&data["monthly_price"], &added.json["action"]["command"]), (&json!(2.0), &json!("add_extra_ip")));
    assert_eq!(world.balance().await, before - 2.0, "its first period has just begun");
    let spec = world.spec(0).await;
    assert_eq!(spec.nics.len(), 2);
    let nic = &spec.nics[1];
    assert_eq!((nic.name.as_str(), nic.addresses[0].gateway), ("net1", None), "the way out is the primary's");
    world.books_are_right().await;

    world.settle().await;
    assert_eq!(world.list(0).await, [listed("net1", FIRST, "active")]);
    assert_eq!(world.action(&added).await.0, "done");
    let shown = world.show(0).await;
    assert_eq!((&shown["renewal"]["extra_ips"], &shown["renewal"]["total"]), (&json!(2.0), &json!(8.95)));
    assert_eq!(shown["adapters"][1]["addresses"], json!([FIRST]));
    let wallet = world.control.api("GET", "/transactions").by(&world.ada).send().await;
    assert_eq!(wallet.data()[0]["description"], json!(format!("Extra IPv4 {FIRST} for web1")));
    world.control.pass(31 * DAY, DAY).await;
    assert_eq!(world.show(0).await["billing_date"], "2026-08-10 12:00:00");
    let renewed = before - 2.0 - 8.95 - 6.95;
    assert!((world.balance().await - renewed).abs() < 0.001, "it renews with its server");
    world.books_are_right().await;
}

#[tokio::test]
async fn the_package_says_how_many_a_server_may_have() {
    let world = World::new().await;
    world.added(0).await;
    world.added(0).await;
    let before = world.control.books().await;
    let refused = world.add(0).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "limit_reached"), "{}", refused.text);
    assert_eq!(refused.json["error"]["details"]["limit"], json!({"name": "max_extra_ips", "max": 2}));
    assert_eq!(world.control.books().await, before);
    let path = format!("/servers/{}/extra-ips", world.servers[0]);
    let list = world.control.api("GET", &path).by(&world.ada).send().await;
    assert_eq!(list.json["limits"], json!({"max_extra_ips": 2}));
    // Nor may another package have fewer than are there.
    let few = format!("{EXAMPLE_CATALOG}{}", LITE);
    world.control.apply(&few).await;
    let path = format!("{}/change-package", world.servers[0]);
    assert_eq!(world.ask("POST", &path, json!({"package_slug": "lite"})).await.code(), "conflict");
}

const LITE: &str = r#"
[[packages]]
slug = "lite"
type = "vps"
name = "Lite"
cpu = 1
ram_mb = 512
disk_gb = 20
monthly_price = 3.95
max_extra_ips = 1
"#;

#[tokio::test]
async fn an_account_adds_so_many_a_day_and_what_it_gave_back_counts() {
    let world = World::sold_as("edge", EXAMPLE_CATALOG).await;
    let mut last = String::new();
    for _ in 0..5 {
        last = world.added(0).await;
    }
    world.remove(0, &last).await;
    world.settle().await;
    let refused = world.add(0).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "limit_reached"), "{}", refused.text);
    assert_eq!(refused.json["error"]["details"]["limit"], json!({"name": "extra_ips_a_day", "max": 5}));
    world.pass(DAY).await;
    assert_eq!(world.add(0).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_removed_address_is_held_until_its_host_let_go_and_rests_then() {
    let world = World::new().await;
    let ip = world.added(0).await;
    world.pass(15 * DAY).await;
    let before = world.balance().await;
    let removed = world.remove(0, &ip).await;
    assert_eq!(removed.json["message"], "Extra IPv4 removal queued.", "{}", removed.text);
    assert_eq!(removed.data()["credit"], json!(1.0), "half of the month");
    assert_eq!(world.list(0).await, [listed("net1", FIRST, "removing")]);
    assert_eq!((world.balance().await, world.spec(0).await.nics.len()), (before, 1));
    assert_eq!(world.show(0).await["renewal"]["extra_ips"], json!(0.0));
    // Asked again it is the same removal.
    let again = world.remove(0, &ip).await;
    assert_eq!(again.json["action"]["uuid"], removed.json["action"]["uuid"]);
    // Whatever else keeps the host from reaching the spec keeps the address held.
    world.hosts[0].says(cannot(FaultCode::NetworkRefused)).await;
    assert_eq!(world.leases().await, [(FIRST.to_owned(), LeaseState::Held)]);
    assert_eq!(world.add(0).await.data()["adapter"], "net2", "its adapter is not proved gone");
    world.settle().await;
    assert_eq!((world.action(&removed).await.0.as_str(), world.balance().await), ("done", before + 1.0 - 1.0));
    let resting = [(FIRST.to_owned(), LeaseState::Resting), (SECOND.to_owned(), LeaseState::Leased)];
    assert_eq!(world.leases().await, resting);
    assert_eq!(world.list(0).await, [listed("net2", SECOND, "active")]);
    world.books_are_right().await;
    world.pass(MINUTE + 1).await;
    let data = world.add(0).await.data().clone();
    assert_eq!((&data["address"], &data["adapter"]), (&json!(FIRST), &json!("net1")), "both are free again");
}

#[tokio::test]
async fn an_address_that_cannot_be_plugged_in_gives_back_exactly_what_it_took() {
    let world = World::new().await;
    world.pass(7 * DAY).await;
    let before = world.balance().await;
    let added = world.add(0).await;
    world.hosts[0].says(cannot(FaultCode::HypervisorRefused)).await;
    assert_eq!(world.action(&added).await, ("failed".to_owned(), json!("hypervisor_refused")));
    assert_eq!((world.balance().await, world.spec(0).await.nics.len()), (before, 1));
    assert_eq!(world.list(0).await, [listed("net1", FIRST, "removing")]);
    world.books_are_right().await;
    world.settle().await;
    assert_eq!(world.list(0).await, []);
    assert_eq!(world.leases().await, [(FIRST.to_owned(), LeaseState::Resting)]);

    // Nor does one that nobody hears of stay for ever.
    let added = world.add(0).await;
    world.pass(31 * MINUTE).await;
    assert_eq!(world.action(&added).await, ("failed".to_owned(), json!("action_timeout")));
    assert_eq!(world.balance().await, before);
    world.settle().await;
    assert_eq!((world.list(0).await.len(), world.show(0).await["status"].clone()), (0, json!("Online")));
    world.books_are_right().await;
}

#[tokio::test]
async fn what_is_asked_of_power_meanwhile_leaves_an_addition_standing() {
    let world = World::new().await;
    let added = world.add(0).await;
    world.ask("POST", &format!("{}/restart", world.servers[0]), json!({})).await;
    assert_eq!(world.action(&added).await.0, "queued");
    let start = world.ask("POST", &format!("{}/start", world.servers[0]), json!({})).await;
    assert_eq!(start.json["action"]["command"], "restart", "what leads to a running server");
    world.settle().await;
    assert_eq!(world.action(&added).await.0, "done");
}

#[tokio::test]
async fn the_first_address_belongs_to_the_server() {
    let world = World::new().await;
    let primary = world.show(0).await["ips"][0]["uuid"].as_str().unwrap().to_owned();
    let refused = world.remove(0, &primary).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "conflict"));
    assert_eq!(refused.json["message"], "Primary IPs cannot be removed.");
    assert_eq!(world.to_other(0, &primary).await.json["message"], "Primary IPs cannot be moved.");
    // Nor does another server's address answer to this one.
    let ip = world.added(0).await;
    assert_eq!(world.remove(1, &ip).await.status.as_u16(), 404);
}

#[tokio::test]
async fn where_none_is_free_nothing_is_charged() {
    let few = EXAMPLE_CATALOG.replace("last = \"203.0.113.250\"", "last = \"203.0.113.11\"");
    let world = World::sold_as("starter", &few).await;
    let before = world.control.books().await;
    let refused = world.add(0).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "no_address_available"), "{}", refused.text);
    assert_eq!(world.control.books().await, before);
}

#[tokio::test]
async fn a_trial_tells_the_price_and_leaves_no_trace() {
    let world = World::new().await;
    let ip = world.added(0).await;
    let (before, spec) = (world.control.books().await, world.spec(0).await);
    let path = format!("{}/extra-ips", world.servers[0]);
    let quote = world.ask("POST", &format!("{path}?dry_run=true"), json!({})).await.data().clone();
    assert_eq!((&quote["total"], &quote["lines"][0]["item"]), (&json!(2.0), &json!("extra_ip")), "{quote}");
    let target = json!({"target_server_uuid": world.servers[1]});
    let quote = world.ask("POST", &format!("{path}/{ip}/move?dry_run=true"), target).await.data().clone();
    assert_eq!((&quote["total"], &quote["credit"]), (&json!(2.0), &json!(2.0)), "{quote}");
    assert_eq!(quote["balance"], quote["balance_after"], "the wallet sees the difference alone");
    assert_eq!((world.control.books().await, world.spec(0).await), (before, spec));
}

#[tokio::test]
async fn a_suspended_server_is_relieved_of_addresses_for_nothing() {
    let world = World::new().await;
    let ip = world.added(0).await;
    let lock = json!({"reason": "operator"});
    world.control.operator("POST", &format!("/servers/{}/lock", world.servers[0])).json(&lock).send().await;
    world.settle().await;
    let before = world.balance().await;
    let removed = world.remove(0, &ip).await;
    assert_eq!((removed.status.as_u16(), &removed.data()["credit"]), (200, &json!(0.0)), "{}", removed.text);
    world.settle().await;
    assert_eq!((world.balance().await, world.list(0).await.len()), (before, 0));
    world.books_are_right().await;
}

#[tokio::test]
async fn a_destroyed_server_ends_what_was_under_way_with_its_addresses() {
    for (what, refunded) in [("added", 2.0), ("removed", 1.0), ("moving here", 0.0), ("moving away", 0.0)] {
        let world = World::new().await;
        let start = world.balance().await;
        let reply = match what {
            "added" => world.add(0).await,
            "removed" => {
                let ip = world.added(0).await;
                world.pass(15 * DAY).await;
                world.remove(0, &ip).await
            }
            "moving here" => {
                let ip = world.added(1).await;
                world.to_other(1, &ip).await
            }
            _ => {
                let ip = world.added(0).await;
                world.to_other(0, &ip).await
            }
        };
        let spent = start - 2.0;
        world.ask("POST", &format!("{}/destroy", world.servers[0]), json!({})).await;
        assert_eq!(world.balance().await, spent + refunded, "{what}");
        world.books_are_right().await;
        world.settle().await;
        world.settle().await;
        assert_eq!(world.balance().await, spent + refunded, "{what}: the period that began is kept");
        assert_ne!(world.action(&reply).await.0, "running", "{what}");
        world.books_are_right().await;
        let leases = world.leases().await;
        let stays = if what == "moving here" { LeaseState::Leased } else { LeaseState::Resting };
        assert_eq!(leases, [(FIRST.to_owned(), stays)], "{what}");
    }
}

#[tokio::test]
async fn an_expired_service_renews_before_it_gets_an_address_or_says_so() {
    let world = World::new().await;
    world.control.pass(30 * DAY - 60, DAY).await;
    world.control.clock.advance(120);
    for host in &world.hosts {
        host.alive().await;
    }
    let before = world.balance().await;
    let added = world.add(0).await;
    assert_eq!(added.status.as_u16(), 200, "{}", added.text);
    assert_eq!(world.show(0).await["billing_date"], "2026-08-10 12:00:00", "it renewed first");
    assert!((before - world.balance().await - 6.95 - 2.0).abs() < 0.01);
    world.books_are_right().await;
    world.ask("PATCH", &world.servers[1].to_string(), json!({"auto_renew": false})).await;
    let refused = world.add(1).await;
    assert_eq!((refused.status.as_u16(), refused.code()), (409, "renewal_due"), "{}", refused.text);
}

#[tokio::test]
async fn a_host_says_that_it_let_go_before_all_else_is_as_it_should_be() {
    let world = World::new().await;
    let ip = world.added(0).await;
    let removed = world.remove(0, &ip).await;
    let stuck = cannot(FaultCode::DiskMissing);
    world.hosts[0].says(|seen| Observed { let_go: Some(seen.accepted), ..stuck(seen) }).await;
    assert_eq!(world.action(&removed).await.0, "done");
    assert_eq!(world.leases().await, [(FIRST.to_owned(), LeaseState::Resting)]);
}

#[tokio::test]
async fn the_operator_allows_a_server_more_than_its_package() {
    let world = World::new().await;
    let path = format!("/servers/{}/extra-ips", world.servers[0]);
    let allow = async |max: Value| world.control.operator("POST", &path).json(&json!({"max": max})).send().await;
    assert_eq!(allow(json!(3)).await.data()["max"], 3);
    for _ in 0..3 {
        world.added(0).await;
    }
    assert_eq!(allow(Value::Null).await.data()["max"], 2, "what it has it keeps");
    assert_eq!(world.add(0).await.code(), "limit_reached");
    assert_eq!(allow(json!(65)).await.status.as_u16(), 422);
}
