//! What servers carried: months in the API, quotas, and what comes after them.

use csp_control::schedule::tick;
use csp_shared::{
    id::ServerId,
    sample::NetworkMoved,
    spec::{Desired, ServerSpec},
    traffic::{CountId, Earlier, Traffic},
};
use csp_tests::test_control::{EXAMPLE_CATALOG, Reply, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};
use uuid::Uuid;

/// Of the example's starter package; 10 bytes are allowed a month.
const QUOTA: &str = "traffic = { gb = 0.00001, shape_mbit_per_second = 10 }";

struct World {
    control: TestControl,
    host: TestHost,
    customer: TestCustomer,
    server: ServerId,
}

impl World {
    async fn online(traffic: &str) -> Self {
        let catalog = EXAMPLE_CATALOG.replacen("traffic = { gb = 2000, shape_mbit_per_second = 10 }", traffic, 1);
        let control = TestControl::with_settings(|settings| settings.billing.has_mail = true).await;
        control.apply(&catalog).await;
        let host = control.host("host-1").await;
        let customer = control.customer("ada", "50").await;
        let email = json!({"email": "ada@example.com"});
        control.operator("POST", &format!("/accounts/{}/set", customer.account)).json(&email).send().await;
        let server = control.order(&customer, "starter", "web1").await;
        host.obey().await;
        Self { control, host, customer, server }
    }

    async fn get(&self, path: &str) -> Reply {
        self.control.api("GET", &format!("/servers/{}{path}", self.server)).by(&self.customer).send().await
    }

    async fn shown(&self) -> Value {
        self.get("/traffic").await.data().clone()
    }

    fn word(&self, received: u64) -> Traffic {
        Traffic { server: self.server, count: CountId(Uuid::from_u128(1)), total: moved(received), earlier: vec![] }
    }

    /// The host tells this total.
    async fn carried(&self, received: u64) {
        assert!(self.host.counted(vec![self.word(received)]).await);
    }

    async fn spec(&self) -> ServerSpec {
        let server = self.server;
        match self.control.app.store.read(move |read| read.spec_get(server)).await.unwrap().unwrap() {
            Desired::Present(spec) => *spec,
            Desired::Absent(_) => panic!("it is gone"),
        }
    }

    async fn events(&self) -> Vec<Value> {
        let events = self.control.events(self.customer.account).await;
        events.into_iter().filter(|(kind, _)| kind == "server.traffic").map(|(_, data)| data).collect()
    }

    /// Moves the clock there, and lets time do what it does.
    async fn at(&self, time: &str) {
        self.control.clock.set(time.parse().unwrap());
        let app = &self.control.app;
        tick(&app.store, &*app.entropy, &app.key_uses, app.now()).await.unwrap();
    }
}

/// Half of it was sent.
fn moved(received: u64) -> NetworkMoved {
    NetworkMoved { received_bytes: received, received_packets: 2, sent_bytes: received / 2, sent_packets: 1 }
}

#[tokio::test]
async fn a_month_shows_what_was_carried_once_however_often_and_late_it_is_told() {
    let world = World::online("").await;
    let nothing = world.shown().await;
    assert_eq!((&nothing["month"], &nothing["total_bytes"]), (&json!("2026-06"), &json!(0)));
    assert_eq!(
        (&nothing["quota"], &nothing["counted_at"], &nothing["months"]),
        (&Value::Null, &Value::Null, &json!([]))
    );
    world.carried(1000).await;
    world.control.clock.advance(60);
    world.carried(1600).await;
    world.carried(1600).await;
    world.carried(1000).await;
    let shown = world.shown().await;
    assert_eq!(
        (&shown["received_bytes"], &shown["sent_bytes"], &shown["total_bytes"]),
        (&json!(1600), &json!(800), &json!(2400))
    );
    assert_eq!((&shown["received_packets"], &shown["sent_packets"]), (&json!(2), &json!(1)));
    assert_eq!(
        (&shown["counted_at"], &shown["resets_at"]),
        (&json!("2026-06-10 12:01:00"), &json!("2026-07-01 00:00:00"))
    );
    // The host counts anew after it lost its state.
    let other = Traffic { count: CountId(Uuid::from_u128(2)), ..world.word(10) };
    assert!(world.host.counted(vec![other]).await);
    assert_eq!(world.shown().await["received_bytes"], 1610);
}

#[tokio::test]
async fn what_was_long_on_its_way_goes_to_its_month() {
    let world = World::online("").await;
    world.carried(100).await;
    world.at("2026-07-02 00:00:00").await;
    let total = moved(1000);
    let earlier = vec![Earlier { age_seconds: 86_400, total: moved(400) }];
    let again = world.host.connected_again().await;
    assert!(again.counted(vec![Traffic { total, earlier, ..world.word(0) }]).await);
    let months = world.shown().await["months"].clone();
    let of = |at: usize| (months[at]["month"].clone(), months[at]["received_bytes"].clone());
    assert_eq!((of(0), of(1)), ((json!("2026-07"), json!(600)), (json!("2026-06"), json!(400))));
    assert_eq!(world.shown().await["received_bytes"], 600, "of the present month");
}

#[tokio::test]
async fn months_are_kept_for_a_year() {
    let world = World::online("").await;
    world.carried(100).await;
    for (time, kept) in [("2027-06-01 00:00:00", 1), ("2027-07-01 00:00:00", 0)] {
        world.at(time).await;
        assert_eq!(world.shown().await["months"].as_array().unwrap().len(), kept, "{time}");
    }
}

