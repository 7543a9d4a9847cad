//! Curves as they come out, whatever went in and whatever happened to the file.

use std::path::PathBuf;

use csp_shared::{
    id::ServerId,
    sample::{DiskMoved, Memory, NetworkMoved, Sample},
};
use proptest::prelude::*;
use tempfile::TempDir;
use uuid::Uuid;

use super::*;
use crate::domain::time::{DAY, Time};

const NOON: Time = Time(1_781_092_800);

fn server(number: u128) -> ServerId {
    ServerId(Uuid::from_u128(number))
}

fn busy(server_number: u128, over_ms: u32, cpu_ns: u64) -> Sample {
    let server = server(server_number);
    Sample { server, over_ms, cpu_ns: Some(cpu_ns), memory: None, disk: None, network: None }
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("metrics.db");
    (folder, path)
}

fn percents(curve: &Curve) -> Vec<Option<f64>> {
    curve.points.iter().map(|point| point.as_ref().and_then(|point| Measured::from(point).cpu_percent)).collect()
}

#[tokio::test]
async fn a_curve_has_a_point_for_each_step_and_null_where_nothing_is_known() {
    let (_folder, path) = folder();
    let metrics = Metrics::open(&path);
    // Half a processor for a minute, a minute of silence, then a whole one until a moment ago.
    for second in (15..=60).step_by(15) {
        metrics.record(NOON.plus(second), &[busy(1, 15_000, 7_500_000_000)]);
    }
    for second in (135..=180).step_by(15) {
        metrics.record(NOON.plus(second), &[busy(1, 15_000, 15_000_000_000)]);
    }
    let now = NOON.plus(180);
    for range in Range::ALL {
        let curve = metrics.curve(server(1), range, now).await.unwrap();
        assert_eq!(curve.points.len() as i64, range.steps());
        assert!(curve.points.len() <= 360);
        let end = curve.from.plus(range.steps() * range.step_s());
        assert!(end > now && end.plus(-range.step_s()) <= now, "the last step is the one under way");
        let known = percents(&curve).into_iter().flatten().count();
        assert_eq!(known, if range == Range::Hour { 8 } else { 1 }, "{range:?}");
    }
    let hour = percents(&metrics.curve(server(1), Range::Hour, now).await.unwrap());
    let (half, whole, none) = (Some(50.0), Some(100.0), None);
    let shown = [half, half, half, half, none, none, none, none, whole, whole, whole, whole, none];
    assert_eq!(hour[hour.len() - shown.len()..], shown);
    let day = percents(&metrics.curve(server(1), Range::Day, now).await.unwrap());
    assert_eq!(day.last(), Some(&Some(75.0)), "over the time in which somebody looked");
    let other = metrics.curve(server(2), Range::Hour, now).await.unwrap();
    assert!(other.points.iter().all(Option::is_none), "another server's curve is empty");
}

#[tokio::test]
async fn samples_that_do_not_keep_step_with_the_curve_leave_no_holes() {
    let (_folder, path) = folder();
    let metrics = Metrics::open(&path);
    for second in (40..=600).step_by(40) {
        metrics.record(NOON.plus(second), &[busy(1, 40_000, 20_000_000_000)]);
    }
    let hour = percents(&metrics.curve(server(1), Range::Hour, NOON.plus(600)).await.unwrap());
    assert_eq!(hour[hour.len() - 41..hour.len() - 1], [Some(50.0); 40]);
}

#[tokio::test]
async fn each_thing_has_its_unit_and_levels_are_the_highest() {
    let (_folder, path) = folder();
    let metrics = Metrics::open(&path);
    let level = |used_kib| Some(Memory { assigned_kib: 2 << 20, resident_kib: Some(1 << 20), used_kib });
    let whole = Sample {
        memory: level(Some(512 << 10)),
        disk: Some(DiskMoved {
            read_bytes: 15_000,
            read_requests: 3,
            write_bytes: 30_000,
            write_requests: 6,
            allocated_bytes: Some(1 << 30),
        }),
        network: Some(NetworkMoved { received_bytes: 150, received_packets: 15, sent_bytes: 300, sent_packets: 30 }),
        ..busy(1, 15_000, 30_000_000_000)
    };
    metrics.record(NOON.plus(15), std::slice::from_ref(&whole));
    metrics.record(NOON.plus(30), &[Sample { memory: level(None), disk: None, ..whole.clone() }]);
    metrics.record(NOON.plus(45), &[Sample { memory: level(Some(256 << 10)), ..whole }]);
    let curve = metrics.curve(server(1), Range::Day, NOON.plus(45)).await.unwrap();
    let measured = Measured::from(&curve.points.last().unwrap().unwrap());
    let expected = Measured {
        cpu_percent: Some(200.0),
        memory_mb: Some(2048.0),
        memory_used_mb: Some(512.0),
        memory_resident_mb: Some(1024.0),
        disk_allocated_mb: Some(1024.0),
        disk_read_bytes_per_s: Some(1000.0),
        disk_write_bytes_per_s: Some(2000.0),
        disk_read_requests_per_s: Some(0.2),
        disk_write_requests_per_s: Some(0.4),
        network_received_bytes_per_s: Some(10.0),
        network_sent_bytes_per_s: Some(20.0),
        network_received_packets_per_s: Some(1.0),
        network_sent_packets_per_s: Some(2.0),
    };
    assert_eq!(measured, expected);
}

