//! The program `csp-agent`: reads what was typed and what was configured, and hands over.
//!
//! Exit codes: 0 done, 1 it could not be done, 2 wrongly typed or configured.

use std::{
    fs::DirBuilder, io::Write, os::unix::fs::DirBuilderExt, path::Path, process::ExitCode,
    thread::available_parallelism,
};

use clap::Parser;
use csp_agent::{
    check,
    cli::{Cli, Command, Enroll, Freeze, Trash},
    config::Config,
    daemon, freeze,
    host_machine::{HostMachine, fault::story, setup},
    link::{
        TcpDial,
        enrolment::{self, Join, Outcome},
    },
    memory, telemetry, trash,
};
use serde::Serialize;

const FAILED: u8 = 1;
const MISUSED: u8 = 2;
/// Threads of what waits. It hardly ever computes, a large host's processors are its guests', and each thread takes memory.
const THREADS_MAX: usize = 4;

fn main() -> ExitCode {
    let cli = Cli::parse();
    let config = match Config::load(&cli.config) {
        Ok(config) => config,
        Err(error) => return end(MISUSED, &story(&error)),
    };
    telemetry::start(&config.log);
    memory::bound();
    let threads = available_parallelism().map_or(1, usize::from).min(THREADS_MAX);
    let runtime = match tokio::runtime::Builder::new_multi_thread().worker_threads(threads).enable_all().build() {
        Ok(runtime) => runtime,
        Err(error) => return end(FAILED, &format!("cannot start threads: {error}")),
    };
    let done = match cli.command {
        Command::Run => runtime.block_on(Box::pin(run(config))),
        Command::Enroll(line) => runtime.block_on(Box::pin(enroll(&config, line))),
        Command::Trash(what) => trash(&config, &what),
        Command::Freeze(what) => runtime.block_on(Box::pin(freeze_for(&config, &cli.config, what))),
        Command::ThawGuard { server, seconds } => {
            let uri = config.libvirt_uri.clone();
            runtime.block_on(freeze::guard::stand(uri, server, seconds, say)).map(|()| ExitCode::SUCCESS)
        }
        Command::Check { json } => runtime.block_on(Box::pin(check(&config, json))),
    };
    // Blocking calls of libvirt cannot be cut off; a hanging libvirtd must not keep the program from ending.
    runtime.shutdown_background();
    done.unwrap_or_else(|why| end(FAILED, &why))
}

async fn run(config: Config) -> Result<ExitCode, String> {
    let machine = HostMachine::open(config.clone()).map_err(|fault| fault.detail)?;
    let (segments, meter) = (machine.segments(), machine.meter());
    daemon::run(&config, machine, segments, meter).await.map_err(|error| error.to_string())?;
    Ok(ExitCode::SUCCESS)
}

async fn check(config: &Config, json: bool) -> Result<ExitCode, String> {
    // For people line by line: a part that hangs must not keep the others to itself.
    let tell = |finding: &check::Finding| {
        if !json {
            say(&finding.to_string());
        }
    };
    let report = check::run(config, tell).await;
    say(&if json { serde_json::to_string(&report).map_err(|error| error.to_string())? } else { report.summary() });
    Ok(if report.is_ok() { ExitCode::SUCCESS } else { ExitCode::from(FAILED) })
}

async fn freeze_for(config: &Config, file: &Path, what: Freeze) -> Result<ExitCode, String> {
    let Freeze { server, seconds, program } = what;
    let wanted = freeze::Wanted { server, seconds, program };
    freeze::run(&config.libvirt_uri, file, wanted, complain).await?;
    Ok(ExitCode::SUCCESS)
}

fn trash(config: &Config, what: &Trash) -> Result<ExitCode, String> {
    match what {
        Trash::List { json } => answer(&trash::list(config)?, *json),
        Trash::Restore { disk, to, json } => answer(&trash::restore(config, disk, to.as_deref())?, *json),
    }
}

async fn enroll(config: &Config, line: Enroll) -> Result<ExitCode, String> {
    let folder = &config.state_dir;
    // Others may pass through and not look in: QEMU's user reaches the disks in the pool below. What is secret in here
    // (the key, the specs) is closed by itself.
    let made = DirBuilder::new().recursive(true).mode(0o711).create(folder);
    made.map_err(|error| format!("cannot make the state folder {}: {error}", folder.display()))?;
    let machine_id = setup::machine_id().map_err(|error| format!("cannot read /etc/machine-id: {error}"))?;
    let dial = TcpDial::new(line.control.clone());
    let join = Join { control: line.control, pins: line.pins, token: line.token };
    match enrolment::enrol(folder, &join, machine_id, &dial).await.map_err(|error| error.to_string())? {
        Outcome::Enrolled(enrolment) => say(&format!("enrolled as host {}; next: csp-agent run", enrolment.host)),
        Outcome::Already(enrolment) => say(&format!("was enrolled before, as host {}", enrolment.host)),
    }
    Ok(ExitCode::SUCCESS)
}

/// What was found or done, for people or for programs.
fn answer(what: &(impl Serialize + ToString), json: bool) -> Result<ExitCode, String> {
    let text = if json { serde_json::to_string(what).map_err(|error| error.to_string())? } else { what.to_string() };
    say(&text);
    Ok(ExitCode::SUCCESS)
}

/// An answer on standard output. Nobody there to read it is no failure.
fn say(text: &str) {
    let _ = writeln!(std::io::stdout(), "{text}");
}

/// The one line that tells why.
fn end(code: u8, why: &str) -> ExitCode {
    complain(why);
    ExitCode::from(code)
}

/// A line on standard error, where it is in nobody's way who reads the answer.
fn complain(text: &str) {
    let _ = writeln!(std::io::stderr(), "csp-agent: {text}");
}
