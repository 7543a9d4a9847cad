//! The definition of a server's domain. Pure: a spec and the host's paths in, XML out.
//!
//! What must hold:
//! * every disk's format is given, down the whole chain: QEMU probes nothing;
//! * no customer's text is in it: ids, numbers, MACs and paths of ours alone;
//! * the base image is never handed over to QEMU's user, who shares it with all other guests;
//! * VNC listens on a unix socket, and the tap is ours, not libvirt's;
//! * `autostart` is left off: the agent starts guests, after their filters.

use std::{io, path::Path};

use csp_shared::{id::ServerId, limits::NICS_MAX, mac::Mac, message::Virt, spec::ServerSpec};

use super::{
    metadata::Metadata,
    tuning::{self, CpuGroups},
    xml::Element,
};
use crate::{
    network::tap_name::TapName,
    storage::image_cache::{CachedImage, format_name},
};

/// Changes when the definition of a given spec does.
pub const LAYOUT: u32 = 1;

/// What the guest calls its disk; the seed comes after it.
pub const DISK_TARGET: &str = "vda";

/// Disk, seed, serial channel, balloon, random numbers, tablet.
const FIXED_DEVICES: usize = 6;

/// All that a definition is made from.
#[derive(Debug, Clone, Copy)]
pub struct DomainPlan<'a> {
    /// What the server should be.
    pub spec: &'a ServerSpec,
    /// Where it came from.
    pub metadata: Metadata,
    /// How guests run on this host.
    pub virt: Virt,
    /// The server's disk.
    pub disk: &'a Path,
    /// What the disk is an overlay on; none of one that was flattened, which would show the image where it has nothing.
    pub base: Option<&'a CachedImage>,
    /// The seed.
    pub seed: &'a Path,
    /// Where VNC listens.
    pub vnc_socket: &'a Path,
    /// Where the guest's serial console is written; virtlogd bounds it.
    pub serial_log: &'a Path,
    /// One processor of the host for each of the guest's, or none.
    pub pinned_to: &'a [u32],
    /// What bounds of processors the host can hold.
    pub cpu_groups: CpuGroups,
}

impl DomainPlan<'_> {
    /// The XML for libvirt.
    ///
    /// # Errors
    /// Never for plain values; the serializer's signature has one.
    pub fn to_xml(&self) -> io::Result<String> {
        let spec = self.spec;
        Element::new("domain")
            .with("type", kind(self.virt))
            .child(Element::new("name").text(spec.server))
            .child(Element::new("uuid").text(spec.server))
            .child(Element::new("metadata").child(self.metadata.element()))
            .child(Element::new("memory").with("unit", "MiB").text(spec.ram_mib))
            .child(Element::new("vcpu").with("placement", "static").text(spec.cpus))
            .children(tuning::cputune(spec, self.cpu_groups, self.pinned_to))
            .child(os())
            .child(Element::new("features").child(Element::new("acpi")).child(Element::new("apic")))
            .child(cpu(self.virt))
            .child(Element::new("clock").with("offset", "utc"))
            .child(Element::new("on_poweroff").text("destroy"))
            .child(Element::new("on_reboot").text("restart"))
            // The planner decides whether and when a guest that fell is started again.
            .child(Element::new("on_crash").text("destroy"))
            .child(no_sleep())
            .child(self.devices())
            .to_text()
    }

    fn devices(&self) -> Element {
        // One for each adapter that may be plugged in while it runs, beside those at boot.
        let ports = FIXED_DEVICES + NICS_MAX.max(self.spec.nics.len());
        let controller = |kind, model| Element::new("controller").with("type", kind).with("model", model);
        Element::new("devices")
            .child(controller("usb", "none"))
            .child(controller("pci", "pcie-root"))
            .children((0..ports).map(|_| controller("pci", "pcie-root-port")))
            .child(self.disk())
            .child(self.seed())
            .children(self.interfaces())
            .child(self.serial())
            .child(guest_agent())
            .child(Element::new("input").with("type", "tablet").with("bus", "virtio"))
            .child(self.graphics())
            .child(Element::new("video").child(Element::new("model").with("type", "vga").with("vram", 16384)))
            .child(Element::new("memballoon").with("model", "virtio").child(Element::new("stats").with("period", 10)))
            .child(
                Element::new("rng")
                    .with("model", "virtio")
                    .child(Element::new("backend").with("model", "random").text("/dev/urandom")),
            )
    }

    fn disk(&self) -> Element {
        // An empty one ends the chain: QEMU looks for no further file, whatever the disk's header names.
        let end = || Element::new("backingStore");
        let base = self.base.map_or_else(end, |base| {
            end()
                .with("type", "file")
                .child(Element::new("format").with("type", format_name(base.format)))
                .child(file(&base.path).child(Element::new("seclabel").with("model", "dac").with("relabel", "no")))
                .child(end())
        });
        Element::new("disk")
            .with("type", "file")
            .with("device", "disk")
            .child(
                Element::new("driver")
                    .with("name", "qemu")
                    .with("type", "qcow2")
                    .with("cache", "none")
                    // A full pool pauses the guest; any other fault is the guest's to know.
                    .with("error_policy", "enospace")
                    .with("discard", "unmap"),
            )
            .child(file(self.disk))
            .child(base)
            .child(Element::new("target").with("dev", DISK_TARGET).with("bus", "virtio"))
            .children(tuning::iotune(&self.spec.limits))
            .child(Element::new("boot").with("order", 1))
    }

    fn seed(&self) -> Element {
        Element::new("disk")
            .with("type", "file")
            .with("device", "disk")
            .child(Element::new("driver").with("name", "qemu").with("type", "raw"))
            .child(file(self.seed))
            .child(Element::new("target").with("dev", "vdb").with("bus", "virtio"))
            .child(Element::new("readonly"))
    }

    fn interfaces(&self) -> impl Iterator<Item = Element> {
        self.spec.nics.iter().map(|nic| interface(self.spec.server, nic.mac))
    }

    fn serial(&self) -> Element {
        Element::new("serial")
            .with("type", "file")
            .child(Element::new("source").with("path", self.serial_log.display()).with("append", "on"))
    }

    fn graphics(&self) -> Element {
        let listen = Element::new("listen").with("type", "socket").with("socket", self.vnc_socket.display());
        Element::new("graphics").with("type", "vnc").child(listen)
    }
}

