//! A libvirt of the test's own: its folders, its daemons, its /dev/kvm. Nothing of the machine's libvirt is touched.

use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use csp_agent::storage::tool::Tool;
use nix::{
    sys::{
        signal::{Signal, kill},
        stat::{Mode, SFlag, makedev, mknod, umask},
    },
    unistd::Pid,
};

use crate::host_support::{bind, with_private_mounts};

const COPY_LIMIT: Duration = Duration::from_secs(60);

/// Fields end in this order: libvirtd first.
pub struct LibvirtHost {
    libvirtd: Daemon,
    _virtlogd: Daemon,
}

impl LibvirtHost {
    /// Call it in a private network; `home` is empty.
    pub fn start(home: &Path) -> Self {
        with_private_mounts();
        for (name, path, is_kept) in [
            ("run", "/run/libvirt", false),
            ("lib", "/var/lib/libvirt", true),
            ("log", "/var/log/libvirt", false),
            ("cache", "/var/cache/libvirt", true),
            ("etc", "/etc/libvirt", true),
        ] {
            let own = home.join(name);
            std::fs::create_dir_all(path).unwrap();
            if is_kept {
                Tool::new("cp", COPY_LIMIT).args(["-a", path]).arg(&own).run().unwrap();
            } else {
                std::fs::create_dir(&own).unwrap();
            }
            bind(&own, Path::new(path));
        }
        // Definitions of the machine's own guests, copied with the rest.
        for entry in std::fs::read_dir("/etc/libvirt/qemu").unwrap() {
            let path = entry.unwrap().path();
            if path.extension().is_some_and(|extension| extension == "xml") {
                std::fs::remove_file(path).unwrap();
            }
        }
        give_kvm(home);
        let virtlogd = Daemon::start("virtlogd", Path::new("/run/libvirt/virtlogd-sock"));
        let libvirtd = Daemon::start("libvirtd", Path::new("/run/libvirt/libvirt-sock"));
        Self { libvirtd, _virtlogd: virtlogd }
    }

    /// As an upgrade does.
    pub fn restart_libvirtd(&mut self) {
        self.stop_libvirtd();
        self.libvirtd = Daemon::start("libvirtd", Path::new("/run/libvirt/libvirt-sock"));
    }

    /// As when it waits for ever for something.
    pub fn hang_libvirtd(&self) {
        self.libvirtd.signal(Signal::SIGSTOP);
    }

    pub fn unhang_libvirtd(&self) {
        self.libvirtd.signal(Signal::SIGCONT);
    }

    pub fn stop_libvirtd(&mut self) {
        self.libvirtd.stop();
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        self.stop();
    }
}

/// A node that QEMU's user can open: libvirt looks for KVM again at every call otherwise, for half a minute.
fn give_kvm(home: &Path) {
    if Path::new("/dev/kvm").exists() {
        let node = home.join("kvm");
        let everybody = Mode::from_bits_truncate(0o666);
        mknod(&node, SFlag::S_IFCHR, everybody, makedev(10, 232)).unwrap();
        std::fs::set_permissions(&node, std::os::unix::fs::PermissionsExt::from_mode(0o666)).unwrap();
        bind(&node, Path::new("/dev/kvm"));
    }
}

struct Daemon {
    name: &'static str,
    child: Option<Child>,
    socket: PathBuf,
}

impl Daemon {
    fn start(name: &'static str, socket: &Path) -> Self {
        let _ = std::fs::remove_file(socket);
        // systemd starts daemons so, whatever a test makes of its own mask.
        let own = umask(Mode::from_bits_truncate(0o022));
        let child = Command::new(name).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).spawn();
        umask(own);
        let child = child.unwrap_or_else(|error| panic!("cannot start {name}, is it installed? {error}"));
        let daemon = Self { name, child: Some(child), socket: socket.to_owned() };
        let is_up = (0..600).any(|_| {
            std::thread::sleep(Duration::from_millis(50));
            socket.exists()
        });
        assert!(is_up, "{name} did not make its socket");
        daemon
    }

    fn signal(&self, signal: Signal) {
        let child = self.child.as_ref().unwrap();
        kill(Pid::from_raw(child.id() as i32), signal).unwrap();
    }

    fn stop(&mut self) {
        let Some(mut child) = self.child.take() else { return };
        let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGTERM);
        let _ = kill(Pid::from_raw(child.id() as i32), Signal::SIGCONT); // of a test that failed in between
        for _ in 0..600 {
            if child.try_wait().unwrap().is_some() {
                let _ = std::fs::remove_file(&self.socket);
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        eprintln!("{} does not end and is killed", self.name);
        let _ = child.kill();
        let _ = child.wait();
    }
}
