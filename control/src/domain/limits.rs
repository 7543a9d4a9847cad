//! How many of each thing one account may have.
//!
//! They keep a stolen key or a runaway script from renting the provider empty. The configuration has the usual numbers;
//! the operator may give one account others.

use std::fmt;

/// Something that an account has a bounded number of.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub enum Limit {
    /// Servers that are paid for.
    Servers,
    /// Management links that work.
    ShareLinks,
    /// Private networks.
    PrivateNetworks,
    /// Public SSH keys.
    SshKeys,
    /// API keys that work.
    ApiKeys,
}

impl Limit {
    /// Every one, in the order in which they are shown.
    pub const ALL: [Self; 5] = [Self::Servers, Self::ShareLinks, Self::PrivateNetworks, Self::SshKeys, Self::ApiKeys];

    /// As it stands in answers, in the configuration and in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Servers => "servers",
            Self::ShareLinks => "share_links",
            Self::PrivateNetworks => "private_networks",
            Self::SshKeys => "ssh_keys",
            Self::ApiKeys => "api_keys",
        }
    }

    /// Reads what [`Limit::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|limit| limit.as_str() == text)
    }

    /// For a sentence: `at most 25 servers`.
    fn counted(self, count: u32) -> &'static str {
        let (one, several) = match self {
            Self::Servers => ("server", "servers"),
            Self::ShareLinks => ("management link", "management links"),
            Self::PrivateNetworks => ("private network", "private networks"),
            Self::SshKeys => ("SSH key", "SSH keys"),
            Self::ApiKeys => ("API key", "API keys"),
        };
        if count == 1 { one } else { several }
    }
}

/// One number for each limit.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Limits([u32; Limit::ALL.len()]);

impl Limits {
    /// Asks for each number.
    pub fn from_fn(mut number: impl FnMut(Limit) -> u32) -> Self {
        Self(Limit::ALL.map(&mut number))
    }

    /// One of them.
    #[must_use]
    pub fn get(&self, limit: Limit) -> u32 {
        let found = Limit::ALL.iter().zip(self.0).find(|(one, _)| **one == limit);
        found.map_or(0, |(_, number)| number)
    }

    /// The same with other numbers where an account has its own.
    #[must_use]
    pub fn overridden(&self, own: &[(Limit, u32)]) -> Self {
        let number = |limit| own.iter().find(|(one, _)| *one == limit).map_or(self.get(limit), |(_, number)| *number);
        Self::from_fn(number)
    }
}

/// There is no room for one more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub struct LimitReached {
    /// Of what.
    pub limit: Limit,
    /// How many there may be.
    pub max: u32,
}

impl fmt::Display for LimitReached {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (max, what) = (self.max, self.limit.counted(self.max));
        match max {
            0 => write!(f, "This account may have no {what}. Ask the provider to allow some."),
            _ => write!(f, "This account may have at most {max} {what}. Remove one, or ask the provider for more."),
        }
    }
}

/// Whether one more may be added to `used`. An account that is over a limit keeps what it has.
///
/// # Errors
/// When the limit is reached.
pub fn room_for_one(limit: Limit, max: u32, used: u64) -> Result<(), LimitReached> {
    if used < u64::from(max) { Ok(()) } else { Err(LimitReached { limit, max }) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_one_fits_and_the_next_does_not() {
        assert_eq!(room_for_one(Limit::Servers, 2, 1), Ok(()));
        let reached = LimitReached { limit: Limit::Servers, max: 2 };
        assert_eq!(room_for_one(Limit::Servers, 2, 2), Err(reached));
        assert_eq!(room_for_one(Limit::Servers, 2, 3), Err(reached), "lowered below what is there");
        assert!(room_for_one(Limit::Servers, 0, 0).is_err());
        let words = |max| LimitReached { limit: Limit::Servers, max }.to_string();
        assert_eq!(words(2), "This account may have at most 2 servers. Remove one, or ask the provider for more.");
        assert!(words(1).contains("at most 1 server."));
        assert_eq!(words(0), "This account may have no servers. Ask the provider to allow some.");
    }

    #[test]
    fn an_account_of_its_own_numbers_keeps_the_others() {
        let usual = Limits::from_fn(|limit| limit.as_str().len() as u32);
        let own = usual.overridden(&[(Limit::SshKeys, 99)]);
        for limit in Limit::ALL {
            let want = if limit == Limit::SshKeys { 99 } else { usual.get(limit) };
            assert_eq!(own.get(limit), want);
            assert_eq!(Limit::parse(limit.as_str()), Some(limit));
        }
    }
}
