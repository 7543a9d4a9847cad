//! Which request is allowed in which state: one table for every way in, for keys, links and operators alike.
//!
//! A row is a [`Situation`], made from what is stored and what was seen; a column is an [`Ask`]. A new request is one more
//! column, and the compiler asks for its cell in every row. What an allowed request then does stands in `server`.

use std::fmt;

use csp_shared::observed::DomainState;

use super::{
    action::Command,
    billing::lock::{Lock, LockSet},
    server::{ServiceStatus, Standing},
};

/// What can be asked of a server that exists: the table's columns.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Ask {
    /// Power on.
    Start,
    /// Power off.
    Stop,
    /// Power off and on.
    Restart,
    /// Look at the screen.
    Console,
    /// Pay for more time.
    Extend,
    /// Make its disk anew.
    Reinstall,
    /// Give it another package.
    ChangePackage,
    /// Put it into a private network.
    AttachNetwork,
    /// Take it out of one.
    DetachNetwork,
    /// Give it one more public address, a new one or another server's.
    AddExtraIp,
    /// Take one away.
    RemoveExtraIp,
    /// Give one of its own to another server.
    MoveExtraIp,
    /// Change what only the control plane keeps: name, labels, renewal, protection.
    Update,
    /// Remove for good.
    Destroy,
}

impl Ask {
    /// Every request, in the order of the table's columns.
    pub const ALL: [Self; 14] = [
        Self::Start,
        Self::Stop,
        Self::Restart,
        Self::Console,
        Self::Extend,
        Self::Reinstall,
        Self::ChangePackage,
        Self::AttachNetwork,
        Self::DetachNetwork,
        Self::AddExtraIp,
        Self::RemoveExtraIp,
        Self::MoveExtraIp,
        Self::Update,
        Self::Destroy,
    ];

    /// As it is called in a refusal's `allowed`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Console => "console",
            Self::Extend => "extend",
            Self::Reinstall => "reinstall",
            Self::ChangePackage => "change_package",
            Self::AttachNetwork => "attach_network",
            Self::DetachNetwork => "detach_network",
            Self::AddExtraIp => "add_extra_ip",
            Self::RemoveExtraIp => "remove_extra_ip",
            Self::MoveExtraIp => "move_extra_ip",
            Self::Update => "update",
            Self::Destroy => "destroy",
        }
    }
}

/// Where a server stands, as far as requests are concerned: the table's rows.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Situation {
    /// An action runs that nothing may disturb: the order itself, a reinstall, a change of package.
    Busy,
    /// Seen running.
    Up,
    /// Wanted on, and not there yet.
    ComingUp,
    /// Wanted off, and not there yet.
    GoingDown,
    /// Seen off: as wanted, or by itself.
    Down,
    /// Its host is silent or cannot tell; it was wanted on.
    UnseenUp,
    /// Its host is silent or cannot tell; it was wanted off, or had gone off.
    UnseenDown,
    /// A lock is on it: unpaid, or for the operator's own reasons.
    Suspended,
    /// It is locked as an abuse, whatever else it is locked for.
    Abuse,
    /// Its order failed.
    Failed,
    /// Removed, or being removed.
    Gone,
}

impl Situation {
    /// The situation of a server.
    #[must_use]
    pub fn of(standing: &Standing) -> Self {
        match standing.service {
            ServiceStatus::Destroyed => return Self::Gone,
            ServiceStatus::Failed => return Self::Failed,
            ServiceStatus::Provisioning => return Self::Busy,
            ServiceStatus::Active | ServiceStatus::Suspended => {}
        }
        if standing.locks.has(Lock::Abuse) {
            return Self::Abuse;
        }
        if standing.service == ServiceStatus::Suspended || !standing.locks.is_empty() {
            return Self::Suspended;
        }
        match standing.running.map(|running| running.command) {
            Some(Command::Destroy) => return Self::Gone,
            Some(Command::Create | Command::Reinstall | Command::ChangePackage) => return Self::Busy,
            // What is plugged in or out stands in nobody's way.
            Some(
                Command::Start
                | Command::Stop
                | Command::Restart
                | Command::AddExtraIp
                | Command::RemoveExtraIp
                | Command::MoveExtraIp
                | Command::AttachNetwork
                | Command::DetachNetwork,
            )
            | None => {}
        }
        let is_seen = standing.host_heard && standing.domain != DomainState::Unknown;
        match (is_seen, standing.is_up(), standing.domain) {
            (false, true, _) => Self::UnseenUp,
            (false, false, _) => Self::UnseenDown,
            (true, true, DomainState::Running) => Self::Up,
            (true, true, _) => Self::ComingUp,
            (true, false, DomainState::Off) => Self::Down,
            (true, false, _) => Self::GoingDown,
        }
    }
}

