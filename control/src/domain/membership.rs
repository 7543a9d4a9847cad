//! How far a server's place in a private network is.

/// What its owner is told.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum MemberStatus {
    /// Asked for; its host has not brought it about.
    Queued,
    /// Its host has.
    Active,
    /// Detached; its host has not let go of it.
    Removing,
}

impl MemberStatus {
    /// Every status.
    pub const ALL: [Self; 3] = [Self::Queued, Self::Active, Self::Removing];

    /// As shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Queued => "queued",
            Self::Active => "active",
            Self::Removing => "removing",
        }
    }

    /// The status of a member: whether it is wanted, and whether its host reported it brought about.
    #[must_use]
    pub fn of(is_wanted: bool, is_there: bool) -> Self {
        match (is_wanted, is_there) {
            (false, _) => Self::Removing,
            (true, false) => Self::Queued,
            (true, true) => Self::Active,
        }
    }
}
