//! The same rows by hand: the fewest statements that write them, one thread, no clients to answer, batches as large as the
//! engine's would be. What nobody who keeps these rows in SQLite could do faster by much.

use std::time::{Duration, Instant};

use rusqlite::{Connection, params};

use super::{Copied, WALLETS};

/// The engine puts no more into a transaction.
const BATCH_MAX: usize = 256;

pub fn postings(copied: &Copied, clients: usize, length: Duration) -> f64 {
    let database = Connection::open(&copied.path).unwrap();
    database.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(())).unwrap();
    for (name, value) in [("synchronous", "FULL"), ("foreign_keys", "ON"), ("wal_autocheckpoint", "8000")] {
        database.pragma_update_and_check(None, name, value, |_| Ok(())).or_else(ignore_silence).unwrap();
    }
    let (begun, mut number) = (Instant::now(), 0_usize);
    while begun.elapsed() < length {
        database.execute_batch("BEGIN IMMEDIATE").unwrap();
        for _ in 0..clients.min(BATCH_MAX) {
            post(&database, number);
            number += 1;
        }
        database.execute_batch("COMMIT").unwrap();
    }
    number as f64 / begun.elapsed().as_secs_f64()
}

/// A pragma that answers nothing has been set all the same.
fn ignore_silence(error: rusqlite::Error) -> rusqlite::Result<()> {
    if matches!(error, rusqlite::Error::QueryReturnedNoRows) { Ok(()) } else { Err(error) }
}

fn post(database: &Connection, number: usize) {
    let wallet = i64::try_from(number % WALLETS + 1).unwrap();
    let update = "UPDATE accounts SET balance_cents = balance_cents + 100, events_written = events_written + 1 \
                  WHERE id = ?1 RETURNING balance_cents, events_written";
    let mut update = database.prepare_cached(update).unwrap();
    let read = |row: &rusqlite::Row<'_>| Ok((row.get(0)?, row.get(1)?));
    let (balance, position): (i64, i64) = update.query_row([wallet], read).unwrap();
    let uuid = uuid::Uuid::from_u128(0x019e_b167_5600_7000_8000_0000_0000_0000 + number as u128).to_string();
    let insert = "INSERT INTO transfers (uuid, from_book, to_account_id, amount_cents, cause, cause_key, description, \
                  balance_after_cents, created_at) VALUES (?1, 'topups', ?2, 100, 'topup', ?3, 'Wallet top-up', ?4, ?5)";
    let key = format!("topup/bench:{number}");
    let row = params![uuid, wallet, key, balance, 1_781_092_800];
    database.prepare_cached(insert).unwrap().execute(row).unwrap();
    let event = "INSERT INTO events (account_id, position, kind, data, created_at) \
                 VALUES (?1, ?2, 'balance.credited', ?3, ?4)";
    let data = format!(
        "{{\"amount\":1.00,\"balance\":{}.{:02},\"description\":\"Wallet top-up\"}}",
        balance / 100,
        balance % 100
    );
    database.prepare_cached(event).unwrap().execute(params![wallet, position, data, 1_781_092_800]).unwrap();
}
