//! Ends a lab and removes what it made, whatever state it is in.
//!
//! Nothing is assumed: `up` may have been killed half-way, the notes may be gone, everything in the lab may be dead.
//! So it looks at the machine and not at the notes, and running it on nothing does nothing.

use std::{fs, path::Path};

use nix::mount::{MntFlags, umount2};

use crate::{
    error::{Attempted, LabError, Result},
    internet,
    layout::Layout,
    process,
};

/// What was found and removed.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Removed {
    /// Processes ended.
    pub processes: usize,
    /// Namespaces deleted.
    pub namespaces: usize,
}

/// Ends every process, deletes every namespace, takes off every mount, removes every file that `up` made.
///
/// # Errors
/// When something of it does not go.
pub fn down(layout: &Layout) -> Result<Removed> {
    let processes = kill_all(layout)?;
    let names = process::named_namespaces(layout)?;
    for name in &names {
        internet::remove(name)?;
    }
    unmount(layout.dir())?;
    for path in layout.made() {
        remove(&path)?;
    }
    Ok(Removed { processes, namespaces: names.len() })
}

/// Ends every process, and no more; gives how many there were.
///
/// # Errors
/// When one does not go.
pub fn kill_all(layout: &Layout) -> Result<usize> {
    process::kill_all("the lab's processes", || Ok(process::members(&process::namespaces(layout)?)))
}

/// A host's mounts are its own and end with it; this is for one that somebody made in the folder by hand.
fn unmount(dir: &Path) -> Result<()> {
    let table = fs::read_to_string("/proc/self/mountinfo").attempted(|| "reading the mounts".to_owned())?;
    let mut points: Vec<&str> = table.lines().filter_map(|line| line.split(' ').nth(4)).collect();
    points.retain(|point| Path::new(point).starts_with(dir) && Path::new(point) != dir);
    for point in points.iter().rev() {
        umount2(*point, MntFlags::MNT_DETACH).attempted(|| format!("unmounting {point}"))?;
    }
    Ok(())
}

fn remove(path: &Path) -> Result<()> {
    let removed = match fs::symlink_metadata(path) {
        Ok(found) if found.is_dir() => fs::remove_dir_all(path),
        Ok(_) => fs::remove_file(path),
        Err(_) => return Ok(()),
    };
    removed.attempted(|| format!("removing {}", path.display()))
}

/// Says what of a lab is still there; empty when nothing is.
///
/// # Errors
/// When the machine cannot be looked at.
pub fn left_over(layout: &Layout) -> Result<Vec<String>> {
    let named = process::named_namespaces(layout)?.into_iter().map(|name| format!("namespace {name}"));
    let members = process::members(&process::namespaces(layout)?).into_iter().map(|pid| format!("process {pid}"));
    let files = layout.made().into_iter().filter(|path| path.exists()).map(|path| path.display().to_string());
    Ok(named.chain(members).chain(files).collect())
}

/// The same, as an error.
///
/// # Errors
/// When something is left.
pub fn check_gone(layout: &Layout) -> Result<()> {
    let left = left_over(layout)?;
    if left.is_empty() { Ok(()) } else { Err(LabError::State(format!("left over: {}", left.join(", ")))) }
}
