//! Prices of extra addresses: announced as those of packages are, one by one or for a whole pool.

use csp_control::{
    domain::time::DAY,
    store::{StoreError, Tx},
};
use csp_shared::id::{LeaseId, ServerId};
use csp_tests::test_control::{Reply, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};

struct World {
    control: TestControl,
    host: TestHost,
    ada: TestCustomer,
}

impl World {
    async fn new() -> Self {
        let control = TestControl::start().await;
        let host = control.host("host-1").await;
        let ada = control.customer("ada", "100").await;
        Self { control, host, ada }
    }

    async fn server(&self, name: &str) -> ServerId {
        let server = self.control.order(&self.ada, "starter", name).await;
        self.host.obey().await;
        server
    }

    /// An address beside the package, at 2.00 a month.
    async fn address(&self, server: ServerId) -> LeaseId {
        let reply = self.control.api("POST", &format!("/servers/{server}/extra-ips")).by(&self.ada).send().await;
        self.host.obey().await;
        reply.data()["uuid"].as_str().unwrap().parse().unwrap()
    }

    async fn announce(&self, body: Value) -> Reply {
        self.control.operator("POST", "/prices").json(&body).send().await
    }

    async fn renewal(&self, server: ServerId) -> Value {
        let shown = self.control.api("GET", &format!("/servers/{server}")).by(&self.ada).send().await;
        shown.data()["renewal"]["extra_ips"].clone()
    }

    async fn balance(&self) -> Value {
        self.control.api("GET", "/balance").by(&self.ada).send().await.data()["balance"].clone()
    }
}

#[tokio::test]
async fn a_rise_for_a_pool_waits_for_its_notice_address_by_address() {
    let world = World::new().await;
    let (one, two) = (world.server("web1").await, world.server("web2").await);
    let (a, _) = (world.address(one).await, world.address(two).await);
    // This one falls at once, so the rise for the pool is a rise for it, too.
    let fall = world.announce(json!({"ip_uuid": a, "price": "1.00"})).await;
    let at = "2026-06-10 12:00:00";
    assert_eq!(fall.data(), &json!({"announced": 1, "first_at": at, "effective_at": at, "passed_by": []}));
    let rise = json!({"pool": "public-1", "price": "3.00"});
    let done = world.announce(rise.clone()).await;
    assert_eq!((&done.data()["announced"], &done.data()["effective_at"]), (&json!(2), &json!("2026-07-10 12:00:00")));
    assert_eq!(world.announce(rise).await.data()["announced"], 0, "told once");
    let soon = world.announce(json!({"ip_uuid": a, "price": "9.00", "effective_at": "2026-07-01"})).await;
    assert_eq!((soon.status.as_u16(), soon.fields()), (422, vec!["price"]), "{}", soon.text);

    let told = world.control.events(world.ada.account).await;
    let notices: Vec<&Value> =
        told.iter().filter(|(kind, _)| kind == "server.price_announced").map(|(_, data)| data).collect();
    assert_eq!(
        notices[1],
        &json!({"amount": 3.0, "previous_amount": 1.0, "effective_at": "2026-07-10 12:00:00",
                                   "address": "203.0.113.12"})
    );
    // The renewal at which it begins costs it, and not what is paid until then.
    let before = world.balance().await;
    assert_eq!((before, world.renewal(one).await), (json!(82.1), json!(3.0)));
    world.control.pass(31 * DAY, DAY).await;
    assert_eq!(world.balance().await, json!(62.2), "82.10 less twice 6.95 and 3.00");
    let verified = csp_control::service::verify_ledger::verify_ledger(&world.control.app.store).await.unwrap();
    assert_eq!(verified.differences, []);
}

#[tokio::test]
async fn who_names_no_price_that_can_be_is_told_why() {
    let world = World::new().await;
    let server = world.server("web1").await;
    let ip = world.address(server).await;
    for body in [
        json!({"price": "3.00"}),
        json!({"price": "3.00", "pool": "public-1", "ip_uuid": ip}),
        json!({"price": "3.00", "server_uuid": server, "package": "starter"}),
    ] {
        let refused = world.announce(body.clone()).await;
        assert_eq!((refused.status.as_u16(), refused.fields()), (422, vec!["server_uuid"]), "{body}");
    }
    for amount in ["1.005", "-1.00", "NaN", "1e2", "1000000000.01", "", "99999999999999999999"] {
        let refused = world.announce(json!({"price": amount, "ip_uuid": ip})).await;
        assert_eq!((refused.status.as_u16(), refused.fields()), (422, vec!["price"]), "{amount:?}: {}", refused.text);
    }
    let nobodys = json!({"price": "3.00", "ip_uuid": "0197a000-0000-7000-8000-000000000000"});
    assert_eq!(world.announce(nobodys).await.status.as_u16(), 404);
    let nowhere = world.announce(json!({"price": "3.00", "pool": "nowhere"})).await;
    assert_eq!((nowhere.status.as_u16(), nowhere.fields()), (404, vec!["pool"]), "{}", nowhere.text);
}

#[tokio::test]
async fn what_was_announced_follows_its_address_and_every_addition_of_a_day_counts() {
    let world = World::new().await;
    let (one, two) = (world.server("web1").await, world.server("web2").await);
    let ip = world.address(one).await;
    let _ = world.announce(json!({"ip_uuid": ip, "price": "3.00"})).await.data();
    let follow = move |tx: &mut Tx<'_>| tx.price_changes_follow(ip, one, two);
    world.control.app.store.write::<_, StoreError>(follow).await.unwrap();
    let database = rusqlite::Connection::open(world.control.folder().join("control.db")).unwrap();
    let sql = "SELECT s.uuid FROM price_changes c JOIN servers s ON s.id = c.server_id WHERE c.ended IS NULL";
    let whose: String = database.query_row(sql, [], |row| row.get(0)).unwrap();
    assert_eq!(whose, two.to_string());

    let (account, begun) = (world.ada.account, world.control.app.now());
    world.control.clock.advance(3_600);
    let _ = world.address(two).await;
    let until = world.control.app.now();
    let added = move |since| {
        let store = world.control.app.store.clone();
        async move { store.read::<_, StoreError>(move |read| read.lease_additions(account, since, until)).await.unwrap() }
    };
    assert_eq!(added(begun.plus(-1)).await, [begun, begun.plus(3_600)]);
    assert_eq!(added(begun).await, [begun.plus(3_600)], "the primary ones do not count");
}
