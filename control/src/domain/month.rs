//! Months of the calendar, in UTC: when they begin and end, and how they are written.

use std::{fmt, str::FromStr};

use super::{period::months_after, time::Time};

/// A month of the calendar, in UTC.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Month {
    year: i32,
    month: u8,
}

/// A text that is no month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no month; write it as 2026-06")]
pub struct NotAMonth;

/// Months from 1970-01 on: the first second of the first one.
const EPOCH: Time = Time(0);

impl Month {
    /// The month of a moment.
    #[must_use]
    pub fn of(at: Time) -> Self {
        let at = at.calendar();
        Self { year: at.year(), month: u8::from(at.month()) }
    }

    /// Its first second, and the first one after it.
    #[must_use]
    pub fn span(self) -> (Time, Time) {
        let before = i64::from(self.year - 1970) * 12 + i64::from(self.month) - 1;
        let before = u32::try_from(before).unwrap_or(0);
        (months_after(EPOCH, before), months_after(EPOCH, before + 1))
    }

    /// The one after it.
    #[must_use]
    pub fn next(self) -> Self {
        match self.month {
            12 => Self { year: self.year + 1, month: 1 },
            month => Self { month: month + 1, ..self },
        }
    }

    /// The same one a year before.
    #[must_use]
    pub fn year_before(self) -> Self {
        Self { year: self.year - 1, ..self }
    }

    /// Every month from this one to another, the newest first.
    #[must_use]
    pub fn until(self, last: Self) -> Vec<Self> {
        let mut all: Vec<Self> =
            std::iter::successors(Some(self), |month| Some(month.next())).take_while(|month| *month <= last).collect();
        all.reverse();
        all
    }
}

impl fmt::Display for Month {
    /// `2026-06`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}", self.year, self.month)
    }
}

impl FromStr for Month {
    type Err = NotAMonth;

    fn from_str(text: &str) -> Result<Self, NotAMonth> {
        let (year, month) = text.split_once('-').ok_or(NotAMonth)?;
        let digits = |text: &str, many: usize| text.len() == many && text.bytes().all(|b| b.is_ascii_digit());
        if !digits(year, 4) || !digits(month, 2) {
            return Err(NotAMonth);
        }
        let month = Self { year: year.parse().map_err(|_| NotAMonth)?, month: month.parse().map_err(|_| NotAMonth)? };
        let known = (1970..=9998).contains(&month.year) && (1..=12).contains(&month.month);
        if known { Ok(month) } else { Err(NotAMonth) }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn months_are_read_as_they_are_written() {
        let june: Month = "2026-06".parse().unwrap();
        assert_eq!(june.to_string(), "2026-06");
        assert_eq!(june.span().0.to_string(), "2026-06-01 00:00:00");
        assert_eq!(june.span().1.to_string(), "2026-07-01 00:00:00");
        for text in ["", "2026", "2026-6", "2026-13", "2026-00", "1969-12", "+026-06", "2026-06-01", "２０２６-06"]
        {
            assert_eq!(text.parse::<Month>(), Err(NotAMonth), "{text}");
        }
    }

    #[test]
    fn the_months_of_an_account_are_all_there_newest_first() {
        let (from, to): (Month, Month) = ("2025-11".parse().unwrap(), "2026-02".parse().unwrap());
        let all: Vec<String> = from.until(to).iter().map(ToString::to_string).collect();
        assert_eq!(all, ["2026-02", "2026-01", "2025-12", "2025-11"]);
        assert_eq!(to.until(from), []);
    }

    proptest! {
        #[test]
        fn every_second_belongs_to_one_month(at in 0i64..200_000_000_000) {
            let month = Month::of(Time(at));
            let (from, to) = month.span();
            prop_assert!(from.0 <= at && at < to.0);
            prop_assert_eq!(month.next().span().0, to);
            prop_assert_eq!(month.to_string().parse(), Ok(month));
        }
    }
}
