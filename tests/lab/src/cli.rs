//! The lab's commands: those of `scripts/lab`, those that break things on purpose, and the hidden ones by which the
//! program starts itself inside a namespace.

use std::{
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, ExitCode},
};

use clap::{Parser, Subcommand};

use crate::{
    agent,
    catalog::Segments,
    control, control_boot, down,
    error::{Attempted, LabError, Result},
    file_server, guest, host, host_init, internet,
    layout::{self, HostLayout, Layout},
    lock, mail_server,
    state::State,
    traces, up,
};

/// A lab: real hosts with real guests, in namespaces of this machine.
#[derive(Debug, Parser)]
#[command(name = "csp-lab", version)]
pub struct Cli {
    #[command(subcommand)]
    command: Cmd,
    /// The lab's folder
    #[arg(long, global = true, default_value = ".lab")]
    dir: PathBuf,
}

#[derive(Debug, Subcommand)]
enum Cmd {
    /// Bring a lab up; returns when an order would succeed
    Up {
        /// How many hosts
        #[arg(long, default_value_t = 1)]
        hosts: u8,
        /// How guests run: auto, kvm or qemu
        #[arg(long, default_value = "auto")]
        virt: String,
        /// Folder of the built programs; without it, the one of this program
        #[arg(long)]
        programs: Option<PathBuf>,
        /// Folder of the guest images
        #[arg(long, default_value = "images")]
        images: PathBuf,
        /// Where libvirt's knowledge of QEMU is kept from lab to lab
        #[arg(long)]
        cache: Option<PathBuf>,
        /// How private networks are carried
        #[arg(long, value_enum, default_value = "vxlan")]
        segments: Segments,
    },
    /// End a lab and remove what it made, whatever state it is in
    Down,
    /// Say whether anything of a lab is left; exit status 1 when there is
    Gone,
    /// Print what a shell needs: eval "$(scripts/lab env)"
    Env,
    /// SSH into a server from the internet, with the first account's key
    Ssh {
        /// uuid or host name
        server: String,
        /// Command to run there
        #[arg(last = true)]
        words: Vec<String>,
    },
    /// Say what of a server is on the hosts; exit status 1 when anything is
    Traces {
        /// uuid
        server: String,
    },
    /// Run a command in a host, h1 for example, or in `internet`
    Exec {
        /// h1, h2, ... or internet
        place: String,
        /// The command
        #[arg(required = true, trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// SIGKILL a host's agent; its guests go on
    KillAgent {
        /// h1, h2, ...
        host: String,
    },
    /// Start a host's agent
    StartAgent {
        /// h1, h2, ...
        host: String,
        #[command(flatten)]
        odd: agent::Odd,
    },
    /// Have a host's agent end by SIGTERM, as a service manager does, and wait for it
    StopAgent {
        /// h1, h2, ...
        host: String,
    },
    /// SIGKILL the control plane
    KillControl,
    /// Start the control plane
    StartControl {
        /// Where it is to kill itself, `api.servers.order.order/before` for example
        #[arg(long)]
        failpoint: Option<String>,
    },
    /// Print which of the programs under test run: `control`, `h1` and so on, one a line
    Running,
    /// SIGKILL everything in the lab and clean up nothing
    KillAll,
    /// Cut a host's power: everything in it ends at once
    CutPower {
        /// h1, h2, ...
        host: String,
    },
    /// Switch a host on again: libvirt, then the agent
    PowerOn {
        /// h1, h2, ...
        host: String,
        /// Leave the agent to a `start-agent` of its own, so that a test can look at the host before
        #[arg(long)]
        without_agent: bool,
    },
    #[command(hide = true)]
    HostBoot { number: u8 },
    #[command(hide = true)]
    HostInit { number: u8 },
    #[command(hide = true)]
    ControlBoot { port: u16, program: PathBuf, config: PathBuf },
    #[command(hide = true)]
    FileServer {
        images: PathBuf,
        #[arg(long, default_value_t = layout::IMAGE_PORT)]
        port: u16,
    },
    #[command(hide = true)]
    MailServer { letters: PathBuf },
}

/// Runs one command; a fault is one sentence on standard error.
#[must_use]
pub fn run(cli: Cli) -> ExitCode {
    match dispatch(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("csp-lab: {error}");
            ExitCode::FAILURE
        }
    }
}

