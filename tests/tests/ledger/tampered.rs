//! A store with something of everything in it, and then one fact of it changed by somebody who can write into its file: the
//! check finds each, by name.

use csp_control::service::verify_ledger::verify_ledger;
use serde_json::json;

use super::trade::{Trade, Whole};

/// Orders with and without a promo code, one that was called off, packages up and down, an address that came and went,
/// renewals, a refund, and a dispute of each kind.
async fn traded() -> Trade {
    let trade = Trade::with(|_| ()).await;
    trade.control.top_up(trade.ada.account, "50.00", "second").await;
    let promoted = trade.order("promoted", "edge", Some("EDGE2")).await;
    let (up, down) = (trade.order("up", "starter", None).await, trade.order("down", "starter", None).await);
    trade.host.obey().await;
    let off = trade.order("off", "starter", Some("WELCOME")).await;
    trade.ask("POST", &format!("/servers/{off}/destroy"), json!({})).await;
    trade.days(5).await;
    trade.ask("POST", &format!("/servers/{up}/change-package"), json!({"package_slug": "edge"})).await;
    trade.ask("POST", &format!("/servers/{down}/change-package"), json!({"package_slug": "lite"})).await;
    let ip = trade.ask("POST", &format!("/servers/{promoted}/extra-ips"), json!({})).await;
    trade.days(5).await;
    let ip = format!("/servers/{promoted}/extra-ips/{}", ip.data()["uuid"].as_str().unwrap());
    trade.ask("DELETE", &ip, json!({})).await;
    trade.days(25).await;
    trade.operate("/refunds", json!({"payment": "ada", "reference": "re_1", "amount": "5.00"})).await;
    for (reference, outcome) in [("dp_won", Some("won")), ("dp_lost", Some("lost")), ("dp_open", None)] {
        trade.operate("/disputes", json!({"payment": "ada", "reference": reference, "amount": "10.00"})).await;
        if let Some(outcome) = outcome {
            trade.operate("/disputes/close", json!({"reference": reference, "outcome": outcome})).await;
        }
    }
    trade
}

/// A charge for a server and all that follows from it, as if it had been a cent.
fn for_a_cent(cause: &str, hostname: &str) -> String {
    format!(
        "CREATE TEMP TABLE it AS SELECT t.id, t.amount_cents - 1 AS less FROM transfers t \
         JOIN servers s ON s.id = t.server_id WHERE t.cause = '{cause}' AND s.hostname = '{hostname}'; \
         UPDATE transfers SET balance_after_cents = balance_after_cents + (SELECT less FROM it) \
         WHERE balance_after_cents IS NOT NULL AND id >= (SELECT id FROM it); \
         UPDATE transfers SET amount_cents = 1 WHERE id = (SELECT id FROM it); \
         UPDATE paid_lines SET price_cents = 1, net_price_cents = 1, kept_cents = 1, list_cents = 1, net_cents = 1 \
         WHERE transfer_id = (SELECT id FROM it); \
         UPDATE accounts SET balance_cents = balance_cents + (SELECT less FROM it)"
    )
}

const INVENTED_DISCOUNT: &str = "INSERT INTO transfers (uuid, from_book, to_book, amount_cents, cause, cause_key, server_id, \
    description, created_at) SELECT '0192f0c1-0000-7000-8000-000000000001', 'promotions', 'revenue', 5, 'promotion', \
    'discount/' || uuid || '/0', id, '', created_at FROM servers WHERE hostname = 'up'";

