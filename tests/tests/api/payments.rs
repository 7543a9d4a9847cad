//! Payments over the operator API: each moves once, and what comes of a dispute.

use csp_tests::test_control::{Reply, TestControl, TestCustomer};
use serde_json::{Value, json};

async fn post(control: &TestControl, path: &str, body: Value) -> Reply {
    control.operator("POST", path).json(&body).send().await
}

async fn verified(control: &TestControl) {
    let verified = control.operator("GET", "/ledger/verify").send().await;
    assert_eq!(verified.data()["differences"], json!([]), "{}", verified.text);
}

async fn order(control: &TestControl, customer: &TestCustomer) -> Reply {
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a"});
    control.api("POST", "/servers").by(customer).json(&order).send().await
}

#[tokio::test]
async fn a_webhook_that_comes_five_times_credits_once() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    let path = format!("/accounts/{}/credits", customer.account);
    for turn in 0..5 {
        let told = post(&control, &path, json!({"amount": "25.00", "reference": "stripe:pi_1"})).await;
        assert_eq!((&told.data()["balance"], &told.data()["credited"]), (&json!("25.00"), &json!(turn == 0)));
    }
    let other = control.customer("eve", "0").await;
    let elsewhere = format!("/accounts/{}/credits", other.account);
    for (path, amount) in [(&path, "25.01"), (&elsewhere, "25.00")] {
        let differs = post(&control, path, json!({"amount": amount, "reference": "stripe:pi_1"})).await;
        assert_eq!((differs.status.as_u16(), differs.fields()), (409, vec!["reference"]), "{}", differs.text);
    }
    verified(&control).await;
}

#[tokio::test]
async fn amounts_that_are_none_are_refused_by_name_and_nothing_moves() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "50").await;
    let before = control.books().await;
    let table = [
        ("0", "is zero"),
        ("0.00", "is zero"),
        ("-1", "negative"),
        ("1.005", "fraction of a cent"),
        ("1e3", "exponent"),
        ("NaN", "not a number"),
        ("Infinity", "not a number"),
        ("99999999999999999999", "above"),
        ("1,50", "no amount"),
        ("", "no amount"),
    ];
    let credits = format!("/accounts/{}/credits", customer.account);
    let goodwill = format!("/accounts/{}/goodwill", customer.account);
    for (amount, reason) in table {
        for path in [&credits, &goodwill] {
            let reply = post(&control, path, json!({"amount": amount, "reference": "r"})).await;
            assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec!["amount"]), "{amount}: {}", reply.text);
            assert!(reply.text.contains(reason), "{amount}: {}", reply.text);
        }
        let refund = post(&control, "/refunds", json!({"payment": "ada", "reference": "r", "amount": amount})).await;
        assert_eq!((refund.status.as_u16(), refund.fields()), (422, vec!["amount"]), "{amount}: {}", refund.text);
    }
    for amount in [json!(25), json!(1e2), json!(-1), Value::Null, json!([])] {
        let reply = post(&control, &credits, json!({"amount": amount, "reference": "r"})).await;
        assert_eq!(reply.status.as_u16(), 422, "amounts are texts, exact everywhere: {}", reply.text);
    }
    assert_eq!(control.books().await, before);
}

#[tokio::test]
async fn a_refund_takes_what_its_payment_brought_and_no_more() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "50").await;
    post(&control, &format!("/accounts/{}/goodwill", customer.account), json!({"amount": "20", "reference": "t"}))
        .await;
    let refund = |amount: Value, reference: &'static str| {
        let body = json!({"payment": "ada", "reference": reference, "amount": amount});
        let control = &control;
        async move { post(control, "/refunds", body).await }
    };
    let first = refund(json!("20.00"), "re_1").await;
    assert_eq!((&first.data()["balance"], &first.data()["done"]), (&json!("50.00"), &json!(true)));
    let again = refund(json!("20.00"), "re_1").await;
    assert_eq!((&again.data()["balance"], &again.data()["done"]), (&json!("50.00"), &json!(false)));
    assert_eq!(refund(json!("21.00"), "re_1").await.status.as_u16(), 409);
    let more = refund(json!("30.01"), "re_2").await;
    assert_eq!((more.status.as_u16(), more.fields()), (422, vec!["amount"]), "goodwill is not paid out: {}", more.text);
    assert_eq!(refund(Value::Null, "re_2").await.data()["balance"], json!("20.00"));
    assert_eq!(refund(Value::Null, "re_3").await.status.as_u16(), 422, "nothing is left");
    let nothing = post(&control, "/refunds", json!({"payment": "unknown", "reference": "re_4"})).await;
    assert_eq!((nothing.status.as_u16(), nothing.fields()), (404, vec!["payment"]));
    verified(&control).await;
}

