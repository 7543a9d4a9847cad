//! Everything that gives something back, promised or paid, and then one credit of it changed, in one place or in all: the check
//! works each out again, so it finds each.

use csp_control::{
    domain::{billing::destroy::DestroyCredit, time::DAY},
    service::verify_ledger::verify_ledger,
};
use csp_shared::observed::FaultCode;
use rusqlite::Connection;
use serde_json::json;

use super::trade::{Trade, Whole};

/// A server that was destroyed with months ahead and a new address, one whose order was called off, packages up, down and
/// not had, addresses that left within a day, after it, under a lock, and for another server; a renewal; and of each kind
/// of promise one that still waits for its host.
async fn traded(policy: DestroyCredit) -> Trade {
    let trade = Trade::with(|settings| settings.billing.destroy_credit = policy).await;
    trade.control.top_up(trade.ada.account, "300.00", "second").await;
    trade
        .operate(&format!("/accounts/{}/goodwill", trade.ada.account), json!({"amount": "1.00", "reference": "g"}))
        .await;
    let off = trade.order("off", "starter", Some("WELCOME")).await;
    trade.ask("POST", &format!("/servers/{off}/destroy"), json!({})).await;
    let mut servers = Vec::new();
    for name in ["ended", "kept", "down", "up", "locked", "waits", "goes", "far"] {
        servers.push(trade.order(name, "starter", None).await);
    }
    let [ended, kept, down, up, locked, waits, goes, far] = &servers[..] else { unreachable!() };
    trade.host.obey().await;
    trade.ask("POST", &format!("/servers/{ended}/extend"), json!({"months": 2})).await;
    trade.ask("POST", &format!("/servers/{goes}/extend"), json!({"months": 2})).await;
    trade.add_ip(ended).await;
    let (first, second, third) = (trade.add_ip(goes).await, trade.add_ip(kept).await, trade.add_ip(locked).await);
    trade.add_ip(kept).await;
    trade.days(3).await;
    trade.add_ip(ended).await;
    trade.ask("POST", &format!("/servers/{down}/change-package"), json!({"package_slug": "lite"})).await;
    let young = trade.add_ip(up).await;
    trade.host.obey().await;
    trade.ask("DELETE", &young, json!({})).await;
    trade.host.obey().await;
    trade.ask("POST", &format!("/servers/{up}/change-package"), json!({"package_slug": "edge"})).await;
    trade.host.fail(FaultCode::HypervisorRefused).await;
    trade.host.obey().await;
    trade.ask("POST", &format!("/servers/{ended}/destroy"), json!({})).await;
    trade.operate(&format!("/servers/{locked}/lock"), json!({"reason": "operator", "note": "x"})).await;
    trade.ask("DELETE", &third, json!({})).await;
    trade.ask("POST", &format!("{first}/move"), json!({"target_server_uuid": up})).await;
    trade.host.obey().await;
    trade.days(31).await;
    trade.ask("DELETE", &second, json!({})).await;
    trade.ask("POST", &format!("/servers/{waits}/change-package"), json!({"package_slug": "lite"})).await;
    trade.ask("POST", &format!("/servers/{goes}/destroy"), json!({})).await;
    let moves = first.rsplit('/').next().unwrap();
    trade.ask("POST", &format!("/servers/{up}/extra-ips/{moves}/move"), json!({"target_server_uuid": far})).await;
    trade
}

/// A transfer that gave something back, and all that follows from it, as if it had been another amount.
fn gave(key: &str, by: i64) -> String {
    let action = match key.strip_prefix("reversal/order/") {
        Some(server) => format!(
            "(SELECT x.id FROM actions x JOIN servers s ON s.id = x.server_id WHERE s.uuid = '{server}' AND x.command = 'create')"
        ),
        None => format!("(SELECT id FROM actions WHERE uuid = '{}')", &key[key.len() - 36..]),
    };
    format!(
        "CREATE TEMP TABLE it AS SELECT id FROM transfers WHERE cause_key = '{key}'; \
         CREATE TEMP TABLE part AS SELECT c.id, c.line_id FROM line_credits c JOIN paid_lines l ON l.id = c.line_id \
         WHERE c.action_id = {action} AND c.amount_cents BETWEEN 1 AND l.net_cents - {by} \
         AND (c.basis <> 'whole' OR {by} < 0) LIMIT 1; \
         UPDATE transfers SET balance_after_cents = balance_after_cents + {by} \
         WHERE balance_after_cents IS NOT NULL AND id >= (SELECT id FROM it); \
         UPDATE accounts SET balance_cents = balance_cents + {by}; \
         UPDATE transfers SET amount_cents = amount_cents + {by} WHERE id = (SELECT id FROM it); \
         UPDATE line_credits SET amount_cents = amount_cents + {by} WHERE id = (SELECT id FROM part); \
         UPDATE paid_lines SET credited_cents = credited_cents + {by} WHERE id = (SELECT line_id FROM part)"
    )
}