fn dispatch(cli: Cli) -> Result<()> {
    if let Cmd::FileServer { images, port } = &cli.command {
        return file_server::run(images, *port);
    }
    if let Cmd::MailServer { letters } = &cli.command {
        return mail_server::run(letters);
    }
    let layout = layout_of(&cli.dir, matches!(cli.command, Cmd::Up { .. }))?;
    match cli.command {
        Cmd::Up { hosts, virt, programs, images, cache, segments } => {
            let _lock = lock::take(&layout)?;
            let programs = programs.map_or_else(own_folder, |programs| absolute(&programs))?;
            let cache = cache.map(|cache| absolute(&cache)).transpose()?;
            up::up(&layout, &up::Plan { hosts, virt, programs, images: absolute(&images)?, cache, segments }).map(drop)
        }
        Cmd::Down => take_down(&layout),
        Cmd::KillAll => down::kill_all(&layout).map(drop),
        Cmd::Gone => down::check_gone(&layout),
        Cmd::Env => State::load_ready(&layout).map(|state| print_env(&layout, &state)),
        Cmd::Ssh { server, words } => {
            let address = guest::address_of(&State::load_ready(&layout)?, &server)?;
            become_command(guest::ssh(&layout, &address, &words))
        }
        Cmd::Traces { server } => {
            let found = traces::find(&layout, &State::load_ready(&layout)?, &server)?;
            if found.is_empty() { Ok(()) } else { Err(LabError::State(format!("{server} has {}", found.join(", ")))) }
        }
        Cmd::Exec { place, words } => {
            let mut command = match place.as_str() {
                "internet" => internet::enter(&layout, None),
                name => host::enter(&State::load(&layout)?.host(&layout, name)?, None)?,
            };
            command.args(words);
            become_command(command)
        }
        Cmd::HostBoot { number } => host_init::boot(&layout, &layout.host(number)),
        Cmd::HostInit { number } => host_init::run(&layout.host(number)),
        Cmd::ControlBoot { port, program, config } => control_boot::run(&layout, port, &program, &config),
        command => break_or_mend(&layout, &command),
    }
}

/// The commands of tests that break a part and set it going again.
fn break_or_mend(layout: &Layout, command: &Cmd) -> Result<()> {
    let state = State::load_ready(layout)?;
    let host = |name: &str| state.host(layout, name);
    match command {
        Cmd::KillAgent { host: name } => agent::kill(&state, &host(name)?).map(drop),
        Cmd::StartAgent { host: name, odd } => agent::start(layout, &state, &host(name)?, odd),
        Cmd::StopAgent { host: name } => agent::stop(layout, &state, &host(name)?),
        Cmd::KillControl => control::kill(layout, &state).map(drop),
        Cmd::StartControl { failpoint } => control::start(layout, &state, failpoint.as_deref()),
        Cmd::Running => {
            running(layout, &state);
            Ok(())
        }
        Cmd::CutPower { host: name } => host::cut_power(layout, &host(name)?),
        Cmd::PowerOn { host: name, without_agent } => {
            let host = host(name)?;
            power_on(layout, &host)?;
            if *without_agent { Ok(()) } else { agent::start(layout, &state, &host, &agent::Odd::default()) }
        }
        _ => Ok(()), // `dispatch` did the others
    }
}

/// What lives of the programs under test.
fn running(layout: &Layout, state: &State) {
    let hosts = (1..=state.hosts).map(|number| layout.host(number));
    let agents = hosts.filter(|host| agent::runs(state, host)).map(|host| host.name());
    for name in control::runs(layout, state).then(|| "control".to_owned()).into_iter().chain(agents) {
        println!("{name}");
    }
}

fn power_on(layout: &Layout, host: &HostLayout) -> Result<()> {
    if host::init(host).is_some() {
        return Err(LabError::State(format!("{} is on", host.name())));
    }
    // A power cut takes everything with it that the kernel held: taps, filters, the bridge.
    internet::connect(layout, host)?;
    host::boot(layout, host)?;
    host::await_libvirt(layout, host, None)
}

fn take_down(layout: &Layout) -> Result<()> {
    if !layout.dir().exists() {
        println!("lab: nothing is in {}", layout.dir().display());
        return Ok(());
    }
    let lock = lock::take(layout)?;
    let removed = down::down(layout)?;
    down::check_gone(layout)?;
    drop(lock);
    // The folder itself goes when nothing of anybody else is in it.
    let _ = std::fs::remove_file(layout.dir().join("lock"));
    let _ = std::fs::remove_dir(layout.dir());
    println!("lab: down ({} processes ended, {} namespaces deleted)", removed.processes, removed.namespaces);
    Ok(())
}

fn print_env(layout: &Layout, state: &State) {
    println!("CSP_URL={}", state.url());
    println!("CSP_API_KEY={}", state.api_key);
    println!("CSP_OTHER_KEY={}", state.other_key);
    println!("CSP_CONTROL={}", state.control.display());
    println!("CSP_CONFIG={}", state.config.display());
    println!("CSP_LAB={}", layout.dir().display());
}

fn layout_of(dir: &Path, make: bool) -> Result<Layout> {
    if make {
        std::fs::create_dir_all(dir).attempted(|| format!("making {}", dir.display()))?;
    }
    // Without links, so that the same folder has the same name however it is reached.
    let dir = match std::fs::canonicalize(dir) {
        Ok(dir) => dir,
        Err(_) => absolute(dir)?,
    };
    Layout::new(dir).map_err(LabError::State)
}

fn absolute(path: &Path) -> Result<PathBuf> {
    std::path::absolute(path).attempted(|| format!("finding {}", path.display()))
}

fn own_folder() -> Result<PathBuf> {
    let own = std::env::current_exe().attempted(|| "finding the lab's own program".to_owned())?;
    Ok(own.parent().unwrap_or(Path::new("/")).to_owned())
}

/// Replaces this program, so that terminal, signals and exit status are the command's own.
fn become_command(mut command: Command) -> Result<()> {
    let error = command.exec();
    Err(LabError::Io { what: "starting the command".to_owned(), source: error })
}
