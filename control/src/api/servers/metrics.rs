//! `GET /servers/{uuid}/metrics`, and the newest values that stand in a server's own answer.
//!
//! A curve comes in columns: the times once, and beside them one list a value, as plotting libraries take them. Where
//! nothing was measured stands null, so that a gap is a gap and not a line drawn across it.

use axum::extract::State;
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ServerPath, missing};
use crate::{
    api::{
        auth::{By, Reads},
        document::{
            schemas::{RangeText, RangeWord},
            tags,
        },
        envelope::{Answer, When},
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        query::Query,
        state::App,
    },
    domain::time::Time,
    metrics::{Curve, Latest, Measured, Range},
    store::StoreError,
};

/// The query of a curve.
#[derive(Debug, Deserialize, IntoParams)]
pub struct MetricsQuery {
    /// How far back: `1h` (the default) in steps of 15 seconds, `24h` of 5 minutes, `7d` of 30 minutes, `30d` of 2 hours.
    #[serde(default)]
    #[param(value_type = RangeText, inline, required = false)]
    range: Field<String>,
    #[serde(flatten)]
    #[param(ignore)]
    unknown: Unknown,
}

impl MetricsQuery {
    fn range(self) -> Result<Range, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let text = faults.optional("range", self.range);
        let range = text.map(|text| Range::parse(&text).ok_or("must be one of 1h, 24h, 7d and 30d"));
        let range = range.and_then(|range| faults.parsed(Code::ValidationFailed, "range", range));
        faults.into_result().map(|()| range.unwrap_or(Range::Hour))
    }
}

/// Show what a server used
///
/// Processor, memory, disk and network over a range that ends now, as columns to plot: `series` has one list for each
/// value, as long as `unix_s`. Null stands where nothing was measured: the server was off, or its host was not heard.
#[utoipa::path(get, path = "/servers/{uuid}/metrics", operation_id = "server_metrics", tag = tags::SERVERS)]
pub async fn metrics(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    ServerPath(server): ServerPath,
    Query(query): Query<MetricsQuery>,
) -> Result<Answer<CurveAnswer>, ApiError> {
    let (range, now) = (query.range()?, app.now());
    let view = app.store.read::<_, StoreError>(move |read| read.server_view(customer.account, server, now)).await?;
    view.ok_or_else(missing)?;
    let curve = app.metrics.curve(server, range, now).await;
    let curve = curve.map_err(|why| ApiError::caused(Code::Unavailable, why))?;
    Ok(Answer::data(CurveAnswer::new(&curve, now)))
}

/// What a server used over a range.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerMetrics)]
pub struct CurveAnswer {
    range: RangeWord,
    /// Length of a step, in seconds.
    #[schema(minimum = 1, example = 15)]
    step_s: u32,
    /// When the first step begins.
    from: When,
    /// Now; the last step is still under way.
    to: When,
    /// When each step begins, in seconds since 1970.
    #[schema(example = json!([1_781_092_785]))]
    unix_s: Vec<i64>,
    series: Series,
}

/// One list for each value, as long as `unix_s`; null where nothing was measured.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerMetricsSeries)]
struct Series {
    /// 100 is one processor, so a server with two can use 200. Work of the host for it counts too.
    #[schema(value_type = Vec<Option<f64>>, example = json!([12.5]))]
    cpu_percent: Column,
    /// Memory that it has, in MiB.
    #[schema(value_type = Vec<Option<f64>>, example = json!([2048.0]))]
    memory_mb: Column,
    /// The most that was in use in the step, in MiB, as the guest says; null when it has no balloon driver.
    #[schema(value_type = Vec<Option<f64>>, example = json!([812.4]))]
    memory_used_mb: Column,
    /// The most that it held of the host's memory, in MiB.
    #[schema(value_type = Vec<Option<f64>>, example = json!([1911.3]))]
    memory_resident_mb: Column,
    /// Room that its disk takes beside its image, in MiB.
    #[schema(value_type = Vec<Option<f64>>, example = json!([5120.0]))]
    disk_allocated_mb: Column,
    #[schema(value_type = Vec<Option<f64>>, example = json!([40960.0]))]
    disk_read_bytes_per_s: Column,
    #[schema(value_type = Vec<Option<f64>>, example = json!([81920.0]))]
    disk_write_bytes_per_s: Column,
    #[schema(value_type = Vec<Option<f64>>, example = json!([10.0]))]
    disk_read_requests_per_s: Column,
    #[schema(value_type = Vec<Option<f64>>, example = json!([20.0]))]
    disk_write_requests_per_s: Column,
    /// What came to the server, over all its adapters.
    #[schema(value_type = Vec<Option<f64>>, example = json!([125000.0]))]
    network_received_bytes_per_s: Column,
    /// What the server sent.
    #[schema(value_type = Vec<Option<f64>>, example = json!([250000.0]))]
    network_sent_bytes_per_s: Column,
    #[schema(value_type = Vec<Option<f64>>, example = json!([100.0]))]
    network_received_packets_per_s: Column,
    #[schema(value_type = Vec<Option<f64>>, example = json!([200.0]))]
    network_sent_packets_per_s: Column,
}

