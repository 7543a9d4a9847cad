//! `csp-agent run`: puts the parts together, and lives until it is told to end.
//!
//! Nothing that fails here ends it, but a state folder that cannot be used: a host without libvirt, without its pool or
//! without its control plane says so and goes on trying. Guests are no children of the agent and outlive it.

use std::{convert::Infallible, fs::File, future::Future, io, path::PathBuf, sync::Arc, time::Duration};

use csp_shared::{compat::PROTOCOL, message::Hello};
use nix::fcntl::{Flock, FlockArg};
use tokio::{
    signal::unix::{SignalKind, signal},
    time::sleep,
};
use tracing::{error, info, warn};

use crate::{
    audit::{Auditor, HostWorkers},
    config::Config,
    host_status::HostWatch,
    hypervisor::stats::Stats,
    link::{self, Pace, TcpDial},
    machine::{HostFacts, Machine},
    memory,
    metrics::{self, Mailbox},
    network::segment::Segments,
    networks::{NetworkFileError, Networks, keeper},
    spec_file::{FolderBacking, SpecFile, SpecFileError},
    traffic::{self, Meter},
    version,
    worker::{Host, Refusal, Stopped, Supervisor},
};

/// How soon a thing that is not there is asked for again.
const TRY_AGAIN: Duration = Duration::from_secs(10);

/// How often the host's own size is looked at.
const LOOK_AGAIN: Duration = Duration::from_secs(30);

/// Why the agent cannot run. One line each.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The folder for specs and notes.
    #[error("cannot use the state folder {}: {cause}", path.display())]
    State {
        /// Which folder or file.
        path: PathBuf,
        /// Why.
        cause: io::Error,
    },
    /// Two agents would undo each other's work.
    #[error("another csp-agent runs with the state folder {}", .0.display())]
    SecondAgent(PathBuf),
    /// The stored specs.
    #[error("cannot read the stored specs in {}: {}", path.display(), in_one_line(cause))]
    Specs {
        /// Which folder.
        path: PathBuf,
        /// Why.
        cause: SpecFileError,
    },
    /// The stored private networks.
    #[error("cannot read the stored private networks in {}: {}", path.display(), in_one_line(cause))]
    Networks {
        /// Which folder.
        path: PathBuf,
        /// Why.
        cause: NetworkFileError,
    },
    /// The system refuses signal handlers.
    #[error("cannot listen for signals: {0}")]
    Signals(io::Error),
}

fn in_one_line(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}

/// Runs the host until SIGTERM or SIGINT. `segments` are what the machine plugs taps into, `meter` counts what they carry.
///
/// # Errors
/// When it cannot begin at all.
pub async fn run<M: Machine>(
    config: &Config,
    machine: M,
    segments: Arc<Segments>,
    meter: Arc<Meter>,
) -> Result<(), DaemonError> {
    let end = end_signal().map_err(DaemonError::Signals)?;
    let _lock = lock(config)?;
    let specs = open_specs(config).await?;
    let networks = Arc::new(open_networks(config).await?);
    // Before any worker looks: it would call a network missing that is only not looked at yet.
    keeper::settle(&networks, &segments).await;
    let stop_timeout_ms = u64::from(config.stop_timeout_seconds) * 1000;
    let control_wait = Duration::from_secs(config.boot.wait_for_control_seconds.into());
    let refusal = Refusal::in_folder(&config.state_dir);
    let (supervisor, actor) = Supervisor::start_with(Host { machine, specs, stop_timeout_ms }, control_wait, refusal);
    tell_systemd(sd_notify::NotifyState::Ready);
    let samples = Arc::new(Mailbox::default());
    let told = Told { samples: samples.clone(), meter: meter.clone() };
    tokio::pin!(end);
    tokio::select! {
        never = keep_linked(config, &supervisor, told, (networks.clone(), segments.clone())) => match never {},
        never = keeper::keep(&networks, &segments, &supervisor) => match never {},
        never = measure(config, &samples) => match never {},
        never = traffic::run(&meter) => match never {},
        never = feed_watchdog(&supervisor) => match never {},
        never = memory::give_back() => match never {},
        () = &mut end => {}
    }
    tell_systemd(sd_notify::NotifyState::Stopping);
    info!("ending; guests go on");
    drop(supervisor);
    if let Err(fell) = actor.await {
        error!(%fell, "the supervisor fell");
    }
    Ok(())
}

/// Holds the state folder for this process alone, as long as the file is open.
fn lock(config: &Config) -> Result<Flock<File>, DaemonError> {
    let path = config.state_dir.join("lock");
    let fail = |cause| DaemonError::State { path: path.clone(), cause };
    std::fs::create_dir_all(&config.state_dir).map_err(fail)?;
    let file = File::options().create(true).append(true).open(&path).map_err(fail)?;
    Flock::lock(file, FlockArg::LockExclusiveNonblock).map_err(|(_, errno)| match errno {
        nix::errno::Errno::EWOULDBLOCK => DaemonError::SecondAgent(config.state_dir.clone()),
        other => fail(other.into()),
    })
}

