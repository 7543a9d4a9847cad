//! `?dry_run=true`: the answer is what the request would cost or be refused with, and nothing comes of it.

use std::collections::BTreeSet;

use csp_control::{api::document, domain::scope::Scope};
use csp_tests::test_control::{TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};

fn order() -> Value {
    json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1"})
}

async fn scene(dollars: &str) -> (TestControl, TestHost, TestCustomer) {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", dollars).await;
    (control, host, customer)
}

/// All that a customer can see of the account.
async fn seen(control: &TestControl, customer: &TestCustomer) -> Vec<String> {
    let mut seen = Vec::new();
    for path in ["/balance", "/transactions", "/servers", "/packages", "/locations", "/statements"] {
        seen.push(control.api("GET", path).by(customer).header("x-request-id", "same").send().await.text);
    }
    seen
}

#[test]
fn every_change_that_costs_can_be_tried() {
    let document = serde_json::to_value(document::document()).unwrap();
    let costs =
        |row: &document::Row| row.needs.iter().any(|all| all.contains(&Scope::Write) && all.contains(&Scope::Billing));
    let rows: Vec<document::Row> = document::rows().into_iter().filter(costs).collect();
    assert!(rows.len() >= 2, "{rows:?}");
    for row in rows {
        let operation = &document["paths"][&row.path][row.method.to_lowercase()];
        let names: BTreeSet<&str> = operation["parameters"]
            .as_array()
            .unwrap()
            .iter()
            .filter_map(|parameter| parameter["name"].as_str())
            .collect();
        assert!(names.contains("dry_run"), "{} {} spends and cannot be tried", row.method, row.path);
        let tried = &operation["responses"]["200"]["content"]["application/json"]["schema"]["oneOf"][1]["properties"];
        assert_eq!(tried["data"]["$ref"], "#/components/schemas/Quote", "{} {}", row.method, row.path);
    }
}

#[tokio::test]
async fn an_order_that_is_tried_tells_its_price_and_leaves_no_trace() {
    let (control, host, ada) = scene("50").await;
    let before = (control.books().await, seen(&control, &ada).await);
    let send = || control.api("POST", "/servers?dry_run=true").by(&ada).header("idempotency-key", "one").json(&order());
    let tried = send().send().await;
    let quote = tried.data();
    assert_eq!(quote["dry_run"], true);
    assert_eq!(quote["lines"].as_array().unwrap().len(), 1);
    let line = &quote["lines"][0];
    assert_eq!((&line["item"], &line["from"], &line["until"]), (&json!("package"), &Value::Null, &Value::Null));
    assert!(
        tried.text.contains(r#""total":6.95,"credit":0.00,"balance":50.00,"balance_after":43.05"#),
        "{}",
        tried.text
    );
    assert!(
        !tried.text.contains("root_password") && !tried.text.contains("uuid\":\""),
        "no secret, no id: {}",
        tried.text
    );
    assert_eq!(send().send().await.json, tried.json, "tried again, the same comes of it");
    assert_eq!((control.books().await, seen(&control, &ada).await), before);
    host.obey().await;
    let done = control.api("POST", "/servers").by(&ada).header("idempotency-key", "one").json(&order()).send().await;
    assert_eq!(done.header("idempotent-replayed"), "", "the key was not used up");
    assert_eq!(done.data()["service_status"], "provisioning");
    let balance = control.api("GET", "/balance").by(&ada).send().await;
    assert!(balance.text.contains("43.05"), "as was told: {}", balance.text);
    let events = control.app.store.read(move |read| read.event_list(ada.account, 0, 100)).await.unwrap();
    let positions: Vec<u64> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=positions.len() as u64).collect::<Vec<_>>(), "no position is skipped");
}

