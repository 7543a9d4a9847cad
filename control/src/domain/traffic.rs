//! Traffic of servers by months of UTC, and what a package allows of it.
//!
//! Hosts tell totals. What is more than they told before is new, so a word that comes twice adds nothing. When it moved is
//! known from the times between which it was told, and from earlier totals that come with a word that was long on its way;
//! where a month turned in between, it is divided by time.

use csp_shared::{
    sample::NetworkMoved,
    traffic::{CountId, Traffic},
};
use serde::{Deserialize, Serialize};

use super::{month::Month, time::Time};

/// What a host told last of a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// In which counting.
    pub count: CountId,
    /// All that moved in it.
    pub total: NetworkMoved,
    /// When that was so.
    pub at: Time,
}

/// What a word of a host adds to months; `known` is what it told last. Nothing for an old word, or one that came already.
#[must_use]
pub fn added(known: Option<&Known>, told: &Traffic, now: Time) -> Vec<(Month, NetworkMoved)> {
    // Of another counting nothing was told, and when it began nobody knows: what its first word says moved just now.
    let before = known.filter(|known| known.count == told.count);
    let (mut total, mut at) = before.map_or_else(Default::default, |known| (known.total, Some(known.at)));
    let age = |seconds: u64| now.plus(-i64::try_from(seconds).unwrap_or(i64::MAX));
    let stands = told.earlier.iter().map(|earlier| (earlier.total, age(earlier.age_seconds)));
    let mut all: Vec<(Month, NetworkMoved)> = Vec::new();
    for (stand, when) in stands.chain([(told.total, now)]) {
        let new = stand.minus(&total);
        if !new.is_nothing() {
            for (month, part) in divided(&new, at.unwrap_or(when), when) {
                match all.iter_mut().find(|(other, _)| *other == month) {
                    Some((_, sum)) => *sum = sum.plus(&part),
                    None => all.push((month, part)),
                }
            }
        }
        total = total.with(&stand, u64::max);
        at = Some(at.map_or(when, |at| at.max(when)));
    }
    all
}

/// What is known after a word of a host.
#[must_use]
pub fn known_after(known: Option<&Known>, told: &Traffic, now: Time) -> Known {
    match known.filter(|known| known.count == told.count) {
        // An older word that comes late takes nothing back.
        Some(known) => Known { total: known.total.with(&told.total, u64::max), at: known.at.max(now), ..*known },
        None => Known { count: told.count, total: told.total, at: now },
    }
}

/// Divides by time what moved between two moments. Nothing is lost: the last month gets what is left.
fn divided(moved: &NetworkMoved, from: Time, until: Time) -> Vec<(Month, NetworkMoved)> {
    let last = Month::of(until);
    let span = u128::try_from(until.0.saturating_sub(from.0)).unwrap_or(0);
    let (mut parts, mut left, mut month, mut begin) = (Vec::new(), *moved, Month::of(from.min(until)), from);
    while month < last && span > 0 {
        let end = month.span().1;
        let share = u128::try_from(end.0.saturating_sub(begin.0)).unwrap_or(0);
        let part = |amount: u64, _: u64| u64::try_from(u128::from(amount) * share / span).unwrap_or(amount);
        let part = moved.with(moved, part);
        left = left.minus(&part);
        parts.push((month, part));
        (month, begin) = (month.next(), end);
    }
    parts.push((last, left));
    parts.retain(|(_, part)| !part.is_nothing());
    parts
}

/// The oldest month that is kept: with it there are thirteen.
#[must_use]
pub fn oldest_kept(now: Time) -> Month {
    Month::of(now).year_before()
}

/// What a package allows a month, both directions together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quota {
    /// Bytes.
    pub bytes: u64,
    /// What its public adapters are held to past it until the month's end, in megabits a second; None: its owner is told, and
    /// nothing else.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub shape_mbit_per_second: Option<u32>,
}

/// What owner and operator were told of a month's use.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Mark {
    /// Nothing.
    #[default]
    None,
    /// Four fifths are used.
    Near,
    /// All is used.
    Full,
}

impl Mark {
    /// In percent of the quota.
    #[must_use]
    pub fn percent(self) -> u8 {
        match self {
            Self::None => 0,
            Self::Near => 80,
            Self::Full => 100,
        }
    }

    /// Reads what [`Mark::percent`] gave.
    #[must_use]
    pub fn from_percent(percent: u8) -> Option<Self> {
        [Self::None, Self::Near, Self::Full].into_iter().find(|mark| mark.percent() == percent)
    }
}

/// A mark that a server reached.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Reached {
    /// In which month.
    pub month: Month,
    /// Which mark.
    pub mark: Mark,
    /// What was used so far, both directions together.
    pub used_bytes: u64,
    /// Of what.
    pub quota: Quota,
}

/// What a month's use leads to.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[must_use = "a quota that nobody keeps is none"]
pub struct Verdict {
    /// What is to be told now; nothing that was told already, and no lower mark after a higher one.
    pub tell: Option<Mark>,
    /// The rate that the server is to be held to, in megabits a second.
    pub hold: Option<u32>,
}

/// Judges the use of a month, of which `told` was told already.
pub fn judge(quota: Option<&Quota>, used_bytes: u64, told: Mark) -> Verdict {
    let Some(quota) = quota else { return Verdict::default() };
    let reaches = |mark: Mark| u128::from(used_bytes) * 100 >= u128::from(quota.bytes) * u128::from(mark.percent());
    let mark = [Mark::Full, Mark::Near].into_iter().find(|mark| reaches(*mark)).unwrap_or_default();
    let hold = quota.shape_mbit_per_second.filter(|_| mark == Mark::Full);
    Verdict { tell: Some(mark).filter(|mark| *mark > told), hold }
}

#[cfg(test)]
mod tests;
