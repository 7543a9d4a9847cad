//! The QEMU process of a server, looked for where it cannot hide: in /proc.
//!
//! libvirt may forget a guest whose process lives on (OpenNebula/one #7975: its address then went to another guest). So
//! that a server is gone is proved here, by its UUID in the arguments that libvirt gives to QEMU.

use std::{
    collections::BTreeMap,
    ffi::OsStr,
    io::{self, ErrorKind},
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::{Path, PathBuf},
};

use csp_shared::id::ServerId;
use nix::{
    errno::Errno,
    libc,
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use super::HypervisorError;

const PROC: &str = "/proc";
/// What the kernel writes behind the name of a file that has none any more (proc_pid_fd(5)).
const DELETED: &[u8] = b" (deleted)";

/// The processes of all guests that carry a server's id. Blocks.
///
/// # Errors
/// When a process could not be looked at: then nobody knows.
pub fn list() -> Result<BTreeMap<ServerId, Vec<i32>>, HypervisorError> {
    let mut found: BTreeMap<ServerId, Vec<i32>> = BTreeMap::new();
    let failed = |path: &Path, source| HypervisorError::Io { path: path.to_owned(), source };
    for entry in std::fs::read_dir(PROC).map_err(|source| failed(Path::new(PROC), source))? {
        let entry = entry.map_err(|source| failed(Path::new(PROC), source))?;
        let Some(pid) = entry.file_name().to_str().and_then(|name| name.parse::<i32>().ok()) else { continue };
        let path = PathBuf::from(PROC).join(pid.to_string()).join("cmdline");
        match std::fs::read(&path) {
            Ok(arguments) => {
                owner(&arguments).into_iter().for_each(|server| found.entry(server).or_default().push(pid))
            }
            Err(error) if has_ended(&error) => {}
            Err(source) => return Err(failed(&path, source)),
        }
    }
    Ok(found)
}

/// The processes of one server. Blocks.
///
/// # Errors
/// When a process could not be looked at: then nobody knows.
pub fn find(server: ServerId) -> Result<Vec<i32>, HypervisorError> {
    Ok(list()?.remove(&server).unwrap_or_default())
}

/// What these processes hold open in the place of `own`: another file that has or had its name, or lies or lay beside it. Given
/// as a path at which it can be read, though its name be gone. None where they hold `own` itself, where it is not there, or
/// where they hold nothing of the kind. Blocks.
#[must_use]
pub fn holds_instead(pids: &[i32], own: &Path) -> Option<PathBuf> {
    let own_is = identity(own)?;
    let mut other = None;
    for pid in pids {
        // A process that ends meanwhile holds nothing.
        for entry in std::fs::read_dir(PathBuf::from(PROC).join(pid.to_string()).join("fd")).into_iter().flatten() {
            let Ok(held) = entry.map(|entry| entry.path()) else { continue };
            match identity(&held) {
                Some(is) if is == own_is => return None,
                Some(_) if is_of_its_kind(&held, own) => other = Some(held),
                _ => {}
            }
        }
    }
    other
}

/// Which file a path leads to, whatever it is called.
fn identity(path: &Path) -> Option<(u64, u64)> {
    std::fs::metadata(path).ok().filter(std::fs::Metadata::is_file).map(|file| (file.dev(), file.ino()))
}

fn is_of_its_kind(held: &Path, own: &Path) -> bool {
    let Ok(name) = std::fs::read_link(held) else { return false };
    let bytes = name.as_os_str().as_bytes();
    let name = Path::new(OsStr::from_bytes(bytes.strip_suffix(DELETED).unwrap_or(bytes)));
    name.parent() == own.parent() || name.file_name() == own.file_name()
}

/// Kills the processes of a server. Blocks, but does not wait for their end.
///
/// # Errors
/// When one could not be found or killed.
pub fn kill_all(server: ServerId) -> Result<(), HypervisorError> {
    for pid in find(server)? {
        match kill(Pid::from_raw(pid), Signal::SIGKILL) {
            Ok(()) | Err(Errno::ESRCH) => {}
            Err(errno) => {
                let path = PathBuf::from(PROC).join(pid.to_string());
                return Err(HypervisorError::Io { path, source: errno.into() });
            }
        }
    }
    Ok(())
}

/// A process that ended while it was looked at.
fn has_ended(error: &io::Error) -> bool {
    error.kind() == ErrorKind::NotFound || error.raw_os_error() == Some(libc::ESRCH)
}

/// Whose QEMU has these arguments (each ends in zero): `-uuid UUID`, or `-name guest=UUID,…`.
fn owner(arguments: &[u8]) -> Option<ServerId> {
    let mut before: &[u8] = b"";
    arguments.split(|byte| *byte == 0).find_map(|argument| {
        let id = match std::mem::replace(&mut before, argument) {
            b"-uuid" => Some(argument),
            b"-name" => argument.strip_prefix(b"guest=").and_then(|rest| rest.split(|byte| *byte == b',').next()),
            _ => None,
        };
        std::str::from_utf8(id?).ok()?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    #[test]
    fn a_disk_whose_file_was_replaced_under_a_guest_is_told_from_its_own() {
        let home = tempfile::tempdir().unwrap();
        let (own, aside) = (home.path().join("a.1.qcow2"), home.path().join("a.1.qcow2.bak"));
        std::fs::write(&own, "written by the guest").unwrap();
        let _seed = std::fs::File::open("/proc/self/exe").unwrap();
        let held = std::fs::File::open(&own).unwrap();
        let instead = || holds_instead(&[std::process::id().cast_signed()], &own);
        assert_eq!(instead(), None, "it is the one");
        std::fs::remove_file(&own).unwrap();
        assert_eq!(instead(), None, "there is no other");
        std::fs::write(&own, "a part of").unwrap();
        let found = instead().unwrap();
        assert_eq!(std::fs::read_to_string(&found).unwrap(), "written by the guest", "it is where it can be read");
        drop(held);
        assert_eq!(instead(), None, "nothing of the kind is held");
        let held = std::fs::File::open(&own).unwrap();
        std::fs::rename(&own, &aside).unwrap();
        std::fs::copy(&aside, &own).unwrap();
        assert!(instead().is_some(), "renamed, and a copy put in its place");
        std::fs::rename(&aside, &own).unwrap();
        assert_eq!(instead(), None, "and back");
        drop(held);
    }

    #[test]
    fn a_guest_is_known_by_its_arguments_alone() {
        let server = ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bb));
        let arguments = b"/usr/bin/qemu-system-x86_64\0-name\0guest=0199d5c4-8d7e-7000-8000-0000000000bb,\
            debug-threads=on\0-S\0-m\0size=64\0"
            .as_slice();
        assert_eq!(owner(arguments), Some(server));
        assert_eq!(owner(b"qemu\0-uuid\x000199d5c4-8d7e-7000-8000-0000000000bb\0"), Some(server));
        let others: [&[u8]; 5] = [
            b"",
            b"grep\x000199d5c4-8d7e-7000-8000-0000000000bb\0",
            b"less\0/x/guest=0199d5c4-8d7e-7000-8000-0000000000bb\0",
            b"qemu\0-name\0guest=mini1\0",
            b"qemu\0-uuid",
        ];
        for other in others {
            assert_eq!(owner(other), None);
        }
    }
}
