//! Into a guest by SSH, from the internet, as its owner.

use std::process::Command;

use serde_json::Value;

use crate::{
    control,
    error::{Attempted, LabError, Result},
    internet,
    layout::Layout,
    state::State,
    tool::{bounded, output},
    wait::slowness,
};

/// Makes the lab's SSH key.
///
/// # Errors
/// When ssh-keygen fails.
pub fn make_key(layout: &Layout) -> Result<()> {
    let key = layout.ssh_key();
    if let Some(dir) = key.parent() {
        std::fs::create_dir_all(dir).attempted(|| format!("making {}", dir.display()))?;
    }
    output(bounded(10, ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", "csp-lab", "-f"]).arg(key)).map(drop)
}

/// The public half.
#[must_use]
pub fn public_key(layout: &Layout) -> std::path::PathBuf {
    layout.ssh_key().with_extension("pub")
}

/// The first address of a server, named by its uuid or host name.
///
/// # Errors
/// When there is none of that name, or more than one.
pub fn address_of(state: &State, server: &str) -> Result<String> {
    let answer = control::ask(state, &["server", "list"])?;
    let servers: Vec<&Value> = answer.as_array().into_iter().flatten().collect();
    let is = |value: &Value, field: &str| value.get(field).and_then(Value::as_str) == Some(server);
    let gone = |value: &Value| {
        ["destroyed", "failed"].iter().any(|end| value.get("service_status") == Some(&Value::from(*end)))
    };
    let found: Vec<&&Value> = servers.iter().filter(|s| is(s, "uuid") || (is(s, "hostname") && !gone(s))).collect();
    let [one] = found.as_slice() else {
        let problem = if found.is_empty() { "no server" } else { "more than one server" };
        return Err(LabError::State(format!(
            "there is {problem} called {server}; `csp-control server list` shows all"
        )));
    };
    let first = one.get("ips").and_then(Value::as_array).and_then(|ips| ips.first()).and_then(Value::as_str);
    first.map(str::to_owned).ok_or_else(|| LabError::State(format!("server {server} has no address")))
}

/// The SSH command to an address. The address's next guest has another host key, so none is remembered.
#[must_use]
pub fn ssh(layout: &Layout, address: &str, words: &[String]) -> Command {
    let mut command = internet::enter(layout, None);
    command.arg("ssh").arg("-i").arg(layout.ssh_key());
    for option in [
        "IdentitiesOnly=yes",
        "StrictHostKeyChecking=no",
        "UserKnownHostsFile=/dev/null",
        "LogLevel=ERROR",
        &format!("ConnectTimeout={}", 5 * slowness()),
        "ServerAliveInterval=10",
    ] {
        command.args(["-o", option]);
    }
    command.args(["-F", "/dev/null"]).arg(format!("root@{address}")).args(words);
    command
}
