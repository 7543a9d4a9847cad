//! Every message as it stands on the wire. A change here is a change of what two machines of different age must agree
//! on: added fields are fine, altered or removed ones are not (see `csp_shared::compat`).
#![allow(clippy::unwrap_used, clippy::indexing_slicing, missing_docs)]

use std::fmt::Debug;

use csp_shared::{
    audit::{
        DiskBounds, HeldDomain, HeldFilters, HeldGuest, HeldNetwork, HeldSpec, HeldTap, Holding, HostPart, PoolFile,
    },
    compat::PROTOCOL,
    generation::{BootEpoch, DiskEpoch, Generation, Incarnation, NetworkVersion, SessionEpoch, StartEpoch, Version},
    host_status::{AdapterState, BridgeState, HostStatus, NumaCell, PoolStatus},
    id::{HostId, NetworkId, ServerId},
    limits::{
        FRAME_BYTES_MAX, NETWORK_MEMBERS_MAX, NETWORKS_PER_FRAME_MAX, SAMPLES_PER_FRAME_MAX, SPECS_PER_FRAME_MAX,
        SSH_KEY_BYTES_MAX, SSH_KEYS_MAX, TRAFFIC_PER_FRAME_MAX, USER_DATA_BYTES_MAX,
    },
    mac::Mac,
    message::{
        Capacity, Enrol, FrameError, Hello, Inventory, Message, Orphan, OrphanKind, PasswordRefusal, QuestionId,
        Refusal, ToAgent, ToControl, Virt, batches,
    },
    network::{
        DesiredNetwork, HostNetworks, MemberPlace, NetworkMember, NetworkRemains, NetworkSpec, NetworkTombstone,
        ObservedNetwork, Segment,
    },
    observed::{Activity, DomainState, Fault, FaultCode, Observed, Remains},
    sample::{DiskMoved, Memory, NetworkMoved, Sample},
    secret::Secret,
    sha256::Sha256,
    spec::{
        CpuUse, Desired, GuestLimits, Image, ImageFormat, Login, Nic, NicAddress, NicNetwork, Power, ServerSpec,
        Tombstone,
    },
    traffic::{CountId, EARLIER_MAX, Earlier, Traffic},
};
use proptest::prelude::*;

const SESSION: SessionEpoch = SessionEpoch(7);

fn server() -> ServerId {
    "0192f0c1-2345-7abc-8def-0123456789ab".parse().unwrap()
}

fn host() -> HostId {
    "0192f0c1-0000-7000-8000-000000000001".parse().unwrap()
}

fn version(generation: u64) -> Version {
    Version { incarnation: Incarnation(1), generation: Generation(generation) }
}

fn mac() -> Mac {
    "52:54:00:12:34:56".parse().unwrap()
}

fn spec() -> ServerSpec {
    ServerSpec {
        server: server(),
        version: version(3),
        hostname: "web.example.org".to_owned(),
        cpus: 2,
        ram_mib: 4096,
        disk_gib: 80,
        cpu_use: CpuUse::Shared,
        power: Power::On,
        locked: false,
        start_epoch: StartEpoch(1),
        boot_epoch: BootEpoch(1),
        disk_epoch: DiskEpoch(1),
        image: Image {
            sha256: Sha256::of(b"image"),
            url: "https://images.example.org/debian-12.qcow2".to_owned(),
            format: ImageFormat::Qcow2,
            size_bytes: 190_000_000,
        },
        login: Login {
            ssh_keys: vec!["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJtJ web".to_owned()],
            password_hash: Some("$6$salt$hash".to_owned()),
        },
        nics: vec![Nic {
            name: "net0".to_owned(),
            mac: mac(),
            network: NicNetwork::Public,
            addresses: vec![NicAddress {
                address: "203.0.113.10".parse().unwrap(),
                prefix_len: 24,
                gateway: Some("203.0.113.1".parse().unwrap()),
            }],
            dns: vec!["203.0.113.1".parse().unwrap()],
        }],
        user_data: None,
        limits: GuestLimits::NONE,
        smtp_open: false,
        net_held_mbit_per_second: None,
    }
}

