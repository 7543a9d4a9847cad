//! What the store promises: durable before it answers, refusals without a trace, rules kept by the database itself.

use std::path::PathBuf;

use csp_shared::id::{AccountId, ServerId, TransferId};
use uuid::Uuid;

use super::{PostError, Store, StoreError, Tx, connection};
use crate::domain::{
    label::Label,
    ledger::{Book, Cause, Holder, Transfer},
    money::Cents,
    time::Time,
};

const NOW: Time = Time(1_781_092_800);

struct Fresh {
    _folder: tempfile::TempDir,
    path: PathBuf,
}

fn fresh() -> Fresh {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("csp.sqlite");
    Fresh { _folder: folder, path }
}

fn account(number: u128) -> AccountId {
    AccountId(Uuid::from_u128(number))
}

fn open_account(tx: &mut Tx<'_>, number: u128) -> Result<(), StoreError> {
    tx.account_insert(account(number), &Label::parse("someone").unwrap(), None, NOW)
}

fn top_up(tx: &mut Tx<'_>, number: u128, cents: i64, reference: &str) -> Result<Cents, PostError> {
    top_up_at(tx, number, cents, reference, NOW)
}

fn top_up_at(tx: &mut Tx<'_>, number: u128, cents: i64, reference: &str, now: Time) -> Result<Cents, PostError> {
    let transfer = Transfer {
        from: Holder::Book(Book::TopUps),
        to: Holder::Wallet(account(number)),
        amount: Cents::new(cents).unwrap(),
        cause: Cause::TopUp { reference: reference.to_owned() },
        server: None,
        description: "Wallet top-up".to_owned(),
    };
    let id = TransferId(Uuid::from_u128(reference.len() as u128 + 1000 * number));
    tx.transfer_post(&transfer, id, now).map(|held| held.balance)
}

impl Tx<'_> {
    /// Puts a lock on a server or takes it off, as whatever locks servers will.
    pub(crate) fn server_lock(&mut self, server: ServerId, on: bool) -> Result<(), StoreError> {
        let server = self.key_of("servers", &server.to_string())?;
        let sql = if on {
            "INSERT INTO server_locks (server_id, reason, since) VALUES (?1, 'operator', 0)"
        } else {
            "DELETE FROM server_locks WHERE server_id = ?1"
        };
        self.run(sql, [server]).map(drop)
    }
}

#[tokio::test]
async fn a_rehearsal_answers_what_a_write_would_and_leaves_nothing_behind() {
    const NUMBER: u128 = 7;
    let fresh = fresh();
    for store in [Store::open(&fresh.path).unwrap(), Store::open_inline(&fresh.path).unwrap()] {
        let opened = |tx: &mut Tx<'_>| {
            open_account(tx, NUMBER)?;
            top_up(tx, NUMBER, 500, "r")
        };
        assert_eq!(store.rehearse(opened).await.unwrap(), Cents::new(500).unwrap());
        assert_eq!(
            store.rehearse(opened).await.unwrap(),
            Cents::new(500).unwrap(),
            "nothing of the first one is there"
        );
        let refused = store.rehearse(|tx| top_up(tx, NUMBER, 500, "r")).await;
        assert!(refused.is_err(), "no such account: what would be refused is");
        let found = store.read::<_, StoreError>(move |read| read.account_get(account(NUMBER))).await.unwrap();
        assert_eq!(found, None);
    }
}

