//! What an agent finds out about its host once, or once a boot: ids, processors, the user that QEMU runs as.

use std::{
    fs::{DirBuilder, Permissions},
    io,
    os::unix::fs::{DirBuilderExt, PermissionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

use nix::unistd::User;
use uuid::Uuid;

use crate::{hypervisor::tuning::CpuGroups, machine::BootId, storage::tool::Tool};

const BOOT_ID: &str = "/proc/sys/kernel/random/boot_id";
const FRESH_UUID: &str = "/proc/sys/kernel/random/uuid";
const MACHINE_ID: &str = "/etc/machine-id";
const ONLINE_CPUS: &str = "/sys/devices/system/cpu/online";
/// The second version's list of what it controls, and the first version's folder for processors.
const GROUPS_V2: &str = "/sys/fs/cgroup/cgroup.controllers";
const GROUPS_V1: &str = "/sys/fs/cgroup/cpu";
/// There when systemd is the init of this system (sd_booted(3)).
const SYSTEMD: &str = "/run/systemd/system";
/// Debian and Fedora. Whoever runs QEMU as somebody else has that in qemu.conf; root needs no folder of its own.
const QEMU_USERS: [&str; 2] = ["libvirt-qemu", "qemu"];

/// The kernel's id of this boot.
///
/// # Errors
/// When /proc is not mounted.
pub fn boot_id() -> io::Result<BootId> {
    Ok(BootId(std::fs::read_to_string(BOOT_ID)?.trim().to_owned()))
}

/// The id of this machine.
///
/// # Errors
/// When the system has none (`systemd-machine-id-setup` makes one).
pub fn machine_id() -> io::Result<String> {
    Ok(std::fs::read_to_string(MACHINE_ID)?.trim().to_owned())
}

/// A random UUID, drawn by the kernel.
///
/// # Errors
/// When /proc is not mounted.
pub fn fresh_uuid() -> io::Result<Uuid> {
    let text = std::fs::read_to_string(FRESH_UUID)?;
    Uuid::try_parse(text.trim()).map_err(|error| io::Error::new(io::ErrorKind::InvalidData, error))
}

/// The processors that are online.
///
/// # Errors
/// When /sys is not mounted.
pub fn online_cpus() -> io::Result<Vec<u32>> {
    let text = std::fs::read_to_string(ONLINE_CPUS)?;
    parse_cpu_list(text.trim())
        .ok_or_else(|| io::Error::new(io::ErrorKind::InvalidData, format!("{ONLINE_CPUS} says {text:?}")))
}

/// Which bounds of processors this host can hold (cgroups(7)).
#[must_use]
pub fn cpu_groups() -> CpuGroups {
    match std::fs::read_to_string(GROUPS_V2) {
        Ok(controllers) if controllers.split_whitespace().any(|name| name == "cpu") => CpuGroups::V2,
        Ok(_) => CpuGroups::None,
        Err(_) if Path::new(GROUPS_V1).is_dir() => CpuGroups::V1,
        Err(_) => CpuGroups::None,
    }
}

/// Reads a list as the kernel writes it: `0-3,8`.
pub(super) fn parse_cpu_list(text: &str) -> Option<Vec<u32>> {
    let mut cpus = Vec::new();
    for range in text.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        cpus.extend(first.parse::<u32>().ok()?..=last.parse().ok()?);
    }
    Some(cpus)
}

/// Whether the whole host is going down. Blocks. Without systemd nobody says so in time.
#[must_use]
pub fn is_stopping() -> bool {
    const LIMIT: Duration = Duration::from_secs(5);
    if !Path::new(SYSTEMD).exists() {
        return false;
    }
    // A host that is going down stops answering this question; then, too, guests' states say nothing.
    let state = Tool::new("systemctl", LIMIT).args(["show", "--property=SystemState"]).run();
    state.map_or(true, |printed| printed.trim_ascii() == b"SystemState=stopping")
}

/// Makes the folder for what a reboot empties. QEMU's user may pass through it.
///
/// # Errors
/// When the system refuses.
pub fn make_run_dir(run_dir: &Path) -> io::Result<()> {
    if run_dir.is_dir() {
        return Ok(());
    }
    DirBuilder::new().recursive(true).mode(0o711).create(run_dir)?;
    // Whatever the umask is.
    std::fs::set_permissions(run_dir, Permissions::from_mode(0o711))
}

/// Where VNC sockets of guests are.
#[derive(Debug, Clone)]
pub struct VncFolder(PathBuf);

impl VncFolder {
    /// Below `run_dir`.
    #[must_use]
    pub fn new(run_dir: &Path) -> Self {
        Self(run_dir.join("vnc"))
    }

    /// The socket of a server.
    #[must_use]
    pub fn socket(&self, server: csp_shared::id::ServerId) -> PathBuf {
        self.0.join(format!("{server}.sock"))
    }

    /// Makes the folder, for QEMU's user and nobody else. A reboot empties it, so this is done before every start.
    ///
    /// # Errors
    /// When the system refuses.
    pub fn make(&self) -> io::Result<()> {
        let made = make_run_dir(self.0.parent().unwrap_or(&self.0));
        made.and_then(|()| match DirBuilder::new().mode(0o700).create(&self.0) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
            _ => Ok(()),
        })?;
        std::fs::set_permissions(&self.0, Permissions::from_mode(0o700))?;
        for name in QEMU_USERS {
            if let Some(user) = User::from_name(name)? {
                std::os::unix::fs::chown(&self.0, Some(user.uid.as_raw()), Some(user.gid.as_raw()))?;
                break;
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_list_of_processors_is_read() {
        assert_eq!(parse_cpu_list("0-2,5"), Some(vec![0, 1, 2, 5]));
        assert_eq!(parse_cpu_list("0"), Some(vec![0]));
        assert_eq!(parse_cpu_list(""), None);
        assert_eq!(parse_cpu_list("0-"), None);
    }
}
