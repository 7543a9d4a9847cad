//! What travels on the control connection of a host: JSON in text frames, two closed enums.
//!
//! ```text
//! agent                                   control
//!   Enrol (once, with a join token)  ->
//!                                    <-   Enrolled | Refused
//!   Hello                            ->
//!                                    <-   Welcome (the session's epoch) | Refused
//!   InventoryPart*, Inventory        ->        (all that the host has)
//!                                    <-   DesiredNetworks*, Desired* (what the host has not accepted yet),
//!                                         Desired with an empty list
//!                                    <-   Desired (whatever changes, and all unaccepted ones again every now and then)
//!   Reports, Alive                   ->
//!   NetworkReports (if Welcome asked) ->
//!   Samples (if Welcome asked)       ->        (what servers use; may be lost)
//!   Traffic (if Welcome asked)       ->        (what servers' adapters carried in all; never lost)
//!                                    <-   OpenConsole (a screen is asked for)
//!   Console (first and only message  ->        (on a connection of its own; from then on it carries
//!            of another connection)             the screen's bytes in binary frames)
//!                                    <-   Audit (when an operator asks)
//!   AuditAnswer*                     ->
//!                                    <-   SetPassword (if Hello offered)
//!   PasswordSet                      ->
//! ```
//!
//! No message carries a command line, a path or XML. Unknown fields are ignored and unknown messages refused, so that
//! the older side of an upgrade understands the newer one's additions.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize, de::DeserializeOwned};

use crate::{
    audit::Holding,
    generation::SessionEpoch,
    host_status::HostStatus,
    id::{HostId, ServerId},
    limits::{
        FRAME_BYTES_MAX, NETWORKS_PER_FRAME_MAX, REPORTS_PER_FRAME_MAX, SAMPLES_PER_FRAME_MAX, SPECS_PER_FRAME_MAX,
        TRAFFIC_PER_FRAME_MAX,
    },
    mac::Mac,
    network::{DesiredNetwork, HostNetworks, ObservedNetwork},
    observed::Observed,
    sample::Sample,
    secret::Secret,
    spec::Desired,
    traffic::{EARLIER_MAX, Traffic},
};

/// What an agent says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToControl {
    /// First and only message of an enrolment.
    Enrol(Enrol),
    /// First message of a session.
    Hello(Hello),
    /// A part of what the host has; more follows. Tombstones are kept for ever, so all of it may not fit a frame.
    InventoryPart(Inventory),
    /// The last or only part: with it the control plane knows all that the host has.
    Inventory(Inventory),
    /// What changed since.
    Reports {
        /// From [`ToAgent::Welcome`].
        session: SessionEpoch,
        /// At most [`REPORTS_PER_FRAME_MAX`].
        reports: Vec<Observed>,
    },
    /// Nothing changed; the host lives.
    Alive {
        /// From [`ToAgent::Welcome`].
        session: SessionEpoch,
        /// What the host has in all, when that is not what it said last: the trash was emptied, the pool came back.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        capacity: Option<Capacity>,
        /// How the host is, every now and then.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        status: Option<HostStatus>,
        /// Everything on it that no spec explains, when that is not what it said last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        orphans: Option<Vec<Orphan>>,
        /// What it can do for private networks, at the session's begin and when that is not what it said last.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        networks: Option<HostNetworks>,
    },
    /// What changed of private networks. Only to a control plane whose [`ToAgent::Welcome`] asked for it.
    NetworkReports {
        /// From [`ToAgent::Welcome`].
        session: SessionEpoch,
        /// At most [`REPORTS_PER_FRAME_MAX`].
        reports: Vec<ObservedNetwork>,
    },
    /// What servers used lately. Only to a control plane whose [`ToAgent::Welcome`] asked for it.
    Samples {
        /// From [`ToAgent::Welcome`].
        session: SessionEpoch,
        /// At most [`SAMPLES_PER_FRAME_MAX`].
        samples: Vec<Sample>,
    },
    /// What servers' public adapters carried in all: everything at the session's begin, and then what changed. Only to a
    /// control plane whose [`ToAgent::Welcome`] asked for it.
    Traffic {
        /// From [`ToAgent::Welcome`].
        session: SessionEpoch,
        /// At most [`TRAFFIC_PER_FRAME_MAX`].
        traffic: Vec<Traffic>,
    },
    /// First and only message of a connection that carries a screen: what [`ToAgent::OpenConsole`] asked for.
    Console {
        /// From there; single use.
        stream: Secret,
    },
    /// What [`ToAgent::Audit`] asked for, or a part of it.
    AuditAnswer {
        /// From [`ToAgent::Welcome`].
        session: SessionEpoch,
        /// From the question.
        request: QuestionId,
        /// At most [`REPORTS_PER_FRAME_MAX`].
        holdings: Vec<Holding>,
        /// Nothing follows: with this part all is told.
        last: bool,
    },
    /// What came of [`ToAgent::SetPassword`].
    PasswordSet {
        /// From [`ToAgent::Welcome`].
        session: SessionEpoch,
        /// From the question.
        request: QuestionId,
        /// Why it was not set; none when it was.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        refusal: Option<PasswordRefusal>,
    },
}