#[tokio::test]
async fn a_word_counts_only_from_the_servers_own_host_in_its_newest_session() {
    let world = World::online(QUOTA).await;
    let other = world.control.host("host-2").await;
    assert!(other.counted(vec![world.word(1000)]).await, "no reason to hang up");
    let again = world.host.connected_again().await;
    assert!(!world.host.counted(vec![world.word(1000)]).await, "the older session is over");
    assert_eq!(world.shown().await["total_bytes"], 0);
    assert!(again.counted(vec![world.word(1000)]).await);
    assert_eq!(world.shown().await["total_bytes"], 1500);
    let enough = Traffic { total: NetworkMoved { received_bytes: u64::MAX, ..moved(0) }, ..world.word(0) };
    for count in 2..5 {
        assert!(again.counted(vec![Traffic { count: CountId(Uuid::from_u128(count)), ..enough.clone() }]).await);
    }
    assert_eq!(world.shown().await["received_bytes"], i64::MAX, "however much a host says");
}

#[tokio::test]
async fn a_quota_is_told_twice_and_holds_the_server_until_the_month_ends() {
    let world = World::online(QUOTA).await;
    let quota = world.shown().await["quota"].clone();
    assert_eq!(quota, json!({"bytes": 10_000, "shape_mbit_per_second": 10, "used_percent": 0.0}));
    world.carried(5332).await;
    assert!(world.events().await.is_empty());
    world.carried(5334).await;
    world.carried(6000).await;
    assert_eq!(
        world.events().await,
        [json!({"month": "2026-06", "percent": 80, "used_bytes": 8001, "quota_bytes": 10_000})]
    );
    assert_eq!(world.spec().await.net_held_mbit_per_second, None);
    world.carried(6668).await;
    world.carried(9000).await;
    let events = world.events().await;
    assert_eq!(events.len(), 2, "{events:?}");
    let told = events.iter().find(|event| event["percent"] == 100).unwrap();
    assert_eq!((&told["held_mbit_per_second"], &told["used_bytes"]), (&json!(10), &json!(10_002)));
    let spec = world.spec().await;
    assert_eq!((spec.net_mbit_per_second(), spec.limits.net_mbit_per_second_max), (Some(10), Some(500)));
    let shown = world.shown().await;
    assert_eq!((&shown["held_mbit_per_second"], &shown["quota"]["used_percent"]), (&json!(10), &json!(135.0)));
    world.host.obey().await;
    assert_eq!(world.get("").await.data()["status"], "Online", "it runs on");
    let letters = world.control.operator("GET", "/mails").send().await;
    let subjects: Vec<&str> =
        letters.data().as_array().unwrap().iter().map(|l| l["subject"].as_str().unwrap()).collect();
    assert_eq!(subjects.iter().filter(|s| s.contains("traffic")).count(), 2, "{subjects:?}");

    world.at("2026-07-01 00:00:00").await;
    assert_eq!(world.spec().await.net_mbit_per_second(), Some(500), "lifted, though nothing was told since");
    let again = world.host.connected_again().await;
    assert!(again.counted(vec![world.word(14_000)]).await);
    let shown = world.shown().await;
    assert_eq!((&shown["held_mbit_per_second"], &shown["month"]), (&Value::Null, &json!("2026-07")));
}

#[tokio::test]
async fn without_a_rate_the_owner_is_told_and_nothing_else() {
    let world = World::online("traffic = { gb = 0.00001 }").await;
    let version = world.spec().await.version;
    world.carried(100_000).await;
    assert_eq!(world.events().await.len(), 1, "not of the mark below it as well");
    assert_eq!(
        (world.spec().await.version, world.shown().await["held_mbit_per_second"].clone()),
        (version, Value::Null)
    );
}

#[tokio::test]
async fn a_larger_package_lifts_the_rate_and_what_was_sold_stays_as_it_was() {
    let world = World::online(QUOTA).await;
    world.carried(9000).await;
    world.host.obey().await;
    let path = format!("/servers/{}/change-package", world.server);
    let change = json!({"package_slug": "edge"});
    let changed = world.control.api("POST", &path).by(&world.customer).json(&change).send().await;
    assert_eq!(changed.status.as_u16(), 200, "{changed:?}");
    world.host.obey().await;
    world.at("2026-06-10 12:00:05").await;
    assert_eq!(world.spec().await.net_held_mbit_per_second, None);
    let shown = world.shown().await;
    assert_eq!((&shown["quota"], &shown["total_bytes"]), (&Value::Null, &json!(13_500)), "and nothing is forgotten");
    // The catalog says another thing now; who ordered before keeps what was sold.
    let package = world.control.api("GET", "/packages/starter").by(&world.customer).send().await;
    assert_eq!(package.data()["traffic"], json!({"bytes": 10_000, "shape_mbit_per_second": 10}));
}

#[tokio::test]
async fn the_operator_sees_it_too() {
    let world = World::online(QUOTA).await;
    world.carried(9000).await;
    let shown = world.control.operator("GET", &format!("/servers/{}", world.server)).send().await;
    let traffic = &shown.data()["database"]["traffic"];
    assert_eq!((&traffic["held_mbit_per_second"], &traffic["quota_bytes"]), (&json!(10), &json!(10_000)));
    let month = json!({"month": "2026-06", "received_bytes": 9000, "received_packets": 2, "sent_bytes": 4500,
                       "sent_packets": 1, "told_percent": 100});
    assert_eq!(traffic["months"], json!([month]));
}
