//! The closed list of what the agent does to a host. What is not here cannot happen to a customer's server.
//!
//! Every step is idempotent and is seen in the next look at the host (or in the notes), so that a plan can be cut off
//! after any of them and made again.

use std::{collections::BTreeSet, net::Ipv4Addr};

use csp_shared::{
    generation::{DiskEpoch, StartEpoch},
    mac::Mac,
    observed::Activity,
};

use super::memory::PowerNote;
use crate::machine::{Mark, Stamp};

/// One thing to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Step {
    /// Fetch and verify the spec's image.
    FetchImage,
    /// Fetch the spec's image again, on which a disk of the server stands already.
    FetchBase,
    /// Make the overlay of the spec's disk epoch.
    CreateDisk,
    /// Make the disk of the spec's epoch as large as the spec says. No disk is ever made smaller.
    GrowDisk,
    /// Note, before its first boot, that this epoch is never to be made again.
    NoteDiskStarted(DiskEpoch),
    /// Move a disk to the trash.
    RetireDisk(DiskEpoch),
    /// Write the seed.
    WriteSeed(Mark),
    /// Remove the seed.
    RemoveSeed,
    /// Make the spec's taps, links down.
    MakeTaps,
    /// Disconnect what carries the server's mark and is none of its adapters.
    CutOff,
    /// Ask the segment whether anybody uses an address that the server is about to use for the first time, and note
    /// that nobody does. One step: the host shows nothing of a question.
    ProbeAddresses {
        /// What to ask for; may be empty.
        fresh: BTreeSet<Ipv4Addr>,
        /// What to note: all of the server's public addresses.
        own: BTreeSet<Ipv4Addr>,
    },
    /// Replace the filters, links as they are.
    SetFilters(Mark),
    /// Put filters in place that let only those of the server's public addresses through that were asked for before: better
    /// than none while there are others to ask for.
    HoldFilters {
        /// Of these filters.
        mark: Mark,
        /// The addresses.
        own: BTreeSet<Ipv4Addr>,
    },
    /// Put the filters in place and then, only then, set the links up. One step, so that no plan can part them: a tap
    /// that was made anew has lost the filters that a look may still find under its name.
    Connect(Mark),
    /// Answer the guest's DHCP.
    ServeDhcp(Mark),
    /// Give the running guest an adapter.
    AttachNic(Mac),
    /// Ask the running guest to give an adapter up.
    DetachNic(Mac),
    /// Set the server's taps down and remove them.
    RemoveTaps,
    /// Remove the server's filters.
    RemoveFilters,
    /// Define the domain.
    Define(Stamp),
    /// Start the domain.
    Start,
    /// A running guest takes over a new start epoch without a reboot.
    AdoptStart(StartEpoch),
    /// Ask the guest by ACPI to go down.
    AskStop,
    /// Pull the plug.
    ForceStop,
    /// Keep the guest from doing anything, without ending it.
    Pause,
    /// Let a paused guest go on.
    Resume,
    /// Kill a QEMU process that libvirt does not know of.
    KillProcess,
    /// Make libvirt forget the domain.
    Undefine,
    /// Remember why the guest is, or will be, off.
    NotePower(PowerNote),
    /// Count a fall of QEMU.
    RecordCrash,
}

