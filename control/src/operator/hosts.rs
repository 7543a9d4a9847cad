//! `/hosts`: machines that run guests.

use axum::extract::{Path, State};
use csp_shared::{
    host_status::{AdapterState, BridgeState},
    observed::FaultCode,
    secret::Secret,
};

use super::wire;
use crate::{
    api::{
        App,
        envelope::Answer,
        error::{ApiError, Code},
        field::Faults,
        json::Json,
    },
    config::Advertise,
    domain::{
        host::{DISK_FAULTS, alarms},
        placement::Trouble,
        slug::Slug,
        time::Time,
    },
    service::add_host::{AddHost, AddHostError, add_host},
    store::{HostClass, HostRow, HostState, StoreError},
};

/// Virtual processors promised for each real one of a shared host when nobody says: guests are idle most of the time.
const OVERCOMMIT_SHARED: u32 = 4;
/// A dedicated server has its processors to itself.
const OVERCOMMIT_DEDICATED: u32 = 1;

/// `POST /hosts`
pub async fn add(State(app): State<App>, Json(new): Json<wire::NewHost>) -> Result<Answer<wire::HostAdded>, ApiError> {
    // First, so that no host is added that nobody can tell where to connect.
    let advertise = app.settings.advertise.as_ref().ok_or_else(|| {
        let what = "Hosts cannot be told where to connect: set [fleet] advertise in the configuration and restart csp-control.";
        ApiError::new(Code::Conflict, what)
    })?;
    let mut faults = Faults::default();
    let name = faults.parsed(Code::ValidationFailed, "name", Slug::parse(&new.name));
    let location = faults.parsed(Code::LocationNotFound, "location", Slug::parse(&new.location));
    let (Some(name), Some(location)) = (name, location) else { return Err(faults.refusal()) };
    let (class, usual) = match new.dedicated {
        true => (HostClass::Dedicated, OVERCOMMIT_DEDICATED),
        false => (HostClass::Shared, OVERCOMMIT_SHARED),
    };
    let host = AddHost { name, location, class, cpu_overcommit: new.cpu_overcommit.unwrap_or(usual) };
    let (draw, now) = (app.draw(), app.now());
    let added = app.store.write(move |tx| add_host(tx, &host, draw.clone(), now)).await?;
    Ok(Answer::data(wire::HostAdded {
        uuid: added.host,
        name: new.name,
        join: join_line(&app, advertise, &added.token),
        join_expires_at: added.expires_at.to_string(),
    }))
}

/// What is pasted on the host. Every part is of letters that no shell takes for anything else.
fn join_line(app: &App, advertise: &Advertise, token: &Secret) -> Secret {
    let [current, next] = app.settings.pins;
    let control = advertise.as_str();
    Secret::new(format!("csp-agent enroll --control {control} --pin {current} --pin {next} --token {}", token.reveal()))
}

/// `GET /hosts`: all but those that were removed.
pub async fn list(State(app): State<App>) -> Result<Answer<Vec<wire::Host>>, ApiError> {
    let now = app.now();
    let hosts = app.store.read::<_, StoreError>(|read| read.host_list()).await?;
    let there = hosts.into_iter().filter(|host| host.state != HostState::Removed);
    Ok(Answer::data(there.map(|host| shown(host, now)).collect()))
}

/// `GET /hosts/{name}`
pub async fn show(State(app): State<App>, Path(name): Path<String>) -> Result<Answer<wire::HostShow>, ApiError> {
    let (now, asked) = (app.now(), name.clone());
    let found = app.store.read::<_, StoreError>(move |read| {
        let Some(host) = read.host_by_name(&asked)? else { return Ok(None) };
        let (status, disks) = (read.host_status(host.id)?, read.host_faulty_disks(host.id)?);
        Ok(Some((host, status, disks)))
    });
    let missing = || ApiError::new(Code::NotFound, format!("There is no host `{name}`; `host list` names them."));
    let (host, status, mut disks) = found.await?.ok_or_else(missing)?;
    let (status, status_at) = status.map(|(status, at)| (status, at.to_string())).unzip();
    let standing = host.standing(now);
    let mut alarms = alarms(&standing, status.as_ref().and_then(Trouble::of));
    let heard = status.as_ref().filter(|_| standing.is_heard);
    let bridge = heard.and_then(|status| status.bridge);
    alarms.extend(bridge.is_some_and(BridgeState::is_without_uplink).then_some("no_uplink"));
    let adapters = heard.and_then(|status| status.adapters);
    alarms.extend((adapters == Some(AdapterState::NoShaping)).then_some("no_shaping"));
    // Like all that a host says of itself: of one that is silent it says nothing.
    disks.retain(|_| standing.is_heard);
    let told = |code: &&str| disks.iter().any(|(_, fault)| fault == code);
    alarms.extend(DISK_FAULTS.map(FaultCode::as_str).into_iter().filter(told));
    let alarms = alarms.into_iter().map(str::to_owned).collect();
    let disks = disks.into_iter().map(|(server, fault)| wire::FaultyDisk { server, fault }).collect();
    Ok(Answer::data(wire::HostShow { database: shown(host, now), status, status_at, alarms, disks }))
}

fn shown(host: HostRow, now: Time) -> wire::Host {
    wire::Host {
        connected: host.is_heard(now),
        uuid: host.id,
        name: host.name,
        location: host.location,
        class: host.class.as_str().to_owned(),
        state: host.state.as_str().to_owned(),
        seen_at: host.seen_at.map(|at| at.to_string()),
        agent_version: host.agent_version,
        virt: host.virt,
        capacity: host.capacity.map(resources),
        cpu_overcommit: host.cpu_overcommit,
        promised: resources(host.promised),
        servers: host.placed + host.held,
        held: host.held,
        orphans: host.orphans,
    }
}

fn resources((cpus, ram_mib, disk_gib): (u32, u64, u64)) -> wire::Resources {
    wire::Resources { cpus, ram_mib, disk_gib }
}

impl From<AddHostError> for ApiError {
    fn from(error: AddHostError) -> Self {
        let reason = error.to_string();
        match error {
            AddHostError::NoLocation(_) => Self::field(Code::LocationNotFound, "location", reason),
            AddHostError::Joined(_) => Self::field(Code::AlreadyExists, "name", reason),
            AddHostError::Overcommit => Self::field(Code::ValidationFailed, "cpu_overcommit", reason),
            AddHostError::Store(error) => error.into(),
        }
    }
}
