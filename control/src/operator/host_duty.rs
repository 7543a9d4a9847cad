//! `/hosts/{name}/drain`, `undrain`, `lost`, `fenced`, `remove`: hosts on their way out of service, and back.

use axum::extract::{Path, State};

use super::wire::hosts::{HostDirected, HostLoss, HostLost, SetHost};
use crate::{
    api::{
        App,
        envelope::Answer,
        error::{ApiError, Code},
        json::Json,
    },
    domain::{host::Direction, time::MINUTE},
    schedule::lost_hosts::end_all,
    service::{
        direct_host::{DirectHost, DirectHostError, Directed, direct_host},
        set_overcommit::{OvercommitError, set_overcommit},
    },
    store::{StoreError, Tx},
};

/// `POST /hosts/{name}/drain`
pub async fn drain(State(app): State<App>, Path(name): Path<String>) -> Result<Answer<HostDirected>, ApiError> {
    Ok(Answer::data(direct(&app, name, Direction::Drain).await?))
}

/// `POST /hosts/{name}/undrain`
pub async fn undrain(State(app): State<App>, Path(name): Path<String>) -> Result<Answer<HostDirected>, ApiError> {
    Ok(Answer::data(direct(&app, name, Direction::Undrain).await?))
}

/// `POST /hosts/{name}/fenced`
pub async fn fenced(State(app): State<App>, Path(name): Path<String>) -> Result<Answer<HostDirected>, ApiError> {
    Ok(Answer::data(direct(&app, name, Direction::Fence).await?))
}

/// `POST /hosts/{name}/remove`. Its connection ends at once.
pub async fn remove(State(app): State<App>, Path(name): Path<String>) -> Result<Answer<HostDirected>, ApiError> {
    let removed = direct(&app, name, Direction::Remove).await?;
    app.wake.remove(removed.uuid);
    Ok(Answer::data(removed))
}

/// `GET /hosts/{name}/loss`
pub async fn loss(State(app): State<App>, Path(name): Path<String>) -> Result<Answer<HostLoss>, ApiError> {
    let (now, asked) = (app.now(), name.clone());
    let found = app.store.read::<_, StoreError>(move |read| {
        let Some(host) = read.host_by_name(&asked)? else { return Ok(None) };
        let loss = read.host_loss(host.id)?;
        Ok(Some((host, loss)))
    });
    let (host, loss) = found.await?.ok_or_else(|| ApiError::from(DirectHostError::NotFound(name)))?;
    Ok(Answer::data(HostLoss {
        state: host.state.as_str().to_owned(),
        connected: host.is_heard(now),
        servers: loss.servers,
        accounts: loss.accounts,
    }))
}

/// `POST /hosts/{name}/lost`. Each server is a transaction of its own; what a death in the middle leaves is ended by the
/// schedule, or by the same command again.
pub async fn lost(State(app): State<App>, Path(name): Path<String>) -> Result<Answer<HostLost>, ApiError> {
    let directed = direct(&app, name.clone(), Direction::Lose).await?;
    let done = end_all(&app.store, &*app.entropy, &app.settings.billing, app.now()).await?;
    done.hosts.into_iter().for_each(|host| app.wake.wake(host));
    let host = app.store.read::<_, StoreError>(move |read| read.host_by_name(&name)).await?;
    Ok(Answer::data(HostLost {
        directed,
        ended: done.ended,
        credited: done.credited.to_string(),
        left: done.left,
        held: host.map_or(0, |host| host.held),
    }))
}

/// `POST /hosts/{name}/set`
pub async fn set(
    State(app): State<App>,
    Path(name): Path<String>,
    Json(wanted): Json<SetHost>,
) -> Result<Answer<HostDirected>, ApiError> {
    let asked = name.clone();
    let write = move |tx: &mut Tx<'_>| {
        let (host, changed) = set_overcommit(tx, &asked, wanted.cpu_overcommit)?;
        Ok::<_, OvercommitError>((host, changed, tx.host_session(host)?.map(|host| host.state.as_str())))
    };
    let (uuid, changed, state) = app.store.write(write).await?;
    Ok(Answer::data(HostDirected { uuid, name, state: state.unwrap_or_default().to_owned(), changed }))
}

async fn direct(app: &App, name: String, direction: Direction) -> Result<HostDirected, ApiError> {
    let quarantine = i64::from(app.settings.orders.quarantine_minutes) * MINUTE;
    let wanted = DirectHost { name: name.clone(), direction, quarantine };
    let now = app.now();
    let Directed { host, state, changed } = app.store.write(move |tx| direct_host(tx, &wanted, now)).await?;
    if changed {
        tracing::info!(%host, name, state = state.as_str(), "an operator directed a host");
    }
    Ok(HostDirected { uuid: host, name, state: state.as_str().to_owned(), changed })
}

impl From<OvercommitError> for ApiError {
    fn from(error: OvercommitError) -> Self {
        let reason = error.to_string();
        match error {
            OvercommitError::NotFound(_) => Self::new(Code::NotFound, reason),
            OvercommitError::Overcommit => Self::field(Code::ValidationFailed, "cpu_overcommit", reason),
            OvercommitError::Store(error) => error.into(),
        }
    }
}

impl From<DirectHostError> for ApiError {
    fn from(error: DirectHostError) -> Self {
        let reason = error.to_string();
        match error {
            DirectHostError::NotFound(_) => Self::new(Code::NotFound, reason),
            DirectHostError::Refused { .. } | DirectHostError::Clock => Self::new(Code::Conflict, reason),
            DirectHostError::Store(error) => error.into(),
        }
    }
}
