//! What servers used: in their own answers, and as curves.

use csp_control::schedule::forget_samples;
use csp_shared::{
    id::ServerId,
    sample::{Memory, NetworkMoved, Sample},
};
use csp_tests::test_control::{Reply, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};

struct World {
    control: TestControl,
    host: TestHost,
    customer: TestCustomer,
    server: ServerId,
}

impl World {
    async fn online() -> Self {
        let control = TestControl::start().await;
        let host = control.host("host-1").await;
        let customer = control.customer("ada", "50").await;
        let server = control.order(&customer, "starter", "web1").await;
        host.obey().await;
        Self { control, host, customer, server }
    }

    async fn get(&self, path: &str) -> Reply {
        self.control.api("GET", &format!("/servers/{}{path}", self.server)).by(&self.customer).send().await
    }

    /// Half a processor for 15 seconds.
    fn sample(&self) -> Sample {
        Sample {
            server: self.server,
            over_ms: 15_000,
            cpu_ns: Some(7_500_000_000),
            memory: Some(Memory { assigned_kib: 1 << 20, resident_kib: Some(1 << 19), used_kib: None }),
            disk: None,
            network: Some(NetworkMoved {
                received_bytes: 1500,
                received_packets: 15,
                sent_bytes: 3000,
                sent_packets: 30,
            }),
        }
    }
}

#[tokio::test]
async fn a_server_shows_what_it_used_lately_with_its_age_and_nothing_that_is_old() {
    let world = World::online().await;
    assert_eq!(world.get("").await.data()["metrics"], Value::Null, "nothing was measured");
    assert!(world.host.measured(vec![world.sample()]).await);
    world.control.clock.advance(7);
    let shown = world.get("").await.data()["metrics"].clone();
    assert_eq!((&shown["age_s"], &shown["observed_at"]), (&json!(7), &json!("2026-06-10 12:00:00")));
    assert_eq!((&shown["cpu_percent"], &shown["memory_mb"]), (&json!(50.0), &json!(1024.0)));
    assert_eq!((&shown["memory_used_mb"], &shown["disk_read_bytes_per_s"]), (&Value::Null, &Value::Null));
    assert_eq!(
        (&shown["network_received_bytes_per_s"], &shown["network_sent_bytes_per_s"]),
        (&json!(100.0), &json!(200.0))
    );
    let listed = world.control.api("GET", "/servers").by(&world.customer).send().await;
    assert_eq!(listed.data()[0]["metrics"], shown);
    world.control.clock.advance(84);
    assert_eq!(world.get("").await.data()["metrics"], Value::Null, "91 s old");
}

#[tokio::test]
async fn a_curve_has_its_ranges_steps_in_columns_and_null_in_its_gaps() {
    let world = World::online().await;
    for _ in 0..4 {
        world.control.clock.advance(15);
        assert!(world.host.measured(vec![world.sample()]).await);
    }
    for (range, step_s, steps) in [("1h", 15, 240), ("24h", 300, 288), ("7d", 1800, 336), ("30d", 7200, 360)] {
        let curve = world.get(&format!("/metrics?range={range}")).await;
        let curve = curve.data();
        assert_eq!((&curve["range"], &curve["step_s"]), (&json!(range), &json!(step_s)));
        assert_eq!(curve["to"], "2026-06-10 12:01:00");
        let times = curve["unix_s"].as_array().unwrap();
        assert_eq!(times.len(), steps);
        assert!(times.windows(2).all(|two| two[1].as_i64().unwrap() - two[0].as_i64().unwrap() == step_s));
        for (name, column) in curve["series"].as_object().unwrap() {
            let column = column.as_array().unwrap();
            let known = column.iter().filter(|value| !value.is_null()).count();
            let measured = !name.starts_with("disk") && name != "memory_used_mb";
            let expected = if !measured {
                0
            } else if range == "1h" {
                4
            } else {
                1
            };
            assert_eq!((column.len(), known), (steps, expected), "{range} {name}");
        }
        let cpu = curve["series"]["cpu_percent"].as_array().unwrap();
        assert_eq!(cpu.iter().filter(|value| **value == json!(50.0)).count(), if range == "1h" { 4 } else { 1 });
    }
    let unasked = world.get("/metrics").await;
    assert_eq!(unasked.data()["range"], "1h");
    for bad in ["range=2h", "range=1H", "window=1h"] {
        let refused = world.get(&format!("/metrics?{bad}")).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (422, "validation_failed"), "{bad}");
    }
}

#[tokio::test]
async fn samples_count_only_from_the_servers_own_host_in_its_newest_session() {
    let world = World::online().await;
    let other = world.control.host("host-2").await;
    assert!(other.measured(vec![world.sample()]).await, "no reason to hang up");
    assert_eq!(world.get("").await.data()["metrics"], Value::Null);
    let again = world.host.connected_again().await;
    assert!(!world.host.measured(vec![world.sample()]).await, "the older session is over");
    assert_eq!(world.get("").await.data()["metrics"], Value::Null);
    assert!(again.measured(vec![world.sample()]).await);
    assert_eq!(world.get("").await.data()["metrics"]["cpu_percent"], json!(50.0));
}

#[tokio::test]
async fn a_strangers_server_and_a_destroyed_one_have_no_metrics_and_the_destroyed_ones_are_thrown_away() {
    let world = World::online().await;
    assert!(world.host.measured(vec![world.sample()]).await);
    let stranger = world.control.customer("eve", "0").await;
    let path = format!("/servers/{}/metrics", world.server);
    let foreign = world.control.api("GET", &path).by(&stranger).send().await;
    assert_eq!((foreign.status.as_u16(), foreign.code()), (404, "not_found"));
    let destroy = format!("/servers/{}/destroy", world.server);
    world.control.api("POST", &destroy).by(&world.customer).send().await;
    assert_eq!(world.get("/metrics").await.status, 404);
    assert!(world.host.measured(vec![world.sample()]).await, "its guest runs a moment longer");
    let app = &world.control.app;
    forget_samples(&app.store, &app.metrics, app.now()).await.unwrap();
    assert_eq!(app.metrics.latest_of(world.server, app.now()), None);
    let curve = app.metrics.curve(world.server, csp_control::metrics::Range::Hour, app.now()).await.unwrap();
    assert!(curve.points.iter().all(Option::is_none));
}
