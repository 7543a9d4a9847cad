//! DHCP as guests meet it: real clients in a network of their own behind a real tap with its filters, and hostile frames.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]
#![allow(clippy::disallowed_methods, reason = "clients are programs of the guest")]

#[path = "host_support/frame.rs"]
mod frame;
mod host_support;

use std::{
    collections::BTreeMap,
    net::Ipv4Addr,
    path::{Path, PathBuf},
    process::{Child, Command},
    sync::Arc,
    time::{Duration, SystemTime},
};

use csp_agent::{
    machine::Mark,
    network::{
        dhcp::responder::Responders,
        filter,
        filter_rules::ServerFilters,
        gate::Gates,
        links::{Link, Links},
        tap::Taps,
        tap_name::TapName,
    },
};
use csp_shared::{
    id::ServerId,
    mac::Mac,
    spec::{Nic, NicAddress, NicNetwork},
};
use frame::{BROADCAST, IPV4, ethernet, tagged, udp};
use host_support::{Frames, GuestCable, Wire, contains, in_guest, in_private_network, run, with_private_mounts};
use tokio::runtime::Runtime;
use uuid::Uuid;

const SERVER: ServerId = ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bb));
const MAC: Mac = Mac([0x0a, 0xc5, 0, 0, 0, 1]);
const OWN: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 10);
const GATEWAY: Ipv4Addr = Ipv4Addr::new(203, 0, 113, 1);
const BRIDGE: &str = "br-test";
const MARK: Mark = Mark(0xab);

/// A host with one server's tap, and the gateway on the other end of its uplink.
struct Host {
    taps: Taps,
    responders: Responders,
}

impl Host {
    fn new(runtime: &Runtime) -> Self {
        for command in [
            "link add br-test type bridge",
            "link add uplink type veth peer name segment",
            "link set uplink master br-test up",
            "link set br-test up",
            "link set segment up",
            "addr add 203.0.113.1/24 dev segment",
        ] {
            run("ip", &command.split(' ').collect::<Vec<_>>());
        }
        let taps = runtime.block_on(async { Taps::new(Links::connect().unwrap(), BRIDGE.to_owned()) });
        let host = Self { taps, responders: Responders::default() };
        host.make_tap(runtime);
        host
    }

    fn make_tap(&self, runtime: &Runtime) {
        runtime.block_on(self.taps.make(SERVER, &[MAC])).unwrap();
        let own = vec![OWN];
        filter::load(&ServerFilters {
            server: SERVER,
            own,
            macs: vec![MAC],
            smtp_open: false,
            private: Vec::new(),
            gates: Gates::default(),
            mark: MARK,
        })
        .unwrap();
        runtime.block_on(self.taps.set_up(SERVER, &[MAC])).unwrap();
    }

    fn links(&self, runtime: &Runtime) -> Arc<[Link]> {
        runtime.block_on(async { Links::connect().unwrap().list().await.unwrap() })
    }

    fn serve(&self, runtime: &Runtime, nic: &Nic) {
        let links = self.links(runtime);
        runtime.block_on(async { self.responders.serve(SERVER, std::slice::from_ref(nic), MARK, &links) }).unwrap();
    }

    fn seen(&self, runtime: &Runtime) -> Option<Mark> {
        self.responders.seen(SERVER, &self.links(runtime))
    }
}

fn tap() -> String {
    TapName::of(SERVER, MAC).to_string()
}

fn nic(prefix_len: u8) -> Nic {
    Nic {
        name: "net0".to_owned(),
        mac: MAC,
        network: NicNetwork::Public,
        addresses: vec![NicAddress { address: OWN.into(), prefix_len, gateway: Some(GATEWAY.into()) }],
        dns: vec![[192, 0, 2, 53].into(), [192, 0, 2, 54].into()],
    }
}

/// busybox's client, as most guests without systemd run it; what it was told lies in a file for each event.
struct Client {
    child: Child,
    dir: PathBuf,
}

