//! What moved, by examples and by properties.

use proptest::prelude::*;
use uuid::Uuid;

use super::*;

const SERVER: ServerId = ServerId(Uuid::from_u128(1));
const TAP: &str = "csptaaaaaaaaaaa";

fn counters(cpu_ns: u64) -> Counters {
    Counters { server: SERVER, run: 1, cpu_ns: Some(cpu_ns), balloon: None, disk: None, taps: BTreeMap::new() }
}

fn look(ended_ms: u64, domains: Vec<Counters>) -> Look {
    Look { began_ms: ended_ms - 10, ended_ms, domains }
}

fn tap(bytes: u64) -> TapCounters {
    TapCounters { received_bytes: bytes, received_packets: bytes / 10, sent_bytes: bytes * 2, sent_packets: bytes / 5 }
}

fn one(samples: Vec<Sample>) -> Sample {
    let [sample] = samples.try_into().unwrap();
    sample
}

#[test]
fn what_moved_between_two_looks_is_told_with_how_long_it_took() {
    let mut rates = Rates::default();
    assert_eq!(rates.samples(look(1_000, vec![counters(5_000)])), [], "a first look says nothing");
    let sample = one(rates.samples(look(16_000, vec![counters(9_000)])));
    assert_eq!((sample.over_ms, sample.cpu_ns), (15_000, Some(4_000)));
}

#[test]
fn a_domain_that_was_started_anew_begins_anew_even_if_its_counters_are_larger() {
    let mut rates = Rates::default();
    rates.samples(look(1_000, vec![counters(5_000)]));
    assert_eq!(rates.samples(look(16_000, vec![Counters { run: 2, ..counters(9_000) }])), []);
    assert_eq!(one(rates.samples(look(31_000, vec![Counters { run: 2, ..counters(9_500) }]))).cpu_ns, Some(500));
}

#[test]
fn a_domain_that_was_off_for_a_look_begins_anew() {
    let mut rates = Rates::default();
    rates.samples(look(1_000, vec![counters(5_000)]));
    assert_eq!(rates.samples(look(16_000, vec![])), []);
    assert_eq!(rates.samples(look(31_000, vec![counters(6_000)])), []);
}

#[test]
fn a_tap_that_was_made_anew_moved_what_it_shows_and_one_that_went_takes_nothing_back() {
    let with = |taps: &[(&str, u64)]| Counters {
        taps: taps.iter().map(|(name, bytes)| ((*name).to_owned(), tap(*bytes))).collect(),
        ..counters(0)
    };
    let mut rates = Rates::default();
    rates.samples(look(1_000, vec![with(&[(TAP, 500), ("other", 900)])]));
    let network = one(rates.samples(look(16_000, vec![with(&[(TAP, 100)])]))).network.unwrap();
    assert_eq!((network.received_bytes, network.sent_bytes), (100, 200));
    let network = one(rates.samples(look(31_000, vec![with(&[(TAP, 150), ("new", 7_000)])]))).network.unwrap();
    assert_eq!(network.received_bytes, 50, "who knows since when the new one counts");
    assert_eq!(one(rates.samples(look(46_000, vec![with(&[])]))).network, None);
}

#[test]
fn a_disk_that_could_not_be_asked_is_left_out_until_it_was_asked_twice() {
    let disk = |bytes| Some(DiskCounters { read_bytes: bytes, ..DiskCounters::default() });
    let mut rates = Rates::default();
    let mut told = |at, disk| rates.samples(look(at, vec![Counters { disk, ..counters(0) }]));
    told(1_000, disk(10));
    assert_eq!(one(told(16_000, None)).disk, None);
    assert_eq!(one(told(31_000, disk(30))).disk, None, "20 bytes over 30 s are not 20 bytes over 15 s");
    assert_eq!(one(told(46_000, disk(70))).disk.unwrap().read_bytes, 40);
}

