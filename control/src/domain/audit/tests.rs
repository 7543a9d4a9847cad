//! One row for each kind of difference, and a clean world that has none.

use std::collections::BTreeSet;

use csp_shared::{
    audit::{DiskBounds, HeldDomain, HeldFilters, HeldGuest, HeldNetwork, HeldSpec, HeldTap, HostPart, PoolFile},
    generation::{BootEpoch, DiskEpoch, Generation, Incarnation, NetworkVersion, StartEpoch},
    id::NetworkId,
    mac::Mac,
    network::{DesiredNetwork, NetworkRemains, NetworkSpec, NetworkTombstone, ObservedNetwork, Segment},
    observed::{Activity, DomainState, Fault, FaultCode, Remains},
    sha256::Sha256,
    spec::{CpuUse, Image, ImageFormat, Login, Nic, NicAddress, NicNetwork, Power, Tombstone},
};
use proptest::{prelude::*, sample::subsequence};
use uuid::Uuid;

use super::*;

const H1: HostId = HostId(Uuid::from_u128(1));
const H2: HostId = HostId(Uuid::from_u128(2));
/// Runs on the first host.
const RUNS: ServerId = ServerId(Uuid::from_u128(11));
/// Powered off by its owner, on the first host.
const OFF: ServerId = ServerId(Uuid::from_u128(12));
/// Runs on the second host.
const OTHER: ServerId = ServerId(Uuid::from_u128(13));
/// Destroyed and proved gone, on the first host.
const GONE: ServerId = ServerId(Uuid::from_u128(14));
/// Nobody's.
const STRANGER: ServerId = ServerId(Uuid::from_u128(99));

/// Of every server.
const SIZE: Size = Size { cpus: 1, ram_mib: 512, disk_gib: 10 };

fn version(generation: u64) -> Version {
    Version { incarnation: Incarnation(1), generation: Generation(generation) }
}

fn number(server: ServerId) -> u8 {
    server.0.as_bytes()[15]
}

fn mac(server: ServerId) -> Mac {
    Mac::for_guest([0, 0, 0, number(server)])
}

fn address(server: ServerId) -> Ipv4Addr {
    [203, 0, 113, number(server)].into()
}

fn tap(server: ServerId) -> String {
    format!("cspt{}", number(server))
}

fn spec(server: ServerId, power: Power) -> ServerSpec {
    ServerSpec {
        server,
        version: version(2),
        hostname: "web".to_owned(),
        cpus: 1,
        ram_mib: 512,
        disk_gib: 10,
        cpu_use: CpuUse::Shared,
        power,
        locked: false,
        start_epoch: StartEpoch(1),
        boot_epoch: BootEpoch(1),
        disk_epoch: DiskEpoch(1),
        image: Image {
            sha256: Sha256::of(b"image"),
            url: "https://images.example.org/a.qcow2".to_owned(),
            format: ImageFormat::Qcow2,
            size_bytes: 1,
        },
        login: Login::default(),
        nics: vec![Nic {
            name: "net0".to_owned(),
            mac: mac(server),
            network: NicNetwork::Public,
            addresses: vec![NicAddress { address: address(server).into(), prefix_len: 24, gateway: None }],
            dns: vec![],
        }],
        user_data: None,
        limits: csp_shared::spec::GuestLimits::NONE,
        smtp_open: false,
        net_held_mbit_per_second: None,
    }
}

fn side(host: HostId, desired: Desired) -> ServerSide {
    let is_gone = matches!(desired, Desired::Absent(_));
    ServerSide {
        server: desired.server(),
        host,
        service: if is_gone { ServiceStatus::Destroyed } else { ServiceStatus::Active },
        place: if is_gone { Place::Released } else { Place::Active },
        sold: SIZE,
        kept: SIZE,
        observed: Some(Observed {
            server: desired.server(),
            accepted: desired.version(),
            accepted_hash: desired.hash(),
            reached: Some(desired.version()),
            let_go: None,
            domain: DomainState::Off,
            disk_epoch: None,
            activity: None,
            arrived_percent: None,
            fault: None,
            remains: if is_gone { Remains::NOTHING } else { Remains::UNPROVED },
        }),
        desired: Some(desired),
        open: vec![],
        changed: false,
    }
}

fn held(desired: &Desired) -> Holding {
    Holding::Spec(HeldSpec {
        server: desired.server(),
        version: desired.version(),
        hash: desired.hash(),
        tombstone: matches!(desired, Desired::Absent(_)),
        reached: Some(desired.version()),
        disk_started: Some(DiskEpoch(1)),
        stays_off: false,
    })
}

fn file(server: ServerId, name: &str, epoch: Option<u32>) -> PoolFile {
    PoolFile { file: format!("{server}.{name}"), server: Some(server), epoch: epoch.map(DiskEpoch) }
}

fn as_sold(server: ServerId) -> HeldGuest {
    let disks = vec![format!("disks/{server}.1.qcow2"), format!("seeds/{server}.0.iso")];
    let (links_down, disk_bounds) = (Vec::new(), Some(DiskBounds::default()));
    HeldGuest { cpus: 1, ram_mib: 512, disks, persistent: true, autostart: false, links_down, disk_bounds }
}

