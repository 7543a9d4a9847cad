//! Which periods come next, and extending a service by some of them (BILLING 1 and 6).

use super::{proration::Span, quote::Quote, renewal::Prices};
use crate::domain::{period::months_after, time::Time};

/// A service can be paid for this many months ahead.
pub const MONTHS_AHEAD_MAX: u32 = 13;
/// Most months in one request.
pub const MONTHS_MAX: u32 = 12;

/// How far a service is paid.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct PaidSoFar {
    /// First Online.
    pub anchor: Time,
    /// Ordinal of its last paid period.
    pub last: u32,
    /// It was locked for want of payment, or as an abuse, when that period ended: its guest did not run since.
    pub stood_still: bool,
}

/// The period that begins so many months after the anchor.
#[must_use]
pub fn period(anchor: Time, ordinal: u32) -> Span {
    let (from, to) = (months_after(anchor, ordinal), months_after(anchor, ordinal.saturating_add(1)));
    // A month has 28 days at least, so this is never empty; past the calendar's end it may be, and nothing may panic.
    Span::new(from, to).or_else(|| Span::new(from, from.plus(1))).unwrap_or_else(|| period(Time(0), 0))
}

impl PaidSoFar {
    /// Until when it is paid.
    #[must_use]
    pub fn paid_until(self) -> Time {
        period(self.anchor, self.last).to()
    }

    /// The period that is paid next: the one that begins at the old expiry, however late it is. But nobody pays for
    /// months that went by whole while the service stood still.
    #[must_use]
    pub fn next(self, now: Time) -> u32 {
        let mut next = self.last.saturating_add(1);
        while self.stood_still && period(self.anchor, next).to() <= now {
            next = next.saturating_add(1);
        }
        next
    }

    /// While it stands still: when the month that would be paid next has gone by whole.
    #[must_use]
    pub fn month_ends(self, now: Time) -> Option<Time> {
        self.stood_still.then(|| period(self.anchor, self.next(now)).to())
    }
}

/// Some more periods.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a quote that is not posted charges nothing"]
pub struct Extension {
    /// The new periods, in order.
    pub ordinals: Vec<u32>,
    /// What they cost.
    pub quote: Quote,
    /// Until when the service is paid then.
    pub paid_until: Time,
}

/// Why a service cannot be extended by so much.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
#[error("it would be paid until {until}; at most 13 months ahead are possible, until {latest}")]
pub struct TooFar {
    /// Until when it would be paid.
    pub until: Time,
    /// Until when it may be.
    pub latest: Time,
}

/// Extends a service by `months` periods at these prices.
///
/// # Errors
/// When it would be paid too far ahead.
pub fn extend(paid: PaidSoFar, prices: &Prices, months: u32, now: Time) -> Result<Extension, TooFar> {
    let first = paid.next(now);
    let ordinals: Vec<u32> = (first..first.saturating_add(months)).collect();
    let until = ordinals.last().map_or(paid.paid_until(), |last| period(paid.anchor, *last).to());
    let latest = months_after(now, MONTHS_AHEAD_MAX);
    if until > latest {
        return Err(TooFar { until, latest });
    }
    let charges = ordinals.iter().flat_map(|ordinal| prices.charges(*ordinal)).collect();
    Ok(Extension { ordinals, quote: Quote { charges, credits: Vec::new() }, paid_until: until })
}