/// A cell of the table.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
enum Cell {
    /// Allowed.
    Yes,
    /// Allowed, unless its owner protected it.
    Guarded,
    /// Refused.
    No(Why),
}

/// Why a request is refused; all are 409.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Why {
    /// An action must end first.
    Busy,
    /// A lock is on it.
    Suspended,
    /// It is locked as an abuse: nothing of it is deleted, so that what happened can be looked into.
    Abuse,
    /// The order failed: there is nothing to power.
    Failed,
    /// `restart` does not power on, so that who may only restart cannot.
    Off,
    /// There is no screen to see.
    NotOnline,
    /// Its host is silent or cannot tell, so nobody knows what it has room for.
    Unseen,
    /// Its owner protected it from this.
    Protected(Ask),
    /// It is being removed.
    Gone,
}

/// The table.
#[rustfmt::skip]
fn row(situation: Situation) -> [(Ask, Cell); 14] {
    use Cell::{Guarded, No, Yes};
    use Why::{Abuse, Busy, Failed, Gone, NotOnline, Off, Suspended, Unseen};
    let [start, stop, restart, console, extend, reinstall, package, attach, detach, add_ip, remove_ip, move_ip, update, destroy] = match situation {
        //                       start          stop           restart        console        extend         reinstall      package        attach         detach         add IP         remove IP      move IP        update    destroy
        Situation::Busy       => [No(Busy),      No(Busy),      No(Busy),      No(Busy),      No(Busy),      No(Busy),      No(Busy),      No(Busy),      No(Busy),      No(Busy),      No(Busy),      No(Busy),      Yes,      Guarded],
        Situation::Up         => [Yes,           Yes,           Yes,           Yes,           Yes,           Guarded,       Yes,           Yes,           Yes,           Yes,           Yes,           Yes,           Yes,      Guarded],
        Situation::ComingUp   => [Yes,           Yes,           Yes,           No(NotOnline), Yes,           Guarded,       Yes,           Yes,           Yes,           Yes,           Yes,           Yes,           Yes,      Guarded],
        Situation::GoingDown  => [Yes,           Yes,           No(Off),       No(NotOnline), Yes,           Guarded,       Yes,           Yes,           Yes,           Yes,           Yes,           Yes,           Yes,      Guarded],
        Situation::Down       => [Yes,           Yes,           No(Off),       No(NotOnline), Yes,           Guarded,       Yes,           Yes,           Yes,           Yes,           Yes,           Yes,           Yes,      Guarded],
        Situation::UnseenUp   => [Yes,           Yes,           Yes,           No(NotOnline), Yes,           Guarded,       No(Unseen),    Yes,           Yes,           Yes,           Yes,           Yes,           Yes,      Guarded],
        Situation::UnseenDown => [Yes,           Yes,           No(Off),       No(NotOnline), Yes,           Guarded,       No(Unseen),    Yes,           Yes,           Yes,           Yes,           Yes,           Yes,      Guarded],
        Situation::Suspended  => [No(Suspended), No(Suspended), No(Suspended), No(Suspended), Yes,           No(Suspended), No(Suspended), No(Suspended), No(Suspended), No(Suspended), Yes,           No(Suspended), Yes,      Guarded],
        Situation::Abuse      => [No(Suspended), No(Suspended), No(Suspended), No(Suspended), Yes,           No(Suspended), No(Suspended), No(Suspended), No(Suspended), No(Suspended), No(Abuse),     No(Suspended), Yes,      No(Abuse)],
        Situation::Failed     => [No(Failed),    No(Failed),    No(Failed),    No(Failed),    No(Failed),    No(Failed),    No(Failed),    No(Failed),    No(Failed),    No(Failed),    No(Failed),    No(Failed),    Yes,      Guarded],
        Situation::Gone       => [No(Gone),      No(Gone),      No(Gone),      No(Gone),      No(Gone),      No(Gone),      No(Gone),      No(Gone),      No(Gone),      No(Gone),      No(Gone),      No(Gone),      No(Gone), No(Gone)],
    };
    [
        (Ask::Start, start), (Ask::Stop, stop), (Ask::Restart, restart), (Ask::Console, console), (Ask::Extend, extend),
        (Ask::Reinstall, reinstall), (Ask::ChangePackage, package), (Ask::AttachNetwork, attach),
        (Ask::DetachNetwork, detach), (Ask::AddExtraIp, add_ip), (Ask::RemoveExtraIp, remove_ip),
        (Ask::MoveExtraIp, move_ip), (Ask::Update, update), (Ask::Destroy, destroy),
    ]
}

