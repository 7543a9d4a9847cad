//! Mounts of a test's own.

#![allow(dead_code, reason = "each test file uses a part of it")]

use std::path::Path;

use nix::{
    mount::{MsFlags, mount, umount},
    sched::{CloneFlags, unshare},
};

const NONE: Option<&str> = None;

/// Gives this thread, and all that it starts from now on, mounts of its own.
pub fn with_private_mounts() {
    // A thread cannot leave the mounts that it shares with the others, unless it first has its own working folder too.
    unshare(CloneFlags::CLONE_FS | CloneFlags::CLONE_NEWNS).expect("needs root: mounts of its own");
    mount(NONE, "/", NONE, MsFlags::MS_REC | MsFlags::MS_PRIVATE, NONE).unwrap();
}

/// Puts `with` over `path`. Call it with private mounts.
pub fn bind(with: &Path, path: &Path) {
    mount(Some(with), path, NONE, MsFlags::MS_BIND, NONE).unwrap();
}

/// Runs a test in a folder whose `pool` is a file system in memory, mounted with these options, so that nothing else of
/// this machine takes or gives room. On a thread of its own, since mounts are a thread's.
pub fn beside_own_pool(options: Option<&'static str>, test: impl FnOnce(&Path) + Send + 'static) {
    let thread = std::thread::spawn(move || {
        with_private_mounts();
        let home = tempfile::tempdir().unwrap();
        let pool = home.path().join("pool");
        std::fs::create_dir(&pool).unwrap();
        mount(Some("tmpfs"), &pool, Some("tmpfs"), MsFlags::empty(), options).unwrap();
        test(home.path());
        umount(&pool).unwrap();
    });
    if let Err(panic) = thread.join() {
        std::panic::resume_unwind(panic);
    }
}
