//! Money: whole cents of one currency, never a float.

use std::{fmt, str::FromStr};

/// An amount in cents (USD). Never negative: a direction is a transfer's business, not an amount's.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Cents(i64);

/// An amount that is not one, and why: whoever sent it has a bug, and should find it by the word.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotMoney {
    /// A debt, or a direction, which is no amount's business.
    #[error("is negative; an amount is a number from 0 on, as 6.95")]
    Negative,
    /// More digits behind the point than there are cents.
    #[error("has a fraction of a cent; an amount has at most two decimals, as 6.95")]
    FractionOfACent,
    /// Beyond any real amount.
    #[error("is above 1000000000, more than any amount may be")]
    TooMuch,
    /// `1e3` is a thousand to some and a mistake to others.
    #[error("has an exponent; write the digits, as 1000 or 6.95")]
    Exponent,
    /// What a division by zero leaves behind.
    #[error("is not a number, or infinite; an amount is written as 6.95")]
    NotANumber,
    /// Anything else: nothing at all, signs, separators, other scripts' digits.
    #[error("is no amount; write digits and at most two decimals, as 6.95")]
    Malformed,
}

impl Cents {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// A bound far above any real amount and far below an overflow: a thousand million dollars.
    pub const MAX: Self = Self(100_000_000_000);
    /// What a wallet may come to by payments. What is given back always fits beside it: a host's word that something is done is
    /// never refused for want of room in a wallet.
    pub const PAID_IN_MAX: Self = Self(Self::MAX.0 / 2);

    /// An amount from its number of cents.
    ///
    /// # Errors
    /// When it is negative or above [`Cents::MAX`].
    pub fn new(cents: i64) -> Result<Self, NotMoney> {
        match cents {
            ..0 => Err(NotMoney::Negative),
            cents if cents > Self::MAX.0 => Err(NotMoney::TooMuch),
            cents => Ok(Self(cents)),
        }
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
        let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(whole) || !digits(part) {
            return Err(what_else(text));
        }
        // 1.500 is an exact amount, and whoever writes it counts in thousandths: the next one is not.
        if part.len() > 2 {
            return Err(NotMoney::FractionOfACent);
        }
        let whole: i64 = whole.parse().map_err(|_| NotMoney::TooMuch)?;
        let part: i64 = format!("{part:0<2}").parse().map_err(|_| NotMoney::Malformed)?;
        Self::new(whole.checked_mul(100).and_then(|cents| cents.checked_add(part)).ok_or(NotMoney::TooMuch)?)
    }
}

/// What a text that is no plain number is.
fn what_else(text: &str) -> NotMoney {
    let bare = text.trim_start_matches(['+', '-']).to_ascii_lowercase();
    if ["nan", "inf", "infinity"].contains(&bare.as_str()) {
        return NotMoney::NotANumber;
    }
    let is_number = text.parse::<f64>().is_ok();
    match is_number {
        true if bare.contains('e') => NotMoney::Exponent,
        true if text.starts_with('-') => NotMoney::Negative,
        _ => NotMoney::Malformed,
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
    fn what_is_no_exact_amount_is_refused_by_name() {
        use NotMoney::{Exponent, FractionOfACent, Malformed, Negative, NotANumber, TooMuch};
        let table: [(&[&str], NotMoney); 6] = [
            (&["-1", "-0", "-0.01", "-99999999999999999999", "-.5"], Negative),
            (&["1.555", "0.001", "1.000", "6.950"], FractionOfACent),
            (&["1000000000.01", "9999999999999", "92233720368547758.08", "99999999999999999999999999"], TooMuch),
            (&["1e2", "1E2", "1.5e1", "-1e2", "1e-2", "1e999"], Exponent),
            (&["NaN", "nan", "-NaN", "inf", "-Infinity", "infinity"], NotANumber),
            (&["", "+1", ".5", "5.", "1 ", " 1", "1,50", "1'000", "1_0", "0x10", "٣", "--1", "1.2.3", "$5"], Malformed),
        ];
        for (texts, why) in table {
            for text in texts {
                assert_eq!(text.parse::<Cents>(), Err(why), "{text}");
            }
        }
    }

    #[test]
    fn sums_stop_at_the_bound_and_at_zero() {
        let cent = Cents::new(1).unwrap();
        assert_eq!(Cents::MAX.plus(cent), None);
        assert_eq!(Cents::ZERO.minus(cent), None);
        assert_eq!(Cents::new(i64::MAX), Err(NotMoney::TooMuch));
        assert_eq!(Cents::new(i64::MIN), Err(NotMoney::Negative));
    }
}
