//! Where the matrix plays: a host's bridge with the taps of two servers and an uplink, and the gateway on its other end.

use std::collections::BTreeMap;

use csp_agent::{
    machine::Mark,
    network::{
        checksums, filter,
        filter_rules::ServerFilters,
        gate::Gates,
        links::Links,
        nft,
        shaping::{Shaping, Sides},
        tap::Taps,
        tap_name::TapName,
    },
};
use csp_shared::{id::ServerId, mac::Mac};
use serde_json::json;
use uuid::Uuid;

use super::{
    frame::{IPV4, ethernet, udp},
    host_support::{Frames, GuestCable, Wire, contains, run},
    shapes::{GATEWAY, GATEWAY_MAC, HOST, HOST_MAC, NEIGHBOUR, NEIGHBOUR_MAC, OWN, OWN_MAC, OWN_TOO, Shape, TRIED},
};

const SERVER: ServerId = ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00aa));
const OTHER: ServerId = ServerId(Uuid::from_u128(0x0199_d5c4_8d7e_7000_8000_0000_0000_00bb));
const BRIDGE: &str = "br-test";

/// Frames that are sent before all cables are read.
const AT_ONCE: usize = 50;

/// Where frames come out.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sink {
    Guest,
    Gateway,
    Neighbour,
    Host,
}

pub struct Stage {
    guest: GuestCable,
    neighbour: GuestCable,
    gateway: Wire,
    host: Wire,
    /// Of the last wait.
    wait: u64,
}

impl Stage {
    /// Both servers connected.
    pub fn filtered() -> Self {
        let mut stage = Self::unfiltered();
        stage.connect();
        stage
    }

    /// The neighbour connected; the guest's tap is made, and held, and nothing more.
    pub fn unfiltered() -> Self {
        for command in [
            // It floods everything to everybody: nothing is kept from a sink but by filters.
            "link add br-test address 02:00:00:00:00:02 type bridge ageing_time 0 mcast_snooping 0",
            "link add uplink address 02:00:00:00:00:03 type veth peer name segment",
            "link set uplink master br-test up",
            "link set segment up",
            "link set br-test up",
            "addr add 203.0.113.2/24 dev br-test",
        ] {
            run("ip", &command.split(' ').collect::<Vec<_>>());
        }
        // Where the module is loaded, it would hold fragments back, and that is no work of the filters.
        for table in ["ip", "ip6", "arp"] {
            let _ = std::fs::write(format!("/proc/sys/net/bridge/bridge-nf-call-{table}tables"), "0");
        }
        on_taps(async |taps| {
            taps.make(SERVER, &[Mac(OWN_MAC)]).await.unwrap();
            taps.make(OTHER, &[Mac(NEIGHBOUR_MAC)]).await.unwrap();
        });
        filter::load(&neighbours()).unwrap();
        on_taps(async |taps| taps.set_up(OTHER, &[Mac(NEIGHBOUR_MAC)]).await.unwrap());
        let cable = |server, mac| GuestCable::open(TapName::of(server, Mac(mac)).as_str());
        let mut stage = Self {
            guest: cable(SERVER, OWN_MAC),
            neighbour: cable(OTHER, NEIGHBOUR_MAC),
            gateway: Wire::open("segment"),
            host: Wire::open(BRIDGE),
            wait: 0,
        };
        stage.until_heard(Sink::Neighbour);
        stage
    }

    /// Both servers connected, the guest at a rate that holds none of the matrix back.
    pub fn queued() -> Self {
        let mut stage = Self::filtered();
        filter::load(&ServerFilters { gates: gates(SERVER, OWN_MAC), ..filters(2) }).unwrap();
        stage.until_heard(Sink::Guest);
        stage
    }

    /// And its neighbour too.
    pub fn both_queued() -> Self {
        let mut stage = Self::queued();
        filter::load(&ServerFilters { gates: gates(OTHER, NEIGHBOUR_MAC), ..neighbours() }).unwrap();
        stage.until_heard(Sink::Neighbour);
        stage
    }

    /// As the agent does it: filters, then link.
    pub fn connect(&mut self) {
        load(1);
        on_taps(async |taps| taps.set_up(SERVER, &[Mac(OWN_MAC)]).await.unwrap());
        self.until_heard(Sink::Guest);
    }

    /// The uplink carries frames as a cable does: with their checksums written.
    pub fn write_checksums_at_the_uplink(&self) {
        checksums::finish("uplink").unwrap();
    }

    pub fn take_filters_away(&mut self) {
        filter::remove(SERVER).unwrap();
        filter::remove(OTHER).unwrap();
        let guard = json!({"delete": {"table": {"family": "bridge", "name": "csp_guard"}}});
        nft::apply("take the guard away", &[guard]).unwrap();
    }

    /// How often a shape arrived where, after it was sent so many times.
    pub fn tried(&mut self, shape: &Shape, times: usize) -> BTreeMap<Sink, usize> {
        let mut arrived = BTreeMap::new();
        // A cable that nobody reads holds a few hundred frames.
        for sent in (0..times).step_by(AT_ONCE) {
            for _ in sent..times.min(sent + AT_ONCE) {
                self.put_in(shape);
            }
            for (sink, count) in self.count_all() {
                *arrived.entry(sink).or_default() += count;
            }
        }
        arrived
    }

