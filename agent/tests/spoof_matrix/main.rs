//! The spoof matrix: every shape of the table, many times, from a tap that the test holds as QEMU would. None of the
//! hostile ones reaches gateway, neighbour or host, all good ones do; without filters each would have.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

#[path = "../host_support/frame.rs"]
mod frame;
#[path = "../host_support/mod.rs"]
mod host_support;
mod shapes;
mod stage;

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicU64, Ordering},
};

use host_support::in_private_network;
use shapes::{good, hostile, unfinished};
use stage::{Sink, Stage};

/// How often each shape is sent.
const TIMES: usize = if cfg!(feature = "long") { 1000 } else { 50 };

/// How often filters are replaced under it at least.
const REPLACED_MIN: u64 = 10;

/// Sends every shape and tells what reached where it must not, or did not where it must.
fn faults(stage: &mut Stage) -> Vec<String> {
    let mut faults = Vec::new();
    for shape in hostile() {
        let arrived = stage.tried(&shape, TIMES);
        let wrong: Vec<_> = shape.sinks.iter().filter(|sink| arrived[*sink] > 0).collect();
        if !wrong.is_empty() {
            faults.push(format!("{}: reached {wrong:?}", shape.name));
        }
    }
    for shape in good() {
        let arrived = stage.tried(&shape, TIMES);
        let missed = shape.sinks.iter().filter(|sink| arrived[*sink] != TIMES);
        faults.extend(missed.map(|sink| format!("{}: {} of {TIMES} reached {sink:?}", shape.name, arrived[sink])));
    }
    faults
}

#[test]
fn no_hostile_frame_arrives_and_every_good_one_does() {
    in_private_network(|_| {
        assert!(hostile().len() >= 40);
        // The agent that made all this is gone: its connections are closed, and the filters are the kernel's.
        let mut stage = Stage::filtered();
        let wrong = faults(&mut stage);
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}

/// What went through the queue of its sender passes the filters of whom it goes to all the same.
#[test]
fn at_a_rate_it_is_the_same() {
    in_private_network(|_| {
        let mut stage = Stage::queued();
        let wrong = faults(&mut stage);
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}

/// And what goes to a neighbour through two queues.
#[test]
fn between_neighbours_at_a_rate_it_is_the_same() {
    in_private_network(|_| {
        let mut stage = Stage::both_queued();
        let wrong = faults(&mut stage);
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}

/// A guest may leave a checksum to its host, and says where it belongs. What is written there comes before the filters' last look.
#[test]
fn what_a_checksum_makes_of_a_frame_is_filtered() {
    fn arrived(stage: &mut Stage) -> Vec<&'static str> {
        let mut has_come = |shape: &shapes::Shape| stage.tried(shape, TIMES)[&Sink::Gateway] > 0;
        unfinished().iter().filter(|shape| has_come(shape)).map(|shape| shape.name).collect()
    }
    in_private_network(|_| {
        let mut stage = Stage::queued();
        stage.write_checksums_at_the_uplink();
        assert_eq!(arrived(&mut stage), Vec::<&str>::new());
        let wrong = faults(&mut stage);
        assert!(wrong.is_empty(), "{wrong:#?}");
        stage.take_filters_away();
        assert_eq!(arrived(&mut stage).len(), unfinished().len(), "the control");
    });
}

/// The control: what the matrix shows is due to the filters, and to nothing else of the stage.
#[test]
fn without_filters_each_hostile_frame_would_have_arrived() {
    in_private_network(|_| {
        let mut stage = Stage::filtered();
        stage.take_filters_away();
        let mut kept = Vec::new();
        for shape in hostile() {
            let arrived = stage.tried(&shape, TIMES);
            if !shape.sinks.iter().any(|sink| arrived[sink] >= TIMES) {
                kept.push(format!("{}: {arrived:?}", shape.name));
            }
        }
        assert!(kept.is_empty(), "{kept:#?}");
    });
}

#[test]
fn while_filters_are_replaced_it_is_the_same() {
    in_private_network(|_| {
        let mut stage = Stage::filtered();
        let replaced = Arc::new(AtomicU64::new(1));
        let is_over = Arc::new(AtomicBool::new(false));
        let replacing = std::thread::spawn({
            let (is_over, replaced) = (Arc::clone(&is_over), Arc::clone(&replaced));
            move || {
                while !is_over.load(Ordering::Relaxed) {
                    stage::load(replaced.fetch_add(1, Ordering::Relaxed));
                }
            }
        });
        while replaced.load(Ordering::Relaxed) < REPLACED_MIN {
            let wrong = faults(&mut stage);
            assert!(wrong.is_empty(), "{wrong:#?}");
        }
        is_over.store(true, Ordering::Relaxed);
        replacing.join().unwrap();
    });
}

/// As at a boot: QEMU may hold its tap already, and the filters are not there yet.
#[test]
fn before_its_filters_are_there_nothing_of_a_guest_arrives() {
    in_private_network(|_| {
        let mut stage = Stage::unfiltered();
        for shape in hostile().into_iter().chain(good()).filter(|shape| shape.from == Sink::Guest) {
            assert_eq!(stage.sent_unheard(&shape), 0, "{}", shape.name);
        }
        stage.connect();
        let wrong = faults(&mut stage);
        assert!(wrong.is_empty(), "{wrong:#?}");
    });
}

/// Questions of ARP reach everybody, so they are what a guest could flood its segment with. What waited in its server's queue
/// passes its filters twice, and is counted once.
#[test]
fn a_storm_of_arp_is_held_back() {
    const SENT: usize = 50_000;
    const AT_ONCE: usize = 20_000;
    const PER_SECOND: f64 = 1_000.0;
    fn storm(stage: &mut Stage) {
        let asked = good().into_iter().find(|shape| shape.name == "asks for the gateway").unwrap();
        let since = || std::time::SystemTime::UNIX_EPOCH.elapsed().unwrap();
        let begun = since();
        let arrived = stage.tried(&asked, SENT)[&Sink::Neighbour];
        let most = AT_ONCE + (PER_SECOND * (since() - begun).as_secs_f64()).ceil() as usize + 1;
        assert!((AT_ONCE..=most).contains(&arrived), "{arrived} of {SENT} arrived, {most} at most");
    }
    in_private_network(|_| storm(&mut Stage::filtered()));
    in_private_network(|_| storm(&mut Stage::queued()));
}
