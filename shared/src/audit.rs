//! What a host holds, as it is seen at one moment by looking at the things themselves: the answer to an audit's question.
//!
//! An inventory tells what the agent knows; this tells what is there, whoever made it, so that the two can be compared.
//! A flat list of small things, since it has to be split over frames. What could not be looked at is said
//! ([`Holding::Unseen`]): "not seen" is not "absent".

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{
    generation::{BootEpoch, DiskEpoch, NetworkVersion, StartEpoch, Version},
    id::{NetworkId, ServerId},
    limits::HOLDING_TEXT_CHARS_MAX,
    mac::Mac,
    observed::DomainState,
    sha256::Sha256,
};

/// Disks of one domain that are told.
const DOMAIN_DISKS_MAX: usize = 32;

/// One thing on a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case")]
pub enum Holding {
    /// A stored spec or tombstone, and what was noted beside it.
    Spec(HeldSpec),
    /// A file among the specs that cannot be read.
    BadSpecFile {
        /// Its name.
        file: String,
        /// The server that it is named after.
        server: Option<ServerId>,
    },
    /// A stored object of a private network.
    Network(HeldNetwork),
    /// A file among the private networks that cannot be read.
    BadNetworkFile {
        /// Its name.
        file: String,
    },
    /// A domain that libvirt knows, running or not.
    Domain(HeldDomain),
    /// A QEMU process that carries a server's id.
    Process {
        /// Whose.
        server: ServerId,
        /// Its number.
        pid: i32,
    },
    /// A network interface that carries our mark, or a name like one of ours.
    Tap(HeldTap),
    /// An interface that holds a server to its rate, or is called like one.
    Queue {
        /// Its name.
        name: String,
        /// Whose it is by its mark.
        server: Option<ServerId>,
    },
    /// A filter table with a name like one of ours.
    Filters(HeldFilters),
    /// The guard of the host's own addresses, one for all guests.
    Guard {
        /// It is there, as it was loaded. It comes with the first server's filters.
        stands: bool,
    },
    /// Whether the pool is there. When it is not, nothing of what follows is listed, and nothing is known of it.
    Pool {
        /// Mounted, and the right one.
        mounted: bool,
        /// Why not; of one that is mounted, what ails it, or nothing.
        detail: String,
    },
    /// A file in the folder of disks.
    Disk(PoolFile),
    /// A file in the folder of seeds.
    Seed(PoolFile),
    /// A file in the folder of serial consoles' logs.
    Console(PoolFile),
    /// A file in the trash.
    Trash(PoolFile),
    /// A file in the image cache.
    Image {
        /// Its name.
        file: String,
    },
    /// What could not be looked at.
    Unseen {
        /// Which part of the host.
        part: HostPart,
        /// Why.
        why: String,
    },
}

/// A part of a host that is looked at as one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HostPart {
    /// Stored specs.
    Specs,
    /// Stored private networks.
    Networks,
    /// libvirt.
    Domains,
    /// /proc.
    Processes,
    /// Network interfaces.
    Taps,
    /// nftables.
    Filters,
    /// Everything in the pool.
    Pool,
}

impl HostPart {
    /// Every part.
    pub const ALL: [Self; 7] =
        [Self::Specs, Self::Networks, Self::Domains, Self::Processes, Self::Taps, Self::Filters, Self::Pool];

    /// As people say it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Specs => "stored specs",
            Self::Networks => "stored private networks",
            Self::Domains => "domains",
            Self::Processes => "processes",
            Self::Taps => "taps",
            Self::Filters => "filters",
            Self::Pool => "pool",
        }
    }
}

/// A stored spec or tombstone.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldSpec {
    /// Of which server.
    pub server: ServerId,
    /// Its version.
    pub version: Version,
    /// Hash of its content.
    pub hash: Sha256,
    /// It is a tombstone.
    pub tombstone: bool,
    /// Noted: the newest version that was brought about.
    pub reached: Option<Version>,
    /// Noted: the newest disk epoch that was started.
    pub disk_started: Option<DiskEpoch>,
    /// Noted: the guest powered itself off, or fell too often, and is to stay off.
    pub stays_off: bool,
}

/// A stored object of a private network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldNetwork {
    /// Of which network.
    pub network: NetworkId,
    /// Its version.
    pub version: NetworkVersion,
    /// Hash of its content.
    pub hash: Sha256,
    /// It says that the network is to be gone.
    pub tombstone: bool,
}