    /// How many of a guest's frames arrived anywhere; its link is down.
    pub fn sent_unheard(&mut self, shape: &Shape) -> usize {
        self.put_in(shape);
        self.wait += 1;
        self.last_from_gateway(Sink::Neighbour);
        self.last_from_gateway(Sink::Host);
        let gateway = std::iter::from_fn(|| self.gateway.next()).filter(|frame| contains(frame, TRIED)).count();
        gateway + self.count(Sink::Neighbour) + self.count(Sink::Host)
    }

    fn put_in(&mut self, shape: &Shape) {
        match shape.from {
            Sink::Guest => match shape.unfinished {
                Some(checksum) => self.guest.send_unfinished(&shape.frame, checksum),
                None => self.guest.send(&shape.frame),
            },
            _ => self.gateway.send(&shape.frame),
        }
    }

    /// Frames of a cable do not overtake each other, and a cable's work is done when it was sent, or, where a queue stands
    /// in it, when what was sent last arrives: so whatever was to arrive has when the last one does.
    fn count_all(&mut self) -> BTreeMap<Sink, usize> {
        self.wait += 1;
        let last = self.last(Sink::Gateway);
        self.guest.send(&ethernet(GATEWAY_MAC, OWN_MAC, IPV4, &udp((OWN, 1), (GATEWAY, 2), &last)));
        let from_guest = self.count(Sink::Gateway);
        let sinks = [Sink::Guest, Sink::Neighbour, Sink::Host];
        for sink in sinks {
            self.last_from_gateway(sink);
        }
        let others = sinks.into_iter().map(|sink| (sink, self.count(sink)));
        [(Sink::Gateway, from_guest)].into_iter().chain(others).collect()
    }

    /// Stands in the frame that ends the present wait at a sink, and in no other.
    fn last(&self, sink: Sink) -> Vec<u8> {
        format!("LAST {} {sink:?}.", self.wait).into_bytes()
    }

    fn last_from_gateway(&mut self, to: Sink) {
        let (mac, address) = match to {
            Sink::Guest => (OWN_MAC, OWN),
            Sink::Neighbour => (NEIGHBOUR_MAC, NEIGHBOUR),
            _ => (HOST_MAC, HOST),
        };
        let last = self.last(to);
        self.gateway.send(&ethernet(mac, GATEWAY_MAC, IPV4, &udp((GATEWAY, 1), (address, 2), &last)));
    }

    fn count(&mut self, sink: Sink) -> usize {
        let last = self.last(sink);
        let frames: &mut dyn Frames = match sink {
            Sink::Guest => &mut self.guest,
            Sink::Gateway => &mut self.gateway,
            Sink::Neighbour => &mut self.neighbour,
            Sink::Host => &mut self.host,
        };
        frames.count_before(TRIED, &last)
    }

    /// For a moment after a cable was plugged in, or its link came up, what is sent to a guest is lost: the kernel has not
    /// heard of it yet.
    fn until_heard(&mut self, sink: Sink) {
        for _ in 0..1000 {
            self.wait += 1;
            self.last_from_gateway(sink);
            let last = self.last(sink);
            std::thread::sleep(std::time::Duration::from_millis(5));
            let cable = if sink == Sink::Guest { &mut self.guest } else { &mut self.neighbour };
            if std::iter::from_fn(|| cable.next()).any(|frame| contains(&frame, &last)) {
                return;
            }
        }
        panic!("{sink:?} hears nothing");
    }
}

/// The guest's filters, loaded anew under another mark.
pub fn load(mark: u64) {
    filter::load(&filters(mark)).unwrap();
}

fn neighbours() -> ServerFilters {
    ServerFilters { server: OTHER, own: vec![NEIGHBOUR], macs: vec![Mac(NEIGHBOUR_MAC)], ..filters(1) }
}

/// Queues for that tap.
fn gates(server: ServerId, mac: [u8; 6]) -> Gates {
    let tap = nix::net::if_::if_nametoindex(TapName::of(server, Mac(mac)).as_str()).unwrap();
    let sides = Sides { public: [(Mac(mac), tap)].into(), ..Sides::default() };
    on_links(async |links| Shaping::new(links).hold(server, Some(10_000), &sides).await.unwrap())
}

fn filters(mark: u64) -> ServerFilters {
    ServerFilters {
        server: SERVER,
        own: vec![OWN, OWN_TOO],
        macs: vec![Mac(OWN_MAC)],
        private: Vec::new(),
        smtp_open: false,
        gates: Gates::default(),
        mark: Mark(mark),
    }
}

/// Does something by the agent's code, which is gone when it is done.
fn on_taps(work: impl AsyncFnOnce(Taps)) {
    on_links(async |links| work(Taps::new(links, BRIDGE.to_owned())).await);
}

fn on_links<T>(work: impl AsyncFnOnce(Links) -> T) -> T {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async { work(Links::connect().unwrap()).await })
}