#[test]
fn the_schema_is_the_sum_of_the_migrations() {
    let fresh = fresh();
    let connection = connection::open(&fresh.path).unwrap();
    let sql = "SELECT sql || ';' FROM sqlite_schema WHERE sql IS NOT NULL ORDER BY type, name";
    let mut statement = connection.prepare(sql).unwrap();
    let parts: Vec<String> = statement.query_map([], |row| row.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    insta::assert_snapshot!("schema", parts.join("\n\n"));
}

#[test]
fn a_ledger_of_before_billing_is_taken_over_whole() {
    let fresh = fresh();
    let old = rusqlite::Connection::open(&fresh.path).unwrap();
    old.execute_batch(&connection::MIGRATIONS[..3].join("\n")).unwrap();
    old.pragma_update(None, "application_id", connection::APPLICATION_ID).unwrap();
    old.pragma_update(None, "user_version", 3).unwrap();
    old.execute_batch(
        "PRAGMA foreign_keys = OFF; \
         INSERT INTO accounts (id, uuid, name, balance_cents, created_at) VALUES (1, 'a', 'someone', 5, 0); \
         INSERT INTO transfers (id, uuid, from_book, to_account_id, amount_cents, cause, cause_key, description, \
         balance_after_cents, created_at) VALUES (7, 't', 'topups', 1, 5, 'topup', 'topup/1', 'Wallet top-up', 5, 0);",
    )
    .unwrap();
    drop(old);
    let new = connection::open(&fresh.path).unwrap();
    let row: (i64, i64) =
        new.query_row("SELECT id, balance_after_cents FROM transfers", [], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
    assert_eq!(row, (7, 5));
    assert!(new.pragma_query_value(None, "foreign_keys", |r| r.get::<_, bool>(0)).unwrap(), "they are kept again");
    for sin in ["UPDATE transfers SET amount_cents = 6", "DELETE FROM transfers"] {
        assert!(new.execute_batch(sin).unwrap_err().to_string().contains("post a correction"), "{sin}");
    }
}

#[tokio::test]
async fn what_was_answered_is_there_after_a_restart() {
    let fresh = fresh();
    Store::open(&fresh.path).unwrap().write(|tx| open_account(tx, 1)).await.unwrap();
    let again = Store::open(&fresh.path).unwrap();
    let found = again.read(|read| read.account_get(account(1))).await.unwrap();
    assert_eq!(found.unwrap().balance, Cents::ZERO);
}

#[tokio::test]
async fn a_refusal_leaves_no_trace_and_its_neighbours_stay() {
    let fresh = fresh();
    let store = Store::open(&fresh.path).unwrap();
    let writes = (1..=50u128).map(|number| {
        let store = store.clone();
        tokio::spawn(async move {
            let refused = number % 2 == 0;
            store
                .write(move |tx| {
                    open_account(tx, number)?;
                    if refused { Err(StoreError::Damaged("refused".to_owned())) } else { Ok(()) }
                })
                .await
                .is_ok()
        })
    });
    let mut kept = 0;
    for write in writes.collect::<Vec<_>>() {
        kept += usize::from(write.await.unwrap());
    }
    let stored = store.read(|r| r.account_list()).await.unwrap().len();
    assert_eq!((kept, stored), (25, 25));
}

#[tokio::test]
async fn a_panicking_use_case_harms_nobody_else() {
    let fresh = fresh();
    let store = Store::open(&fresh.path).unwrap();
    let answer = store
        .write(|tx| -> Result<(), StoreError> {
            open_account(tx, 1)?;
            panic!("a bug");
        })
        .await;
    assert!(matches!(answer, Err(StoreError::Panicked)));
    store.write(|tx| open_account(tx, 2)).await.unwrap();
    assert_eq!(store.read(|r| r.account_list()).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_closure_that_loses_the_transaction_costs_the_others_nothing() {
    let fresh = fresh();
    let store = Store::open(&fresh.path).unwrap();
    // A slow first job makes the others one batch.
    let slow = store.clone();
    let first = tokio::spawn(async move {
        slow.write(|_| -> Result<(), StoreError> {
            std::thread::sleep(std::time::Duration::from_millis(100));
            Ok(())
        })
        .await
    });
    tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    let (one, bad, two) = tokio::join!(
        store.write(|tx| open_account(tx, 1)),
        store.write(|tx| -> Result<(), StoreError> {
            tx.run("ROLLBACK", []).map(drop)?;
            Ok(())
        }),
        store.write(|tx| open_account(tx, 2)),
    );
    first.await.unwrap().unwrap();
    assert!(one.is_ok() && two.is_ok());
    assert!(matches!(bad, Err(StoreError::NotDurable(_))));
    assert_eq!(store.read(|r| r.account_list()).await.unwrap().len(), 2);
}

#[tokio::test]
async fn the_ledger_takes_each_cause_once_and_never_overdraws() {
    let fresh = fresh();
    let store = Store::open_inline(&fresh.path).unwrap();
    store.write(|tx| open_account(tx, 1)).await.unwrap();
    let balance = store.write(|tx| top_up(tx, 1, 500, "a")).await.unwrap();
    assert_eq!(balance.get(), 500);
    assert!(matches!(store.write(|tx| top_up(tx, 1, 500, "a")).await, Err(PostError::Twice(_))));
    let spend = |cents| {
        move |tx: &mut Tx<'_>| {
            let transfer = Transfer {
                from: Holder::Wallet(account(1)),
                to: Holder::Book(Book::Revenue),
                amount: Cents::new(cents).unwrap(),
                cause: Cause::TopUp { reference: format!("spend {cents}") },
                server: None,
                description: String::new(),
            };
            tx.transfer_post(&transfer, TransferId(Uuid::from_u128(cents as u128)), NOW).map(|held| held.balance)
        }
    };
    let missing = store.write(spend(501)).await;
    assert!(matches!(missing, Err(PostError::Insufficient { missing }) if missing.get() == 1));
    assert_eq!(store.write(spend(500)).await.unwrap(), Cents::ZERO);
    assert_eq!(store.read(|r| r.ledger_differences()).await.unwrap(), []);
}

#[tokio::test]
async fn no_transfer_is_older_than_the_one_before_but_after_a_time_that_an_operator_did_not_believe() {
    let fresh = fresh();
    let store = Store::open_inline(&fresh.path).unwrap();
    store.write(|tx| open_account(tx, 1)).await.unwrap();
    let day = 86_400;
    for (reference, after) in [("a", 0), ("ab", -599), ("abc", 5), ("abcd", day), ("abcde", -400 * day), ("abcdef", 10)]
    {
        store.write(move |tx| top_up_at(tx, 1, 100, reference, NOW.plus(after))).await.unwrap();
    }
    store.write(|tx| tx.scheduler_resume(NOW)).await.unwrap();
    store.write(|tx| top_up_at(tx, 1, 100, "abcdefg", NOW.plus(20))).await.unwrap();
    store.write(|tx| tx.ledger_mark(NOW)).await.unwrap();
    for (reference, after) in [("abcdefgh", 30), ("abcdefghi", 20)] {
        store.write(move |tx| top_up_at(tx, 1, 100, reference, NOW.plus(after))).await.unwrap();
    }
    let sql = "SELECT created_at FROM transfers WHERE id BETWEEN 1 AND 9 ORDER BY id";
    let times = store.read(move |r| r.many(sql, [], |row| Ok(row.get::<_, i64>(0)?))).await.unwrap();
    assert_eq!(times, [0, 0, 5, day, day, day, day, 30, 30].map(|after| NOW.plus(after).0));
}

#[tokio::test]
async fn the_database_itself_refuses_to_change_the_past_or_to_overdraw() {
    let fresh = fresh();
    let store = Store::open_inline(&fresh.path).unwrap();
    store.write(|tx| open_account(tx, 1)).await.unwrap();
    store.write(|tx| top_up(tx, 1, 500, "a")).await.unwrap();
    let forbidden =
        ["UPDATE transfers SET amount_cents = 1", "DELETE FROM transfers", "UPDATE accounts SET balance_cents = -1"];
    for sql in forbidden {
        let refused = store.write(move |tx| tx.run(sql, [])).await;
        assert!(matches!(refused, Err(StoreError::Sqlite(_))), "{sql}");
    }
}

#[test]
fn what_is_no_database_of_csp_is_not_opened() {
    let foreign = fresh();
    rusqlite::Connection::open(&foreign.path).unwrap().execute_batch("CREATE TABLE theirs (x)").unwrap();
    assert!(matches!(Store::open(&foreign.path), Err(StoreError::NotOurs(_))));

    let garbage = fresh();
    std::fs::write(&garbage.path, "not a database, but long enough to be taken for one".repeat(100)).unwrap();
    let why = Store::open(&garbage.path).unwrap_err().to_string();
    assert!(why.contains("csp.sqlite") && !why.contains('\n'), "{why}");

    let newer = fresh();
    Store::open_inline(&newer.path).unwrap();
    rusqlite::Connection::open(&newer.path).unwrap().pragma_update(None, "user_version", 1000).unwrap();
    assert!(matches!(Store::open(&newer.path), Err(StoreError::Newer { found: 1000, .. })));

    let nowhere = fresh().path.join("missing/csp.sqlite");
    assert!(matches!(Store::open(&nowhere), Err(StoreError::Open { .. })));
}

/// Whoever adds a table says whether its owner gets a copy of it, and why not.
#[test]
fn every_table_is_part_of_an_accounts_copy_or_has_its_reason() {
    let folder = tempfile::tempdir().unwrap();
    let connection = super::connection::open(&folder.path().join("csp.sqlite")).unwrap();
    let mut names = connection.prepare("SELECT name FROM sqlite_schema WHERE type = 'table' ORDER BY name").unwrap();
    let names: Vec<String> = names.query_map([], |r| r.get(0)).unwrap().collect::<Result<_, _>>().unwrap();
    let names: Vec<&str> = names.iter().map(String::as_str).filter(|name| !name.starts_with("sqlite_")).collect();
    let mut told: Vec<&str> = super::EXPORTED.iter().chain(super::NOT_EXPORTED).map(|(name, _)| *name).collect();
    told.sort_unstable();
    assert_eq!(names, told);
}
