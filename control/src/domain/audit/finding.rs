//! One difference: what it is, where, how bad, and what to do about it.

use csp_shared::id::ServerId;
use serde::Serialize;

/// A difference between what should be and what is.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Finding {
    /// Which kind.
    pub kind: Kind,
    /// On which host; nothing for what the store alone has.
    pub host: Option<String>,
    /// Of which server.
    pub server: Option<ServerId>,
    /// Which thing: a tap's name, a file, an address.
    pub object: String,
    /// What is different, in a sentence.
    pub what: String,
    /// What to do about it: a command or a sentence.
    pub cure: String,
    /// Work is under way that should end it. Look again before you act.
    pub in_motion: bool,
}

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Something is left that harms nobody and takes room.
    Leftover,
    /// A customer does not get what was paid for, or the control plane does not know.
    Wrong,
    /// Data, money, or the safety of other customers.
    Danger,
}

impl Severity {
    /// As it is printed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Leftover => "leftover",
            Self::Wrong => "wrong",
            Self::Danger => "danger",
        }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal, $severity:ident;)*) => {
        /// The closed list of differences. Their names are for programs and stay as they are.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Kind { $($(#[$doc])* $name,)* }

        impl Kind {
            /// Every kind.
            pub const ALL: &'static [Self] = &[$(Self::$name,)*];

            /// As it is printed.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }

            /// How bad it is.
            #[must_use]
            pub fn severity(self) -> Severity {
                match self { $(Self::$name => Severity::$severity,)* }
            }
        }
    };
}

