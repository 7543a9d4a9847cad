//! What a customer asked for, and how far it is.

use csp_shared::{
    generation::Version,
    observed::{Activity, Fault},
};

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
    /// Make the disk anew from an image.
    Reinstall,
    /// Another package.
    ChangePackage,
    /// Into a private network.
    AttachNetwork,
    /// Out of one.
    DetachNetwork,
    /// One more public address.
    AddExtraIp,
    /// One fewer.
    RemoveExtraIp,
    /// A public address goes to another server of the account.
    MoveExtraIp,
    /// Remove for good.
    Destroy,
}

impl Command {
    /// Every command; the store's check constraint lists the same.
    pub const ALL: [Self; 12] = [
        Self::Create,
        Self::Start,
        Self::Stop,
        Self::Restart,
        Self::Reinstall,
        Self::ChangePackage,
        Self::AttachNetwork,
        Self::DetachNetwork,
        Self::AddExtraIp,
        Self::RemoveExtraIp,
        Self::MoveExtraIp,
        Self::Destroy,
    ];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Create => "create",
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reinstall => "reinstall",
            Self::ChangePackage => "change_package",
            Self::AttachNetwork => "attach_network",
            Self::DetachNetwork => "detach_network",
            Self::AddExtraIp => "add_extra_ip",
            Self::RemoveExtraIp => "remove_extra_ip",
            Self::MoveExtraIp => "move_extra_ip",
            Self::Destroy => "destroy",
        }
    }

    /// Reads what [`Command::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|command| command.as_str() == text)
    }

    /// Whether it is about an extra public address.
    #[must_use]
    pub fn is_about_ips(self) -> bool {
        matches!(self, Self::AddExtraIp | Self::RemoveExtraIp | Self::MoveExtraIp)
    }

    /// Whether it only plugs something in or out. What comes and goes adds up, so a newer request leaves it standing; of power,
    /// disk and size the newest request says all that is wanted.
    #[must_use]
    pub fn is_about_adapters(self) -> bool {
        matches!(
            self,
            Self::AttachNetwork | Self::DetachNetwork | Self::AddExtraIp | Self::RemoveExtraIp | Self::MoveExtraIp
        )
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

/// How far an action is, from 0 to 100, for people: from its status, what its host said last that it does, and how much of
/// an image has arrived there. It says nothing about time, and never goes back while an action runs. What has ended is at 100 however it ended, so that who
/// waits for 100 never waits in vain.
#[must_use]
pub fn percent(command: Command, status: Status, activity: Option<Activity>, arrived_percent: Option<u8>) -> u8 {
    match status {
        Status::Queued => return 0,
        Status::Done | Status::Failed | Status::Superseded => return 100,
        Status::Running => {}
    }
    use Command::{AddExtraIp, AttachNetwork, ChangePackage, Create, Destroy, DetachNetwork};
    use Command::{MoveExtraIp, Reinstall, RemoveExtraIp, Restart};
    let Some(activity) = activity else { return TAKEN_UP };
    match (command, activity) {
        (Create | Reinstall | ChangePackage, Activity::FetchingImage) => 25 + arrived_percent.unwrap_or(0).min(100) / 5,
        // The new disk is made while the old guest runs, the rest when it is off: both are one part of the way.
        (Reinstall | ChangePackage, Activity::Preparing | Activity::Stopping) => 50,
        (Create, Activity::Preparing) => 60,
        // A restart stops first, so what begins then is its second half.
        (Create | Restart | Reinstall | ChangePackage, Activity::Starting) => 90,
        (Restart | Destroy, Activity::Stopping) => 40,
        (Command::Start, Activity::Preparing) => 30,
        (AttachNetwork, Activity::Preparing) | (DetachNetwork, Activity::Removing) => 50,
        (AddExtraIp | MoveExtraIp, Activity::Preparing) | (RemoveExtraIp, Activity::Removing) => 50,
        (MoveExtraIp, Activity::Removing) => 20,
        (Command::Start, Activity::Starting) | (Command::Stop, Activity::Stopping) => 60,
        (Command::Restart, Activity::Preparing) | (Command::Destroy, Activity::Removing) => 70,
        // Left over from what was asked before.
        _ => TAKEN_UP,
    }
}

/// An action whose host holds it and has said nothing else.
const TAKEN_UP: u8 = 10;

#[cfg(test)]
mod tests {
    use csp_shared::{
        generation::{Generation, Incarnation},
        observed::FaultCode,
    };

    use super::*;

    #[test]
    fn progress_goes_up_along_the_way_of_each_command() {
        use Activity::{FetchingImage, Preparing, Removing, Starting, Stopping};
        let ways: [(Command, &[Activity]); 12] = [
            (Command::Create, &[FetchingImage, Preparing, Starting]),
            (Command::Start, &[Preparing, Starting]),
            (Command::Stop, &[Stopping]),
            (Command::Restart, &[Stopping, Preparing, Starting]),
            (Command::Reinstall, &[FetchingImage, Preparing, Starting]),
            (Command::ChangePackage, &[Stopping, Starting]),
            (Command::AttachNetwork, &[Preparing]),
            (Command::DetachNetwork, &[Removing]),
            (Command::AddExtraIp, &[Preparing]),
            (Command::RemoveExtraIp, &[Removing]),
            (Command::MoveExtraIp, &[Removing, Preparing]),
            (Command::Destroy, &[Stopping, Removing]),
        ];
        for (command, way) in ways {
            let running = std::iter::once(None).chain(way.iter().copied().map(Some));
            let running = running.map(|activity| percent(command, Status::Running, activity, None));
            let way: Vec<u8> = std::iter::once(percent(command, Status::Queued, None, None)).chain(running).collect();
            assert!(way.is_sorted_by(|one, next| one < next), "{command:?}: {way:?}");
            for activity in [FetchingImage, Preparing, Starting, Stopping, Removing] {
                assert!(
                    (1..100).contains(&percent(command, Status::Running, Some(activity), None)),
                    "{command:?} {activity:?}"
                );
                assert_eq!(percent(command, Status::Queued, Some(activity), None), 0, "what is under way is another's");
            }
        }
        let arrived = [None, Some(0), Some(50), Some(100), Some(255)];
        let way = arrived.map(|arrived| percent(Command::Create, Status::Running, Some(FetchingImage), arrived));
        assert_eq!(way, [25, 25, 35, 45, 45], "and then it is prepared");
        for ended in Status::ALL.into_iter().filter(|status| status.is_final()) {
            assert_eq!(percent(Command::Stop, ended, Some(Stopping), None), 100);
        }
    }

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
