//! The agent under test: configured, enrolled, started and killed in its host.

use std::{fs, time::Duration};

use csp_shared::failpoint;
use nix::sys::signal::{Signal, kill as kill_by};
use toml::{Table, Value};

use crate::{
    catalog::Segments,
    error::{Attempted, LabError, Result},
    host,
    layout::{HostLayout, Layout, MANAGEMENT_INTERFACE, PUBLIC_BRIDGE, TRUNK_INTERFACE},
    process,
    state::State,
    tool::{detached, output},
    wait,
};

const ENROL_SECONDS: u32 = 60;
const STOP_LIMIT: Duration = Duration::from_secs(15);
/// The host's own folder for csp: on the machine's disk, seen by the host alone.
const PLACE: &str = "/srv/csp";

/// The agent holds this file of its state folder for as long as it runs.
const LOCK: &str = "lock";

/// A lab's control plane is near: what it has to say comes within seconds of the agent's start.
const CONTROL_WAIT_SECONDS: i64 = 5;

/// Writes the agent's configuration: what a real host has, with little kept for the host itself.
///
/// # Errors
/// When the file system refuses.
pub fn configure(host: &HostLayout, virt: &str, segments: Segments) -> Result<()> {
    let table =
        |entries: &[(&str, Value)]| Value::Table(entries.iter().map(|(k, v)| ((*k).to_owned(), v.clone())).collect());
    let text = |text: &str| Value::String(text.to_owned());
    let public = ("public_bridge", text(PUBLIC_BRIDGE));
    let network = match segments {
        // Hosts reach each other where they reach the control plane.
        Segments::Vxlan => table(&[
            public,
            ("underlay_interface", text(MANAGEMENT_INTERFACE)),
            ("underlay_address", text(&host.address().to_string())),
        ]),
        Segments::Vlan => table(&[public, ("trunk_interface", text(TRUNK_INTERFACE))]),
    };
    let config: Table = [
        ("state_dir", text(&format!("{PLACE}/state"))),
        ("pool_dir", text(&format!("{PLACE}/pool"))),
        ("virt_type", text(virt)),
        ("boot", table(&[("wait_for_control_seconds", Value::Integer(CONTROL_WAIT_SECONDS))])),
        ("reserve", table(&[("ram_mib", Value::Integer(256)), ("disk_gib", Value::Integer(1))])),
        // A lab makes many servers in a short time on a disk that others use too.
        ("trash", table(&[("keep_hours", Value::Integer(0))])),
        // The shortest that there is, so that nobody waits for numbers.
        ("metrics", table(&[("every_seconds", Value::Integer(5))])),
        ("network", network),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let pool = host.backing("srv").join("csp/pool");
    fs::create_dir_all(&pool).attempted(|| format!("making {}", pool.display()))?;
    let (path, config) = (host.agent_config(), toml::to_string(&config).unwrap_or_default());
    fs::write(&path, config).attempted(|| format!("writing {}", path.display()))
}

/// Runs the line that `csp-control host add` printed, as an operator would paste it.
///
/// # Errors
/// When it is not such a line, or enrolment fails.
pub fn enroll(state: &State, host: &HostLayout, line: &str) -> Result<()> {
    let words = match line.split_whitespace().collect::<Vec<_>>().split_first() {
        Some((&"csp-agent", words)) => words.iter().map(|word| (*word).to_owned()).collect::<Vec<_>>(),
        _ => return Err(LabError::State("`csp-control host add` printed no csp-agent line".to_owned())),
    };
    let mut command = host::enter(host, Some(ENROL_SECONDS))?;
    command.arg(&state.agent).arg("--config").arg(host.agent_config()).args(words);
    output(&mut command).map(drop)
}

/// How an agent is to differ from one that a provider runs; for a lab that was built with failpoints.
#[derive(Clone, Debug, Default, clap::Args)]
pub struct Odd {
    /// Where it is to kill itself, `create_disk/before` for example; for a lab that was built with `--failpoints`
    #[arg(long)]
    pub failpoint: Option<String>,
    /// The version that it is to tell, as if it were of another build; likewise
    #[arg(long)]
    pub tells: Option<String>,
}

/// Starts the agent in its host.
///
/// # Errors
/// When the host is off or the program cannot be started.
pub fn start(layout: &Layout, state: &State, host: &HostLayout, odd: &Odd) -> Result<()> {
    if !pids(state, host).is_empty() {
        return Err(LabError::State(format!("the agent of {} runs already", host.name())));
    }
    let mut command = host::enter(host, None)?;
    command.arg(&state.agent).arg("--config").arg(host.agent_config()).arg("run");
    command.envs(odd.failpoint.as_ref().map(|name| (failpoint::VARIABLE, name)));
    command.envs(odd.tells.as_ref().map(|version| (failpoint::VERSION_VARIABLE, version)));
    let (log, name) = (format!("agent-{}", host.name()), host.name());
    let mut child = detached(&mut command, layout, &log)?;
    // What is wrong with it at once is better told here than after a long wait for its connection.
    std::thread::sleep(Duration::from_millis(300));
    match child.try_wait().attempted(|| format!("watching the agent of {name}"))? {
        Some(status) => Err(LabError::Waited {
            what: format!("the agent of {name} to run, but it ended ({status})"),
            limit: Duration::ZERO,
            log: Some(layout.log(&log)),
        }),
        None => Ok(()),
    }
}

/// Kills the agent without a warning; its guests go on.
///
/// # Errors
/// When it does not end.
pub fn kill(state: &State, host: &HostLayout) -> Result<usize> {
    let ended = process::kill_all(&format!("the agent of {}", host.name()), || Ok(pids(state, host)))?;
    let (name, lock) = (host.name(), host.backing("srv").join("csp/state").join(LOCK));
    // A child that it had just begun to start may hold what it held, for a moment longer.
    wait::until(&format!("nobody to hold the state folder of {name}"), STOP_LIMIT, None, || {
        let is_free = fs::File::open(&lock).map_or(true, |file| file.try_lock().is_ok());
        Ok(is_free.then_some(()))
    })?;
    Ok(ended)
}

/// Has the agent end by itself, and waits for that.
///
/// # Errors
/// When it does not end in time.
pub fn stop(layout: &Layout, state: &State, host: &HostLayout) -> Result<()> {
    for pid in pids(state, host) {
        let _ = kill_by(pid, Signal::SIGTERM); // it may have ended meanwhile
    }
    let (name, log) = (host.name(), layout.log(&format!("agent-{}", host.name())));
    wait::until(&format!("the agent of {name} to end"), STOP_LIMIT, Some(log), || {
        Ok(pids(state, host).is_empty().then_some(()))
    })
}

/// Whether the agent lives.
#[must_use]
pub fn runs(state: &State, host: &HostLayout) -> bool {
    !pids(state, host).is_empty()
}

fn pids(state: &State, host: &HostLayout) -> Vec<nix::unistd::Pid> {
    process::running(&state.agent, &host.netns)
}