/// Ties an answer to its question. Unique within a session and kind of question.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct QuestionId(pub u64);

/// Why a guest has no new password.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum PasswordRefusal {
    /// The host has no such server, or it does not run.
    NotRunning,
    /// No guest agent answers in it: not installed, stopped, or the guest is still booting.
    NoGuestAgent,
    /// The guest agent will not: it has no root, or may not set passwords.
    Refused,
    /// The host could not ask.
    HostTrouble,
}

/// What the control plane says.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ToAgent {
    /// The key of this connection is now the host's.
    Enrolled {
        /// Who the host is from now on.
        host: HostId,
    },
    /// The session begins.
    Welcome {
        /// Goes into every later message.
        session: SessionEpoch,
        /// Who the control plane thinks it speaks with.
        host: HostId,
        /// It takes [`ToControl::Samples`]. One that is older than that message would refuse it.
        #[serde(default, skip_serializing_if = "is_false")]
        samples: bool,
        /// It takes [`ToControl::NetworkReports`]. One that is older than that message would refuse it.
        #[serde(default, skip_serializing_if = "is_false")]
        networks: bool,
        /// It takes [`ToControl::Traffic`]. One that is older than that message would refuse it.
        #[serde(default, skip_serializing_if = "is_false")]
        traffic: bool,
    },
    /// What private networks should be on this host. In front of every [`ToAgent::Desired`] with a server in one of them.
    /// Sent only to an agent whose Hello offered it.
    DesiredNetworks {
        /// At most [`NETWORKS_PER_FRAME_MAX`].
        networks: Vec<DesiredNetwork>,
    },
    /// What servers of this host should be. An empty list, sent once a session, says that all which was open at its
    /// begin has been sent: a host that just booted may trust what it holds.
    Desired {
        /// At most [`SPECS_PER_FRAME_MAX`].
        desired: Vec<Desired>,
    },
    /// Look at everything and tell what is there. Changes nothing and delays nothing.
    Audit {
        /// Goes into the answer.
        request: QuestionId,
    },
    /// Somebody may see the server's screen: dial once more and say [`ToControl::Console`] there.
    OpenConsole {
        /// Tells the new connection's purpose; single use.
        stream: Secret,
        /// Whose screen.
        server: ServerId,
    },
    /// Ask the server's guest agent to give root this password. Sent only to an agent whose Hello offered it.
    SetPassword {
        /// Goes into the answer.
        request: QuestionId,
        /// Whose guest.
        server: ServerId,
        /// crypt(5) hash of the password, method `6`.
        hash: Secret,
    },
    /// The connection ends, and why.
    Refused {
        /// For programs.
        reason: Refusal,
        /// For the operator: what happened and what to do.
        message: String,
    },
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn is_false(value: &bool) -> bool {
    !*value
}

