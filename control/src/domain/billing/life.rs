//! What a service's paid time leads to: reminders, renewal, suspension, deletion (BILLING 7, 8, 13 and 15).
//!
//! [`next`] names one step. The scheduler takes it in a transaction of its own and asks again, so a restart between two
//! steps changes nothing, and after a long time down everything happens in its order: nobody is deleted in the same
//! minute in which they were suspended.

use super::lock::{Lock, Locks};
use crate::domain::{
    money::Cents,
    time::{DAY, Time},
};

/// Grace is always shorter, so that the month which was not paid covers it (BILLING 6).
pub const GRACE_DAYS_MAX: u32 = 27;

/// What the owner of a service is told about the end of its paid time.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Reminder {
    /// It ends in at most seven days.
    Before7,
    /// In at most three.
    Before3,
    /// In at most one.
    Before1,
    /// It is over: the server is suspended, and when it will be deleted.
    Suspended,
    /// It will be deleted in at most three days.
    Grace3,
    /// In one day.
    Grace1,
}

impl Reminder {
    /// Every kind; the store's check constraint lists the same.
    pub const ALL: [Self; 6] =
        [Self::Before7, Self::Before3, Self::Before1, Self::Suspended, Self::Grace3, Self::Grace1];
    /// Before the end, the most pressing one first.
    const BEFORE: [Self; 3] = [Self::Before1, Self::Before3, Self::Before7];
    /// Before the deletion, the most pressing one first.
    const GRACE: [Self; 2] = [Self::Grace1, Self::Grace3];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Before7 => "before_7",
            Self::Before3 => "before_3",
            Self::Before1 => "before_1",
            Self::Suspended => "suspended",
            Self::Grace3 => "grace_3",
            Self::Grace1 => "grace_1",
        }
    }

    /// Reads what [`Reminder::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// How long before what it warns of, in seconds.
    fn lead(self) -> i64 {
        match self {
            Self::Before7 => 7 * DAY,
            Self::Before3 | Self::Grace3 => 3 * DAY,
            Self::Before1 | Self::Grace1 => DAY,
            Self::Suspended => 0,
        }
    }
}

/// What a reminder says.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Reminding {
    /// Which.
    pub kind: Reminder,
    /// The end of paid time that it is about.
    pub paid_until: Time,
    /// When the server will be deleted at the earliest; only once it is suspended.
    pub delete_at: Option<Time>,
    /// What its next period costs.
    pub amount: Cents,
}

/// A reminder that was written.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Told {
    /// Which.
    pub kind: Reminder,
    /// Since when it counts: without mail at once, with mail when a server took it.
    pub at: Option<Time>,
}

/// A service, as far as its paid time is concerned.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Life {
    /// Until when it is paid.
    pub paid_until: Time,
    /// Why it is locked.
    pub locks: Locks,
    /// Whether its owner wants it renewed.
    pub auto_renew: bool,
    /// Whether the wallet can pay its next period now.
    pub affordable: bool,
    /// Whether the wallet will be able to, after what falls due before it.
    pub foreseen: bool,
    /// Reminders of this end of paid time.
    pub told: Vec<Told>,
    /// While it stands still unpaid: when the month that would be paid next has gone by whole, and another one, at its own
    /// price, comes in its place.
    pub month_ends: Option<Time>,
}

/// What is to be done for a service.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
#[must_use = "a step that is not taken changes nothing"]
pub enum Step {
    /// Nothing before this moment; nothing at all until something else happens to it.
    Wait(Option<Time>),
    /// Tell its owner.
    Remind(Reminder),
    /// Pay its next period.
    Renew,
    /// Lock it as unpaid, and tell its owner.
    Suspend,
    /// Unlock it: by the clock of today it is paid.
    Lift,
    /// Remove it for good.
    Delete,
}

impl Life {
    /// Whether its paid time is over, whether or not a scheduler ran (BILLING 8).
    #[must_use]
    pub fn is_expired(&self, now: Time) -> bool {
        now >= self.paid_until
    }

