//! Counters that begin anew, taps and hosts that come and go: what was carried counts once.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const SERVER: ServerId = ServerId(Uuid::from_u128(7));

fn bytes(received: u64) -> NetworkMoved {
    NetworkMoved { received_bytes: received, received_packets: 1, sent_bytes: 2 * received, sent_packets: 1 }
}

fn tap(last: u8, link: u32, received: u64) -> TapSeen {
    TapSeen { server: SERVER, mac: Mac::for_guest([0, 0, 0, last]), link, carried: bytes(received) }
}

fn fresh() -> CountId {
    CountId(Uuid::from_u128(1))
}

/// A count that has seen a host without servers.
fn begun() -> Count {
    let mut count = Count::default().resumed("boot-1");
    count.look(&[], 1, fresh);
    count
}

fn received(count: &Count) -> u64 {
    count.beside(&BTreeMap::new(), 0).iter().map(|told| told.total.received_bytes).sum()
}

#[test]
fn what_was_carried_counts_once_through_new_taps_restarts_and_reboots() {
    let mut count = begun();
    let look = |count: &mut Count, taps: &[TapSeen]| count.look(taps, 10, fresh);
    look(&mut count, &[tap(1, 5, 100)]);
    look(&mut count, &[tap(1, 5, 150)]);
    look(&mut count, &[tap(1, 5, 150)]);
    assert_eq!(received(&count), 150);
    look(&mut count, &[tap(1, 6, 400)]);
    assert_eq!(received(&count), 550, "another tap, though its counter is beyond that of the one before");
    look(&mut count, &[tap(1, 6, 30)]);
    assert_eq!(received(&count), 580, "a counter that began anew");
    look(&mut count, &[]);
    look(&mut count, &[tap(1, 7, 20), tap(2, 8, 1)]);
    assert_eq!(received(&count), 601, "two adapters are one server's");
    let stored = serde_json::to_vec(&count).unwrap();
    let resumed = |boot| serde_json::from_slice::<Count>(&stored).unwrap().resumed(boot);
    let mut same = resumed("boot-1");
    look(&mut same, &[tap(1, 7, 25), tap(2, 8, 1)]);
    assert_eq!(received(&same), 606, "the agent was away");
    let mut other = resumed("boot-2");
    look(&mut other, &[tap(1, 7, 25), tap(2, 8, 1)]);
    assert_eq!(received(&other), 627, "the host was away, and its numbers of links began anew");
}

#[test]
fn what_taps_carried_before_anybody_counted_is_nobodys() {
    let mut count = Count::default().resumed("boot-1");
    count.look(&[tap(1, 5, 1_000_000)], 1, fresh);
    count.look(&[tap(1, 5, 1_000_007), tap(2, 6, 3)], 2, fresh);
    assert_eq!(received(&count), 10);
}

#[test]
fn what_was_not_told_comes_with_its_earlier_totals_and_what_was_told_is_not_told_again() {
    let mut count = begun();
    count.look(&[tap(1, 5, 100)], 1000, fresh);
    count.look(&[tap(1, 5, 200)], 1060, fresh);
    count.look(&[tap(1, 5, 300)], 1600, fresh);
    let [told] = count.beside(&BTreeMap::new(), 1700).try_into().unwrap();
    let earlier = |age_seconds, received| Earlier { age_seconds, total: bytes(received) };
    let ages: Vec<_> = told.earlier.iter().map(|e| (e.age_seconds, e.total.received_bytes)).collect();
    assert_eq!(ages, [(700, 100), (100, 300)], "one in ten minutes");
    assert_eq!(told.total.received_bytes, 300);
    let told = BTreeMap::from([(SERVER, told.total)]);
    assert_eq!(count.beside(&told, 1700), []);
    count.look(&[tap(1, 5, 301)], 1701, fresh);
    let [news] = count.beside(&told, 1701).try_into().unwrap();
    assert_eq!((news.total.received_bytes, news.earlier.len()), (301, 0));
    // After a reboot all that was before is older than the boot.
    let [rebooted] = count.resumed("boot-2").beside(&BTreeMap::new(), 90).try_into().unwrap();
    assert_eq!(rebooted.earlier, [Earlier { total: rebooted.total, ..earlier(90, 301) }]);
}

#[test]
fn a_server_without_taps_is_forgotten_in_the_end_and_counted_anew_when_it_comes_back() {
    let mut count = begun();
    count.look(&[tap(1, 5, 100)], 10, fresh);
    count.look(&[], 20, fresh);
    count.look(&[], 20 + FORGET_SECONDS - 1, fresh);
    assert_eq!(received(&count), 100);
    count.look(&[], 20 + FORGET_SECONDS, fresh);
    assert_eq!(count.beside(&BTreeMap::new(), 0), []);
    let other = CountId(Uuid::from_u128(2));
    count.look(&[tap(1, 9, 3)], 20 + FORGET_SECONDS, || other);
    let [told] = count.beside(&BTreeMap::new(), 0).try_into().unwrap();
    assert_eq!((told.count, told.total.received_bytes), (other, 3));
}

proptest! {
    /// Taps come, go and are made anew as they like: the total is what they carried, and what is told stays short.
    #[test]
    fn a_total_is_what_the_taps_carried(steps in prop::collection::vec((0u8..4, 0u64..1000), 1..200)) {
        let (mut count, mut taps, mut link, mut carried) = (begun(), BTreeMap::<u8, TapSeen>::new(), 1, 0);
        for (at, (what, amount)) in steps.into_iter().enumerate() {
            match what {
                0 => drop(taps.remove(&(u8::try_from(amount % 3).unwrap()))),
                last => {
                    let more = taps.get(&last).map_or(0, |tap| tap.carried.received_bytes);
                    let number = taps.get(&last).map_or_else(|| { link += 1; link }, |tap| tap.link);
                    taps.insert(last, tap(last, number, more + amount));
                    carried += amount;
                }
            }
            let seen: Vec<TapSeen> = taps.values().copied().collect();
            count.look(&seen, 700 * u64::try_from(at).unwrap(), fresh);
            prop_assert_eq!(received(&count), carried);
            let told = count.beside(&BTreeMap::new(), u64::MAX);
            prop_assert!(told.iter().all(|told| told.earlier.len() <= EARLIER_MAX));
            prop_assert!(told.iter().all(|told| told.earlier.is_sorted_by_key(|e| std::cmp::Reverse(e.age_seconds))));
        }
    }
}
