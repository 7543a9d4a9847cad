//! Where a server stands, what is seen of it, and what a request changes in its spec. Which request is allowed when is the
//! table in `allowed`.

use csp_shared::{
    generation::{BootEpoch, StartEpoch},
    id::ActionId,
    observed::DomainState,
    spec::{Power, ServerSpec},
};

use super::{
    action::Command,
    allowed::{Ask, Denied, allow},
    billing::lock::LockSet,
};

/// Where a service stands.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum ServiceStatus {
    /// Ordered and paid, not yet seen running.
    Provisioning,
    /// Was seen running; its first period has begun.
    Active,
    /// Locked, its data kept.
    Suspended,
    /// The order could not be fulfilled; the money is back.
    Failed,
    /// Gone, or on its way: not shown to its owner any more.
    Destroyed,
}

impl ServiceStatus {
    /// Every status; the store's check constraint lists the same.
    pub const ALL: [Self; 5] = [Self::Provisioning, Self::Active, Self::Suspended, Self::Failed, Self::Destroyed];

    /// Those that a customer can see: a destroyed server is shown to nobody.
    pub const SHOWN: [Self; 4] = [Self::Provisioning, Self::Active, Self::Suspended, Self::Failed];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "provisioning",
            Self::Active => "active",
            Self::Suspended => "suspended",
            Self::Failed => "failed",
            Self::Destroyed => "destroyed",
        }
    }

    /// Reads what [`ServiceStatus::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.as_str() == text)
    }
}

/// What a customer sees: from observation, never from wishes alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Status {
    /// The order is on its way.
    Provisioning,
    /// The domain was seen running.
    Online,
    /// The domain was seen off.
    Offline,
    /// On its way up.
    Starting,
    /// On its way down.
    Stopping,
    /// Its disk is made anew.
    Reinstalling,
    /// It is given another package.
    Changing,
    /// Locked.
    Suspended,
    /// The order failed.
    Failed,
    /// Its host is silent, or cannot tell.
    Unknown,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 10] = [
        Self::Provisioning,
        Self::Online,
        Self::Offline,
        Self::Starting,
        Self::Stopping,
        Self::Reinstalling,
        Self::Changing,
        Self::Suspended,
        Self::Failed,
        Self::Unknown,
    ];

    /// As the contract spells it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Provisioning => "Provisioning",
            Self::Online => "Online",
            Self::Offline => "Offline",
            Self::Starting => "Starting",
            Self::Stopping => "Stopping",
            Self::Reinstalling => "Reinstalling",
            Self::Changing => "Changing",
            Self::Suspended => "Suspended",
            Self::Failed => "Failed",
            Self::Unknown => "Unknown",
        }
    }
}

/// All that decides about requests and status.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Standing {
    /// Of the service.
    pub service: ServiceStatus,
    /// Why it is locked.
    pub locks: LockSet,
    /// Whether its owner protected it from being destroyed.
    pub protect_destroy: bool,
    /// Whether its owner protected its disk from being made anew.
    pub protect_reinstall: bool,
    /// What its owner wants.
    pub power: Power,
    /// What its host saw last.
    pub domain: DomainState,
    /// Whether the newest spec was brought about.
    pub settled: bool,
    /// Whether its host has given the newest spec up, until there is a newer one.
    pub stuck: bool,
    /// Whether something stands in its way, as its host tells.
    pub faulty: bool,
    /// Whether its host was heard of lately.
    pub host_heard: bool,
    /// The running action, if any.
    pub running: Option<Running>,
}

/// An action that has not ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Running {
    /// Its id.
    pub action: ActionId,
    /// What was asked.
    pub command: Command,
}

impl Standing {
    /// A server that runs as it should, and nothing stands in the way of any request: what others are told apart from.
    pub const ONLINE: Self = Self {
        service: ServiceStatus::Active,
        locks: LockSet::NONE,
        protect_destroy: false,
        protect_reinstall: false,
        power: Power::On,
        domain: DomainState::Running,
        settled: true,
        stuck: false,
        faulty: false,
        host_heard: true,
        running: None,
    };

