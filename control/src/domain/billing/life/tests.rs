//! What a service's paid time leads to: each state has its step, and no sequence of delays, downtimes and lost mail
//! deletes anybody who was not told.

use proptest::prelude::*;

use super::*;
use crate::domain::time::DAY;

const END: Time = Time(1_000 * DAY);
const GRACE: i64 = 7 * DAY;

fn life() -> Life {
    Life {
        paid_until: END,
        locks: Locks::default(),
        auto_renew: true,
        affordable: true,
        foreseen: true,
        told: vec![],
        month_ends: None,
    }
}

fn told(kinds: &[Reminder], at: Time) -> Vec<Told> {
    kinds.iter().map(|kind| Told { kind: *kind, at: Some(at) }).collect()
}

fn locked(locks: &[(Lock, Time)]) -> Locks {
    Locks(locks.to_vec())
}

#[test]
fn each_state_has_its_step() {
    use Reminder::{Before1, Before3, Before7, Grace1, Grace3, Suspended};
    let poor = Life { affordable: false, foreseen: false, ..life() };
    let manual = Life { auto_renew: false, ..life() };
    let unpaid = Life { locks: locked(&[(Lock::Unpaid, END)]), ..poor.clone() };
    let warned = |kinds: &[Reminder], at: i64| Life { told: told(kinds, END.plus(at)), ..unpaid.clone() };
    let day = |days: i64| END.plus(days * DAY);
    let wait = |days: i64| Step::Wait(Some(day(days)));
    let told_all = warned(&[Suspended, Grace3, Grace1], 6 * DAY);
    let unheard =
        Life { told: [Suspended, Grace3, Grace1].map(|kind| Told { kind, at: None }).to_vec(), ..unpaid.clone() };
    let both = |lock| locked(&[(Lock::Unpaid, END), (lock, END)]);
    let table = [
        ("long before", life(), day(-20), wait(-7)),
        ("it will renew", life(), day(-2), wait(-1)),
        ("it will not", poor.clone(), day(-7), Step::Remind(Before7)),
        ("its owner does not want it", manual.clone(), day(-7), Step::Remind(Before7)),
        ("told", Life { told: told(&[Before7], day(-7)), ..poor.clone() }, day(-6), wait(-3)),
        ("after a downtime the pressing one alone", poor.clone(), day(-1), Step::Remind(Before1)),
        ("between two", poor.clone(), day(-2), Step::Remind(Before3)),
        (
            "nothing more before the end",
            Life { told: told(&[Before1], day(-1)), ..poor.clone() },
            END.plus(-1),
            wait(0),
        ),
        (
            "paid, and locked by a clock that was ahead",
            Life { locks: locked(&[(Lock::Unpaid, day(-1))]), ..life() },
            day(-1),
            Step::Lift,
        ),
        ("expired", life(), END, Step::Renew),
        ("expired long ago, and nobody looked", life(), day(9), Step::Renew),
        ("cannot pay", poor.clone(), END, Step::Suspend),
        ("does not want to", manual.clone(), END, Step::Suspend),
        ("not told yet", unpaid.clone(), END, Step::Remind(Suspended)),
        ("in grace", warned(&[Suspended], 0), day(1), wait(4)),
        ("late in grace", warned(&[Suspended], 0), day(4), Step::Remind(Grace3)),
        ("later", warned(&[Suspended, Grace3], 4 * DAY), day(6), Step::Remind(Grace1)),
        ("the end", told_all.clone(), day(7), Step::Delete),
        ("the scheduler was down, the warning comes first", warned(&[Suspended], 0), day(30), Step::Remind(Grace1)),
        ("warned late", warned(&[Suspended, Grace1], 30 * DAY), day(30), wait(31)),
        ("then", warned(&[Suspended, Grace1], 30 * DAY), day(31), Step::Delete),
        ("no mail was taken", unheard, day(90), Step::Wait(None)),
        ("paid meanwhile", Life { affordable: true, ..told_all.clone() }, day(7), Step::Renew),
        ("abuse, expired", Life { locks: locked(&[(Lock::Abuse, END)]), ..life() }, day(1), Step::Wait(None)),
        ("abuse, unpaid", Life { locks: both(Lock::Abuse), ..told_all.clone() }, day(9), Step::Wait(None)),
        ("operator, can pay", Life { locks: locked(&[(Lock::Operator, END)]), ..life() }, day(0), Step::Renew),
        (
            "operator, until a month with another price",
            Life { locks: both(Lock::Operator), month_ends: Some(day(30)), ..told_all.clone() },
            day(9),
            wait(30),
        ),
        (
            "abuse, another month",
            Life { locks: both(Lock::Abuse), month_ends: Some(day(30)), ..told_all.clone() },
            day(9),
            Step::Wait(None),
        ),
        ("operator, unpaid", Life { locks: both(Lock::Operator), ..told_all }, day(9), Step::Wait(None)),
    ];
    for (name, life, now, want) in table {
        assert_eq!(next(&life, GRACE, now), want, "{name}");
    }
}

/// A scheduler that runs at odd times, and mail that is taken late or never.
fn live(mut life: Life, grace: i64, looks: &[(i64, bool)]) -> (Life, Option<Time>) {
    let mut now = END.plus(-8 * DAY);
    for (later, mail_works) in looks {
        now = now.plus(*later);
        if *mail_works {
            life.told.iter_mut().for_each(|told| told.at = told.at.or(Some(now)));
        }
        for _ in 0..10 {
            match next(&life, grace, now) {
                Step::Wait(until) => {
                    assert!(until.is_none_or(|until| until > now), "it would look without an end");
                    break;
                }
                Step::Lift => life.locks = Locks::default(),
                Step::Remind(kind) => {
                    assert!(life.told.iter().all(|told| told.kind != kind), "{kind:?} twice");
                    life.told.push(Told { kind, at: None });
                }
                Step::Suspend => life.locks.0.push((Lock::Unpaid, now)),
                Step::Renew => panic!("nobody can pay"),
                Step::Delete => return (life, Some(now)),
            }
        }
    }
    (life, None)
}

fn cases(number: u32) -> ProptestConfig {
    ProptestConfig { cases: number, failure_persistence: None, ..ProptestConfig::default() }
}

proptest! {
    #![proptest_config(cases(5_000))]

    #[test]
    fn nobody_is_deleted_who_was_not_told_a_day_before_and_had_the_whole_grace_time(
        grace_days in 1..=i64::from(GRACE_DAYS_MAX),
        looks in prop::collection::vec((0..6 * DAY, any::<bool>()), 1..30),
    ) {
        let poor = Life { affordable: false, foreseen: false, ..life() };
        let (life, deleted_at) = live(poor, grace_days * DAY, &looks);
        if let Some(at) = deleted_at {
            let since = life.locks.since(Lock::Unpaid).unwrap();
            prop_assert!(since >= END && at >= since.plus(grace_days * DAY));
            let last = life.told.iter().rev().find(|told| told.kind >= Reminder::Suspended).unwrap();
            prop_assert!(last.at.is_some_and(|told| at >= told.plus(DAY)), "{life:?} at {at}");
            let suspended = life.told.iter().find(|told| told.kind == Reminder::Suspended).unwrap();
            prop_assert!(suspended.at.is_some());
        }
    }
}