/// A domain in libvirt.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldDomain {
    /// Its name, cut.
    pub name: String,
    /// What it does.
    pub state: DomainState,
    /// Its adapters.
    pub macs: Vec<Mac>,
    /// From its metadata; all zero when it carries none.
    pub start: StartEpoch,
    /// From its metadata.
    pub boot: BootEpoch,
    /// From its metadata.
    pub disk: DiskEpoch,
    /// What it is made of; older agents do not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub guest: Option<HeldGuest>,
}

/// What a domain is made of now: what somebody may have changed by hand.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldGuest {
    /// Virtual processors.
    pub cpus: u32,
    /// Memory that it may use now, in MiB.
    pub ram_mib: u64,
    /// What its disks lie in: `disks/…` and `seeds/…` for what is in the pool, cut.
    pub disks: Vec<String>,
    /// libvirt keeps its definition when it goes off.
    pub persistent: bool,
    /// libvirt would start it by itself.
    pub autostart: bool,
    /// Adapters whose cable is pulled, as the guest sees it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub links_down: Vec<Mac>,
    /// What holds its own disk; none where an older agent does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_bounds: Option<DiskBounds>,
}

/// What QEMU holds a disk to; nothing where it has no bound.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskBounds {
    /// Operations a second, reads and writes together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub iops_max: Option<u64>,
    /// Bytes a second, likewise.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bytes_per_second_max: Option<u64>,
}

/// A tap, or what is called like one.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldTap {
    /// The interface's name.
    pub name: String,
    /// Whose it is by its mark, and the guest's address on it; nothing for one that only has the name.
    pub owner: Option<(ServerId, Mac)>,
    /// It is a port of the public bridge.
    pub plugged: bool,
    /// Administratively up.
    pub up: bool,
    /// It carries a mark and not the name that goes with it: somebody made or renamed it by hand.
    #[serde(default)]
    pub stray: bool,
    /// Its own address; nothing when it was not told.
    #[serde(default)]
    pub mac: Option<Mac>,
}

impl HeldTap {
    /// Whether it is the tap of that adapter, by its mark.
    #[must_use]
    pub fn is_of(&self, guest: Mac) -> bool {
        self.owner.is_some_and(|(_, mac)| mac == guest)
    }
}

/// A filter table.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct HeldFilters {
    /// The table's name.
    pub table: String,
    /// Whose it is by its name.
    pub server: Option<ServerId>,
    /// The mark of what it was made from.
    pub mark: Option<String>,
    /// What its guest may use as its own.
    pub addresses: Vec<Ipv4Addr>,
    /// Taps that both directions are filtered for. A chain without rules drops all.
    pub taps: Vec<String>,
    /// It was whole once and somebody changed it since.
    #[serde(default)]
    pub altered: bool,
}

/// A file in the pool that is, or seems to be, a server's.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolFile {
    /// Its name.
    pub file: String,
    /// Whose it is by its name.
    pub server: Option<ServerId>,
    /// Of which disk epoch, by its name. Seeds have none.
    pub epoch: Option<DiskEpoch>,
}

/// A text of the host's, cut to its bound, without what steers a terminal.
#[must_use]
pub fn shown(text: &str) -> String {
    text.chars().take(HOLDING_TEXT_CHARS_MAX).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

impl Holding {
    /// With every text cut to its bound and made safe to show: a host may be in a stranger's hands.
    #[must_use]
    pub fn bounded(mut self) -> Self {
        let cut = |text: &mut String| *text = shown(text);
        match &mut self {
            Self::Spec(_) | Self::Network(_) | Self::Process { .. } | Self::Guard { .. } => {}
            Self::BadSpecFile { file, .. } | Self::BadNetworkFile { file } | Self::Image { file } => cut(file),
            Self::Domain(domain) => {
                cut(&mut domain.name);
                domain.macs.truncate(crate::limits::NICS_MAX * 4);
                if let Some(guest) = &mut domain.guest {
                    guest.disks.truncate(DOMAIN_DISKS_MAX);
                    guest.disks.iter_mut().for_each(cut);
                    guest.links_down.truncate(crate::limits::NICS_MAX * 4);
                }
            }
            Self::Tap(tap) => cut(&mut tap.name),
            Self::Queue { name, .. } => cut(name),
            Self::Filters(filters) => {
                cut(&mut filters.table);
                filters.mark.iter_mut().for_each(cut);
                filters.addresses.truncate(crate::limits::NICS_MAX * 16);
                filters.taps.truncate(crate::limits::NICS_MAX * 4);
                filters.taps.iter_mut().for_each(cut);
            }
            Self::Pool { detail, .. } => cut(detail),
            Self::Disk(file) | Self::Seed(file) | Self::Console(file) | Self::Trash(file) => cut(&mut file.file),
            Self::Unseen { why, .. } => cut(why),
        }
        self
    }
}
