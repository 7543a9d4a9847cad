//! What a guest sends is counted from its tap's own counters, in a network of the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod host_support;

use std::{collections::BTreeMap, process::Command};

use csp_agent::{
    network::{links::Links, tap::Taps, tap_name::TapName},
    traffic::Meter,
};
use csp_shared::{id::ServerId, mac::Mac};
use host_support::{GuestCable, in_private_network};
use uuid::Uuid;

const SERVER: ServerId = ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bb));
const MAC: Mac = Mac([0x0a, 0xc5, 0, 0, 0, 1]);
const BRIDGE: &str = "br-test";
/// Of one frame.
const BYTES: usize = 1000;

fn frame() -> Vec<u8> {
    [&[0xff; 6][..], &MAC.0, &[0x08, 0x00], &vec![0; BYTES - 14]].concat()
}

#[test]
fn what_a_guest_sends_is_counted_through_another_tap_and_another_agent() {
    in_private_network(|runtime| {
        for words in [["link", "add", BRIDGE, "type", "bridge"], ["link", "set", "dev", BRIDGE, "up"]] {
            #[allow(clippy::disallowed_methods, reason = "a bridge is made by hand, as an operator would")]
            let made = Command::new("ip").args(words).status().unwrap();
            assert!(made.success());
        }
        let folder = tempfile::tempdir().unwrap();
        runtime.block_on(async {
            let links = Links::connect().unwrap();
            let taps = Taps::new(links.clone(), BRIDGE.to_owned());
            let mut sent = 0;
            for round in 1..=3u64 {
                // Another agent each time, on what the one before wrote down.
                let meter = Meter::open(folder.path(), links.clone()).unwrap();
                meter.settle().await.unwrap();
                taps.make(SERVER, &[MAC]).await.unwrap();
                taps.set_up(SERVER, &[MAC]).await.unwrap();
                let mut cable = GuestCable::open(TapName::of(SERVER, MAC).as_str());
                for _ in 0..10 * round {
                    cable.send(&frame());
                    sent += 1;
                }
                drop(cable);
                // As before a tap goes.
                meter.look().await;
                taps.remove(SERVER).await.unwrap();
                meter.settle().await.unwrap();
                let [told] = meter.beside(&BTreeMap::new()).await.try_into().unwrap();
                assert_eq!((told.server, told.total.sent_packets), (SERVER, sent));
                assert_eq!(told.total.sent_bytes, sent * BYTES as u64);
                assert_eq!(told.total.received_bytes, 0, "directions are the guest's");
            }
        });
    });
}
