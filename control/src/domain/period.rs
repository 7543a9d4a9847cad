//! Months of service, counted from an anchor (BILLING 1).

use time::{Date, Duration, Month, PrimitiveDateTime};

use super::time::Time;

/// The moment `months` after `anchor`: the same day and time of day, or the month's last day where it is shorter.
/// Always counted from the anchor, so that 31 Jan, 28 Feb, 31 Mar never drifts.
#[must_use]
pub fn months_after(anchor: Time, months: u32) -> Time {
    let start = anchor.calendar();
    let index = i64::from(start.year()) * 12 + i64::from(u8::from(start.month())) - 1 + i64::from(months);
    let (year, month) = (index.div_euclid(12), index.rem_euclid(12) + 1);
    let end = i32::try_from(year)
        .ok()
        .zip(u8::try_from(month).ok().and_then(|m| Month::try_from(m).ok()))
        .and_then(|(year, month)| {
            let day = start.day().min(month.length(year));
            Date::from_calendar_date(year, month, day).ok()
        })
        .map(|date| PrimitiveDateTime::new(date, start.time()).assume_utc());
    // Past the calendar's end (year 9999) a month is 31 days: no service lives that long, and nothing may panic.
    end.map_or_else(
        || anchor.plus(Duration::days(31).whole_seconds() * i64::from(months)),
        |end| Time(end.unix_timestamp()),
    )
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Time {
        let number = |range: std::ops::Range<usize>| text[range].parse::<u16>().unwrap();
        let month = Month::try_from(number(5..7) as u8).unwrap();
        let date = Date::from_calendar_date(i32::from(number(0..4)), month, number(8..10) as u8).unwrap();
        Time(date.with_hms(23, 59, 59).unwrap().assume_utc().unix_timestamp())
    }

    #[test]
    fn a_service_of_the_31st_pays_on_each_months_last_day_and_comes_back_to_the_31st() {
        let anchor = at("2026-01-31");
        for (months, day) in
            [(1, "2026-02-28"), (2, "2026-03-31"), (3, "2026-04-30"), (12, "2027-01-31"), (25, "2028-02-29")]
        {
            assert_eq!(months_after(anchor, months), at(day), "{months}");
        }
    }

    proptest! {
        #[test]
        fn a_month_has_28_to_31_days_and_keeps_the_time_of_day(anchor in 0i64..4_000_000_000, months in 0u32..600) {
            let (from, to) = (months_after(Time(anchor), months), months_after(Time(anchor), months + 1));
            let seconds = to.0 - from.0;
            prop_assert!((28 * 86_400..=31 * 86_400).contains(&seconds), "{}", seconds);
            prop_assert_eq!(seconds % 86_400, 0);
        }
    }
}
