//! Points in time, as the API writes them.

use std::fmt;

use time::{OffsetDateTime, UtcOffset};

/// Seconds of UTC since 1970. The whole control plane counts in seconds: BILLING's rules do.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug, Default)]
pub struct Time(pub i64);

/// Seconds in a minute, for settings that are written in minutes.
pub const MINUTE: i64 = 60;
/// Seconds in a day without leap seconds.
pub const DAY: i64 = 86_400;

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
}
