//! Shares of a price by the second, rounded half up to the cent (BILLING 3).
//!
//! A share always reaches from a moment to the end of a period: what is used is the whole less what is left. So the parts
//! of a period, cut at any moments, add up to the whole, and no cent is lost between two roundings.

use crate::domain::{money::Cents, time::Time};

/// A time with a beginning and a later end.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Span {
    from: Time,
    to: Time,
}

impl Span {
    /// The time from `from` to `to`; nothing when it would be empty.
    #[must_use]
    pub fn new(from: Time, to: Time) -> Option<Self> {
        (from < to).then_some(Self { from, to })
    }

    /// Its first second.
    #[must_use]
    pub fn from(self) -> Time {
        self.from
    }

    /// The first second after it.
    #[must_use]
    pub fn to(self) -> Time {
        self.to
    }

    /// Seconds in it.
    #[must_use]
    pub fn seconds(self) -> i64 {
        self.to.0 - self.from.0
    }

    /// Seconds of it that are left at a moment: all of them before it begins, none after its end.
    #[must_use]
    pub fn seconds_left(self, at: Time) -> i64 {
        self.to.0 - at.0.clamp(self.from.0, self.to.0)
    }

    /// Whether a moment lies in it.
    #[must_use]
    pub fn contains(self, at: Time) -> bool {
        (self.from..self.to).contains(&at)
    }
}

/// The part of `price`, which is for the whole span, that falls on the time from `at` to its end.
#[must_use]
pub fn rest(price: Cents, span: Span, at: Time) -> Cents {
    rest_of_part(price, Cents::ZERO, Cents::ZERO, span, at)
}

/// As [`rest`], of the share `part / whole` of the price: `price × part × seconds left / (whole × seconds)`, rounded once.
/// A whole of zero has one share, itself.
#[must_use]
pub fn rest_of_part(price: Cents, part: Cents, whole: Cents, span: Span, at: Time) -> Cents {
    let (part, whole) = if whole.is_zero() { (1, 1) } else { (part.get(), whole.get()) };
    let shares = i128::from(price.get()) * i128::from(part) * i128::from(span.seconds_left(at));
    cents(half_up(shares, i128::from(whole) * i128::from(span.seconds())))
}

/// `percent` hundredths of an amount, rounded half up.
#[must_use]
pub fn percent_of(amount: Cents, percent: u8) -> Cents {
    cents(half_up(i128::from(amount.get()) * i128::from(percent), 100))
}

/// Both are never negative, and `below` is never zero.
fn half_up(above: i128, below: i128) -> i128 {
    (2 * above + below) / (2 * below)
}

/// A share is never more than the amount it is of, so it is an amount.
fn cents(share: i128) -> Cents {
    i64::try_from(share).ok().and_then(|share| Cents::new(share).ok()).unwrap_or(Cents::MAX)
}
