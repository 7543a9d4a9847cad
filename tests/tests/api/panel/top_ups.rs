//! Money comes in by card: asked for by us, paid at Stripe's, and credited by Stripe's signed word and by nothing else. The words
//! have the shape that Stripe documents; what decides nothing is left out of some on purpose.

use csp_control::{domain::time::Time, stripe::signature::sign};
use csp_shared::secret::Secret;
use csp_tests::{
    fake_stripe::{FakeStripe, KEY, SIGNING},
    test_control::{Reply, TestCustomer},
};
use serde_json::{Value, json};

use super::{ADA, HERE, PASSWORD, World};

/// Ada is signed in and has asked for a page where 25 dollars are paid.
struct Till {
    world: World,
    stripe: FakeStripe,
    cookie: String,
    account: String,
    top_up: String,
    session: String,
}

impl Till {
    async fn open() -> Self {
        let stripe = FakeStripe::start();
        let world = World::paying(&stripe).await;
        let cookie = world.sign_in(ADA, PASSWORD).await;
        let account = world.account(&cookie).await.data()["uuid"].as_str().unwrap().to_owned();
        let mut till = Self { world, stripe, cookie, account, top_up: String::new(), session: String::new() };
        (till.top_up, till.session) = till.ask("25.00").await;
        till
    }

    /// Asks for a page: the top-up and Stripe's session.
    async fn ask(&self, amount: &str) -> (String, String) {
        let asked = self.world.by(&self.cookie, "POST", "/top-ups", &json!({"amount": amount})).await;
        let url = asked.data()["url"].as_str().unwrap_or_else(|| panic!("{}", asked.text));
        let session = url.rsplit('/').next().unwrap().to_owned();
        (asked.data()["uuid"].as_str().unwrap().to_owned(), session)
    }

    /// A session as Stripe tells of it, paid by `pi_1`.
    fn paid(&self) -> Value {
        json!({
            "id": self.session, "object": "checkout.session", "amount_subtotal": 2500, "amount_total": 2500,
            "client_reference_id": self.top_up, "currency": "usd", "customer_details": {"email": ADA, "name": "Ada"},
            "livemode": false, "metadata": {"account": self.account, "top_up": self.top_up}, "mode": "payment",
            "payment_intent": "pi_1", "payment_status": "paid", "status": "complete", "url": null,
        })
    }

    /// Ada's payment has gone back so far.
    fn charge(&self, refunded: i64) -> Value {
        json!({"id": "ch_1", "object": "charge", "amount": 2500, "amount_refunded": refunded, "currency": "usd",
               "payment_intent": "pi_1", "refunded": refunded == 2500, "status": "succeeded"})
    }

    fn dispute(&self, status: &str) -> Value {
        json!({"id": "dp_1", "object": "dispute", "amount": 2500, "charge": "ch_1", "currency": "usd",
               "payment_intent": "pi_1", "reason": "fraudulent", "status": status})
    }

    async fn tell(&self, kind: &str, object: &Value) -> Reply {
        let event = json!({"id": "evt_1", "object": "event", "api_version": "2024-06-20", "created": 1_781_092_800,
                           "data": {"object": object}, "livemode": false, "pending_webhooks": 1, "type": kind});
        let body = event.to_string();
        let header = sign(body.as_bytes(), &Secret::new(SIGNING.to_owned()), self.world.control.app.now());
        self.send(&header, &body).await
    }

    async fn send(&self, signature: &str, body: &str) -> Reply {
        let sent = self.world.control.raw("POST", "/webhooks/stripe").header("content-type", "application/json");
        sent.header("stripe-signature", signature).body(body.to_owned()).send().await
    }

    async fn credited(&self) {
        self.tell("checkout.session.completed", &self.paid()).await.done();
    }

    /// Balance and what is owed.
    async fn wallet(&self) -> (f64, f64) {
        let shown = self.world.control.api("GET", "/balance").header("cookie", &self.cookie).send().await;
        (shown.data()["balance"].as_f64().unwrap(), shown.data()["owed"].as_f64().unwrap())
    }

    async fn state(&self) -> Value {
        let listed = self.world.by(&self.cookie, "GET", "/top-ups", &Value::Null).await;
        listed.data()["top_ups"].as_array().unwrap().iter().find(|one| one["uuid"] == self.top_up).unwrap()["state"]
            .clone()
    }

