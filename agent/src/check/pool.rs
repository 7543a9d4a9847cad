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
    storage::pool::{self, ID_FILE, Pool, PoolError, Preview},
};

const POOL: &str = "pool";
const MOUNT: &str = "mount the pool's file system, or set `pool_dir` to an empty folder";
const TRIAL: &str = ".csp-agent-check";
const GIB: u64 = 1 << 30;
/// With less than this beside the reserve, a pool holds hardly a server and its image.
const ROOM_BYTES_MIN: u64 = 20 * GIB;

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Facts {
    /// The pool's folder.
    pub dir: PathBuf,
    /// It is this host's pool, or can become it; or why not, and what to do about it.
    pub identity: Result<Preview, Unusable>,
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

/// Why a folder is no pool of this host's.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Unusable {
    /// What was seen.
    pub reason: String,
    /// What to do about it.
    pub cure: String,
}

/// Looks at the pool, and at its parent folder if it does not exist yet.
pub async fn probe(config: &Config) -> Facts {
    let (dir, note) = (config.pool_dir.clone(), config.state_dir.join("pool.id"));
    let reserve_bytes = config.reserve.disk_gib.saturating_mul(GIB);
    let given = dir.clone();
    let looked = tokio::task::spawn_blocking(move || look(&dir, &note, reserve_bytes)).await;
    looked.unwrap_or_else(|error| Facts {
        dir: given,
        identity: Err(Unusable { reason: error.to_string(), cure: MOUNT.to_owned() }),
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
    let identity = Pool::preview(dir, note)
        .map_err(|error| Unusable { reason: story(&error), cure: cure(&error, &dir.join(ID_FILE), note) });
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

/// What to do about a pool that cannot be used. `here`: its own id file; `note`: where the host noted that id.
fn cure(error: &PoolError, here: &Path, note: &Path) -> String {
    let is_there = |file: &Path| matches!(pool::read_id(file), Ok(Some(_)));
    let copy = |from: &Path, to: &Path| format!("`cp {} {}`", from.display(), to.display());
    let (id, noted) = (here.display(), note.display());
    match error {
        PoolError::DamagedId { path } if path == here && is_there(note) => {
            format!("its file system is mounted, only that file is damaged: write the id back, {}", copy(note, here))
        }
        PoolError::DamagedId { path } if path == here => {
            format!(
                "its file system is mounted, and this host noted no id of a pool: write a new one, `uuidgen > {id}`"
            )
        }
        PoolError::DamagedId { .. } if is_there(here) => {
            let copy = copy(here, note);
            format!(
                "if it is this host's pool that is mounted now, note its id anew, {copy}; otherwise mount that first"
            )
        }
        PoolError::DamagedId { .. } => {
            format!(
                "mount the pool's file system; if its {ID_FILE} is damaged or gone as well, `uuidgen > {id}`, then `rm {noted}`"
            )
        }
        // An empty folder is where nothing is mounted. One that somebody took the id file from is not empty.
        PoolError::NoId { path } if Pool::disks_in(path).is_dir() => {
            let copy = copy(note, here);
            format!("{MOUNT}; if it is mounted and only its {ID_FILE} was removed, write the id back, {copy}")
        }
        _ => MOUNT.to_owned(),
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
        Err(Unusable { reason, cure }) => return Finding::fault(POOL, reason, cure),
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
        let unusable = Unusable { reason: "no pool.id".to_owned(), cure: MOUNT.to_owned() };
        let table = [
            ("as it should be", facts(), Verdict::Ok),
            ("not mounted", Facts { identity: Err(unusable), ..facts() }, Verdict::Fault),
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

    /// Whoever does what is said has his pool back.
    #[tokio::test]
    async fn an_id_that_is_damaged_is_no_file_system_that_is_not_mounted() {
        let home = tempfile::tempdir().unwrap();
        let (dir, note) = (home.path().join("pool"), home.path().join("pool.id"));
        let here = dir.join(ID_FILE);
        Pool::open(dir.clone(), &note, uuid::Uuid::from_u128(1), 0).unwrap();
        let config = Config { pool_dir: dir.clone(), state_dir: home.path().into(), ..Config::default() };
        let found = async || judge(&probe(&config).await);
        let copy = |from: &Path, to: &Path| format!("`cp {} {}`", from.display(), to.display());
        for damaged in ["", "0199d5c4"] {
            for (file, of) in [(&here, &note), (&note, &here)] {
                std::fs::write(file, damaged).unwrap();
                let told = found().await;
                assert!(told.detail.contains(file.to_str().unwrap()) && told.detail.contains("damaged"), "{told}");
                assert!(told.cure.contains(&copy(of, file)) && !told.cure.contains("empty folder"), "{told}");
                std::fs::copy(of, file).unwrap();
                assert_eq!(probe(&config).await.identity, Ok(Preview::Known));
            }
        }
        std::fs::remove_file(&here).unwrap();
        let told = found().await;
        assert!(told.cure.starts_with(MOUNT) && told.cure.contains(&copy(&note, &here)), "{told}");
        std::fs::remove_file(&note).unwrap();
        std::fs::write(&here, "").unwrap();
        assert!(found().await.cure.contains(&format!("`uuidgen > {}`", here.display())), "no id is known");
        std::fs::write(&note, "").unwrap();
        assert!(found().await.cure.contains(&format!("`rm {}`", note.display())), "of neither");
        std::fs::write(&here, uuid::Uuid::from_u128(2).to_string()).unwrap();
        std::fs::remove_file(&note).unwrap();
        Pool::open(dir, &note, uuid::Uuid::from_u128(3), 0).unwrap();
        assert_eq!(probe(&config).await.identity, Ok(Preview::Known));
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