fn with_user_data() -> ServerSpec {
    ServerSpec { user_data: Some(Secret::new("#cloud-config\nruncmd: [ls]\n".to_owned())), ..spec() }
}

fn with_limits() -> ServerSpec {
    let limits = GuestLimits {
        cpu_weight: Some(50),
        cpu_percent_max: Some(150),
        disk_iops_max: Some(2_000),
        disk_mib_per_second_max: Some(200),
        net_mbit_per_second_max: Some(500),
    };
    ServerSpec { limits, smtp_open: true, ..spec() }
}

/// Its traffic is used up.
fn held() -> ServerSpec {
    ServerSpec { net_held_mbit_per_second: Some(10), ..spec() }
}

fn welcome_to_traffic() -> ToAgent {
    ToAgent::Welcome { session: SESSION, host: host(), samples: false, networks: false, traffic: true }
}

fn traffic() -> Traffic {
    let total = NetworkMoved { received_bytes: 2000, received_packets: 20, sent_bytes: 3000, sent_packets: 30 };
    let before = NetworkMoved { received_bytes: 1000, ..total };
    let earlier = vec![Earlier { age_seconds: 600, total: before }];
    Traffic { server: server(), count: CountId(server().0), total, earlier }
}

fn network() -> NetworkId {
    "0192f0c1-0000-7000-8000-000000000077".parse().unwrap()
}

/// With a second adapter, in a private network.
fn with_private_nic() -> ServerSpec {
    let mut spec = spec();
    spec.nics.push(Nic {
        name: "net1".to_owned(),
        mac: "0a:c5:00:00:00:01".parse().unwrap(),
        network: NicNetwork::Private { network: network() },
        addresses: vec![NicAddress { address: "10.64.0.2".parse().unwrap(), prefix_len: 24, gateway: None }],
        dns: vec![],
    });
    spec
}

fn over_vxlan() -> DesiredNetwork {
    let member = |last: u8, at| NetworkMember {
        mac: Mac([0x0a, 0xc5, 0, 0, 0, last]),
        addresses: vec![[10, 64, 0, last].into()],
        at,
    };
    let other = "192.0.2.12".parse().unwrap();
    DesiredNetwork::Present(Box::new(NetworkSpec {
        network: network(),
        version: NetworkVersion(version(2)),
        segment: Segment::Vxlan { vni: 4096.try_into().unwrap(), peers: vec![other] },
        mtu: 1450,
        members: vec![member(1, MemberPlace::Here), member(2, MemberPlace::Behind(other))],
    }))
}

/// Every state that a network can be asked to have.
fn desired_networks() -> Vec<DesiredNetwork> {
    let vlan = NetworkSpec {
        network: network(),
        version: NetworkVersion(version(1)),
        segment: Segment::Vlan { tag: 100.try_into().unwrap() },
        mtu: 1500,
        members: vec![NetworkMember { mac: mac(), addresses: vec![], at: MemberPlace::Elsewhere }],
    };
    let gone = NetworkTombstone { network: network(), version: NetworkVersion(version(3)) };
    vec![DesiredNetwork::Present(Box::new(vlan)), over_vxlan(), DesiredNetwork::Absent(gone)]
}

fn observed_networks() -> Vec<ObservedNetwork> {
    let gone = ObservedNetwork {
        network: network(),
        accepted: NetworkVersion(version(3)),
        accepted_hash: Sha256::of(b"gone"),
        reached: Some(NetworkVersion(version(3))),
        fault: None,
        remains: NetworkRemains::NOTHING,
    };
    let waiting = ObservedNetwork {
        reached: None,
        fault: Some(Fault::new(FaultCode::SegmentUnavailable, "this host has no trunk")),
        remains: NetworkRemains::UNPROVED,
        ..gone.clone()
    };
    vec![gone, waiting]
}

