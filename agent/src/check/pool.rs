//! Whether the pool will hold disks: the right folder, writable, with direct I/O and room.

use std::{
    fs::OpenOptions,
    io,
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
};

use nix::libc;

use super::Finding;
use crate::{
    config::Config,
    host_machine::fault::story,
    storage::pool::{Pool, Preview},
};

const POOL: &str = "pool";
const TRIAL: &str = ".csp-agent-check";
const GIB: u64 = 1 << 30;
/// With less than this beside the reserve, a pool holds hardly a server and its image.
const ROOM_BYTES_MIN: u64 = 20 * GIB;

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The pool's folder.
    pub dir: PathBuf,
    /// It is this host's pool, or can become it; or why not.
    pub identity: Result<Preview, String>,
    /// Folders of this host's pool that are not there.
    pub missing: Vec<PathBuf>,
    /// A file could be made there; or why not.
    pub writable: Result<(), String>,
    /// A file could be opened for direct I/O.
    pub direct_io: bool,
    /// A folder on the way that QEMU's user cannot pass through.
    pub closed: Option<PathBuf>,
    /// Bytes that are free.
    pub free_bytes: u64,
    /// Bytes that are kept.
    pub reserve_bytes: u64,
}

/// Looks at the pool, and at its parent folder if it does not exist yet.
pub async fn probe(config: &Config) -> Facts {
    let (dir, note) = (config.pool_dir.clone(), config.state_dir.join("pool.id"));
    let reserve_bytes = config.reserve.disk_gib.saturating_mul(GIB);
    let given = dir.clone();
    let looked = tokio::task::spawn_blocking(move || look(&dir, &note, reserve_bytes)).await;
    looked.unwrap_or_else(|error| Facts {
        dir: given,
        identity: Err(error.to_string()),
        missing: Vec::new(),
        writable: Ok(()),
        direct_io: true,
        closed: None,
        free_bytes: 0,
        reserve_bytes,
    })
}

fn look(dir: &Path, note: &Path, reserve_bytes: u64) -> Facts {
    let there = dir.ancestors().find(|folder| folder.is_dir()).unwrap_or(dir);
    let trial = there.join(format!("{TRIAL}.{}", std::process::id()));
    let writable = OpenOptions::new().write(true).create_new(true).open(&trial).map(drop);
    let direct_io = writable.is_ok() && opens_directly(&trial).is_ok();
    if writable.is_ok() {
        let _ = std::fs::remove_file(&trial); // empty, and known by its name
    }
    let stat = nix::sys::statvfs::statvfs(there);
    let identity = Pool::preview(dir, note).map_err(|error| story(&error));
    let missing = if identity == Ok(Preview::Known) { Pool::missing_folders(dir) } else { Vec::new() };
    Facts {
        dir: dir.to_owned(),
        identity,
        missing,
        writable: writable.map_err(|error| error.to_string()),
        direct_io,
        closed: closed_folder(dir),
        free_bytes: stat.map_or(0, |stat| stat.blocks_available().saturating_mul(stat.fragment_size())),
        reserve_bytes,
    }
}

fn opens_directly(path: &Path) -> io::Result<()> {
    OpenOptions::new().read(true).custom_flags(libc::O_DIRECT).open(path).map(drop)
}

/// The first folder from the root on that others than its owner cannot enter. QEMU does not run as root.
fn closed_folder(dir: &Path) -> Option<PathBuf> {
    const PASS: u32 = 0o001;
    let mut folders: Vec<&Path> = dir.ancestors().collect();
    folders.reverse();
    let is_closed = |folder: &&&Path| std::fs::metadata(folder).is_ok_and(|found| found.mode() & PASS == 0);
    folders.iter().find(is_closed).map(|folder| folder.to_path_buf())
}