/// A request that the state does not allow, and all that its sender can be told about it.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Denied {
    /// What was asked.
    pub asked: Ask,
    /// Why.
    pub why: Why,
    /// What decided.
    pub standing: Standing,
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.why {
            Why::Busy => {
                // A service that provisions has its order running; what is told never rests on that.
                let command = self.standing.running.map_or(Command::Create, |running| running.command);
                write!(f, "the server is busy with `{}`", command.as_str())
            }
            Why::Suspended => f.write_str(suspended(self.standing.locks)),
            Why::Abuse => f.write_str("the server is locked while an abuse is looked into; ask your provider"),
            Why::Failed => f.write_str("the server's order failed and was refunded; destroy it and order again"),
            Why::Off => f.write_str("a restart switches nothing on, and the server is off or is to be; use start"),
            Why::NotOnline => {
                write!(f, "the server is {}; this needs it to be Online", self.standing.status().as_str())
            }
            Why::Unseen => f.write_str("the server's host is not heard of; its package is changed when it is"),
            Why::Protected(Ask::Reinstall) if self.asked == Ask::ChangePackage => f.write_str(
                "the server is protected from being erased, and the package has a smaller disk; lift that first, or take a \
                 package that keeps the disk",
            ),
            Why::Protected(Ask::Reinstall) => {
                f.write_str("the server is protected from being reinstalled and erased; lift that first")
            }
            Why::Protected(_) => f.write_str("the server is protected from being destroyed; lift that first"),
            Why::Gone => f.write_str("the server is being removed"),
        }
    }
}

impl std::error::Error for Denied {}

/// Why a server is suspended, and what its owner can do. What its owner cannot lift is told first.
fn suspended(locks: LockSet) -> &'static str {
    if locks.has(Lock::Abuse) {
        "the server is suspended while an abuse is looked into; ask your provider"
    } else if locks.has(Lock::Operator) {
        "the server is suspended by your provider; ask why, and what lifts it"
    } else {
        "the server is suspended because its paid time is over; extend it, or top up your balance and leave automatic \
         renewal on"
    }
}

/// Whether a server's state allows a request.
///
/// # Errors
/// With the reason, when it does not.
pub fn allow(ask: Ask, standing: &Standing) -> Result<(), Denied> {
    let cell = row(Situation::of(standing)).into_iter().find_map(|(column, cell)| (column == ask).then_some(cell));
    let why = match cell {
        Some(Cell::Yes) => return Ok(()),
        Some(Cell::Guarded) if !is_guarded(ask, standing) => return Ok(()),
        Some(Cell::Guarded) => Why::Protected(ask),
        Some(Cell::No(why)) => why,
        // Every column stands in every row; a request that did not would be nobody's right.
        None => Why::Gone,
    };
    Err(Denied { asked: ask, why, standing: *standing })
}

/// Whether a server's state allows another package that makes its disk anew: for the disk it is a reinstall.
///
/// # Errors
/// With the reason, when it does not.
pub fn allow_erasing_change(standing: &Standing) -> Result<(), Denied> {
    allow(Ask::ChangePackage, standing)?;
    allow(Ask::Reinstall, standing).map_err(|denied| Denied { asked: Ask::ChangePackage, ..denied })
}

fn is_guarded(ask: Ask, standing: &Standing) -> bool {
    if ask == Ask::Reinstall { standing.protect_reinstall } else { standing.protect_destroy }
}

impl Denied {
    /// What would be allowed instead. What was asked is not among it, also where the like of it is: another package is
    /// allowed on a protected disk as long as the disk is kept.
    #[must_use]
    pub fn allowed(&self) -> Vec<Ask> {
        allowed(&self.standing).into_iter().filter(|ask| *ask != self.asked).collect()
    }
}

/// All that a server's state allows.
#[must_use]
pub fn allowed(standing: &Standing) -> Vec<Ask> {
    Ask::ALL.into_iter().filter(|ask| allow(*ask, standing).is_ok()).collect()
}

#[cfg(test)]
mod tests;