#[tokio::test]
async fn the_newest_values_are_there_until_they_are_old_and_without_a_file_too() {
    for metrics in [Metrics::without_history(), Metrics::open(&PathBuf::from("/nowhere/at/all/metrics.db"))] {
        metrics.record(NOON, &[busy(1, 10_000, 5_000_000_000)]);
        let latest = metrics.latest_of(server(1), NOON.plus(90)).unwrap();
        assert_eq!((latest.at, latest.measured.cpu_percent), (NOON, Some(50.0)));
        assert_eq!(metrics.latest_of(server(1), NOON.plus(91)), None);
        assert_eq!(metrics.curve(server(1), Range::Hour, NOON).await, Err(NoHistory));
    }
}

#[tokio::test]
async fn a_server_that_is_gone_is_forgotten_also_after_a_restart() {
    let (_folder, path) = folder();
    let rows = |path: &PathBuf, number: u128| -> i64 {
        let sql = "SELECT count(*) FROM points WHERE server = ?1";
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.query_row(sql, [server(number).0.as_bytes()], |row| row.get(0)).unwrap()
    };
    let metrics = Metrics::open(&path);
    for second in (0..1000).step_by(10) {
        metrics.record(NOON.plus(second), &[busy(1, 10_000, 1), busy(2, 10_000, 1), busy(3, 10_000, 1)]);
    }
    let now = NOON.plus(1000);
    metrics.keep_only([server(1), server(2)].into(), now);
    assert_eq!(metrics.latest_of(server(3), now), None);
    let points = metrics.curve(server(1), Range::Hour, now).await.unwrap().points;
    assert_eq!(points.iter().flatten().count(), 67);
    assert_eq!((rows(&path, 3), rows(&path, 2) > 60), (0, true));
    drop(metrics);
    let metrics = Metrics::open(&path);
    metrics.keep_only([server(1)].into(), now);
    let points = metrics.curve(server(1), Range::Hour, now).await.unwrap().points;
    assert_eq!(points.iter().flatten().count(), 67, "curves outlive the process");
    assert_eq!(rows(&path, 2), 0);
}

#[tokio::test]
async fn a_server_never_has_more_rows_than_its_curves_have_points() {
    let (_folder, path) = folder();
    let metrics = Metrics::open(&path);
    let hours = 32 * 24;
    for hour in 0..hours {
        metrics.record(NOON.plus(hour * 3600), &[busy(1, 120_000, 1)]);
        if hour % 100 == 0 {
            metrics.curve(server(1), Range::Hour, NOON).await.unwrap(); // lets the queue run empty
        }
    }
    metrics.curve(server(1), Range::Hour, NOON).await.unwrap();
    let rows = rusqlite::Connection::open(&path).unwrap();
    let rows: i64 = rows.query_row("SELECT count(*) FROM points", [], |row| row.get(0)).unwrap();
    assert!(rows > 360 && rows <= 240 + 288 + 336 + 360 + 4 * 9, "{rows}");
}