/// Why a connection was refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Refusal {
    /// The join token is unknown, used or too old.
    BadToken,
    /// The key belongs to no host, or its host was removed.
    UnknownKey,
    /// Another machine with the same key is or was connected: a cloned disk.
    OtherMachine,
    /// The agent is too old or too new.
    Protocol,
    /// A frame that cannot be understood, or not at this point.
    Malformed,
    /// A newer connection of the same host took over.
    Superseded,
}

/// Asks to become a host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrol {
    /// See [`crate::compat::PROTOCOL`].
    pub protocol: u16,
    /// From `csp-control host add`; single use.
    pub token: Secret,
    /// `/etc/machine-id`.
    pub machine_id: String,
}

/// Opens a session.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hello {
    /// See [`crate::compat::PROTOCOL`].
    pub protocol: u16,
    /// `/etc/machine-id`: tells a cloned disk from the host it was cloned from.
    pub machine_id: String,
    /// The kernel's boot id: tells a restart of the agent from one of the host.
    pub boot_id: String,
    /// Version of the agent's build.
    pub agent_version: String,
    /// What the host has in all.
    pub capacity: Capacity,
    /// How it runs guests.
    pub virt: Virt,
    /// It understands [`ToAgent::SetPassword`]. One that is older than that message would refuse it.
    #[serde(default, skip_serializing_if = "is_false")]
    pub passwords: bool,
    /// It understands [`ToAgent::DesiredNetworks`] and adapters in private networks. An older one would refuse both.
    #[serde(default, skip_serializing_if = "is_false")]
    pub networks: bool,
}

/// What a host has, before anything is placed on it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Capacity {
    /// Logical processors.
    pub cpus: u32,
    /// Memory in MiB, the host's own reserve already taken off.
    pub ram_mib: u64,
    /// Room of the pool for servers' disks in GiB: reserve, images and what rests in the trash already taken off.
    pub disk_gib: u64,
}

/// How guests are run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Virt {
    /// By the processor's own virtualization.
    Kvm,
    /// By emulation: slow, for tests and trials.
    Qemu,
}

/// All that a host has, or a part of it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory {
    /// From [`ToAgent::Welcome`].
    pub session: SessionEpoch,
    /// Every server that the host holds a spec or tombstone of.
    pub servers: Vec<Observed>,
    /// Everything without one. Left alone; its addresses and MACs are never leased.
    pub orphans: Vec<Orphan>,
    /// Every private network that the host holds an object of, gone ones too.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub networks: Vec<ObservedNetwork>,
}

/// Something on a host that no spec explains.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orphan {
    /// Its name where it is: in libvirt, of the interface, of the file. Cut to 100 characters.
    pub name: String,
    /// What it is.
    #[serde(default, skip_serializing_if = "OrphanKind::is_domain")]
    pub kind: OrphanKind,
    /// Its adapters.
    pub macs: Vec<Mac>,
    /// Addresses that it may use.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub addresses: Vec<Ipv4Addr>,
}

/// What an orphan is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum OrphanKind {
    /// A domain in libvirt.
    #[default]
    Domain,
    /// A QEMU process that carries a server's id.
    Process,
    /// A network interface that carries our mark.
    Tap,
    /// A filter table with a server's name.
    Filters,
    /// A file among the disks.
    Disk,
    /// Something that this program is too old to know.
    #[serde(other)]
    Other,
}

impl OrphanKind {
    /// Every kind that is told.
    pub const ALL: [Self; 6] = [Self::Domain, Self::Process, Self::Tap, Self::Filters, Self::Disk, Self::Other];

    /// As on the wire.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Domain => "domain",
            Self::Process => "process",
            Self::Tap => "tap",
            Self::Filters => "filters",
            Self::Disk => "disk",
            Self::Other => "other",
        }
    }

    #[expect(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
    fn is_domain(&self) -> bool {
        *self == Self::Domain
    }
}

