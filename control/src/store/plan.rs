//! Reads the plan of every statement before it runs for the first time: a table that grows with customers is searched by an
//! index, never read from end to end, unless the list below says why.
//!
//! Part of what is built for tests alone, and there of the one way to a statement (`row`), so no new one escapes: the first
//! test that runs it fails, with the plan. What is shipped has nothing of this.

use std::{
    collections::{HashMap, HashSet},
    sync::{LazyLock, Mutex, PoisonError},
};

use rusqlite::Connection;

/// Tables that grow with what the provider owns and sells, not with customers and their use.
const SMALL: [&str; 15] = [
    "store_state",
    "scheduler",
    "locations",
    "packages",
    "images",
    "address_pools",
    "private_ranges",
    "hosts",
    "join_tokens",
    "promo_codes",
    "operator_tokens",
    "orphans",
    "orphan_macs",
    "orphan_addresses",
    "addresses_aside",
];

/// Statements that read a whole table on purpose, by a part of their text.
const WHOLE: &[(&str, &str)] = &[
    ("FROM accounts ORDER BY id", "the operator's list of accounts, the ledger's check, and a notice to everybody"),
    ("FROM accounts a WHERE a.balance_cents <> moved", "at start, every balance is held against the ledger"),
    ("SELECT cause_key, id, uuid FROM transfers", "by its unique index, which a test of the ledger's check takes away"),
    ("FROM servers s JOIN accounts a ON a.id = s.account_id ORDER BY s.id", "the operator's list of servers"),
    (
        "WHERE s.service_status <> 'destroyed' OR p.state <> 'released' ORDER BY s.id DESC",
        "the operator's list of servers",
    ),
    (
        "SELECT s.uuid FROM servers s WHERE s.service_status <> 'destroyed'",
        "an hourly look at which curves are nobody's",
    ),
    (
        "JOIN servers s ON s.id = x.server_id WHERE x.status IN ('queued', 'running') ORDER BY x.id",
        "an audit's question",
    ),
    ("SELECT s.uuid, s.service_status, h.uuid, p.state, sp.body, o.body", "an audit's question"),
    ("WHERE l.state <> 'free' ORDER BY l.id", "an audit's question"),
    (
        "WHERE k.slug = ?1 AND s.service_status IN ('active', 'suspended') ORDER BY s.id",
        "the operator gives notice of a price",
    ),
    ("FROM disputes d JOIN accounts a", "the operator's list of disputes"),
    ("FROM disputes d JOIN accounts o", "the ledger's check"),
    ("FROM refunds r", "the ledger's check"),
    ("FROM told_causes k WHERE NOT EXISTS", "the ledger's check"),
    ("FROM ledger_carried", "one row at most"),
    ("WHERE n.state <> 'free' ORDER BY n.id", "the operator's list of private networks"),
    ("FROM network_objects o JOIN hosts h ON h.id = o.host_id ORDER BY o.host_id, o.id", "an audit's question"),
    ("ON l.id = n.location_id ORDER BY n.id DESC", "the operator's list of notices"),
    ("UPDATE idempotency_keys SET created_at = created_at + ?1", "the operator looked at the clock"),
    ("UPDATE server_locks SET since = since + ?1", "the operator looked at the clock"),
    ("UPDATE reminders SET told_at = told_at + ?1", "the operator looked at the clock"),
    #[cfg(test)]
    ("UPDATE accounts SET balance_cents = -1", "what a test sees refused"),
    #[cfg(test)]
    ("DELETE FROM transfers", "what a test sees refused"),
    #[cfg(test)]
    ("UPDATE transfers SET amount_cents = ", "what a test sees refused"),
    #[cfg(test)]
    ("ROLLBACK", "what a full disk does"),
];

/// Statements that were looked at in this process.
static SEEN: LazyLock<Mutex<HashSet<String>>> = LazyLock::new(Mutex::default);

