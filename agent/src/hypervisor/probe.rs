//! Finds out whether guests run here, with KVM or emulated, by running one.
//!
//! `/dev/kvm` and libvirt's capabilities say that KVM works; a nested or broken one says so too, and some even start a
//! guest that then executes nothing. So the probe has the processor that customers' guests get, and it counts only when
//! its firmware has started its disk and that has switched the machine off. It vanishes with the connection, whatever
//! happens to the agent.

use std::{
    fs::Permissions,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        mpsc::{RecvTimeoutError, channel},
    },
    time::Duration,
};

use csp_shared::message::Virt;
use virt::{
    domain::Domain,
    error::{Error, ErrorNumber},
    sys,
};

use super::{
    HypervisorError, domain_xml,
    events::{Lifecycle, Listening, Signal, Sink},
    xml::Element,
};

const NAME_PREFIX: &str = "csp-probe-";
/// KVM needs less than a second; an emulated guest beside busy ones some more.
const LIMIT: Duration = Duration::from_secs(30);
/// A guest that is off before libvirt is done with its start makes that start fail ("terminating on signal 15 from
/// libvirtd", seen on a busy machine). So one failed start says nothing yet.
const STARTS: u32 = 3;
const DISK_BYTES: usize = 512 * 1024;
/// mov dx, 0x604; mov ax, 0x2000; out dx, ax; jmp $: writes "off" to the power register (ACPI PM1a) of machine q35.
const CODE: [u8; 9] = [0xba, 0x04, 0x06, 0xb8, 0x00, 0x20, 0xef, 0xeb, 0xfe];
/// What ends a sector that firmware will start.
const BOOT_SIGNATURE: [u8; 2] = [0x55, 0xaa];
const SIGNATURE_AT: usize = 510;

/// Whether a domain is a probe of ours (of any agent on this host).
#[must_use]
pub fn is_probe(name: &str) -> bool {
    name.starts_with(NAME_PREFIX)
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// The guest ran and switched itself off.
    Runs,
    /// It did not, and why.
    Fails(String),
}

/// Runs a guest of that kind. Its disk is in `dir` meanwhile, which QEMU's user can pass through. Blocks.
///
/// # Errors
/// When libvirt does not answer, or the disk cannot be written: then nothing is known.
pub fn run(uri: &str, virt: Virt, dir: &Path) -> Result<Probed, HypervisorError> {
    let name = format!("{NAME_PREFIX}{}", std::process::id());
    let disk = dir.join(format!("{name}.img"));
    let failed = |source| HypervisorError::Io { path: disk.clone(), source };
    write_disk(&disk).map_err(failed)?;
    let xml = definition(&name, virt, &disk);
    let mut probed = boot(uri, &name, &xml);
    for _ in 1..STARTS {
        if matches!(&probed, Err(why) if why.code() == ErrorNumber::InternalError) {
            probed = boot(uri, &name, &xml);
        }
    }
    std::fs::remove_file(&disk).map_err(failed)?;
    match probed {
        Ok(probed) => Ok(probed),
        Err(source) => match HypervisorError::sort(uri, "start a probe guest", source) {
            away @ HypervisorError::Away { .. } => Err(away),
            refused => Ok(Probed::Fails(refused.to_string())),
        },
    }
}

fn boot(uri: &str, name: &str, xml: &str) -> Result<Probed, Error> {
    let (sender, receiver) = channel();
    let watched = name.to_owned();
    let sink: Sink = Arc::new(move |signal| match signal {
        Signal::Domain { name, what } if name == watched => drop(sender.send(Some(what))), // nobody listens any more
        Signal::Domain { .. } => {}
        Signal::Lost => drop(sender.send(None)),
    });
    let listening = Listening::open(uri, &sink)?;
    let domain = Domain::create_xml(listening.connect(), xml, sys::VIR_DOMAIN_START_AUTODESTROY)?;
    let end = tokio::time::Instant::now() + LIMIT;
    let probed = loop {
        match receiver.recv_timeout(end.saturating_duration_since(tokio::time::Instant::now())) {
            Ok(Some(Lifecycle::ShutDown)) => return Ok(Probed::Runs),
            Ok(Some(Lifecycle::Fell)) => break "the probe guest fell",
            Ok(Some(_)) => {}
            Ok(None) => break "libvirt went away while the probe guest ran",
            Err(RecvTimeoutError::Timeout) => break "the probe guest executed nothing",
            Err(RecvTimeoutError::Disconnected) => break "libvirt told nothing of the probe guest",
        }
    };
    let _ = domain.destroy(); // gone already, or with the connection
    Ok(Probed::Fails(probed.to_owned()))
}

fn write_disk(path: &PathBuf) -> std::io::Result<()> {
    let mut disk = vec![0; DISK_BYTES];
    for (place, byte) in disk.iter_mut().zip(CODE) {
        *place = byte;
    }
    for (place, byte) in disk.iter_mut().skip(SIGNATURE_AT).zip(BOOT_SIGNATURE) {
        *place = byte;
    }
    std::fs::write(path, disk)?;
    std::fs::set_permissions(path, Permissions::from_mode(0o644))
}

fn definition(name: &str, virt: Virt, disk: &Path) -> String {
    let none = |kind: &'static str| Element::new("controller").with("type", kind).with("model", "none");
    let disk = Element::new("disk")
        .with("type", "file")
        .with("device", "disk")
        .child(Element::new("driver").with("name", "qemu").with("type", "raw"))
        .child(domain_xml::file(disk))
        .child(Element::new("target").with("dev", "vda").with("bus", "virtio"))
        .child(Element::new("readonly"));
    let devices = Element::new("devices").child(none("usb")).child(disk);
    Element::new("domain")
        .with("type", domain_xml::kind(virt))
        .child(Element::new("name").text(name))
        .child(Element::new("memory").with("unit", "MiB").text(32))
        .child(Element::new("vcpu").text(1))
        .child(domain_xml::os())
        .child(Element::new("features").child(Element::new("acpi")))
        .child(domain_xml::cpu(virt))
        .child(devices.child(Element::new("memballoon").with("model", "none")))
        .to_text()
        .unwrap_or_default() // plain values: cannot fail
}
