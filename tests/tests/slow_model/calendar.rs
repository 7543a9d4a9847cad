//! The calendar a second time: counted day by day from 1970, month by month from the anchor.

pub const DAY: i64 = 86_400;

fn is_leap(year: i64) -> bool {
    year % 4 == 0 && (year % 100 != 0 || year % 400 == 0)
}

fn days_in_month(year: i64, month: i64) -> i64 {
    match month {
        2 if is_leap(year) => 29,
        2 => 28,
        4 | 6 | 9 | 11 => 30,
        _ => 31,
    }
}

/// Year, month (1 to 12), day of the month (from 1), second of the day.
pub fn date(at: i64) -> (i64, i64, i64, i64) {
    let (mut days, second) = (at / DAY, at % DAY);
    let (mut year, mut month) = (1970, 1);
    while days >= 365 + i64::from(is_leap(year)) {
        days -= 365 + i64::from(is_leap(year));
        year += 1;
    }
    while days >= days_in_month(year, month) {
        days -= days_in_month(year, month);
        month += 1;
    }
    (year, month, days + 1, second)
}

fn seconds((year, month, day, second): (i64, i64, i64, i64)) -> i64 {
    let years: i64 = (1970..year).map(|year| 365 + i64::from(is_leap(year))).sum();
    let months: i64 = (1..month).map(|month| days_in_month(year, month)).sum();
    (years + months + day - 1) * DAY + second
}

/// So many months later, on the same day and at the same time; on the last day of a month that is too short.
pub fn months_later(at: i64, months: u32) -> i64 {
    let (mut year, mut month, day, second) = date(at);
    for _ in 0..months {
        month += 1;
        if month == 13 {
            (year, month) = (year + 1, 1);
        }
    }
    seconds((year, month, day.min(days_in_month(year, month)), second))
}

#[test]
fn months_end_where_the_calendar_on_the_wall_says() {
    assert_eq!(date(1_781_092_800), (2026, 6, 10, 43_200));
    let of_31st = seconds((2028, 1, 31, 5));
    assert_eq!(date(months_later(of_31st, 1)), (2028, 2, 29, 5));
    assert_eq!(date(months_later(of_31st, 2)), (2028, 3, 31, 5));
    assert_eq!(date(months_later(of_31st, 12)), (2029, 1, 31, 5));
    assert_eq!(date(months_later(of_31st, 13)), (2029, 2, 28, 5));
    for at in (0..4_000_000_000).step_by(123_456_789) {
        assert_eq!(seconds(date(at)), at);
    }
}