fn domain(server: ServerId, state: DomainState) -> Holding {
    let (start, boot, disk) = (StartEpoch(1), BootEpoch(1), DiskEpoch(1));
    Holding::Domain(HeldDomain {
        name: server.to_string(),
        state,
        macs: vec![mac(server)],
        start,
        boot,
        disk,
        guest: Some(as_sold(server)),
    })
}

/// A private network that is on the first host.
fn network() -> DesiredNetwork {
    DesiredNetwork::Present(Box::new(NetworkSpec {
        network: NetworkId(Uuid::from_u128(21)),
        version: NetworkVersion(version(2)),
        segment: Segment::Vxlan { vni: 4096.try_into().unwrap(), peers: vec![] },
        mtu: 1450,
        members: vec![],
    }))
}

/// One that left it, proved.
fn left() -> DesiredNetwork {
    let network = NetworkId(Uuid::from_u128(22));
    DesiredNetwork::Absent(NetworkTombstone { network, version: NetworkVersion(version(2)) })
}

fn held_network(desired: &DesiredNetwork) -> Holding {
    Holding::Network(HeldNetwork {
        network: desired.network(),
        version: desired.version(),
        hash: desired.hash(),
        tombstone: matches!(desired, DesiredNetwork::Absent(_)),
    })
}

fn network_side(desired: DesiredNetwork) -> NetworkSide {
    let observed = ObservedNetwork {
        network: desired.network(),
        accepted: desired.version(),
        accepted_hash: desired.hash(),
        reached: Some(desired.version()),
        fault: None,
        remains: NetworkRemains::UNPROVED,
    };
    let is_gone = matches!(desired, DesiredNetwork::Absent(_));
    NetworkSide { host: H1, desired, observed: Some(observed), is_gone, changed: false }
}

/// Changes the network that is there.
fn network_held(world: &mut World, change: impl Fn(&mut HeldNetwork)) {
    let there = network().network();
    world.each(|holding| {
        if let Holding::Network(held) = holding
            && held.network == there
        {
            change(held);
        }
    });
}

/// Its host says that it cannot carry the network that is there.
fn network_broken(world: &mut World) {
    let observed = world.networks[0].observed.as_mut().unwrap();
    (observed.reached, observed.fault) = (None, Some(Fault::new(FaultCode::SegmentUnavailable, "for a test")));
}

fn image() -> Holding {
    Holding::Image { file: format!("{}.qcow2.raw", Sha256::of(b"image")) }
}

/// All that a server has on its host while it runs.
fn running(server: ServerId) -> Vec<Holding> {
    let owner = Some((server, mac(server)));
    vec![
        domain(server, DomainState::Running),
        Holding::Process { server, pid: 100 + i32::from(number(server)) },
        Holding::Tap(HeldTap {
            name: tap(server),
            owner,
            plugged: true,
            up: true,
            stray: false,
            mac: Some(mac(server).of_tap()),
        }),
        Holding::Filters(HeldFilters {
            table: format!("csp_{}", server.0.simple()),
            server: Some(server),
            mark: None,
            addresses: vec![address(server)],
            taps: vec![tap(server)],
            altered: false,
        }),
        Holding::Disk(file(server, "1.qcow2", Some(1))),
        Holding::Seed(file(server, "0.iso", None)),
        Holding::Console(file(server, "log", None)),
    ]
}

/// Two hosts, a server that runs on each, one that is off and one that is gone on the first.
fn clean() -> World {
    let present = |server, power| Desired::Present(Box::new(spec(server, power)));
    let (runs, off, other) = (present(RUNS, Power::On), present(OFF, Power::Off), present(OTHER, Power::On));
    let gone = Desired::Absent(Tombstone { server: GONE, version: version(5) });
    let pool = || Holding::Pool { mounted: true, detail: String::new() };
    let first = [
        vec![pool(), held(&runs), held(&off), held(&gone), image()],
        running(RUNS),
        vec![domain(OFF, DomainState::Off), Holding::Disk(file(OFF, "1.qcow2", Some(1)))],
        vec![Holding::Trash(file(GONE, "1.0.qcow2", Some(1)))],
        vec![held_network(&network()), held_network(&left())],
    ]
    .concat();
    let second = [vec![pool(), held(&other), image()], running(OTHER)].concat();
    let lease = |server, state| LeaseSide { address: address(server), server, state, gone: None };
    World {
        hosts: vec![
            HostSide { host: H1, name: "h1".to_owned(), answer: Ok(first) },
            HostSide { host: H2, name: "h2".to_owned(), answer: Ok(second) },
        ],
        servers: vec![side(H1, runs), side(H1, off), side(H2, other), side(H1, gone)],
        leases: vec![
            lease(RUNS, Hold::Leased),
            lease(OFF, Hold::Leased),
            lease(OTHER, Hold::Leased),
            lease(GONE, Hold::Resting),
        ],
        networks: vec![network_side(network()), network_side(left())],
        wallets: vec![],
    }
}

impl World {
    fn server(&mut self, server: ServerId) -> &mut ServerSide {
        self.servers.iter_mut().find(|side| side.server == server).unwrap()
    }

