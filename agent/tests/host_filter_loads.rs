//! Filters of many servers that are loaded at once, on the kernel's real ones, in a network of the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod host_support;

use std::{
    net::Ipv4Addr,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
};

use csp_agent::{
    machine::Mark,
    network::{
        NetworkError,
        filter::{self, AllFilters, Before, load_all},
        filter_loads::FilterLoads,
        filter_rules::{self, ServerFilters},
        gate::{Gates, Queues},
        nft,
        nft_netlink::{self, NETDEV},
        tap_name::TapName,
    },
};
use csp_shared::{id::ServerId, mac::Mac};
use host_support::in_private_network;
use serde_json::json;
use uuid::Uuid;

const SERVERS: u8 = 12;

fn server(number: u8) -> ServerId {
    ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_0000 + u128::from(number)))
}

fn filters(number: u8, mark: u64) -> ServerFilters {
    ServerFilters {
        server: server(number),
        own: vec![Ipv4Addr::new(203, 0, 113, number)],
        macs: vec![Mac::for_guest([0, 0, 0, number])],
        private: Vec::new(),
        smtp_open: false,
        gates: Gates::default(),
        mark: Mark(mark),
    }
}

fn all(mark: u64) -> Vec<ServerFilters> {
    (1..=SERVERS).map(|number| filters(number, mark)).collect()
}

fn seen() -> Vec<Option<Mark>> {
    let listed = AllFilters::list().unwrap();
    (1..=SERVERS).map(|number| listed.see(server(number)).unwrap().map(|seen| seen.mark)).collect()
}

/// The taps that filters are put on.
fn plug_in() {
    for number in 1..=SERVERS {
        let tap = TapName::of(server(number), Mac::for_guest([0, 0, 0, number]));
        let made = csp_agent::network::tap_device::NewTap::create(&tap).unwrap();
        made.keep().unwrap();
    }
}

#[test]
fn servers_that_come_at_once_each_get_their_own_filters() {
    in_private_network(|_| {
        plug_in();
        let loads = Arc::new(FilterLoads::default());
        for mark in [7, 8] {
            let threads: Vec<_> = all(mark)
                .into_iter()
                .map(|filters| {
                    let loads = Arc::clone(&loads);
                    thread::spawn(move || loads.load(filters))
                })
                .collect();
            for thread in threads {
                assert_eq!(thread.join().unwrap().unwrap(), Before::AsLeft);
            }
            assert_eq!(seen(), vec![Some(Mark(mark)); SERVERS.into()]);
        }
    });
}

#[test]
fn what_was_altered_or_is_too_much_is_told_of_its_own_server() {
    in_private_network(|_| {
        plug_in();
        assert!(load_all(&all(7)).iter().all(Result::is_ok));
        let stale =
            json!({"add": {"chain": {"family": "netdev", "table": filter_rules::table_of(server(3)), "name": "mine"}}});
        nft::apply("add a chain by hand", &[stale]).unwrap();
        let done: Vec<Before> = load_all(&all(8)).into_iter().map(Result::unwrap).collect();
        let altered: Vec<usize> = (0..done.len()).filter(|at| done[*at] == Before::Altered).collect();
        assert_eq!(altered, [2]);
        assert_eq!(seen(), vec![Some(Mark(8)); SERVERS.into()], "and what was added is gone");
    });
}

/// What was read holds for as long as nothing changes, whoever changes it.
#[test]
fn a_seal_is_refused_once_anything_has_changed() {
    in_private_network(|_| {
        plug_in();
        assert!(load_all(&all(7)).iter().all(Result::is_ok));
        let before = nft_netlink::generation().unwrap();
        nft::apply("change something else", &[json!({"add": {"table": {"family": "netdev", "name": "mine"}}})])
            .unwrap();
        let second_seal = [(filter_rules::table_of(server(3)), "seal_mine".to_owned())];
        let sealed = |generation| nft_netlink::add_chains("seal", NETDEV, &second_seal, generation).unwrap();
        assert!(!sealed(before));
        assert_eq!(seen(), vec![Some(Mark(7)); SERVERS.into()]);
        assert!(sealed(nft_netlink::generation().unwrap()));
        assert_eq!(filter::read(&second_seal[0].0).unwrap().unwrap().labels.len(), 2);
    });
}

#[test]
fn loads_and_looks_come_to_an_end_while_somebody_else_changes_his_own_filters() {
    in_private_network(|_| {
        plug_in();
        let is_over = AtomicBool::new(false);
        thread::scope(|scope| {
            scope.spawn(|| {
                let table = || json!({"table": {"family": "netdev", "name": "mine"}});
                // So often at most: a test that fails ends.
                for _ in (0..1000).take_while(|_| !is_over.load(Ordering::Relaxed)) {
                    nft::apply("change something else", &[json!({"add": table()}), json!({"delete": table()})])
                        .unwrap();
                }
            });
            for mark in 1..=10 {
                assert!(load_all(&all(mark)).iter().all(Result::is_ok));
                assert_eq!(seen(), vec![Some(Mark(mark)); SERVERS.into()]);
            }
            is_over.store(true, Ordering::Relaxed);
        });
    });
}

/// One server whose filters the kernel refuses costs the others nothing, and it keeps what it had.
#[test]
fn a_refusal_is_one_servers_own() {
    in_private_network(|_| {
        plug_in();
        assert!(load_all(&all(7)).iter().all(Result::is_ok));
        let mut next = all(8);
        // Its queues are not there.
        next[4].gates.public = Some(Queues::of(next[4].server));
        let done = load_all(&next);
        for (at, done) in done.iter().enumerate() {
            assert_eq!(matches!(done, Err(NetworkError::Filter { .. })), at == 4, "{at}: {done:?}");
        }
        let seen = seen();
        for (at, mark) in seen.iter().enumerate() {
            assert_eq!(*mark, Some(Mark(if at == 4 { 7 } else { 8 })), "{at}");
        }
    });
}