    async fn verified(&self) {
        let verified = self.world.control.operator("GET", "/ledger/verify").send().await;
        assert_eq!(verified.data()["differences"], json!([]), "{}", verified.text);
    }

    async fn order(&self) -> Reply {
        let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a"});
        let sent = self.world.control.api("POST", "/servers").header("cookie", &self.cookie).header("origin", HERE);
        sent.json(&order).send().await
    }
}

#[tokio::test]
async fn a_page_for_paying_is_asked_for_with_our_amount_and_whose_it_is() {
    let till = Till::open().await;
    let asked = till.stripe.asked().remove(0);
    assert_eq!(asked.header("authorization"), format!("Bearer {KEY}"));
    assert_eq!(asked.header("idempotency-key"), format!("top-up-{}", till.top_up));
    let table = [
        ("mode", "payment".to_owned()),
        ("line_items[0][price_data][currency]", "usd".to_owned()),
        ("line_items[0][price_data][unit_amount]", "2500".to_owned()),
        ("client_reference_id", till.top_up.clone()),
        ("metadata[top_up]", till.top_up.clone()),
        ("metadata[account]", till.account.clone()),
        ("payment_intent_data[metadata][top_up]", till.top_up.clone()),
        ("success_url", format!("{HERE}/panel/wallet?top_up={}", till.top_up)),
        ("cancel_url", format!("{HERE}/panel/wallet?top_up_left={}", till.top_up)),
    ];
    for (name, value) in table {
        assert_eq!(asked.field(name), value, "{name}");
    }
    let ends: i64 = asked.field("expires_at").parse().unwrap();
    assert!((30 * 60..24 * 3600).contains(&(ends - till.world.control.app.now().0)), "as Stripe takes it");
    let listed = till.world.by(&till.cookie, "GET", "/top-ups", &Value::Null).await;
    assert_eq!(listed.data()["bounds"], json!({"least": 5.0, "most": 1000.0}));
    assert_eq!((till.state().await, till.wallet().await), (json!("open"), (0.0, 0.0)), "asking moves nothing");
}

#[tokio::test]
async fn amounts_out_of_bounds_too_many_pages_and_a_stripe_that_is_away_are_told_apart() {
    let till = Till::open().await;
    let ask = async |amount: &str| till.world.by(&till.cookie, "POST", "/top-ups", &json!({"amount": amount})).await;
    for amount in ["4.99", "1000.01", "-5", "1e2", "5.001", "NaN"] {
        assert_eq!(ask(amount).await.fields(), ["amount"], "{amount}");
    }
    for body in [
        json!({}),
        json!({"amount": 25}),
        json!({"amount": "25", "account": "x"}),
        json!({"amount": "25", "currency": "eur"}),
    ] {
        let refused = till.world.by(&till.cookie, "POST", "/top-ups", &body).await;
        assert_eq!(refused.code(), "validation_failed", "{body}");
    }
    for _ in 1..20 {
        assert_eq!(ask("5").await.status.as_u16(), 200);
    }
    assert_eq!(ask("5").await.code(), "rate_limited");
    assert_eq!(till.stripe.asked().len(), 20);

    let World { control, post } = till.world;
    let control = control.restarted_with(|settings| {
        settings.stripe.as_mut().unwrap().key = Secret::new("sk_test_wrong".to_owned());
    });
    control.clock.advance(3600);
    let world = World { control, post };
    let refused = world.by(&till.cookie, "POST", "/top-ups", &json!({"amount": "25.00"})).await;
    assert_eq!(refused.code(), "unavailable");
    assert!(!refused.text.contains("sk_test"), "{}", refused.text);
    let newest = world.by(&till.cookie, "GET", "/top-ups", &Value::Null).await.data()["top_ups"][0]["state"].clone();
    assert_eq!(newest, json!("failed"), "there is no page to pay on");
    let World { control, post } = world;
    let world = World { control: control.restarted_with(|settings| settings.stripe = None), post };
    assert_eq!(world.by(&till.cookie, "POST", "/top-ups", &json!({"amount": "25.00"})).await.code(), "not_found");
    assert_eq!(world.by(&till.cookie, "GET", "/top-ups", &Value::Null).await.data()["bounds"], Value::Null);
    assert_eq!(world.control.raw("POST", "/webhooks/stripe").body("{}").send().await.code(), "not_found");
}

