//! The one table, and the only SQL of metrics.
//!
//! Rows are keyed by step, time and server, in this order: the samples of a moment stand side by side, so that taking
//! them in touches few pages, and what is too old is one piece. A curve's steps are known, so each is looked up by key.

use std::collections::HashSet;

use csp_shared::id::ServerId;
use rusqlite::{Connection, OptionalExtension, Row, named_params};
use uuid::Uuid;

use super::{
    point::{Point, VALUE_MAX},
    range::{Curve, Range},
};
use crate::domain::time::{DAY, Time};

/// Changes with the table. A file of another version is made anew: what is in it is not worth a migration.
pub(super) const VERSION: i32 = 1;

pub(super) const SCHEMA: &str = "
CREATE TABLE points (
    step_s INTEGER NOT NULL,
    at INTEGER NOT NULL,
    server BLOB NOT NULL CHECK (length(server) = 16),
    cpu_ms INTEGER NOT NULL,
    cpu_ns INTEGER NOT NULL,
    disk_ms INTEGER NOT NULL,
    read_bytes INTEGER NOT NULL,
    read_requests INTEGER NOT NULL,
    write_bytes INTEGER NOT NULL,
    write_requests INTEGER NOT NULL,
    network_ms INTEGER NOT NULL,
    received_bytes INTEGER NOT NULL,
    received_packets INTEGER NOT NULL,
    sent_bytes INTEGER NOT NULL,
    sent_packets INTEGER NOT NULL,
    assigned_kib INTEGER,
    resident_kib INTEGER,
    used_kib INTEGER,
    allocated_bytes INTEGER,
    PRIMARY KEY (step_s, at, server)
) STRICT, WITHOUT ROWID;
";

const COLUMNS: &str = "cpu_ms, cpu_ns, disk_ms, read_bytes, read_requests, write_bytes, write_requests, network_ms, \
                       received_bytes, received_packets, sent_bytes, sent_packets, assigned_kib, resident_kib, used_kib, \
                       allocated_bytes";
const LEVELS: [&str; 4] = ["assigned_kib", "resident_kib", "used_kib", "allocated_bytes"];

/// The statement that adds a point to what its step holds already: sums grow up to their bound, levels rise.
fn add_sql() -> String {
    let names = || COLUMNS.split(", ");
    let values: Vec<String> = names().map(|name| format!(":{name}")).collect();
    let grown: Vec<String> = names()
        .map(|name| {
            if LEVELS.contains(&name) {
                format!("{name} = max(coalesce({name}, excluded.{name}), coalesce(excluded.{name}, {name}))")
            } else {
                format!("{name} = min({name} + excluded.{name}, {VALUE_MAX})")
            }
        })
        .collect();
    format!(
        "INSERT INTO points (step_s, at, server, {COLUMNS}) VALUES (:step_s, :at, :server, {}) \
         ON CONFLICT (step_s, at, server) DO UPDATE SET {}",
        values.join(", "),
        grown.join(", ")
    )
}

/// Adds samples that ended at `end`, each to every range.
pub(super) fn add(connection: &mut Connection, end: Time, samples: &[(ServerId, u32, Point)]) -> rusqlite::Result<()> {
    let tx = connection.transaction()?;
    {
        let mut add = tx.prepare_cached(&add_sql())?;
        for (server, over_ms, point) in samples {
            for step_s in Range::ALL.map(Range::step_s) {
                for (at, part) in point.cut(end.0, *over_ms, step_s) {
                    add.execute(named_params! {
                        ":step_s": step_s, ":at": at, ":server": server.0.as_bytes(),
                        ":cpu_ms": signed(part.cpu_ms), ":cpu_ns": signed(part.cpu_ns),
                        ":disk_ms": signed(part.disk_ms),
                        ":read_bytes": signed(part.read_bytes), ":read_requests": signed(part.read_requests),
                        ":write_bytes": signed(part.write_bytes), ":write_requests": signed(part.write_requests),
                        ":network_ms": signed(part.network_ms),
                        ":received_bytes": signed(part.received_bytes),
                        ":received_packets": signed(part.received_packets),
                        ":sent_bytes": signed(part.sent_bytes), ":sent_packets": signed(part.sent_packets),
                        ":assigned_kib": part.assigned_kib.map(signed), ":resident_kib": part.resident_kib.map(signed),
                        ":used_kib": part.used_kib.map(signed), ":allocated_bytes": part.allocated_bytes.map(signed),
                    })?;
                }
            }
        }
    }
    tx.commit()
}

