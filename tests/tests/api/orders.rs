//! Ordering: what comes of a good order, and that a refused one leaves everything as it was.

use csp_shared::observed::FaultCode;
use csp_tests::test_control::{EXAMPLE_CATALOG, OTHER_PUBLIC_KEY, PUBLIC_KEY, TestControl};
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
        (json!({"promo_code": "NOPE"}), 422, "promo_code_refused", vec!["promo_code"]),
        (json!({"promo_code": "50 %"}), 422, "promo_code_refused", vec!["promo_code"]),
        (json!({"promo_code": "EDGE2"}), 422, "promo_code_refused", vec!["promo_code"]),
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

/// What the host is told of a server.
async fn spec_of(control: &TestControl, server: &Value) -> csp_shared::spec::ServerSpec {
    let server = server.as_str().unwrap().parse().unwrap();
    match control.app.store.read(move |read| read.spec_get(server)).await.unwrap() {
        Some(csp_shared::spec::Desired::Present(spec)) => *spec,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn an_order_brings_its_own_keys_and_user_data_along() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let chosen = control.ssh_key(customer.account).await.to_string();
    let script = "#!/bin/sh\nprintf '%s' \"a\\b\" > /root/said\n";
    let inline = json!([format!("{OTHER_PUBLIC_KEY} ada@desktop"), PUBLIC_KEY, OTHER_PUBLIC_KEY]);
    let order = order_with(&json!({"ssh_key_uuid": chosen, "ssh_keys": inline, "user_data": script}));
    let reply = control.api("POST", "/servers").by(&customer).json(&order).send().await;
    assert_eq!(reply.data().get("root_password"), None, "it has keys");
    let spec = spec_of(&control, &reply.data()["uuid"]).await;
    assert_eq!(spec.login.ssh_keys, [PUBLIC_KEY, OTHER_PUBLIC_KEY], "the chosen one first, each once");
    assert_eq!(spec.login.password_hash, None);
    assert_eq!(spec.user_data.as_ref().map(csp_shared::secret::Secret::reveal), Some(script));
    assert!(!reply.text.contains("/root/said"), "what may hold tokens is in no answer");
    let shown = control.operator("GET", &format!("/servers/{}", spec.server)).send().await;
    assert!(shown.status.is_success() && !shown.text.contains("/root/said"), "{}", shown.text);

    // Gone from the account, not from the server.
    control.api("DELETE", &format!("/ssh-keys/{chosen}")).by(&customer).send().await;
    assert_eq!(spec_of(&control, &reply.data()["uuid"]).await.login.ssh_keys.len(), 2);
    let alone = order_with(&json!({"ssh_keys": [OTHER_PUBLIC_KEY], "user_data": ""}));
    let reply = control.api("POST", "/servers").by(&customer).json(&alone).send().await;
    let spec = spec_of(&control, &reply.data()["uuid"]).await;
    assert_eq!((spec.login.ssh_keys.len(), spec.user_data), (1, None));
    let none = order_with(&json!({"ssh_keys": []}));
    let reply = control.api("POST", "/servers").by(&customer).json(&none).send().await;
    assert!(reply.data()["root_password"].is_string(), "no key at all");
}

#[tokio::test]
async fn a_bad_key_or_user_data_in_an_order_is_named_by_its_place() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let before = control.books().await;
    let table = [
        (json!({"ssh_keys": "ssh-ed25519 AAAA"}), "validation_failed", vec!["ssh_keys"]),
        (json!({"ssh_keys": [PUBLIC_KEY, "ssh-dss AAAA"]}), "invalid_ssh_key", vec!["ssh_keys[1]"]),
        (json!({"ssh_keys": [7, null]}), "validation_failed", vec!["ssh_keys[0]", "ssh_keys[1]"]),
        (json!({"ssh_keys": vec![PUBLIC_KEY; 11]}), "validation_failed", vec!["ssh_keys"]),
        (json!({"user_data": "echo hi"}), "validation_failed", vec!["user_data"]),
        (json!({"user_data": "#include https://example.com"}), "validation_failed", vec!["user_data"]),
        (json!({"user_data": format!("#!/bin/sh\n{}", "a".repeat(16_384))}), "validation_failed", vec!["user_data"]),
        (json!({"user_data": ["#!/bin/sh"]}), "validation_failed", vec!["user_data"]),
    ];
    for (change, code, fields) in table {
        let reply = control.api("POST", "/servers").by(&customer).json(&order_with(&change)).send().await;
        assert_eq!((reply.status.as_u16(), reply.code(), reply.fields()), (422, code, fields), "{change}");
    }
    assert_eq!(control.books().await, before);
}

/// A pool's range that the catalog gives to another pool keeps its holders.
#[tokio::test]
async fn an_address_that_moved_to_another_pool_is_not_leased_twice() {
    let small = EXAMPLE_CATALOG.replace("last = \"203.0.113.250\"", "last = \"203.0.113.11\"");
    let control = TestControl::with_catalog(&small).await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let address = || async {
        let reply = control.api("POST", "/servers").by(&customer).json(&order()).send().await;
        reply.json["data"]["ips"][0]["address"].as_str().map_or(reply.code().to_owned(), str::to_owned)
    };
    assert_eq!(address().await, "203.0.113.10");
    control.apply(&small.replace("slug = \"public-1\"", "slug = \"public-2\"")).await;
    assert_eq!(address().await, "203.0.113.11");
    assert_eq!(address().await, "no_address_available");
}
