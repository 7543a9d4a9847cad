//! Which request is allowed in which state, and what it changes in the spec. One table for every way in: keys, links
//! and operators alike.

use csp_shared::{
    generation::{BootEpoch, StartEpoch},
    observed::DomainState,
    spec::{Power, ServerSpec},
};

use super::action::Command;

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
    /// Locked.
    Suspended,
    /// The order failed.
    Failed,
    /// Its host is silent, or cannot tell.
    Unknown,
}

impl Status {
    /// Every status.
    pub const ALL: [Self; 8] = [
        Self::Provisioning,
        Self::Online,
        Self::Offline,
        Self::Starting,
        Self::Stopping,
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
    /// Whether a lock is on it.
    pub locked: bool,
    /// What its owner wants.
    pub power: Power,
    /// What its host saw last.
    pub domain: DomainState,
    /// Whether the newest spec was brought about.
    pub settled: bool,
    /// Whether its host was heard of lately.
    pub host_heard: bool,
    /// The running action, if any.
    pub running: Option<Command>,
}

impl Standing {
    /// The status that a customer sees.
    #[must_use]
    pub fn status(&self) -> Status {
        match self.service {
            ServiceStatus::Provisioning => return Status::Provisioning,
            ServiceStatus::Failed | ServiceStatus::Destroyed => return Status::Failed,
            ServiceStatus::Suspended => return Status::Suspended,
            ServiceStatus::Active if self.locked => return Status::Suspended,
            ServiceStatus::Active => {}
        }
        if !self.host_heard {
            return Status::Unknown;
        }
        match (self.power, self.domain) {
            (_, DomainState::Unknown) => Status::Unknown,
            (Power::On, DomainState::Running) => Status::Online,
            // A spec that was reached and a guest that is off: it powered itself off, and that is its business.
            (Power::On, DomainState::Off | DomainState::Paused) if self.settled => Status::Offline,
            (Power::On, DomainState::Off | DomainState::Paused) => Status::Starting,
            (Power::Off | Power::ForcedOff, DomainState::Off) => Status::Offline,
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

/// Why a request is refused; all are 409.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum Refusal {
    /// Another action must end first.
    #[error("the server is busy with `{}`", .0.as_str())]
    Busy(Command),
    /// A lock is on it.
    #[error("the server is suspended")]
    Suspended,
    /// The order failed: there is nothing to power.
    #[error("the server's order failed; it can only be destroyed")]
    Failed,
    /// `restart` does not power on.
    #[error("the server is off; use start")]
    Off,
    /// There is no screen to see.
    #[error("the server is {}; its console opens when it is Online", .0.as_str())]
    NotOnline(Status),
}

/// Decides about a request.
///
/// # Errors
/// With the reason, when the state does not allow it.
pub fn decide(request: Request, standing: &Standing) -> Result<Change, Refusal> {
    if request == Request::Destroy {
        return Ok(Change::Remove);
    }
    is_in_service(standing)?;
    let wants_on = standing.power == Power::On;
    // Off by itself: the spec was reached once, and the guest is down nevertheless.
    let went_off = wants_on && standing.settled && standing.domain == DomainState::Off;
    match request {
        Request::Start if wants_on && !went_off => Ok(Change::Nothing),
        Request::Start => Ok(Change::PowerOn),
        Request::Stop { force } if wants_on && !went_off => Ok(Change::PowerOff(off(force))),
        // A stop that the guest ignores can be hardened.
        Request::Stop { force: true } if standing.power == Power::Off && standing.domain != DomainState::Off => {
            Ok(Change::PowerOff(Power::ForcedOff))
        }
        Request::Stop { .. } => Ok(Change::Nothing),
        Request::Restart if wants_on && !went_off => Ok(Change::Reboot),
        Request::Restart => Err(Refusal::Off),
        Request::Destroy => Ok(Change::Remove),
    }
}

/// Decides about a look at the screen: only what is seen running has one.
///
/// # Errors
/// With the reason, when there is nothing to see.
pub fn decide_console(standing: &Standing) -> Result<(), Refusal> {
    is_in_service(standing)?;
    match standing.status() {
        Status::Online => Ok(()),
        other => Err(Refusal::NotOnline(other)),
    }
}

/// What no request but a removal gets past.
fn is_in_service(standing: &Standing) -> Result<(), Refusal> {
    match standing.service {
        ServiceStatus::Provisioning => return Err(Refusal::Busy(Command::Create)),
        ServiceStatus::Failed | ServiceStatus::Destroyed => return Err(Refusal::Failed),
        ServiceStatus::Suspended => return Err(Refusal::Suspended),
        ServiceStatus::Active if standing.locked => return Err(Refusal::Suspended),
        ServiceStatus::Active => {}
    }
    match standing.running {
        Some(Command::Destroy) => Err(Refusal::Busy(Command::Destroy)),
        _ => Ok(()),
    }
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

    const ONLINE: Standing = Standing {
        service: ServiceStatus::Active,
        locked: false,
        power: Power::On,
        domain: DomainState::Running,
        settled: true,
        host_heard: true,
        running: None,
    };
    const STOP: Request = Request::Stop { force: false };
    const FORCE: Request = Request::Stop { force: true };

    #[test]
    fn each_request_in_each_state_has_its_answer() {
        use Change::{Nothing, PowerOff, PowerOn, Reboot};
        let starting = Standing { domain: DomainState::Off, settled: false, ..ONLINE };
        let self_off = Standing { domain: DomainState::Off, ..ONLINE };
        let stopping = Standing { power: Power::Off, settled: false, ..ONLINE };
        let offline = Standing { power: Power::Off, domain: DomainState::Off, ..ONLINE };
        let provisioning = Standing { service: ServiceStatus::Provisioning, settled: false, ..ONLINE };
        let failed = Standing { service: ServiceStatus::Failed, ..ONLINE };
        let suspended = Standing { service: ServiceStatus::Suspended, ..ONLINE };
        let locked = Standing { locked: true, ..ONLINE };
        let (soft, hard) = (Ok(PowerOff(Power::Off)), Ok(PowerOff(Power::ForcedOff)));
        let busy = Err(Refusal::Busy(Command::Create));
        let (off, sus, fail) = (Err(Refusal::Off), Err(Refusal::Suspended), Err(Refusal::Failed));
        //            state                start         stop          stop, force   restart
        let table = [
            ("online", ONLINE, Ok(Nothing), soft, hard, Ok(Reboot)),
            ("starting", starting, Ok(Nothing), soft, hard, Ok(Reboot)),
            ("powered itself off", self_off, Ok(PowerOn), Ok(Nothing), Ok(Nothing), off),
            ("stopping", stopping, Ok(PowerOn), Ok(Nothing), hard, off),
            ("offline", offline, Ok(PowerOn), Ok(Nothing), Ok(Nothing), off),
            ("provisioning", provisioning, busy, busy, busy, busy),
            ("failed", failed, fail, fail, fail, fail),
            ("suspended", suspended, sus, sus, sus, sus),
            ("locked", locked, sus, sus, sus, sus),
        ];
        for (name, standing, start, stop, force, restart) in table {
            assert_eq!(decide(Request::Start, &standing), start, "start, {name}");
            assert_eq!(decide(STOP, &standing), stop, "stop, {name}");
            assert_eq!(decide(FORCE, &standing), force, "forced stop, {name}");
            assert_eq!(decide(Request::Restart, &standing), restart, "restart, {name}");
            assert_eq!(decide(Request::Destroy, &standing), Ok(Change::Remove), "destroy, {name}");
        }
    }

    #[test]
    fn only_a_server_that_is_seen_running_has_a_console() {
        assert_eq!(decide_console(&ONLINE), Ok(()));
        let rebooting = Standing { running: Some(Command::Restart), settled: false, ..ONLINE };
        assert_eq!(decide_console(&rebooting), Ok(()), "a boot is what people want to see");
        let closed = [
            (Standing { service: ServiceStatus::Provisioning, ..ONLINE }, Refusal::Busy(Command::Create)),
            (Standing { service: ServiceStatus::Failed, ..ONLINE }, Refusal::Failed),
            (Standing { locked: true, ..ONLINE }, Refusal::Suspended),
            (Standing { running: Some(Command::Destroy), ..ONLINE }, Refusal::Busy(Command::Destroy)),
            (Standing { host_heard: false, ..ONLINE }, Refusal::NotOnline(Status::Unknown)),
            (Standing { domain: DomainState::Off, ..ONLINE }, Refusal::NotOnline(Status::Offline)),
            (Standing { domain: DomainState::Off, settled: false, ..ONLINE }, Refusal::NotOnline(Status::Starting)),
            (Standing { power: Power::Off, ..ONLINE }, Refusal::NotOnline(Status::Stopping)),
        ];
        for (standing, refusal) in closed {
            assert_eq!(decide_console(&standing), Err(refusal), "{standing:?}");
        }
    }

    #[test]
    fn the_status_is_what_was_seen() {
        let table = [
            (ONLINE, Status::Online),
            (Standing { domain: DomainState::Off, ..ONLINE }, Status::Offline),
            (Standing { domain: DomainState::Off, settled: false, ..ONLINE }, Status::Starting),
            (Standing { power: Power::Off, settled: false, ..ONLINE }, Status::Stopping),
            (Standing { power: Power::Off, domain: DomainState::Off, ..ONLINE }, Status::Offline),
            (Standing { host_heard: false, ..ONLINE }, Status::Unknown),
            (Standing { domain: DomainState::Unknown, ..ONLINE }, Status::Unknown),
            (Standing { locked: true, ..ONLINE }, Status::Suspended),
            (Standing { service: ServiceStatus::Provisioning, host_heard: false, ..ONLINE }, Status::Provisioning),
            (Standing { service: ServiceStatus::Failed, ..ONLINE }, Status::Failed),
        ];
        for (standing, status) in table {
            assert_eq!(standing.status(), status, "{standing:?}");
        }
    }
}