fn observed() -> Observed {
    Observed {
        server: server(),
        accepted: version(3),
        accepted_hash: Sha256::of(b"spec"),
        reached: Some(version(2)),
        let_go: None,
        domain: DomainState::Running,
        disk_epoch: Some(DiskEpoch(1)),
        activity: Some(Activity::FetchingImage),
        arrived_percent: Some(40),
        fault: Some(Fault::new(FaultCode::ImageUnreachable, "the image's server did not answer within 30 s")),
        remains: Remains::UNPROVED,
    }
}

fn host_status() -> HostStatus {
    HostStatus {
        cpu_model: "AMD EPYC 7763 64-Core Processor".to_owned(),
        numa_nodes: 2,
        numa_cells: vec![NumaCell { cpus: 64, ram_mib: 128_500 }; 2],
        ram_available_mib: 120_000,
        ram_total_mib: 257_000,
        ram_reserve_mib: 1024,
        disk_reserve_gib: 20,
        pool: Some(PoolStatus {
            total_bytes: 4_000_000_000_000,
            free_bytes: 3_000_000_000_000,
            growth_bytes: 1_000_000_000_000,
            trash_bytes: 1_000_000_000,
            images_bytes: 2_000_000_000,
        }),
        cpu_busy_percent: Some(40),
        cpu_steal_percent: Some(0),
        disk_pressure_percent: Some(3),
        state_free_bytes: Some(1 << 30),
        bridge: Some(BridgeState::Ready),
        adapters: Some(AdapterState::Ready),
    }
}

fn bare() -> Sample {
    Sample { server: server(), over_ms: 15_000, cpu_ns: None, memory: None, disk: None, network: None }
}

fn sample() -> Sample {
    Sample {
        cpu_ns: Some(7_500_000_000),
        memory: Some(Memory { assigned_kib: 4_194_304, resident_kib: Some(2_000_000), used_kib: Some(1_000_000) }),
        disk: Some(DiskMoved {
            read_bytes: 4096,
            read_requests: 1,
            write_bytes: 8192,
            write_requests: 2,
            allocated_bytes: Some(1 << 30),
        }),
        network: Some(NetworkMoved { received_bytes: 1500, received_packets: 1, sent_bytes: 3000, sent_packets: 2 }),
        ..bare()
    }
}

/// One of each thing that a host can hold.
fn holdings() -> Vec<Holding> {
    let file = |file: &str, epoch: Option<u32>| PoolFile {
        file: format!("{}.{file}", server()),
        server: Some(server()),
        epoch: epoch.map(DiskEpoch),
    };
    vec![
        Holding::Spec(HeldSpec {
            server: server(),
            version: version(3),
            hash: Sha256::of(b"spec"),
            tombstone: false,
            reached: Some(version(2)),
            disk_started: Some(DiskEpoch(1)),
            stays_off: false,
        }),
        Holding::Network(HeldNetwork {
            network: network(),
            version: NetworkVersion(version(2)),
            hash: over_vxlan().hash(),
            tombstone: false,
        }),
        Holding::BadNetworkFile { file: "notes.txt".to_owned() },
        Holding::BadSpecFile { file: "notes.txt".to_owned(), server: None },
        Holding::Domain(HeldDomain {
            name: server().to_string(),
            state: DomainState::Running,
            macs: vec![mac()],
            start: StartEpoch(1),
            boot: BootEpoch(1),
            disk: DiskEpoch(1),
            guest: Some(HeldGuest {
                cpus: 2,
                ram_mib: 2048,
                disks: vec![format!("disks/{}.1.qcow2", server())],
                persistent: true,
                autostart: false,
                links_down: vec![mac()],
                disk_bounds: Some(DiskBounds { iops_max: Some(2_000), bytes_per_second_max: None }),
            }),
        }),
        Holding::Process { server: server(), pid: 4711 },
        Holding::Tap(HeldTap {
            name: "csptncycixkfzog".to_owned(),
            owner: Some((server(), mac())),
            plugged: true,
            up: true,
            stray: false,
            mac: Some(mac().of_tap()),
        }),
        Holding::Queue { name: "cspqabc".to_owned(), server: Some(server()) },
        Holding::Filters(HeldFilters {
            table: "csp_0192f0c123457abc8def0123456789ab".to_owned(),
            server: Some(server()),
            mark: Some("00000000000000ab".to_owned()),
            addresses: vec![[203, 0, 113, 10].into()],
            taps: vec!["csptncycixkfzog".to_owned()],
            altered: false,
        }),
        Holding::Guard { stands: true },
        Holding::Pool { mounted: true, detail: String::new() },
        Holding::Disk(file("1.qcow2", Some(1))),
        Holding::Seed(file("00000000000000ab.iso", None)),
        Holding::Console(file("log", None)),
        Holding::Trash(file("1.0.qcow2", Some(1))),
        Holding::Image { file: "a.qcow2".to_owned() },
        Holding::Unseen { part: HostPart::Domains, why: "libvirt is away".to_owned() },
    ]
}

