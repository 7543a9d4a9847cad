//! What the agent remembers of a server, beside what it sees: durable notes, and the course of one run.
//!
//! Seeing alone cannot tell a guest that its owner shut down from one that the host let fall, nor a disk that was lost
//! from one that was never made. Notes are on the host's disk, outside the pool; the course is lost when the agent
//! ends, which only makes it wait or try once more.

use std::{collections::BTreeSet, net::Ipv4Addr, path::PathBuf};

use csp_shared::{
    generation::{DiskEpoch, Version},
    mac::Mac,
    observed::Fault,
};
use serde::{Deserialize, Serialize};

use super::step::Step;
use crate::machine::{BootId, Epochs, Seen};

/// Crashes older than this are forgotten.
pub const CRASH_WINDOW_MS: u64 = 10 * 60 * 1000;
/// So many crashes within the window end in `crash_loop`.
pub const CRASHES_MAX: u32 = 5;

/// What must survive the agent and the host.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Notes {
    /// The newest disk epoch that was made ready for its first boot. None up to it is ever made again.
    pub disk_started: Option<DiskEpoch>,
    /// Why the guest may be off.
    pub power: PowerNote,
    /// The newest version that was brought about in full.
    pub reached: Option<Version>,
    /// Public addresses that nobody answered for before the server used them. One that the spec loses is forgotten, and
    /// asked for again should it come back.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub addresses_probed: BTreeSet<Ipv4Addr>,
    /// What the guest writes lies, or lay when it was last seen, in another file than its disk.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub elsewhere: Option<Elsewhere>,
}

/// Somebody moved the guest to another file by hand, so its own disk is older. The domain says so only for as long as it is
/// there: one that was undefined vanishes with its guest.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Elsewhere {
    /// The file.
    pub file: String,
    /// Of the disk that is older.
    pub epoch: DiskEpoch,
    /// The domain was seen off with it. Who undefines it then has brought the data back: that is how it is told.
    pub off: bool,
}

impl Elsewhere {
    /// The name that the file is given once what it holds is in the server's own disk, where no domain can tell so.
    #[must_use]
    pub fn when_brought_back(&self) -> PathBuf {
        PathBuf::from(format!("{}.brought-back", self.file))
    }
}

/// Power has a memory.
#[derive(Clone, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(tag = "is", rename_all = "snake_case", deny_unknown_fields)]
pub enum PowerNote {
    /// Nothing is known: a guest that should run is started.
    #[default]
    Unknown,
    /// It was seen running, as it should, in this boot of the host. If it shuts down now, that is its own wish.
    Ran {
        /// Which boot: after another one, a guest that is off fell with the host.
        host_boot: BootId,
    },
    /// The agent asked it to go down, so going down is not the guest's own wish.
    StopAsked,
    /// It powered itself off. It stays off until one of the epochs grows.
    SelfOff {
        /// Those of the domain at that time.
        epochs: Epochs,
        /// When that was.
        host_boot: BootId,
    },
    /// It fell too often. It stays off until one of the epochs grows.
    CrashLoop {
        /// Those of the domain at that time.
        epochs: Epochs,
    },
}

/// What one run of the agent remembers of a server. Times are in milliseconds of its own clock, which starts anywhere
/// and never goes back.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Course {
    /// When the guest was first asked to go down, for the present stop.
    pub stop_first_ms: Option<u64>,
    /// When it was last asked.
    pub stop_last_ms: Option<u64>,
    /// The agent started the guest and did not stop it since.
    pub started: bool,
    /// The agent defined the domain since the guest was last started or seen up.
    pub defined: bool,
    /// When QEMU was seen to have died, oldest first.
    pub crashes_ms: Vec<u64>,
    /// When a paused guest was last told to go on.
    pub resumed_ms: Option<u64>,
    /// Adapters that the running guest was asked to give up. It need not: then it keeps them, cut off, until its next boot.
    pub unplugged: BTreeSet<Mac>,
    /// The last step that failed.
    pub failure: Option<Failure>,
    /// The last that failed of those which hold the guest within its bounds, whatever else is done or fails.
    pub guard_failure: Option<Failure>,
    /// The step that was chosen last, if it is one of those.
    pub guarding: Option<Step>,
    /// How often each step was done since there was last nothing to do.
    pub done: Vec<(Step, u32)>,
}