    fn on(&mut self, host: HostId) -> &mut Vec<Holding> {
        self.hosts.iter_mut().find(|side| side.host == host).unwrap().answer.as_mut().unwrap()
    }

    fn add(&mut self, holding: Holding) {
        self.on(H1).push(holding);
    }

    fn drop_if(&mut self, gone: impl Fn(&Holding) -> bool) {
        self.on(H1).retain(|holding| !gone(holding));
    }

    fn each(&mut self, mut change: impl FnMut(&mut Holding)) {
        self.on(H1).iter_mut().for_each(&mut change);
    }
}

type Breaks = fn(&mut World);

/// What is done to a clean world, the only kind of difference that follows, and what it is about.
fn table() -> Vec<(&'static str, Breaks, Kind, &'static str)> {
    use Kind as K;
    vec![
        (
            "a host is silent",
            |w| w.hosts[0].answer = Err("did not answer within 15 s".to_owned()),
            K::HostSilent,
            "host",
        ),
        ("libvirt hangs", unseen, K::PartUnseen, "domains"),
        (
            "no pool",
            |w| w.add(Holding::Pool { mounted: false, detail: "no pool.id".to_owned() }),
            K::PoolMissing,
            "pool",
        ),
        (
            "a pool that fills up",
            |w| w.add(Holding::Pool { mounted: true, detail: "9 bytes are free".to_owned() }),
            K::PoolUnwell,
            "pool",
        ),
        ("a lost spec", |w| w.drop_if(|h| matches!(h, Holding::Spec(s) if s.server == OFF)), K::SpecMissing, "spec"),
        ("a stale spec", |w| spec_held(w, |s| s.version = version(1)), K::SpecBehind, "spec"),
        ("a host ahead", |w| spec_held(w, |s| s.version = version(3)), K::SpecAhead, "spec"),
        ("an edited spec", |w| spec_held(w, |s| s.hash = Sha256::of(b"other")), K::SpecAltered, "spec"),
        ("a spec of nobody", |w| w.add(held(&present(STRANGER))), K::SpecOrphan, "spec"),
        ("a broken file", bad_file, K::SpecDamaged, "file"),
        ("a lost network", |w| w.drop_if(|h| matches!(h, Holding::Network(_))), K::NetworkMissing, "network"),
        (
            "a stale network",
            |w| network_held(w, |n| n.version = NetworkVersion(version(1))),
            K::NetworkBehind,
            "network",
        ),
        (
            "a network ahead",
            |w| network_held(w, |n| n.version = NetworkVersion(version(9))),
            K::NetworkAhead,
            "network",
        ),
        ("an edited network", |w| network_held(w, |n| n.hash = Sha256::of(b"other")), K::NetworkAltered, "network"),
        ("a network that does not work", network_broken, K::NetworkBroken, "network"),
        ("a network that stays", |w| w.networks[1].is_gone = false, K::NetworkHeld, "network"),
        ("a network of nobody", |w| drop(w.networks.remove(0)), K::NetworkOrphan, "network"),
        (
            "a broken network",
            |w| w.add(Holding::BadNetworkFile { file: "notes.txt".to_owned() }),
            K::NetworkDamaged,
            "file notes.txt",
        ),
        ("a gate that cannot be made", faulty, K::ServerFaulty, "network_refused"),
        ("a guest fell", guest_fell, K::GuestDown, "domain"),
        ("a paused guest", |w| domain_of(w, RUNS, |d| d.state = DomainState::Paused), K::GuestPaused, "domain"),
        ("a guest that should be off", guest_up, K::GuestUp, "domain"),
        ("two processes", |w| w.add(Holding::Process { server: RUNS, pid: 7 }), K::ProcessMismatch, "process"),
        ("a process libvirt forgot", |w| w.add(Holding::Process { server: OFF, pid: 7 }), K::ProcessStray, "process 7"),
        ("an adapter less", |w| domain_of(w, RUNS, |d| d.macs.clear()), K::AdapterMismatch, "domain"),
        ("an adapter more", |w| domain_of(w, RUNS, |d| d.macs.push(mac(STRANGER))), K::AdapterForeign, "adapter 0a:"),
        ("another's disk", |w| disk_attached(w, &format!("disks/{OTHER}.1.qcow2")), K::DiskForeign, "disks/"),
        ("a disk of the host", |w| disk_attached(w, "/dev/sda"), K::DiskForeign, "/dev/sda"),
        ("a snapshot", |w| disk_moved(w, &format!("disks/{RUNS}.1.snap1")), K::DiskElsewhere, "snap1"),
        ("a file that was replaced", |w| disk_moved(w, "/proc/7/fd/13"), K::DiskElsewhere, "/proc/7/fd/13"),
        ("a copy outside the pool", |w| disk_moved(w, "/srv/copy"), K::DiskElsewhere, "/srv/copy"),
        ("started by libvirt", |w| guest_of(w, |g| g.autostart = true), K::GuestAltered, "autostart"),
        ("a lost mark", |w| tap_of(w, |t| t.owner = None), K::TapMissing, "net0"),
        ("a backup among the disks", |w| w.add(Holding::Disk(file(RUNS, "1.qcow2.bak", None))), K::DiskOther, "bak"),
        ("a lost tap", |w| w.drop_if(|h| matches!(h, Holding::Tap(_))), K::TapMissing, "net0"),
        ("a tap down", |w| tap_of(w, |t| t.up = false), K::TapDisconnected, "cspt11"),
        ("a tap in no bridge", |w| tap_of(w, |t| t.plugged = false), K::TapDisconnected, "cspt11"),
        ("no filters", |w| w.drop_if(|h| matches!(h, Holding::Filters(_))), K::TapUnfiltered, "cspt11"),
        ("a chain is gone", |w| filters_of(w, |f| f.taps.clear()), K::TapUnfiltered, "cspt11"),
        ("a rule more", |w| filters_of(w, |f| f.altered = true), K::FilterAltered, "csp_"),
        ("no guard", |w| w.add(Holding::Guard { stands: false }), K::GuardMissing, "csp_guard"),
        ("another tap with its mark", |w| w.add(twin(mac(RUNS), true, true)), K::TapStray, "tap csptloop"),
        ("one that is disconnected", |w| w.add(twin(mac(RUNS), true, false)), K::TapStray, "tap csptloop"),
        ("a tap of no adapter", |w| w.add(twin(mac(STRANGER), false, true)), K::TapStray, "tap csptloop"),
        ("a foreign address", |w| filters_of(w, |f| f.addresses.push(address(STRANGER))), K::FilterMismatch, "csp_"),
        (
            "a lost disk",
            |w| w.drop_if(|h| matches!(h, Holding::Disk(d) if d.server == Some(OFF))),
            K::DiskMissing,
            "1.qcow2",
        ),
        (
            "a second file of the disk",
            |w| w.add(Holding::Disk(file(RUNS, "1.0.qcow2", Some(1)))),
            K::DiskTwice,
            "1.0.qcow2",
        ),
        ("a second seed", |w| w.add(Holding::Seed(file(RUNS, "1.iso", None))), K::SeedTwice, "seeds"),
        ("another disk", |w| w.add(Holding::Disk(file(RUNS, "2.qcow2", Some(2)))), K::DiskEpoch, "2.qcow2"),
        ("a half-made disk", |w| w.add(Holding::Disk(file(RUNS, "1.qcow2.part", None))), K::DiskEpoch, "part"),
        ("booted from another", |w| domain_of(w, RUNS, |d| d.disk = DiskEpoch(2)), K::DiskEpoch, "domain"),
        ("less memory", |w| guest_of(w, |g| g.ram_mib = 256), K::GuestAltered, "domain"),
        ("more processors", |w| guest_of(w, |g| g.cpus = 2), K::GuestAltered, "domain"),
        ("a pulled cable", |w| guest_of(w, |g| g.links_down.push(mac(RUNS))), K::GuestAltered, "domain"),
        (
            "a bound of its disk",
            |w| guest_of(w, |g| g.disk_bounds = Some(DiskBounds { iops_max: Some(7), ..DiskBounds::default() })),
            K::GuestAltered,
            "domain",
        ),
        ("to be forgotten", |w| guest_of(w, |g| g.persistent = false), K::GuestAltered, "definition"),
        (
            "its disk taken away",
            |w| guest_of(w, |g| g.disks.retain(|d| !d.starts_with("disks"))),
            K::GuestAltered,
            "domain",
        ),
        ("a lost seed", |w| w.drop_if(|h| matches!(h, Holding::Seed(_))), K::SeedMissing, "seed"),
        ("a domain of a dead server", |w| w.add(domain(GONE, DomainState::Running)), K::Remains, "domain"),
        ("a process of a dead server", |w| w.add(Holding::Process { server: GONE, pid: 7 }), K::Remains, "process 7"),
        ("a disk of a dead server", |w| w.add(Holding::Disk(file(GONE, "1.qcow2", Some(1)))), K::Remains, "disk"),
        ("a seed of a dead server", |w| w.add(Holding::Seed(file(GONE, "0.iso", None))), K::Remains, "seed"),
        ("a log of a dead server", |w| w.add(Holding::Console(file(GONE, "log.0", None))), K::Remains, "console"),
        ("a queue of a dead server", |w| w.add(queue_of(Some(GONE))), K::Remains, "queue cspqx"),
        ("held and proved", held_and_proved, K::HeldForNothing, "placement"),
        ("a foreign domain", |w| w.add(foreign_domain()), K::DomainOrphan, "domain mine"),
        (
            "a stranger's process",
            |w| w.add(Holding::Process { server: STRANGER, pid: 7 }),
            K::ProcessOrphan,
            "process 7",
        ),
        ("a tap with our name", |w| w.add(foreign_tap(None)), K::TapOrphan, "tap csptx"),
        ("a tap with our mark", |w| w.add(foreign_tap(Some(STRANGER))), K::TapOrphan, "tap csptx"),
        ("a queue with our name", |w| w.add(queue_of(None)), K::QueueOrphan, "queue cspqx"),
        ("a queue with our mark", |w| w.add(queue_of(Some(STRANGER))), K::QueueOrphan, "queue cspqx"),
        ("a stranger's filters", |w| w.add(foreign_filters(vec![])), K::FilterOrphan, "filter table csp_mine"),
        ("a stranger's disk", |w| w.add(Holding::Disk(file(STRANGER, "1.qcow2", Some(1)))), K::DiskOrphan, "disk"),
        ("a copy of a disk", |w| w.add(Holding::Disk(nameless())), K::DiskOrphan, "disk copy.qcow2"),
        ("a stranger's seed", |w| w.add(Holding::Seed(file(STRANGER, "0.iso", None))), K::SeedOrphan, "seed"),
        ("a stranger's log", |w| w.add(Holding::Console(file(STRANGER, "log", None))), K::ConsoleOrphan, "console"),
        ("a lost spec of the store", |w| w.server(RUNS).desired = None, K::PlaceMismatch, "placement"),
        ("no place any more", place_lost, K::PlaceMismatch, "placement"),
        ("a small place", |w| w.server(RUNS).kept.ram_mib = 256, K::SizeMismatch, "placement"),
        ("a large spec", spec_grown, K::SizeMismatch, "spec"),
        ("a dead server's place", place_kept, K::PlaceMismatch, "placement"),
        ("a dead server's spec", spec_kept, K::PlaceMismatch, "placement"),
        ("leased without a server", |w| w.leases[3].state = Hold::Leased, K::LeaseMismatch, "203.0.113.14"),
        ("held for ever", |w| w.leases[3].state = Hold::Held, K::LeaseMismatch, "203.0.113.14"),
        ("leased and not used", leased_twice, K::LeaseMismatch, "203.0.113.77"),
        ("used and not leased", lease_lost, K::LeaseMissing, "203.0.113.12"),
        ("a stuck action", |w| w.server(OFF).open.push((Command::Stop, version(2))), K::ActionStuck, "stop"),
        ("a wallet", |w| w.wallets.push((AccountId(Uuid::from_u128(5)), 500, -200)), K::Ledger, "account"),
    ]
}