/// Shows a message and proves that what is written is read back.
fn wire<M: Message + PartialEq + Debug>(message: &M) -> String {
    let text = message.encode();
    assert_eq!(&M::decode(&text).unwrap(), message);
    serde_json::to_string_pretty(&serde_json::from_str::<serde_json::Value>(&text).unwrap()).unwrap()
}

#[test]
fn what_an_agent_says_stays_as_it_is() {
    let inventory = Inventory {
        session: SESSION,
        servers: vec![observed()],
        orphans: vec![Orphan {
            name: "old".to_owned(),
            kind: OrphanKind::Domain,
            macs: vec![mac()],
            addresses: vec![],
        }],
        networks: vec![],
    };
    let orphan = Orphan {
        name: "csp_0192f0c100007000800000000000000a".to_owned(),
        kind: OrphanKind::Filters,
        macs: vec![],
        addresses: vec![[203, 0, 113, 10].into()],
    };
    let hello = Hello {
        protocol: PROTOCOL,
        machine_id: "0123456789abcdef0123456789abcdef".to_owned(),
        boot_id: "7d3f5a52-8a11-4f0e-9a57-0c6c9ac1b9a3".to_owned(),
        agent_version: "0.1.0".to_owned(),
        capacity: Capacity { cpus: 32, ram_mib: 257_000, disk_gib: 3500 },
        virt: Virt::Kvm,
        passwords: false,
        networks: false,
    };
    let enrol =
        Enrol { protocol: PROTOCOL, token: Secret::new("join-token".to_owned()), machine_id: hello.machine_id.clone() };
    let idle =
        Observed { reached: None, disk_epoch: None, activity: None, arrived_percent: None, fault: None, ..observed() };
    let messages = [
        ("enrol", ToControl::Enrol(enrol)),
        ("hello", ToControl::Hello(hello.clone())),
        ("hello_with_networks", ToControl::Hello(Hello { networks: true, ..hello.clone() })),
        ("hello_with_passwords", ToControl::Hello(Hello { passwords: true, ..hello.clone() })),
        ("password_set", ToControl::PasswordSet { session: SESSION, request: QuestionId(4), refusal: None }),
        (
            "password_refused",
            ToControl::PasswordSet {
                session: SESSION,
                request: QuestionId(4),
                refusal: Some(PasswordRefusal::NoGuestAgent),
            },
        ),
        ("inventory_part", ToControl::InventoryPart(inventory.clone())),
        ("inventory", ToControl::Inventory(inventory.clone())),
        (
            "inventory_with_networks",
            ToControl::Inventory(Inventory {
                servers: vec![],
                orphans: vec![],
                networks: observed_networks(),
                ..inventory
            }),
        ),
        ("network_reports", ToControl::NetworkReports { session: SESSION, reports: observed_networks() }),
        ("reports", ToControl::Reports { session: SESSION, reports: vec![observed(), idle] }),
        ("alive", ToControl::Alive { session: SESSION, capacity: None, status: None, orphans: None, networks: None }),
        (
            "alive_with_capacity",
            ToControl::Alive {
                session: SESSION,
                capacity: Some(hello.capacity),
                status: None,
                orphans: None,
                networks: None,
            },
        ),
        (
            "alive_with_networks",
            ToControl::Alive {
                session: SESSION,
                capacity: None,
                status: None,
                orphans: None,
                networks: Some(HostNetworks {
                    vlan: true,
                    underlay: Some("192.0.2.11".parse().unwrap()),
                    own_tags: vec![7.try_into().unwrap()],
                }),
            },
        ),
        (
            "alive_with_orphans",
            ToControl::Alive {
                session: SESSION,
                capacity: None,
                status: None,
                orphans: Some(vec![orphan]),
                networks: None,
            },
        ),
        (
            "alive_with_status",
            ToControl::Alive {
                session: SESSION,
                capacity: None,
                status: Some(host_status()),
                orphans: None,
                networks: None,
            },
        ),
        (
            "audit_answer",
            ToControl::AuditAnswer { session: SESSION, request: QuestionId(3), holdings: holdings(), last: true },
        ),
        (
            "samples",
            ToControl::Samples { session: SESSION, samples: vec![sample(), Sample { cpu_ns: Some(1), ..bare() }] },
        ),
        ("traffic", ToControl::Traffic { session: SESSION, traffic: vec![traffic()] }),
        ("console", ToControl::Console { stream: Secret::new("stream".to_owned()) }),
    ];
    for (name, message) in &messages {
        insta::assert_snapshot!(format!("to_control_{name}"), wire(message));
    }
}

