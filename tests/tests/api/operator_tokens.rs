//! The operator API over TCP: what a token opens, and payments that another machine tells of.

use std::sync::Arc;

use csp_control::operator::{remote, wire::PREFIX};
use csp_tests::test_control::{Reply, Send, TestControl};
use serde_json::{Value, json};

fn remotely(control: &TestControl, method: &str, path: &str) -> Send {
    Send::new(remote::router(control.app.clone()), method, format!("{PREFIX}{path}"))
}

async fn token(control: &TestControl, terms: Value) -> (String, String) {
    let made = control.operator("POST", "/tokens").json(&terms).send().await;
    let text = |name: &str| made.data()[name].as_str().unwrap().to_owned();
    (text("uuid"), text("token"))
}

async fn credits(control: &TestControl, token: &str, path: &str, body: &Value) -> Reply {
    remotely(control, "POST", path).with_key(token).json(body).send().await
}

/// Every route that is reachable from outside, with the scope that opens it.
const ROUTES: [(&str, &str, &str); 9] = [
    ("POST", "/accounts/00000000-0000-7000-8000-000000000001/credits", "credits"),
    ("POST", "/refunds", "refunds"),
    ("GET", "/disputes", "disputes"),
    ("POST", "/disputes", "disputes"),
    ("POST", "/disputes/close", "disputes"),
    ("GET", "/accounts", "accounts"),
    ("GET", "/ledger/verify", "ledger"),
    ("GET", "/ledger/explain/00000000-0000-7000-8000-000000000001", "ledger"),
    ("GET", "/ledger/export?format=csv", "ledger"),
];

#[tokio::test]
async fn a_route_opens_to_a_token_with_its_scope_and_to_no_other() {
    let control = TestControl::start().await;
    for (method, path, scope) in ROUTES {
        let without = remotely(&control, method, path).json(&json!({})).send().await;
        assert_eq!((without.status.as_u16(), without.code()), (401, "unauthorized"), "{path}");
        for other in ["credits", "refunds", "disputes", "accounts", "ledger"] {
            let (_, token) = token(&control, json!({"label": "bridge", "scopes": [other]})).await;
            let tried = remotely(&control, method, path).with_key(&token).json(&json!({})).send().await;
            assert_eq!(tried.code() == "insufficient_scope", other != scope, "{path} with {other}: {}", tried.text);
        }
    }
}

#[tokio::test]
async fn what_is_not_for_other_machines_is_not_there_for_them() {
    let control = TestControl::start().await;
    let all = json!({"label": "x", "scopes": ["credits", "refunds", "disputes", "accounts", "ledger"]});
    let (_, token) = token(&control, all).await;
    let account = control.customer("ada", "0").await.account;
    for path in ["/tokens", "/hosts", "/audit", "/catalog", &format!("/accounts/{account}/keys")] {
        for method in ["GET", "POST"] {
            let tried = remotely(&control, method, path).with_key(&token).json(&json!({})).send().await;
            assert_eq!(tried.code(), "not_found", "{method} {path}");
        }
    }
}

#[tokio::test]
async fn a_token_is_kept_as_a_hash_shown_once_and_ends_at_once() {
    let control = TestControl::start().await;
    let (uuid, secret) = token(&control, json!({"label": "bridge", "scopes": ["accounts"]})).await;
    let customer = control.customer("ada", "0").await;
    let get = async |token: &str| remotely(&control, "GET", "/accounts").with_key(token).send().await;
    assert_eq!(get(&secret).await.data().as_array().map(Vec::len), Some(1));
    assert_eq!(get(customer.key.reveal()).await.status, 401, "a customer's key opens nothing here");
    let listed = control.operator("GET", "/tokens").send().await;
    assert!(!listed.text.contains(&secret) && listed.data()[0]["state"] == "active", "{}", listed.text);
    let file = std::fs::read(control.folder().join("control.db-wal")).unwrap();
    assert!(!file.windows(secret.len()).any(|bytes| bytes == secret.as_bytes()));
    let revoked = control.operator("POST", &format!("/tokens/{uuid}/revoke")).json(&json!({})).send().await;
    assert_eq!(revoked.data()["state"], "revoked");
    assert_eq!(get(&secret).await.status, 401);
    let terms = json!({"label": "soon", "scopes": ["accounts"], "expires_at": "2026-06-10 12:01:00"});
    let (_, soon) = token(&control, terms).await;
    assert_eq!(get(&soon).await.status, 200);
    control.clock.advance(60);
    assert_eq!(get(&soon).await.status, 401);
}

