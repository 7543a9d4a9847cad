//! Ordering: what comes of a good order, and that a refused one leaves everything as it was.

use csp_shared::observed::FaultCode;
use csp_tests::test_control::{EXAMPLE_CATALOG, TestControl};
use serde_json::{Value, json};

fn order() -> Value {
    json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "web1.example.com"})
}

/// The order with some fields set, or taken out by null.
fn order_with(change: &Value) -> Value {
    let mut order = order();
    for (name, value) in change.as_object().unwrap() {
        order[name] = value.clone();
    }
    order
}

#[tokio::test]
async fn an_order_is_paid_placed_and_shown_in_one_answer() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "42.50").await;
    let reply = control.api("POST", "/servers").by(&customer).json(&order()).send().await;
    let data = reply.data();
    assert_eq!(reply.json["message"], json!("Service ordered and queued for provisioning."));
    assert_eq!((&data["service_status"], &data["status"]), (&json!("provisioning"), &json!("Provisioning")));
    assert_eq!(data["root_password"].as_str().map(str::len), Some(20));
    assert_eq!(data["ips"][0]["address"], json!("203.0.113.10"));
    assert_eq!((&data["billing_date"], &data["metrics"]), (&Value::Null, &Value::Null));
    assert_eq!(data["action"]["command"], json!("create"));

    let path = format!("/servers/{}", data["uuid"].as_str().unwrap());
    host.obey().await;
    let shown = control.api("GET", &path).by(&customer).send().await;
    let data = shown.data();
    assert_eq!((&data["service_status"], &data["status"]), (&json!("active"), &json!("Online")));
    assert_eq!(data["billing_date"], json!("2026-07-10 12:00:00"), "a month from the first Online");
    assert_eq!(data["renewal"]["total"], json!(6.95));
    assert_eq!(data.get("root_password"), None, "a password is shown once");
    assert_eq!(data["action"], Value::Null);

    let wallet = control.api("GET", "/transactions").by(&customer).send().await;
    assert_eq!(wallet.json["total"], json!(2));
    let newest = &wallet.data()[0];
    assert_eq!((&newest["type"], &newest["amount"]), (&json!("debit"), &json!(6.95)));
    assert_eq!(newest["balance_after"], json!(35.55));
}

#[tokio::test]
async fn an_order_with_a_key_has_no_password() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let key = control.ssh_key(customer.account).await;
    let order = order_with(&json!({"ssh_key_uuid": key.to_string(), "promo_code": "", "location": null}));
    let reply = control.api("POST", "/servers").by(&customer).json(&order).send().await;
    assert_eq!(reply.data().get("root_password"), None);
}

#[tokio::test]
async fn each_refusal_has_its_code_names_its_field_and_changes_nothing() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let (rich, poor) = (control.customer("rich", "5000").await, control.customer("poor", "6.94").await);
    let other_key = control.ssh_key(poor.account).await.to_string();
    let before = control.books().await;
    let table = [
        (json!({"package_slug": "gone"}), 422, "package_not_found", vec!["package_slug"]),
        (json!({"package_slug": "dedicated-16"}), 422, "package_not_found", vec!["package_slug"]),
        (json!({"type": "dedicated"}), 422, "package_not_found", vec!["package_slug"]),
        (json!({"os_image_key": "windows"}), 422, "image_not_found", vec!["os_image_key"]),
        (json!({"hostname": "-web"}), 422, "invalid_hostname", vec!["hostname"]),
        (json!({"hostname": "10.0.0.1"}), 422, "invalid_hostname", vec!["hostname"]),
        (json!({"hostname": "a\u{202e}b"}), 422, "invalid_hostname", vec!["hostname"]),
        (json!({"hostname": "<script>"}), 422, "invalid_hostname", vec!["hostname"]),
        (json!({"hostname": "a\u{0}b"}), 422, "validation_failed", vec!["hostname"]),
        (json!({"hostname": null}), 422, "validation_failed", vec!["hostname"]),
        (json!({"hostname": 7}), 422, "validation_failed", vec!["hostname"]),
        (json!({"ssh_key_uuid": other_key}), 422, "ssh_key_not_found", vec!["ssh_key_uuid"]),
        (json!({"ssh_key_uuid": "laptop"}), 422, "ssh_key_not_found", vec!["ssh_key_uuid"]),
        (json!({"location": "mars"}), 422, "location_not_found", vec!["location"]),
        (json!({"promo_code": "WELCOME"}), 422, "not_available_yet", vec!["promo_code"]),
        (json!({"create_management_link": true}), 422, "not_available_yet", vec!["create_management_link"]),
        (json!({"create_management_link": "yes"}), 422, "validation_failed", vec!["create_management_link"]),
        (json!({"type": "cloud", "colour": "red"}), 422, "validation_failed", vec!["colour", "type"]),
    ];
    for (change, status, code, fields) in table {
        let reply = control.api("POST", "/servers").by(&rich).json(&order_with(&change)).send().await;
        assert_eq!((reply.status.as_u16(), reply.code(), reply.fields()), (status, code, fields), "{change}");
    }
    let reply = control.api("POST", "/servers").by(&poor).json(&order()).send().await;
    assert_eq!((reply.status.as_u16(), reply.code()), (402, "insufficient_balance"));
    assert!(reply.text.contains("0.01 USD short"), "{}", reply.text);
    assert_eq!(reply.json["error"]["retryable"], json!(true));
    assert_eq!(control.books().await, before);
}

