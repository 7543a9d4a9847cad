//! What of a server is on the hosts: looked for from outside, without asking the agent, so that its word can be checked.

use std::{
    fs,
    path::{Path, PathBuf},
};

use crate::{
    error::{LabError, Result},
    host,
    layout::{HostLayout, Layout},
    process,
    state::State,
    tool::output,
};

const SECONDS: u32 = 30;
/// A destroyed server's disk rests here for a while, which is no trace.
const TRASH: &str = "trash";

/// Everything that is there of the server with this uuid; empty when no host has anything.
///
/// # Errors
/// When it is no uuid, or a host cannot be looked at: then nobody knows.
pub fn find(layout: &Layout, state: &State, server: &str) -> Result<Vec<String>> {
    let well_formed = server.len() == 36 && server.chars().all(|c| c.is_ascii_hexdigit() || c == '-');
    if !well_formed {
        return Err(LabError::State(format!("{server} is no server's uuid")));
    }
    let mut found = Vec::new();
    for host in (1..=state.hosts).map(|number| layout.host(number)) {
        let name = host.name();
        found.extend(on_host(&host, server)?.into_iter().map(|trace| format!("{name}: {trace}")));
    }
    Ok(found)
}

fn on_host(host: &HostLayout, server: &str) -> Result<Vec<String>> {
    let run = |words: &[&str]| output(host::enter(host, Some(SECONDS))?.args(words));
    let mut found = Vec::new();
    if run(&["virsh", "-q", "-c", "qemu:///system", "list", "--all", "--uuid"])?.contains(server) {
        found.push("domain".to_owned());
    }
    found.extend(emulators(host, server).into_iter().map(|pid| format!("QEMU process {pid}")));
    // The agent writes whose a tap is into its alias.
    if run(&["ip", "link", "show"])?.contains(&format!("server={server}")) {
        found.push("tap".to_owned());
    }
    if run(&["nft", "list", "tables"])?.contains(&server.replace('-', "")) {
        found.push("filter table".to_owned());
    }
    // Not in the agent's own notes: a tombstone stays there for ever, so that no late message revives the server.
    for name in ["srv/csp/pool", "run"] {
        files(&host.backing(name), server, &mut found);
    }
    Ok(found)
}

/// In /proc rather than from libvirt, which may have forgotten one.
fn emulators(host: &HostLayout, server: &str) -> Vec<nix::unistd::Pid> {
    let members = process::named(&host.netns).map(|id| process::members(&[id].into())).unwrap_or_default();
    let is = |pid: &nix::unistd::Pid| {
        let exe = fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
        let words = fs::read(format!("/proc/{pid}/cmdline")).unwrap_or_default();
        exe.to_string_lossy().contains("qemu-system") && String::from_utf8_lossy(&words).contains(server)
    };
    members.into_iter().filter(is).collect()
}

/// Files named after the server.
fn files(dir: &Path, server: &str, found: &mut Vec<String>) {
    let entries = fs::read_dir(dir).into_iter().flatten().flatten();
    let entries: Vec<(PathBuf, bool)> =
        entries.map(|entry| (entry.path(), entry.file_type().is_ok_and(|kind| kind.is_dir()))).collect();
    for (path, folder) in entries {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if name.contains(server) {
            found.push(path.display().to_string());
        } else if folder && name != TRASH {
            files(&path, server, found);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_disk_counts_and_its_rest_in_the_trash_does_not() {
        let dir = std::env::temp_dir().join(format!("csp-lab-traces-{}", std::process::id()));
        let server = "0199d5c4-8d7e-7000-8000-0000000000bb";
        for folder in ["pool/disks", "pool/trash"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
            fs::write(dir.join(folder).join(format!("{server}.1.qcow2")), "").unwrap();
        }
        let mut found = Vec::new();
        files(&dir, server, &mut found);
        fs::remove_dir_all(&dir).unwrap();
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].contains("pool/disks"), "{found:?}");
    }
}