/// What is paid on a page reaches nobody whose account was closed meanwhile.
#[tokio::test]
async fn an_account_is_not_closed_while_a_page_may_still_be_paid() {
    let close = async |till: &Till| {
        let body = json!({"current_password": PASSWORD});
        till.world.by(&till.cookie, "POST", "/account/close", &body).await
    };
    let till = Till::open().await;
    let refused = close(&till).await;
    assert!(refused.status.as_u16() == 409 && refused.text.contains("a page for paying"), "{}", refused.text);
    let mut ended = till.paid();
    (ended["payment_status"], ended["status"], ended["payment_intent"]) =
        (json!("unpaid"), json!("expired"), Value::Null);
    till.tell("checkout.session.expired", &ended).await.done();
    close(&till).await.done();

    // Where Stripe tells nothing of its end; and should the word of a payment come later still, it is in the books.
    let till = Till::open().await;
    till.world.control.clock.advance(2 * 3600);
    close(&till).await.done();
    till.credited().await;
    till.verified().await;
}

#[tokio::test]
async fn a_payment_that_is_told_five_times_is_credited_once() {
    let till = Till::open().await;
    for _ in 0..5 {
        till.credited().await;
        assert_eq!(till.wallet().await, (25.0, 0.0));
    }
    assert_eq!(till.state().await, "paid");
    let lines = till.world.control.api("GET", "/transactions").header("cookie", &till.cookie).send().await;
    assert_eq!(lines.data().as_array().unwrap().len(), 1);
    // A page that is told to be over after it was paid stays paid.
    till.tell("checkout.session.expired", &till.paid()).await.done();
    till.tell("checkout.session.async_payment_failed", &till.paid()).await.done();
    assert_eq!((till.state().await, till.wallet().await), (json!("paid"), (25.0, 0.0)));
    till.verified().await;
}

#[tokio::test]
async fn nothing_is_credited_by_who_cannot_sign_or_by_an_old_word() {
    let till = Till::open().await;
    let event =
        json!({"id": "evt_1", "data": {"object": till.paid()}, "type": "checkout.session.completed"}).to_string();
    let (now, ours) = (till.world.control.app.now(), Secret::new(SIGNING.to_owned()));
    let right = sign(event.as_bytes(), &ours, now);
    let table = [
        ("no signature", String::new(), event.clone()),
        ("another secret", sign(event.as_bytes(), &Secret::new("whsec_other".to_owned()), now), event.clone()),
        ("an older word", sign(event.as_bytes(), &ours, Time(now.0 - 301)), event.clone()),
        ("a word to come", sign(event.as_bytes(), &ours, Time(now.0 + 301)), event.clone()),
        ("another body", right.clone(), event.replace("2500", "9900")),
        ("another time", right.replace(&format!("t={}", now.0), &format!("t={}", now.0 - 1)), event.clone()),
        ("another scheme", right.replace("v1=", "v0="), event.clone()),
        ("the key itself", format!("t={},v1={SIGNING}", now.0), event.clone()),
    ];
    for (what, header, body) in table {
        let refused = till.send(&header, &body).await;
        assert_eq!((refused.status.as_u16(), refused.code()), (400, "bad_request"), "{what}: {}", refused.text);
    }
    let long = "x".repeat(300 * 1024);
    assert_eq!(till.send(&sign(long.as_bytes(), &ours, now), &long).await.code(), "payload_too_large");
    for body in ["", "[]", "{}", "{\"type\": 1}", r#"{"type": "charge.refunded", "data": {"object": {}}}"#] {
        assert_eq!(till.send(&sign(body.as_bytes(), &ours, now), body).await.code(), "validation_failed", "{body}");
    }
    assert_eq!(till.wallet().await, (0.0, 0.0));
    let (time, signature) = right.split_once(',').unwrap();
    till.send(&format!("{time},v1={},{signature}", "0".repeat(64)), &event).await.done();
    assert_eq!(till.wallet().await, (25.0, 0.0), "one right signature among several");
}

