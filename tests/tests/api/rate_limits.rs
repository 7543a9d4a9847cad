//! Too many requests are told so, by key and by address, and nobody is locked out by somebody else.

use std::num::NonZeroU32;

use csp_tests::test_control::{Reply, TestControl};
use serde_json::json;

const HOME: &str = "203.0.113.9";
const ELSEWHERE: &str = "198.51.100.1";
const WRONG: &str = "csp_live_0000000000000000000000000000000000000000000";

/// A control plane that allows so many requests a minute: by key, by address, and failed.
async fn allowing(key: u32, address: u32, failed: u32) -> TestControl {
    let number = |number| NonZeroU32::new(number).unwrap();
    TestControl::with_settings(|settings| {
        settings.rate_limits.key_per_minute = number(key);
        settings.rate_limits.address_per_minute = number(address);
        settings.rate_limits.failed_sign_ins_per_minute = number(failed);
    })
    .await
}

async fn ask(control: &TestControl, key: &str, from: &str) -> Reply {
    control.api("GET", "/balance").with_key(key).from(from).send().await
}

#[track_caller]
fn is_too_many(reply: &Reply, limit: u32, retry_after: &str) {
    assert_eq!((reply.status.as_u16(), reply.code()), (429, "rate_limited"), "{}", reply.text);
    assert_eq!(reply.json["error"]["retryable"], json!(true));
    assert_eq!(reply.header("retry-after"), retry_after);
    assert_eq!((reply.header("ratelimit-limit"), reply.header("ratelimit-remaining")), (&*limit.to_string(), "0"));
}

#[tokio::test]
async fn a_key_has_its_requests_a_minute_and_gets_them_back_with_time() {
    let control = allowing(6, 1000, 10).await;
    let customer = control.customer("ada", "5").await;
    let (_, second) = control.key(customer.account, &json!({})).await;
    for left in (0..6).rev() {
        let reply = ask(&control, customer.key.reveal(), HOME).await;
        assert_eq!(reply.status.as_u16(), 200);
        assert_eq!((reply.header("ratelimit-limit"), reply.header("ratelimit-remaining")), ("6", &*left.to_string()));
        assert_eq!(reply.header("ratelimit-reset"), ((6 - left) * 10).to_string());
    }
    is_too_many(&ask(&control, customer.key.reveal(), ELSEWHERE).await, 6, "10");
    assert_eq!(ask(&control, &second, HOME).await.status.as_u16(), 200, "another key has its own");
    control.clock.advance(9);
    is_too_many(&ask(&control, customer.key.reveal(), HOME).await, 6, "1");
    control.clock.advance(1);
    assert_eq!(ask(&control, customer.key.reveal(), HOME).await.status.as_u16(), 200);
    is_too_many(&ask(&control, customer.key.reveal(), HOME).await, 6, "10");
}

#[tokio::test]
async fn a_refused_request_does_nothing() {
    let control = allowing(1, 1000, 10).await;
    control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    ask(&control, customer.key.reveal(), HOME).await;
    let before = control.books().await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a"});
    let refused = control.api("POST", "/servers").by(&customer).from(HOME).json(&order).send().await;
    is_too_many(&refused, 1, "60");
    assert_eq!(control.books().await, before);
}

#[tokio::test]
async fn an_address_is_counted_whatever_it_asks_for() {
    let control = allowing(1000, 4, 1000).await;
    let customer = control.customer("ada", "5").await;
    for path in ["/api/v1/balance", "/nothing", "/console", "/api/v1/servers/%ff"] {
        let reply = control.raw("GET", path).from(HOME).send().await;
        assert_ne!(reply.status.as_u16(), 429, "{path}");
        assert_eq!(reply.header("ratelimit-limit"), "4", "{path}");
    }
    is_too_many(&ask(&control, customer.key.reveal(), HOME).await, 4, "15");
    is_too_many(&control.raw("GET", "/nothing").from(HOME).send().await, 4, "15");
    assert_eq!(ask(&control, customer.key.reveal(), ELSEWHERE).await.status.as_u16(), 200);
}