#[test]
fn what_the_control_plane_says_stays_as_it_is() {
    let desired =
        vec![Desired::Present(Box::new(spec())), Desired::Absent(Tombstone { server: server(), version: version(4) })];
    let messages = [
        ("enrolled", ToAgent::Enrolled { host: host() }),
        (
            "set_password",
            ToAgent::SetPassword {
                request: QuestionId(4),
                server: server(),
                hash: Secret::new("$6$salt$hash".to_owned()),
            },
        ),
        ("audit", ToAgent::Audit { request: QuestionId(3) }),
        (
            "welcome",
            ToAgent::Welcome { session: SESSION, host: host(), samples: false, networks: false, traffic: false },
        ),
        (
            "welcome_to_samples",
            ToAgent::Welcome { session: SESSION, host: host(), samples: true, networks: false, traffic: false },
        ),
        (
            "welcome_to_networks",
            ToAgent::Welcome { session: SESSION, host: host(), samples: false, networks: true, traffic: false },
        ),
        ("desired_networks", ToAgent::DesiredNetworks { networks: desired_networks() }),
        (
            "desired_with_private_nic",
            ToAgent::Desired { desired: vec![Desired::Present(Box::new(with_private_nic()))] },
        ),
        ("desired", ToAgent::Desired { desired }),
        ("desired_with_limits", ToAgent::Desired { desired: vec![Desired::Present(Box::new(with_limits()))] }),
        ("desired_held", ToAgent::Desired { desired: vec![Desired::Present(Box::new(held()))] }),
        ("welcome_to_traffic", welcome_to_traffic()),
        ("desired_with_user_data", ToAgent::Desired { desired: vec![Desired::Present(Box::new(with_user_data()))] }),
        ("open_console", ToAgent::OpenConsole { stream: Secret::new("stream".to_owned()), server: server() }),
        ("refused", ToAgent::Refused { reason: Refusal::BadToken, message: "make a new one".to_owned() }),
    ];
    for (name, message) in &messages {
        insta::assert_snapshot!(format!("to_agent_{name}"), wire(message));
    }
}