fn present(server: ServerId) -> Desired {
    Desired::Present(Box::new(spec(server, Power::On)))
}

fn unseen(world: &mut World) {
    world.drop_if(|holding| matches!(holding, Holding::Domain(_)));
    world.add(Holding::Unseen { part: HostPart::Domains, why: "libvirt is away".to_owned() });
}

fn guest_of(world: &mut World, change: impl Fn(&mut HeldGuest)) {
    domain_of(world, RUNS, |domain| domain.guest.iter_mut().for_each(&change));
}

fn spec_held(world: &mut World, change: impl Fn(&mut HeldSpec)) {
    world.each(|holding| match holding {
        Holding::Spec(spec) if spec.server == OFF => change(spec),
        _ => {}
    });
}

fn bad_file(world: &mut World) {
    world.drop_if(|holding| matches!(holding, Holding::Spec(spec) if spec.server == OFF));
    world.add(Holding::BadSpecFile { file: format!("{OFF}.json"), server: Some(OFF) });
}

fn domain_of(world: &mut World, server: ServerId, change: impl Fn(&mut HeldDomain)) {
    world.each(|holding| match holding {
        Holding::Domain(domain) if domain.name == server.to_string() => change(domain),
        _ => {}
    });
}

fn disk_moved(world: &mut World, to: &str) {
    guest_of(world, |guest| guest.disks[0] = to.to_owned());
    if let Some(name) = to.strip_prefix("disks/") {
        world.add(Holding::Disk(PoolFile { file: name.to_owned(), server: Some(RUNS), epoch: None }));
    }
}

