//! Opening the database: pragmas, migrations, and what refuses to be opened.

use std::{path::Path, time::Duration};

use rusqlite::{Connection, OpenFlags, config::DbConfig};

use super::StoreError;

/// `csp1`: tells a database of csp from any other file of SQLite.
pub(super) const APPLICATION_ID: i32 = 0x6373_7031;

/// Each step once, in order, never altered after a release. Their sum is `schema.sql`, which a test compares.
pub(super) const MIGRATIONS: &[&str] = &[
    include_str!("migrations/0001_first.sql"),
    include_str!("migrations/0002_console_tickets.sql"),
    include_str!("migrations/0003_customer_api.sql"),
    include_str!("migrations/0004_billing.sql"),
    include_str!("migrations/0005_payments.sql"),
    include_str!("migrations/0006_scheduler.sql"),
    include_str!("migrations/0007_guest_limits.sql"),
    include_str!("migrations/0008_indexes.sql"),
    include_str!("migrations/0009_host_status.sql"),
    include_str!("migrations/0010_reshape.sql"),
    include_str!("migrations/0011_void_by_change.sql"),
    include_str!("migrations/0012_hostname_nocase.sql"),
    include_str!("migrations/0013_orphans.sql"),
    include_str!("migrations/0014_host_says.sql"),
    include_str!("migrations/0015_net_limit.sql"),
    include_str!("migrations/0017_cpu_models.sql"),
    include_str!("migrations/0018_private_networks.sql"),
    include_str!("migrations/0020_extra_ips.sql"),
    include_str!("migrations/0021_share_links.sql"),
    include_str!("migrations/0022_ledger_check.sql"),
    include_str!("migrations/0023_promo_packages.sql"),
    include_str!("migrations/0024_people.sql"),
    include_str!("migrations/0027_second_factor.sql"),
    include_str!("migrations/0028_top_ups.sql"),
    include_str!("migrations/0029_traffic.sql"),
    include_str!("migrations/0030_closing.sql"),
    include_str!("migrations/0031_line_credits.sql"),
    include_str!("migrations/0032_carried.sql"),
    include_str!("migrations/0033_ledger_time.sql"),
    include_str!("migrations/0034_strangers.sql"),
    include_str!("migrations/0035_ledger_marks.sql"),
    include_str!("migrations/0036_sessions_of_consoles.sql"),
    include_str!("migrations/0037_final_marks.sql"),
    include_str!("migrations/0038_marks_again.sql"),
];

/// Statements kept prepared on a connection: an unprepared one costs half again as much (measured).
const STATEMENTS_CACHED: usize = 256;
/// Pages after which the log is written back; fewer made writes wait for it more often (measured).
const CHECKPOINT_PAGES: i64 = 8000;
/// Virtual machine steps after which a question is cut off: a long reader lets the log grow without bound.
const READ_STEPS_MAX: u64 = 200_000_000;
const READ_STEPS_BETWEEN_CHECKS: i32 = 100_000;

/// Opens for writing and migrates.
pub(super) fn open(path: &Path) -> Result<Connection, StoreError> {
    let mut connection = Connection::open(path).map_err(|why| StoreError::open(path, why))?;
    pragmas(&connection).map_err(|why| StoreError::open(path, why))?;
    migrate(&mut connection, path)?;
    Ok(connection)
}

/// Opens for reading beside the writer.
pub(super) fn open_reader(path: &Path) -> Result<Connection, StoreError> {
    let flags = OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let prepare = |connection: Connection| -> rusqlite::Result<Connection> {
        pragmas(&connection)?;
        connection.pragma_update(None, "query_only", true)?;
        Ok(connection)
    };
    Connection::open_with_flags(path, flags).and_then(prepare).map_err(|why| StoreError::open(path, why))
}

fn pragmas(connection: &Connection) -> rusqlite::Result<()> {
    connection.busy_timeout(Duration::from_secs(5))?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "FULL")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    // A plan is made once a statement. Without this, values that are bound to some statements make a new one each time.
    connection.set_db_config(DbConfig::SQLITE_DBCONFIG_ENABLE_QPSG, true)?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    Ok(())
}

fn migrate(connection: &mut Connection, path: &Path) -> Result<(), StoreError> {
    let fail = |why| StoreError::open(path, why);
    // A table that is built anew is dropped first, and its rows are still referred to. Looked at as a whole below.
    connection.pragma_update(None, "foreign_keys", false).map_err(fail)?;
    // IMMEDIATE: two programs that start together must not both migrate.
    let tx = connection.transaction_with_behavior(rusqlite::TransactionBehavior::Immediate).map_err(fail)?;
    let number = |name: &str| tx.pragma_query_value(None, name, |row| row.get::<_, i32>(0)).map_err(fail);
    let (application, version) = (number("application_id")?, number("user_version")?);
    let tables: i64 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0)).map_err(fail)?;
    if application != APPLICATION_ID && tables > 0 {
        return Err(StoreError::NotOurs(path.to_owned()));
    }
    let done = usize::try_from(version).unwrap_or(usize::MAX);
    if done > MIGRATIONS.len() {
        return Err(StoreError::Newer { path: path.to_owned(), found: version, known: MIGRATIONS.len() });
    }
    for step in MIGRATIONS.iter().skip(done) {
        tx.execute_batch(step).map_err(fail)?;
    }
    if done < MIGRATIONS.len() && tx.prepare("PRAGMA foreign_key_check").and_then(|mut s| s.exists([])).map_err(fail)? {
        return Err(StoreError::Damaged("rows that refer to nothing, after a migration".to_owned()));
    }
    tx.pragma_update(None, "application_id", APPLICATION_ID).map_err(fail)?;
    tx.pragma_update(None, "user_version", i32::try_from(MIGRATIONS.len()).unwrap_or(i32::MAX)).map_err(fail)?;
    tx.commit().map_err(fail)?;
    connection.pragma_update(None, "foreign_keys", true).map_err(fail)
}

/// Bounds the next question on this connection: it is cut off after so many steps.
pub(super) fn bound_read(connection: &mut Connection) -> rusqlite::Result<()> {
    let mut steps = 0;
    let count = move || {
        steps += u64::from(READ_STEPS_BETWEEN_CHECKS.unsigned_abs());
        steps > READ_STEPS_MAX
    };
    connection.progress_handler(READ_STEPS_BETWEEN_CHECKS, Some(count))
}
