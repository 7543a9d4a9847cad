//! What a customer asked for, and how far it is.

use csp_shared::{generation::Version, observed::Fault};

/// What can be asked for.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Command {
    /// A new server.
    Create,
    /// Power on.
    Start,
    /// Power off.
    Stop,
    /// Power off and on.
    Restart,
    /// Remove for good.
    Destroy,
}

impl Command {
    /// Every command; the store's check constraint lists the same.
    pub const ALL: [Self; 5] = [Self::Create, Self::Start, Self::Stop, Self::Restart, Self::Destroy];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Destroy => "destroy",
        }
    }

    /// Reads what [`Command::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.as_str() == text)
    }
}

/// How far an action is.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// Stored; its host has not confirmed it.
    Queued,
    /// Its host holds the spec.
    Running,
    /// The host brought it about.
    Done,
    /// It will not come about; the reason stands beside it.
    Failed,
    /// A later request took its place.
    Superseded,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 5] = [Self::Queued, Self::Running, Self::Done, Self::Failed, Self::Superseded];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Superseded => "superseded",
        }
    }

    /// Reads what [`Status::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }

    /// Whether nothing more comes.
    #[must_use]
    pub fn is_final(self) -> bool {
        matches!(self, Self::Done | Self::Failed | Self::Superseded)
    }
}

/// What a host's report says about the action that is fulfilled by `wanted`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Progress {
    /// The report is about an older state.
    Nothing,
    /// The host holds it.
    Running,
    /// The host brought it about.
    Done,
    /// The host says that it cannot be brought about.
    Failed,
}

/// Reads a report. Only versions decide: a report that crossed a newer request on its way says nothing about it.
#[must_use]
pub fn progress(wanted: Version, accepted: Version, reached: Option<Version>, fault: Option<&Fault>) -> Progress {
    if reached.is_some_and(|reached| reached >= wanted) {
        Progress::Done
    } else if accepted < wanted {
        Progress::Nothing
    } else if fault.is_some_and(|fault| fault.lasting) {
        Progress::Failed
    } else {
        Progress::Running
    }
}

#[cfg(test)]
mod tests {
    use csp_shared::{
        generation::{Generation, Incarnation},
        observed::FaultCode,
    };

    use super::*;

    #[test]
    fn only_a_report_about_the_wanted_state_moves_an_action() {
        let v = |generation| Version { incarnation: Incarnation(1), generation: Generation(generation) };
        let lasting = Fault::new(FaultCode::ImageChecksum, "");
        let passing = Fault::new(FaultCode::ImageUnreachable, "");
        let table = [
            ("older", v(1), None, None, Progress::Nothing),
            ("older and broken", v(1), None, Some(&lasting), Progress::Nothing),
            ("held", v(2), Some(v(1)), None, Progress::Running),
            ("trying again", v(2), None, Some(&passing), Progress::Running),
            ("cannot", v(2), None, Some(&lasting), Progress::Failed),
            ("there", v(2), Some(v(2)), None, Progress::Done),
            ("there, and fell later", v(2), Some(v(2)), Some(&lasting), Progress::Done),
            ("overtaken", v(3), Some(v(3)), None, Progress::Done),
        ];
        for (name, accepted, reached, fault, want) in table {
            assert_eq!(progress(v(2), accepted, reached, fault), want, "{name}");
        }
    }
}
