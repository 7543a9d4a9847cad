//! `/servers`: customers' servers, as the database has them and as their hosts last saw them.

use axum::extract::{Path, State};
use csp_shared::{
    id::{AccountId, ServerId},
    secret::Secret,
    spec::Desired,
};
use serde::Deserialize;

use super::wire;
use crate::{
    api::{
        App,
        envelope::Answer,
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        json::Json,
        query::Query,
    },
    service::open_smtp::{SmtpError, open_smtp},
    store::{Action, Read, ServerView, StoreError, TrafficMonth},
};

/// `?account=`
#[derive(Debug, Deserialize)]
pub struct ListQuery {
    #[serde(default)]
    account: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// `GET /servers`
pub async fn list(
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> Result<Answer<Vec<wire::Server>>, ApiError> {
    let mut faults = Faults::beginning_with(&query.unknown);
    let account: Option<AccountId> = faults
        .optional("account", query.account)
        .and_then(|text| faults.parsed(Code::ValidationFailed, "account", text.parse()));
    faults.into_result()?;
    let now = app.now();
    let views = app.store.read::<_, StoreError>(move |read| read.server_views_held(account, now)).await?;
    Ok(Answer::data(views.into_iter().map(shown).collect()))
}

/// `GET /servers/{uuid}`
pub async fn show(State(app): State<App>, Path(server): Path<ServerId>) -> Result<Answer<wire::ServerShow>, ApiError> {
    let now = app.now();
    let found = app
        .store
        .read::<_, StoreError>(move |read| {
            let Some(view) = read.server_view_any(server, now)? else { return Ok(None) };
            let (desired, observation) = (read.spec_get(server)?, read.observation_get(server)?);
            let traffic = traffic(read, server)?;
            Ok(Some((view, desired, observation, read.action_list(server)?, read.billed_locks(server)?, traffic)))
        })
        .await?;
    let missing = || ApiError::new(Code::NotFound, format!("There is no server {server}."));
    let (view, desired, observation, actions, locks, traffic) = found.ok_or_else(missing)?;
    let database = wire::DatabaseSays {
        failure_code: view.failure.clone().map(|(code, _)| code),
        paid_until: view.paid_until.map(|at| at.to_string()),
        locks: super::billing::shown(locks),
        server: shown(view),
        desired: desired.map(without_secrets),
        traffic,
        actions: actions.into_iter().rev().map(action).collect(),
    };
    let report = |seen: crate::store::Observation| wire::ReportSays {
        seen_at: seen.seen_at.to_string(),
        observed: seen.observed,
    };
    Ok(Answer::data(wire::ServerShow { database, last_report: observation.map(report) }))
}

fn traffic(read: &Read<'_>, server: ServerId) -> Result<wire::Traffic, StoreError> {
    let plan = read.traffic_plan(server)?;
    let quota = plan.as_ref().and_then(|plan| plan.quota);
    let month = |row: TrafficMonth| wire::TrafficMonth {
        month: row.month.to_string(),
        received_bytes: row.moved.received_bytes,
        received_packets: row.moved.received_packets,
        sent_bytes: row.moved.sent_bytes,
        sent_packets: row.moved.sent_packets,
        told_percent: row.told.percent(),
    };
    Ok(wire::Traffic {
        counted_at: read.traffic_told_at(server)?.map(|at| at.to_string()),
        quota_bytes: quota.map(|quota| quota.bytes),
        shape_mbit_per_second: quota.and_then(|quota| quota.shape_mbit_per_second),
        held_mbit_per_second: plan.and_then(|plan| plan.held),
        months: read.traffic_months(server)?.into_iter().map(month).collect(),
    })
}

/// `POST /servers/{uuid}/smtp`
pub async fn smtp(
    State(app): State<App>,
    Path(server): Path<ServerId>,
    Json(asked): Json<wire::SetSmtp>,
) -> Result<Answer<wire::SmtpSays>, ApiError> {
    let open = asked.open;
    let done = app.store.write(move |tx| open_smtp(tx, server, open)).await?;
    if let Some(host) = done.host {
        app.wake.wake(host);
    }
    Ok(Answer::data(wire::SmtpSays { changed: done.changed, open }))
}

impl From<SmtpError> for ApiError {
    fn from(error: SmtpError) -> Self {
        match error {
            SmtpError::NoServer(_) => Self::new(Code::NotFound, error.to_string()),
            SmtpError::Store(error) => error.into(),
        }
    }
}

/// A hash is of no use to an operator, and of some to whoever looks over their shoulder; so are the tokens that customers
/// put into their user data.
fn without_secrets(mut desired: Desired) -> Desired {
    if let Desired::Present(spec) = &mut desired {
        spec.login.password_hash = spec.login.password_hash.take().map(|_| "(set)".to_owned());
        spec.user_data = spec.user_data.take().map(|_| Secret::new("(set)".to_owned()));
    }
    desired
}

fn shown(view: ServerView) -> wire::Server {
    wire::Server {
        uuid: view.id,
        account: view.account,
        hostname: view.hostname,
        kind: view.kind.as_str().to_owned(),
        package: view.package.1,
        service_status: view.service.as_str().to_owned(),
        status: view.status.as_str().to_owned(),
        host: view.host,
        ips: view.ips.iter().map(|ip| ip.lease.address.to_string()).collect(),
        created_at: view.created_at.to_string(),
    }
}

fn action(action: Action) -> wire::Action {
    wire::Action {
        command: action.command.as_str().to_owned(),
        status: action.status.as_str().to_owned(),
        error: action.error.map(|(code, message)| format!("{code}: {message}")),
        host_says: action.host_says,
        created_at: action.created_at.to_string(),
        finished_at: action.finished_at.map(|at| at.to_string()),
    }
}