#[tokio::test]
async fn every_fact_that_has_a_second_witness_is_missed_when_it_is_changed() {
    let trade = traded().await;
    let clean = verify_ledger(&trade.control.app.store).await.unwrap();
    assert_eq!(clean.differences, []);
    let table = [
        ("DELETE FROM transfers WHERE cause_key LIKE 'discount/%/1'", "discount"),
        ("UPDATE transfers SET amount_cents = 199 WHERE cause_key LIKE 'discount/%/1'", "discount"),
        (INVENTED_DISCOUNT, "discount"),
        ("UPDATE transfers SET cause_key = cause_key || '7' WHERE cause_key LIKE 'discount/%/1'", "discount"),
        ("DELETE FROM transfers WHERE cause_key LIKE 'reversal/discount/%'", "discount"),
        ("UPDATE paid_lines SET list_cents = list_cents + 1 WHERE id = 2", "line_price"),
        ("UPDATE paid_lines SET price_cents = price_cents + 1 WHERE id = 2", "line_price"),
        ("UPDATE paid_lines SET net_price_cents = net_price_cents - 1 WHERE id = 2", "line_price"),
        ("UPDATE paid_lines SET net_cents = net_cents - 1 WHERE id = 2", "charge_lines"),
        ("UPDATE paid_lines SET kept_cents = kept_cents - 1 WHERE id = 1", "line_use"),
        ("UPDATE paid_lines SET kept_cents = 0 WHERE id = 1", "line_use"),
        ("UPDATE paid_lines SET kept_cents = price_cents WHERE kept_cents BETWEEN 1 AND price_cents - 1", "line_use"),
        (
            "UPDATE paid_lines SET kept_cents = kept_cents - 9 WHERE kept_cents BETWEEN 1 AND price_cents - 1",
            "line_use",
        ),
        ("UPDATE paid_lines SET kept_cents = 0, ended_at = created_at + 77 WHERE id = 1", "line_use"),
        ("UPDATE paid_lines SET ended_at = NULL WHERE ended_at IS NOT NULL", "line_use"),
        ("UPDATE paid_lines SET ended_at = ended_at + 1 WHERE ended_at IS NOT NULL", "line_use"),
        ("UPDATE paid_lines SET from_at = from_at + 1 WHERE from_at IS NOT NULL", "line_time"),
        ("UPDATE paid_lines SET from_at = NULL WHERE from_at IS NOT NULL", "line_time"),
        ("UPDATE paid_lines SET created_at = created_at - 9 WHERE id = 1", "line_time"),
        ("UPDATE transfers SET created_at = created_at - 86400 WHERE id = 5", "time"),
        ("UPDATE transfers SET created_at = created_at + 86400 WHERE id = 5", "time"),
        ("DELETE FROM promo_uses", "promo_use"),
        ("UPDATE promo_uses SET amount_cents = 100 WHERE amount_cents = 200", "promo_use"),
        ("UPDATE promo_uses SET duration = 'first'", "promo_use"),
        (
            "INSERT INTO accounts (id, uuid, name, created_at) VALUES (9, '0192f0c1-0000-7000-8000-000000000009', 'b', 0); \
          UPDATE promo_uses SET account_id = 9",
            "promo_use",
        ),
        ("UPDATE servers SET service_status = 'destroyed' WHERE hostname = 'up'", "service"),
        ("UPDATE servers SET service_status = 'active' WHERE hostname = 'off'", "service"),
        ("UPDATE promo_uses SET released_at = 1 WHERE released_at IS NULL", "promo_use"),
        ("UPDATE promo_uses SET released_at = NULL", "promo_use"),
        ("DELETE FROM disputes WHERE reference = 'dp_open'", "dispute"),
        ("UPDATE disputes SET reference = 'dp_other' WHERE reference = 'dp_open'", "dispute"),
        ("UPDATE disputes SET amount_cents = amount_cents - 1 WHERE reference = 'dp_lost'", "dispute"),
        ("UPDATE disputes SET outcome = 'lost' WHERE reference = 'dp_won'", "dispute"),
        ("UPDATE disputes SET outcome = 'won' WHERE reference = 'dp_lost'", "dispute"),
        ("UPDATE disputes SET outcome = 'won', closed_at = opened_at WHERE reference = 'dp_open'", "dispute"),
        ("UPDATE disputes SET outcome = NULL, closed_at = NULL WHERE reference = 'dp_won'", "dispute"),
        ("UPDATE disputes SET opened_at = opened_at - 60", "dispute"),
        ("UPDATE disputes SET payment_id = (SELECT id FROM transfers WHERE cause_key = 'topup/second')", "dispute"),
        ("DELETE FROM transfers WHERE cause_key = 'dispute/dp_open'", "dispute"),
        ("INSERT INTO told_causes VALUES (99999, 'topup/invented')", "cause_key"),
        (
            "UPDATE transfers SET balance_after_cents = balance_after_cents - 5000 WHERE balance_after_cents IS NOT NULL \
             AND id > (SELECT id FROM transfers WHERE cause_key = 'topup/second'); \
             DELETE FROM transfers WHERE cause_key = 'topup/second'; \
             UPDATE accounts SET balance_cents = balance_cents - 5000",
            "cause_key",
        ),
        ("PRAGMA ignore_check_constraints = ON; UPDATE transfers SET to_book = 'revenue' WHERE id = 1", "sides"),
        (
            "PRAGMA ignore_check_constraints = ON; UPDATE transfers SET from_book = NULL, from_account_id = NULL WHERE id = 1",
            "sides",
        ),
        ("DELETE FROM accounts", "sides"),
        ("DELETE FROM servers WHERE hostname = 'up'", "cause_misfit"),
        ("DELETE FROM refunds", "refund"),
        ("UPDATE refunds SET amount_cents = amount_cents + 1", "refund"),
        ("UPDATE refunds SET amount_cents = 100000", "refund"),
        ("UPDATE refunds SET payment_id = (SELECT id FROM transfers WHERE cause_key = 'topup/second')", "refund"),
    ];
    let whole = Whole::of(&trade.control);
    for (spoil, kind) in table {
        let kinds = whole.spoilt(spoil).await;
        assert!(kinds.iter().any(|found| found.0 == kind), "{spoil}: {kinds:?}");
    }
    for (cause, kind) in [("renewal", "price"), ("change", "promise")] {
        let found = whole.spoilt(&for_a_cent(cause, "up")).await;
        assert!(found.len() == 1 && found[0].0 == kind, "all else agrees: {found:?}");
    }
}