async fn open_specs(config: &Config) -> Result<SpecFile<FolderBacking>, DaemonError> {
    let path = config.state_dir.join("servers");
    let backing =
        FolderBacking::open(path.clone()).map_err(|cause| DaemonError::State { path: path.clone(), cause })?;
    let specs = SpecFile::open(backing).await.map_err(|cause| DaemonError::Specs { path: path.clone(), cause })?;
    for file in specs.damaged() {
        error!(folder = %path.display(), file, "a stored spec cannot be read; its server is left alone until it is repaired");
    }
    info!(servers = specs.servers().len(), "stored specs read");
    Ok(specs)
}

async fn open_networks(config: &Config) -> Result<Networks<FolderBacking>, DaemonError> {
    let path = config.state_dir.join("networks");
    let backing =
        FolderBacking::open(path.clone()).map_err(|cause| DaemonError::State { path: path.clone(), cause })?;
    let networks =
        Networks::open(backing).await.map_err(|cause| DaemonError::Networks { path: path.clone(), cause })?;
    for file in networks.damaged() {
        error!(folder = %path.display(), file, "a stored private network cannot be read; it is asked for again");
    }
    Ok(networks)
}

/// Asks until the host answers; says what is wrong when that changes.
async fn facts_of(supervisor: &Supervisor) -> HostFacts {
    let mut told = String::new();
    loop {
        match supervisor.facts().await {
            Ok(Ok(facts)) => return facts,
            Ok(Err(fault)) if fault.detail == told => {}
            Ok(Err(fault)) => {
                warn!(code = fault.code.as_str(), detail = %fault.detail, "the host is not ready; trying again");
                told = fault.detail;
            }
            // The program is ending, and this future with it.
            Err(Stopped) => {}
        }
        sleep(TRY_AGAIN).await;
    }
}

/// What is measured, for the link.
struct Told {
    samples: Arc<Mailbox>,
    meter: Arc<Meter>,
}

/// Dials the control plane for ever; before the enrolment, waits for it.
async fn keep_linked(
    config: &Config,
    supervisor: &Supervisor,
    Told { samples, meter }: Told,
    (networks, segments): (Arc<Networks<FolderBacking>>, Arc<Segments>),
) -> Infallible {
    let mut facts = facts_of(supervisor).await;
    info!(cpus = facts.capacity.cpus, ram_mib = facts.capacity.ram_mib, virt = ?facts.virt, "the host is ready");
    let status = Arc::new(HostWatch::new(config));
    let auditor = Auditor::new(config);
    let workers = HostWorkers { supervisor: supervisor.clone(), auditor, samples, meter, status, networks, segments };
    let mut told = String::new();
    loop {
        match link::enrolment::load(&config.state_dir) {
            Ok((enrolment, own)) => {
                told.clear();
                let dial = TcpDial::new(enrolment.control.clone());
                let hello = hello(&facts);
                tokio::select! {
                    () = Box::pin(link::run(dial, &own, &enrolment, &hello, &workers, Pace::default())) => {}
                    changed = pool_changed(&facts, supervisor) => {
                        info!(disk_gib = changed.capacity.disk_gib, "the pool's room changed; telling it in a new session");
                        facts = changed;
                        continue;
                    }
                }
            }
            Err(error) => {
                let text = error.to_string();
                if text != told {
                    warn!(why = %text, "no link to a control plane");
                    told = text;
                }
            }
        }
        sleep(TRY_AGAIN).await;
    }
}

/// Measures what guests use, unless that is off.
async fn measure(config: &Config, samples: &Mailbox) -> Infallible {
    let every = config.metrics.every_seconds;
    if every == 0 {
        return std::future::pending().await;
    }
    let uri = &config.libvirt_uri;
    metrics::run(Duration::from_secs(every.into()), || Stats::new(uri.clone()), samples).await
}

fn hello(facts: &HostFacts) -> Hello {
    Hello {
        protocol: PROTOCOL,
        machine_id: facts.machine_id.clone(),
        boot_id: facts.boot.0.clone(),
        agent_version: version::told(),
        capacity: facts.capacity,
        virt: facts.virt,
        passwords: true,
        networks: true,
    }
}

/// Waits until the pool came or went since `facts`: a session tells a host's size once, at its begin, and a host that
/// booted without its pool would offer no room ever after.
async fn pool_changed(facts: &HostFacts, supervisor: &Supervisor) -> HostFacts {
    let offers = |facts: &HostFacts| facts.capacity.disk_gib > 0;
    loop {
        sleep(LOOK_AGAIN).await;
        match supervisor.facts().await {
            Ok(Ok(now)) if offers(&now) != offers(facts) => return now,
            Ok(_) | Err(Stopped) => {}
        }
    }
}

/// Tells systemd's watchdog, if there is one, that the supervisor answers.
async fn feed_watchdog(supervisor: &Supervisor) -> Infallible {
    let Some(within) = sd_notify::watchdog_enabled() else { return std::future::pending().await };
    loop {
        if supervisor.ping().await.is_ok() {
            tell_systemd(sd_notify::NotifyState::Watchdog);
        }
        sleep(within / 3).await;
    }
}

/// Without systemd there is nobody to tell, and nothing is lost.
fn tell_systemd(state: sd_notify::NotifyState<'_>) {
    if let Err(error) = sd_notify::notify(&[state]) {
        warn!(%error, "systemd was not told");
    }
}

/// Resolves at SIGTERM or SIGINT.
fn end_signal() -> io::Result<impl Future<Output = ()>> {
    let (mut terminate, mut interrupt) = (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    Ok(async move {
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
    })
}