/// A server's curve.
pub(super) fn curve(connection: &Connection, server: ServerId, range: Range, now: Time) -> rusqlite::Result<Curve> {
    let sql = format!("SELECT {COLUMNS} FROM points WHERE step_s = ?1 AND at = ?2 AND server = ?3");
    let mut one = connection.prepare_cached(&sql)?;
    let points = range.begins(now).map(|at| one.query_row((range.step_s(), at, server.0.as_bytes()), point).optional());
    Ok(Curve { range, from: Time(range.first(now)), points: points.collect::<rusqlite::Result<_>>()? })
}

/// Throws away what no curve shows any more, and what a clock that was wrong put into the future.
pub(super) fn prune(connection: &Connection, now: Time) -> rusqlite::Result<()> {
    let mut old = connection.prepare_cached("DELETE FROM points WHERE step_s = ?1 AND at < ?2")?;
    let mut ahead = connection.prepare_cached("DELETE FROM points WHERE step_s = ?1 AND at > ?2")?;
    for range in Range::ALL {
        old.execute((range.step_s(), range.first(now)))?;
        ahead.execute((range.step_s(), now.plus(DAY).0))?;
    }
    Ok(())
}

/// The servers that have points. Reads all of the widest range; for the start.
pub(super) fn servers(connection: &Connection) -> rusqlite::Result<HashSet<ServerId>> {
    let mut all = connection.prepare("SELECT DISTINCT server FROM points WHERE step_s = ?1")?;
    all.query_map([Range::Month.step_s()], |row| row.get(0).map(|bytes| ServerId(Uuid::from_bytes(bytes))))?.collect()
}

/// Throws away all of a server.
pub(super) fn forget(connection: &mut Connection, server: ServerId, now: Time) -> rusqlite::Result<()> {
    let tx = connection.transaction()?;
    {
        let mut one = tx.prepare_cached("DELETE FROM points WHERE step_s = ?1 AND at = ?2 AND server = ?3")?;
        for range in Range::ALL {
            // One step more on either side: what was not pruned yet, and what came while this waited.
            for step in -1..=range.steps() {
                one.execute((range.step_s(), range.first(now) + step * range.step_s(), server.0.as_bytes()))?;
            }
        }
    }
    tx.commit()
}

fn point(row: &Row<'_>) -> rusqlite::Result<Point> {
    let sum = |column| row.get::<_, i64>(column).map(i64::unsigned_abs);
    let level = |column| row.get::<_, Option<i64>>(column).map(|level| level.map(i64::unsigned_abs));
    Ok(Point {
        cpu_ms: sum(0)?,
        cpu_ns: sum(1)?,
        disk_ms: sum(2)?,
        read_bytes: sum(3)?,
        read_requests: sum(4)?,
        write_bytes: sum(5)?,
        write_requests: sum(6)?,
        network_ms: sum(7)?,
        received_bytes: sum(8)?,
        received_packets: sum(9)?,
        sent_bytes: sum(10)?,
        sent_packets: sum(11)?,
        assigned_kib: level(12)?,
        resident_kib: level(13)?,
        used_kib: level(14)?,
        allocated_bytes: level(15)?,
    })
}

/// Bounded by `VALUE_MAX`, so it fits.
fn signed(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}
