//! A test host from outside: switched on, entered, and switched off by cutting its power.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

use nix::unistd::Pid;

use crate::{
    error::{Attempted, LabError, Result},
    internet,
    layout::{HostLayout, Layout},
    process,
    tool::{bounded, detached, output},
    wait,
};

/// Probing what QEMU can do takes some seconds on a machine's very first run, and more without KVM.
const LIBVIRT_LIMIT: Duration = Duration::from_secs(90);
const BOOT_LIMIT: Duration = Duration::from_secs(20);
/// Where libvirt keeps what it learned about QEMU.
const CAPABILITIES: &str = "cache/qemu/capabilities";

/// A folder of the machine, and what the host sees at its place.
pub const BINDS: [(&str, &str); 7] = [
    ("run", "/run"),
    ("srv", "/srv"),
    ("lib", "/var/lib/libvirt"),
    ("log", "/var/log/libvirt"),
    ("cache", "/var/cache/libvirt"),
    ("etc", "/etc/libvirt"),
    ("machine-id", "/etc/machine-id"),
];

/// Makes what the host keeps over a power cut.
///
/// # Errors
/// When the machine's file system refuses, or libvirt is not installed.
pub fn create(layout: &Layout, host: &HostLayout, cache: Option<&Path>) -> Result<()> {
    for name in ["run", "srv", "lib", "log/qemu", "cache", "etc", "dev"] {
        let path = host.backing(name);
        fs::create_dir_all(&path).attempted(|| format!("making {}", path.display()))?;
        // QEMU runs as a user of its own and must come through.
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755))
            .attempted(|| format!("opening {}", path.display()))?;
    }
    // libvirt's empty folders with their owners; its configuration, as installed, with the lab's own lines at the end.
    for (from, to) in [("/var/lib/libvirt/.", "lib"), ("/etc/libvirt/.", "etc")] {
        output(bounded(20, ["cp", "-a", from]).arg(host.backing(to)))?;
    }
    append(&host.backing("etc/qemu.conf"), QEMU_CONF)?;
    if let Some(cache) = cache.filter(|cache| cache.join("qemu/capabilities").is_dir()) {
        output(bounded(20, ["cp", "-a"]).arg(cache.join(".")).arg(host.backing("cache")))?;
    }
    // 32 hex digits, the same for the same lab: a cloned disk is what a test makes on purpose, never by chance.
    let seed = format!("{}/{}", layout.dir().display(), host.name());
    let id = csp_shared::sha256::Sha256::of(seed.as_bytes()).to_string();
    write(&host.backing("machine-id"), &format!("{}\n", id.get(..32).unwrap_or(&id)))
}

/// Lab only: a machine's AppArmor profiles are the machine's own, so none are made for its test hosts.
const QEMU_CONF: &str = "\n# csp-lab\nsecurity_driver = \"none\"\n";

fn append(path: &Path, text: &str) -> Result<()> {
    let old = fs::read_to_string(path).attempted(|| format!("reading {}", path.display()))?;
    write(path, &(old + text))
}

fn write(path: &Path, text: &str) -> Result<()> {
    fs::write(path, text).attempted(|| format!("writing {}", path.display()))
}

/// Switches the host on: its process 1 starts libvirt. Returns once it can be entered.
///
/// # Errors
/// When it does not come up.
pub fn boot(layout: &Layout, host: &HostLayout) -> Result<()> {
    let _ = fs::remove_file(host.pid_file()); // of the last boot
    let own = std::env::current_exe().attempted(|| "finding the lab's own program".to_owned())?;
    let mut command = Command::new(own);
    command.arg("host-boot").arg("--dir").arg(layout.dir()).arg(host.number.to_string());
    let mut starter = detached(&mut command, layout, &host.name())?;
    let status = starter.wait().attempted(|| format!("waiting for {}", host.name()))?;
    let log = Some(layout.log(&host.name()));
    if !status.success() {
        return Err(LabError::Waited { what: format!("{} to start", host.name()), limit: Duration::ZERO, log });
    }
    wait::until(&format!("{} to come up", host.name()), BOOT_LIMIT, log, || Ok(init(host).filter(|_| is_set_up(host))))
        .map(drop)
}

/// Process 1 writes this once all mounts are in place.
#[must_use]
pub fn ready_file(host: &HostLayout) -> PathBuf {
    host.backing("run/csp-lab-ready")
}

fn is_set_up(host: &HostLayout) -> bool {
    ready_file(host).exists()
}

/// The host's process 1, as the machine numbers it. None when the host is off.
#[must_use]
pub fn init(host: &HostLayout) -> Option<Pid> {
    let pid: i32 = fs::read_to_string(host.pid_file()).ok()?.trim().parse().ok()?;
    // The number may have been given to another process since.
    let namespace = process::namespace_id(Path::new(&format!("/proc/{pid}/ns/net")))?;
    (process::named(&host.netns) == Some(namespace)).then(|| Pid::from_raw(pid))
}

/// A command that runs in the host.
///
/// # Errors
/// When the host is off.
pub fn enter(host: &HostLayout, seconds: Option<u32>) -> Result<Command> {
    let pid = init(host).ok_or_else(|| LabError::State(format!("{} is switched off", host.name())))?;
    let target = format!("--target={pid}");
    let words = ["nsenter", &target, "--mount", "--net", "--uts", "--pid", "--"];
    Ok(match seconds {
        Some(seconds) => bounded(seconds, words),
        None => {
            let mut command = Command::new(words[0]);
            command.args(words.get(1..).unwrap_or_default());
            command
        }
    })
}

/// Waits until libvirt answers and knows what QEMU can do; keeps that knowledge for the next lab.
///
/// # Errors
/// When it does not in time.
pub fn await_libvirt(layout: &Layout, host: &HostLayout, cache: Option<&Path>) -> Result<()> {
    let what = format!("libvirt of {} to answer", host.name());
    wait::until(&what, LIBVIRT_LIMIT, Some(layout.log(&host.name())), || {
        let asked = output(enter(host, Some(60))?.args(["virsh", "-q", "-c", "qemu:///system", "domcapabilities"]));
        Ok(asked.is_ok().then_some(()))
    })?;
    match cache {
        Some(cache) if !cache.join("qemu/capabilities").exists() => keep_capabilities(host, cache),
        _ => Ok(()),
    }
}

/// Appears whole or not at all, since labs side by side share it.
fn keep_capabilities(host: &HostLayout, cache: &Path) -> Result<()> {
    let (from, made) = (host.backing(CAPABILITIES), cache.join(format!("qemu.{}", std::process::id())));
    if !from.exists() {
        return Ok(());
    }
    fs::create_dir_all(&made).attempted(|| format!("making {}", made.display()))?;
    output(bounded(20, ["cp", "-a"]).arg(&from).arg(&made))?;
    if fs::rename(&made, cache.join("qemu")).is_err() {
        let _ = fs::remove_dir_all(&made); // another lab was first
    }
    Ok(())
}

/// Cuts the power: everything in the host ends at once, nothing is told. What was on its disk stays, and nothing else: its
/// network goes too, with every tap and filter in it.
///
/// # Errors
/// When something of it does not end.
pub fn cut_power(layout: &Layout, host: &HostLayout) -> Result<()> {
    process::kill_all(&host.name(), || {
        let namespace = process::named(&host.netns);
        Ok(namespace.map(|id| process::members(&[id].into())).unwrap_or_default())
    })?;
    let _ = fs::remove_file(host.pid_file());
    internet::disconnect(layout, host)
}