impl Client {
    fn start(dir: &Path, name: &str, more: &[&str]) -> Self {
        let dir = dir.join(name);
        std::fs::create_dir(&dir).unwrap();
        let script = dir.join("script");
        let told = dir.display();
        let text = format!(
            "#!/bin/sh\nif [ \"$1\" = bound ]; then ip addr replace $ip/$mask dev eth0; \
             ip route replace $router dev eth0; ip route replace default via $router; fi\n\
             env > {told}/$1.new; mv {told}/$1.new {told}/$1\n"
        );
        std::fs::write(&script, text).unwrap();
        run("chmod", &["755", script.to_str().unwrap()]);
        let mut command = Command::new("busybox");
        command.args(["udhcpc", "-f", "-i", "eth0", "-t", "10", "-T", "1", "-s"]).arg(&script).args(more);
        Self { child: command.spawn().unwrap(), dir }
    }

    /// What the client told its script of an event, once it comes.
    fn told(&self, event: &str) -> BTreeMap<String, String> {
        let end = SystemTime::now() + Duration::from_secs(15);
        while SystemTime::now() < end {
            if let Ok(text) = std::fs::read_to_string(self.dir.join(event)) {
                std::fs::remove_file(self.dir.join(event)).unwrap();
                let pairs = text.lines().filter_map(|line| line.split_once('='));
                return pairs.map(|(key, value)| (key.to_owned(), value.to_owned())).collect();
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        panic!("no {event} within 15 s");
    }

    fn renew(&self) {
        run("kill", &["-USR1", &self.child.id().to_string()]);
    }
}

impl Drop for Client {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn is(told: &BTreeMap<String, String>, wanted: &[(&str, &str)]) {
    for (key, value) in wanted {
        assert_eq!(told.get(*key).map(String::as_str), Some(*value), "{key} of {told:?}");
    }
}

#[test]
fn clients_of_any_name_get_the_adapters_address_and_keep_it() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        host.serve(runtime, &nic(24));
        let mut segment = Wire::open("segment");
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().to_owned();
        in_guest(runtime, GuestCable::open(&tap()), &MAC.to_string(), move || {
            let first = Client::start(&dir, "first", &[]);
            let told = first.told("bound");
            is(&told, &[("ip", "203.0.113.10"), ("mask", "24"), ("router", "203.0.113.1"), ("mtu", "1500")]);
            is(&told, &[("dns", "192.0.2.53 192.0.2.54"), ("lease", "604800"), ("serverid", "203.0.113.1")]);
            first.renew(); // from its own address, to its server's alone
            is(&first.told("renew"), &[("ip", "203.0.113.10")]);
            let second = Client::start(&dir, "second", &["-x", "0x3d:00736f6d65626f6479", "-B"]);
            is(&second.told("bound"), &[("ip", "203.0.113.10")]);
            let third = Client::start(&dir, "third", &["-C", "-r", "203.0.113.99"]);
            is(&third.told("bound"), &[("ip", "203.0.113.10")]);
            run("busybox", &["ping", "-c", "1", "-W", "5", "203.0.113.1"]);
        });
        let seen: Vec<Vec<u8>> = std::iter::from_fn(|| segment.next()).collect();
        let is_dhcp =
            |frame: &&Vec<u8>| frame[12..14] == IPV4.to_be_bytes() && frame[23] == 17 && frame[35] & 0xfe == 66;
        assert!(seen.len() > 1, "the ping went by");
        assert_eq!(seen.iter().filter(is_dhcp).count(), 0, "nothing of it reaches the segment");
    });
}

