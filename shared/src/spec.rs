//! What a server should be. Absolute values only, never a change: applying a spec twice changes nothing.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use crate::{
    generation::{BootEpoch, DiskEpoch, StartEpoch, Version},
    id::{NetworkId, ServerId},
    mac::Mac,
    secret::Secret,
    sha256::Sha256,
};

/// What the control plane wants of one server on one host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "want", rename_all = "snake_case")]
pub enum Desired {
    /// The server is to be as the spec says.
    Present(Box<ServerSpec>),
    /// The server is to be gone. The one message that may lead to a deletion; kept by the host for ever.
    Absent(Tombstone),
}

impl Desired {
    /// Whose state this is.
    #[must_use]
    pub fn server(&self) -> ServerId {
        match self {
            Self::Present(spec) => spec.server,
            Self::Absent(tombstone) => tombstone.server,
        }
    }

    /// Which state this is.
    #[must_use]
    pub fn version(&self) -> Version {
        match self {
            Self::Present(spec) => spec.version,
            Self::Absent(tombstone) => tombstone.version,
        }
    }

    /// What the host's report is compared with, to tell a spec that was altered on its way or in a restored store.
    #[must_use]
    pub fn hash(&self) -> Sha256 {
        // Serializing these types cannot fail: no map with other keys than text, no foreign serializer.
        Sha256::of(&serde_json::to_vec(self).unwrap_or_default())
    }
}

/// Says that a server is to be gone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Tombstone {
    /// Which server.
    pub server: ServerId,
    /// Later than every spec of that server.
    pub version: Version,
}

/// The whole of what a running server is made from.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ServerSpec {
    /// Which server; the name of its domain.
    pub server: ServerId,
    /// Which state of it.
    pub version: Version,
    /// As ordered: a name or a fully qualified one (RFC 1123).
    pub hostname: String,
    /// Virtual processors.
    pub cpus: u16,
    /// Memory in MiB.
    pub ram_mib: u32,
    /// Size of the disk in GiB.
    pub disk_gib: u32,
    /// Whether the processors are shared with other servers.
    pub cpu_use: CpuUse,
    /// What the customer wants.
    pub power: Power,
    /// Powered off whatever `power` says, which keeps the customer's wish.
    pub locked: bool,
    /// See [`StartEpoch`].
    pub start_epoch: StartEpoch,
    /// See [`BootEpoch`].
    pub boot_epoch: BootEpoch,
    /// See [`DiskEpoch`].
    pub disk_epoch: DiskEpoch,
    /// What the disk of this epoch is made from.
    pub image: Image,
    /// How its owner gets in.
    pub login: Login,
    /// Adapters, the primary first.
    pub nics: Vec<Nic>,
    /// What its owner hands to cloud-init. Left out when there is none, so that the hash of a spec from before this
    /// field was there stays what it was.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub user_data: Option<Secret>,
    /// What it may use of its host at most. Left out when there is no bound, for the same reason.
    #[serde(default, skip_serializing_if = "GuestLimits::is_none")]
    pub limits: GuestLimits,
    /// Its guest may send mail to other servers: TCP to port 25 passes its filters. Left out when it may not, for the
    /// same reason.
    #[serde(default, skip_serializing_if = "is_false")]
    pub smtp_open: bool,
    /// Megabits (10^6) a second that its public adapters are held to beside what its limits say, because the traffic of its
    /// package is used up. Left out when it is not, for the same reason.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net_held_mbit_per_second: Option<u32>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

impl ServerSpec {
    /// Whether the guest should be running.
    #[must_use]
    pub fn should_run(&self) -> bool {
        self.power == Power::On && !self.locked
    }

    /// What all its public adapters together may send in a second, and as much receive, in megabits: the smaller bound.
    #[must_use]
    pub fn net_mbit_per_second(&self) -> Option<u32> {
        let bounds = [self.limits.net_mbit_per_second_max, self.net_held_mbit_per_second];
        bounds.into_iter().flatten().min()
    }
}

/// What a guest may use of its host, beside its size. `None`: no bound of its own.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct GuestLimits {
    /// Its share where guests want more processor time than there is, against 100 of a guest without one (1 to 10000).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_weight: Option<u32>,
    /// Processor time of the whole guest, in percent of one of the host's processors.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_percent_max: Option<u32>,
    /// Requests to its disk a second, reads and writes together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_iops_max: Option<u32>,
    /// MiB that its disk moves in a second, read and written together.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_mib_per_second_max: Option<u32>,
    /// Megabits (10^6) that all its public adapters together send in a second, and as many that they receive. Private
    /// adapters have no bound.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub net_mbit_per_second_max: Option<u32>,
}

impl GuestLimits {
    /// No bound at all.
    pub const NONE: Self = Self {
        cpu_weight: None,
        cpu_percent_max: None,
        disk_iops_max: None,
        disk_mib_per_second_max: None,
        net_mbit_per_second_max: None,
    };

    /// Whether there is no bound.
    #[must_use]
    pub fn is_none(&self) -> bool {
        *self == Self::NONE
    }
}

/// Whether a server's processors are its own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum CpuUse {
    /// Shared with other servers of the host.
    Shared,
    /// A dedicated server: each virtual processor pinned to one of the host.
    Pinned,
}

/// A customer's wish.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Power {
    /// Running.
    On,
    /// Off: asked by ACPI, then hard after a time.
    Off,
    /// Off at once, as by pulling the plug.
    ForcedOff,
}

/// An image that the host may have to fetch.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Image {
    /// Digest of the file at `url`, checked before any other program opens it.
    pub sha256: Sha256,
    /// `https:` or `http:`; the digest, not the transport, is what is trusted.
    pub url: String,
    /// Known, never probed.
    pub format: ImageFormat,
    /// Length of the file in bytes; a longer answer is cut off and refused.
    pub size_bytes: u64,
}

/// How an image file is laid out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageFormat {
    /// QEMU's copy-on-write format, version 2 or 3.
    Qcow2,
    /// The disk's bytes as they are.
    Raw,
}

/// How a server's owner gets in. Public keys and hashes only: nothing here opens a server.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Login {
    /// One line each, as in `authorized_keys`.
    pub ssh_keys: Vec<String>,
    /// crypt(5) hash of root's password, method `6` (SHA-512).
    pub password_hash: Option<String>,
}

/// One adapter.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Nic {
    /// `net0` is the primary.
    pub name: String,
    /// Its own, leased like an address.
    pub mac: Mac,
    /// What it is plugged into.
    pub network: NicNetwork,
    /// What the guest may use as its own on it.
    pub addresses: Vec<NicAddress>,
    /// Resolvers handed to the guest.
    pub dns: Vec<IpAddr>,
}

/// What an adapter is plugged into.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum NicNetwork {
    /// The provider's public network: the host's bridge to its uplink.
    Public,
    /// A private network, which the host was told of by its own object ([`crate::network`]). The adapter's addresses are in
    /// its subnet, without a gateway; no rate is set on it. A host that does not understand this is sent none.
    Private {
        /// Which.
        network: NetworkId,
    },
}

/// One address of an adapter. Family and prefix are data, so that IPv6 needs no other type.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NicAddress {
    /// The address itself.
    pub address: IpAddr,
    /// Length of the network's prefix in bits.
    pub prefix_len: u8,
    /// The way out; on the primary adapter alone.
    pub gateway: Option<IpAddr>,
}