#[tokio::test]
async fn tokens_that_open_nothing_are_not_made() {
    let control = TestControl::start().await;
    let table = [
        (json!({"label": "x", "scopes": []}), "scopes"),
        (json!({"label": "x", "scopes": ["credits", "everything"]}), "scopes"),
        (json!({"label": "", "scopes": ["credits"]}), "label"),
        (json!({"label": "x", "scopes": ["credits"], "expires_at": "2026-06-10 12:00:00"}), "expires_at"),
        (json!({"label": "x", "scopes": ["credits"], "expires_at": "never"}), "expires_at"),
    ];
    for (terms, field) in table {
        let refused = control.operator("POST", "/tokens").json(&terms).send().await;
        assert_eq!((refused.status.as_u16(), refused.fields()), (422, vec![field]), "{terms}");
    }
    let missing = control.operator("POST", "/tokens/00000000-0000-7000-8000-000000000001/revoke");
    assert_eq!(missing.json(&json!({})).send().await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_webhook_that_is_delivered_five_times_at_once_credits_once() {
    let control = Arc::new(TestControl::start().await);
    let (_, token) = token(&control, json!({"label": "bridge", "scopes": ["credits"]})).await;
    let customer = control.customer("ada", "0").await;
    for round in 0..20 {
        let deliveries: Vec<_> = (0..5)
            .map(|delivery| {
                let (control, token) = (control.clone(), token.clone());
                let path = format!("/accounts/{}/credits", customer.account);
                // The last one tells of another amount: whichever comes first decides, and the other is refused.
                let amount = if delivery == 4 { "25.01" } else { "25.00" };
                let body = json!({"amount": amount, "reference": format!("stripe:pi_{round}")});
                tokio::spawn(async move { credits(&control, &token, &path, &body).await })
            })
            .collect();
        let mut credited = 0;
        for delivery in deliveries {
            let told = delivery.await.unwrap();
            match told.status.as_u16() {
                200 => credited += usize::from(told.data()["credited"] == true),
                status => assert_eq!((status, told.fields()), (409, vec!["reference"]), "{}", told.text),
            }
        }
        assert_eq!(credited, 1);
    }
    let verified = control.operator("GET", "/ledger/verify").send().await;
    assert_eq!((&verified.data()["differences"], &verified.data()["transfers"]), (&json!([]), &json!(20)));
}

#[tokio::test]
async fn amounts_that_are_none_are_refused_by_name_and_nothing_moves() {
    let control = TestControl::start().await;
    let (_, token) = token(&control, json!({"label": "bridge", "scopes": ["credits"]})).await;
    let path = format!("/accounts/{}/credits", control.customer("ada", "0").await.account);
    let texts = ["0", "-1", "0.001", "1e3", "NaN", "Infinity", "99999999999999999999", "ten", "", " 1", "1,5"];
    let others = ["25", "25.5", "-1", "1e3", "true", "null", "[]", "{}"];
    let bodies = texts.map(|text| format!("\"{text}\"")).into_iter().chain(others.map(str::to_owned));
    for amount in bodies {
        let body = format!("{{\"amount\":{amount},\"reference\":\"r\"}}");
        let refused = remotely(&control, "POST", &path).with_key(&token).body(body).send().await;
        assert_eq!((refused.status.as_u16(), refused.fields()), (422, vec!["amount"]), "{amount}: {}", refused.text);
    }
    let infinite = remotely(&control, "POST", &path).with_key(&token).body("{\"amount\":NaN,\"reference\":\"r\"}");
    assert_eq!(infinite.send().await.status.as_u16(), 422, "NaN is no JSON");
    let verified = control.operator("GET", "/ledger/verify").send().await;
    assert_eq!(verified.data()["transfers"], json!(0));
}

#[tokio::test]
async fn guesses_are_counted_and_then_turned_away() {
    let control =
        TestControl::with_settings(|settings| settings.rate_limits.failed_sign_ins_per_minute = 3.try_into().unwrap())
            .await;
    let guess = async || remotely(&control, "GET", "/accounts").with_key("csp_op_guess").send().await.status.as_u16();
    let told = [guess().await, guess().await, guess().await, guess().await];
    assert_eq!(told, [401, 401, 401, 429]);
}
