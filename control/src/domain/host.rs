//! Where a host stands, and what an operator may make of it.
//!
//! ```text
//! new -> active <-> draining        active, draining -> lost -> fenced        any without servers -> removed
//! lost -> active: only when it came back and proved that nothing is left on it
//! ```

use csp_shared::observed::FaultCode;

use super::{placement::Trouble, time::MINUTE};

/// Where a host stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum HostState {
    /// Added, not enrolled.
    New,
    /// In service.
    Active,
    /// Keeps its servers, takes no new ones.
    Draining,
    /// Given up: its customers' services have ended, its addresses stay held.
    Lost,
    /// Given up, and known to be without power and disks.
    Fenced,
    /// Taken out; its key opens nothing.
    Removed,
}

impl HostState {
    const ALL: [Self; 6] = [Self::New, Self::Active, Self::Draining, Self::Lost, Self::Fenced, Self::Removed];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Active => "active",
            Self::Draining => "draining",
            Self::Lost => "lost",
            Self::Fenced => "fenced",
            Self::Removed => "removed",
        }
    }

    /// Reads what [`HostState::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }

    /// Whether its servers are ended and stay so.
    #[must_use]
    pub fn is_given_up(self) -> bool {
        matches!(self, Self::Lost | Self::Fenced)
    }
}

/// What an operator says of a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Direction {
    /// It takes nothing new.
    Drain,
    /// It takes servers again.
    Undrain,
    /// It will not come back in time: its customers' services end.
    Lose,
    /// Its power is cut and its disks are gone: nothing of it can speak any more.
    Fence,
    /// It is taken out of the fleet.
    Remove,
}

/// What decides.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Standing {
    /// Where it stands.
    pub state: HostState,
    /// It was heard of within the last moments.
    pub is_heard: bool,
    /// It told all that it holds in its newest session.
    pub has_told: bool,
    /// Servers that are on it.
    pub placed: u32,
    /// Servers that are to be gone, of which it has not proved that nothing is left.
    pub held: u32,
    /// Things on it that no server explains.
    pub orphans: u32,
    /// Another machine came with its key lately, and was refused.
    pub has_stranger: bool,
}

/// For so long a machine that was refused counts as there: it tries again every few minutes.
pub const STRANGER_SECONDS: i64 = 60 * MINUTE;

/// What a host may say of a server's disk that an operator must see to: its customer's data is at stake, and no host mends it by
/// itself.
pub const DISK_FAULTS: [FaultCode; 3] = [FaultCode::DiskMissing, FaultCode::DiskElsewhere, FaultCode::DiskDamaged];

/// Servers with such a disk that are named, of one host.
pub const FAULTY_DISKS_MAX: u32 = 20;

/// Why it cannot be made so. Nothing was changed. Each says what to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It has not joined, was given up, or was removed.
    #[error("the host is {}, so it is not in service", .0.as_str())]
    NotInService(HostState),
    /// Never in service.
    #[error("the host has never joined, so nothing is on it: `csp-control host remove` takes it out")]
    NeverJoined,
    /// A given up host that is to serve again, and is silent.
    #[error("the host was given up and has not come back: it can serve again once it has told what it holds")]
    NotBack,
    /// The same, and it still holds something.
    #[error(
        "{0} servers that were on it are not proved to be gone yet; it proves it by itself, `csp-control audit` tells what is in the way"
    )]
    NotProved(u32),
    /// Its key may come back with its old disks.
    #[error("the host was declared fenced, so its disks are gone: remove it, and add the machine under a new name")]
    IsFenced,
    /// Fencing frees addresses, which must not happen under a service.
    #[error("the host is {}; declare it lost first: `csp-control host lost`", .0.as_str())]
    NotLost(HostState),
    /// Its services are being ended.
    #[error("{0} of its servers are still being ended; try again in a moment")]
    Ending(u32),
    /// What speaks has power.
    #[error(
        "the host is heard of, so it has power: cut it off first, or let it prove by itself that its servers are gone"
    )]
    StillHeard,
    /// Something would be forgotten.
    #[error(
        "{placed} servers are on it, {held} that are to be gone are not proved to be, and {orphans} things on it belong to no server; see `csp-control server list` and `csp-control orphan list`"
    )]
    NotEmpty {
        /// Servers that are on it.
        placed: u32,
        /// Servers that are to be gone.
        held: u32,
        /// Things that nothing explains.
        orphans: u32,
    },
}

/// What a host becomes; nothing when it is so already.
///
/// # Errors
/// With the reason.
pub fn directed(direction: Direction, host: &Standing) -> Result<Option<HostState>, Refused> {
    use HostState::{Active, Draining, Fenced, Lost, New, Removed};
    let Standing { state, placed, held, orphans, .. } = *host;
    match (direction, state) {
        (Direction::Drain, Draining)
        | (Direction::Undrain, Active)
        | (Direction::Lose, Lost | Fenced)
        | (Direction::Fence, Fenced)
        | (Direction::Remove, Removed) => Ok(None),
        (Direction::Drain, Active) => Ok(Some(Draining)),
        (Direction::Undrain, Draining) => Ok(Some(Active)),
        (Direction::Undrain, Lost) if !(host.is_heard && host.has_told) => Err(Refused::NotBack),
        (Direction::Undrain, Lost) if placed + held > 0 => Err(Refused::NotProved(placed + held)),
        (Direction::Undrain, Lost) => Ok(Some(Active)),
        (Direction::Undrain, Fenced) => Err(Refused::IsFenced),
        (Direction::Lose, Active | Draining) => Ok(Some(Lost)),
        (Direction::Lose, New) => Err(Refused::NeverJoined),
        (Direction::Fence, Lost) if host.is_heard => Err(Refused::StillHeard),
        (Direction::Fence, Lost) if placed > 0 => Err(Refused::Ending(placed)),
        (Direction::Fence, Lost) => Ok(Some(Fenced)),
        (Direction::Fence, New | Active | Draining | Removed) => Err(Refused::NotLost(state)),
        (Direction::Remove, _) if placed + held + orphans > 0 => Err(Refused::NotEmpty { placed, held, orphans }),
        (Direction::Remove, _) => Ok(Some(Removed)),
        (Direction::Drain, New | Lost | Fenced | Removed)
        | (Direction::Undrain, New | Removed)
        | (Direction::Lose, Removed) => Err(Refused::NotInService(state)),
    }
}

