//! `csp-agent trash`: what lies in the trash, and how it comes back.
//!
//! Works beside a running agent, and asks it nothing: it reads the files that the agent keeps, and what it does to the
//! pool is safe whatever the agent does meanwhile (see [`crate::storage::trash_rescue`]). A destroyed server stays
//! destroyed; its disk comes back as a file, which is nobody's disk until a person makes it one.

pub mod way_back;

use std::{
    fmt,
    path::{Path, PathBuf},
};

use csp_shared::{generation::DiskEpoch, id::ServerId};
use serde::Serialize;

use self::way_back::{WayBack, way_back};
use crate::{
    config::Config,
    host_machine::fault::story,
    spec_file::Record,
    storage::{
        disk::Disks,
        pool::Pool,
        trash_clock::TrashClock,
        trash_rescue::{self, Resting},
    },
};

const HOUR_SECONDS: u64 = 3600;
const MIB: u64 = 1 << 20;
const GIB: f64 = (1u64 << 30) as f64;

/// What lies in the trash.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// Oldest first.
    pub trash: Vec<Entry>,
}

/// A disk in the trash.
#[derive(Debug, Serialize)]
pub struct Entry {
    /// For `restore`.
    pub name: String,
    /// Whose disk it was.
    pub server: ServerId,
    /// Which of them.
    pub epoch: DiskEpoch,
    /// Its full size, which counts in the pool's room.
    pub full_bytes: u64,
    /// What it occupies.
    pub occupied_bytes: u64,
    /// How long the agent has to run until it is removed, in seconds; up to a minute less by now.
    pub goes_in_seconds: u64,
    /// What can be done with it.
    pub way_back: WayBack,
    #[serde(skip)]
    disk: crate::storage::trash::Trashed,
}

/// What came back.
#[derive(Debug, Serialize)]
pub struct Restored {
    /// Whose disk.
    pub server: ServerId,
    /// Which of them.
    pub epoch: DiskEpoch,
    /// Where it is now.
    pub path: PathBuf,
    /// It is its server's disk again, and no longer in the trash.
    pub as_disk: bool,
}

/// Lists the trash. Blocks.
///
/// # Errors
/// When the pool or the specs cannot be read.
pub fn list(config: &Config) -> Result<Listed, String> {
    Ok(Listed { trash: entries(config, &pool(config)?)? })
}

/// Brings one disk back: to the file `to`, or as its server's disk. Blocks, for as long as the copy takes.
///
/// # Errors
/// When there is no such disk, it may not go there, or the system refuses; it is then still in the trash.
pub fn restore(config: &Config, name: &str, to: Option<&Path>) -> Result<Restored, String> {
    let pool = pool(config)?;
    let entry = the_one(entries(config, &pool)?, name)?;
    let Entry { server, epoch, .. } = entry;
    let Some(to) = to else {
        if entry.way_back != WayBack::AsDisk {
            return Err(format!("{} is not put back: {}", entry.name, entry.way_back.why()));
        }
        let path = Disks::new(pool).put_back(entry.disk).map_err(|error| story(&error))?;
        return Ok(Restored { server, epoch, path, as_disk: true });
    };
    trash_rescue::copy_out(&pool, entry.disk, to).map_err(|error| story(&error))?;
    Ok(Restored { server, epoch, path: to.to_owned(), as_disk: false })
}

fn pool(config: &Config) -> Result<Pool, String> {
    let (dir, note) = (config.pool_dir.clone(), config.state_dir.join("pool.id"));
    Pool::known(dir, &note, 0).map_err(|error| story(&error))
}

fn entries(config: &Config, pool: &Pool) -> Result<Vec<Entry>, String> {
    let now = TrashClock::open(config.state_dir.join("trash.clock")).now();
    let keep = u64::from(config.trash.keep_hours) * HOUR_SECONDS;
    let disks = Disks::new(pool.clone());
    let specs = config.state_dir.join("servers");
    let resting = trash_rescue::list(pool).map_err(|error| story(&error))?;
    let entry = |Resting { disk, full_bytes, occupied_bytes }| {
        let there = disks.list(disk.server).map_err(|error| story(&error))?;
        // A record that cannot be read says nothing; the audit and the agent's log tell of it.
        let record = Record::load(&specs, disk.server).ok().flatten();
        Ok(Entry {
            name: disk.to_string(),
            server: disk.server,
            epoch: disk.epoch,
            full_bytes,
            occupied_bytes,
            // Stamped by a clock that is lost: it waits its whole time once more.
            goes_in_seconds: now.0.checked_sub(disk.at.0).map_or(keep, |age| keep.saturating_sub(age)),
            way_back: way_back(disk.epoch, record.as_ref(), &there),
            disk,
        })
    };
    resting.into_iter().map(entry).collect()
}

/// The entry of that name, or the only one of the server of that id.
fn the_one(entries: Vec<Entry>, name: &str) -> Result<Entry, String> {
    let is_meant = |entry: &Entry| entry.name == name || entry.server.to_string() == name;
    let mut meant: Vec<Entry> = entries.into_iter().filter(is_meant).collect();
    match (meant.pop(), meant.len()) {
        (None, _) => Err(format!("{name} is not in the trash; `csp-agent trash list` shows what is")),
        (Some(entry), 0) => Ok(entry),
        (Some(_), more) => {
            Err(format!("{} disks of server {name} are in the trash; name one as `trash list` prints it", more + 1))
        }
    }
}

impl fmt::Display for Listed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.trash.is_empty() {
            return write!(f, "the trash is empty");
        }
        for (index, entry) in self.trash.iter().enumerate() {
            let (hours, minutes) = (entry.goes_in_seconds / HOUR_SECONDS, entry.goes_in_seconds % HOUR_SECONDS / 60);
            let between = if index == 0 { "" } else { "\n" };
            #[expect(clippy::cast_precision_loss, reason = "shown with one decimal")]
            let full_gib = entry.full_bytes as f64 / GIB;
            writeln!(f, "{between}{}", entry.name)?;
            writeln!(f, "  server {}, disk epoch {}", entry.server, entry.epoch)?;
            writeln!(f, "  {full_gib:.1} GiB, {} MiB of them written", entry.occupied_bytes.div_ceil(MIB))?;
            writeln!(f, "  goes when the agent has run for another {hours} h {minutes} min")?;
            write!(f, "  {}", entry.way_back.why())?;
        }
        Ok(())
    }
}

impl fmt::Display for Restored {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { server, epoch, path, as_disk } = self;
        if *as_disk {
            write!(
                f,
                "disk {epoch} of server {server} is its disk again; the agent starts it within half a minute if it should run"
            )
        } else {
            write!(
                f,
                "disk {epoch} of server {server} was copied to {} (qcow2, stands on no other file); it also stays in the trash until its time is over",
                path.display()
            )
        }
    }
}

#[cfg(test)]
mod tests;