#[tokio::test]
async fn a_word_that_differs_from_what_we_asked_for_credits_nobody() {
    let till = Till::open().await;
    let (other_top_up, other_session) = till.ask("30.00").await;
    let eve = till.world.control.customer("eve", "0").await;
    let change = |field: &str, value: Value| {
        let mut told = till.paid();
        told[field] = value;
        told
    };
    let metadata = |top_up: &str, account: &str| change("metadata", json!({"top_up": top_up, "account": account}));
    let table = [
        (422, change("amount_total", json!(2501))),
        (422, change("amount_total", json!(-2500))),
        (422, change("amount_total", Value::Null)),
        (422, change("currency", json!("eur"))),
        (422, change("currency", Value::Null)),
        (422, metadata(&till.top_up, &eve.account.to_string())),
        (422, metadata(&other_top_up, &till.account)),
        (422, change("metadata", json!({}))),
        (422, change("payment_intent", Value::Null)),
        (422, change("payment_intent", json!("pi_1\u{7}"))),
        (404, change("id", json!("cs_unknown"))),
        (422, change("id", json!(other_session))),
    ];
    let before = till.world.control.books().await;
    for (status, told) in table {
        for kind in ["checkout.session.completed", "checkout.session.async_payment_succeeded"] {
            let refused = till.tell(kind, &told).await;
            assert_eq!(refused.status.as_u16(), status, "{kind} {told}: {}", refused.text);
        }
    }
    assert_eq!(till.world.control.books().await, before);
    till.credited().await;
    let another = change("payment_intent", json!("pi_2"));
    assert_eq!(till.tell("checkout.session.completed", &another).await.status.as_u16(), 422, "paid by another one");
    let mut twice = metadata(&other_top_up, &till.account);
    (twice["id"], twice["amount_total"]) = (json!(other_session), json!(3000));
    let refused = till.tell("checkout.session.completed", &twice).await;
    assert_eq!(refused.status.as_u16(), 422, "one payment for two: {}", refused.text);
    assert_eq!(till.wallet().await, (25.0, 0.0));
    till.verified().await;
}

#[tokio::test]
async fn a_bank_transfer_is_credited_when_it_arrives_and_not_when_it_is_begun() {
    let till = Till::open().await;
    let mut begun = till.paid();
    begun["payment_status"] = json!("unpaid");
    till.tell("checkout.session.completed", &begun).await.done();
    assert_eq!((till.state().await, till.wallet().await), (json!("pending"), (0.0, 0.0)));
    till.tell("checkout.session.async_payment_failed", &begun).await.done();
    assert_eq!((till.state().await, till.wallet().await), (json!("failed"), (0.0, 0.0)));
    till.tell("checkout.session.async_payment_succeeded", &till.paid()).await.done();
    assert_eq!((till.state().await, till.wallet().await), (json!("paid"), (25.0, 0.0)));
    till.tell("checkout.session.completed", &begun).await.done();
    assert_eq!(
        (till.state().await, till.wallet().await),
        (json!("paid"), (25.0, 0.0)),
        "an older word that comes late"
    );
}

#[tokio::test]
async fn what_goes_back_is_taken_once_in_any_order_and_what_was_spent_is_owed() {
    let till = Till::open().await;
    assert_eq!(
        till.tell("charge.refunded", &till.charge(500)).await.status.as_u16(),
        404,
        "not known yet: told again later"
    );
    till.credited().await;
    till.tell("charge.refunded", &till.charge(1000)).await.done();
    till.tell("charge.refunded", &till.charge(500)).await.done();
    till.tell("charge.refunded", &till.charge(1000)).await.done();
    assert_eq!(till.wallet().await, (15.0, 0.0));
    let strange = json!({"id": "ch_1", "amount_refunded": 1500, "currency": "eur", "payment_intent": "pi_1"});
    assert_eq!(till.tell("charge.refunded", &strange).await.status.as_u16(), 422);

    till.world.control.host("host-1").await;
    assert_eq!(till.order().await.status.as_u16(), 200);
    assert_eq!(till.wallet().await, (8.05, 0.0));
    till.tell("charge.refunded", &till.charge(2500)).await.done();
    till.tell("charge.refunded", &till.charge(2500)).await.done();
    assert_eq!(till.wallet().await, (0.0, 6.95));
    let accounts = till.world.control.operator("GET", "/accounts").send().await;
    assert_eq!(accounts.data()[0]["locks"], json!(["debt"]), "{}", accounts.text);
    till.verified().await;
}

