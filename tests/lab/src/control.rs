//! The control plane under test: set up, started, killed, and spoken to with its own commands.

use std::{
    fs,
    net::{Ipv4Addr, SocketAddr, TcpListener, TcpStream},
    path::Path,
    process::Command,
    time::Duration,
};

use serde_json::Value;

use crate::{
    control_boot::PASSED_NAME,
    error::{Attempted, LabError, Result},
    internet,
    layout::{FLEET_PORT, Layout, MAIL_PORT, MANAGEMENT},
    process,
    state::State,
    tool::{bounded, detached, output},
    wait,
};

const COMMAND_SECONDS: u32 = 60;
/// Tests add more addresses in a day than customers do.
const ADDED_A_DAY: &str = "extra_ips_a_day = 5\n";
const ADDED_A_DAY_HERE: &str = "extra_ips_a_day = 100\n";
/// Who may sign up, as `init` writes it and as a lab has it: whoever gets an invitation.
const SIGN_UP: &str = "mode = \"closed\"";
const SIGN_UP_HERE: &str = "mode = \"invitation\"";
const START_LIMIT: Duration = Duration::from_secs(20);

/// A port of 127.0.0.1 that nobody listens on.
///
/// # Errors
/// When the machine has none.
pub fn free_port() -> Result<u16> {
    let bound = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).and_then(|listener| listener.local_addr());
    bound.map(|address| address.port()).attempted(|| "looking for a free port on 127.0.0.1".to_owned())
}

/// Makes keys, database and configuration with the program's own `init`.
///
/// # Errors
/// When it refuses.
pub fn init(layout: &Layout, program: &Path, port: u16) -> Result<()> {
    let mut command = bounded(COMMAND_SECONDS, [program]);
    command.arg("init").arg("--dir").arg(layout.control());
    command.args(["--public-url", &format!("http://127.0.0.1:{port}")]);
    command.args(["--api-listen", &format!("fd:{PASSED_NAME}")]);
    command.args(["--fleet-listen", &format!("{MANAGEMENT}:{FLEET_PORT}")]);
    command.args(["--advertise", &format!("{MANAGEMENT}:{FLEET_PORT}")]);
    output(&mut command)?;
    let config = layout.control().join("control.toml");
    let mut text = fs::read_to_string(&config).attempted(|| format!("reading {}", config.display()))?;
    for (usual, here) in [(ADDED_A_DAY, ADDED_A_DAY_HERE), (SIGN_UP, SIGN_UP_HERE)] {
        if !text.contains(usual) {
            return Err(LabError::State(format!("{} does not say `{usual}`", config.display())));
        }
        text = text.replace(usual, here);
    }
    // A letter needs somebody who takes it.
    text += &format!("\n[mail]\nserver = \"{MANAGEMENT}:{MAIL_PORT}\"\ntls = \"none\"\nfrom = \"lab@example.com\"\n");
    fs::write(&config, text).attempted(|| format!("writing {}", config.display()))
}

/// Starts it in the internet namespace and waits until it serves customers and operators. At `failpoint`, if there is
/// one, it kills itself.
///
/// # Errors
/// When it does not come up; with the end of its log.
pub fn start(layout: &Layout, state: &State, failpoint: Option<&str>) -> Result<()> {
    if !pids(layout, state).is_empty() {
        return Err(LabError::State("the control plane runs already".to_owned()));
    }
    let own = std::env::current_exe().attempted(|| "finding the lab's own program".to_owned())?;
    let mut command = Command::new(own);
    command.arg("control-boot").arg("--dir").arg(layout.dir()).arg(state.api_port.to_string());
    command.arg(&state.control).arg(&state.config);
    command.envs(failpoint.map(|name| (csp_shared::failpoint::VARIABLE, name)));
    let mut child = detached(&mut command, layout, "control")?;
    wait::until("the control plane to serve", START_LIMIT, Some(layout.log("control")), || {
        if let Some(status) = child.try_wait().attempted(|| "watching the control plane".to_owned())? {
            let (what, log) = (format!("the control plane to serve, but it ended ({status})"), layout.log("control"));
            return Err(LabError::Waited { what, limit: Duration::ZERO, log: Some(log) });
        }
        // The passed socket takes connections before the program does, so ask the program itself.
        Ok(ask(state, &["host", "list"]).is_ok().then_some(()))
    })
}

