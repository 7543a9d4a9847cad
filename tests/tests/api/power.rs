//! Start, stop, restart and destroy, in each state that a customer meets.

use csp_shared::{
    id::ServerId,
    observed::FaultCode,
    spec::{Desired, Power},
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
    async fn ordered() -> Self {
        let control = TestControl::start().await;
        let host = control.host("host-1").await;
        let customer = control.customer("ada", "50").await;
        let server = control.order(&customer, "starter", "web1").await;
        Self { control, host, customer, server }
    }

    async fn online() -> Self {
        let world = Self::ordered().await;
        world.host.obey().await;
        world
    }

    async fn post(&self, verb: &str, body: Value) -> Reply {
        let path = format!("/servers/{}/{verb}", self.server);
        self.control.api("POST", &path).by(&self.customer).json(&body).send().await
    }

    async fn show(&self) -> Value {
        let path = format!("/servers/{}", self.server);
        self.control.api("GET", &path).by(&self.customer).send().await.data().clone()
    }

    async fn status(&self) -> String {
        self.show().await["status"].as_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn a_server_is_stopped_started_and_restarted() {
    let world = World::online().await;
    assert_eq!(world.status().await, "Online");
    assert_eq!(world.post("stop", json!({})).await.json["message"], json!("Stop has been queued."));
    assert_eq!(world.status().await, "Stopping");
    world.host.obey().await;
    assert_eq!(world.status().await, "Offline");
    assert_eq!(world.post("start", json!({})).await.json["message"], json!("Start has been queued."));
    assert_eq!(world.status().await, "Starting");
    world.host.obey().await;
    assert_eq!(world.post("restart", json!({})).await.json["message"], json!("Restart has been queued."));
    world.host.obey().await;
    assert_eq!(world.status().await, "Online");
}

#[tokio::test]
async fn a_stop_counts_although_a_fault_keeps_the_server_down_already() {
    let world = World::online().await;
    assert_eq!(world.post("stop", json!({})).await.status, 200);
    world.host.obey().await;
    assert_eq!(world.post("start", json!({})).await.status, 200);
    world.host.fail(FaultCode::DiskMissing).await;
    assert_eq!(world.status().await, "Offline");
    let stopped = world.post("stop", json!({})).await;
    assert_eq!(stopped.json["action"]["command"], "stop", "{}", stopped.text);
    let server = world.server;
    let spec = world.control.app.store.read(move |read| read.spec_get(server)).await.unwrap().unwrap();
    let Desired::Present(spec) = spec else { panic!("it is there") };
    assert_eq!(spec.power, Power::Off, "or it would start when the fault is mended");
}

#[tokio::test]
async fn what_is_so_already_is_answered_the_same_and_changes_nothing() {
    let world = World::online().await;
    let before = world.control.books().await;
    assert_eq!(world.post("start", json!({})).await.json["message"], json!("Start has been queued."));
    assert_eq!(world.control.books().await, before);
    world.post("stop", json!({"force": true})).await;
    world.host.obey().await;
    let before = world.control.books().await;
    assert_eq!(world.post("stop", json!({})).await.json["message"], json!("Stop has been queued."));
    assert_eq!(world.control.books().await, before);
}

#[tokio::test]
async fn restart_does_not_power_on() {
    let world = World::online().await;
    world.post("stop", json!({})).await;
    world.host.obey().await;
    let reply = world.post("restart", json!({})).await;
    assert_eq!((reply.status.as_u16(), reply.code()), (409, "conflict"), "{}", reply.text);
    let details = &reply.json["error"]["details"];
    assert_eq!((&details["status"], &details["running_action"]), (&json!("Offline"), &Value::Null));
    assert_eq!(
        details["allowed"],
        json!([
            "start",
            "stop",
            "extend",
            "reinstall",
            "change_package",
            "attach_network",
            "detach_network",
            "add_extra_ip",
            "remove_extra_ip",
            "move_extra_ip",
            "update",
            "destroy"
        ])
    );
    assert_eq!(world.status().await, "Offline");
}

#[tokio::test]
async fn a_server_that_powered_itself_off_comes_back_by_start() {
    let world = World::online().await;
    world.host.powered_itself_off(&world.control, world.server).await;
    assert_eq!(world.status().await, "Offline");
    world.post("start", json!({})).await;
    world.host.obey().await;
    assert_eq!(world.status().await, "Online");
}

#[tokio::test]
async fn what_keeps_a_server_down_is_told_beside_it_until_it_is_over() {
    let world = World::online().await;
    assert_eq!(world.show().await["trouble"], Value::Null);
    world.post("stop", json!({})).await;
    world.host.obey().await;
    world.post("start", json!({})).await;
    world.host.fail(FaultCode::ImageUnreachable).await;
    assert_eq!(world.show().await["trouble"], Value::Null, "the action under way tells its own end");
    world.post("stop", json!({})).await;
    world.host.obey().await;
    world.post("start", json!({})).await;
    world.host.fail(FaultCode::CrashLoop).await;
    let down = world.show().await;
    assert_eq!((&down["status"], &down["trouble"]["code"]), (&json!("Offline"), &json!("crash_loop")), "{down}");
    let words = down["trouble"]["message"].as_str().unwrap();
    assert!(!words.contains("for a test"), "the host's own words are the operator's: {words}");
    assert!(words.contains("crashed several times") && words.contains("Start it"), "{words}");
    world.post("start", json!({})).await;
    world.host.obey().await;
    let up = world.show().await;
    assert_eq!((&up["status"], &up["trouble"]), (&json!("Online"), &Value::Null), "{up}");
}

#[tokio::test]
async fn a_start_that_its_host_gave_up_is_offline_and_can_be_tried_again() {
    let world = World::online().await;
    world.post("stop", json!({})).await;
    world.host.obey().await;
    world.post("start", json!({})).await;
    world.host.fail(csp_shared::observed::FaultCode::ImageUnreachable).await;
    assert_eq!(world.status().await, "Starting", "its host tries again");
    world.post("stop", json!({})).await;
    world.host.obey().await;
    let first = world.post("start", json!({})).await;
    world.host.fail(csp_shared::observed::FaultCode::HypervisorRefused).await;
    assert_eq!(world.status().await, "Offline", "nobody is starting it");
    let path = format!("/actions/{}", first.json["action"]["uuid"].as_str().unwrap());
    let failed = world.control.api("GET", &path).by(&world.customer).send().await;
    assert_eq!(failed.data()["error"]["code"], "hypervisor_refused");
    let again = world.post("start", json!({})).await;
    assert!(again.json["action"]["uuid"].is_string() && again.json["action"] != first.json["action"], "{}", again.text);
    assert_eq!(world.status().await, "Starting", "the host holds something newer to try");
    world.host.obey().await;
    assert_eq!(world.status().await, "Online");
}

#[tokio::test]
async fn during_provisioning_only_destroy_is_accepted() {
    let world = World::ordered().await;
    let before = world.control.books().await;
    for verb in ["start", "stop", "restart"] {
        let reply = world.post(verb, json!({})).await;
        assert_eq!((reply.status.as_u16(), reply.code()), (409, "server_busy"), "{verb}");
        let details = &reply.json["error"]["details"];
        assert_eq!(details["running_action"]["command"], json!("create"), "{verb}");
        assert!(details["running_action"]["uuid"].is_string(), "{verb}");
        assert_eq!((&details["status"], &details["service_status"]), (&json!("Provisioning"), &json!("provisioning")));
        assert_eq!(details["allowed"], json!(["update", "destroy"]), "{verb}");
    }
    assert_eq!(world.control.books().await, before);
    assert_eq!(world.post("destroy", json!({})).await.json["message"], json!("Destroy has been queued."));
    let balance = world.control.api("GET", "/balance").by(&world.customer).send().await;
    assert_eq!(balance.data()["balance"], json!(50.0), "what never ran is not charged");
}

#[tokio::test]
async fn a_destroyed_server_is_gone_at_once_and_its_address_later() {
    let world = World::online().await;
    world.post("destroy", json!({})).await;
    let path = format!("/servers/{}", world.server);
    for (method, path) in
        [("GET", path.clone()), ("POST", format!("{path}/start")), ("POST", format!("{path}/destroy"))]
    {
        let reply = world.control.api(method, &path).by(&world.customer).send().await;
        assert_eq!(reply.status.as_u16(), 404, "{method} {path}");
    }
    assert_eq!(world.control.api("GET", "/servers").by(&world.customer).send().await.data(), &json!([]));
    let taken = || async {
        let taken = world.control.app.store.read(|read| {
            let taken = read.lease_taken("public-1", csp_tests::test_control::NOON)?;
            Ok::<_, csp_control::store::StoreError>(taken.len())
        });
        taken.await.unwrap()
    };
    assert_eq!(taken().await, 1, "held: the host has not proved anything");
    world.host.obey().await;
    assert_eq!(taken().await, 1, "resting");
}

#[tokio::test]
async fn a_silent_host_makes_the_status_unknown() {
    let world = World::online().await;
    world.control.clock.advance(91);
    assert_eq!(world.status().await, "Unknown");
    world.host.alive().await;
    assert_eq!(world.status().await, "Online");
}

#[tokio::test]
async fn a_body_with_other_fields_is_refused_by_name() {
    let world = World::online().await;
    for (verb, body, field) in [
        ("start", json!({"force": true}), "force"),
        ("stop", json!({"force": "yes"}), "force"),
        ("destroy", json!({"x": 1}), "x"),
    ] {
        let reply = world.post(verb, body).await;
        assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec![field]), "{verb}");
    }
    assert_eq!(world.status().await, "Online");
}
