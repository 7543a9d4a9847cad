//! The same request sent twice, three times, and all at once.

use csp_tests::test_control::{Reply, TestControl, TestCustomer};
use serde_json::{Value, json};

fn order(hostname: &str) -> Value {
    json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": hostname})
}

async fn send(control: &TestControl, customer: &TestCustomer, key: &str, body: &Value) -> Reply {
    control.api("POST", "/servers").by(customer).header("idempotency-key", key).json(body).send().await
}

#[tokio::test]
async fn a_repeated_order_is_answered_with_the_first_answer_password_included() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let first = send(&control, &customer, "order-1", &order("a")).await;
    assert!(first.data()["root_password"].is_string());
    assert_eq!(first.header("idempotent-replayed"), "");
    let after_one = control.books().await;
    let again = send(&control, &customer, "order-1", &order("a")).await;
    assert_eq!(again.text, first.text);
    assert_eq!(again.header("idempotent-replayed"), "true");
    assert_eq!(control.books().await, after_one);
}

#[tokio::test]
async fn another_spelling_is_the_same_request_and_another_body_is_refused() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let first = send(&control, &customer, "k", &order("a")).await;
    let spelled = r#"{ "hostname":"\u0061", "type":"vps","os_image_key":"debian-12","package_slug":"starter" }"#;
    let again = control.api("POST", "/servers").by(&customer).header("idempotency-key", "k");
    let again = again.header("content-type", "application/json").body(spelled).send().await;
    assert_eq!(again.text, first.text);
    let before = control.books().await;
    let other = send(&control, &customer, "k", &order("b")).await;
    assert_eq!((other.status.as_u16(), other.code()), (422, "idempotency_key_reused"));
    assert_eq!(control.books().await, before);
}

#[tokio::test]
async fn a_refusal_is_not_kept() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "1").await;
    assert_eq!(send(&control, &customer, "k", &order("a")).await.status.as_u16(), 402);
    control.top_up(customer.account, "20", "more").await;
    assert_eq!(send(&control, &customer, "k", &order("a")).await.status.as_u16(), 200);
}

#[tokio::test]
async fn keys_of_different_customers_do_not_meet() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let (ada, eve) = (control.customer("ada", "50").await, control.customer("eve", "50").await);
    let (one, two) = (send(&control, &ada, "k", &order("a")).await, send(&control, &eve, "k", &order("a")).await);
    assert_ne!(one.data()["uuid"], two.data()["uuid"]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twins_that_arrive_together_order_once() {
    let control = std::sync::Arc::new(TestControl::start().await);
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "500").await;
    let twins = (0..16).map(|_| {
        let (control, customer) = (control.clone(), customer.clone());
        tokio::spawn(async move { send(&control, &customer, "twins", &order("a")).await })
    });
    let mut bodies = Vec::new();
    for twin in twins.collect::<Vec<_>>() {
        let reply = twin.await.unwrap();
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
        bodies.push(reply.text);
    }
    assert!(bodies.iter().all(|body| *body == bodies[0]));
    let servers = control.api("GET", "/servers").by(&customer).send().await;
    assert_eq!(servers.json["total"], json!(1));
    let balance = control.api("GET", "/balance").by(&customer).send().await;
    assert_eq!(balance.data()["balance"], json!(493.05));
}

#[tokio::test]
async fn an_answer_is_kept_for_a_day() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let first = send(&control, &customer, "k", &order("a")).await;
    control.clock.advance(86_399);
    host.alive().await;
    assert_eq!(send(&control, &customer, "k", &order("a")).await.text, first.text);
    control.clock.advance(2);
    assert_ne!(send(&control, &customer, "k", &order("a")).await.text, first.text);
}

#[tokio::test]
async fn a_destroy_is_answered_again_although_the_server_is_gone() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let ordered = send(&control, &customer, "k", &order("a")).await;
    let path = format!("/servers/{}/destroy", ordered.data()["uuid"].as_str().unwrap());
    for _ in 0..2 {
        let reply = control.api("POST", &path).by(&customer).header("idempotency-key", "d").send().await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
    }
    let without = control.api("POST", &path).by(&customer).send().await;
    assert_eq!(without.status.as_u16(), 404);
}

#[tokio::test]
async fn a_stored_answer_is_unreadable_in_the_database() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let reply = send(&control, &customer, "my-plain-idempotency-key", &order("a")).await;
    let password = reply.data()["root_password"].as_str().unwrap().to_owned();
    let mut files = 0;
    for entry in std::fs::read_dir(control.folder()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        for secret in [password.as_str(), customer.key.reveal(), "my-plain-idempotency-key"] {
            assert!(!bytes.windows(secret.len()).any(|window| window == secret.as_bytes()), "{secret}");
        }
        files += 1;
    }
    assert!(files >= 2, "database and log were looked at");
}
