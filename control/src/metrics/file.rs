//! Opens the file of the samples. It is worth nothing without its service and less than its service, so whatever is
//! wrong with it ends in a new one, and nothing that is wrong with it ends the program.

use std::{
    ffi::OsString,
    io,
    path::{Path, PathBuf},
    time::Duration,
};

use rusqlite::{Connection, ErrorCode};
use tracing::warn;

use super::table::{SCHEMA, VERSION};

/// `cspm`: tells this file from any other of SQLite.
const APPLICATION_ID: i32 = 0x6373_706d;
/// Pages after which the log is written back: then, and only then, the disk is asked to flush.
const CHECKPOINT_PAGES: i64 = 8000;
const STATEMENTS_CACHED: usize = 32;

/// Opens the file; puts aside what cannot be used and makes it anew.
pub(super) fn open(path: &Path) -> Result<Connection, rusqlite::Error> {
    match open_as_it_is(path) {
        Ok(connection) => Ok(connection),
        Err(why) if is_damage(&why) => {
            put_aside(path, &why);
            open_as_it_is(path)
        }
        Err(why) => Err(why),
    }
}

/// Whether the file itself is at fault, so that a new one would do better.
pub(super) fn is_damage(why: &rusqlite::Error) -> bool {
    match why {
        rusqlite::Error::SqliteFailure(failure, _) => {
            // `Unknown` is SQLite's plain error: a table or column that is not there.
            matches!(failure.code, ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown)
        }
        rusqlite::Error::FromSqlConversionFailure(..) | rusqlite::Error::InvalidColumnType(..) => true,
        _ => false,
    }
}

/// Renames the file, for whoever wants to look at it; the one put aside before goes.
pub(super) fn put_aside(path: &Path, why: &rusqlite::Error) {
    let aside = beside(path, ".damaged");
    let done = std::fs::rename(path, &aside);
    for log in ["-wal", "-shm"] {
        let _ = std::fs::remove_file(beside(path, log)); // mostly not there
    }
    match done {
        Ok(()) => {
            warn!(%why, file = %path.display(), aside = %aside.display(), "the samples' file cannot be used; made anew, curves begin now")
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            warn!(file = %path.display(), "the samples' file is gone; made anew, curves begin now");
        }
        Err(error) => warn!(%why, %error, file = %path.display(), "the samples' file cannot be used nor put aside"),
    }
}

fn beside(path: &Path, ending: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(ending);
    name.into()
}

fn open_as_it_is(path: &Path) -> Result<Connection, rusqlite::Error> {
    let mut connection = Connection::open(path)?;
    connection.busy_timeout(Duration::from_secs(1))?;
    connection.pragma_update_and_check(None, "journal_mode", "WAL", |_| Ok(()))?;
    connection.pragma_update(None, "synchronous", "NORMAL")?;
    connection.pragma_update(None, "trusted_schema", false)?;
    connection.pragma_update(None, "wal_autocheckpoint", CHECKPOINT_PAGES)?;
    connection.set_prepared_statement_cache_capacity(STATEMENTS_CACHED);
    let tx = connection.transaction()?;
    let tables: i64 = tx.query_row("SELECT count(*) FROM sqlite_schema", [], |row| row.get(0))?;
    if tables == 0 {
        tx.execute_batch(SCHEMA)?;
        tx.pragma_update(None, "application_id", APPLICATION_ID)?;
        tx.pragma_update(None, "user_version", VERSION)?;
    }
    let number = |name: &str| tx.pragma_query_value(None, name, |row| row.get::<_, i32>(0));
    if (number("application_id")?, number("user_version")?) != (APPLICATION_ID, VERSION) {
        let failure = rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_NOTADB);
        return Err(rusqlite::Error::SqliteFailure(failure, Some("it is of another program or version".to_owned())));
    }
    tx.commit()?;
    Ok(connection)
}
