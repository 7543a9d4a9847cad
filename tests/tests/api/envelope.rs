//! Whatever goes wrong, the answer has one shape, an id, and no secret.

use csp_tests::test_control::{Reply, TestControl};
use serde_json::{Value, json};

/// What every refusal has.
#[track_caller]
fn is_refusal(reply: &Reply, status: u16, code: &str) {
    assert_eq!((reply.status.as_u16(), reply.code()), (status, code), "{}", reply.text);
    assert_eq!(reply.json["ok"], json!(false));
    assert_eq!(reply.json["message"], reply.json["error"]["message"]);
    assert!(reply.json["message"].as_str().is_some_and(|message| !message.is_empty()));
    assert!(reply.json["error"]["retryable"].is_boolean() && reply.json["error"]["details"]["fields"].is_array());
    assert_eq!(reply.json["error"]["request_id"].as_str(), Some(reply.header("x-request-id")));
    assert_eq!((reply.header("content-type"), reply.header("cache-control")), ("application/json", "no-store"));
}

#[tokio::test]
async fn every_kind_of_bad_request_is_answered_in_the_envelope() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "50").await;
    let before = control.books().await;
    let json = "application/json";
    let post = |kind: &str, body: &[u8]| {
        let send = control.api("POST", "/servers").by(&customer).body(body);
        if kind.is_empty() { send } else { send.header("content-type", kind) }
    };
    let large = vec![b' '; 65 * 1024];
    let deep = "[".repeat(100_000 / 2);
    let table = [
        ("no such path", control.api("GET", "/nothing").by(&customer), 404, "not_found"),
        ("no such path at all", control.raw("GET", "/"), 404, "not_found"),
        ("path that is no UTF-8", control.api("GET", "/servers/%ff%fe").by(&customer), 404, "not_found"),
        ("package that is no UTF-8", control.api("GET", "/packages/%ff").by(&customer), 404, "not_found"),
        ("wrong method", control.api("DELETE", "/balance").by(&customer), 405, "method_not_allowed"),
        ("method of nobody", control.api("BREW", "/servers").by(&customer), 405, "method_not_allowed"),
        ("no JSON", post(json, b"{"), 400, "malformed_json"),
        ("bad UTF-8", post(json, b"{\"hostname\":\"\xc3\x28\"}"), 400, "malformed_json"),
        ("deep JSON", post(json, deep.as_bytes()), 400, "malformed_json"),
        ("a key twice", post(json, b"{\"type\":\"vps\",\"type\":\"vps\"}"), 400, "malformed_json"),
        ("no object", post(json, b"[]"), 422, "validation_failed"),
        ("a form", post("application/x-www-form-urlencoded", b"type=vps"), 415, "unsupported_media_type"),
        ("no type", post("", b"{}"), 415, "unsupported_media_type"),
        ("too long", post(json, &large), 413, "payload_too_large"),
        ("no number", control.api("GET", "/transactions?limit=ten").by(&customer), 422, "validation_failed"),
        ("unknown in query", control.api("GET", "/servers?colour=red").by(&customer), 422, "validation_failed"),
        ("twice in query", control.api("GET", "/servers?limit=1&limit=2").by(&customer), 422, "validation_failed"),
    ];
    for (name, send, status, code) in table {
        let reply = send.send().await;
        println!("{name}");
        is_refusal(&reply, status, code);
    }
    assert_eq!(control.books().await, before);
}

#[tokio::test]
async fn a_wrong_method_is_told_the_right_ones() {
    let control = TestControl::start().await;
    let reply = control.api("PUT", "/servers").send().await;
    let allow = reply.header("allow");
    assert!(allow.contains("GET") && allow.contains("POST"), "{allow}");
}

#[tokio::test]
async fn a_request_id_is_echoed_when_it_is_one_and_made_when_it_is_not() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    let echoed = control.api("GET", "/balance").by(&customer).header("x-request-id", "order-17.a_B").send().await;
    assert_eq!(echoed.header("x-request-id"), "order-17.a_B");
    for bad in ["a b", "<script>", &"a".repeat(129), ""] {
        let reply = control.api("GET", "/balance").by(&customer).header("x-request-id", bad).send().await;
        let id = reply.header("x-request-id");
        assert!(id != bad && id.len() == 36, "{bad}: {id}");
    }
}

#[tokio::test]
async fn answers_are_not_to_be_cached_and_money_is_exact() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "42.50").await;
    let reply = control.api("GET", "/balance").by(&customer).send().await;
    assert_eq!(reply.header("cache-control"), "no-store");
    assert!(reply.text.contains("\"balance\":42.50,"), "{}", reply.text);
    assert_eq!(reply.data()["currency"], Value::from("USD"));
}
