//! Small helpers between rows and types: one cached statement, one row, many rows, and values that must parse.

use std::str::FromStr;

use rusqlite::{CachedStatement, Connection, OptionalExtension, Params, Row};

use super::{Read, StoreError, Tx};
use crate::domain::{money::Cents, time::Time};

impl Read<'_> {
    /// The one way to a statement.
    fn statement(&self, sql: &str) -> Result<CachedStatement<'_>, StoreError> {
        #[cfg(debug_assertions)]
        super::plan::look(self.connection, sql)?;
        Ok(self.connection.prepare_cached(sql)?)
    }

    pub(super) fn one<T, P: Params>(
        &self,
        sql: &str,
        params: P,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<T, StoreError> {
        let mut statement = self.statement(sql)?;
        let mut rows = statement.query(params)?;
        read(rows.next()?.ok_or(rusqlite::Error::QueryReturnedNoRows)?)
    }

    pub(super) fn maybe<T, P: Params>(
        &self,
        sql: &str,
        params: P,
        read: impl FnOnce(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Option<T>, StoreError> {
        let mut statement = self.statement(sql)?;
        let mut rows = statement.query(params)?;
        rows.next()?.map(read).transpose()
    }

    pub(super) fn many<T, P: Params>(
        &self,
        sql: &str,
        params: P,
        mut read: impl FnMut(&Row<'_>) -> Result<T, StoreError>,
    ) -> Result<Vec<T>, StoreError> {
        let mut statement = self.statement(sql)?;
        let mut rows = statement.query(params)?;
        let mut all = Vec::new();
        while let Some(row) = rows.next()? {
            all.push(read(row)?);
        }
        Ok(all)
    }

    pub(super) fn count<P: Params>(&self, sql: &str, params: P) -> Result<u64, StoreError> {
        let number: i64 = self.one(sql, params, |row| Ok(row.get(0)?))?;
        u64::try_from(number).map_err(|_| StoreError::Damaged(format!("a count of {number}")))
    }

    /// The internal key of a row that must be there.
    pub(super) fn key_of(&self, table: &'static str, uuid: &str) -> Result<i64, StoreError> {
        let mut statement = self.statement(&format!("SELECT id FROM {table} WHERE uuid = ?1"))?;
        let key = statement.query_row([uuid], |row| row.get(0)).optional()?;
        key.ok_or_else(|| StoreError::Damaged(format!("no row {uuid} in {table}")))
    }
}

impl Tx<'_> {
    /// Runs a statement; answers how many rows it touched.
    pub(super) fn run<P: Params>(&self, sql: &str, params: P) -> Result<usize, StoreError> {
        Ok(self.statement(sql)?.execute(params)?)
    }

    /// Inserts a row; answers its internal key.
    pub(super) fn insert<P: Params>(&self, sql: &str, params: P) -> Result<i64, StoreError> {
        Ok(self.statement(sql)?.insert(params)?)
    }
}

/// Runs a statement about the transaction itself, kept prepared like any other.
pub(super) fn run(connection: &Connection, sql: &str) -> rusqlite::Result<()> {
    connection.prepare_cached(sql)?.execute([]).map(drop)
}

/// A text column that must parse.
pub(super) fn parsed<T: FromStr>(row: &Row<'_>, column: usize) -> Result<T, StoreError> {
    let text: String = row.get(column)?;
    text.parse().map_err(|_| StoreError::Damaged(text))
}

/// A text column that may be null and else must parse.
pub(super) fn parsed_maybe<T: FromStr>(row: &Row<'_>, column: usize) -> Result<Option<T>, StoreError> {
    let text: Option<String> = row.get(column)?;
    text.map(|text| text.parse().map_err(|_| StoreError::Damaged(text))).transpose()
}

/// A text column that must be one of a closed list.
pub(super) fn chosen<T>(row: &Row<'_>, column: usize, read: fn(&str) -> Option<T>) -> Result<T, StoreError> {
    let text: String = row.get(column)?;
    read(&text).ok_or(StoreError::Damaged(text))
}

/// A text column that must pass a domain type's own reader.
pub(super) fn checked<T, E>(row: &Row<'_>, column: usize, read: fn(&str) -> Result<T, E>) -> Result<T, StoreError> {
    let text: String = row.get(column)?;
    read(&text).map_err(|_| StoreError::Damaged(text))
}

/// A number column that must fit.
pub(super) fn number<T: TryFrom<i64>>(row: &Row<'_>, column: usize) -> Result<T, StoreError> {
    let number: i64 = row.get(column)?;
    T::try_from(number).map_err(|_| StoreError::Damaged(number.to_string()))
}

/// A number column that may be null and else must fit.
pub(super) fn number_maybe<T: TryFrom<i64>>(row: &Row<'_>, column: usize) -> Result<Option<T>, StoreError> {
    let number: Option<i64> = row.get(column)?;
    number.map(|number| T::try_from(number).map_err(|_| StoreError::Damaged(number.to_string()))).transpose()
}

/// A column of cents.
pub(super) fn cents(row: &Row<'_>, column: usize) -> Result<Cents, StoreError> {
    let number: i64 = row.get(column)?;
    Cents::new(number).map_err(|_| StoreError::Damaged(number.to_string()))
}

/// A column of time.
pub(super) fn time(row: &Row<'_>, column: usize) -> Result<Time, StoreError> {
    Ok(Time(row.get(column)?))
}

/// A column of time that may be null.
pub(super) fn time_maybe(row: &Row<'_>, column: usize) -> Result<Option<Time>, StoreError> {
    Ok(row.get::<_, Option<i64>>(column)?.map(Time))
}

/// A counter on its way into a column.
pub(super) fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