/// A hash is compared across machines and years: it must not change with a build.
#[test]
fn a_specs_hash_stays_as_it_is() {
    insta::assert_snapshot!(Desired::Present(Box::new(spec())).hash().to_string());
}

#[test]
fn a_networks_hash_stays_as_it_is() {
    insta::assert_snapshot!(over_vxlan().hash().to_string());
}

#[test]
fn the_closed_lists_stay_as_they_are() {
    let refusals = [
        Refusal::BadToken,
        Refusal::UnknownKey,
        Refusal::OtherMachine,
        Refusal::Protocol,
        Refusal::Malformed,
        Refusal::Superseded,
    ];
    let activities =
        [Activity::FetchingImage, Activity::Preparing, Activity::Starting, Activity::Stopping, Activity::Removing];
    let domains = [DomainState::Off, DomainState::Running, DomainState::Paused, DomainState::Unknown];
    let powers = [Power::On, Power::Off, Power::ForcedOff];
    let rest = ([CpuUse::Shared, CpuUse::Pinned], [Virt::Kvm, Virt::Qemu], [ImageFormat::Qcow2, ImageFormat::Raw]);
    insta::assert_snapshot!(serde_json::to_string(&(refusals, activities, domains, powers, rest)).unwrap());
}

#[test]
fn a_newer_sides_additional_field_is_ignored() {
    let text = r#"{"type":"alive","session":7,"mood":"fine"}"#;
    assert_eq!(
        ToControl::decode(text).unwrap(),
        ToControl::Alive { session: SESSION, capacity: None, status: None, orphans: None, networks: None }
    );
}

/// An agent that hears an older control plane's Welcome keeps its samples to itself.
#[test]
fn who_does_not_ask_for_samples_gets_none() {
    let text = r#"{"type":"welcome","session":7,"host":"0192f0c1-0000-7000-8000-000000000001"}"#;
    let welcome = ToAgent::Welcome { session: SESSION, host: host(), samples: false, networks: false, traffic: false };
    assert_eq!(ToAgent::decode(text).unwrap(), welcome);
    assert!(!welcome.encode().contains("samples"));
}

/// The longest samples that there can be: a frame of them is small, since reports wait behind it.
#[test]
fn a_frame_of_samples_is_short() {
    let text = serde_json::to_string(&sample()).unwrap();
    let digits = text.replace(|c: char| c.is_ascii_digit(), "").len() + 12 * 20 + 36;
    assert!(digits * SAMPLES_PER_FRAME_MAX < FRAME_BYTES_MAX / 16, "{digits} bytes each");
}

