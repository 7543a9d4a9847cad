//! What a server used in one step of a curve, or in one sample: sums of what moved and how long that was counted. Pure.
//!
//! Each group has a time of its own, since a host may know a server's processor time and not its disk's: a rate is taken
//! over the time in which it was counted, never over time in which nobody looked.

use csp_shared::{limits::SAMPLE_MS_MAX, sample::Sample};

/// The largest value of a field. A host may send what it likes; sums of these must stay far from the end of integers.
pub const VALUE_MAX: u64 = 1 << 60;

const MIB_KIB: f64 = 1024.0;
const MIB_BYTES: f64 = 1024.0 * 1024.0;

/// Sums, and levels at their highest.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[expect(missing_docs, reason = "as in Sample; `_ms` is how long the group was counted")]
pub struct Point {
    pub cpu_ms: u64,
    pub cpu_ns: u64,
    pub disk_ms: u64,
    pub read_bytes: u64,
    pub read_requests: u64,
    pub write_bytes: u64,
    pub write_requests: u64,
    pub network_ms: u64,
    pub received_bytes: u64,
    pub received_packets: u64,
    pub sent_bytes: u64,
    pub sent_packets: u64,
    pub assigned_kib: Option<u64>,
    pub resident_kib: Option<u64>,
    pub used_kib: Option<u64>,
    pub allocated_bytes: Option<u64>,
}

impl Point {
    /// All that a sample says; None when it tells of no time, or of more than a sample may.
    #[must_use]
    pub fn of(sample: &Sample) -> Option<Self> {
        if !(1..=SAMPLE_MS_MAX).contains(&sample.over_ms) {
            return None;
        }
        let ms = |known: bool| if known { u64::from(sample.over_ms) } else { 0 };
        let (disk, network) = (sample.disk.unwrap_or_default(), sample.network.unwrap_or_default());
        let point = Self {
            cpu_ms: ms(sample.cpu_ns.is_some()),
            cpu_ns: sample.cpu_ns.unwrap_or(0),
            disk_ms: ms(sample.disk.is_some()),
            read_bytes: disk.read_bytes,
            read_requests: disk.read_requests,
            write_bytes: disk.write_bytes,
            write_requests: disk.write_requests,
            network_ms: ms(sample.network.is_some()),
            received_bytes: network.received_bytes,
            received_packets: network.received_packets,
            sent_bytes: network.sent_bytes,
            sent_packets: network.sent_packets,
            assigned_kib: sample.memory.map(|memory| memory.assigned_kib),
            resident_kib: sample.memory.and_then(|memory| memory.resident_kib),
            used_kib: sample.memory.and_then(|memory| memory.used_kib),
            allocated_bytes: disk.allocated_bytes,
        };
        Some(point.map(|sum| sum.min(VALUE_MAX), |level| level.map(|level| level.min(VALUE_MAX))))
    }

    /// The same with every sum and every level changed.
    fn map(self, sum: impl Fn(u64) -> u64, level: impl Fn(Option<u64>) -> Option<u64>) -> Self {
        Self {
            cpu_ms: sum(self.cpu_ms),
            cpu_ns: sum(self.cpu_ns),
            disk_ms: sum(self.disk_ms),
            read_bytes: sum(self.read_bytes),
            read_requests: sum(self.read_requests),
            write_bytes: sum(self.write_bytes),
            write_requests: sum(self.write_requests),
            network_ms: sum(self.network_ms),
            received_bytes: sum(self.received_bytes),
            received_packets: sum(self.received_packets),
            sent_bytes: sum(self.sent_bytes),
            sent_packets: sum(self.sent_packets),
            assigned_kib: level(self.assigned_kib),
            resident_kib: level(self.resident_kib),
            used_kib: level(self.used_kib),
            allocated_bytes: level(self.allocated_bytes),
        }
    }

