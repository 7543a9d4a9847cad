//! Money: whole cents of one currency, never a float.

use std::{fmt, str::FromStr};

/// An amount in cents (USD). Never negative: a direction is a transfer's business, not an amount's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Cents(i64);

/// An amount that is not one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("an amount is a number from 0 to 1000000000 with at most two decimals, as 6.95")]
pub struct NotMoney;

impl Cents {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// A bound far above any real amount and far below an overflow: a thousand million dollars.
    pub const MAX: Self = Self(100_000_000_000);

    /// An amount from its number of cents.
    ///
    /// # Errors
    /// When it is negative or above [`Cents::MAX`].
    pub fn new(cents: i64) -> Result<Self, NotMoney> {
        if (0..=Self::MAX.0).contains(&cents) { Ok(Self(cents)) } else { Err(NotMoney) }
    }

    /// The number of cents.
    #[must_use]
    pub fn get(self) -> i64 {
        self.0
    }

    /// Whether there is nothing to move.
    #[must_use]
    pub fn is_zero(self) -> bool {
        self.0 == 0
    }

    /// The sum, unless it passes the bound.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        Self::new(self.0.checked_add(other.0)?).ok()
    }

    /// What is left, unless `other` is more.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        Self::new(self.0.checked_sub(other.0)?).ok()
    }
}

impl fmt::Display for Cents {
    /// Always two decimals: `42.50`. A JSON number as it stands.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.0 / 100, self.0 % 100)
    }
}

impl FromStr for Cents {
    type Err = NotMoney;
    /// Digits, and at most two decimals. No sign, no exponent, no spaces.
    fn from_str(text: &str) -> Result<Self, NotMoney> {
        let (whole, part) = text.split_once('.').unwrap_or((text, "0"));
        let digits = |t: &str, most: usize| (1..=most).contains(&t.len()) && t.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole, 12) || !digits(part, 2) {
            return Err(NotMoney);
        }
        let whole: i64 = whole.parse().map_err(|_| NotMoney)?;
        let part: i64 = format!("{part:0<2}").parse().map_err(|_| NotMoney)?;
        Self::new(whole * 100 + part)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn an_amount_is_read_as_it_is_written(cents in 0..=Cents::MAX.get()) {
            let amount = Cents::new(cents).unwrap();
            prop_assert_eq!(amount.to_string().parse(), Ok(amount));
        }
    }

    #[test]
    fn short_decimals_mean_what_people_mean() {
        let table =
            [("42.5", 4250), ("42.50", 4250), ("42", 4200), ("0.07", 7), ("0", 0), ("1000000000", 100_000_000_000)];
        for (text, cents) in table {
            assert_eq!(text.parse(), Cents::new(cents), "{text}");
        }
    }

    #[test]
    fn what_is_no_exact_amount_is_refused() {
        for text in ["", "-1", "+1", "1e2", "1.555", ".5", "5.", "1 ", "1000000000.01", "9999999999999", "٣"] {
            assert_eq!(text.parse::<Cents>(), Err(NotMoney), "{text}");
        }
    }
}
