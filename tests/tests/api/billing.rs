//! Money over time, through the API: extending and promo codes.

use csp_shared::observed::FaultCode;
use csp_tests::test_control::{EXAMPLE_CATALOG, TestControl, TestCustomer, TestHost};
use serde_json::{Value, json};

struct Rented {
    control: TestControl,
    host: TestHost,
    customer: TestCustomer,
    path: String,
}

fn order(package: &str, code: Option<&str>) -> Value {
    json!({"type": "vps", "package_slug": package, "os_image_key": "debian-12", "hostname": "web1", "promo_code": code})
}

/// A server that is online since noon, 2026-06-10.
async fn rented(dollars: &str, package: &str, code: Option<&str>) -> Rented {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", dollars).await;
    let reply = control.api("POST", "/servers").by(&customer).json(&order(package, code)).send().await;
    let path = format!("/servers/{}", reply.data()["uuid"].as_str().unwrap());
    host.obey().await;
    Rented { control, host, customer, path }
}

impl Rented {
    async fn show(&self) -> Value {
        self.control.api("GET", &self.path).by(&self.customer).send().await.data().clone()
    }

    async fn balance(&self) -> Value {
        self.control.api("GET", "/balance").by(&self.customer).send().await.data()["balance"].clone()
    }

    async fn extend(&self, body: &Value) -> csp_tests::test_control::Reply {
        let path = format!("{}/extend", self.path);
        self.control.api("POST", &path).by(&self.customer).json(body).send().await
    }
}

#[tokio::test]
async fn extending_pays_for_whole_months_from_the_end_of_what_is_paid() {
    let web = rented("100.00", "starter", None).await;
    let reply = web.extend(&json!({})).await;
    assert_eq!(reply.json["message"], json!("Service extended."));
    let data = reply.data();
    assert_eq!((&data["charged"], &data["balance"]), (&json!(6.95), &json!(86.10)));
    assert_eq!(data["billing_date"], json!("2026-08-10 12:00:00"));
    let reply = web.extend(&json!({"months": 3})).await;
    assert_eq!(reply.data()["charged"], json!(20.85));
    assert_eq!(web.show().await["billing_date"], json!("2026-11-10 12:00:00"));
    assert_eq!(web.balance().await, json!(65.25));

    let wallet = web.control.api("GET", "/transactions").by(&web.customer).send().await;
    let newest = &wallet.data()[0];
    assert_eq!(
        (&newest["type"], &newest["amount"]),
        (&json!("debit"), &json!(6.95)),
        "each month is a charge of its own"
    );
    assert_eq!(newest["description"], json!("Starter for web1, 2026-10-10 to 2026-11-10"));
}

#[tokio::test]
async fn a_refused_extension_says_why_and_changes_nothing() {
    let web = rented("20.00", "starter", None).await;
    let before = web.control.books().await;
    for months in [json!(0), json!(13), json!(1.5), json!("2"), json!(-1), json!(1e30), json!([])] {
        let reply = web.extend(&json!({"months": months})).await;
        assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec!["months"]), "{months}");
    }
    let poor = web.extend(&json!({"months": 2})).await;
    assert_eq!((poor.status.as_u16(), poor.code()), (402, "insufficient_balance"));
    assert!(poor.text.contains("0.85 USD short"), "{}", poor.text);
    web.control.top_up(web.customer.account, "500", "more").await;
    let books = web.control.books().await;
    assert_ne!(books, before);
    let now = web.control.app.now();
    web.control.begin_at(now.plus(-1));
    assert!(web.extend(&json!({"months": 12})).await.code() == "paid_too_far_ahead", "13 months and a second");
    assert_eq!(web.control.books().await, books);
    web.control.clock.advance(1);
    assert_eq!(web.extend(&json!({"months": 12})).await.status.as_u16(), 200);
    let far = web.extend(&json!({})).await;
    assert_eq!((far.status.as_u16(), far.code(), far.fields()), (409, "paid_too_far_ahead", vec!["months"]));
}

#[tokio::test]
async fn a_server_that_is_not_there_yet_cannot_be_extended() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "100").await;
    let reply = control.api("POST", "/servers").by(&customer).json(&order("starter", None)).send().await;
    let path = format!("/servers/{}/extend", reply.data()["uuid"].as_str().unwrap());
    let reply = control.api("POST", &path).by(&customer).send().await;
    assert_eq!((reply.status.as_u16(), reply.code()), (409, "server_busy"));
}