fn disk_attached(world: &mut World, disk: &str) {
    guest_of(world, |guest| guest.disks.push(disk.to_owned()));
}

fn tap_of(world: &mut World, change: impl Fn(&mut HeldTap)) {
    world.each(|holding| {
        if let Holding::Tap(tap) = holding {
            change(tap)
        }
    });
}

fn filters_of(world: &mut World, change: impl Fn(&mut HeldFilters)) {
    world.each(|holding| {
        if let Holding::Filters(filters) = holding {
            change(filters)
        }
    });
}

fn faulty(world: &mut World) {
    let seen = world.server(RUNS).observed.as_mut().unwrap();
    seen.fault = Some(Fault::new(FaultCode::NetworkRefused, "the interface cspqa carries a name of csp"));
}

fn guest_fell(world: &mut World) {
    domain_of(world, RUNS, |domain| domain.state = DomainState::Off);
    world.drop_if(|holding| matches!(holding, Holding::Process { .. }));
}

fn guest_up(world: &mut World) {
    world.drop_if(|holding| matches!(holding, Holding::Domain(domain) if domain.name == OFF.to_string()));
    world.drop_if(|holding| matches!(holding, Holding::Disk(disk) if disk.server == Some(OFF)));
    running(OFF).into_iter().for_each(|holding| world.add(holding));
}

fn place_kept(world: &mut World) {
    world.server(GONE).place = Place::Active;
    world.leases.remove(3);
}

fn place_lost(world: &mut World) {
    world.server(OFF).place = Place::Released;
    world.drop_if(|h| matches!(h, Holding::Domain(d) if d.name == OFF.to_string()));
    world.drop_if(|h| matches!(h, Holding::Disk(d) if d.server == Some(OFF)));
    world.leases[1].state = Hold::Resting;
}

