//! `ledger verify` over the real store: what the product wrote agrees with itself, and what somebody else wrote is found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use csp_tests::test_control::{TestControl, TestCustomer, TestHost};
use rusqlite::Connection;
use serde_json::{Value, json};

async fn verify(control: &TestControl) -> Value {
    control.operator("GET", "/ledger/verify").send().await.data().clone()
}

async fn order(control: &TestControl, customer: &TestCustomer) -> String {
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a"});
    let ordered = control.api("POST", "/servers").by(customer).json(&order).send().await;
    ordered.data()["uuid"].as_str().unwrap().to_owned()
}

/// One server that runs, one that was destroyed before it ran, one that ran and was destroyed.
async fn traded() -> (TestControl, TestHost, TestCustomer) {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    order(&control, &customer).await;
    host.obey().await;
    for runs_first in [false, true] {
        let server = order(&control, &customer).await;
        if runs_first {
            host.obey().await;
        }
        let destroyed = control.api("POST", &format!("/servers/{server}/destroy")).by(&customer).send().await;
        assert_eq!(destroyed.status, 200, "{}", destroyed.text);
        host.obey().await;
    }
    (control, host, customer)
}

#[tokio::test]
async fn what_was_traded_is_recomputed_and_agrees() {
    let (control, _host, _) = traded().await;
    let verified = verify(&control).await;
    assert_eq!(verified["differences"], json!([]));
    assert_eq!((&verified["transfers"], &verified["wallets"]), (&json!(5), &json!(1)));
    assert_eq!((&verified["services"], &verified["periods"]), (&json!(3), &json!(3)));
    let books: Vec<&Value> = verified["books"].as_array().unwrap().iter().map(|book| &book["sum"]).collect();
    assert_eq!(books, [&json!("13.90"), &json!("-50.00")], "revenue of two periods, and what was paid in");
}

#[tokio::test]
async fn what_somebody_changed_behind_its_back_is_found() {
    let table = [
        ("UPDATE accounts SET balance_cents = balance_cents + 1", "balance"),
        ("UPDATE accounts SET owed_cents = 1", "owed"),
        ("UPDATE transfers SET amount_cents = amount_cents - 1 WHERE id = 2", "running_balance"),
        ("UPDATE transfers SET balance_after_cents = balance_after_cents + 1 WHERE id = 3", "running_balance"),
        ("DELETE FROM paid_lines; DELETE FROM transfers WHERE id = 1", "negative_balance"),
        ("UPDATE transfers SET cause_key = 'order/x' WHERE id = 2", "cause_key"),
        ("UPDATE transfers SET cause = 'topup' WHERE id = 2", "cause_misfit"),
        ("UPDATE transfers SET server_id = NULL WHERE id = 2", "cause_misfit"),
        ("UPDATE paid_lines SET net_cents = net_cents - 1 WHERE id = 1", "charge_lines"),
        ("UPDATE paid_lines SET transfer_id = NULL WHERE id = 1", "line_transfer"),
        ("UPDATE paid_lines SET credited_cents = 5 WHERE id = 1", "credits"),
        ("DELETE FROM paid_lines WHERE id = 1", "period_unpaid"),
        ("UPDATE servers SET paid_until = paid_until + 1 WHERE id = 1", "period_order"),
    ];
    let (control, _host, _) = traded().await;
    let database = Connection::open(control.folder().join("control.db")).unwrap();
    database.execute_batch("DROP TRIGGER transfers_are_final; DROP TRIGGER transfers_stay").unwrap();
    let whole = control.folder().join("whole.db");
    database.execute("VACUUM INTO ?1", [whole.to_str().unwrap()]).unwrap();
    for (spoil, kind) in table {
        let folder = tempfile::tempdir().unwrap();
        let spoilt = folder.path().join("control.db");
        std::fs::copy(&whole, &spoilt).unwrap();
        Connection::open(&spoilt).unwrap().execute_batch(spoil).unwrap();
        let store = csp_control::store::Store::open(&spoilt).unwrap();
        let verified = csp_control::service::verify_ledger::verify_ledger(&store).await.unwrap();
        let kinds: Vec<&str> = verified.differences.iter().map(|found| found.kind.as_str()).collect();
        assert!(kinds.contains(&kind), "{spoil}: {kinds:?}");
    }
}

/// The database refuses it, so the database is told to forget that it does.
#[tokio::test]
async fn a_cause_that_moved_money_twice_is_found() {
    let (control, _host, _) = traded().await;
    let folder = tempfile::tempdir().unwrap();
    let spoilt = folder.path().join("control.db");
    let database = Connection::open(control.folder().join("control.db")).unwrap();
    database.execute("VACUUM INTO ?1", [spoilt.to_str().unwrap()]).unwrap();
    let database = Connection::open(&spoilt).unwrap();
    let forget = "PRAGMA writable_schema = ON; \
                  UPDATE sqlite_schema SET sql = replace(sql, 'cause_key TEXT NOT NULL UNIQUE', 'cause_key TEXT NOT NULL') \
                  WHERE name = 'transfers'; \
                  DELETE FROM sqlite_schema WHERE name = 'sqlite_autoindex_transfers_2'; PRAGMA writable_schema = RESET";
    database.execute_batch(forget).unwrap();
    drop(database);
    let twice = "INSERT INTO transfers (uuid, from_book, to_account_id, amount_cents, cause, cause_key, description, \
                 balance_after_cents, created_at) SELECT '0192f0c1-0000-7000-8000-000000000001', from_book, to_account_id, \
                 amount_cents, cause, cause_key, description, balance_after_cents, created_at FROM transfers WHERE id = 1; \
                 UPDATE accounts SET balance_cents = balance_cents + 5000";
    Connection::open(&spoilt).unwrap().execute_batch(twice).unwrap();
    let store = csp_control::store::Store::open(&spoilt).unwrap();
    let verified = csp_control::service::verify_ledger::verify_ledger(&store).await.unwrap();
    let twice: Vec<_> = verified.differences.iter().filter(|found| found.kind.as_str() == "cause_twice").collect();
    assert!(twice.len() == 1 && twice[0].place.ends_with("topup/ada"), "{:?}", verified.differences);
}