    /// Whether the guest is down though it is wanted on, and nobody brings it up: it went off by itself after the spec was
    /// reached, or its host could not start it and tries no more.
    #[must_use]
    pub fn stays_down(&self) -> bool {
        let is_down = match self.domain {
            DomainState::Off => self.settled || self.stuck,
            DomainState::Paused => self.stuck,
            DomainState::Running | DomainState::Unknown => false,
        };
        self.power == Power::On && is_down
    }

    /// Whether it is wanted on, and is or will be.
    #[must_use]
    pub fn is_up(&self) -> bool {
        self.power == Power::On && !self.stays_down()
    }

    /// The status that a customer sees.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.service {
            ServiceStatus::Provisioning => return Status::Provisioning,
            ServiceStatus::Failed | ServiceStatus::Destroyed => return Status::Failed,
            ServiceStatus::Suspended => return Status::Suspended,
            ServiceStatus::Active if !self.locks.is_empty() => return Status::Suspended,
            ServiceStatus::Active => {}
        }
        if !self.host_heard || self.domain == DomainState::Unknown {
            return Status::Unknown;
        }
        match self.running.map(|running| running.command) {
            Some(Command::Reinstall) => return Status::Reinstalling,
            Some(Command::ChangePackage) => return Status::Changing,
            _ => {}
        }
        match (self.power, self.domain) {
            (_, DomainState::Unknown) => Status::Unknown,
            (Power::On, DomainState::Running) => Status::Online,
            // Nobody is starting it: it powered itself off, which is its business, or its host gave up.
            (Power::On, DomainState::Off | DomainState::Paused) if self.settled || self.stuck => Status::Offline,
            (Power::On, DomainState::Off | DomainState::Paused) => Status::Starting,
            (Power::Off | Power::ForcedOff, DomainState::Off) => Status::Offline,
            // Nor is anybody stopping it.
            (Power::Off | Power::ForcedOff, DomainState::Running) if self.stuck => Status::Online,
            (Power::Off | Power::ForcedOff, DomainState::Running | DomainState::Paused) => Status::Stopping,
        }
    }
}

/// What an owner can ask of a server that exists.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Request {
    /// Power on.
    Start,
    /// Power off; `force` pulls the plug.
    Stop {
        /// Without asking the guest.
        force: bool,
    },
    /// Power off and on.
    Restart,
    /// Remove for good.
    Destroy,
}

impl Request {
    /// Its column in the table of what is allowed.
    #[must_use]
    pub fn ask(self) -> Ask {
        match self {
            Self::Start => Ask::Start,
            Self::Stop { .. } => Ask::Stop,
            Self::Restart => Ask::Restart,
            Self::Destroy => Ask::Destroy,
        }
    }

    /// The action that records it.
    #[must_use]
    pub fn command(self) -> Command {
        match self {
            Self::Start => Command::Start,
            Self::Stop { .. } => Command::Stop,
            Self::Restart => Command::Restart,
            Self::Destroy => Command::Destroy,
        }
    }
}

/// What an allowed request does.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a change that is not stored changes nothing"]
pub enum Change {
    /// It is so already.
    Nothing,
    /// Power on, and come back even if the guest had powered itself off.
    PowerOn,
    /// Power off.
    PowerOff(Power),
    /// Off and on.
    Reboot,
    /// A tombstone.
    Remove,
}

/// Decides about a request: the table of `allowed` says whether, this says what it does.
///
/// # Errors
/// With the reason, when the state does not allow it.
pub fn decide(request: Request, standing: &Standing) -> Result<Change, Denied> {
    allow(request.ask(), standing)?;
    let is_up = standing.is_up();
    Ok(match request {
        Request::Start if is_up => Change::Nothing,
        Request::Start => Change::PowerOn,
        Request::Stop { force } if is_up => Change::PowerOff(off(force)),
        // A fault keeps it down for now, and what is wished would start it once that is mended. One that powered itself off
        // stays off as it is.
        Request::Stop { force } if standing.power == Power::On && (!standing.settled || standing.faulty) => {
            Change::PowerOff(off(force))
        }
        // A stop that the guest ignores can be hardened.
        Request::Stop { force: true } if standing.power == Power::Off && standing.domain != DomainState::Off => {
            Change::PowerOff(Power::ForcedOff)
        }
        // One that its host gave up is asked for again, as hard as before.
        Request::Stop { .. } if standing.stuck && standing.domain != DomainState::Off => {
            Change::PowerOff(standing.power)
        }
        Request::Stop { .. } => Change::Nothing,
        Request::Restart => Change::Reboot,
        Request::Destroy => Change::Remove,
    })
}