fn spec_grown(world: &mut World) {
    let Some(Desired::Present(spec)) = &mut world.server(OFF).desired else { unreachable!() };
    spec.disk_gib = 20;
    let hash = world.server(OFF).desired.as_ref().unwrap().hash();
    spec_held(world, |held| held.hash = hash);
}

fn twin(mac: Mac, stray: bool, connected: bool) -> Holding {
    let (name, owner) = ("csptloop".to_owned(), Some((RUNS, mac)));
    Holding::Tap(HeldTap { name, owner, plugged: connected, up: connected, stray, mac: None })
}

fn spec_kept(world: &mut World) {
    world.server(GONE).desired = Some(present(GONE));
    world.drop_if(|holding| matches!(holding, Holding::Spec(spec) if spec.server == GONE));
}

fn held_and_proved(world: &mut World) {
    world.server(GONE).place = Place::Held;
    world.leases[3].state = Hold::Held;
}

fn lease_lost(world: &mut World) {
    world.leases.remove(1);
}

fn leased_twice(world: &mut World) {
    world.leases.push(LeaseSide { address: [203, 0, 113, 77].into(), server: RUNS, state: Hold::Leased, gone: None });
}

fn foreign_domain() -> Holding {
    let Holding::Domain(domain) = domain(STRANGER, DomainState::Running) else { unreachable!() };
    Holding::Domain(HeldDomain { name: "mine".to_owned(), ..domain })
}

fn queue_of(server: Option<ServerId>) -> Holding {
    Holding::Queue { name: "cspqx".to_owned(), server }
}

fn foreign_tap(owner: Option<ServerId>) -> Holding {
    let owner = owner.map(|server| (server, mac(server)));
    Holding::Tap(HeldTap { name: "csptx".to_owned(), owner, plugged: false, up: false, stray: false, mac: None })
}

fn foreign_filters(addresses: Vec<Ipv4Addr>) -> Holding {
    Holding::Filters(HeldFilters {
        table: "csp_mine".to_owned(),
        server: None,
        mark: None,
        addresses,
        taps: vec![],
        altered: false,
    })
}

fn nameless() -> PoolFile {
    PoolFile { file: "copy.qcow2".to_owned(), server: None, epoch: None }
}

#[test]
fn an_image_that_is_gone_is_told_of_every_server_whose_disk_lies_on_it() {
    let mut world = clean();
    world.drop_if(|holding| matches!(holding, Holding::Image { .. }));
    let found = audit(&world);
    let told: Vec<_> = found.iter().map(|finding| (finding.kind, finding.server)).collect();
    assert_eq!(told, [(Kind::ImageMissing, Some(RUNS)), (Kind::ImageMissing, Some(OFF))]);
    assert!(found[0].cure.contains("https://images.example.org/a.qcow2"), "{}", found[0].cure);
}

#[test]
fn what_a_host_cannot_do_is_no_work_under_way_however_long_it_is_asked_for() {
    let mut world = clean();
    guest_fell(&mut world);
    world.server(RUNS).open.push((Command::Restart, version(2)));
    assert!(audit(&world).iter().any(|finding| finding.kind == Kind::GuestDown && finding.in_motion));
    let fault = Fault::new(FaultCode::NetworkRefused, "the tap is somebody's");
    world.server(RUNS).observed.as_mut().unwrap().fault = Some(fault);
    assert!(audit(&world).iter().any(|finding| finding.kind == Kind::GuestDown && !finding.in_motion));
}

#[test]
fn a_reinstall_that_its_host_cannot_do_is_told_by_what_stands_in_its_way_and_not_as_a_defect() {
    let mut world = clean();
    let Some(Desired::Present(spec)) = &mut world.server(RUNS).desired else { unreachable!() };
    (spec.version, spec.disk_epoch) = (version(9), DiskEpoch(2));
    let side = world.server(RUNS);
    side.kept.disk_gib += side.sold.disk_gib;
    side.open.push((Command::Reinstall, version(9)));
    let observed = side.observed.as_mut().unwrap();
    observed.accepted = version(9);
    observed.fault = Some(Fault::new(FaultCode::ImageUnreachable, "no answer"));
    let found = audit(&world);
    let of = |kind| found.iter().find(|finding| finding.kind == kind).unwrap();
    assert!(of(Kind::SizeMismatch).in_motion, "the new disk is kept beside the old one: {found:#?}");
    assert!(of(Kind::DiskEpoch).cure.contains("image_unreachable"), "{found:#?}");
}

#[test]
fn a_package_change_that_waits_for_room_is_told_by_that_and_not_as_the_work_of_a_hand() {
    let mut world = clean();
    guest_of(&mut world, |guest| (guest.ram_mib, guest.cpus) = (256, 2));
    let change = (Command::ChangePackage, version(2));
    world.server(RUNS).open.push(change);
    let seen = world.server(RUNS).observed.as_mut().unwrap();
    (seen.reached, seen.fault) = (None, Some(Fault::new(FaultCode::PoolFull, "9 bytes are free")));
    let found = audit(&world);
    assert!(found.iter().all(|finding| finding.kind != Kind::GuestAltered), "{found:#?}");
    assert!(found.iter().any(|finding| finding.what.contains("pool_full")), "{found:#?}");
    guest_of(&mut world, |guest| guest.links_down.push(mac(RUNS)));
    assert!(audit(&world).iter().any(|finding| finding.kind == Kind::GuestAltered), "a cable is no part of a package");
}