/// Longest name of an orphan, in characters.
pub const ORPHAN_NAME_CHARS_MAX: usize = 100;

/// A frame that is no message.
#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    /// Longer than [`FRAME_BYTES_MAX`].
    #[error("the frame has {0} bytes, more than {FRAME_BYTES_MAX}")]
    TooLong(usize),
    /// A list in it is longer than its bound.
    #[error("the message carries {0} entries, more than its bound")]
    TooMany(usize),
    /// Not one of the messages.
    #[error("the frame is no message of this protocol")]
    Malformed(#[source] serde_json::Error),
}

/// Splits `items` into lists that fit a frame each: at most `len_max` items and, however long a single one is, about
/// half of [`FRAME_BYTES_MAX`] bytes. Keeps their order; nothing in, nothing out.
#[must_use]
pub fn batches<T: Serialize>(items: Vec<T>, len_max: usize) -> Vec<Vec<T>> {
    let mut batches: Vec<Vec<T>> = Vec::new();
    let mut bytes = 0;
    for item in items {
        let item_bytes = serde_json::to_vec(&item).map_or(0, |text| text.len());
        bytes += item_bytes;
        match batches.last_mut() {
            Some(batch) if batch.len() < len_max && bytes <= FRAME_BYTES_MAX / 2 => batch.push(item),
            _ => {
                bytes = item_bytes;
                batches.push(vec![item]);
            }
        }
    }
    batches
}

/// A message that can stand in a frame.
pub trait Message: Serialize + DeserializeOwned {
    /// Length of the longest list in it, and that list's bound.
    fn list_len_and_bound(&self) -> (usize, usize);

    /// The text of a frame.
    fn encode(&self) -> String {
        // Serializing these types cannot fail; an empty frame would be refused as malformed.
        serde_json::to_string(self).unwrap_or_default()
    }

    /// Reads a frame.
    ///
    /// # Errors
    /// When the frame is too long, no message, or one with too many entries.
    fn decode(frame: &str) -> Result<Self, FrameError> {
        if frame.len() > FRAME_BYTES_MAX {
            return Err(FrameError::TooLong(frame.len()));
        }
        let message: Self = serde_json::from_str(frame).map_err(FrameError::Malformed)?;
        let (len, bound) = message.list_len_and_bound();
        if len > bound { Err(FrameError::TooMany(len)) } else { Ok(message) }
    }
}

impl Message for ToControl {
    fn list_len_and_bound(&self) -> (usize, usize) {
        let len = match self {
            Self::Samples { samples, .. } => return (samples.len(), SAMPLES_PER_FRAME_MAX),
            Self::Traffic { traffic, .. } if traffic.iter().all(|told| told.earlier.len() <= EARLIER_MAX) => {
                return (traffic.len(), TRAFFIC_PER_FRAME_MAX);
            }
            Self::Traffic { .. } => return (EARLIER_MAX + 1, EARLIER_MAX),
            Self::Reports { reports, .. } => reports.len(),
            Self::NetworkReports { reports, .. } => reports.len(),
            Self::AuditAnswer { holdings, .. } => holdings.len(),
            Self::Inventory(inventory) | Self::InventoryPart(inventory) => {
                inventory.servers.len().max(inventory.orphans.len()).max(inventory.networks.len())
            }
            Self::Alive { orphans, .. } => orphans.as_ref().map_or(0, Vec::len),
            Self::Enrol(_) | Self::Hello(_) | Self::Console { .. } | Self::PasswordSet { .. } => 0,
        };
        (len, REPORTS_PER_FRAME_MAX)
    }
}

impl Message for ToAgent {
    fn list_len_and_bound(&self) -> (usize, usize) {
        match self {
            Self::Desired { desired } => (desired.len(), SPECS_PER_FRAME_MAX),
            Self::DesiredNetworks { networks } => (networks.len(), NETWORKS_PER_FRAME_MAX),
            _ => (0, 0),
        }
    }
}
