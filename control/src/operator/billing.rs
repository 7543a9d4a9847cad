//! `/scheduler`, locks and prices: the life of services, as far as an operator has a word in it.

use axum::extract::{Path, State};
use csp_shared::id::{LeaseId, ServerId};

use super::wire::billing::{
    AnnouncePrice, Announced, FixPrice, Lock as LockSays, LockServer, Locked, PassedBy, ResumeScheduler, Scheduler,
    ServerPrice,
};
use crate::{
    api::{
        App,
        envelope::Answer,
        error::{ApiError, Code},
        field::Faults,
        json::Json,
    },
    domain::{
        billing::{clock::Look, lock::Lock},
        label::Label,
        money::Cents,
        slug::Slug,
        time::Time,
    },
    service::{
        announce_price::{self, PriceError, announce_price, fix_price, release_price},
        lock_server::{LockError, lock_server},
        resume_scheduler::{Compared, ResumeError, resume_scheduler},
    },
    store::StoreError,
};

/// `GET /scheduler`
pub async fn scheduler(State(app): State<App>) -> Result<Answer<Scheduler>, ApiError> {
    let Look { now, doubt, .. } = app.clock.look();
    let read = move |read: &crate::store::Read<'_>| {
        Ok::<_, StoreError>((read.scheduler_get()?, read.billed_due(now)?.len(), read.mail_list()?))
    };
    let (row, due, letters) = app.store.read(read).await?;
    let letters_given_up = letters.iter().filter(|letter| letter.refused_at.is_some()).count();
    // A look that is yet to come will stop it.
    let stopped_at = row.stopped_at.or(doubt.map(|_| now));
    Ok(Answer::data(Scheduler {
        state: if stopped_at.is_some() { "stopped" } else { "running" }.to_owned(),
        now: now.to_string(),
        clock_shows: app.clock.shown().to_string(),
        stopped_at: stopped_at.map(|at| at.to_string()),
        jumped_seconds: row.jumped.or(doubt),
        ledger_at: row.ledger_at.map(|at| at.to_string()),
        due,
        letters_waiting: letters.len() - letters_given_up,
        letters_given_up,
    }))
}

/// `POST /scheduler/resume`
pub async fn resume(State(app): State<App>, Json(asked): Json<ResumeScheduler>) -> Result<Answer<Scheduler>, ApiError> {
    let mut faults = Faults::default();
    let said = asked.it_is.as_deref().map(str::parse::<Time>).transpose();
    let Some(said) = faults.parsed(Code::ValidationFailed, "it_is", said) else { return Err(faults.refusal()) };
    let turn = app.clock.turn().await;
    let compared = Compared { shown: app.clock.shown(), counted: app.now(), said };
    let from = app.store.write(move |tx| resume_scheduler(tx, compared)).await?;
    app.clock.believe(from);
    drop(turn);
    scheduler(State(app)).await
}

impl From<ResumeError> for ApiError {
    fn from(error: ResumeError) -> Self {
        match error {
            ResumeError::Contradicted { .. } => Self::new(Code::Conflict, error.to_string()),
            ResumeError::NotThatTime { .. } => Self::field(Code::ValidationFailed, "it_is", error.to_string()),
            ResumeError::Store(error) => error.into(),
        }
    }
}

/// `POST /servers/{uuid}/lock`
pub async fn lock(
    State(app): State<App>,
    Path(server): Path<ServerId>,
    Json(asked): Json<LockServer>,
) -> Result<Answer<Locked>, ApiError> {
    set_lock(app, server, asked, true).await
}

/// `POST /servers/{uuid}/unlock`
pub async fn unlock(
    State(app): State<App>,
    Path(server): Path<ServerId>,
    Json(asked): Json<LockServer>,
) -> Result<Answer<Locked>, ApiError> {
    set_lock(app, server, asked, false).await
}

async fn set_lock(app: App, server: ServerId, asked: LockServer, is_on: bool) -> Result<Answer<Locked>, ApiError> {
    let mut faults = Faults::default();
    let reason = Lock::parse(&asked.reason).ok_or("must be abuse or operator");
    let reason = faults.parsed(Code::ValidationFailed, "reason", reason);
    let note = asked.note.as_deref().filter(|note| !note.is_empty()).map(Label::parse).transpose();
    let note = faults.parsed(Code::ValidationFailed, "note", note);
    let (Some(reason), Some(note)) = (reason, note) else { return Err(faults.refusal()) };
    let now = app.now();
    let write = move |tx: &mut crate::store::Tx<'_>| {
        let done = lock_server(tx, server, reason, is_on, note.as_ref().map(Label::as_str), now)?;
        Ok::<_, LockError>((done, tx.billed_locks(server)?))
    };
    let (done, locks) = app.store.write(write).await?;
    if let Some(host) = done.host {
        app.wake.wake(host);
    }
    Ok(Answer::data(Locked { changed: done.changed, locks: shown(locks) }))
}

/// Reasons as they are shown.
pub(super) fn shown(locks: Vec<(Lock, Time, Option<String>)>) -> Vec<LockSays> {
    let one = |(lock, since, note): (Lock, Time, _)| LockSays {
        reason: lock.as_str().to_owned(),
        since: since.to_string(),
        note,
    };
    locks.into_iter().map(one).collect()
}