/// As Debian's guests do it; and a second client beside it, with a name of its own, for the same adapter.
#[test]
fn systemd_and_another_client_in_one_guest_get_the_same() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        host.serve(runtime, &nic(24));
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().to_owned();
        in_guest(runtime, GuestCable::open(&tap()), &MAC.to_string(), move || {
            with_private_mounts();
            run("mount", &["-t", "tmpfs", "none", "/run"]);
            // Without udev nobody says that the adapter is ready; where /sys cannot be written networkd does not wait.
            run("mount", &["-t", "sysfs", "-o", "ro", "none", "/sys"]);
            for folder in ["/run/systemd/netif/leases", "/run/systemd/netif/links", "/run/systemd/network"] {
                std::fs::create_dir_all(folder).unwrap();
            }
            run("chown", &["-R", "systemd-network:", "/run/systemd/netif"]);
            let settings = "[Match]\nName=eth0\n[Network]\nDHCP=ipv4\nIPv6AcceptRA=no\n";
            std::fs::write("/run/systemd/network/10-eth0.network", settings).unwrap();
            let networkd = Command::new("/lib/systemd/systemd-networkd").spawn().unwrap();
            let networkd = Client { child: networkd, dir: dir.clone() };
            let told =
                || std::process::Command::new("ip").args(["-4", "route", "show", "dev", "eth0"]).output().unwrap();
            let is_up = || {
                let said = String::from_utf8_lossy(&told().stdout).into_owned();
                said.contains("default via 203.0.113.1 proto dhcp src 203.0.113.10") && said.contains("203.0.113.0/24")
            };
            let end = SystemTime::now() + Duration::from_secs(15);
            while !is_up() {
                assert!(SystemTime::now() < end, "nothing within 15 s: {:?}", told());
                std::thread::sleep(Duration::from_millis(20));
            }
            let second = Client::start(&dir, "second", &["-x", "0x3d:00736f6d65626f6479"]);
            is(&second.told("bound"), &[("ip", "203.0.113.10"), ("mask", "24")]);
            assert!(is_up(), "the first one keeps it");
            drop(networkd);
        });
    });
}

#[test]
fn a_gateway_outside_the_network_is_told_with_the_way_to_it() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        host.serve(runtime, &nic(32));
        let home = tempfile::tempdir().unwrap();
        let dir = home.path().to_owned();
        in_guest(runtime, GuestCable::open(&tap()), &MAC.to_string(), move || {
            let client = Client::start(&dir, "client", &["-O", "121"]);
            let routes = "203.0.113.1/32 0.0.0.0 0.0.0.0/0 203.0.113.1";
            is(&client.told("bound"), &[("mask", "32"), ("staticroutes", routes)]);
            run("busybox", &["ping", "-c", "1", "-W", "5", "203.0.113.1"]);
        });
    });
}

#[test]
fn an_agent_that_begins_anew_renews_what_the_one_before_gave() {
    in_private_network(|runtime| {
        let mut host = Host::new(runtime);
        host.serve(runtime, &nic(24));
        assert_eq!(host.seen(runtime), Some(MARK));
        let mut guest = GuestCable::open(&tap());
        until_answered(runtime, &mut guest, 1);

        host.responders = Responders::default();
        assert_eq!(host.seen(runtime), None, "nothing of it is left");
        guest.send(&ask(2));
        assert!(!answered(runtime, &mut guest, 2), "the answers ended with it");
        host.serve(runtime, &nic(24));
        until_answered(runtime, &mut guest, 3);

        run("ip", &["link", "set", &tap(), "down"]);
        assert_eq!(host.seen(runtime), Some(MARK));
        run("ip", &["link", "set", &tap(), "up"]);
        until_answered(runtime, &mut guest, 4); // a link that was down for a moment costs nothing

        drop(guest);
        runtime.block_on(host.taps.remove(SERVER)).unwrap();
        assert_eq!(host.seen(runtime), None);
        host.make_tap(runtime);
        assert_eq!(host.seen(runtime), None, "another tap under the same name");
    });
}

/// A discover of the adapter's, with a number to know its answer by.
fn ask(number: u8) -> Vec<u8> {
    discover(MAC.0, MAC.0, number)
}

