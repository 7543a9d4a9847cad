//! `ledger verify` over the real store: what the product wrote agrees with itself, and what somebody else wrote is found.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../simulation/chance.rs"]
mod chance;
mod credited;
mod random;
mod tampered;
mod trade;

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

async fn explained(control: &TestControl, id: &str) -> (String, Vec<Value>) {
    let (mut lines, mut facts, mut after) = (Vec::new(), String::new(), String::new());
    loop {
        let part = control.operator("GET", &format!("/ledger/explain/{id}{after}")).send().await.data().clone();
        facts = if facts.is_empty() { part["facts"].to_string() } else { facts };
        lines.extend(part["lines"].as_array().unwrap().iter().cloned());
        if part["more"] == json!(false) {
            return (facts, lines);
        }
        after = format!("?after={}", lines.last().unwrap()["transfer"].as_str().unwrap());
    }
}

#[tokio::test]
async fn every_cent_of_an_account_and_of_a_server_is_told_in_words() {
    let (control, _host, customer) = traded().await;
    let (facts, lines) = explained(&control, &customer.account.to_string()).await;
    assert!(facts.contains("ada") && facts.contains("in the wallet: 36.10 USD"), "{facts}");
    let told: Vec<String> =
        lines.iter().map(|line| format!("{} {} {}", line["moved"], line["balance"], line["why"])).collect();
    let ordered = "\"the server was ordered: its first period\"";
    assert_eq!(
        told,
        [
            "\"+50.00\" \"50.00\" \"payment ada came in\"".to_owned(),
            format!("\"-6.95\" \"43.05\" {ordered}"),
            format!("\"-6.95\" \"36.10\" {ordered}"),
            "\"+6.95\" \"43.05\" \"the order did not run: exactly what it took goes back\"".to_owned(),
            format!("\"-6.95\" \"36.10\" {ordered}"),
        ]
    );
    let about: Vec<&str> = lines[2]["details"].as_array().unwrap().iter().filter_map(Value::as_str).collect();
    assert!(
        about[0].starts_with("server a (") && about[1].ends_with(": 6.95 paid, of which 6.95 were given back since")
    );
    let server = about[0].split(['(', ')']).nth(1).unwrap();
    let (facts, lines) = explained(&control, server).await;
    assert!(facts.contains("service destroyed") && lines.len() == 2, "{facts}");
    let nobody = control.operator("GET", "/ledger/explain/00000000-0000-7000-8000-000000000001").send().await;
    assert_eq!(nobody.status, 404);
}

#[tokio::test]
async fn a_long_history_is_explained_in_parts_without_a_gap() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    for payment in 0..1_001 {
        control.top_up(customer.account, "1", &format!("bank:{payment}")).await;
    }
    let (_, lines) = explained(&control, &customer.account.to_string()).await;
    let balances: Vec<String> = lines.iter().map(|line| line["balance"].as_str().unwrap().to_owned()).collect();
    assert_eq!(balances, (1..=1_001).map(|paid| format!("{paid}.00")).collect::<Vec<_>>());
}

/// Written to a file as well where the check with Beancount itself asks for it.
#[tokio::test]
async fn the_ledger_is_exported_whole_and_a_part_of_it_begins_with_what_was_there() {
    let (control, _host, customer) = traded().await;
    control.clock.advance(86_400);
    for payment in 0..3_000 {
        control.top_up(customer.account, "0.01", &format!("bank:{payment} \"=1\"\\")).await;
    }
    #[allow(clippy::disallowed_methods, reason = "a setting of the check, not of the product")]
    let keep = std::env::var_os("CSP_EXPORT_TO").map(std::path::PathBuf::from);
    for (name, query, transactions) in [
        ("whole", "", 3_005),
        ("from", "&from=2026-06-11", 3_001),
        ("to", "&to=2026-06-10", 5),
        ("empty", "&from=2026-07-01", 1),
    ] {
        let export = control.operator("GET", &format!("/ledger/export?format=beancount{query}")).send().await;
        assert_eq!((export.status.as_u16(), export.text.matches(" * \"").count()), (200, transactions), "{query}");
        if let Some(folder) = &keep {
            std::fs::write(folder.join(format!("{name}.beancount")), &export.text).unwrap();
        }
    }
    let csv = control.operator("GET", "/ledger/export?format=csv").send().await;
    assert_eq!(csv.text.lines().count(), 3_006);
    assert!(csv.text.contains("book:topups,wallet:"), "{}", &csv.text[..500]);
    for (query, field) in [
        ("", "format"),
        ("?format=xml", "format"),
        ("?format=csv&from=x", "from"),
        ("?format=csv&from=2026-06-02&to=2026-06-01", "to"),
        ("?format=csv&until=1", "until"),
    ] {
        let refused = control.operator("GET", &format!("/ledger/export{query}")).send().await;
        assert_eq!((refused.status.as_u16(), refused.fields()), (422, vec![field]), "{query}");
    }
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
        ("UPDATE paid_lines SET credited_cents = 5 WHERE id = 1", "line_use"),
        ("DELETE FROM paid_lines WHERE id = 1", "period_unpaid"),
        ("UPDATE servers SET paid_until = paid_until + 1 WHERE id = 1", "period_order"),
    ];
    let (control, _host, _) = traded().await;
    let whole = trade::Whole::of(&control);
    for (spoil, kind) in table {
        let found = whole.spoilt(spoil).await;
        assert!(found.iter().any(|found| found.0 == kind), "{spoil}: {found:?}");
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
