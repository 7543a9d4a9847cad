//! Why a server is locked: a set of reasons, each lifted only by its own cause (BILLING 13).

use crate::domain::time::Time;

/// A reason.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub enum Lock {
    /// Its paid time is over. Lifted by paying.
    Unpaid,
    /// It does harm. Lifted by the operator; meanwhile nothing renews and nothing is deleted.
    Abuse,
    /// The operator's own reasons. It renews, and it is not deleted.
    Operator,
}

impl Lock {
    /// Every reason; the store's check constraint lists the same.
    pub const ALL: [Self; 3] = [Self::Unpaid, Self::Abuse, Self::Operator];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unpaid => "unpaid",
            Self::Abuse => "abuse",
            Self::Operator => "operator",
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Unpaid => 1,
            Self::Abuse => 2,
            Self::Operator => 4,
        }
    }

    /// Reads what [`Lock::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|lock| lock.as_str() == text)
    }
}

/// The reasons that stand, without their beginnings: what decides about requests.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct LockSet(u8);

impl LockSet {
    /// No reason.
    pub const NONE: Self = Self(0);

    /// These reasons.
    #[must_use]
    pub fn of(locks: &[Lock]) -> Self {
        locks.iter().fold(Self::NONE, |set, lock| Self(set.0 | lock.bit()))
    }

    /// Whether this reason stands.
    #[must_use]
    pub fn has(self, lock: Lock) -> bool {
        self.0 & lock.bit() != 0
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self == Self::NONE
    }

    /// The reasons, in the order of [`Lock::ALL`].
    pub fn iter(self) -> impl Iterator<Item = Lock> {
        Lock::ALL.into_iter().filter(move |lock| self.has(*lock))
    }
}

/// The reasons that a server is locked for, each with its beginning.
#[derive(Clone, PartialEq, Eq, Debug, Default)]
pub struct Locks(pub Vec<(Lock, Time)>);

impl Locks {
    /// Since when this reason stands.
    #[must_use]
    pub fn since(&self, lock: Lock) -> Option<Time> {
        self.0.iter().find_map(|(reason, since)| (*reason == lock).then_some(*since))
    }

    /// Whether this reason stands.
    #[must_use]
    pub fn has(&self, lock: Lock) -> bool {
        self.since(lock).is_some()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Whether lifting a reason leaves the server unpaid from now on. What ran out under it was not renewed, and nobody
    /// was told: so it has the whole grace time from here.
    #[must_use]
    pub fn lifting_leaves_unpaid(&self, lifted: Lock, paid_until: Option<Time>, now: Time) -> bool {
        self.has(lifted) && !self.has(Lock::Unpaid) && paid_until.is_some_and(|until| now >= until)
    }
}