#[test]
fn used_memory_is_the_guests_own_word_and_no_older_than_a_while() {
    let said = |said_at, usable_kib| Balloon {
        current_kib: 1000,
        resident_kib: Some(700),
        available_kib: Some(900),
        usable_kib,
        unused_kib: Some(300),
        said_at,
    };
    let mut rates = Rates::default();
    let mut used = |at, balloon| {
        let samples = rates.samples(look(at, vec![Counters { balloon: Some(balloon), ..counters(0) }]));
        samples.into_iter().next().and_then(|sample| sample.memory).and_then(|memory| memory.used_kib)
    };
    used(10_000, said(5, Some(500)));
    assert_eq!(used(20_000, said(6, Some(500))), Some(400), "as `free` says");
    assert_eq!(used(30_000, said(7, None)), Some(600), "a driver that does not say what can be had");
    assert_eq!(used(40_000, said(0, Some(500))), None, "a guest without the driver");
    used(50_000, said(8, Some(500)));
    assert_eq!(used(140_000, said(8, Some(500))), Some(400));
    assert_eq!(used(150_000, said(8, Some(500))), None, "its driver fell silent");
}

#[test]
fn a_look_whose_moment_is_uncertain_tells_nothing() {
    let hung = |began_ms, ended_ms, cpu| Look { began_ms, ended_ms, domains: vec![counters(cpu)] };
    let mut rates = Rates::default();
    rates.samples(look(1_000, vec![counters(0)]));
    assert_eq!(rates.samples(hung(16_000, 24_500, 10)), [], "it hung on a domain for 8.5 s, before ours or behind it");
    assert_eq!(rates.samples(look(31_000, vec![counters(20)])), [], "and so the time since is uncertain too");
    assert_eq!(one(rates.samples(look(46_000, vec![counters(30)]))).cpu_ns, Some(10));
    assert_eq!(rates.samples(hung(45_000, 50_000, 10)), [], "older than what is known");
    assert_eq!(one(rates.samples(look(61_000, vec![counters(45)]))).cpu_ns, Some(15), "and changes nothing");
}

fn any_counters(run: u32) -> impl Strategy<Value = Counters> {
    (any::<u64>(), proptest::option::of(any::<u64>()), proptest::option::of(any::<u64>())).prop_map(
        move |(cpu, bytes, disk)| Counters {
            run,
            disk: disk.map(|bytes| DiskCounters { read_bytes: bytes, ..DiskCounters::default() }),
            taps: bytes.map(|bytes| (TAP.to_owned(), tap(bytes / 2))).into_iter().collect(),
            ..counters(cpu)
        },
    )
}

proptest! {
    /// Whatever the counters do, nothing panics, no time is told that did not pass, and no more than the counter shows.
    #[test]
    fn nothing_moved_more_than_its_counter_shows(
        looks in proptest::collection::vec((0u64..200_000, 0u64..20_000, (1u32..3).prop_flat_map(any_counters)), 1..20)
    ) {
        let mut rates = Rates::default();
        let mut now = 0;
        for (pause, took, seen) in looks {
            let (began_ms, ended_ms) = (now + pause, now + pause + took);
            let samples = rates.samples(Look { began_ms, ended_ms, domains: vec![seen.clone()] });
            for sample in samples {
                prop_assert!(sample.over_ms > 0 && sample.over_ms <= SAMPLE_MS_MAX);
                prop_assert!(sample.cpu_ns <= seen.cpu_ns);
                let read = sample.disk.map(|disk| disk.read_bytes);
                prop_assert!(read.is_none() || read <= seen.disk.map(|disk| disk.read_bytes));
            }
            now = ended_ms;
        }
    }

    /// Of a domain that runs on, looked at in time, every byte is told once: the parts sum up to the whole.
    #[test]
    fn what_moved_in_parts_is_what_moved_in_all(steps in proptest::collection::vec((0u64..1 << 40, 1u64..60_000), 1..50)) {
        let (mut rates, mut cpu, mut now) = (Rates::default(), 17, 1_000);
        rates.samples(look(now, vec![counters(cpu)]));
        let (mut cpu_sum, mut time_sum) = (0, 0);
        for (more, passed) in steps {
            (cpu, now) = (cpu + more, now + passed);
            let sample = one(rates.samples(look(now, vec![counters(cpu)])));
            (cpu_sum, time_sum) = (cpu_sum + sample.cpu_ns.unwrap(), time_sum + u64::from(sample.over_ms));
        }
        prop_assert_eq!((cpu_sum, time_sum), (cpu - 17, now - 1_000));
    }
}
