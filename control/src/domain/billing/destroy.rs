//! What a destroyed server gives back (BILLING 10).

use super::{
    extra_ip::CHARGED_SECONDS_MIN,
    line::{Paid, Thing},
    quote::Quote,
};
use crate::domain::time::Time;

/// What the provider chose to give back.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum DestroyCredit {
    /// Nothing.
    None,
    /// Periods that have not begun.
    #[default]
    Unstarted,
    /// All unused time, to the second. A lost host's servers always get this.
    Prorata,
}

impl DestroyCredit {
    /// Every choice.
    pub const ALL: [Self; 3] = [Self::None, Self::Unstarted, Self::Prorata];

    /// As in the configuration.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::None => "none",
            Self::Unstarted => "unstarted",
            Self::Prorata => "prorata",
        }
    }
}

/// By what the time of a server that ended was given back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum EndCredit {
    /// By the provider's choice.
    Chosen(DestroyCredit),
    /// Its host was given up: all unused time, and no address costs a day at least, since its owner did not give it up.
    Lost,
}

impl EndCredit {
    /// As it is stored.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Chosen(chosen) => chosen.as_str(),
            Self::Lost => "lost",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut all = DestroyCredit::ALL.into_iter().map(Self::Chosen).chain([Self::Lost]);
        all.find(|by| by.as_str() == text)
    }

    /// What comes back. `ips` tells when each address was added.
    pub fn credit(self, paid: &Paid, ips: &[AddedAt], now: Time) -> Quote {
        match self {
            Self::Chosen(chosen) => credit(paid, chosen, ips, now),
            Self::Lost => credit(paid, DestroyCredit::Prorata, &[], now),
        }
    }
}

/// An address on the server, and when it was added.
pub type AddedAt = (csp_shared::id::LeaseId, Time);

/// What destroying a server gives back. An address that is less than 24 hours old is charged for that long, as when it
/// is removed: `ips` tells when each was added.
pub fn credit(paid: &Paid, policy: DestroyCredit, ips: &[AddedAt], now: Time) -> Quote {
    let mut quote = Quote::default();
    let counts = |period: &&super::line::Period| match policy {
        DestroyCredit::None => false,
        DestroyCredit::Unstarted => period.is_ahead(now),
        DestroyCredit::Prorata => period.is_open(now),
    };
    for period in paid.iter().filter(counts) {
        let mut things: Vec<Thing> = period.lines.iter().map(|line| line.thing).collect();
        things.sort_unstable();
        things.dedup();
        for thing in things {
            let added = |lease| ips.iter().find_map(|(ip, at)| (*ip == lease).then_some(*at));
            let until = match thing {
                Thing::Package => now,
                Thing::ExtraIp(lease) => added(lease).map_or(now, |at| now.max(at.plus(CHARGED_SECONDS_MIN))),
            };
            quote.give_up(period, thing, period.price_of(thing), until);
        }
    }
    quote
}
