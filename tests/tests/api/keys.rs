//! What a key may do, from where and for how long; and that it ends when it is told to.

use csp_control::schedule;
use csp_tests::test_control::{NOON, Reply, TestControl};
use serde_json::{Value, json};

const HOME: &str = "203.0.113.9";
const ELSEWHERE: &str = "198.51.100.1";

async fn balance(control: &TestControl, key: &str, from: &str) -> Reply {
    control.api("GET", "/balance").with_key(key).from(from).send().await
}

#[track_caller]
fn is_refused(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{}", reply.text);
}

#[tokio::test]
async fn a_revoked_key_opens_nothing_from_the_next_request_on() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "5").await;
    let (uuid, key) = control.key(customer.account, &json!({"label": "CI"})).await;
    assert_eq!(balance(&control, &key, HOME).await.status.as_u16(), 200);
    control.revoke(&uuid).await;
    let revoked = balance(&control, &key, HOME).await;
    is_refused(&revoked, 401, "unauthorized");
    control.revoke(&uuid).await;
    assert_eq!(balance(&control, customer.key.reveal(), HOME).await.status.as_u16(), 200, "another key of the account");
    // Whoever holds it learns no more than of a key that never was.
    let never = "csp_live_0000000000000000000000000000000000000000000";
    assert_eq!(balance(&control, never, HOME).await.json["message"], revoked.json["message"]);
    let nobody = control.operator("POST", "/keys/0192f0c1-0000-7000-8000-000000000001/revoke").json(&json!({})).send();
    assert_eq!(nobody.await.status.as_u16(), 404);
}

#[tokio::test]
async fn a_key_opens_until_it_expires() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "5").await;
    let (uuid, key) = control.key(customer.account, &json!({"expires_at": "2026-06-10 12:01:00"})).await;
    control.clock.set(NOON.plus(59));
    assert_eq!(balance(&control, &key, HOME).await.status.as_u16(), 200);
    control.clock.set(NOON.plus(60));
    is_refused(&balance(&control, &key, HOME).await, 401, "unauthorized");
    let list = control.operator("GET", &format!("/accounts/{}/keys", customer.account)).send().await;
    let states: Vec<_> = list.data().as_array().unwrap().iter().map(|key| (&key["uuid"], &key["state"])).collect();
    assert_eq!((states[0].1, states[1]), (&json!("active"), (&json!(uuid), &json!("expired"))));
}

#[tokio::test]
async fn a_key_opens_from_its_networks_alone_and_does_not_tell_them() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "5").await;
    let terms = json!({"networks": ["203.0.113.0/24", "2001:db8:7::/48"]});
    let (_, key) = control.key(customer.account, &terms).await;
    for inside in [HOME, "2001:db8:7::1", "::ffff:203.0.113.77"] {
        assert_eq!(balance(&control, &key, inside).await.status.as_u16(), 200, "{inside}");
    }
    for outside in [ELSEWHERE, "2001:db8:8::1", "::1"] {
        let refused = balance(&control, &key, outside).await;
        is_refused(&refused, 403, "network_not_allowed");
        assert!(refused.text.contains(outside) && !refused.text.contains("203.0.113"), "{}", refused.text);
    }
    let unknown = control.api("GET", "/balance").with_key(&key).send().await;
    is_refused(&unknown, 403, "network_not_allowed");
}

#[tokio::test]
async fn only_a_trusted_proxy_says_who_the_client_is() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "5").await;
    let (_, key) = control.key(customer.account, &json!({"networks": ["203.0.113.0/24"]})).await;
    let ask = async |peer: &str, headers: &[&str]| {
        let send = control.api("GET", "/balance").with_key(&key).from(peer);
        headers.iter().fold(send, |send, value| send.header("x-forwarded-for", value)).send().await.status.as_u16()
    };
    assert_eq!(ask("127.0.0.1", &[HOME]).await, 200);
    assert_eq!(ask("127.0.0.1", &["198.51.100.1, 203.0.113.9"]).await, 200, "what stands left was the client's word");
    for (peer, headers) in [
        (ELSEWHERE, &[HOME] as &[&str]),
        ("127.0.0.1", &["203.0.113.9, 198.51.100.1"]),
        ("127.0.0.1", &["203.0.113.9", "198.51.100.1"]),
        ("127.0.0.1", &[]),
    ] {
        assert_eq!(ask(peer, headers).await, 403, "{peer} {headers:?}");
    }
    for garbage in ["203.0.113.9, ", "203.0.113.9, unknown", "203.0.113.9, \u{e9}", "", "203.0.113.9, 1"] {
        assert_eq!(ask("127.0.0.1", &[garbage]).await, 400, "{garbage:?}");
    }
    // Bound to the proxy's own network, a key is not opened by a client that the proxy could not name.
    let (_, inside) = control.key(customer.account, &json!({"networks": ["127.0.0.0/8"]})).await;
    let send = control.api("GET", "/balance").with_key(&inside).from("127.0.0.1").header("x-forwarded-for", "unknown");
    is_refused(&send.send().await, 400, "bad_request");
    let forwarded =
        control.api("GET", "/balance").with_key(&key).from(ELSEWHERE).header("forwarded", "for=203.0.113.9");
    assert_eq!(forwarded.send().await.status.as_u16(), 403);
}