#[tokio::test]
async fn no_room_and_no_address_are_told_apart_and_charge_nothing() {
    let one_address = EXAMPLE_CATALOG.replace("last = \"203.0.113.250\"", "last = \"203.0.113.10\"");
    let control = TestControl::with_catalog(&one_address).await;
    let customer = control.customer("ada", "5000").await;
    let nobody = control.api("POST", "/servers").by(&customer).json(&order()).send().await;
    assert_eq!((nobody.status.as_u16(), nobody.code()), (409, "no_capacity"), "there is no host");

    let _host = control.host("host-1").await;
    let first = control.api("POST", "/servers").by(&customer).json(&order()).send().await;
    assert!(first.data()["uuid"].is_string());
    let before = control.books().await;
    let second = control.api("POST", "/servers").by(&customer).json(&order()).send().await;
    assert_eq!((second.status.as_u16(), second.code()), (409, "no_address_available"));
    let dedicated = order_with(&json!({"type": "dedicated", "package_slug": "dedicated-16"}));
    let third = control.api("POST", "/servers").by(&customer).json(&dedicated).send().await;
    assert_eq!((third.status.as_u16(), third.code()), (409, "no_capacity"), "no host of that class");
    assert_eq!(control.books().await, before);
}

#[tokio::test]
async fn a_host_that_is_not_heard_of_gets_no_orders() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    control.clock.advance(91);
    let silent = control.api("POST", "/servers").by(&customer).json(&order()).send().await;
    assert_eq!(silent.code(), "no_capacity");
    host.alive().await;
    let heard = control.api("POST", "/servers").by(&customer).json(&order()).send().await;
    assert_eq!(heard.status.as_u16(), 200, "{}", heard.text);
}

#[tokio::test]
async fn a_failed_order_gives_the_money_back_and_says_why() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "42.50").await;
    let ordered = control.api("POST", "/servers").by(&customer).json(&order()).send().await;
    let path = format!("/servers/{}", ordered.data()["uuid"].as_str().unwrap());
    host.fail(FaultCode::ImageChecksum).await;
    let shown = control.api("GET", &path).by(&customer).send().await;
    assert_eq!((&shown.data()["service_status"], &shown.data()["status"]), (&json!("failed"), &json!("Failed")));
    assert!(shown.data()["failure"]["code"].is_string(), "{}", shown.text);
    assert!(!shown.text.contains("for a test"), "what a host says of itself is not for customers");
    let balance = control.api("GET", "/balance").by(&customer).send().await;
    assert_eq!(balance.data()["balance"], json!(42.5));
    let wallet = control.api("GET", "/transactions").by(&customer).send().await;
    assert_eq!(wallet.json["total"], json!(3));
}

#[tokio::test]
async fn two_orders_of_a_dedicated_host_cannot_both_have_it() {
    let control = TestControl::start().await;
    let _host = control.dedicated_host("metal-1").await;
    let customer = control.customer("ada", "1000").await;
    let order = order_with(&json!({"type": "dedicated", "package_slug": "dedicated-16"}));
    let send = || control.api("POST", "/servers").by(&customer).json(&order).send();
    let (one, two) = tokio::join!(send(), send());
    let mut statuses = [one.status.as_u16(), two.status.as_u16()];
    statuses.sort_unstable();
    assert_eq!(statuses, [200, 409]);
}
