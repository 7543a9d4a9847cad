//! Management links: what one opens of its server, for whoever holds it and has no account.

use super::{
    scope::{Scope, Scopes},
    time::Time,
};

/// How long a browser that brought a link may go on with it, in seconds. After that it opens the link again.
pub const SESSION_SECONDS: i64 = 12 * 60 * 60;

/// What a link without a name of its own is called.
pub const USUAL_LABEL: &str = "Management link";

/// One thing that a link may allow.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Permission {
    /// Power on.
    Start,
    /// Power off.
    Stop,
    /// Power off and on; what is off stays off.
    Restart,
    /// Make the disk anew.
    Reinstall,
    /// Look at the screen, and type.
    Console,
    /// See what the server used.
    Stats,
}

impl Permission {
    /// Every permission, in the order in which they are shown.
    pub const ALL: [Self; 6] = [Self::Start, Self::Stop, Self::Restart, Self::Reinstall, Self::Console, Self::Stats];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Stop => "stop",
            Self::Restart => "restart",
            Self::Reinstall => "reinstall",
            Self::Console => "console",
            Self::Stats => "stats",
        }
    }

    /// Reads what [`Permission::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|permission| permission.as_str() == text)
    }

    /// What a key must be able to do itself to give this away: a link is no way around a key's scopes.
    #[must_use]
    pub fn scope(self) -> Scope {
        match self {
            Self::Start | Self::Stop | Self::Restart | Self::Reinstall => Scope::Write,
            Self::Console => Scope::Console,
            Self::Stats => Scope::Read,
        }
    }

    fn bit(self) -> u8 {
        match self {
            Self::Start => 1,
            Self::Stop => 2,
            Self::Restart => 4,
            Self::Reinstall => 8,
            Self::Console => 16,
            Self::Stats => 32,
        }
    }
}

/// What one link allows.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Permissions(u8);

impl Permissions {
    /// Those of a link that comes with an order: all but the one that erases (CONTRACT, servers).
    #[must_use]
    pub fn of_order() -> Self {
        Permission::ALL.into_iter().filter(|permission| *permission != Permission::Reinstall).collect()
    }

    /// Whether nothing is allowed.
    #[must_use]
    pub fn is_empty(self) -> bool {
        self.0 == 0
    }

    /// Whether this is among them.
    #[must_use]
    pub fn grant(self, permission: Permission) -> bool {
        self.0 & permission.bit() != 0
    }

    /// Each of them, in the order in which they are shown.
    pub fn iter(self) -> impl Iterator<Item = Permission> {
        Permission::ALL.into_iter().filter(move |permission| self.grant(*permission))
    }

    /// Those that a key with these scopes may not give away.
    pub fn beyond(self, scopes: Scopes) -> impl Iterator<Item = Permission> {
        self.iter().filter(move |permission| !scopes.hold(&[permission.scope()]))
    }

    /// As stored: words with a space between.
    #[must_use]
    pub fn to_words(self) -> String {
        self.iter().map(Permission::as_str).collect::<Vec<_>>().join(" ")
    }

    /// Reads what [`Permissions::to_words`] wrote.
    #[must_use]
    pub fn parse_words(text: &str) -> Option<Self> {
        text.split_whitespace().map(Permission::parse).collect()
    }
}

impl FromIterator<Permission> for Permissions {
    fn from_iter<I: IntoIterator<Item = Permission>>(permissions: I) -> Self {
        Self(permissions.into_iter().fold(0, |bits, permission| bits | permission.bit()))
    }
}

/// When a session that begins now ends: with its link at the latest.
#[must_use]
pub fn session_end(link_expires_at: Option<Time>, now: Time) -> Time {
    let own = now.plus(SESSION_SECONDS);
    link_expires_at.map_or(own, |end| end.min(own))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_set_survives_the_way_through_the_store_and_grants_what_it_names() {
        for bits in 0..64 {
            let set = Permissions(bits);
            assert_eq!(Permissions::parse_words(&set.to_words()), Some(set));
            assert_eq!(set.iter().collect::<Permissions>(), set);
            assert_eq!(set.is_empty(), bits == 0);
        }
        assert_eq!(Permissions::parse_words("start fly"), None);
        let of_order = Permissions::of_order();
        assert!(!of_order.grant(Permission::Reinstall) && of_order.iter().count() == 5);
    }

    #[test]
    fn a_key_gives_away_only_what_it_may_itself() {
        let beyond = |scopes: &[Scope]| {
            let all: Permissions = Permission::ALL.into_iter().collect();
            all.beyond(scopes.iter().copied().collect()).map(Permission::as_str).collect::<Vec<_>>()
        };
        assert_eq!(beyond(&Scope::ALL), [""; 0]);
        assert_eq!(beyond(&[Scope::Write]), ["console", "stats"]);
        assert_eq!(beyond(&[Scope::Write, Scope::Read]), ["console"]);
    }

    #[test]
    fn a_session_never_outlives_its_link() {
        let now = Time(1000);
        assert_eq!(session_end(None, now), now.plus(SESSION_SECONDS));
        assert_eq!(session_end(Some(now.plus(5)), now), now.plus(5));
        assert_eq!(session_end(Some(now.plus(2 * SESSION_SECONDS)), now), now.plus(SESSION_SECONDS));
    }
}