/// `POST /prices`. Each server or address is a transaction of its own: told again, it goes on where it was interrupted.
pub async fn announce(State(app): State<App>, Json(asked): Json<AnnouncePrice>) -> Result<Answer<Announced>, ApiError> {
    let mut faults = Faults::default();
    let slug = |text: Option<&str>| text.map(Slug::parse).transpose();
    let price = faults.parsed(Code::ValidationFailed, "price", asked.price.parse::<Cents>());
    let effective_at = asked.effective_at.as_deref().map(str::parse::<Time>).transpose();
    let effective_at = faults.parsed(Code::ValidationFailed, "effective_at", effective_at);
    let package = faults.parsed(Code::ValidationFailed, "package", slug(asked.package.as_deref()));
    let pool = faults.parsed(Code::ValidationFailed, "pool", slug(asked.pool.as_deref()));
    let (Some(price), Some(effective_at), Some(package), Some(pool)) = (price, effective_at, package, pool) else {
        return Err(faults.refusal());
    };
    // Who is told that it is in 30 days is not to find that some of them are gone.
    app.clock.measured()?;
    let now = app.now();
    let has_mail = app.settings.billing.has_mail;
    let new = |(server, ip)| announce_price::AnnouncePrice { server, ip, price, effective_at, has_mail };
    let all: Vec<(ServerId, Option<LeaseId>)> = match (asked.server_uuid, asked.ip_uuid, package, pool) {
        (Some(server), None, None, None) => return announce_alone(&app, new((server, None)), now).await,
        (None, Some(ip), None, None) => {
            let lease = app.store.read::<_, StoreError>(move |read| read.lease_get(ip)).await?;
            let server = lease.ok_or(PriceError::NoAddress(ip))?.server;
            return announce_alone(&app, new((server, Some(ip))), now).await;
        }
        (None, None, Some(package), None) => {
            let name = package.as_str().to_owned();
            let servers = app.store.read::<_, StoreError>(move |read| read.price_holders(&package)).await?;
            let servers = servers.ok_or_else(|| nothing_of("package", &name))?;
            servers.into_iter().map(|server| (server, None)).collect()
        }
        (None, None, None, Some(pool)) => {
            let name = pool.as_str().to_owned();
            let ips = app.store.read::<_, StoreError>(move |read| read.price_holders_of_pool(&pool)).await?;
            let ips = ips.ok_or_else(|| nothing_of("pool", &name))?;
            ips.into_iter().map(|(server, ip)| (server, Some(ip))).collect()
        }
        _ => {
            let what = "name one: a server, a package, an extra address, or a pool of them";
            return Err(ApiError::field(Code::ValidationFailed, "server_uuid", what));
        }
    };
    let (mut earliest, mut latest, mut announced, mut passed_by) = (None, None, 0, Vec::new());
    for one in all {
        match announce_one(&app, new(one), now).await {
            Ok(at) => {
                earliest = Some(earliest.map_or(at, |before: Time| before.min(at)));
                latest = latest.max(Some(at));
                announced += 1;
            }
            Err(PriceError::Store(why)) => return Err(why.into()),
            Err(why) => passed_by.push(PassedBy { server: one.0, reason: why.to_string() }),
        }
    }
    let (first_at, effective_at) = (earliest.map(|at| at.to_string()), latest.map(|at| at.to_string()));
    Ok(Answer::data(Announced { first_at, effective_at, announced, passed_by }))
}

fn nothing_of(kind: &str, name: &str) -> ApiError {
    let what = format!("there never was a {kind} `{name}`; `csp-control server list` shows what is in use");
    ApiError::field(Code::NotFound, kind, what)
}

async fn announce_alone(
    app: &App,
    new: announce_price::AnnouncePrice,
    now: Time,
) -> Result<Answer<Announced>, ApiError> {
    let effective_at = Some(announce_one(app, new, now).await?.to_string());
    Ok(Answer::data(Announced { first_at: effective_at.clone(), effective_at, announced: 1, passed_by: Vec::new() }))
}

async fn announce_one(app: &App, new: announce_price::AnnouncePrice, now: Time) -> Result<Time, PriceError> {
    let draw = app.draw();
    let announced = app.store.write(move |tx| announce_price(tx, &new, draw.clone(), now)).await?;
    Ok(announced.effective_at)
}

/// `POST /servers/{uuid}/price/fix`
pub async fn fix(
    State(app): State<App>,
    Path(server): Path<ServerId>,
    Json(asked): Json<FixPrice>,
) -> Result<Answer<ServerPrice>, ApiError> {
    let mut faults = Faults::default();
    let price = asked.price.as_deref().map(str::parse::<Cents>).transpose();
    let Some(price) = faults.parsed(Code::ValidationFailed, "price", price) else { return Err(faults.refusal()) };
    app.clock.measured()?;
    let now = app.now();
    let price = app.store.write(move |tx| fix_price(tx, server, price, now)).await?;
    Ok(Answer::data(ServerPrice { server, price: price.to_string(), fixed: true }))
}

/// `POST /servers/{uuid}/price/release`
pub async fn release(State(app): State<App>, Path(server): Path<ServerId>) -> Result<Answer<ServerPrice>, ApiError> {
    let now = app.now();
    let price = app.store.write(move |tx| release_price(tx, server, now)).await?;
    Ok(Answer::data(ServerPrice { server, price: price.to_string(), fixed: false }))
}

impl From<LockError> for ApiError {
    fn from(error: LockError) -> Self {
        let reason = error.to_string();
        match error {
            LockError::NotInService(_) => Self::new(Code::NotFound, reason),
            LockError::Unpaid => Self::field(Code::ValidationFailed, "reason", reason),
            LockError::Store(error) => error.into(),
        }
    }
}

impl From<PriceError> for ApiError {
    fn from(error: PriceError) -> Self {
        let reason = error.to_string();
        match error {
            PriceError::NotInService(_) | PriceError::NoAddress(_) => Self::new(Code::NotFound, reason),
            PriceError::Refused(_) => Self::field(Code::ValidationFailed, "price", reason),
            PriceError::Store(error) => error.into(),
        }
    }
}