#[tokio::test]
async fn an_extension_that_is_tried_tells_each_month() {
    let (control, host, ada) = scene("50").await;
    let ordered = control.api("POST", "/servers").by(&ada).json(&order()).send().await;
    let path = format!("/servers/{}/extend", ordered.data()["uuid"].as_str().unwrap());
    host.obey().await;
    let before = (control.books().await, seen(&control, &ada).await);
    let tried = control.api("POST", &format!("{path}?dry_run=true")).by(&ada).json(&json!({"months": 2})).send().await;
    let lines = tried.data()["lines"].as_array().unwrap();
    let times: Vec<_> =
        lines.iter().map(|line| (line["from"].as_str().unwrap(), line["until"].as_str().unwrap())).collect();
    assert_eq!(times, [("2026-07-10 12:00:00", "2026-08-10 12:00:00"), ("2026-08-10 12:00:00", "2026-09-10 12:00:00")]);
    assert!(
        tried.text.contains(r#""total":13.90,"credit":0.00,"balance":43.05,"balance_after":29.15"#),
        "{}",
        tried.text
    );
    assert_eq!((control.books().await, seen(&control, &ada).await), before);
    let done = control.api("POST", &path).by(&ada).json(&json!({"months": 2})).send().await;
    assert!(done.text.contains(r#""charged":13.90"#) && done.text.contains(r#""balance":29.15"#), "{}", done.text);
}

#[tokio::test]
async fn what_would_be_refused_is_refused_in_the_same_words() {
    let (control, _, poor) = scene("1").await;
    let mut bad = order();
    bad["hostname"] = json!("-");
    for body in [order(), bad] {
        let send = |path: &str| control.api("POST", path).by(&poor).header("x-request-id", "same").json(&body);
        let (tried, done) = (send("/servers?dry_run=true").send().await, send("/servers").send().await);
        assert_eq!((tried.status, &tried.text), (done.status, &done.text));
        assert!(!tried.status.is_success());
    }
    let (_, key) = control.key(poor.account, &json!({"scopes": ["read", "write"]})).await;
    let reply = control.api("POST", "/servers?dry_run=true").with_key(&key).json(&order()).send().await;
    assert_eq!(
        (reply.status.as_u16(), reply.code()),
        (403, "insufficient_scope"),
        "a trial needs the request's own scopes"
    );
}

#[tokio::test]
async fn a_change_never_passes_over_a_query_that_it_does_not_know() {
    let (control, host, ada) = scene("50").await;
    let ordered = control.api("POST", "/servers").by(&ada).json(&order()).send().await;
    let server = ordered.data()["uuid"].as_str().unwrap().to_owned();
    host.obey().await;
    let before = control.books().await;
    for (method, path) in [
        ("POST", format!("/servers/{server}/destroy?dry_run=true")),
        ("POST", format!("/servers/{server}/stop?dry_run=true")),
        ("PATCH", format!("/servers/{server}?dry_run")),
        ("POST", "/servers?dryrun=true".to_owned()),
        ("POST", "/servers?dry_run=yes".to_owned()),
        ("POST", "/servers?dry_run".to_owned()),
        ("POST", format!("/servers/{server}/extend?dry_run=")),
        ("POST", "/servers?dry_run=true&dry_run=false".to_owned()),
        ("POST", format!("/servers/{server}/extend?dry-run=true")),
    ] {
        let body = if path.starts_with("/servers?") { order() } else { json!({}) };
        let reply = control.api(method, &path).by(&ada).json(&body).send().await;
        assert_eq!(
            (reply.status.as_u16(), reply.code()),
            (422, "validation_failed"),
            "{method} {path}: {}",
            reply.text
        );
        assert!(reply.fields()[0].starts_with("dry"), "{method} {path}: {}", reply.text);
    }
    assert_eq!(control.books().await, before);
    let plain = control.api("POST", "/servers?dry_run=false").by(&ada).json(&order()).send().await;
    assert_eq!(plain.data()["service_status"], "provisioning", "false is as good as nothing");
}

/// Every route that spends, by a customer who cannot pay: the refusal tells what is missing, and nothing is changed.
#[tokio::test]
async fn who_cannot_pay_is_told_so_by_every_request_that_costs() {
    // For two servers, a month more of the second, and an address of the first: moved, it costs two months there.
    let (control, host, ada) = scene("22.85").await;
    let uuid = async |path: &str, body: &Value| {
        let made = control.api("POST", path).by(&ada).json(body).send().await;
        host.obey().await;
        made.data()["uuid"].as_str().unwrap_or_default().to_owned()
    };
    let (server, other) = (uuid("/servers", &order()).await, uuid("/servers", &order()).await);
    let ip = uuid(&format!("/servers/{server}/extra-ips"), &json!({})).await;
    uuid(&format!("/servers/{other}/extend"), &json!({})).await;
    let before = control.books().await;
    let mut tried = 0;
    for row in document::rows() {
        if !row.needs.iter().any(|all| all.contains(&Scope::Write) && all.contains(&Scope::Billing)) {
            continue;
        }
        let body = match row.path.as_str() {
            "/servers" => order(),
            "/servers/{uuid}/extend" => json!({}),
            "/servers/{uuid}/change-package" => json!({"package_slug": "edge"}),
            "/servers/{uuid}/extra-ips" => json!({}),
            "/servers/{uuid}/extra-ips/{ip_uuid}/move" => json!({"target_server_uuid": other}),
            other => panic!("{other} costs: say what is sent to it"),
        };
        for query in ["", "?dry_run=true"] {
            let path = format!("{}{query}", row.path.replace("{uuid}", &server).replace("{ip_uuid}", &ip));
            let reply = control.api(row.method, &path).by(&ada).json(&body).send().await;
            assert_eq!((reply.status.as_u16(), reply.code()), (402, "insufficient_balance"), "{path}: {}", reply.text);
            assert_eq!(reply.json["error"]["retryable"], true, "{path}");
            let message = reply.json["message"].as_str().unwrap();
            assert!(message.contains("USD") && message.contains("short"), "{path}: {message}");
            tried += 1;
        }
    }
    assert_eq!(tried, 10);
    assert_eq!(control.books().await, before);
}