/// Kills it without a warning.
///
/// # Errors
/// When it does not end.
pub fn kill(layout: &Layout, state: &State) -> Result<usize> {
    process::kill_all("the control plane", || Ok(pids(layout, state)))
}

/// Whether it lives.
#[must_use]
pub fn runs(layout: &Layout, state: &State) -> bool {
    !pids(layout, state).is_empty()
}

fn pids(layout: &Layout, state: &State) -> Vec<nix::unistd::Pid> {
    process::running(&state.control, &layout.internet())
}

/// Runs one of the operator's commands and gives its answer.
///
/// # Errors
/// When the command fails, or does not answer with JSON.
pub fn ask(state: &State, words: &[&str]) -> Result<Value> {
    let mut command = bounded(COMMAND_SECONDS, [&state.control]);
    command.arg("--config").arg(&state.config).arg("--json").args(words);
    let answer = output(&mut command)?;
    serde_json::from_str(&answer)
        .map_err(|error| LabError::State(format!("csp-control {} gave no JSON: {error}", words.join(" "))))
}

/// One text of an answer.
///
/// # Errors
/// When it is not there.
pub fn text(answer: &Value, field: &str) -> Result<String> {
    let found = answer.get(field).and_then(Value::as_str);
    found.map(str::to_owned).ok_or_else(|| LabError::State(format!("csp-control answered without `{field}`")))
}

/// Opens an account with money in its wallet; gives its id.
///
/// # Errors
/// When the control plane refuses.
pub fn open_account(state: &State, name: &str, dollars: &str) -> Result<String> {
    let account = text(&ask(state, &["account", "create", "--name", name])?, "uuid")?;
    ask(state, &["credit", &account, dollars, "--reference", &format!("lab-{name}")])?;
    Ok(account)
}

/// Makes an API key of an account.
///
/// # Errors
/// When the control plane refuses.
pub fn make_key(state: &State, account: &str) -> Result<String> {
    text(&ask(state, &["key", "create", account, "--label", "lab"])?, "key")
}

/// Waits until every one of the hosts can take an order: heard of, with a capacity.
///
/// # Errors
/// When one is not in time.
pub fn await_hosts(layout: &Layout, state: &State, limit: Duration) -> Result<()> {
    let ready = |host: &Value| {
        host.get("connected").and_then(Value::as_bool) == Some(true)
            && host.get("capacity").is_some_and(Value::is_object)
    };
    for number in 1..=state.hosts {
        let name = layout.host(number).name();
        wait::until(&format!("{name} to be connected"), limit, Some(layout.log(&format!("agent-{name}"))), || {
            let hosts = ask(state, &["host", "list"])?;
            let found = hosts
                .as_array()
                .into_iter()
                .flatten()
                .find(|host| host.get("name").and_then(Value::as_str) == Some(&name));
            Ok(found.is_some_and(ready).then_some(()))
        })?;
    }
    Ok(())
}

/// Whether something on the machine takes connections on the API's port.
#[must_use]
pub fn answers(port: u16) -> bool {
    TcpStream::connect_timeout(&SocketAddr::from((Ipv4Addr::LOCALHOST, port)), Duration::from_secs(1)).is_ok()
}

/// Starts the server of image files and the one that takes letters, in the internet namespace.
///
/// # Errors
/// When one does not come up.
pub fn start_servers(layout: &Layout, images: &Path) -> Result<()> {
    start_server(layout, "file-server", images, "images", crate::file_server::SERVING)?;
    start_server(layout, "mail-server", &layout.mail(), "mail", crate::mail_server::SERVING)
}

fn start_server(layout: &Layout, command_word: &str, folder: &Path, log: &str, serving: &str) -> Result<()> {
    let own = std::env::current_exe().attempted(|| "finding the lab's own program".to_owned())?;
    let mut command = internet::enter(layout, None);
    command.arg(own).arg(command_word).arg(folder);
    detached(&mut command, layout, log)?;
    let log = layout.log(log);
    wait::until(&format!("the lab's {command_word}"), START_LIMIT, Some(log.clone()), || {
        Ok(std::fs::read_to_string(&log).is_ok_and(|text| text.contains(serving)).then_some(()))
    })
}
