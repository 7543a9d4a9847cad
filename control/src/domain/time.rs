//! Points in time, as the API writes them.

use std::{fmt, str::FromStr};

use time::{Date, Month, OffsetDateTime, Time as Clock, UtcOffset};

/// Seconds of UTC since 1970. The whole control plane counts in seconds: BILLING's rules do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(pub i64);

/// Seconds in a minute, for settings that are written in minutes.
pub const MINUTE: i64 = 60;
/// Seconds in a day without leap seconds.
pub const DAY: i64 = 86_400;
/// Seconds of 365 days and a quarter.
pub const YEAR: i64 = 31_557_600;

impl Time {
    /// This time and `seconds` more.
    #[must_use]
    pub fn plus(self, seconds: i64) -> Self {
        Self(self.0.saturating_add(seconds))
    }

    /// The calendar's view, in UTC. Times outside the years that the calendar knows become its ends.
    #[must_use]
    pub fn calendar(self) -> OffsetDateTime {
        OffsetDateTime::from_unix_timestamp(self.0).unwrap_or(OffsetDateTime::UNIX_EPOCH).to_offset(UtcOffset::UTC)
    }
}

/// A text that is no time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no time: write 2026-06-10 or 2026-06-10 12:00:00, in UTC")]
pub struct BadTime;

impl FromStr for Time {
    type Err = BadTime;

    /// `2026-06-10 12:00:00`, or `2026-06-10` for its first second; UTC.
    fn from_str(text: &str) -> Result<Self, BadTime> {
        let (date, clock) = text.split_once(' ').unwrap_or((text, "00:00:00"));
        let [year, month, day] = numbers(date, '-', [4, 2, 2])?;
        let [hour, minute, second] = numbers(clock, ':', [2, 2, 2])?;
        let small = |number: u16| u8::try_from(number).map_err(|_| BadTime);
        let month = Month::try_from(small(month)?).map_err(|_| BadTime)?;
        let date = Date::from_calendar_date(year.into(), month, small(day)?).map_err(|_| BadTime)?;
        let clock = Clock::from_hms(small(hour)?, small(minute)?, small(second)?).map_err(|_| BadTime)?;
        Ok(Self(date.with_time(clock).assume_utc().unix_timestamp()))
    }
}

/// Three numbers of so many digits each.
fn numbers(text: &str, between: char, digits: [usize; 3]) -> Result<[u16; 3], BadTime> {
    let parts: Vec<&str> = text.split(between).collect();
    let [first, second, third] = parts.try_into().map_err(|_| BadTime)?;
    let mut numbers = [0; 3];
    for ((number, part), digits) in numbers.iter_mut().zip([first, second, third]).zip(digits) {
        let plain = part.len() == digits && part.bytes().all(|b| b.is_ascii_digit());
        *number = part.parse().ok().filter(|_| plain).ok_or(BadTime)?;
    }
    Ok(numbers)
}

/// A day, or a second: what people mean by the ends of a range.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Moment {
    /// Its first second.
    pub first: Time,
    /// The first second after it.
    pub after: Time,
}

impl FromStr for Moment {
    type Err = BadTime;

    /// `2026-06-10` is the whole day, `2026-06-10 12:00:00` one second; UTC.
    fn from_str(text: &str) -> Result<Self, BadTime> {
        let first: Time = text.parse()?;
        let length = if text.contains(' ') { 1 } else { DAY };
        Ok(Self { first, after: first.plus(length) })
    }
}

impl fmt::Display for Time {
    /// `2026-06-10 12:00:00`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let at = self.calendar();
        let (year, month, day) = (at.year(), u8::from(at.month()), at.day());
        write!(f, "{year:04}-{month:02}-{day:02} {:02}:{:02}:{:02}", at.hour(), at.minute(), at.second())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_written_as_the_api_writes_them() {
        assert_eq!(Time(1_781_092_800).to_string(), "2026-06-10 12:00:00");
        assert_eq!(Time(0).to_string(), "1970-01-01 00:00:00");
    }

    #[test]
    fn times_are_read_as_they_are_written_and_in_no_other_way() {
        assert_eq!("2026-06-10 12:00:00".parse(), Ok(Time(1_781_092_800)));
        assert_eq!("2026-06-10".parse(), Ok(Time(1_781_049_600)));
        assert_eq!("2028-02-29 23:59:59".parse::<Time>().unwrap().to_string(), "2028-02-29 23:59:59");
        for bad in [
            "",
            "2026-6-10",
            "2026-02-29",
            "2026-13-01",
            "2026-06-10 24:00:00",
            "2026-06-10 12:00",
            "2026-06-10T12:00:00Z",
            "2026-06-10 12:00:00 ",
            " 2026-06-10",
            "+026-06-10",
            "2026-06-10 12:00:00+02",
            "20260610",
            "tomorrow",
        ] {
            assert_eq!(bad.parse::<Time>(), Err(BadTime), "{bad}");
        }
    }

    #[test]
    fn a_day_and_a_second_are_ranges() {
        let noon = Time(1_781_092_800);
        assert_eq!("2026-06-10 12:00:00".parse(), Ok(Moment { first: noon, after: noon.plus(1) }));
        let day: Moment = "2026-06-10".parse().unwrap();
        assert_eq!(day.first.to_string(), "2026-06-10 00:00:00");
        assert_eq!(day.after.to_string(), "2026-06-11 00:00:00");
        for text in ["", "2026-02-30", "now"] {
            assert_eq!(text.parse::<Moment>(), Err(BadTime), "{text}");
        }
    }
}