#[tokio::test]
async fn a_dispute_takes_the_money_locks_and_ends_as_the_bank_decides_also_out_of_order() {
    for (status, balance) in [("won", 25.0), ("lost", 0.0)] {
        for in_order in [true, false] {
            let till = Till::open().await;
            till.credited().await;
            till.tell("charge.dispute.created", &till.dispute("warning_needs_response")).await.done();
            till.tell("charge.dispute.closed", &till.dispute("warning_closed")).await.done();
            assert_eq!(till.wallet().await, (25.0, 0.0), "a question of the bank's moves nothing");
            if in_order {
                till.tell("charge.dispute.created", &till.dispute("needs_response")).await.done();
                till.tell("charge.dispute.funds_withdrawn", &till.dispute("needs_response")).await.done();
                assert_eq!((till.wallet().await, till.order().await.code()), ((0.0, 0.0), "account_locked"));
            }
            till.tell("charge.dispute.closed", &till.dispute(status)).await.done();
            till.tell("charge.dispute.created", &till.dispute("needs_response")).await.done();
            till.tell("charge.dispute.closed", &till.dispute(status)).await.done();
            assert_eq!(till.wallet().await, (balance, 0.0), "{status} {in_order}");
            till.verified().await;
        }
    }
}

#[tokio::test]
async fn a_dispute_after_a_refund_takes_what_is_left() {
    let till = Till::open().await;
    till.credited().await;
    till.tell("charge.refunded", &till.charge(1000)).await.done();
    till.tell("charge.dispute.created", &till.dispute("needs_response")).await.done();
    assert_eq!(till.wallet().await, (0.0, 0.0));
    till.tell("charge.dispute.closed", &till.dispute("won")).await.done();
    assert_eq!(till.wallet().await, (15.0, 0.0));
    till.tell("charge.refunded", &till.charge(2500)).await.done();
    till.tell(
        "charge.dispute.created",
        &json!({"id": "dp_2", "amount": 2500, "currency": "usd", "payment_intent": "pi_1", "status": "needs_response"}),
    )
    .await
    .done();
    till.tell(
        "charge.dispute.closed",
        &json!({"id": "dp_2", "amount": 2500, "currency": "usd", "payment_intent": "pi_1", "status": "lost"}),
    )
    .await
    .done();
    assert_eq!(till.wallet().await, (0.0, 0.0));
    till.verified().await;
}

#[tokio::test]
async fn words_that_we_do_not_know_are_taken_and_change_nothing() {
    let till = Till::open().await;
    let before = till.world.control.books().await;
    for kind in
        ["payment_intent.created", "invoice.paid", "charge.dispute.updated", "", "checkout.session.completed.v2"]
    {
        till.tell(kind, &json!({"id": 7})).await.done();
    }
    assert_eq!(till.world.control.books().await, before);
}

/// Whoever signed up has one server until money came in and stayed.
#[tokio::test]
async fn the_first_top_up_opens_the_second_server_and_one_that_goes_back_closes_it() {
    let till = Till::open().await;
    till.world.control.host("host-1").await;
    let ada = TestCustomer { account: till.account.parse().unwrap(), key: Secret::new(String::new()) };
    let most = async || {
        let shown = till.world.account(&till.cookie).await;
        shown.data()["limits"]["servers"]["max"].clone()
    };
    let gift = json!({"amount": "50.00", "reference": "ticket/1"});
    till.world.control.operator("POST", &format!("/accounts/{}/goodwill", ada.account)).json(&gift).send().await.done();
    assert_eq!(most().await, 1);
    till.credited().await;
    assert_eq!(most().await, 25);
    till.tell("charge.refunded", &till.charge(1000)).await.done();
    assert_eq!(most().await, 25, "a part of it stayed");
    till.tell("charge.dispute.created", &till.dispute("needs_response")).await.done();
    assert_eq!(most().await, 1);
    till.tell("charge.dispute.closed", &till.dispute("won")).await.done();
    assert_eq!(most().await, 25);
    till.tell("charge.refunded", &till.charge(2500)).await.done();
    assert_eq!(most().await, 1);
}