#[tokio::test]
async fn a_file_that_cannot_be_used_is_put_aside_and_made_anew() {
    let other_version = |path: &PathBuf| {
        drop(Metrics::open(path));
        let connection = rusqlite::Connection::open(path).unwrap();
        connection.execute_batch("CREATE TABLE points (a); PRAGMA user_version = 99").unwrap();
    };
    type Ruin<'a> = &'a dyn Fn(&PathBuf);
    let ruins: [(&str, Ruin<'_>); 3] = [
        ("no database", &|path| std::fs::write(path, b"hello".repeat(5000)).unwrap()),
        ("another version", &other_version),
        ("cut off", &|path| {
            other_version(path);
            let length = std::fs::metadata(path).unwrap().len();
            std::fs::File::options().write(true).open(path).unwrap().set_len(length / 2).unwrap();
        }),
    ];
    for (what, ruin) in ruins {
        let (folder, path) = folder();
        ruin(&path);
        let metrics = Metrics::open(&path);
        metrics.record(NOON, &[busy(1, 15_000, 1)]);
        let curve = metrics.curve(server(1), Range::Hour, NOON).await.unwrap_or_else(|why| panic!("{what}: {why}"));
        assert_eq!(curve.points.iter().flatten().count(), 1, "{what}");
        assert!(folder.path().join("metrics.db.damaged").exists(), "{what}");
    }
}

/// The file is overwritten under the running program.
#[tokio::test]
async fn damage_while_it_runs_costs_the_curves_and_nothing_else() {
    let (_folder, path) = folder();
    let metrics = Metrics::open(&path);
    metrics.record(NOON, &[busy(1, 15_000, 1)]);
    metrics.curve(server(1), Range::Hour, NOON).await.unwrap();
    rusqlite::Connection::open(&path).unwrap().execute_batch("DROP TABLE points").unwrap();
    let _ = metrics.curve(server(1), Range::Hour, NOON).await; // finds it
    metrics.record(NOON, &[busy(1, 15_000, 1)]);
    let curve = metrics.curve(server(1), Range::Hour, NOON).await.unwrap();
    assert_eq!(curve.points.iter().flatten().count(), 1);
}

fn any_sample() -> impl Strategy<Value = Sample> {
    let moved = any::<[u64; 4]>();
    let levels = (any::<u64>(), proptest::option::of(any::<u64>()), proptest::option::of(any::<u64>()));
    let (disk, network) = (proptest::option::of(moved), proptest::option::of(moved));
    (0u32..200_000, proptest::option::of(any::<u64>()), levels, disk, network).prop_map(
        |(over_ms, cpu_ns, (assigned_kib, resident_kib, used_kib), disk, network)| Sample {
            cpu_ns,
            memory: Some(Memory { assigned_kib, resident_kib, used_kib }),
            disk: disk.map(|[read_bytes, read_requests, write_bytes, write_requests]| DiskMoved {
                read_bytes,
                read_requests,
                write_bytes,
                write_requests,
                allocated_bytes: used_kib,
            }),
            network: network.map(|[received_bytes, received_packets, sent_bytes, sent_packets]| NetworkMoved {
                received_bytes,
                received_packets,
                sent_bytes,
                sent_packets,
            }),
            ..busy(1, over_ms, 0)
        },
    )
}

proptest! {
    /// Cutting loses nothing and invents nothing, wherever the borders fall.
    #[test]
    fn the_parts_of_a_sample_sum_up_to_it(sample in any_sample(), end in 0i64..4_000_000_000, step in 1i64..10_000) {
        let Some(point) = Point::of(&sample) else {
            prop_assert!(sample.over_ms == 0 || sample.over_ms > 120_000);
            return Ok(());
        };
        let parts = point.cut(end, sample.over_ms, step);
        prop_assert!(parts.len() as i64 <= 121_000 / (step * 1000) + 2);
        let sum = |field: fn(&Point) -> u64| parts.iter().map(|(_, part)| field(part)).sum::<u64>();
        prop_assert_eq!(sum(|p| p.cpu_ns), point.cpu_ns);
        prop_assert_eq!(sum(|p| p.cpu_ms), point.cpu_ms);
        prop_assert_eq!(sum(|p| p.sent_bytes), point.sent_bytes);
        prop_assert_eq!(sum(|p| p.read_requests), point.read_requests);
        for (at, part) in parts {
            prop_assert!(at.rem_euclid(step) == 0 && at < end && at + step > end - 121);
            prop_assert_eq!(part.used_kib, point.used_kib);
        }
    }
}

/// A host may say what it likes, as often as it likes: numbers stay numbers.
#[tokio::test]
async fn no_number_is_too_large() {
    let (_folder, path) = folder();
    let metrics = Metrics::open(&path);
    let huge = Sample {
        memory: Some(Memory { assigned_kib: u64::MAX, resident_kib: Some(u64::MAX), used_kib: None }),
        network: Some(NetworkMoved { received_bytes: u64::MAX, ..NetworkMoved::default() }),
        ..busy(1, 1, u64::MAX)
    };
    for _ in 0..100 {
        metrics.record(NOON, std::slice::from_ref(&huge));
    }
    let curve = metrics.curve(server(1), Range::Month, NOON.plus(DAY)).await.unwrap();
    let measured = Measured::from(&curve.points.into_iter().flatten().next().unwrap());
    let shown = [measured.cpu_percent, measured.memory_mb, measured.network_received_bytes_per_s];
    assert!(shown.iter().all(|number| number.is_some_and(|number| number.is_finite() && number > 0.0)), "{shown:?}");
}