kinds! {
    /// A host did not answer.
    HostSilent = "host_silent", Wrong;
    /// A part of a host could not be looked at.
    PartUnseen = "part_unseen", Wrong;
    /// The pool is not mounted, or another one is.
    PoolMissing = "pool_missing", Wrong;
    /// The pool takes no writes, or guests are about to fill it.
    PoolUnwell = "pool_unwell", Danger;
    /// The host does not hold the spec or tombstone of a server.
    SpecMissing = "spec_missing", Wrong;
    /// The host holds an older one.
    SpecBehind = "spec_behind", Wrong;
    /// The host holds a newer one.
    SpecAhead = "spec_ahead", Danger;
    /// The host holds another one of the same version.
    SpecAltered = "spec_altered", Danger;
    /// The host holds a spec of a server that the store never placed there.
    SpecOrphan = "spec_orphan", Wrong;
    /// A file among the specs cannot be read.
    SpecDamaged = "spec_damaged", Danger;
    /// The host does not hold the object of a private network.
    NetworkMissing = "network_missing", Wrong;
    /// The host holds an older one.
    NetworkBehind = "network_behind", Wrong;
    /// The host holds a newer one.
    NetworkAhead = "network_ahead", Danger;
    /// The host holds another one of the same version.
    NetworkAltered = "network_altered", Danger;
    /// A private network does not work on a host, which says why.
    NetworkBroken = "network_broken", Wrong;
    /// A private network is to be gone from a host that has not proved it.
    NetworkHeld = "network_held", Wrong;
    /// The host holds a private network that the store never had there.
    NetworkOrphan = "network_orphan", Wrong;
    /// A file among the private networks cannot be read.
    NetworkDamaged = "network_damaged", Wrong;
    /// A host says what keeps a server from being as it should, and nothing else is told of it.
    ServerFaulty = "server_faulty", Wrong;
    /// A guest should run and does not.
    GuestDown = "guest_down", Wrong;
    /// A guest is paused.
    GuestPaused = "guest_paused", Wrong;
    /// A guest should be off and runs.
    GuestUp = "guest_up", Wrong;
    /// libvirt says that a guest runs and there is no process of it, or more than one.
    ProcessMismatch = "process_mismatch", Danger;
    /// A process of a guest that libvirt says is off.
    ProcessStray = "process_stray", Danger;
    /// A running guest lacks an adapter of its spec.
    AdapterMismatch = "adapter_mismatch", Wrong;
    /// A running guest is not made as its spec says: somebody changed it by hand.
    GuestAltered = "guest_altered", Wrong;
    /// A running guest has an adapter that csp did not give it.
    AdapterForeign = "adapter_foreign", Danger;
    /// A running guest has a disk that is not its own.
    DiskForeign = "disk_foreign", Danger;
    /// A guest's domain names another file in place of its disk, or the disk's file was replaced while it ran.
    DiskElsewhere = "disk_elsewhere", Danger;
    /// What guests' disks are overlays on is not there.
    ImageMissing = "image_missing", Danger;
    /// A running guest has no tap for an adapter.
    TapMissing = "tap_missing", Wrong;
    /// A running guest's tap is down or in no bridge.
    TapDisconnected = "tap_disconnected", Wrong;
    /// A tap is up and nothing filters it.
    TapUnfiltered = "tap_unfiltered", Danger;
    /// An interface carries the mark of a server and is none of its adapters' taps.
    TapStray = "tap_stray", Danger;
    /// A server's filters are not those that were loaded.
    FilterAltered = "filter_altered", Danger;
    /// A server's filters let through other addresses than its spec says.
    FilterMismatch = "filter_mismatch", Danger;
    /// The guard of the host's own addresses is not there, or not as it was loaded.
    GuardMissing = "guard_missing", Danger;
    /// Two servers' filters let through the same address.
    AddressTwice = "address_twice", Danger;
    /// A disk that was started once is not there.
    DiskMissing = "disk_missing", Danger;
    /// A disk, or what a guest booted from, is of another epoch than the spec's.
    DiskEpoch = "disk_epoch", Wrong;
    /// A file among the disks that is none by its name.
    DiskOther = "disk_other", Leftover;
    /// A second file of a server's disk, beside the one that it has.
    DiskTwice = "disk_twice", Wrong;
    /// A running guest has no seed.
    SeedMissing = "seed_missing", Wrong;
    /// A second seed of a server, beside the one that it has.
    SeedTwice = "seed_twice", Leftover;
    /// Something of a server that is to be gone.
    Remains = "remains", Wrong;
    /// A server's address and room are held though nothing of it is left.
    HeldForNothing = "held_for_nothing", Leftover;
    /// A domain that no server explains.
    DomainOrphan = "domain_orphan", Wrong;
    /// A QEMU process that no server explains.
    ProcessOrphan = "process_orphan", Wrong;
    /// A tap that no server explains.
    TapOrphan = "tap_orphan", Wrong;
    /// A queue for a server's rate that no server explains.
    QueueOrphan = "queue_orphan", Leftover;
    /// A filter table that no server explains.
    FilterOrphan = "filter_orphan", Leftover;
    /// A disk that no server explains.
    DiskOrphan = "disk_orphan", Leftover;
    /// A seed that no server explains.
    SeedOrphan = "seed_orphan", Leftover;
    /// A file among the consoles' logs that no server explains.
    ConsoleOrphan = "console_orphan", Leftover;
    /// A service that has ended keeps its place, or one that goes on has none.
    PlaceMismatch = "place_mismatch", Danger;
    /// A server's place or spec has another size than was sold.
    SizeMismatch = "size_mismatch", Danger;
    /// An address is leased, held or resting though its server stands otherwise.
    LeaseMismatch = "lease_mismatch", Danger;
    /// A spec has an address that its server has not leased.
    LeaseMissing = "lease_missing", Danger;
    /// An action is open whose end was reported.
    ActionStuck = "action_stuck", Wrong;
    /// A wallet's balance is not the sum of its movements.
    Ledger = "ledger", Danger;
}

impl Finding {
    pub(super) fn new(kind: Kind, host: Option<&str>, server: Option<ServerId>, object: impl Into<String>) -> Self {
        Self {
            kind,
            host: host.map(str::to_owned),
            server,
            object: object.into(),
            what: String::new(),
            cure: String::new(),
            in_motion: false,
        }
    }

    pub(super) fn what(self, what: impl Into<String>) -> Self {
        Self { what: what.into(), ..self }
    }

    pub(super) fn cure(self, cure: impl Into<String>) -> Self {
        Self { cure: cure.into(), ..self }
    }

    pub(super) fn moving(self, in_motion: bool) -> Self {
        Self { in_motion, ..self }
    }

    /// How bad it is.
    #[must_use]
    pub fn severity(&self) -> Severity {
        self.kind.severity()
    }
}