#[tokio::test]
async fn a_key_that_cannot_be_is_refused_by_field() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "5").await;
    let path = format!("/accounts/{}/keys", customer.account);
    let table = [
        (json!({"scopes": ["read", "admin"]}), "scopes"),
        (json!({"networks": ["203.0.113.7/24"]}), "networks"),
        (json!({"networks": ["everywhere"]}), "networks"),
        (json!({"expires_at": "soon"}), "expires_at"),
        (json!({"expires_at": "2026-06-10 12:00:00"}), "expires_at"),
        (json!({"label": "a\u{202e}b"}), "label"),
        (json!({"label": "a\u{0}b"}), "label"),
    ];
    for (terms, field) in table {
        let reply = control.operator("POST", &path).json(&terms).send().await;
        assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec![field]), "{terms}: {}", reply.text);
    }
    assert_eq!(control.operator("GET", &path).send().await.data().as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn the_last_use_is_known_at_once_and_written_once_a_minute() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "5").await;
    let (uuid, key) = control.key(customer.account, &json!({})).await;
    let shown = async || {
        let list = control.operator("GET", &format!("/accounts/{}/keys", customer.account)).send().await;
        let key = list.data().as_array().unwrap().iter().find(|key| key["uuid"] == json!(uuid)).unwrap().clone();
        (key["last_used_at"].clone(), key["last_used_from"].clone())
    };
    let stored = async || {
        let id = uuid.parse().unwrap();
        let row = control.app.store.read::<_, csp_control::store::StoreError>(move |read| read.api_key_get(id)).await;
        row.unwrap().unwrap().last_used.map(|(at, _)| at.0 - NOON.0)
    };
    let tick = async || {
        let app = &control.app;
        schedule::tick(&app.store, &*app.entropy, &app.key_uses, app.now()).await.unwrap();
    };
    assert_eq!(shown().await, (Value::Null, Value::Null));
    balance(&control, &key, HOME).await;
    assert_eq!(shown().await, (json!("2026-06-10 12:00:00"), json!(HOME)));
    assert_eq!(stored().await, None);
    tick().await;
    assert_eq!(stored().await, Some(0));
    control.clock.set(NOON.plus(30));
    balance(&control, &key, ELSEWHERE).await;
    tick().await;
    assert_eq!(stored().await, Some(0), "written half a minute ago");
    control.clock.set(NOON.plus(60));
    tick().await;
    assert_eq!(stored().await, Some(30));
    assert_eq!(shown().await, (json!("2026-06-10 12:00:30"), json!(ELSEWHERE)));
}

#[tokio::test]
async fn an_account_shows_its_limits_and_the_key_in_use() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "42.50").await;
    let terms =
        json!({"label": "Terraform", "scopes": ["read"], "networks": ["203.0.113.0/24"], "expires_at": "2027-01-01"});
    let (uuid, key) = control.key(customer.account, &terms).await;
    control.ssh_key(customer.account).await;
    let reply = control.api("GET", "/account").with_key(&key).from(HOME).send().await;
    let account = reply.data();
    assert_eq!(account["uuid"], json!(customer.account.to_string()));
    assert_eq!(
        (&account["name"], &account["email"], &account["currency"]),
        (&json!("ada"), &Value::Null, &json!("USD"))
    );
    assert!(reply.text.contains("\"balance\":42.50,"), "{}", reply.text);
    assert_eq!(account["limits"]["servers"], json!({"max": 25, "used": 0}));
    assert_eq!(account["limits"]["ssh_keys"], json!({"max": 100, "used": 1}));
    assert_eq!(account["limits"]["api_keys"], json!({"max": 50, "used": 2}));
    assert_eq!(account["limits"].as_object().unwrap().len(), 5);
    let shown = &account["key"];
    assert_eq!(
        (&shown["uuid"], &shown["label"], &shown["scopes"]),
        (&json!(uuid), &json!("Terraform"), &json!(["read"]))
    );
    assert_eq!((&shown["expires_at"], &shown["networks"]), (&json!("2027-01-01 00:00:00"), &json!(["203.0.113.0/24"])));
    assert_eq!(shown["last_used_at"], Value::Null, "never before");
    let preview = shown["preview"].as_str().unwrap();
    assert!(preview.starts_with("csp_live_") && !reply.text.contains(&key), "{preview}");
    let billing = control.key(customer.account, &json!({"scopes": ["billing"]})).await.1;
    is_refused(&control.api("GET", "/account").with_key(&billing).send().await, 403, "insufficient_scope");
}
