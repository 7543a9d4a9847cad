//! The one trait below the worker: what can be seen of a host, and each thing that can be done on it.
//!
//! The real host implements it with libvirt, netlink, nftables and files; simulation implements it in memory, so that
//! the planner and the worker that are tried there are the real ones. What must hold for an implementation:
//! * every method is idempotent: done twice, or done again after a crash in its middle, it ends the same;
//! * what a method made is seen by the next [`Machine::see`]: the worker looks after each step and plans again;
//! * a durable effect (disk, seed, definition) is there in full or not at all: temporary name, fsync, rename;
//! * everything of a server is found by its id alone, since a tombstone names nothing else.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
    future::Future,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    str::FromStr,
};

use csp_shared::{
    generation::{BootEpoch, DiskEpoch, StartEpoch},
    id::{NetworkId, ServerId},
    mac::Mac,
    message::{Capacity, Orphan, PasswordRefusal, Virt},
    observed::{Fault, Remains},
    secret::Secret,
    sha256::Sha256,
    spec::{Image, ServerSpec},
};
use serde::{Deserialize, Serialize};

/// Says from what a thing on the host was made, so that one look tells whether it is still the wanted one. 64 bits of
/// a SHA-256, written as 16 hex digits: short enough for a file name, an nftables comment and domain metadata.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mark(pub u64);

impl Mark {
    /// Of filters that are there but not as they were loaded. No value has this mark but by a chance of 2^-64.
    pub const BROKEN: Self = Self(0);

    /// The mark of a value. The same value gives the same mark in every build.
    #[must_use]
    pub fn of(value: &impl Serialize) -> Self {
        // Serializing plain data cannot fail.
        Self::of_bytes(&serde_json::to_vec(value).unwrap_or_default())
    }

    /// The mark of bytes.
    #[must_use]
    pub fn of_bytes(bytes: &[u8]) -> Self {
        let Sha256([a, b, c, d, e, f, g, h, ..]) = Sha256::of(bytes);
        Self(u64::from_be_bytes([a, b, c, d, e, f, g, h]))
    }
}

impl fmt::Display for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", self.0)
    }
}

impl fmt::Debug for Mark {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Mark({self})")
    }
}

/// A text that is not 16 lowercase hex digits.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("a mark is 16 lowercase hex digits")]
pub struct NotMark;

impl FromStr for Mark {
    type Err = NotMark;
    fn from_str(text: &str) -> Result<Self, NotMark> {
        let mark = u64::from_str_radix(text, 16).map(Self).map_err(|_| NotMark)?;
        if mark.to_string() == text { Ok(mark) } else { Err(NotMark) }
    }
}

impl Serialize for Mark {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// The epochs that a domain was last defined for, kept in its metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Epochs {
    /// Grown by AdoptStart on a running guest.
    pub start: StartEpoch,
    /// Of the last cold boot.
    pub boot: BootEpoch,
    /// Of the disk that the domain boots from.
    pub disk: DiskEpoch,
}

impl Epochs {
    /// What a spec asks for.
    #[must_use]
    pub fn of(spec: &ServerSpec) -> Self {
        Self { start: spec.start_epoch, boot: spec.boot_epoch, disk: spec.disk_epoch }
    }

    /// Whether any of them is older than in `wanted`. What is ahead is not behind: a stale spec undoes nothing.
    #[must_use]
    pub fn is_behind(self, wanted: Self) -> bool {
        self.start < wanted.start || self.boot < wanted.boot || self.disk < wanted.disk
    }

    /// The newer of each.
    #[must_use]
    pub fn newest(self, other: Self) -> Self {
        Self { start: self.start.max(other.start), boot: self.boot.max(other.boot), disk: self.disk.max(other.disk) }
    }
}

/// What a definition carries in its metadata, and the seed that it names as its second disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp {
    /// For the metadata.
    pub epochs: Epochs,
    /// For the metadata: what the domain is defined from.
    pub definition: Mark,
    /// Which seed the guest is to find.
    pub seed: Mark,
}

/// The kernel's boot id: one text for one boot of the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BootId(pub String);