/// Its server's domain perhaps, which somebody renamed.
#[test]
fn a_domain_of_a_foreign_name_is_ended_by_nobody_who_has_not_compared_its_uuid() {
    let mut world = clean();
    world.add(foreign_domain());
    let found = audit(&world);
    let cure = &found[0].cure;
    let at = |words: &str| cure.find(words).unwrap_or_else(|| panic!("{words} is not in: {cure}"));
    assert!(at("`virsh domuuid mine`") < at("`virsh domrename mine UUID`"), "{cure}");
    assert!(at("`virsh domrename mine UUID`") < at("`virsh destroy mine; virsh undefine mine`"), "{cure}");
}

#[test]
fn what_is_left_of_a_dead_server_goes_to_the_trash_by_a_name_that_is_known_there() {
    for (name, epoch, wanted) in [
        ("1.qcow2", Some(1), format!("`mv -n disks/{GONE}.1.qcow2 trash/{GONE}.1.3000000000.0.qcow2`")),
        ("1.0.qcow2", Some(1), format!("move disks/{GONE}.1.0.qcow2 out of the pool of h1")),
        ("1.qcow2.part", None, format!("move disks/{GONE}.1.qcow2.part out of the pool of h1")),
    ] {
        let mut world = clean();
        world.add(Holding::Disk(file(GONE, name, epoch)));
        let found = audit(&world);
        assert!(found[0].kind == Kind::Remains && found[0].cure.contains(&wanted), "{found:#?}");
    }
}

#[test]
fn a_disk_that_a_running_guest_still_holds_open_is_not_to_be_lost_by_a_restart() {
    let mut world = clean();
    world.drop_if(|holding| matches!(holding, Holding::Disk(disk) if disk.server == Some(RUNS)));
    let found = audit(&world);
    assert!(found[0].kind == Kind::DiskMissing && found[0].cure.starts_with("do not restart"), "{found:?}");
}

#[test]
fn a_clean_world_has_no_difference() {
    assert_eq!(audit(&clean()), []);
}

#[test]
fn every_kind_of_difference_is_found_with_its_place_and_cure() {
    let mut tried = BTreeSet::from([Kind::AddressTwice, Kind::ImageMissing]); // have tests of their own: they never come alone
    for (name, breaks, kind, object) in table() {
        let mut world = clean();
        breaks(&mut world);
        let found = audit(&world);
        assert_eq!(
            found.iter().map(|finding| finding.kind).collect::<BTreeSet<_>>(),
            BTreeSet::from([kind]),
            "{name}: {found:#?}"
        );
        let one = &found[0];
        assert!(one.object.contains(object), "{name}: {one:?}");
        assert!(!one.what.is_empty() && !one.cure.is_empty(), "{name}: {one:?}");
        assert!(!one.in_motion, "{name}: nothing is under way");
        tried.insert(kind);
    }
    let untried: Vec<_> = Kind::ALL.iter().filter(|kind| !tried.contains(kind)).collect();
    assert!(untried.is_empty(), "without a row: {untried:?}");
}

/// A restored backup, or an edited uuid: nothing of it may be called anybody's to remove.
#[test]
fn a_server_that_only_its_host_knows_is_one_finding_and_no_command_ends_it() {
    let mut world = clean();
    world.add(held(&present(STRANGER)));
    running(STRANGER).into_iter().for_each(|holding| world.add(holding));
    let found = audit(&world);
    let [one] = &found[..] else { panic!("{found:#?}") };
    assert_eq!((one.kind, one.server), (Kind::SpecOrphan, Some(STRANGER)));
    assert!(one.what.contains("a domain, a process, a tap, filters, a disk, a seed"), "{}", one.what);
    assert!(one.what.contains("left alone until you decide") && !one.cure.contains('`'), "{one:?}");

    let mut world = clean();
    world.add(Holding::BadSpecFile { file: format!("{STRANGER}.json"), server: Some(STRANGER) });
    running(STRANGER).into_iter().for_each(|holding| world.add(holding));
    let found = audit(&world);
    assert!(matches!(&found[..], [one] if one.kind == Kind::SpecDamaged), "{found:#?}");
}

#[test]
fn names_of_kinds_are_their_own() {
    let names: BTreeSet<_> = Kind::ALL.iter().map(|kind| kind.as_str()).collect();
    assert_eq!(names.len(), Kind::ALL.len());
}

#[test]
fn an_address_in_two_tables_is_told_with_both_though_they_are_on_two_hosts() {
    let mut world = clean();
    world.add(foreign_filters(vec![address(OTHER)]));
    let found = audit(&world);
    let twice = found.iter().find(|finding| finding.kind == Kind::AddressTwice).unwrap();
    assert!(twice.what.contains("csp_mine on h1") && twice.what.contains("on h2"), "{}", twice.what);
}