type Column = Vec<Option<f64>>;

impl CurveAnswer {
    fn new(curve: &Curve, now: Time) -> Self {
        let points: Vec<Measured> =
            curve.points.iter().map(|point| point.as_ref().map(Measured::from).unwrap_or_default()).collect();
        let column = |value: fn(&Measured) -> Option<f64>| points.iter().map(value).collect();
        Self {
            range: RangeWord(curve.range),
            step_s: u32::try_from(curve.range.step_s()).unwrap_or(u32::MAX),
            from: When(curve.from),
            to: When(now),
            unix_s: curve.range.begins(now).collect(),
            series: Series {
                cpu_percent: column(|m| m.cpu_percent),
                memory_mb: column(|m| m.memory_mb),
                memory_used_mb: column(|m| m.memory_used_mb),
                memory_resident_mb: column(|m| m.memory_resident_mb),
                disk_allocated_mb: column(|m| m.disk_allocated_mb),
                disk_read_bytes_per_s: column(|m| m.disk_read_bytes_per_s),
                disk_write_bytes_per_s: column(|m| m.disk_write_bytes_per_s),
                disk_read_requests_per_s: column(|m| m.disk_read_requests_per_s),
                disk_write_requests_per_s: column(|m| m.disk_write_requests_per_s),
                network_received_bytes_per_s: column(|m| m.network_received_bytes_per_s),
                network_sent_bytes_per_s: column(|m| m.network_sent_bytes_per_s),
                network_received_packets_per_s: column(|m| m.network_received_packets_per_s),
                network_sent_packets_per_s: column(|m| m.network_sent_packets_per_s),
            },
        }
    }
}

/// What a server used lately, each value as in the curves. Null when nothing was heard for 90 seconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = LatestMetrics)]
pub struct LatestAnswer {
    /// When it was heard.
    observed_at: When,
    /// How long ago that is, in seconds.
    #[schema(minimum = 0, example = 7)]
    age_s: i64,
    #[schema(required, example = 12.5)]
    cpu_percent: Option<f64>,
    #[schema(required, example = 2048.0)]
    memory_mb: Option<f64>,
    #[schema(required, example = 812.4)]
    memory_used_mb: Option<f64>,
    #[schema(required, example = 1911.3)]
    memory_resident_mb: Option<f64>,
    #[schema(required, example = 5120.0)]
    disk_allocated_mb: Option<f64>,
    #[schema(required, example = 40960.0)]
    disk_read_bytes_per_s: Option<f64>,
    #[schema(required, example = 81920.0)]
    disk_write_bytes_per_s: Option<f64>,
    #[schema(required, example = 10.0)]
    disk_read_requests_per_s: Option<f64>,
    #[schema(required, example = 20.0)]
    disk_write_requests_per_s: Option<f64>,
    #[schema(required, example = 125000.0)]
    network_received_bytes_per_s: Option<f64>,
    #[schema(required, example = 250000.0)]
    network_sent_bytes_per_s: Option<f64>,
    #[schema(required, example = 100.0)]
    network_received_packets_per_s: Option<f64>,
    #[schema(required, example = 200.0)]
    network_sent_packets_per_s: Option<f64>,
}

impl LatestAnswer {
    /// As of `now`.
    #[must_use]
    pub fn new(latest: Latest, now: Time) -> Self {
        let Latest { at, measured } = latest;
        Self {
            observed_at: When(at),
            age_s: now.0.saturating_sub(at.0).max(0),
            cpu_percent: measured.cpu_percent,
            memory_mb: measured.memory_mb,
            memory_used_mb: measured.memory_used_mb,
            memory_resident_mb: measured.memory_resident_mb,
            disk_allocated_mb: measured.disk_allocated_mb,
            disk_read_bytes_per_s: measured.disk_read_bytes_per_s,
            disk_write_bytes_per_s: measured.disk_write_bytes_per_s,
            disk_read_requests_per_s: measured.disk_read_requests_per_s,
            disk_write_requests_per_s: measured.disk_write_requests_per_s,
            network_received_bytes_per_s: measured.network_received_bytes_per_s,
            network_sent_bytes_per_s: measured.network_sent_bytes_per_s,
            network_received_packets_per_s: measured.network_received_packets_per_s,
            network_sent_packets_per_s: measured.network_sent_packets_per_s,
        }
    }
}