/// All that the host shows of one server. Plain data: the planner reads nothing else of the host.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// The host's present boot.
    pub host_boot: BootId,
    /// The host is going down: what guests do now says nothing about their owners' wishes.
    pub host_stopping: bool,
    /// Of everything outside the spec that goes into seeds, filters and definitions: the host's configuration and
    /// the version of the layouts in this build. When it changes, filters are replaced at once, the rest at the next
    /// cold boot.
    pub setup: Mark,
    /// The pool is mounted, carries its id file and takes writes. When `false`, `image` and `disks` mean nothing.
    pub pool: bool,
    /// It is mounted and takes none.
    pub pool_read_only: bool,
    /// The image that was asked about is in the cache, verified.
    pub image: bool,
    /// Disks of the server under their final names, outside the trash.
    pub disks: BTreeMap<DiskEpoch, SeenDisk>,
    /// The seed that is there, and what it was made from.
    pub seed: Option<Mark>,
    /// The private networks that are ready for taps, each with its largest packet, in bytes.
    pub networks: BTreeMap<NetworkId, u32>,
    /// Taps of the server under the names that csp gives them, by the guest's MAC address.
    pub taps: BTreeMap<Mac, SeenTap>,
    /// Those of them that no program holds open.
    pub idle_taps: BTreeSet<Mac>,
    /// Other interfaces that carry the server's mark, by their names: somebody made or renamed them by hand.
    pub strays: BTreeMap<String, SeenStray>,
    /// What holds the server to its rate, or a part of it, is there.
    pub queues: bool,
    /// The server's filters, and what they were made from; [`Mark::BROKEN`] when they are not as they were loaded, or what
    /// holds the server to its rate is not as it was made with them.
    pub filters: Option<Mark>,
    /// What the answers to its guest's DHCP are made from; `None` unless this run of the agent answers on every tap that it
    /// was told to. Nothing of it outlives the agent or a tap.
    pub dhcp: Option<Mark>,
    /// The domain, running or not; `None` when libvirt knows none of that name.
    pub domain: Option<SeenDomain>,
    /// The file that the domain names as its guest's disk, if that is none of the server's disks by its place and name: a
    /// snapshot's or a copy's, made by hand. What the guest wrote since lies there.
    pub disk_elsewhere: Option<String>,
    /// Adapters that the running guest has, in the order of their addresses; none of one that is off.
    pub adapters: BTreeSet<Mac>,
    /// A QEMU process of the server, looked for in /proc since libvirt may forget one.
    pub process: bool,
}

impl Seen {
    /// Whether the guest runs or is paused.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.domain.is_some_and(|domain| !matches!(domain.state, SeenState::Off(_)))
    }

    /// What of the server the host still holds. Without the pool a disk may be there.
    #[must_use]
    pub fn remains(&self) -> Remains {
        Remains {
            domain: self.domain.is_some(),
            process: self.process,
            taps: !self.taps.is_empty() || !self.strays.is_empty() || self.queues,
            filters: self.filters.is_some(),
            disk: !self.pool || !self.disks.is_empty(),
        }
    }
}

/// A disk's file, as its header tells.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenDisk {
    /// A disk as csp makes them.
    Sound {
        /// The size that the guest sees, in bytes.
        bytes: u64,
        /// What it stands on.
        base: SeenBase,
    },
    /// Anything else: whatever is in it cannot be reached through it.
    Damaged,
}

/// What a disk stands on, by the name in its header.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenBase {
    /// Nothing: it was flattened. What was never written in it reads as zeros, so it must be given no base.
    Nothing,
    /// An image of the cache.
    Image(Sha256),
    /// Something else.
    Other,
}

impl SeenDisk {
    /// Whether it needs no other file.
    #[must_use]
    pub fn is_flat(self) -> bool {
        matches!(self, Self::Sound { base: SeenBase::Nothing, .. })
    }

    /// The size that the guest sees, in bytes; a damaged disk has none.
    #[must_use]
    pub fn bytes(self) -> Option<u64> {
        match self {
            Self::Sound { bytes, .. } => Some(bytes),
            Self::Damaged => None,
        }
    }
}

/// The host's end of a guest's cable.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenTap {
    /// It carries its mark and is a port of the bridge that its adapter belongs to, as [`Machine::make_taps`] leaves it.
    pub plugged: bool,
    /// Its link is up (administratively): frames can pass.
    pub up: bool,
}

impl SeenTap {
    /// In its bridge and up.
    pub const CONNECTED: Self = Self { plugged: true, up: true };
}