#[tokio::test]
async fn a_promo_code_takes_its_part_off_and_the_wallet_shows_the_net() {
    // Half of 6.95 is 3.475, rounded up to 3.48 off.
    let web = rented("3.47", "starter", Some("welcome")).await;
    assert_eq!(web.balance().await, json!(0.0));
    let renewal = web.show().await["renewal"].clone();
    assert_eq!((&renewal["total"], &renewal["discount"]), (&json!(6.95), &json!(0.0)), "the first month alone");

    let edge = rented("30.00", "edge", Some("EDGE2")).await;
    assert_eq!(edge.balance().await, json!(17.05));
    let renewal = edge.show().await["renewal"].clone();
    assert_eq!((&renewal["total"], &renewal["discount"]), (&json!(12.95), &json!(2.0)), "every month");
    let reply = edge.extend(&json!({})).await;
    assert_eq!((&reply.data()["charged"], &reply.data()["discount"]), (&json!(12.95), &json!(2.0)));
}

#[tokio::test]
async fn a_discount_for_every_month_rests_while_the_server_has_a_package_that_its_code_is_not_for() {
    let edge = rented("60.00", "edge", Some("EDGE2")).await;
    let change = async |package: &str| {
        let path = format!("{}/change-package", edge.path);
        let body = json!({"package_slug": package, "confirm_data_loss": true, "erase_confirmation": "ERASE"});
        let reply = edge.control.api("POST", &path).by(&edge.customer).json(&body).send().await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
        edge.host.obey().await;
        edge.show().await["renewal"].clone()
    };
    let other = change("starter").await;
    assert_eq!((&other["total"], &other["discount"]), (&json!(6.95), &json!(0.0)));
    let reply = edge.extend(&json!({})).await;
    assert_eq!((&reply.data()["charged"], &reply.data()["discount"]), (&json!(6.95), &json!(0.0)));
    let back = change("edge").await;
    assert_eq!((&back["total"], &back["discount"]), (&json!(12.95), &json!(2.0)));
}

#[tokio::test]
async fn a_promo_code_is_used_as_often_as_it_may_be_and_a_failed_order_gives_it_back() {
    let catalog = EXAMPLE_CATALOG.replace("max_uses = 1000", "max_uses = 2");
    let control = TestControl::with_catalog(&catalog).await;
    let host = control.host("host-1").await;
    let send = async |customer: &TestCustomer| {
        control.api("POST", "/servers").by(customer).json(&order("starter", Some("WELCOME"))).send().await
    };
    let (ada, bob) = (control.customer("ada", "20").await, control.customer("bob", "20").await);
    let eve = control.customer("eve", "20").await;
    assert_eq!(send(&ada).await.status.as_u16(), 200);
    let again = send(&ada).await;
    assert_eq!((again.status.as_u16(), again.code(), again.fields()), (422, "promo_code_refused", vec!["promo_code"]));
    assert!(again.text.contains("your account has used"), "{}", again.text);
    assert_eq!(send(&bob).await.status.as_u16(), 200);
    assert!(send(&eve).await.text.contains("as often as it may be"));
    host.fail(FaultCode::ImageChecksum).await;
    for customer in [&ada, &bob] {
        let balance = control.api("GET", "/balance").by(customer).send().await;
        assert_eq!(balance.data()["balance"], json!(20.0), "exactly what was taken");
    }
    assert_eq!(send(&eve).await.status.as_u16(), 200, "two uses are free again");
}

#[tokio::test]
async fn the_wallet_says_on_which_day_it_runs_out() {
    let web = rented("20.00", "starter", None).await;
    let runs_out = || async {
        let wallet = web.control.api("GET", "/balance").by(&web.customer).send().await;
        wallet.data()["runs_out_on"].clone()
    };
    // 13.05 are left: one renewal of 6.95 is covered, the second is not.
    assert_eq!(runs_out().await, json!("2026-08-10 12:00:00"));
    web.control.top_up(web.customer.account, "0.85", "more").await;
    assert_eq!(runs_out().await, json!("2026-09-10 12:00:00"));
    let off = web.control.api("PATCH", &web.path).by(&web.customer).json(&json!({"auto_renew": false})).send().await;
    assert_eq!((off.status.as_u16(), runs_out().await), (200, json!(null)), "nothing renews by itself");
}
