//! The same rows by hand: the fewest statements that write them, one thread, no clients to answer, batches as large as there
//! are clients. What nobody who keeps these rows in SQLite could do faster by much.
//!
//! Alike are file, schema with its triggers and checks, pragmas, checkpoints, cached statements, and where ids come from.

use std::time::{Duration, Instant};

use csp_control::{
    clock::{Clock as _, SystemClock},
    entropy::{Entropy as _, SystemEntropy},
};
use rusqlite::{Connection, config::DbConfig, params};

use super::{Copied, WALLETS};

/// The engine puts no more into a transaction.
const BATCH_MAX: usize = 256;
/// Of a posting.
pub const STATEMENTS: usize = 4;

pub fn postings(copied: &Copied, clients: usize, length: Duration) -> f64 {
    let database = open(copied);
    let (begun, mut number) = (Instant::now(), 0_usize);
    while begun.elapsed() < length {
        number = batch(&database, clients, number);
    }
    number as f64 / begun.elapsed().as_secs_f64()
}

pub fn open(copied: &Copied) -> Connection {
    let database = Connection::open(&copied.path).unwrap();
    database.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    database.pragma_update(None, "synchronous", "FULL").unwrap();
    database.pragma_update(None, "foreign_keys", true).unwrap();
    database.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true).unwrap();
    database.pragma_update(None, "trusted_schema", false).unwrap();
    database.pragma_update(None, "wal_autocheckpoint", 8000).unwrap();
    database.set_prepared_statement_cache_capacity(256);
    database
}

/// One transaction, from a number on; answers the next number.
pub fn batch(database: &Connection, clients: usize, number: usize) -> usize {
    let end = number + clients.min(BATCH_MAX);
    database.prepare_cached("BEGIN IMMEDIATE").unwrap().execute([]).unwrap();
    for number in number..end {
        post(database, number);
    }
    database.prepare_cached("COMMIT").unwrap().execute([]).unwrap();
    end
}

fn post(database: &Connection, number: usize) {
    let (wallet, now) = (i64::try_from(number % WALLETS + 1).unwrap(), SystemClock.now());
    let update = "UPDATE accounts SET balance_cents = balance_cents + 100, events_written = events_written + 1 \
                  WHERE id = ?1 RETURNING balance_cents, events_written";
    let mut update = database.prepare_cached(update).unwrap();
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let (balance, position): (i64, i64) = update.query_row([wallet], read).unwrap();
    let uuid = SystemEntropy.draw().uuid(now).to_string();
    let insert = "INSERT INTO transfers (uuid, from_book, to_account_id, amount_cents, cause, cause_key, description, \
                  balance_after_cents, created_at) VALUES (?1, 'topups', ?2, 100, 'topup', ?3, 'Wallet top-up', ?4, ?5)";
    let key = format!("topup/bench:{number}");
    database.prepare_cached(insert).unwrap().execute(params![uuid, wallet, key, balance, now.0]).unwrap();
    let told = "INSERT INTO told_causes (transfer_id, cause_key) VALUES (last_insert_rowid(), ?1)";
    database.prepare_cached(told).unwrap().execute([key]).unwrap();
    let event = "INSERT INTO events (account_id, position, kind, data, created_at) \
                 VALUES (?1, ?2, 'balance.credited', ?3, ?4)";
    let (whole, cents) = (balance / 100, balance % 100);
    let data = format!("{{\"amount\":1.00,\"balance\":{whole}.{cents:02},\"description\":\"Wallet top-up\"}}");
    database.prepare_cached(event).unwrap().execute(params![wallet, position, data, now.0]).unwrap();
}