#[tokio::test]
async fn a_refund_of_what_was_spent_is_refused() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "10").await;
    assert_eq!(order(&control, &customer).await.status.as_u16(), 200);
    let spent = post(&control, "/refunds", json!({"payment": "ada", "reference": "re_1"})).await;
    assert_eq!((spent.status.as_u16(), spent.code()), (402, "insufficient_balance"), "{}", spent.text);
    let told = spent.json["message"].as_str().unwrap();
    for part in ["6.95 USD short", "dispute open 'ada' --reference 're_1' --amount 10.00", "dispute close 're_1' lost"]
    {
        assert!(told.contains(part), "{told}");
    }
    // What it says to do works, for money that has gone back already.
    let opened = post(&control, "/disputes", json!({"payment": "ada", "reference": "re_1", "amount": "10.00"})).await;
    assert_eq!((&opened.data()["balance"], &opened.data()["owed"]), (&json!("0.00"), &json!("6.95")));
    let _ = post(&control, "/disputes/close", json!({"reference": "re_1", "outcome": "lost"})).await.data();
    verified(&control).await;
}

#[tokio::test]
async fn a_disputed_payment_takes_what_is_there_locks_the_account_and_is_settled_first() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "10").await;
    assert_eq!(order(&control, &customer).await.status.as_u16(), 200);
    let opened = post(&control, "/disputes", json!({"payment": "ada", "reference": "dp_1"})).await;
    assert_eq!((&opened.data()["balance"], &opened.data()["owed"]), (&json!("0.00"), &json!("6.95")));
    let again = post(&control, "/disputes", json!({"payment": "ada", "reference": "dp_1"})).await;
    assert_eq!((&again.data()["owed"], &again.data()["done"]), (&json!("6.95"), &json!(false)));
    let twice = post(&control, "/disputes", json!({"payment": "ada", "reference": "dp_2"})).await;
    assert_eq!(twice.status.as_u16(), 422, "nothing of the payment is left: {}", twice.text);
    verified(&control).await;

    let top_up = |amount: &'static str, reference: &'static str| {
        let body = json!({"amount": amount, "reference": reference});
        let (control, path) = (&control, format!("/accounts/{}/credits", customer.account));
        async move { post(control, &path, body).await }
    };
    let part = top_up("5.00", "second").await;
    assert_eq!((&part.data()["balance"], &part.data()["owed"]), (&json!("0.00"), &json!("1.95")));
    assert_eq!(part.data()["settled"], "5.00");
    let rest = top_up("20.00", "third").await;
    assert_eq!((&rest.data()["balance"], &rest.data()["owed"]), (&json!("18.05"), &json!("0.00")));
    assert_eq!(rest.data()["settled"], "1.95", "what the debt took of it is told");
    assert_eq!(top_up("20.00", "third").await.data()["settled"], "0.00", "nothing moved this time");
    let locked = order(&control, &customer).await;
    assert_eq!((locked.status.as_u16(), locked.code()), (403, "account_locked"), "the dispute is open still");
    assert!(locked.text.contains("disputed"), "{}", locked.text);

    let lost = post(&control, "/disputes/close", json!({"reference": "dp_1", "outcome": "lost"})).await;
    assert_eq!((&lost.data()["balance"], &lost.data()["done"]), (&json!("18.05"), &json!(true)));
    let other = post(&control, "/disputes/close", json!({"reference": "dp_1", "outcome": "won"})).await;
    assert_eq!(other.status.as_u16(), 409);
    assert_eq!(order(&control, &customer).await.status.as_u16(), 200);
    verified(&control).await;
}