/// Everything that a running server has is torn off: with work under way none of it counts, without it all does.
#[test]
fn what_work_under_way_will_end_is_told_apart() {
    let torn = |mark: Breaks| {
        let mut world = clean();
        world.drop_if(|holding| running(RUNS).contains(holding) && !matches!(holding, Holding::Disk(_)));
        mark(&mut world);
        audit(&world)
    };
    let under_way: [(&str, Breaks); 3] = [
        ("an open action", |w| w.server(RUNS).open.push((Command::Start, version(3)))),
        ("a busy host", |w| w.server(RUNS).observed.as_mut().unwrap().activity = Some(Activity::Starting)),
        ("changed while looked at", |w| w.server(RUNS).changed = true),
    ];
    for (name, mark) in under_way {
        let found = torn(mark);
        assert!(!found.is_empty() && found.iter().all(|finding| finding.in_motion), "{name}: {found:#?}");
    }
    let stuck: [(&str, Breaks); 3] = [
        ("nothing", |_| {}),
        ("a host that does not take its spec", |w| w.server(RUNS).observed.as_mut().unwrap().accepted = version(1)),
        ("a host that says why", |w| {
            let seen = w.server(RUNS).observed.as_mut().unwrap();
            seen.activity = Some(Activity::Preparing);
            seen.fault = Some(Fault::new(FaultCode::NetworkRefused, "no bridge"));
        }),
    ];
    for (name, mark) in stuck {
        let found = torn(mark);
        assert!(!found.is_empty() && found.iter().all(|finding| !finding.in_motion), "{name}: {found:#?}");
    }
}

#[test]
fn what_a_destroyed_server_leaves_is_in_motion_until_its_host_says_that_it_cannot() {
    let mut world = clean();
    let buried = world.server(GONE);
    buried.place = Place::Held;
    buried.open.push((Command::Destroy, version(5)));
    buried.observed.as_mut().unwrap().remains = Remains::UNPROVED;
    world.leases[3].state = Hold::Held;
    world.add(domain(GONE, DomainState::Running));
    assert!(audit(&world).iter().all(|finding| finding.kind == Kind::Remains && finding.in_motion));
    let buried = world.server(GONE);
    buried.open.clear();
    buried.observed.as_mut().unwrap().fault = Some(Fault::new(FaultCode::HypervisorAway, "libvirt is away"));
    let found = audit(&world);
    assert!(found.iter().all(|finding| !finding.in_motion && finding.what.contains("libvirt is away")), "{found:#?}");
}

#[test]
fn a_guest_that_powered_itself_off_is_no_difference() {
    let mut world = clean();
    guest_fell(&mut world);
    world.each(|holding| match holding {
        Holding::Spec(spec) if spec.server == RUNS => spec.stays_off = true,
        _ => {}
    });
    assert_eq!(audit(&world), []);
}

proptest! {
    /// A part that was not seen says nothing: no thing of it is called missing or stray.
    #[test]
    fn what_was_not_seen_is_never_called_missing(hidden in subsequence(HostPart::ALL.to_vec(), 1..=7)) {
        let part_of = |holding: &Holding| match holding {
            Holding::Spec(_) | Holding::BadSpecFile { .. } => HostPart::Specs,
            Holding::Network(_) | Holding::BadNetworkFile { .. } => HostPart::Networks,
            Holding::Domain(_) => HostPart::Domains,
            Holding::Process { .. } => HostPart::Processes,
            Holding::Tap(_) => HostPart::Taps,
            Holding::Filters(_) => HostPart::Filters,
            _ => HostPart::Pool,
        };
        let mut world = clean();
        world.drop_if(|holding| hidden.contains(&part_of(holding)));
        hidden.iter().for_each(|part| world.add(Holding::Unseen { part: *part, why: "away".to_owned() }));
        let found = audit(&world);
        prop_assert_eq!(found.len(), hidden.len());
        prop_assert!(found.iter().all(|finding| finding.kind == Kind::PartUnseen));
    }

    /// A host may be in a stranger's hands: whatever it answers, nothing breaks, and no finding is without a cure.
    #[test]
    fn any_answer_can_be_compared(kept in subsequence(clean().hosts[0].answer.clone().unwrap(), 0..=14), twice in any::<bool>()) {
        let mut world = clean();
        let twice = if twice { kept.clone() } else { vec![] };
        *world.on(H1) = [kept, twice].concat();
        prop_assert!(audit(&world).iter().all(|finding| !finding.what.is_empty() && !finding.cure.is_empty()));
    }
}

#[test]
fn an_address_that_its_server_gave_up_is_held_until_its_host_let_go_and_rests_then() {
    let with = |state, generation| {
        let mut world = clean();
        let gone = Some(version(generation));
        world.leases.push(LeaseSide { address: [203, 0, 113, 78].into(), server: RUNS, state, gone });
        audit(&world).into_iter().map(|finding| finding.kind).collect::<Vec<_>>()
    };
    assert_eq!(with(Hold::Held, 1_000), []);
    assert_eq!(with(Hold::Held, 1), [Kind::LeaseMismatch]);
    assert_eq!(with(Hold::Resting, 1), []);
    assert_eq!(with(Hold::Leased, 1_000), [Kind::LeaseMismatch], "its spec does not have it");
}