/// What an operator should see to, by what is known of a host.
#[must_use]
pub fn alarms(host: &Standing, trouble: Option<Trouble>) -> Vec<&'static str> {
    let is_in_service = matches!(host.state, HostState::Active | HostState::Draining);
    let each = [
        (is_in_service && !host.is_heard, "silent"),
        (host.state == HostState::Fenced && host.is_heard, "speaks_though_fenced"),
        (host.state == HostState::Lost && host.is_heard, "came_back"),
        (host.orphans > 0, "orphans"),
        (host.has_stranger && host.state != HostState::Removed, "other_machine"),
    ];
    let told = trouble.filter(|_| host.is_heard).map(Trouble::as_str);
    told.into_iter().chain(each.into_iter().filter_map(|(holds, name)| holds.then_some(name))).collect()
}

#[cfg(test)]
mod tests {
    use super::{
        Direction::{Drain, Fence, Lose, Remove, Undrain},
        HostState::{Active, Draining, Fenced, Lost, New, Removed},
        *,
    };

    const SILENT: Standing = Standing {
        state: Active,
        is_heard: false,
        has_told: false,
        placed: 0,
        held: 0,
        orphans: 0,
        has_stranger: false,
    };

    #[test]
    fn what_is_so_already_changes_nothing() {
        for (direction, state) in
            [(Drain, Draining), (Undrain, Active), (Lose, Lost), (Fence, Fenced), (Remove, Removed)]
        {
            let full = Standing { state, is_heard: true, placed: 1, held: 1, orphans: 1, ..SILENT };
            assert_eq!(directed(direction, &full), Ok(None), "{direction:?}");
        }
    }

    #[test]
    fn a_host_is_drained_and_lost_with_its_servers_and_removed_without() {
        let full = Standing { placed: 2, held: 1, ..SILENT };
        assert_eq!(directed(Drain, &full), Ok(Some(Draining)));
        assert_eq!(directed(Lose, &full), Ok(Some(Lost)));
        assert_eq!(directed(Lose, &Standing { state: Draining, ..full }), Ok(Some(Lost)));
        assert_eq!(directed(Remove, &full), Err(Refused::NotEmpty { placed: 2, held: 1, orphans: 0 }));
        assert!(directed(Remove, &Standing { orphans: 1, ..SILENT }).is_err(), "an orphan may be somebody's");
        assert_eq!(directed(Remove, &SILENT), Ok(Some(Removed)));
        assert_eq!(directed(Lose, &Standing { state: New, ..SILENT }), Err(Refused::NeverJoined));
    }

    #[test]
    fn addresses_are_freed_only_under_a_host_that_is_lost_silent_and_without_services() {
        let lost = Standing { state: Lost, held: 3, ..SILENT };
        assert_eq!(directed(Fence, &lost), Ok(Some(Fenced)));
        assert_eq!(directed(Fence, &Standing { is_heard: true, ..lost }), Err(Refused::StillHeard));
        assert_eq!(directed(Fence, &Standing { placed: 1, ..lost }), Err(Refused::Ending(1)));
        assert_eq!(directed(Fence, &SILENT), Err(Refused::NotLost(Active)));
    }

    #[test]
    fn alarms_are_what_an_operator_can_do_something_about() {
        let well = Standing { is_heard: true, has_told: true, placed: 3, ..SILENT };
        let table: [(&str, Standing, Option<Trouble>, &[&str]); 7] = [
            ("well", well, None, &[]),
            ("silent", SILENT, Some(Trouble::PoolFilling), &["silent"]),
            ("filling", well, Some(Trouble::PoolFilling), &["pool_filling"]),
            ("strangers", Standing { orphans: 2, ..well }, None, &["orphans"]),
            ("back", Standing { state: Lost, ..well }, None, &["came_back"]),
            ("cloned", Standing { has_stranger: true, ..well }, None, &["other_machine"]),
            ("a ghost", Standing { state: Fenced, ..well }, None, &["speaks_though_fenced"]),
        ];
        for (name, host, trouble, want) in table {
            assert_eq!(alarms(&host, trouble), want, "{name}");
        }
    }

    #[test]
    fn a_lost_host_serves_again_when_it_came_back_and_proved() {
        let back = Standing { state: Lost, is_heard: true, has_told: true, ..SILENT };
        assert_eq!(directed(Undrain, &back), Ok(Some(Active)));
        assert_eq!(directed(Undrain, &Standing { held: 1, ..back }), Err(Refused::NotProved(1)));
        assert_eq!(directed(Undrain, &Standing { has_told: false, ..back }), Err(Refused::NotBack));
        assert_eq!(directed(Undrain, &Standing { is_heard: false, ..back }), Err(Refused::NotBack));
        assert_eq!(directed(Undrain, &Standing { state: Fenced, ..back }), Err(Refused::IsFenced));
        assert_eq!(directed(Drain, &back), Err(Refused::NotInService(Lost)));
    }
}
