//! Turns the difference between what a server should be and what it is into steps.
//!
//! Pure on purpose: no clock, no disk, no libvirt. So every crash and retry can be tried in milliseconds, and the worker
//! has nothing to decide. What must hold:
//! * a server that is as it should be has an empty plan, so applying a spec twice changes nothing;
//! * only a tombstone or a newer disk epoch retires a disk: a lost disk cannot be rebuilt;
//! * a disk epoch once started is never made again: a disk that is gone is reported, not replaced by an empty one;
//! * no link is up before its filters;
//! * a guest that could not be started again now is not stopped for a restart.

use csp_shared::{
    observed::{Activity, Fault, FaultCode},
    spec::Desired,
};

pub mod disk;
#[cfg(test)]
pub(crate) mod fixture;
pub mod mark;
pub mod memory;
pub mod nic;
pub mod power;
pub mod presence;
pub mod removal;
pub mod step;

use self::{
    memory::{Course, Notes},
    step::Step,
};
use crate::machine::Seen;

/// All that a decision rests on.
#[derive(Clone, Copy, Debug)]
pub struct Situation<'a> {
    /// What should be.
    pub desired: &'a Desired,
    /// What is.
    pub seen: &'a Seen,
    /// What was noted for ever.
    pub notes: &'a Notes,
    /// What this run of the agent remembers.
    pub course: &'a Course,
    /// The agent's clock, see [`Course`].
    pub now_ms: u64,
    /// How long a guest has to go down after it was asked to.
    pub stop_timeout_ms: u64,
    /// No guest is to be started yet: the control plane may have news, tombstones first of all.
    pub starts_held: bool,
}

/// What to do, in order.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
#[must_use = "a plan does nothing until it is run"]
pub struct Plan {
    /// To be done in this order. After each of them the host is looked at again.
    pub steps: Vec<Step>,
    /// What must happen by itself before it can go on, once the steps are done.
    pub wait: Option<Wait>,
    /// What stands in the way.
    pub fault: Option<Fault>,
    /// Its steps on adapters only hold a guest within its bounds that goes, or waits for what replaces it: should one fail,
    /// everything else goes on, and no order ends for it.
    pub guards: bool,
}

/// Something that happens by itself.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Wait {
    /// A guest that goes down, or a time that passes.
    Until {
        /// When to look again at the latest, on the agent's clock.
        at_ms: u64,
        /// What is under way meanwhile.
        activity: Option<Activity>,
    },
    /// Starts are held, or the host itself goes down.
    Hold,
}

impl Plan {
    /// Whether the server is as it should be.
    #[must_use]
    pub fn is_settled(&self) -> bool {
        self.steps.is_empty() && self.wait.is_none() && self.fault.is_none()
    }

    /// What is under way, for people.
    #[must_use]
    pub fn activity(&self) -> Option<Activity> {
        match (self.steps.iter().find_map(Step::activity), self.wait) {
            (Some(activity), _) => Some(activity),
            (None, Some(Wait::Until { activity, .. })) => activity,
            (None, _) => None,
        }
    }

    fn of(steps: Vec<Step>) -> Self {
        Self { steps, ..Self::default() }
    }

    fn waiting(steps: Vec<Step>, wait: Wait) -> Self {
        Self { steps, wait: Some(wait), ..Self::default() }
    }

    fn faulty(code: FaultCode, detail: &str) -> Self {
        Self { fault: Some(Fault::new(code, detail)), ..Self::default() }
    }
}

/// Plans one server.
pub fn plan(situation: Situation<'_>) -> Plan {
    match situation.desired {
        Desired::Present(spec) => presence::plan(situation, spec),
        Desired::Absent(_) => removal::plan(situation.seen),
    }
}

#[cfg(test)]
mod properties;
#[cfg(test)]
mod tests;