fn discover(source: [u8; 6], chaddr: [u8; 6], number: u8) -> Vec<u8> {
    let mut message = vec![1, 1, 6, 0, 0x51, 0x52, 0x53, number];
    message.resize(28, 0);
    message.extend(chaddr);
    message.resize(236, 0);
    message.extend([99, 130, 83, 99, 53, 1, 1, 255]);
    ethernet(BROADCAST, source, IPV4, &udp((Ipv4Addr::UNSPECIFIED, 68), (Ipv4Addr::BROADCAST, 67), &message))
}

/// Asks until the answer comes. For a moment after an end was plugged in or a link came up, what is sent to a guest is
/// lost: the kernel has not heard of the cable yet.
fn until_answered(runtime: &Runtime, guest: &mut GuestCable, number: u8) {
    let asked = (0..10).any(|_| {
        guest.send(&ask(number));
        answered(runtime, guest, number)
    });
    assert!(asked, "no answer {number}");
}

/// Whether the answer with this number comes within a second.
fn answered(runtime: &Runtime, guest: &mut GuestCable, number: u8) -> bool {
    runtime.block_on(async {
        for _ in 0..200 {
            tokio::time::sleep(Duration::from_millis(5)).await;
            while let Some(frame) = guest.next() {
                if contains(&frame, &[2, 1, 6, 0, 0x51, 0x52, 0x53, number]) {
                    return true;
                }
            }
        }
        false
    })
}

#[test]
fn what_is_not_the_adapters_own_is_not_answered() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        host.serve(runtime, &nic(24));
        let mut guest = GuestCable::open(&tap());
        until_answered(runtime, &mut guest, 3);
        let other = [0x0a, 0xc5, 0, 0, 0, 9];
        for (name, frame) in [
            ("another's frame", discover(other, MAC.0, 1)),
            ("another's adapter", discover(MAC.0, other, 1)),
            ("a tag", tagged(&discover(MAC.0, MAC.0, 1), 0x8100, 5)),
            ("two tags", tagged(&tagged(&discover(MAC.0, MAC.0, 1), 0x8100, 5), 0x88a8, 6)),
            ("cut off", discover(MAC.0, MAC.0, 1)[..200].to_vec()),
        ] {
            guest.send(&frame);
            guest.send(&discover(MAC.0, MAC.0, 2));
            let mut numbers: Vec<u8> = Vec::new();
            for _ in 0..1000 {
                let frame = runtime.block_on(async {
                    tokio::time::sleep(Duration::from_millis(2)).await;
                    guest.next()
                });
                let number = |f: Vec<u8>| f.windows(8).find(|w| w.starts_with(&[2, 1, 6, 0, 0x51, 0x52])).map(|w| w[7]);
                numbers.extend(frame.and_then(number).filter(|number| *number != 3));
                if numbers.last() == Some(&2) {
                    break;
                }
            }
            assert_eq!(numbers, [2], "{name}");
        }
    });
}

#[test]
fn a_guest_that_asks_without_end_gets_a_bounded_number_of_answers() {
    in_private_network(|runtime| {
        let host = Host::new(runtime);
        host.serve(runtime, &nic(24));
        let mut guest = GuestCable::open(&tap());
        let begun = SystemTime::now();
        until_answered(runtime, &mut guest, 3);
        let mut answers = 0;
        for _ in 0..20 {
            for _ in 0..50 {
                guest.send(&discover(MAC.0, MAC.0, 7));
            }
            runtime.block_on(async { tokio::time::sleep(Duration::from_millis(20)).await });
            while let Some(frame) = guest.next() {
                answers += u128::from(contains(&frame, &[2, 1, 6, 0, 0x51, 0x52, 0x53, 7]));
            }
        }
        let most = 20 + begun.elapsed().unwrap().as_millis() / 100 + 1;
        assert!((8..=most).contains(&answers), "{answers} of 1000, {most} at most");
    });
}
