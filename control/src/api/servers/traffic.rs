//! `GET /servers/{uuid}/traffic`: what a server's public adapters carried, by months.

use axum::extract::State;
use csp_shared::sample::NetworkMoved;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ServerPath, missing};
use crate::{
    api::{
        auth::{By, Reads},
        document::{schemas::MonthText, tags},
        envelope::{Answer, When},
        error::ApiError,
        state::App,
    },
    domain::{month::Month, time::Time, traffic::Quota},
    store::{StoreError, TrafficMonth, TrafficPlan},
};

/// Show what a server carried
///
/// Bytes and packets of all its public adapters since the month began (UTC), as its host counts them once a minute: whole
/// frames, and of what the server sent also what its filters did not let through. Private networks are not counted. A
/// reinstall, another package or address changes nothing of it. `months` are this one and those before it, as far as
/// something moved, a year back.
#[utoipa::path(get, path = "/servers/{uuid}/traffic", operation_id = "server_traffic", tag = tags::SERVERS)]
pub async fn traffic(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    ServerPath(server): ServerPath,
) -> Result<Answer<TrafficAnswer>, ApiError> {
    let now = app.now();
    let found = app.store.read::<_, StoreError>(move |read| {
        let Some(_own) = read.server_standing(customer.account, server, now)? else { return Ok(None) };
        let Some(plan) = read.traffic_plan(server)? else { return Ok(None) };
        Ok(Some((plan, read.traffic_months(server)?, read.traffic_told_at(server)?)))
    });
    let (plan, months, counted_at) = found.await?.ok_or_else(missing)?;
    Ok(Answer::data(TrafficAnswer::new(&plan, &months, counted_at, now)))
}

/// What a server carried.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ServerTraffic)]
pub struct TrafficAnswer {
    #[serde(flatten)]
    present: MonthAnswer,
    /// When it was counted last; null before the first time.
    #[schema(required)]
    counted_at: Option<When>,
    /// When the next month begins.
    resets_at: When,
    /// What its package allows a month, as sold; null: as much as it likes.
    #[schema(required)]
    quota: Option<QuotaAnswer>,
    /// The rate that its public adapters together are held to in each direction until the month ends, because the quota is
    /// used up; null when they are not.
    #[schema(required, minimum = 1, example = json!(null))]
    held_mbit_per_second: Option<u32>,
    /// The newest first.
    months: Vec<MonthAnswer>,
}

/// One month.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrafficMonth)]
pub struct MonthAnswer {
    #[schema(value_type = MonthText)]
    month: String,
    /// What came to the server.
    #[schema(minimum = 0, example = 81_604_378_624_u64)]
    received_bytes: u64,
    #[schema(minimum = 0, example = 60_000_000)]
    received_packets: u64,
    /// What it sent.
    #[schema(minimum = 0, example = 412_316_860_416_u64)]
    sent_bytes: u64,
    #[schema(minimum = 0, example = 300_000_000)]
    sent_packets: u64,
    /// Both together.
    #[schema(minimum = 0, example = 493_921_239_040_u64)]
    total_bytes: u64,
}

/// An amount of traffic a month, and what comes after it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TrafficQuota)]
pub struct QuotaAnswer {
    #[serde(flatten)]
    allowed: AllowedTraffic,
    /// How much of it is used, cut to a tenth of a percent; more than 100 where it goes on.
    #[schema(minimum = 0, example = 24.6)]
    used_percent: f64,
}

/// What a package allows a month.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PackageTraffic)]
pub struct AllowedTraffic {
    /// Received and sent together.
    #[schema(minimum = 1, example = 2_000_000_000_000_u64)]
    bytes: u64,
    /// What all public adapters together carry past it, in each direction; null: the owner is told, and nothing else.
    #[schema(required, minimum = 1, example = 10)]
    shape_mbit_per_second: Option<u32>,
}

impl From<Quota> for AllowedTraffic {
    fn from(Quota { bytes, shape_mbit_per_second }: Quota) -> Self {
        Self { bytes, shape_mbit_per_second }
    }
}

impl TrafficAnswer {
    fn new(plan: &TrafficPlan, months: &[TrafficMonth], counted_at: Option<Time>, now: Time) -> Self {
        let present = Month::of(now);
        let moved = months.iter().find(|row| row.month == present).map_or_else(NetworkMoved::default, |row| row.moved);
        let quota = plan.quota.map(|quota| QuotaAnswer {
            allowed: quota.into(),
            used_percent: per_mille(moved.bytes(), quota.bytes) / 10.0,
        });
        Self {
            present: MonthAnswer::new(present, &moved),
            counted_at: counted_at.map(When),
            resets_at: When(present.span().1),
            quota,
            held_mbit_per_second: plan.held,
            months: months.iter().map(|row| MonthAnswer::new(row.month, &row.moved)).collect(),
        }
    }
}

impl MonthAnswer {
    fn new(month: Month, moved: &NetworkMoved) -> Self {
        Self {
            month: month.to_string(),
            received_bytes: moved.received_bytes,
            received_packets: moved.received_packets,
            sent_bytes: moved.sent_bytes,
            sent_packets: moved.sent_packets,
            total_bytes: moved.bytes(),
        }
    }
}

fn per_mille(used: u64, of: u64) -> f64 {
    let whole = u128::from(used) * 1000 / u128::from(of.max(1));
    f64::from(u32::try_from(whole).unwrap_or(u32::MAX))
}