#[test]
fn what_is_no_message_is_refused() {
    for text in
        ["", "{}", "null", "[]", r#"{"type":"run","command":"id"}"#, r#"{"type":"alive"}"#, "{\"type\":\"alive\""]
    {
        assert!(matches!(ToControl::decode(text), Err(FrameError::Malformed(_))), "{text}");
    }
    let long = format!(
        "{}{}",
        ToControl::Alive { session: SESSION, capacity: None, status: None, orphans: None, networks: None }.encode(),
        " ".repeat(FRAME_BYTES_MAX)
    );
    assert!(matches!(ToControl::decode(&long), Err(FrameError::TooLong(_))));
    let many = ToControl::Samples { session: SESSION, samples: vec![bare(); SAMPLES_PER_FRAME_MAX + 1] };
    assert!(matches!(ToControl::decode(&many.encode()), Err(FrameError::TooMany(_))));
    let many = ToControl::Traffic { session: SESSION, traffic: vec![traffic(); TRAFFIC_PER_FRAME_MAX + 1] };
    assert!(matches!(ToControl::decode(&many.encode()), Err(FrameError::TooMany(_))));
    let long = Traffic { earlier: vec![traffic().earlier[0]; EARLIER_MAX + 1], ..traffic() };
    let long = ToControl::Traffic { session: SESSION, traffic: vec![long] };
    assert!(matches!(ToControl::decode(&long.encode()), Err(FrameError::TooMany(_))));
    let many = ToAgent::DesiredNetworks { networks: vec![over_vxlan(); NETWORKS_PER_FRAME_MAX + 1] };
    assert!(matches!(ToAgent::decode(&many.encode()), Err(FrameError::TooMany(_))));
    let many = vec![Desired::Absent(Tombstone { server: server(), version: version(1) }); SPECS_PER_FRAME_MAX + 1];
    assert!(matches!(ToAgent::decode(&ToAgent::Desired { desired: many }.encode()), Err(FrameError::TooMany(_))));
}

/// A secret reaches the wire, where it must, but no log.
#[test]
fn a_join_token_is_not_printed() {
    let enrol = Enrol { protocol: PROTOCOL, token: Secret::new("join-token".to_owned()), machine_id: String::new() };
    assert!(!format!("{:?}", ToControl::Enrol(enrol)).contains("join-token"));
}

/// Customers put tokens into it: it reaches the host, where it must, but no log.
#[test]
fn user_data_is_not_printed() {
    assert!(!format!("{:?}", with_user_data()).contains("runcmd"));
}

/// Every spec at its longest fits a frame, however its texts have to be escaped.
#[test]
fn batches_of_the_longest_specs_fit_a_frame() {
    let mut long = spec();
    long.user_data = Some(Secret::new("\u{1}".repeat(USER_DATA_BYTES_MAX)));
    long.login.ssh_keys = vec!["k".repeat(SSH_KEY_BYTES_MAX); SSH_KEYS_MAX];
    let frames = batches(vec![Desired::Present(Box::new(long)); 300], SPECS_PER_FRAME_MAX);
    let frames: Vec<_> = frames.into_iter().map(|desired| ToAgent::Desired { desired }.encode()).collect();
    assert!(frames.len() > 300 / SPECS_PER_FRAME_MAX, "it is their length that splits them");
    assert!(frames.iter().all(|frame| ToAgent::decode(frame).is_ok()));
}

/// Every network at its largest, with the longest of addresses.
#[test]
fn batches_of_the_largest_networks_fit_a_frame() {
    let DesiredNetwork::Present(mut network) = over_vxlan() else { unreachable!() };
    let far = "2001:db8:1111:2222:3333:4444:5555:6666".parse().unwrap();
    let member = NetworkMember { mac: mac(), addresses: vec![far], at: MemberPlace::Behind(far) };
    network.members = vec![member; NETWORK_MEMBERS_MAX];
    let frames = batches(vec![DesiredNetwork::Present(network); 100], NETWORKS_PER_FRAME_MAX);
    let frames: Vec<_> = frames.into_iter().map(|networks| ToAgent::DesiredNetworks { networks }.encode()).collect();
    assert!(frames.len() > 100 / NETWORKS_PER_FRAME_MAX && frames.iter().all(|frame| ToAgent::decode(frame).is_ok()));
}

/// Every report at its longest, as after a fault of a whole pool: still below the bound of a frame.
#[test]
fn batches_of_the_longest_reports_fit_a_frame() {
    let fault = Fault::new(FaultCode::PoolMissing, &"\u{1}".repeat(10_000));
    let reports = vec![Observed { fault: Some(fault), ..observed() }; 5000];
    let frames: Vec<_> = batches(reports, 4096)
        .into_iter()
        .map(|reports| ToControl::Reports { session: SESSION, reports }.encode())
        .collect();
    assert!(frames.len() > 2);
    assert!(frames.iter().all(|frame| ToControl::decode(frame).is_ok()));
}

proptest! {
    #[test]
    fn batches_keep_every_item_in_order(items in proptest::collection::vec(0u32..1000, 0..200), len_max in 1usize..50) {
        let split = batches(items.clone(), len_max);
        prop_assert!(split.iter().all(|batch| !batch.is_empty() && batch.len() <= len_max));
        prop_assert_eq!(split.concat(), items);
    }
}
