//! Words of hosts that come once, twice, late and out of order, and what quotas lead to.

use csp_shared::{id::ServerId, traffic::Earlier};
use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const COUNT: CountId = CountId(Uuid::from_u128(1));

fn at(text: &str) -> Time {
    text.parse().unwrap()
}

fn bytes(received: u64) -> NetworkMoved {
    NetworkMoved { received_bytes: received, ..NetworkMoved::default() }
}

fn told(received: u64, earlier: &[(u64, u64)]) -> Traffic {
    let earlier = earlier.iter().map(|(age, total)| Earlier { age_seconds: *age, total: bytes(*total) }).collect();
    Traffic { server: ServerId(Uuid::from_u128(7)), count: COUNT, total: bytes(received), earlier }
}

fn known(received: u64, time: &str) -> Known {
    Known { count: COUNT, total: bytes(received), at: at(time) }
}

fn by_month(known: Option<&Known>, told: &Traffic, now: &str) -> Vec<(String, u64)> {
    let added = added(known, told, at(now));
    added.into_iter().map(|(month, moved)| (month.to_string(), moved.received_bytes)).collect()
}

fn months(parts: &[(&str, u64)]) -> Vec<(String, u64)> {
    parts.iter().map(|(month, received)| ((*month).to_owned(), *received)).collect()
}

#[test]
fn only_what_is_more_than_was_told_is_added() {
    let last = known(100, "2026-06-10 12:00:00");
    let table = [
        ("more", Some(&last), told(130, &[]), months(&[("2026-06", 30)])),
        ("the same again", Some(&last), told(100, &[]), vec![]),
        ("an older word", Some(&last), told(70, &[]), vec![]),
        ("older ones beside it", Some(&last), told(130, &[(9999, 20), (60, 100)]), months(&[("2026-06", 30)])),
        ("the first word", None, told(130, &[]), months(&[("2026-06", 130)])),
        (
            "another counting",
            Some(&Known { count: CountId(Uuid::from_u128(2)), ..last }),
            told(5, &[]),
            months(&[("2026-06", 5)]),
        ),
    ];
    for (name, known, told, want) in table {
        assert_eq!(by_month(known, &told, "2026-06-10 12:01:00"), want, "{name}");
    }
}

#[test]
fn a_word_from_over_a_months_turn_is_divided_by_time_or_by_what_was_told_beside_it() {
    let last = known(0, "2026-05-31 18:00:00");
    let word = told(800, &[]);
    assert_eq!(by_month(Some(&last), &word, "2026-06-01 02:00:00"), months(&[("2026-05", 600), ("2026-06", 200)]));
    let better = told(800, &[(3 * 3600, 10), (3600, 20)]);
    let want = months(&[("2026-05", 15), ("2026-06", 785)]);
    assert_eq!(by_month(Some(&last), &better, "2026-06-01 02:00:00"), want, "nearly all of it in the last hour");
    let away = known(0, "2026-02-01 00:00:00");
    let want = months(&[("2026-02", 280), ("2026-03", 310), ("2026-04", 300)]);
    assert_eq!(by_month(Some(&away), &told(890, &[]), "2026-05-01 00:00:00"), want);
    let fresh = told(100, &[(86_400, 40)]);
    let want = months(&[("2026-05", 41), ("2026-06", 59)]);
    assert_eq!(by_month(None, &fresh, "2026-06-01 23:36:00"), want, "of a counting that nobody heard of");
}

#[test]
fn a_year_is_kept_beside_the_present_month() {
    assert_eq!(oldest_kept(at("2026-06-10")).to_string(), "2025-06");
}

#[test]
fn a_quota_is_told_at_four_fifths_and_when_it_is_used_up_and_holds_from_then_on() {
    let notify = Quota { bytes: 1000, shape_mbit_per_second: None };
    let shape = Quota { shape_mbit_per_second: Some(10), ..notify };
    let table = [
        (None, u64::MAX, Mark::None, (None, None)),
        (Some(&shape), 799, Mark::None, (None, None)),
        (Some(&shape), 800, Mark::None, (Some(Mark::Near), None)),
        (Some(&shape), 999, Mark::Near, (None, None)),
        (Some(&shape), 1000, Mark::Near, (Some(Mark::Full), Some(10))),
        (Some(&shape), 5000, Mark::None, (Some(Mark::Full), Some(10))),
        (Some(&shape), 5000, Mark::Full, (None, Some(10))),
        (Some(&notify), u64::MAX, Mark::Near, (Some(Mark::Full), None)),
        // A larger package in the middle of a month: nothing is told that was told of the smaller one.
        (Some(&shape), 850, Mark::Full, (None, None)),
    ];
    for (quota, used, told, (tell, hold)) in table {
        assert_eq!(judge(quota, used, told), Verdict { tell, hold }, "{quota:?} {used} {told:?}");
    }
    for mark in [Mark::None, Mark::Near, Mark::Full] {
        assert_eq!(Mark::from_percent(mark.percent()), Some(mark));
    }
}

proptest! {
    /// Words may be lost, come twice and out of order: the months hold what the last total says.
    #[test]
    fn months_hold_what_was_carried_however_it_was_told(
        steps in prop::collection::vec((0u64..1000, 0i64..3_000_000, 0usize..4), 1..60)
    ) {
        let (mut total, mut now, mut sum, mut last) = (0, Time(1_781_092_800), 0, None);
        let mut words = vec![told(0, &[])];
        for (more, seconds, which) in steps {
            total += more;
            now = now.plus(seconds);
            words.push(told(total, &[(u64::try_from(seconds).unwrap() / 2, total - more / 2)]));
            let word = &words[words.len().saturating_sub(1 + which)];
            sum += added(last.as_ref(), word, now).iter().map(|(_, moved)| moved.received_bytes).sum::<u64>();
            last = Some(known_after(last.as_ref(), word, now));
        }
        prop_assert_eq!(sum, last.unwrap().total.received_bytes);
    }
}