#[tokio::test]
async fn a_whole_ipv6_network_is_one_address() {
    let control = allowing(1000, 2, 1000).await;
    let customer = control.customer("ada", "5").await;
    for from in ["2001:db8:1:2::1", "2001:db8:1:2:ffff::2"] {
        assert_eq!(ask(&control, customer.key.reveal(), from).await.status.as_u16(), 200);
    }
    is_too_many(&ask(&control, customer.key.reveal(), "2001:db8:1:2::3").await, 2, "30");
    assert_eq!(ask(&control, customer.key.reveal(), "2001:db8:1:3::1").await.status.as_u16(), 200);
}

#[tokio::test]
async fn guessing_ends_soon_and_locks_out_nobody_whose_key_works() {
    let control = allowing(1000, 1000, 3).await;
    // Eve has never been at the address of the one who guesses: behind it is a whole company.
    let eve = control.customer("eve", "5").await;
    let mut tried = Vec::new();
    for _ in 0..3 {
        let reply = ask(&control, WRONG, HOME).await;
        tried.push((reply.status.as_u16(), reply.header("ratelimit-remaining").to_owned()));
    }
    assert_eq!(tried, [(401, "2".into()), (401, "1".into()), (401, "0".into())]);
    is_too_many(&ask(&control, WRONG, HOME).await, 3, "20");
    is_too_many(&control.api("GET", "/balance").from(HOME).send().await, 3, "20");
    let welcome = ask(&control, eve.key.reveal(), HOME).await;
    assert_eq!((welcome.status.as_u16(), welcome.header("ratelimit-limit")), (200, "1000"), "{}", welcome.text);
    is_too_many(&ask(&control, WRONG, HOME).await, 3, "20");
    assert_eq!(ask(&control, WRONG, ELSEWHERE).await.status.as_u16(), 401, "elsewhere it begins anew");
    control.clock.advance(20);
    assert_eq!(ask(&control, WRONG, HOME).await.status.as_u16(), 401);
}

#[tokio::test]
async fn guesses_are_bounded_by_the_addresss_own_rate_as_well() {
    let control = allowing(1000, 5, 3).await;
    let eve = control.customer("eve", "5").await;
    for _ in 0..5 {
        ask(&control, WRONG, HOME).await;
    }
    is_too_many(&ask(&control, eve.key.reveal(), HOME).await, 5, "12");
}

#[tokio::test]
async fn a_key_that_ends_is_counted_as_any_other_that_does_not_open() {
    let control = allowing(1000, 1000, 2).await;
    let ada = control.customer("ada", "5").await;
    let (uuid, key) = control.key(ada.account, &json!({})).await;
    assert_eq!(ask(&control, &key, HOME).await.status.as_u16(), 200);
    control.revoke(&uuid).await;
    for _ in 0..2 {
        assert_eq!(ask(&control, &key, HOME).await.status.as_u16(), 401);
    }
    is_too_many(&ask(&control, &key, HOME).await, 2, "30");
}

#[tokio::test]
async fn a_client_that_a_proxy_cannot_name_uses_up_nobodys_allowance() {
    let control = allowing(1000, 2, 1000).await;
    let customer = control.customer("ada", "5").await;
    for _ in 0..5 {
        let send = control.api("GET", "/balance").by(&customer).from("127.0.0.1").header("x-forwarded-for", "unknown");
        let reply = send.send().await;
        assert_eq!((reply.status.as_u16(), reply.code()), (400, "bad_request"), "{}", reply.text);
        assert_eq!(reply.fields(), ["X-Forwarded-For"]);
    }
    assert_eq!(ask(&control, customer.key.reveal(), "127.0.0.1").await.status.as_u16(), 200);
}

#[tokio::test]
async fn behind_a_proxy_each_client_has_its_own_and_none_can_take_anothers() {
    let control = allowing(1000, 2, 1000).await;
    let customer = control.customer("ada", "5").await;
    let ask = async |forwarded: &str| {
        let send = control.api("GET", "/balance").by(&customer).from("127.0.0.1");
        send.header("x-forwarded-for", forwarded).send().await.status.as_u16()
    };
    assert_eq!((ask(HOME).await, ask(HOME).await, ask(HOME).await), (200, 200, 429));
    assert_eq!(ask(ELSEWHERE).await, 200);
    // Another address in front of one's own changes nothing, for oneself or for the other.
    assert_eq!(ask(&format!("{ELSEWHERE}, {HOME}")).await, 429);
    assert_eq!(ask(ELSEWHERE).await, 200);
}