/// Judges the pool.
#[must_use]
pub fn judge(facts: &Facts) -> Finding {
    let dir = facts.dir.display();
    let identity = match &facts.identity {
        Ok(identity) => *identity,
        Err(reason) => {
            let cure = "mount the pool's file system, or set `pool_dir` to an empty folder";
            return Finding::fault(POOL, reason, cure);
        }
    };
    if let Some(folder) = facts.missing.first() {
        let cure = "put back what was in it (servers' disks never are made anew); csp-agent makes every other folder by itself";
        return Finding::fault(POOL, format!("{} is not there", folder.display()), cure);
    }
    if let Err(reason) = &facts.writable {
        return Finding::fault(POOL, format!("cannot write below {dir}: {reason}"), "run as root, mount it read-write");
    }
    if !facts.direct_io {
        let detail = format!("the file system of {dir} has no direct I/O, so guests' disks (cache none) cannot open");
        return Finding::fault(POOL, detail, "put the pool on ext4 or XFS");
    }
    if let Some(folder) = &facts.closed {
        let folder = folder.display();
        let detail = format!("QEMU's user cannot pass through {folder} to the disks in {dir}");
        return Finding::fault(POOL, detail, format!("`chmod o+x {folder}`, or set `pool_dir` to another place"));
    }
    let room = facts.free_bytes.saturating_sub(facts.reserve_bytes);
    let (room_gib, reserve_gib) = (room / GIB, facts.reserve_bytes / GIB);
    if room == 0 {
        let detail = format!("{dir} has nothing free beside the reserve of {reserve_gib} GiB");
        return Finding::fault(POOL, detail, "use a larger file system, or lower `reserve.disk_gib`");
    }
    let is = match identity {
        Preview::Known => "is this host's pool",
        Preview::Other => "is a pool, and becomes this host's",
        Preview::New => "becomes this host's pool",
    };
    let detail = format!("{dir} {is}, with {room_gib} GiB free beside the reserve of {reserve_gib} GiB");
    if room < ROOM_BYTES_MIN {
        return Finding::warning(POOL, detail, "use a larger file system: this one holds hardly a server");
    }
    Finding::ok(POOL, detail)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    fn facts() -> Facts {
        Facts {
            dir: "/pool".into(),
            identity: Ok(Preview::New),
            missing: Vec::new(),
            writable: Ok(()),
            direct_io: true,
            closed: None,
            free_bytes: 100 * GIB,
            reserve_bytes: 10 * GIB,
        }
    }

    #[test]
    fn each_fault_of_the_pool_has_its_verdict() {
        let table = [
            ("as it should be", facts(), Verdict::Ok),
            ("not mounted", Facts { identity: Err("no pool.id".to_owned()), ..facts() }, Verdict::Fault),
            ("without its trash", Facts { missing: vec!["/pool/trash".into()], ..facts() }, Verdict::Fault),
            ("read only", Facts { writable: Err("read-only".to_owned()), ..facts() }, Verdict::Fault),
            ("no direct I/O", Facts { direct_io: false, ..facts() }, Verdict::Fault),
            ("closed to QEMU", Facts { closed: Some("/pool".into()), ..facts() }, Verdict::Fault),
            ("full", Facts { free_bytes: 9 * GIB, ..facts() }, Verdict::Fault),
            ("small", Facts { free_bytes: 20 * GIB, ..facts() }, Verdict::Warning),
        ];
        for (name, facts, verdict) in table {
            let finding = judge(&facts);
            assert_eq!(finding.verdict, verdict, "{name}");
            assert_eq!(finding.cure.is_empty(), verdict == Verdict::Ok, "{name}");
        }
    }

    #[tokio::test]
    async fn a_folder_of_somebody_else_is_a_fault_and_stays_as_it_is() {
        let home = tempfile::tempdir().unwrap();
        let pool_dir = home.path().join("pool");
        std::fs::create_dir(&pool_dir).unwrap();
        let config = Config { pool_dir: pool_dir.clone(), state_dir: home.path().into(), ..Config::default() };
        assert_eq!(probe(&config).await.identity, Ok(Preview::New));
        assert_eq!(std::fs::read_dir(&pool_dir).unwrap().count(), 0, "nothing is left behind");

        std::fs::write(pool_dir.join("thesis.txt"), "").unwrap();
        let finding = judge(&probe(&config).await);
        assert_eq!(finding.verdict, Verdict::Fault);
        assert!(finding.detail.contains("not empty"), "{finding}");
    }

    #[tokio::test]
    async fn a_folder_that_qemu_cannot_enter_is_a_fault() {
        let home = tempfile::tempdir().unwrap();
        let private = std::os::unix::fs::PermissionsExt::from_mode(0o700);
        std::fs::set_permissions(home.path(), private).unwrap();
        let config =
            Config { pool_dir: home.path().join("pool"), state_dir: "/nonexistent".into(), ..Config::default() };
        let finding = judge(&probe(&config).await);
        assert_eq!(finding.verdict, Verdict::Fault);
        assert!(finding.cure.contains(&format!("chmod o+x {}", home.path().display())), "{finding}");
    }

    #[tokio::test]
    async fn a_pool_that_is_not_mounted_is_a_fault() {
        let home = tempfile::tempdir().unwrap();
        std::fs::write(home.path().join("pool.id"), uuid::Uuid::from_u128(1).to_string()).unwrap();
        let pool_dir = home.path().join("pool");
        let config = Config { pool_dir, state_dir: home.path().into(), ..Config::default() };
        let finding = judge(&probe(&config).await);
        assert_eq!(finding.verdict, Verdict::Fault);
        assert!(finding.detail.contains("mounted"), "{finding}");
    }

    #[tokio::test]
    async fn a_folder_that_cannot_be_written_is_a_fault() {
        // Not a matter of rights: root may write almost everywhere.
        let config = Config { pool_dir: "/proc/csp".into(), state_dir: "/nonexistent".into(), ..Config::default() };
        let finding = judge(&probe(&config).await);
        assert_eq!(finding.verdict, Verdict::Fault);
        assert!(finding.detail.contains("cannot write"), "{finding}");
    }
}
