//! Whether a key opens the API to a request.

use std::net::IpAddr;

use super::{network::Networks, scope::Scopes, time::Time};

/// What a key may do, from where, and for how long.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct KeyTerms {
    /// What it may do.
    pub scopes: Scopes,
    /// From where; None is everywhere.
    pub networks: Option<Networks>,
    /// From then on it opens nothing.
    pub expires_at: Option<Time>,
}

/// Why a key does not open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyRefusal {
    /// Revoked or expired. Whoever holds it learns no more than of a key that never was.
    Ended,
    /// It works, but not from there.
    WrongNetwork,
}

/// Decides. A key that has ended says nothing about its networks.
///
/// # Errors
/// When the key does not open.
pub fn admit(terms: &KeyTerms, revoked_at: Option<Time>, now: Time, from: IpAddr) -> Result<(), KeyRefusal> {
    if revoked_at.is_some() || terms.expires_at.is_some_and(|end| end <= now) {
        return Err(KeyRefusal::Ended);
    }
    match &terms.networks {
        Some(networks) if !networks.contain(from) => Err(KeyRefusal::WrongNetwork),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_key_opens_until_its_end_and_from_its_networks() {
        let (inside, outside) = ("203.0.113.9".parse().unwrap(), "198.51.100.1".parse().unwrap());
        let networks = Some(Networks::parse(["203.0.113.0/24"]).unwrap());
        let terms = |networks: &Option<Networks>, end| KeyTerms {
            scopes: Scopes::all(),
            networks: networks.clone(),
            expires_at: end,
        };
        let ended = Err(KeyRefusal::Ended);
        let table = [
            (terms(&None, None), None, outside, Ok(())),
            (terms(&None, None), Some(Time(1)), outside, ended),
            (terms(&None, Some(Time(11))), None, outside, Ok(())),
            (terms(&None, Some(Time(10))), None, outside, ended),
            (terms(&networks, None), None, inside, Ok(())),
            (terms(&networks, None), None, outside, Err(KeyRefusal::WrongNetwork)),
            (terms(&networks, Some(Time(10))), None, outside, ended),
            (terms(&networks, None), Some(Time(1)), outside, ended),
        ];
        for (terms, revoked_at, from, want) in table {
            assert_eq!(admit(&terms, revoked_at, Time(10), from), want, "{terms:?} {from}");
        }
    }
}
