//! Finds and ends the processes of a lab by what they are members of, never by their names.
//!
//! A process is the lab's when it lives in one of the lab's network namespaces. That is true of everything that a lab
//! starts, also of what libvirt starts for it, and of nothing else on the machine.

use std::{
    collections::BTreeSet,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};

use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};

use crate::{
    error::{Attempted, LabError, Result},
    layout::{Layout, MEMBER_VARIABLE},
    wait,
};

const NAMED: &str = "/run/netns";
const END: Duration = Duration::from_secs(15);

/// A namespace, told from every other one on the machine.
pub type NamespaceId = (u64, u64);

/// The namespace behind a path such as `/proc/1/ns/net`. None when there is nothing, or something that is none.
#[must_use]
pub fn namespace_id(path: &Path) -> Option<NamespaceId> {
    let own = fs::metadata("/proc/self/ns/net").ok()?;
    let found = fs::metadata(path).ok()?;
    // A name whose namespace is gone is a plain file, on another file system.
    (found.dev() == own.dev()).then(|| (found.dev(), found.ino()))
}

/// The lab's network namespaces that have a name.
///
/// # Errors
/// When the folder of names cannot be read.
pub fn named_namespaces(layout: &Layout) -> Result<Vec<String>> {
    let entries = match fs::read_dir(NAMED) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        other => other.attempted(|| format!("reading {NAMED}"))?,
    };
    let names = entries.flatten().filter_map(|entry| entry.file_name().into_string().ok());
    Ok(names.filter(|name| name.starts_with(&layout.prefix())).collect())
}

/// The lab's namespaces: those with its names, and those of processes that carry its mark.
///
/// # Errors
/// When the folder of names cannot be read.
pub fn namespaces(layout: &Layout) -> Result<BTreeSet<NamespaceId>> {
    let named = named_namespaces(layout)?.into_iter().map(|name| Path::new(NAMED).join(name));
    let mark = [MEMBER_VARIABLE.as_bytes(), b"=", layout.dir().as_os_str().as_encoded_bytes()].concat();
    let marked = processes().filter(|process| carries(process, &mark)).map(|process| process.join("ns/net"));
    let mut found: BTreeSet<NamespaceId> = named.chain(marked).filter_map(|path| namespace_id(&path)).collect();
    // Whatever is marked: never the one that this program and the machine live in.
    for own in ["/proc/self/ns/net", "/proc/1/ns/net"] {
        namespace_id(Path::new(own)).map(|own| found.remove(&own));
    }
    Ok(found)
}

fn carries(process: &Path, mark: &[u8]) -> bool {
    fs::read(process.join("environ")).is_ok_and(|bytes| bytes.split(|byte| *byte == 0).any(|entry| entry == mark))
}

fn processes() -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir("/proc").into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_name().to_string_lossy().parse::<i32>().is_ok()).map(|entry| entry.path())
}

/// The living processes in any of these namespaces.
#[must_use]
pub fn members(of: &BTreeSet<NamespaceId>) -> Vec<Pid> {
    let inside = processes().filter(|path| namespace_id(&path.join("ns/net")).is_some_and(|id| of.contains(&id)));
    inside.filter_map(|path| path.file_name()?.to_str()?.parse().ok().map(Pid::from_raw)).collect()
}

/// The namespace of this name, if it is there.
#[must_use]
pub fn named(name: &str) -> Option<NamespaceId> {
    namespace_id(&Path::new(NAMED).join(name))
}

/// The processes in one namespace that run this very program file.
#[must_use]
pub fn running(program: &Path, namespace: &str) -> Vec<Pid> {
    let Some(id) = named(namespace) else { return Vec::new() };
    let exe = |pid: &Pid| fs::read_link(format!("/proc/{pid}/exe")).unwrap_or_default();
    // A program that was built anew while it ran is shown with this suffix.
    let is = |exe: PathBuf| {
        exe == program || exe.to_str().and_then(|exe| exe.strip_suffix(" (deleted)")) == program.to_str()
    };
    members(&BTreeSet::from([id])).into_iter().filter(|pid| is(exe(pid))).collect()
}

/// Ends processes at once, as a power cut would, and waits until they are gone.
///
/// # Errors
/// When one cannot be ended or does not go.
pub fn kill_all(what: &str, find: impl Fn() -> Result<Vec<Pid>>) -> Result<usize> {
    let mut ended = BTreeSet::new();
    wait::until(&format!("the end of {what}"), END, None, || {
        let left = find()?;
        for pid in &left {
            match kill(*pid, Signal::SIGKILL) {
                Ok(()) | Err(nix::Error::ESRCH) => ended.insert(*pid),
                Err(error) => return Err(LabError::Io { what: format!("ending process {pid}"), source: error.into() }),
            };
        }
        Ok(left.is_empty().then_some(()))
    })?;
    Ok(ended.len())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_process_is_in_its_own_namespace_and_in_no_other() {
        let own = namespace_id(Path::new("/proc/self/ns/net")).unwrap();
        let me = Pid::this();
        assert!(members(&BTreeSet::from([own])).contains(&me));
        assert!(!members(&BTreeSet::from([(own.0, own.1 + 1)])).contains(&me));
        assert_eq!(namespace_id(Path::new("/etc/passwd")), None, "a plain file is no namespace");
    }

    #[test]
    fn the_machines_own_namespace_is_never_a_labs() {
        // This test process is marked as little as any other, so the lab of a folder that does not exist has nothing.
        let layout = Layout::new(PathBuf::from("/nonexistent/lab")).unwrap();
        assert!(namespaces(&layout).unwrap().is_empty());
    }
}