fn kinds(found: &[(&'static str, String)]) -> Vec<&'static str> {
    found.iter().map(|(kind, _)| *kind).collect()
}

async fn every_changed_credit_is_found(policy: DestroyCredit) {
    let trade = traded(policy).await;
    assert_eq!(verify_ledger(&trade.control.app.store).await.unwrap().differences, []);
    let whole = Whole::of(&trade.control);
    let database = Connection::open(trade.control.folder().join("control.db")).unwrap();
    let all = |sql: &str| -> Vec<String> {
        let mut statement = database.prepare(sql).unwrap();
        statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
    };
    let gives_nothing = policy == DestroyCredit::None;
    let commands = all("SELECT DISTINCT x.command || (c.paid_at IS NULL) FROM line_credits c \
                        JOIN actions x ON x.id = c.action_id ORDER BY 1");
    let mut wanted = vec!["change_package0", "change_package1", "create0", "destroy0", "destroy1", "move_extra_ip0"];
    wanted.extend(["move_extra_ip1", "remove_extra_ip0", "remove_extra_ip1"]);
    wanted.retain(|command| !(gives_nothing && command.starts_with("destroy")));
    assert_eq!(commands, wanted);
    let keys =
        all("SELECT cause_key FROM transfers WHERE cause IN ('credit', 'reversal') AND to_account_id IS NOT NULL \
                    AND cause_key NOT LIKE 'credit/extra-ip-move/%'");
    assert!(keys.len() >= 4, "{keys:?}");
    for key in &keys {
        let found = whole.spoilt(&gave(key, -1)).await;
        assert!(!found.is_empty() && found.iter().all(|(kind, _)| *kind == "promise"), "{key}: {found:?}");
        // What is from before the check began is believed; this ledger began with it.
        for carried in [
            "UPDATE servers SET end_credit = 'carried' WHERE end_credit IS NOT NULL",
            "UPDATE line_credits SET action_id = NULL, basis = 'carried'",
            "INSERT INTO line_credits (line_id, basis, amount_cents, kept_cents, fixed_at, paid_at) \
             SELECT id, 'carried', 0, kept_cents, 4000000000, 4000000000 FROM paid_lines",
        ] {
            let found = whole.spoilt(&format!("{}; {carried}", gave(key, -1))).await;
            assert!(kinds(&found).contains(&"promise"), "{key}, {carried}: {found:?}");
        }
    }
    for command in wanted {
        let (command, waits) = command.split_at(command.len() - 1);
        let it = format!(
            "id IN (SELECT c.id FROM line_credits c JOIN actions x ON x.id = c.action_id WHERE x.command = '{command}' \
             AND (c.paid_at IS NULL) = {waits})"
        );
        for spoil in [
            format!("DELETE FROM line_credits WHERE {it}"),
            format!("UPDATE line_credits SET amount_cents = amount_cents + 1 WHERE {it}"),
            format!(
                "UPDATE line_credits SET amount_cents = 0, set_off_cents = 0, kept_cents = 0 WHERE {it}; \
                     UPDATE line_credits SET amount_cents = 1 WHERE {it} AND basis = 'locked'"
            ),
            format!("UPDATE line_credits SET kept_cents = kept_cents + 1 WHERE {it}"),
            format!("UPDATE line_credits SET fixed_at = fixed_at + 1 WHERE {it}"),
            format!("UPDATE line_credits SET paid_at = CASE WHEN paid_at IS NULL THEN fixed_at END WHERE {it}"),
            format!(
                "UPDATE line_credits SET action_id = (SELECT max(id) FROM actions WHERE command = 'create') WHERE {it}"
            ),
            format!("UPDATE line_credits SET set_off_cents = set_off_cents + 1 WHERE {it}"),
        ] {
            let found = whole.spoilt(&spoil).await;
            assert!(kinds(&found).contains(&"promise"), "{spoil}: {found:?}");
        }
    }
    let added = "INSERT INTO line_credits (line_id, action_id, basis, amount_cents, kept_cents, fixed_at) \
                 SELECT l.id, x.id, 'time', 1, 0, x.created_at FROM actions x JOIN periods p ON p.server_id = x.server_id \
                 JOIN paid_lines l ON l.period_id = p.id WHERE x.command = 'add_extra_ip' AND l.ended_at IS NULL LIMIT 1";
    assert_eq!(kinds(&whole.spoilt(added).await), ["promise", "promise"]);
    for other in ["none", "unstarted", "prorata", "lost"].into_iter().filter(|other| *other != policy.as_str()) {
        let other = format!("UPDATE servers SET end_credit = '{other}' WHERE hostname IN ('ended', 'goes')");
        assert!(kinds(&whole.spoilt(&other).await).contains(&"promise"), "{other}");
    }
}

#[tokio::test]
async fn a_changed_credit_is_found_where_a_destroyed_server_gives_nothing_back() {
    every_changed_credit_is_found(DestroyCredit::None).await;
}

#[tokio::test]
async fn a_changed_credit_is_found_where_months_ahead_come_back() {
    every_changed_credit_is_found(DestroyCredit::Unstarted).await;
}

#[tokio::test]
async fn a_changed_credit_is_found_where_all_unused_time_comes_back() {
    every_changed_credit_is_found(DestroyCredit::Prorata).await;
}

#[tokio::test]
async fn a_changed_credit_of_a_lost_host_is_found() {
    let trade = Trade::with(|_| ()).await;
    let (running, promised) =
        (trade.order("running", "starter", None).await, trade.order("gone", "starter", None).await);
    trade.order("never", "starter", None).await;
    trade.host.says(|seen| seen).await;
    trade.add_ip(&running).await;
    trade.ask("POST", &format!("/servers/{promised}/extend"), json!({"months": 1})).await;
    trade.host.obey().await;
    trade.ask("POST", &format!("/servers/{running}/change-package"), json!({"package_slug": "edge"})).await;
    trade.ask("POST", &format!("/servers/{promised}/destroy"), json!({})).await;
    trade.control.pass(DAY / 2, DAY / 2).await;
    trade.operate("/hosts/host-1/lost", json!({})).await;
    assert_eq!(verify_ledger(&trade.control.app.store).await.unwrap().differences, []);
    let whole = Whole::of(&trade.control);
    let database = Connection::open(trade.control.folder().join("control.db")).unwrap();
    let mut statement =
        database.prepare("SELECT cause_key FROM transfers WHERE cause IN ('credit', 'reversal')").unwrap();
    let keys: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect();
    assert!(keys.len() >= 3, "{keys:?}");
    for key in keys {
        let found = whole.spoilt(&gave(&key, -1)).await;
        assert!(!found.is_empty() && found.iter().all(|(kind, _)| *kind == "promise"), "{key}: {found:?}");
    }
}

#[tokio::test]
async fn a_line_of_another_address_or_request_is_found() {
    let trade = traded(DestroyCredit::Unstarted).await;
    let whole = Whole::of(&trade.control);
    let lines = "UPDATE paid_lines SET lease_id = (SELECT max(o.lease_id) FROM paid_lines o JOIN periods p \
                 ON p.id = o.period_id JOIN servers s ON s.id = p.server_id WHERE s.hostname = 'kept' \
                 AND o.lease_id <> paid_lines.lease_id)";
    let kept = "lease_id IS NOT NULL AND period_id IN (SELECT p.id FROM periods p JOIN servers s ON s.id = p.server_id \
                WHERE s.hostname = 'kept' AND p.ordinal";
    for (spoil, kind) in [
        (
            format!("{lines} WHERE id = (SELECT max(id) FROM paid_lines WHERE action_id IS NULL AND {kept} = 1))"),
            "line_cause",
        ),
        (format!("{lines} WHERE action_id IS NOT NULL AND {kept} = 0)"), "promise"),
        ("UPDATE paid_lines SET action_id = NULL WHERE action_id IS NOT NULL".to_owned(), "promise"),
        (
            format!(
                "UPDATE paid_lines SET action_id = (SELECT max(o.action_id) FROM paid_lines o WHERE {kept} = 0) AND \
                  o.action_id <> paid_lines.action_id) WHERE action_id IS NOT NULL AND {kept} = 0)"
            ),
            "promise",
        ),
        (
            "UPDATE paid_lines SET action_id = (SELECT max(id) FROM actions) WHERE action_id IS NOT NULL".to_owned(),
            "line_cause",
        ),
        ("UPDATE ip_changes SET lease_id = (SELECT min(lease_id) FROM ip_changes)".to_owned(), "promise"),
        ("DELETE FROM ip_changes WHERE let_go_at IS NULL".to_owned(), "promise"),
        ("UPDATE ip_changes SET let_go_at = NULL".to_owned(), "promise"),
    ] {
        let found = whole.spoilt(&spoil).await;
        assert!(kinds(&found).contains(&kind), "{spoil}: {found:?}");
    }
}

#[tokio::test]
async fn what_was_told_from_outside_is_known_in_a_second_place() {
    let trade = traded(DestroyCredit::Unstarted).await;
    let whole = Whole::of(&trade.control);
    for key in ["topup/second", "goodwill/g"] {
        for spoil in [
            format!("UPDATE transfers SET cause_key = cause_key || 'x' WHERE cause_key = '{key}'"),
            format!("UPDATE told_causes SET cause_key = cause_key || 'x' WHERE cause_key = '{key}'"),
            format!("DELETE FROM told_causes WHERE cause_key = '{key}'"),
        ] {
            assert_eq!(kinds(&whole.spoilt(&spoil).await), ["cause_key"], "{spoil}");
        }
    }
    let database = Connection::open(trade.control.folder().join("control.db")).unwrap();
    database.execute_batch("DROP TRIGGER transfers_are_final").unwrap();
    database.execute("UPDATE transfers SET cause_key = 'topup/x' WHERE cause_key = 'topup/second'", []).unwrap();
    let before = trade.control.books().await;
    let again = json!({"amount": "300.00", "reference": "second"});
    let path = format!("/accounts/{}/credits", trade.ada.account);
    let refused = trade.control.operator("POST", &path).json(&again).send().await;
    assert_eq!(refused.status.as_u16(), 500, "{}", refused.text);
    assert_eq!(trade.control.books().await, before, "a payment that is told again is not credited again");
}

/// A ledger as an older version left it: what was promised, and no more of credits than what the lines say.
#[tokio::test]
async fn what_came_back_before_credits_were_kept_is_held_against_its_sums() {
    let trade = traded(DestroyCredit::Prorata).await;
    let whole = Whole::of(&trade.control);
    let database = Connection::open(trade.control.folder().join("control.db")).unwrap();
    let version: i32 = database.pragma_query_value(None, "user_version", |row| row.get(0)).unwrap();
    let older = format!(
        "CREATE TABLE action_credits (action_id INTEGER NOT NULL REFERENCES actions (id), \
         line_id INTEGER NOT NULL REFERENCES paid_lines (id), amount_cents INTEGER NOT NULL, \
         kept_cents INTEGER NOT NULL, ends_at INTEGER NOT NULL, set_off_cents INTEGER NOT NULL DEFAULT 0, \
         PRIMARY KEY (action_id, line_id)) STRICT; \
         INSERT INTO action_credits SELECT action_id, line_id, amount_cents, kept_cents, fixed_at, set_off_cents \
         FROM line_credits WHERE paid_at IS NULL; \
         DROP TABLE line_credits; DROP TABLE told_causes; DROP TABLE ledger_carried; ALTER TABLE servers DROP COLUMN end_credit; \
         DROP TABLE ledger_marks; ALTER TABLE scheduler DROP COLUMN unmeasured; ALTER TABLE hosts DROP COLUMN stranger_at; PRAGMA user_version = {}",
        version - 8
    );
    assert_eq!(whole.spoilt(&older).await, []);
    let more = "UPDATE paid_lines SET credited_cents = credited_cents + 1 \
                WHERE id = (SELECT id FROM paid_lines WHERE credited_cents BETWEEN 1 AND net_cents - 1)";
    let found = whole.spoilt(&format!("{older}; {more}")).await;
    assert!(kinds(&found).contains(&"credits"), "{found:?}");
}

#[tokio::test]
async fn whatever_a_request_moved_is_explained_with_what_was_asked_for() {
    let trade = traded(DestroyCredit::Prorata).await;
    let path = format!("/ledger/explain/{}", trade.ada.account);
    let explained = trade.control.operator("GET", &path).send().await;
    let mut seen = 0;
    for line in explained.data()["lines"].as_array().unwrap() {
        let key = line["key"].as_str().unwrap();
        let is_by_action = ["change/", "extra-ip", "credit/"].iter().any(|part| key.contains(part));
        let is_told = line["details"].to_string().contains("asked for at 2026-");
        assert_eq!(is_told, is_by_action, "{line}");
        seen += usize::from(is_told);
    }
    assert!(seen >= 8, "{}", explained.text);
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_what_was_paid_or_given_back() {
    let trade = traded(DestroyCredit::Unstarted).await;
    let database = Connection::open(trade.control.folder().join("control.db")).unwrap();
    for sql in [
        "UPDATE paid_lines SET net_cents = 0",
        "UPDATE paid_lines SET lease_id = NULL",
        "DELETE FROM paid_lines",
        "UPDATE line_credits SET amount_cents = 0 WHERE paid_at IS NOT NULL",
        "UPDATE line_credits SET kept_cents = 0",
        "DELETE FROM line_credits",
        "UPDATE told_causes SET cause_key = 'x'",
        "DELETE FROM told_causes",
    ] {
        assert!(database.execute_batch(sql).is_err(), "{sql}");
    }
}