#[tokio::test]
async fn what_an_order_gives_back_pays_what_is_owed_first() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "10").await;
    let ordered = order(&control, &customer).await;
    let opened = post(&control, "/disputes", json!({"payment": "ada", "reference": "dp_1"})).await;
    assert_eq!(opened.data()["owed"], "6.95");
    let path = format!("/servers/{}/destroy", ordered.data()["uuid"].as_str().unwrap());
    let destroyed = control.api("POST", &path).by(&customer).send().await;
    assert_eq!(destroyed.status.as_u16(), 200, "it never ran, so its price comes back: {}", destroyed.text);
    let account = control.operator("GET", "/accounts").send().await.data()[0].clone();
    assert_eq!((&account["balance"], &account["owed"]), (&json!("0.00"), &json!("0.00")), "{account}");
    verified(&control).await;
}

#[tokio::test]
async fn a_dispute_that_is_won_gives_back_and_pays_what_is_owed() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "10").await;
    assert_eq!(order(&control, &customer).await.status.as_u16(), 200);
    post(&control, "/disputes", json!({"payment": "ada", "reference": "dp_1"})).await;
    let debt = order(&control, &customer).await;
    assert_eq!(debt.code(), "account_locked");
    let accounts = control.operator("GET", "/accounts").send().await;
    assert_eq!(
        (&accounts.data()[0]["locks"], &accounts.data()[0]["owed"]),
        (&json!(["dispute", "debt"]), &json!("6.95"))
    );
    let won = post(&control, "/disputes/close", json!({"reference": "dp_1", "outcome": "won"})).await;
    assert_eq!((&won.data()["balance"], &won.data()["owed"]), (&json!("3.05"), &json!("0.00")));
    let again = post(&control, "/disputes/close", json!({"reference": "dp_1", "outcome": "won"})).await;
    assert_eq!(again.data()["done"], json!(false));
    let listed = control.operator("GET", "/disputes").send().await;
    assert_eq!((&listed.data()[0]["status"], &listed.data()[0]["payment"]), (&json!("won"), &json!("ada")));
    verified(&control).await;
}

#[tokio::test]
async fn a_correction_is_one_more_transfer_and_never_overdraws() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "50").await;
    let path = format!("/accounts/{}/corrections", customer.account);
    let correct = |direction: &str, amount: &str, reference: &str| {
        let body = json!({"direction": direction, "amount": amount, "book": "topups", "reference": reference, "note": "Typed wrongly"});
        let (control, path) = (&control, &path);
        async move { post(control, path, body).await }
    };
    assert_eq!(correct("debit", "45.00", "t1").await.data()["balance"], json!("5.00"));
    assert_eq!(correct("debit", "45.00", "t1").await.data()["done"], json!(false));
    assert_eq!(correct("credit", "45.00", "t1").await.status.as_u16(), 409, "the same reference the other way");
    assert_eq!(correct("debit", "5.01", "t2").await.status.as_u16(), 402);
    assert_eq!(correct("sideways", "5", "t2").await.fields(), ["direction"]);
    assert_eq!(correct("credit", "1.00", "t2").await.data()["balance"], json!("6.00"));
    let about = json!({"direction": "credit", "amount": "1", "reference": "t3", "note": "x",
                       "server_uuid": "0192f0c1-0000-7000-8000-000000000001"});
    assert_eq!(post(&control, &path, about).await.fields(), ["server_uuid"]);
    verified(&control).await;
}

#[tokio::test]
async fn an_account_that_cannot_be_is_answered_like_one_that_is_not_there() {
    let control = TestControl::start().await;
    let payment = json!({"amount": "25.00", "reference": "stripe:pi_1"});
    for account in ["ada", "1", "0192f0c1-0000-7000-8000-00000000000g", "0192f0c1-0000-7000-8000-000000000001"] {
        for what in ["credits", "goodwill", "corrections"] {
            let body = match what {
                "corrections" => json!({"amount": "1", "reference": "r", "direction": "credit", "note": "n"}),
                _ => payment.clone(),
            };
            let reply = post(&control, &format!("/accounts/{account}/{what}"), body).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (404, "not_found"), "{account}: {}", reply.text);
        }
    }
}

#[tokio::test]
async fn a_note_that_is_empty_is_none() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    let path = format!("/accounts/{}/credits", customer.account);
    let credited = post(&control, &path, json!({"amount": "25.00", "reference": "a", "note": ""})).await;
    assert_eq!(credited.data()["balance"], "25.00");
    let shown = control.api("GET", "/transactions").by(&customer).send().await;
    assert_eq!(shown.data()[0]["description"], "Wallet top-up");
}
