//! How many of each thing an account may have: counted where it is added, told by number, and the operator's to change.

use csp_tests::test_control::{Reply, TestControl, TestCustomer};
use serde_json::{Value, json};

const NOBODY: &str = "0192f0c1-0000-7000-8000-000000000001";

async fn order(control: &TestControl, customer: &TestCustomer, hostname: &str) -> Reply {
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": hostname});
    control.api("POST", "/servers").by(customer).json(&order).send().await
}

async fn set(control: &TestControl, account: &str, limits: &Value) -> Reply {
    let path = format!("/accounts/{account}/limits");
    control.operator("POST", &path).json(&json!({"limits": limits})).send().await
}

#[track_caller]
fn went_well(reply: &Reply) {
    assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
}

#[track_caller]
fn is_at_limit(reply: &Reply, name: &str, max: u32) {
    assert_eq!((reply.status.as_u16(), reply.code()), (409, "limit_reached"), "{}", reply.text);
    assert_eq!(reply.json["error"]["details"]["limit"], json!({"name": name, "max": max}));
    let words = if max == 0 { "may have no ".to_owned() } else { format!("at most {max} ") };
    assert!(reply.json["message"].as_str().unwrap().contains(&words), "{}", reply.text);
}

#[tokio::test]
async fn the_server_above_the_limit_is_refused_and_costs_nothing() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let account = customer.account.to_string();
    went_well(&set(&control, &account, &json!({"servers": 1})).await);
    let first = order(&control, &customer, "a").await;
    let path = format!("/servers/{}", first.data()["uuid"].as_str().unwrap());
    let before = control.books().await;
    is_at_limit(&order(&control, &customer, "b").await, "servers", 1);
    assert_eq!(control.books().await, before);

    // A destroyed one counts no more; one more is one more to another account.
    host.obey().await;
    went_well(&control.api("POST", &format!("{path}/destroy")).by(&customer).send().await);
    went_well(&order(&control, &customer, "b").await);
    is_at_limit(&order(&control, &customer, "c").await, "servers", 1);
    let other = control.customer("eve", "50").await;
    went_well(&order(&control, &other, "c").await);

    went_well(&set(&control, &account, &json!({"servers": "usual"})).await);
    went_well(&order(&control, &customer, "c").await);
}

#[tokio::test]
async fn two_orders_at_once_do_not_share_the_last_place() {
    let control = TestControl::start().await;
    control.host("host-1").await;
    let customer = control.customer("ada", "500").await;
    went_well(&set(&control, &customer.account.to_string(), &json!({"servers": 2})).await);
    let orders = (0..8).map(|number| {
        let (control, customer) = (&control, &customer);
        async move { order(control, customer, &format!("s{number}")).await.status.as_u16() }
    });
    let statuses = futures_util::future::join_all(orders).await;
    assert_eq!(statuses.iter().filter(|status| **status == 200).count(), 2, "{statuses:?}");
}

#[tokio::test]
async fn keys_have_limits_too() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    let account = customer.account.to_string();
    went_well(&set(&control, &account, &json!({"ssh_keys": 0, "api_keys": 1})).await);
    let public_key = csp_tests::test_control::PUBLIC_KEY;
    let ssh_key = json!({"label": "a", "public_key": public_key});
    let refused = control.operator("POST", &format!("/accounts/{account}/ssh-keys")).json(&ssh_key).send().await;
    is_at_limit(&refused, "ssh_keys", 0);
    let refused = control.operator("POST", &format!("/accounts/{account}/keys")).json(&json!({})).send().await;
    is_at_limit(&refused, "api_keys", 1);
}

#[tokio::test]
async fn the_operator_sees_and_sets_each_limit() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    let account = customer.account.to_string();
    let show = control.operator("GET", &format!("/accounts/{account}/limits")).send().await;
    let names: Vec<_> = show.data().as_array().unwrap().iter().map(|limit| limit["name"].clone()).collect();
    assert_eq!(names, ["servers", "share_links", "private_networks", "ssh_keys", "api_keys"]);
    assert_eq!(show.data()[4], json!({"name": "api_keys", "max": 50, "used": 1}));
    let changed = set(&control, &account, &json!({"servers": 3, "share_links": 0})).await;
    assert_eq!((&changed.data()[0]["max"], &changed.data()[1]["max"]), (&json!(3), &json!(0)));
    assert_eq!(changed.data()[3], show.data()[3], "the others stay");
    for (account, limits, status) in [
        (account.as_str(), json!({"boats": 1}), 422),
        (&account, json!({"servers": -1}), 422),
        (&account, json!({"servers": "none"}), 422),
        (&account, json!({"servers": 4_294_967_296_u64}), 422),
        (NOBODY, json!({"servers": 1}), 404),
    ] {
        assert_eq!(set(&control, account, &limits).await.status.as_u16(), status, "{limits}");
    }
    assert_eq!(control.operator("GET", &format!("/accounts/{NOBODY}/limits")).send().await.status.as_u16(), 404);
}