fn off(force: bool) -> Power {
    if force { Power::ForcedOff } else { Power::Off }
}

/// The spec after a change; its version is the caller's to raise.
#[must_use]
pub fn changed(mut spec: ServerSpec, change: Change) -> ServerSpec {
    match change {
        Change::Nothing | Change::Remove => {}
        Change::PowerOn => {
            spec.power = Power::On;
            spec.start_epoch = StartEpoch::next(spec.start_epoch);
        }
        Change::PowerOff(power) => spec.power = power,
        Change::Reboot => spec.boot_epoch = BootEpoch::next(spec.boot_epoch),
    }
    spec
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::billing::lock::Lock;

    const ONLINE: Standing = Standing::ONLINE;
    const STOP: Request = Request::Stop { force: false };
    const FORCE: Request = Request::Stop { force: true };

    #[test]
    fn each_allowed_request_has_its_change() {
        use Change::{Nothing, PowerOff, PowerOn, Reboot};
        let starting = Standing { domain: DomainState::Off, settled: false, ..ONLINE };
        let self_off = Standing { domain: DomainState::Off, ..ONLINE };
        let stopping = Standing { power: Power::Off, settled: false, ..ONLINE };
        let offline = Standing { power: Power::Off, domain: DomainState::Off, ..ONLINE };
        let given_up = Standing { stuck: true, ..starting };
        let brought_down = Standing { faulty: true, ..self_off };
        let not_stopped = Standing { stuck: true, ..stopping };
        let (soft, hard) = (PowerOff(Power::Off), PowerOff(Power::ForcedOff));
        //            state                start     stop     stop, force   restart
        let table = [
            ("online", ONLINE, Nothing, soft, hard, Some(Reboot)),
            ("starting", starting, Nothing, soft, hard, Some(Reboot)),
            ("powered itself off", self_off, PowerOn, Nothing, Nothing, None),
            ("stopping", stopping, PowerOn, Nothing, hard, None),
            ("offline", offline, PowerOn, Nothing, Nothing, None),
            ("its start was given up", given_up, PowerOn, soft, hard, None),
            ("a fault brought it down", brought_down, PowerOn, soft, hard, None),
            ("its stop was given up", not_stopped, PowerOn, soft, hard, None),
        ];
        for (name, standing, start, stop, force, restart) in table {
            assert_eq!(decide(Request::Start, &standing), Ok(start), "start, {name}");
            assert_eq!(decide(STOP, &standing), Ok(stop), "stop, {name}");
            assert_eq!(decide(FORCE, &standing), Ok(force), "forced stop, {name}");
            assert_eq!(decide(Request::Restart, &standing).ok(), restart, "restart, {name}");
            assert_eq!(decide(Request::Destroy, &standing), Ok(Change::Remove), "destroy, {name}");
        }
    }

    #[test]
    fn the_status_is_what_was_seen() {
        let table = [
            (ONLINE, Status::Online),
            (Standing { domain: DomainState::Off, ..ONLINE }, Status::Offline),
            (Standing { domain: DomainState::Off, settled: false, ..ONLINE }, Status::Starting),
            (Standing { domain: DomainState::Off, settled: false, stuck: true, ..ONLINE }, Status::Offline),
            (Standing { power: Power::Off, settled: false, ..ONLINE }, Status::Stopping),
            (Standing { power: Power::Off, settled: false, stuck: true, ..ONLINE }, Status::Online),
            (Standing { power: Power::Off, domain: DomainState::Off, ..ONLINE }, Status::Offline),
            (Standing { host_heard: false, ..ONLINE }, Status::Unknown),
            (Standing { domain: DomainState::Unknown, ..ONLINE }, Status::Unknown),
            (Standing { locks: LockSet::of(&[Lock::Operator]), ..ONLINE }, Status::Suspended),
            (Standing { service: ServiceStatus::Provisioning, host_heard: false, ..ONLINE }, Status::Provisioning),
            (Standing { service: ServiceStatus::Failed, ..ONLINE }, Status::Failed),
        ];
        for (standing, status) in table {
            assert_eq!(standing.status(), status, "{standing:?}");
        }
    }
}