/// Looks at a statement, once.
pub(super) fn look(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    if !SEEN.lock().unwrap_or_else(PoisonError::into_inner).insert(sql.to_owned()) {
        return Ok(());
    }
    let scanned = scanned(connection, sql)?;
    let reason = WHOLE.iter().any(|(part, _)| sql.contains(part));
    assert!(
        scanned.is_empty() || reason,
        "reads all of {scanned:?}; give it an index, or a reason in store/plan.rs:\n{sql}"
    );
    Ok(())
}

/// The growing tables that a statement reads from end to end.
fn scanned(connection: &Connection, sql: &str) -> rusqlite::Result<Vec<String>> {
    let mut plan = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}"))?;
    let mut rows = plan.raw_query();
    let (names, mut scanned) = (tables(sql), Vec::new());
    while let Some(row) = rows.next()? {
        let detail: String = row.get(3)?;
        // `SCAN s`, `SCAN servers USING COVERING INDEX …`; `SCAN CONSTANT ROW` and `SCAN (subquery-1)` read no table.
        let Some(rest) = detail.strip_prefix("SCAN ") else { continue };
        let (name, index) = (rest.split(' ').next(), rest.split(" INDEX ").nth(1));
        let Some(table) = name.and_then(|name| names.get(name)).filter(|table| !SMALL.contains(&table.as_str())) else {
            continue;
        };
        // A partial index holds what is open or waiting, and is there to be read whole.
        if !index.map(|index| is_partial(connection, index)).transpose()?.unwrap_or(false) {
            scanned.push(format!("{table} ({detail})"));
        }
    }
    Ok(scanned)
}

fn is_partial(connection: &Connection, index: &str) -> rusqlite::Result<bool> {
    let sql = "SELECT EXISTS (SELECT 1 FROM sqlite_schema WHERE type = 'index' AND name = ?1 AND sql LIKE '% WHERE %')";
    connection.query_row(sql, [index.split(' ').next()], |row| row.get(0))
}

/// What the tables of a statement are called in it.
fn tables(sql: &str) -> HashMap<String, String> {
    let spaced = sql.replace(['(', ')', ','], " ");
    let words: Vec<&str> = spaced.split_whitespace().collect();
    let mut names = HashMap::new();
    for pair in words.windows(2) {
        if let [word, table] = pair
            && ["FROM", "JOIN", "UPDATE", "INTO"].contains(word)
        {
            names.insert((*table).to_owned(), (*table).to_owned());
        }
    }
    for triple in words.windows(3) {
        if let [word, table, alias] = triple
            && ["FROM", "JOIN", "UPDATE", "INTO"].contains(word)
            && alias.chars().all(|c| c.is_ascii_lowercase())
        {
            names.insert((*alias).to_owned(), (*table).to_owned());
        }
    }
    names
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::connection;

    #[test]
    fn a_table_that_is_read_from_end_to_end_is_found_under_any_name() {
        let folder = tempfile::tempdir().unwrap();
        let connection = connection::open(&folder.path().join("csp.sqlite")).unwrap();
        let found = |sql: &str| scanned(&connection, sql).unwrap().len();
        for whole in [
            "SELECT uuid FROM servers WHERE failure_code = ?1",
            "SELECT s.uuid FROM accounts a JOIN servers s ON s.hostname = a.name WHERE a.uuid = ?1",
            "SELECT count(*) FROM transfers",
            "UPDATE servers SET ended_at = 1 WHERE failure_code = ?1",
            "DELETE FROM events WHERE kind = ?1",
            "SELECT 1 FROM accounts WHERE EXISTS (SELECT 1 FROM mails WHERE subject = name) AND uuid = ?1",
        ] {
            assert_eq!(found(whole), 1, "{whole}");
        }
        for good in [
            "SELECT uuid FROM servers WHERE uuid = ?1",
            "SELECT s.uuid FROM servers s WHERE s.account_id = (SELECT id FROM accounts WHERE uuid = ?1)",
            "SELECT slug FROM locations WHERE active = 1",
            "INSERT INTO accounts (uuid, name, created_at) VALUES (?1, ?2, ?3)",
        ] {
            assert_eq!(found(good), 0, "{good}");
        }
    }
}
