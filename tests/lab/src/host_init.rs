//! Process 1 of a test host, and the step before it that makes the host's namespaces.
//!
//! A host is a network namespace (made by `internet`) with mounts, process numbers and a host name of its own. With
//! process numbers of its own, ending process 1 is a power cut: the kernel ends all the rest.

use std::{
    fs,
    os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt},
    path::Path,
    process::{Child, Command, Stdio},
};

use nix::{
    errno::Errno,
    mount::{MntFlags, MsFlags, mount, umount2},
    sched::{CloneFlags, setns, unshare},
    sys::{
        stat::{Mode, SFlag, makedev, mknod},
        wait::wait,
    },
    unistd::setsid,
};

use crate::{
    error::{Attempted, LabError, Result},
    host::{BINDS, ready_file},
    layout::{HostLayout, Layout},
};

/// Makes the namespaces and starts process 1 in them; the machine's number of it goes into the pid file.
///
/// # Errors
/// When the kernel refuses.
pub fn boot(layout: &Layout, host: &HostLayout) -> Result<()> {
    let netns = format!("/run/netns/{}", host.netns);
    let file = fs::File::open(&netns).attempted(|| format!("opening {netns}"))?;
    setns(file, CloneFlags::CLONE_NEWNET).attempted(|| format!("entering {netns}"))?;
    let flags = CloneFlags::CLONE_NEWNS | CloneFlags::CLONE_NEWPID | CloneFlags::CLONE_NEWUTS;
    unshare(flags).attempted(|| "making a host's namespaces".to_owned())?;
    let own = std::env::current_exe().attempted(|| "finding the lab's own program".to_owned())?;
    let mut command = Command::new(own);
    command.arg("host-init").arg("--dir").arg(layout.dir()).arg(host.number.to_string());
    let child = command.spawn().attempted(|| "starting process 1".to_owned())?;
    let noted = host.pid_file().with_extension("new");
    fs::write(&noted, child.id().to_string())
        .and_then(|()| fs::rename(&noted, host.pid_file()))
        .attempted(|| format!("writing {}", host.pid_file().display()))
}

/// Is process 1: mounts, starts libvirt, and then only buries the dead. Does not return unless setting up failed.
///
/// # Errors
/// When a mount or libvirt fails.
pub fn run(host: &HostLayout) -> Result<()> {
    setsid().attempted(|| "leaving the session".to_owned())?;
    set_up(host)?;
    let _daemons = start_libvirt()?;
    fs::write(ready_file(host), "").attempted(|| "telling that the host is up".to_owned())?;
    loop {
        match wait() {
            Ok(_) | Err(Errno::EINTR) => {}
            // With libvirt gone, too, there is nobody to wait for; the host stays on until its power is cut.
            Err(_) => std::thread::sleep(std::time::Duration::from_millis(200)),
        }
    }
}

fn set_up(host: &HostLayout) -> Result<()> {
    attach(None, Path::new("/"), None, MsFlags::MS_REC | MsFlags::MS_PRIVATE)?;
    attach(Some(Path::new("proc")), Path::new("/proc"), Some("proc"), MsFlags::empty())?;
    fs::write("/proc/sys/kernel/hostname", host.name()).attempted(|| "naming the host".to_owned())?;
    // The kernel shows the interfaces of the namespace in which sysfs was mounted.
    umount2("/sys", MntFlags::MNT_DETACH).attempted(|| "taking off /sys".to_owned())?;
    attach(Some(Path::new("sysfs")), Path::new("/sys"), Some("sysfs"), MsFlags::empty())?;
    empty(&host.backing("run"))?; // as a reboot does
    for (name, place) in BINDS {
        bind(&host.backing(name), Path::new(place))?;
    }
    for (place, mode) in [("/run/lock", 0o1777), ("/run/libvirt", 0o755)] {
        fs::create_dir_all(place).attempted(|| format!("making {place}"))?;
        fs::set_permissions(place, fs::Permissions::from_mode(mode)).attempted(|| format!("opening {place}"))?;
    }
    give_boot_id(host)?;
    give_kvm(host)
}

fn empty(dir: &Path) -> Result<()> {
    for entry in fs::read_dir(dir).into_iter().flatten().flatten() {
        let path = entry.path();
        let folder = entry.file_type().is_ok_and(|kind| kind.is_dir());
        if folder { fs::remove_dir_all(&path) } else { fs::remove_file(&path) }
            .attempted(|| format!("removing {}", path.display()))?;
    }
    Ok(())
}

fn attach(source: Option<&Path>, target: &Path, kind: Option<&str>, flags: MsFlags) -> Result<()> {
    mount(source, target, kind, flags, None::<&str>).attempted(|| format!("mounting {}", target.display()))
}

fn bind(source: &Path, target: &Path) -> Result<()> {
    if !target.exists() {
        let shown = target.display();
        return Err(LabError::State(format!(
            "this machine has no {shown}, which a test host has its own of; make it empty"
        )));
    }
    attach(Some(source), target, None, MsFlags::MS_BIND)
}

/// A new one a boot: by it the agent tells a reboot from its own restart.
fn give_boot_id(host: &HostLayout) -> Result<()> {
    let fresh = fs::read_to_string("/proc/sys/kernel/random/uuid").attempted(|| "drawing a boot id".to_owned())?;
    let file = host.backing("boot-id");
    fs::write(&file, fresh).attempted(|| format!("writing {}", file.display()))?;
    bind(&file, Path::new("/proc/sys/kernel/random/boot_id"))
}

/// A node of /dev/kvm that QEMU's user may open. When it may not, libvirt probes QEMU anew at every define, for half a
/// minute; and the machine's own node keeps its rights.
fn give_kvm(host: &HostLayout) -> Result<()> {
    let target = Path::new("/dev/kvm");
    let Ok(kvm) = fs::metadata(target) else { return Ok(()) };
    if !kvm.file_type().is_char_device() {
        return Ok(());
    }
    let node = host.backing("dev/kvm");
    let _ = fs::remove_file(&node); // of the last boot
    let (major, minor) = (nix::sys::stat::major(kvm.rdev()), nix::sys::stat::minor(kvm.rdev()));
    mknod(&node, SFlag::S_IFCHR, Mode::empty(), makedev(major, minor))
        .attempted(|| "making a node of /dev/kvm".to_owned())?;
    fs::set_permissions(&node, fs::Permissions::from_mode(0o666)).attempted(|| "opening /dev/kvm".to_owned())?;
    bind(&node, target)
}

/// As children, not as daemons: they end with the host, and their complaints go into its log.
fn start_libvirt() -> Result<[Child; 2]> {
    let start = |program: &str| {
        let mut command = Command::new(program);
        command.stdin(Stdio::null()).spawn().attempted(|| format!("starting {program}"))
    };
    Ok([start("virtlogd")?, start("libvirtd")?])
}