/// An interface that carries a server's mark and not the name of one of its taps.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenStray {
    /// It is a port of something, or up: frames can pass.
    pub connected: bool,
    /// Its name is one of csp's and no program holds it open, so nobody misses it.
    pub removable: bool,
}

/// A domain as libvirt tells it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SeenDomain {
    /// What it does.
    pub state: SeenState,
    /// From its metadata; all zero when it carries none.
    pub epochs: Epochs,
    /// From its metadata: what it was defined from.
    pub definition: Option<Mark>,
    /// libvirt keeps its definition when it goes off, and does not start it by itself.
    pub kept: bool,
}

/// What a domain does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SeenState {
    /// Its processors run, or it is on its way up or down.
    Running,
    /// Stopped in the middle, as by a full disk.
    Paused,
    /// Not running, and why.
    Off(OffCause),
}

/// Why a domain is off, as far as libvirt knows. Whether it was the guest's own wish is for the planner to decide.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffCause {
    /// The guest shut down in order (by itself, or asked by ACPI).
    Shutdown,
    /// QEMU died, or the guest did and QEMU was told to end then.
    Crashed,
    /// Anything else: never started, destroyed, libvirtd was restarted since.
    Unknown,
}

/// What the host itself is; goes into the Hello of a session.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostFacts {
    /// `/etc/machine-id`.
    pub machine_id: String,
    /// The present boot.
    pub boot: BootId,
    /// What guests can use, the reserve taken off.
    pub capacity: Capacity,
    /// How guests are run.
    pub virt: Virt,
}

/// Something changed on the host by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostEvent {
    /// The domain of this server.
    Server(ServerId),
    /// Anything, as after libvirtd was restarted.
    Everything,
}

/// What servers are promised of the pool: the epoch and the size in bytes of each one's disk; nothing for one that is to be
/// gone, whose disk is counted until it went.
pub type Promised = BTreeMap<ServerId, Option<(DiskEpoch, u64)>>;

