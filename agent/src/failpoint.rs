//! Where the agent can be made to die: before and after each step, inside the step that has two effects, and around the
//! write of each record.
//!
//! [`STEPS`] is made by the same macro as the match that names a step, so a new step does not compile before it has a
//! line here, and with it a failpoint that the tests demand to be tried. Crossing one costs nothing and does nothing
//! unless the program was built with the feature `failpoints`, which a shipped one never is.

use crate::plan::{memory::PowerNote, step::Step};

macro_rules! steps {
    ($($step:pat => $name:literal),+ $(,)?) => {
        /// The name of each kind of step.
        pub const STEPS: &[&str] = &[$($name),+];

        /// The name of a step's failpoints.
        #[must_use]
        pub fn of_step(step: &Step) -> &'static str {
            match step {
                $($step => $name),+
            }
        }
    };
}

steps! {
    Step::FetchImage => "fetch_image",
    Step::FetchBase => "fetch_base",
    Step::CreateDisk => "create_disk",
    Step::GrowDisk => "grow_disk",
    Step::NoteDiskStarted(_) => "note_disk_started",
    Step::RetireDisk(_) => "retire_disk",
    Step::WriteSeed(_) => "write_seed",
    Step::RemoveSeed => "remove_seed",
    Step::MakeTaps => "make_taps",
    Step::CutOff => "cut_off",
    Step::ProbeAddresses { .. } => "probe_addresses",
    Step::SetFilters(_) | Step::HoldFilters { .. } => "set_filters",
    Step::Connect(_) => "connect",
    Step::ServeDhcp(_) => "serve_dhcp",
    Step::AttachNic(_) => "attach_nic",
    Step::DetachNic(_) => "detach_nic",
    Step::RemoveTaps => "remove_taps",
    Step::RemoveFilters => "remove_filters",
    Step::Define(_) => "define",
    Step::Start => "start",
    Step::AdoptStart(_) => "adopt_start",
    Step::AskStop => "ask_stop",
    Step::ForceStop => "force_stop",
    Step::Pause => "pause",
    Step::Resume => "resume",
    Step::KillProcess => "kill_process",
    Step::Undefine => "undefine",
    Step::NotePower(PowerNote::Unknown) => "note_power_unknown",
    Step::NotePower(PowerNote::Ran { .. }) => "note_running",
    Step::NotePower(PowerNote::StopAsked) => "note_stop_asked",
    Step::NotePower(PowerNote::SelfOff { .. }) => "note_self_off",
    Step::NotePower(PowerNote::CrashLoop { .. }) => "note_crash_loop",
    Step::RecordCrash => "record_crash",
}

/// Before anything was done.
pub const BEFORE: &str = "before";
/// After one of two effects.
pub const BETWEEN: &str = "between";
/// After everything was done, and before anybody heard of it.
pub const AFTER: &str = "after";
/// The write of a record: a spec, a tombstone or notes.
pub const RECORD: &str = "record";

/// Ends the program here if it was built and told to do so.
#[cfg(not(feature = "failpoints"))]
pub fn cross(_place: &str, _moment: &str) {}

#[cfg(feature = "failpoints")]
pub use killing::cross;

#[cfg(feature = "failpoints")]
mod killing {
    //! Reads the environment, which is otherwise banned: this is no setting of the product.
    #![allow(clippy::disallowed_methods)]

    use std::sync::OnceLock;

    use csp_shared::failpoint::{Fuse, VARIABLE};
    use nix::sys::signal::{Signal, raise};

    static FUSE: OnceLock<Option<Fuse>> = OnceLock::new();

    fn fuse() -> Option<Fuse> {
        let text = std::env::var(VARIABLE).ok()?;
        match text.parse() {
            Ok(fuse) => {
                tracing::warn!(failpoint = text, "this program will kill itself there");
                Some(fuse)
            }
            Err(why) => {
                tracing::error!(%why, "no failpoint is set");
                None
            }
        }
    }

    /// Ends the program here if it was told to do so.
    pub fn cross(place: &str, moment: &str) {
        if FUSE.get_or_init(fuse).as_ref().is_some_and(|fuse| fuse.blows(place, moment)) {
            // Does not come back: SIGKILL can be neither caught nor put off.
            let _ = raise(Signal::SIGKILL);
        }
    }
}