impl Notes {
    /// Takes note of a step that was done. Only some steps are noted.
    pub fn done(&mut self, step: &Step) {
        match step {
            Step::NoteDiskStarted(epoch) => self.disk_started = self.disk_started.max(Some(*epoch)),
            Step::NotePower(note) => self.power = note.clone(),
            Step::ProbeAddresses { own, .. } => self.addresses_probed.clone_from(own),
            Step::RecordCrash => self.power = PowerNote::Unknown,
            _ => {}
        }
    }
}

impl Course {
    /// The course of an agent that just came up. A stop that was asked for before may still be under way: its time
    /// counts from now.
    #[must_use]
    pub fn begin(notes: &Notes, now_ms: u64) -> Self {
        let stop = (notes.power == PowerNote::StopAsked).then_some(now_ms);
        Self { stop_first_ms: stop, stop_last_ms: stop, ..Self::default() }
    }

    /// Begins anew: nothing failed, and nothing was done.
    pub fn forget_failures(&mut self) {
        self.failure = None;
        self.guard_failure = None;
        self.done.clear();
    }

    /// Takes note of a look at the host: a guest that is down was stopped, and what one that is up was defined with is past.
    pub fn look(&mut self, seen: &Seen) {
        if seen.is_up() {
            self.defined = false;
        } else {
            self.stop_first_ms = None;
            self.stop_last_ms = None;
            self.resumed_ms = None;
            self.unplugged.clear();
        }
    }

    /// Takes note of a step that was done.
    pub fn done(&mut self, step: &Step, now_ms: u64) {
        match self.done.iter_mut().find(|(done, _)| done == step) {
            Some((_, times)) => *times = times.saturating_add(1),
            None => self.done.push((step.clone(), 1)),
        }
        match step {
            Step::Start => (self.started, self.defined) = (true, false),
            Step::Define(_) => self.defined = true,
            Step::AskStop => {
                self.started = false;
                self.stop_first_ms.get_or_insert(now_ms);
                self.stop_last_ms = Some(now_ms);
            }
            Step::ForceStop => self.started = false,
            Step::Resume => self.resumed_ms = Some(now_ms),
            Step::DetachNic(mac) => drop(self.unplugged.insert(*mac)),
            Step::AttachNic(mac) => drop(self.unplugged.remove(mac)),
            Step::RecordCrash => {
                self.started = false;
                self.crashes_ms.retain(|crash_ms| now_ms.saturating_sub(*crash_ms) < CRASH_WINDOW_MS);
                self.crashes_ms.push(now_ms);
            }
            Step::NotePower(PowerNote::Ran { .. }) => {
                self.stop_first_ms = None;
                self.stop_last_ms = None;
            }
            Step::NotePower(PowerNote::SelfOff { .. }) => self.started = false,
            Step::NotePower(PowerNote::CrashLoop { .. }) => {
                self.started = false;
                self.crashes_ms.clear();
            }
            _ => {}
        }
    }

    /// How often QEMU died within the last ten minutes, and when it last did.
    #[must_use]
    pub fn recent_crashes(&self, now_ms: u64) -> (u32, Option<u64>) {
        let recent = self.crashes_ms.iter().filter(|crash_ms| now_ms.saturating_sub(**crash_ms) < CRASH_WINDOW_MS);
        let count = u32::try_from(recent.count()).unwrap_or(u32::MAX);
        (count, self.crashes_ms.last().copied())
    }
}

/// A step that failed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// Which step; `None`: the look at the host.
    pub step: Option<Step>,
    /// While bringing about which version. A newer one clears the slate.
    pub version: Version,
    /// Why.
    pub fault: Fault,
    /// How often in a row.
    pub times: u32,
    /// When to try again; never by itself if the fault is lasting.
    pub retry_at_ms: u64,
}
