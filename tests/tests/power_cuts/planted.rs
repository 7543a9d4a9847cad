//! Faults that a use case could have, planted: `ledger verify` must see each of them, or it shows nothing where it is
//! silent elsewhere.

use csp_control::{
    domain::{
        ledger::{Book, Cause, Holder, Transfer},
        money::Cents,
    },
    service::verify_ledger::verify_ledger,
    store::{PostError, Tx},
};
use csp_shared::id::{ActionId, ServerId, TransferId};
use csp_tests::test_control::{TestControl, TestCustomer};
use serde_json::json;
use uuid::Uuid;

/// A server that was ordered with half its price taken off, and its owner; destroyed before it ran.
async fn refunded() -> (TestControl, TestCustomer, ServerId) {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a",
                       "promo_code": "WELCOME"});
    let ordered = control.api("POST", "/servers").by(&customer).json(&order).send().await;
    let server: ServerId = ordered.data()["uuid"].as_str().unwrap().parse().unwrap();
    let destroyed = control.api("POST", &format!("/servers/{server}/destroy")).by(&customer).send().await;
    assert_eq!(destroyed.status, 200, "{}", destroyed.text);
    assert_eq!(kinds(&control).await, Vec::<&str>::new());
    (control, customer, server)
}

async fn kinds(control: &TestControl) -> Vec<&'static str> {
    let verified = verify_ledger(&control.app.store).await.unwrap();
    verified.differences.iter().map(|difference| difference.kind.as_str()).collect()
}

async fn give_back(control: &TestControl, customer: &TestCustomer, server: ServerId, cause: Cause, cents: i64) {
    let transfer = Transfer {
        from: Holder::Book(Book::Revenue),
        to: Holder::Wallet(customer.account),
        amount: Cents::new(cents).unwrap(),
        cause,
        server: Some(server),
        description: "Refund".to_owned(),
    };
    let (draw, now) = (control.app.draw(), control.app.now());
    let post = move |tx: &mut Tx<'_>| tx.transfer_post(&transfer, TransferId(draw.clone().uuid(now)), now);
    control.app.store.write::<_, PostError>(post).await.unwrap();
}

#[tokio::test]
async fn a_refund_that_is_posted_again_under_another_key_is_found() {
    // Its own key would be refused; so a use case that does not use it is the fault.
    let other = Uuid::from_u128(7);
    for cause in [Cause::OrderReversal(ServerId(other)), Cause::DestroyCredit(ActionId(other))] {
        let (control, customer, server) = refunded().await;
        give_back(&control, &customer, server, cause, 347).await;
        let kinds = kinds(&control).await;
        assert!(kinds.contains(&"credits"), "{kinds:?}");
    }
}

#[tokio::test]
async fn a_refund_under_its_own_key_is_refused_the_second_time() {
    let (control, customer, server) = refunded().await;
    let before = control.books().await;
    let transfer = Transfer {
        from: Holder::Book(Book::Revenue),
        to: Holder::Wallet(customer.account),
        amount: Cents::new(347).unwrap(),
        cause: Cause::OrderReversal(server),
        server: Some(server),
        description: "Refund".to_owned(),
    };
    let now = control.app.now();
    let post = move |tx: &mut Tx<'_>| tx.transfer_post(&transfer, TransferId(Uuid::from_u128(9)), now);
    let refused = control.app.store.write::<_, PostError>(post).await;
    assert!(matches!(refused, Err(PostError::Twice(_))), "{refused:?}");
    assert_eq!(control.books().await, before);
}

#[tokio::test]
async fn a_credit_at_list_price_for_what_was_paid_with_a_discount_is_found() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a",
                       "promo_code": "WELCOME"});
    let ordered = control.api("POST", "/servers").by(&customer).json(&order).send().await;
    let server: ServerId = ordered.data()["uuid"].as_str().unwrap().parse().unwrap();
    host.obey().await;
    // The lines say what was paid, 3.47; the planted credit gives the list price, 6.95.
    let database = rusqlite::Connection::open(control.folder().join("control.db")).unwrap();
    database.execute_batch("UPDATE paid_lines SET credited_cents = net_cents").unwrap();
    give_back(&control, &customer, server, Cause::DestroyCredit(ActionId(Uuid::from_u128(7))), 695).await;
    assert_eq!(kinds(&control).await, ["line_use", "credits"]);
    // And a line takes no more back than was paid for it: the database refuses the other way to the same fault.
    let refused = database.execute_batch("UPDATE paid_lines SET credited_cents = list_cents");
    assert!(refused.is_err_and(|error| error.to_string().contains("CHECK")));
}