    /// Whether a renewal may happen by itself.
    #[must_use]
    pub fn may_renew(&self) -> bool {
        self.auto_renew && self.affordable && !self.locks.has(Lock::Abuse)
    }

    fn told(&self, kind: Reminder) -> Option<&Told> {
        self.told.iter().find(|told| told.kind == kind)
    }

    /// The most pressing of `kinds` that is due before `end`, unless it or a more pressing one was written.
    fn due(&self, kinds: &[Reminder], end: Time, now: Time) -> Option<Reminder> {
        let at = kinds.iter().position(|kind| now >= end.plus(-kind.lead()))?;
        let written = kinds.iter().take(at + 1).any(|kind| self.told(*kind).is_some());
        kinds.get(at).copied().filter(|_| !written)
    }
}

/// What is to be done for a service now. `grace` is how long, in seconds, a suspended service is kept.
pub fn next(life: &Life, grace: i64, now: Time) -> Step {
    if life.locks.has(Lock::Abuse) {
        return Step::Wait(None);
    }
    match step(life, grace, now) {
        // The wallet may hold what the next month costs, though it did not hold this one's price.
        Step::Wait(until) => Step::Wait(until.into_iter().chain(life.month_ends).min()),
        step => step,
    }
}

fn step(life: &Life, grace: i64, now: Time) -> Step {
    if !life.is_expired(now) {
        return before_the_end(life, now);
    }
    if life.may_renew() {
        return Step::Renew;
    }
    match life.locks.since(Lock::Unpaid) {
        None => Step::Suspend,
        Some(since) => in_grace(life, since, grace, now),
    }
}

fn before_the_end(life: &Life, now: Time) -> Step {
    // Whoever pays is unlocked with it; this one was locked by a clock that was ahead.
    if life.locks.has(Lock::Unpaid) {
        return Step::Lift;
    }
    let renews = life.auto_renew && life.foreseen;
    match life.due(&Reminder::BEFORE, life.paid_until, now).filter(|_| !renews) {
        Some(kind) => Step::Remind(kind),
        None => Step::Wait(next_of(&Reminder::BEFORE, life.paid_until, now).or(Some(life.paid_until))),
    }
}

/// The grace time runs from the suspension, not from the expiry: who was suspended late is not deleted early.
fn in_grace(life: &Life, since: Time, grace: i64, now: Time) -> Step {
    let delete_at = since.plus(grace);
    if life.told(Reminder::Suspended).is_none() {
        return Step::Remind(Reminder::Suspended);
    }
    // Warnings that fit between the suspension and the deletion.
    let kinds: Vec<Reminder> = Reminder::GRACE.into_iter().filter(|kind| kind.lead() < grace).collect();
    if let Some(kind) = life.due(&kinds, delete_at, now) {
        return Step::Remind(kind);
    }
    if now < delete_at {
        return Step::Wait(next_of(&kinds, delete_at, now).or(Some(delete_at)));
    }
    // The last warning must have reached its owner a day ago, and the suspension, too.
    let last = kinds.first().copied().unwrap_or(Reminder::Suspended);
    let reached = |kind: Reminder| life.told(kind).and_then(|told| told.at);
    match (reached(Reminder::Suspended), reached(last)) {
        _ if life.locks.has(Lock::Operator) => Step::Wait(None),
        (Some(_), Some(at)) if now >= at.plus(DAY) => Step::Delete,
        (Some(_), Some(at)) => Step::Wait(Some(at.plus(DAY))),
        // Not told, not deleted. Whoever is told of the mail's acceptance looks here again.
        _ => Step::Wait(None),
    }
}

/// When the next of these reminders is due.
fn next_of(kinds: &[Reminder], end: Time, now: Time) -> Option<Time> {
    kinds.iter().map(|kind| end.plus(-kind.lead())).filter(|at| *at > now).min()
}

#[cfg(test)]
mod tests;