/// A host that guests run on. Each method does one thing and says with a [`Fault`] why it could not.
pub trait Machine: Send + Sync + 'static {
    /// What the host is. Asked for at the start and, since its room changes, every now and then.
    fn facts(&self) -> impl Future<Output = Result<HostFacts, Fault>> + Send;

    /// Looks at everything of one server. `image` is the one that its disk is made from; `None` for a tombstone.
    /// An error means that nothing is known; a missing pool is no error but a part of [`Seen`].
    fn see(&self, server: ServerId, image: Option<&Image>) -> impl Future<Output = Result<Seen, Fault>> + Send;

    /// Whether there is a file of this name. What cannot be looked at is not there; nor is anything in memory.
    fn is_there(&self, file: &Path) -> impl Future<Output = bool> + Send {
        let _ = file;
        std::future::ready(false)
    }

    /// How many bytes of the pool are taken by disks beside what servers are promised.
    fn surplus(&self, promised: &Promised) -> impl Future<Output = Result<u64, Fault>> + Send {
        let _ = promised;
        std::future::ready(Ok(0))
    }

    /// Everything on the host that none of `known` explains. An error means that nothing is known.
    fn orphans(&self, known: &BTreeSet<ServerId>) -> impl Future<Output = Result<Vec<Orphan>, Fault>> + Send;

    /// Waits until the host says that something changed. May lose events: the worker also looks on an interval.
    /// Cancel safe.
    fn event(&self) -> impl Future<Output = HostEvent> + Send;

    /// The unix socket on which VNC listens while the server runs. A machine in memory has no screens.
    fn screen(&self, server: ServerId) -> Option<PathBuf> {
        let _ = server;
        None
    }

    /// Asks the guest agent to give root the password with this crypt(5) hash. Guests in memory have no agent.
    fn set_password(
        &self,
        server: ServerId,
        hash: &Secret,
    ) -> impl Future<Output = Result<(), PasswordRefusal>> + Send {
        let _ = (server, hash);
        std::future::ready(Err(PasswordRefusal::NoGuestAgent))
    }

    /// Fetches the image into the cache and verifies it. Cancel safe: a newer spec drops the future in its middle, and
    /// the next call resumes.
    fn fetch_image(&self, image: &Image) -> impl Future<Output = Result<(), Fault>> + Send;

    /// How much of an image that is being fetched has arrived, in percent, for people. In memory they are there at once.
    fn arrived_percent(&self, image: &Image) -> impl Future<Output = Option<u8>> + Send {
        let _ = image;
        std::future::ready(None)
    }

    /// Makes the overlay of `spec.disk_epoch` on the cached image: temporary name, fsync, rename, fsync of the folder.
    /// Leaves a disk of that epoch alone when there is one.
    fn create_disk(&self, spec: &ServerSpec) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Makes the disk of `spec.disk_epoch` as large as the spec says: under a running guest, which sees it at once, or in
    /// its file. Never smaller; done when it is as large already.
    fn grow_disk(&self, spec: &ServerSpec) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Moves a disk to the trash. Done when there is none.
    fn retire_disk(&self, server: ServerId, epoch: DiskEpoch) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Writes the NoCloud seed, under a name that carries `mark`, and removes other seeds of the server.
    fn write_seed(&self, spec: &ServerSpec, mark: Mark) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Removes every seed of the server, and what it wrote on its serial console.
    fn remove_seed(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Makes the spec's taps, plugged into their bridges, but none of an adapter whose private network is not ready, and
    /// removes other taps of the server. A new tap's link is
    /// down; a tap that is there is only marked and plugged. While the guest runs none is removed, and none is made for an
    /// adapter that it has: its QEMU would not take it.
    fn make_taps(&self, spec: &ServerSpec) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Disconnects whatever carries the server's mark and is no tap of the spec's adapters: link down, off its bridge.
    /// Removes what nobody can miss of it: a name of csp's, and no program that holds it open.
    fn cut_off(&self, spec: &ServerSpec) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Asks the public segment, and the filters of this host's other servers, whether anybody uses one of `addresses`.
    /// [`FaultCode::AddressInUse`](csp_shared::observed::FaultCode::AddressInUse) when somebody does.
    fn probe_addresses(
        &self,
        spec: &ServerSpec,
        addresses: &BTreeSet<Ipv4Addr>,
    ) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Replaces the filters of those of the spec's taps that are there, in one transaction, marked with `mark`. Never a
    /// moment without. Each tap lets through all the public addresses of the server, at the rate of its spec, which is
    /// held from the moment that a link is up.
    fn set_filters(&self, spec: &ServerSpec, mark: Mark) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Sets the links of the spec's taps up. Called only right after [`Machine::set_filters`].
    fn link_up(&self, spec: &ServerSpec) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Answers DHCP on those of the spec's taps that are there, and no longer on others of the server.
    fn serve_dhcp(&self, spec: &ServerSpec, mark: Mark) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Gives the running guest the spec's adapter `mac`, whose tap is there. For this boot: the next one is defined with
    /// it. Done when it has it.
    fn attach_nic(&self, spec: &ServerSpec, mac: Mac) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Asks the running guest to give an adapter up, and does not wait for it; its tap goes with it. Done when it has none.
    fn detach_nic(&self, server: ServerId, mac: Mac) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Sets the server's taps down and removes them with what held them to a rate, and answers DHCP on them no longer.
    fn remove_taps(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Removes the server's filters. Called only without taps.
    fn remove_filters(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Defines the domain, or defines it anew, with the stamp in its metadata; from then on libvirt keeps it and does not
    /// start it by itself. A guest that runs goes on as it was started.
    fn define(&self, spec: &ServerSpec, stamp: Stamp) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Starts the defined domain. Done when it runs.
    fn start(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Writes `epoch` into the metadata of a running domain, live and persistent.
    fn adopt_start(&self, server: ServerId, epoch: StartEpoch) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Asks the guest by ACPI to go down, and does not wait for it.
    fn ask_stop(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Pulls the plug. Done when the domain is off.
    fn force_stop(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Keeps the guest from doing anything, without ending it.
    fn pause(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Lets a paused guest go on.
    fn resume(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Kills a QEMU process of the server that libvirt does not know of.
    fn kill_process(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send;

    /// Makes libvirt forget the domain. The guest is off; its disk stays.
    fn undefine(&self, server: ServerId) -> impl Future<Output = Result<(), Fault>> + Send;
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_mark_is_read_as_it_is_written() {
        let mark = Mark::of(&("anything", 1));
        assert_eq!(mark.to_string().len(), 16);
        assert_eq!(mark.to_string().parse(), Ok(mark));
        for text in ["", "0", "+000000000000001", "00000000000000AB", "00000000000000000"] {
            assert_eq!(text.parse::<Mark>(), Err(NotMark), "{text}");
        }
    }
}