    /// What falls from `from` to `to` of something that was spread evenly over `all` milliseconds. Neighbouring parts sum
    /// up to the whole: each is the difference of two roundings that it shares with its neighbours.
    fn share(self, from: u64, to: u64, all: u64) -> Self {
        let until = |sum: u64, at: u64| {
            let part = u128::from(sum) * u128::from(at) / u128::from(all.max(1));
            u64::try_from(part).unwrap_or(u64::MAX)
        };
        self.map(|sum| until(sum, to) - until(sum, from), |level| level)
    }

    /// Cuts what was counted over the `over_ms` before `end` (in seconds since 1970) at the borders of steps. Levels
    /// stand in every part: they held about that long.
    #[must_use]
    pub fn cut(self, end: i64, over_ms: u32, step_s: i64) -> Vec<(i64, Self)> {
        let (step_ms, end_ms, over) = (step_s * 1000, end.saturating_mul(1000), i64::from(over_ms));
        let begin_ms = end_ms.saturating_sub(over);
        let offset = |at_ms: i64| u64::try_from((at_ms - begin_ms).clamp(0, over)).unwrap_or(0);
        let mut parts = Vec::new();
        let mut at_ms = begin_ms.div_euclid(step_ms) * step_ms;
        while at_ms < end_ms {
            let next_ms = at_ms.saturating_add(step_ms);
            parts.push((at_ms / 1000, self.share(offset(at_ms), offset(next_ms), u64::from(over_ms))));
            at_ms = next_ms;
        }
        parts
    }
}

/// A point in the units of the API. None where nothing was counted.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[expect(missing_docs, reason = "named after the API's fields")]
pub struct Measured {
    pub cpu_percent: Option<f64>,
    pub memory_mb: Option<f64>,
    pub memory_used_mb: Option<f64>,
    pub memory_resident_mb: Option<f64>,
    pub disk_allocated_mb: Option<f64>,
    pub disk_read_bytes_per_s: Option<f64>,
    pub disk_write_bytes_per_s: Option<f64>,
    pub disk_read_requests_per_s: Option<f64>,
    pub disk_write_requests_per_s: Option<f64>,
    pub network_received_bytes_per_s: Option<f64>,
    pub network_sent_bytes_per_s: Option<f64>,
    pub network_received_packets_per_s: Option<f64>,
    pub network_sent_packets_per_s: Option<f64>,
}

impl From<&Point> for Measured {
    fn from(point: &Point) -> Self {
        let rate = |sum: u64, ms: u64| (ms > 0).then(|| rounded(sum as f64 * 1000.0 / ms as f64));
        let level = |level: Option<u64>, unit: f64| level.map(|level| rounded(level as f64 / unit));
        Self {
            // Nanoseconds in a millisecond are 10,000 times the percent.
            cpu_percent: (point.cpu_ms > 0).then(|| rounded(point.cpu_ns as f64 / 10_000.0 / point.cpu_ms as f64)),
            memory_mb: level(point.assigned_kib, MIB_KIB),
            memory_used_mb: level(point.used_kib, MIB_KIB),
            memory_resident_mb: level(point.resident_kib, MIB_KIB),
            disk_allocated_mb: level(point.allocated_bytes, MIB_BYTES),
            disk_read_bytes_per_s: rate(point.read_bytes, point.disk_ms),
            disk_write_bytes_per_s: rate(point.write_bytes, point.disk_ms),
            disk_read_requests_per_s: rate(point.read_requests, point.disk_ms),
            disk_write_requests_per_s: rate(point.write_requests, point.disk_ms),
            network_received_bytes_per_s: rate(point.received_bytes, point.network_ms),
            network_sent_bytes_per_s: rate(point.sent_bytes, point.network_ms),
            network_received_packets_per_s: rate(point.received_packets, point.network_ms),
            network_sent_packets_per_s: rate(point.sent_packets, point.network_ms),
        }
    }
}

/// To a tenth: more digits would say more than was measured.
fn rounded(number: f64) -> f64 {
    (number * 10.0).round() / 10.0
}