/// An adapter, at boot or plugged in later: a tap of ours, which libvirt is to leave as it is.
pub(super) fn interface(server: ServerId, mac: Mac) -> Element {
    Element::new("interface")
        .with("type", "ethernet")
        .child(Element::new("mac").with("address", mac))
        .child(Element::new("target").with("dev", TapName::of(server, mac)).with("managed", "no"))
        .child(Element::new("model").with("type", "virtio"))
}

/// How libvirt calls that kind of guest.
pub(super) fn kind(virt: Virt) -> &'static str {
    match virt {
        Virt::Kvm => "kvm",
        Virt::Qemu => "qemu",
    }
}

/// The machine that all guests get.
pub(super) fn os() -> Element {
    Element::new("os").child(Element::new("type").with("arch", "x86_64").with("machine", "q35").text("hvm"))
}

/// The processor that all guests of that kind get.
pub(super) fn cpu(virt: Virt) -> Element {
    match virt {
        Virt::Kvm => Element::new("cpu").with("mode", "host-passthrough").with("check", "none"),
        Virt::Qemu => Element::new("cpu").with("mode", "maximum"),
    }
}

pub(super) fn file(path: &Path) -> Element {
    Element::new("source").with("file", path.display())
}

/// A guest that suspends itself to memory would look like one that hangs.
fn no_sleep() -> Element {
    Element::new("pm")
        .child(Element::new("suspend-to-mem").with("enabled", "no"))
        .child(Element::new("suspend-to-disk").with("enabled", "no"))
}

fn guest_agent() -> Element {
    Element::new("channel")
        .with("type", "unix")
        .child(Element::new("target").with("type", "virtio").with("name", "org.qemu.guest_agent.0"))
}

#[cfg(test)]
mod tests {
    use csp_shared::{
        generation::{BootEpoch, DiskEpoch, StartEpoch},
        spec::{CpuUse, ImageFormat},
    };

    use super::*;
    use crate::{
        machine::{Epochs, Mark},
        storage::test_spec::spec,
    };

    fn xml(spec: &ServerSpec, virt: Virt, pinned_to: &[u32]) -> String {
        let base =
            CachedImage { path: "/pool/images/base.qcow2".into(), format: ImageFormat::Qcow2, virtual_bytes: 1 << 30 };
        let epochs = Epochs { start: StartEpoch(3), boot: BootEpoch(2), disk: DiskEpoch(1) };
        DomainPlan {
            spec,
            metadata: Metadata { epochs, definition: Some(Mark(0xab)) },
            virt,
            disk: Path::new("/pool/disks/disk.qcow2"),
            base: Some(&base),
            seed: Path::new("/pool/seeds/seed.iso"),
            vnc_socket: Path::new("/run/csp-agent/vnc/server.sock"),
            serial_log: Path::new("/pool/serial/server.log"),
            pinned_to,
            cpu_groups: CpuGroups::V2,
        }
        .to_xml()
        .unwrap()
    }

    #[test]
    fn the_definition_of_a_server_is_the_known_one() {
        insta::assert_snapshot!(xml(&spec(), Virt::Kvm, &[]));
    }

    #[test]
    fn a_bounded_server_differs_in_its_bounds_alone() {
        let mut bounded = spec();
        bounded.limits = csp_shared::spec::GuestLimits {
            cpu_weight: Some(50),
            cpu_percent_max: Some(150),
            disk_iops_max: Some(2_000),
            disk_mib_per_second_max: Some(200),
            net_mbit_per_second_max: None,
        };
        let free = xml(&spec(), Virt::Kvm, &[]);
        let bounded = xml(&bounded, Virt::Kvm, &[]);
        let differing: Vec<&str> = bounded.lines().filter(|line| !free.contains(line)).collect();
        insta::assert_snapshot!(differing.join("\n"));
    }

    #[test]
    fn an_emulated_dedicated_server_differs_in_type_cpu_and_pins() {
        let mut dedicated = spec();
        dedicated.cpu_use = CpuUse::Pinned;
        let shared = xml(&spec(), Virt::Kvm, &[]);
        let pinned = xml(&dedicated, Virt::Qemu, &[4, 5]);
        let differing: Vec<&str> = pinned.lines().filter(|line| !shared.contains(line)).collect();
        insta::assert_snapshot!(differing.join("\n"));
    }
}
