//! The same request sent twice, three times, all at once, and to a process that died over it. That every route keeps to
//! it is shown in `isolation/once.rs`.

use std::sync::{
    Arc,
    atomic::{AtomicBool, Ordering},
};

use csp_control::failpoint::{Moment, Watch};
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
    let twins = (0..64).map(|_| {
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

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn twins_of_whatever_kind_have_one_effect_and_one_answer() {
    let control = Arc::new(TestControl::start().await);
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "500").await;
    let ordered = send(&control, &customer, "k", &order("a")).await;
    host.obey().await;
    let server = ordered.data()["uuid"].as_str().unwrap().to_owned();
    let ssh_key = control.ssh_key(customer.account).await;
    let other = json!({"label": "Desktop", "public_key": csp_tests::test_control::OTHER_PUBLIC_KEY});
    for (method, path, body) in [
        ("POST", "/ssh-keys".to_owned(), other),
        ("DELETE", format!("/ssh-keys/{ssh_key}"), json!({})),
        ("POST", format!("/servers/{server}/extend"), json!({})),
        ("POST", format!("/servers/{server}/restart"), json!({})),
        ("POST", format!("/servers/{server}/destroy"), json!({})),
    ] {
        let twins = (0..64).map(|_| {
            let (control, customer, path, body) = (control.clone(), customer.clone(), path.clone(), body.clone());
            tokio::spawn(async move {
                control.api(method, &path).by(&customer).header("idempotency-key", &path).json(&body).send().await
            })
        });
        let mut replies = Vec::new();
        for twin in twins.collect::<Vec<_>>() {
            replies.push(twin.await.unwrap());
        }
        let first: Vec<_> = replies.iter().filter(|reply| reply.header("idempotent-replayed").is_empty()).collect();
        assert_eq!(first.len(), 1, "{method} {path}");
        assert!(replies.iter().all(|reply| reply.status.as_u16() == 200 && reply.text == replies[0].text), "{path}");
    }
    let kinds = |list: &Reply| list.data().as_array().unwrap().iter().map(|x| x["command"].clone()).collect::<Vec<_>>();
    let actions = control.api("GET", "/actions").by(&customer).send().await;
    assert_eq!(kinds(&actions), ["destroy", "restart", "create"]);
    let keys = control.api("GET", "/ssh-keys").by(&customer).send().await;
    assert_eq!(keys.json["total"], json!(1), "one was added and one deleted");
    let spent = control.api("GET", "/transactions").by(&customer).send().await;
    assert_eq!(spent.json["total"], json!(3), "a top-up, an order, an extension");
}

/// Dies at one commit, once it was told to.
struct Death {
    moment: Moment,
    armed: AtomicBool,
    came: tokio::sync::Notify,
}

impl Watch for Death {
    fn dies_at(&self, use_case: &str, moment: Moment) -> bool {
        let dies = self.armed.load(Ordering::SeqCst) && use_case == "api.servers.order.order" && moment == self.moment;
        if dies {
            self.came.notify_one();
        }
        dies
    }
}

#[tokio::test]
async fn a_process_that_dies_between_commit_and_answer_leaves_the_answer_behind() {
    for (moment, replayed) in [(Moment::Before, ""), (Moment::After, "true")] {
        let death = Arc::new(Death { moment, armed: AtomicBool::new(false), came: tokio::sync::Notify::new() });
        let control = TestControl::mortal(death.clone()).await;
        let host = control.host("host-1").await;
        let customer = control.customer("ada", "50").await;
        death.armed.store(true, Ordering::SeqCst);
        let wanted = order("a");
        tokio::select! {
            reply = send(&control, &customer, "order-1", &wanted) => panic!("answered: {}", reply.text),
            () = death.came.notified() => {}
        }
        drop(host);
        let control = control.restarted();
        let first = send(&control, &customer, "order-1", &order("a")).await;
        assert_eq!(first.header("idempotent-replayed"), replayed, "{moment:?}: {}", first.text);
        assert!(first.data()["root_password"].is_string(), "{moment:?}: the only copy of it");
        let again = send(&control, &customer, "order-1", &order("a")).await;
        assert_eq!(again.text, first.text, "{moment:?}");
        let servers = control.api("GET", "/servers").by(&customer).send().await;
        assert_eq!((&servers.json["total"], &servers.data()[0]["uuid"]), (&json!(1), &first.data()["uuid"]));
        let balance = control.api("GET", "/balance").by(&customer).send().await;
        assert_eq!(balance.data()["balance"], json!(43.05), "{moment:?}: paid once");
    }
}

#[tokio::test]
async fn a_refusal_of_whatever_kind_leaves_the_key_free() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let ordered = send(&control, &customer, "k", &order("a")).await;
    let stop = format!("/servers/{}/stop", ordered.data()["uuid"].as_str().unwrap());
    let ask = |path: &str, body: Value| {
        control.api("POST", path).by(&customer).header("idempotency-key", "free").json(&body).send()
    };
    for (path, body, status) in [
        (stop.as_str(), json!({}), 409),
        (stop.as_str(), json!({"force": "yes"}), 422),
        ("/servers/0192f0c1-0000-7000-8000-000000000001/stop", json!({}), 404),
        ("/ssh-keys", json!({"label": "x", "public_key": "no key"}), 422),
    ] {
        let refused = ask(path, body).await;
        assert_eq!(refused.status.as_u16(), status, "{path}: {}", refused.text);
        assert_ne!(refused.code(), "idempotency_key_reused");
    }
    host.obey().await;
    let done = ask(&stop, json!({"force": true})).await;
    assert_eq!((done.status.as_u16(), done.header("idempotent-replayed")), (200, ""), "{}", done.text);
    let other = ask(&stop, json!({})).await;
    assert_eq!((other.status.as_u16(), other.code()), (422, "idempotency_key_reused"), "another body");
}