impl Step {
    /// Its name in the log.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            Self::FetchImage => "fetch_image",
            Self::FetchBase => "fetch_base",
            Self::CreateDisk => "create_disk",
            Self::GrowDisk => "grow_disk",
            Self::NoteDiskStarted(_) => "note_disk_started",
            Self::RetireDisk(_) => "retire_disk",
            Self::WriteSeed(_) => "write_seed",
            Self::RemoveSeed => "remove_seed",
            Self::MakeTaps => "make_taps",
            Self::CutOff => "cut_off",
            Self::ProbeAddresses { .. } => "probe_addresses",
            Self::SetFilters(_) => "set_filters",
            Self::HoldFilters { .. } => "hold_filters",
            Self::Connect(_) => "connect",
            Self::ServeDhcp(_) => "serve_dhcp",
            Self::AttachNic(_) => "attach_nic",
            Self::DetachNic(_) => "detach_nic",
            Self::RemoveTaps => "remove_taps",
            Self::RemoveFilters => "remove_filters",
            Self::Define(_) => "define",
            Self::Start => "start",
            Self::AdoptStart(_) => "adopt_start",
            Self::AskStop => "ask_stop",
            Self::ForceStop => "force_stop",
            Self::Pause => "pause",
            Self::Resume => "resume",
            Self::KillProcess => "kill_process",
            Self::Undefine => "undefine",
            Self::NotePower(PowerNote::Unknown) => "note_power_unknown",
            Self::NotePower(PowerNote::Ran { .. }) => "note_running",
            Self::NotePower(PowerNote::StopAsked) => "note_stop_asked",
            Self::NotePower(PowerNote::SelfOff { .. }) => "note_self_off",
            Self::NotePower(PowerNote::CrashLoop { .. }) => "note_crash_loop",
            Self::RecordCrash => "record_crash",
        }
    }

    /// What is under way while the step runs, for people.
    #[must_use]
    pub fn activity(&self) -> Option<Activity> {
        match self {
            Self::FetchImage | Self::FetchBase => Some(Activity::FetchingImage),
            Self::CreateDisk
            | Self::GrowDisk
            | Self::NoteDiskStarted(_)
            | Self::RetireDisk(_)
            | Self::WriteSeed(_)
            | Self::MakeTaps
            | Self::ProbeAddresses { .. }
            | Self::SetFilters(_)
            | Self::HoldFilters { .. }
            | Self::Connect(_)
            | Self::AttachNic(_)
            | Self::Define(_) => Some(Activity::Preparing),
            Self::Start | Self::Resume => Some(Activity::Starting),
            Self::AskStop | Self::ForceStop | Self::Pause => Some(Activity::Stopping),
            Self::CutOff
            | Self::DetachNic(_)
            | Self::RemoveSeed
            | Self::RemoveTaps
            | Self::RemoveFilters
            | Self::KillProcess
            | Self::Undefine => Some(Activity::Removing),
            // Under a running guest it is no news: the agent has begun anew.
            Self::ServeDhcp(_) | Self::AdoptStart(_) | Self::NotePower(_) | Self::RecordCrash => None,
        }
    }

    /// How much of the host it takes.
    #[must_use]
    pub fn weight(&self) -> Weight {
        match self {
            Self::FetchImage | Self::FetchBase => Weight::Download,
            Self::CreateDisk | Self::GrowDisk | Self::WriteSeed(_) => Weight::Disk,
            _ => Weight::Light,
        }
    }

    /// Whether it is about the adapters of a guest and what frames may pass there.
    #[must_use]
    pub fn is_on_adapters(&self) -> bool {
        use Step::{
            AttachNic, Connect, CutOff, DetachNic, HoldFilters, MakeTaps, ProbeAddresses, ServeDhcp, SetFilters,
        };
        matches!(
            self,
            MakeTaps
                | CutOff
                | ProbeAddresses { .. }
                | SetFilters(_)
                | HoldFilters { .. }
                | Connect(_)
                | ServeDhcp(_)
                | AttachNic(_)
                | DetachNic(_)
        )
    }

    /// Whether the pool has more or less room after it.
    #[must_use]
    pub fn changes_room(&self) -> bool {
        use Step::{CreateDisk, FetchBase, FetchImage, GrowDisk, RetireDisk};
        matches!(self, FetchImage | FetchBase | CreateDisk | GrowDisk | RetireDisk(_))
    }
}

/// How much of the host a step takes; only a few of the heavy ones run at once.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Milliseconds.
    Light,
    /// The host's line, for minutes. A newer spec may cut it off in its middle; what arrived is kept, and how much is told.
    Download,
    /// The pool's bandwidth, for seconds.
    Disk,
}
