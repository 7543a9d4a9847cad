//! The same link with the real store and the real use cases behind it: from a join token to a running service.

use std::{collections::BTreeSet, sync::Arc};

use csp_agent::link::{
    Join, TcpDial,
    enrolment::{self, EnrolError, Enrolment, Outcome},
};
use csp_control::{
    clock::SetClock,
    config::AccountLimits,
    domain::{
        address::Pool,
        billing::destroy::DestroyCredit,
        catalog::{AddressPool, Catalog, Location, OsImage, Package, PrivateRangeEntry, ServiceType, Size},
        draw::Draw,
        hostname::Hostname,
        label::Label,
        money::Cents,
        segment::{PrivateRange, SegmentKind, Segments},
        server::ServiceStatus,
        slug::Slug,
        time::Time,
    },
    entropy::SeededEntropy,
    fleet::StoreHosts,
    service::{
        add_host::{AddHost, HostAdded, add_host},
        apply_catalog::apply_catalog,
        attach_network::{AttachError, attach_network},
        create_account::create_account,
        create_network::create_network,
        credit_account::{CreditAccount, credit_account},
        delete_network::delete_network,
        destroy_server::destroy_server,
        detach_network::detach_network,
        order_server::{OrderServer, Ordered, order_server},
    },
    store::{HostClass, NetworkState, PlacementState, Store},
};
use csp_link::key_file::Identity;
use csp_shared::{
    id::AccountId,
    message::Refusal,
    network::{DesiredNetwork, NetworkRemains, ObservedNetwork},
    observed::{DomainState, Fault, FaultCode, Observed, Remains},
    sha256::Sha256,
    spec::{CpuUse, GuestLimits, Image, ImageFormat},
};

use crate::rig::{Agent, BOUNDS, Control, Hands, MACHINE, until};

const NOW: Time = Time(1_781_092_800);
const QUARANTINE_SECONDS: i64 = 3600;

fn draw(seed: u8) -> Draw {
    Draw::new([seed; 32])
}

fn slug(text: &str) -> Slug {
    Slug::parse(text).unwrap()
}

fn label(text: &str) -> Label {
    Label::parse(text).unwrap()
}

fn catalog() -> Catalog {
    let file = Image {
        sha256: Sha256::of(b"image"),
        url: "https://images.example.org/debian-12.qcow2".to_owned(),
        format: ImageFormat::Qcow2,
        size_bytes: 1 << 20,
    };
    let range = Pool {
        network: "203.0.113.0/24".parse().unwrap(),
        gateway: "203.0.113.1".parse().unwrap(),
        first: "203.0.113.10".parse().unwrap(),
        last: "203.0.113.20".parse().unwrap(),
    };
    Catalog {
        locations: vec![Location {
            slug: slug("lab"),
            name: label("Lab"),
            segments: Some(Segments {
                kind: SegmentKind::Vxlan,
                first: 7,
                last: 9,
                reserved: BTreeSet::new(),
                mtu: 1450,
            }),
        }],
        packages: vec![Package {
            slug: slug("starter"),
            kind: ServiceType::Vps,
            name: label("Starter"),
            monthly: Cents::new(500).unwrap(),
            size: Size { cpu: 1, ram_mb: 1024, disk_gb: 10 },
            limits: GuestLimits::NONE,
            extra_ips_max: 1,
            cpu_models: Vec::new(),
            traffic: None,
        }],
        images: vec![OsImage { key: slug("debian-12"), kind: None, name: label("Debian"), version: label("12"), file }],
        pools: vec![AddressPool {
            slug: slug("public"),
            location: slug("lab"),
            range,
            dns: vec!["203.0.113.1".parse().unwrap()],
            extra_monthly: Cents::new(100).unwrap(),
        }],
        promos: vec![],
        private_ranges: vec![PrivateRangeEntry {
            slug: slug("private"),
            range: PrivateRange { network: "10.64.0.0/16".parse().unwrap(), subnet_len: 24 },
        }],
    }
}

/// A control plane with a catalog, an account with money, and one host that was added.
struct Stored {
    control: Control<StoreHosts>,
    store: Store,
    clock: Arc<SetClock>,
    account: AccountId,
    added: HostAdded,
    folder: tempfile::TempDir,
}

impl Stored {
    async fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("control.db")).unwrap();
        let clock = Arc::new(SetClock::new(NOW));
        store.write(|tx| apply_catalog(tx, &catalog(), false, draw(1), NOW)).await.unwrap();
        let account = store.write(|tx| create_account(tx, &label("someone"), None, draw(2), NOW)).await.unwrap();
        let amount = Cents::new(5000).unwrap();
        let credit = CreditAccount { account, amount, reference: "payment-1".to_owned(), note: None };
        store.write(move |tx| credit_account(tx, &credit, draw(3), NOW)).await.unwrap();
        let host = AddHost { name: slug("host-1"), location: slug("lab"), class: HostClass::Shared, cpu_overcommit: 2 };
        let added = store.write(move |tx| add_host(tx, &host, draw(4), NOW)).await.unwrap();
        let entropy = Arc::new(SeededEntropy::new(1));
        let hosts = StoreHosts::new(store.clone(), clock.clone(), entropy, QUARANTINE_SECONDS);
        let control = Control::with(hosts, Identity::ephemeral().unwrap(), BOUNDS).await;
        Self { control, store, clock, account, added, folder }
    }

    async fn enrol(&self, folder: &str) -> Result<Outcome, EnrolError> {
        let state_dir = self.folder.path().join(folder);
        std::fs::create_dir_all(&state_dir).unwrap();
        let address = self.control.address.to_string();
        let join = Join { control: address.clone(), pins: self.control.pins(), token: self.added.token.clone() };
        enrolment::enrol(&state_dir, &join, MACHINE.to_owned(), &TcpDial::new(address)).await
    }

    fn agent(&self, folder: &str, hands: Hands) -> Agent {
        let (Enrolment { host, pins, .. }, own) = enrolment::load(&self.folder.path().join(folder)).unwrap();
        Agent::with(hands, &own, host, pins, MACHINE, self.control.dial())
    }

    /// Orders once the host is known to take servers.
    async fn order(&self) -> Ordered {
        let order = OrderServer {
            account: self.account,
            kind: ServiceType::Vps,
            package: "starter".to_owned(),
            image: "debian-12".to_owned(),
            hostname: Hostname::parse("web").unwrap(),
            ssh_key: None,
            inline_keys: Vec::new(),
            user_data: None,
            location: None,
            promo: None,
            password_hash: Some("$6$salt$hash".to_owned()),
            provision_timeout: 600,
            limits: AccountLimits::default().limits(),
        };
        let ordered = self.store.write(move |tx| order_server(tx, &order, draw(9), NOW)).await.unwrap();
        self.control.wake.wake(ordered.host);
        ordered
    }

    async fn service(&self, ordered: &Ordered) -> ServiceStatus {
        let server = ordered.server;
        self.store.read(move |read| read.server_get(server)).await.unwrap().unwrap().service
    }

    async fn becomes(&self, ordered: &Ordered, wanted: ServiceStatus) {
        for _ in 0..2000 {
            if self.service(ordered).await == wanted {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(5)).await;
        }
        panic!("not within 10 s: {wanted:?}");
    }
}

fn running(seen: &Observed) -> Observed {
    Observed { domain: DomainState::Running, remains: Remains::UNPROVED, ..seen.clone() }
}

#[tokio::test]
async fn an_order_travels_to_its_host_and_back_and_so_does_its_end() {
    let stored = Stored::start().await;
    stored.enrol("agent").await.unwrap();
    let agent = stored.agent("agent", Hands::answering(running));
    until("the host is known", || agent.hands.heard() == 1).await;

    let ordered = stored.order().await;
    until("the spec is on the host", || agent.hands.held() == 1).await;
    stored.becomes(&ordered, ServiceStatus::Active).await;

    let (account, server) = (stored.account, ordered.server);
    agent.hands.answer_with(Observed::clone);
    stored
        .store
        .write(move |tx| destroy_server(tx, account, server, DestroyCredit::default(), draw(11), NOW))
        .await
        .map(drop)
        .unwrap();
    stored.control.wake.wake(ordered.host);
    for _ in 0..2000 {
        let placement = stored.store.read(move |read| read.placement_get(server)).await.unwrap().unwrap();
        if placement.state == PlacementState::Released {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the proof did not give the place back");
}

#[tokio::test]
async fn a_failed_order_is_buried_and_the_host_is_told() {
    let stored = Stored::start().await;
    stored.enrol("agent").await.unwrap();
    let agent = stored.agent(
        "agent",
        Hands::answering(|seen| Observed {
            reached: None,
            fault: Some(Fault::new(FaultCode::ImageChecksum, "another file")),
            ..seen.clone()
        }),
    );
    until("the host is known", || agent.hands.heard() == 1).await;
    let ordered = stored.order().await;
    stored.becomes(&ordered, ServiceStatus::Failed).await;
    // Nobody woke the session: what it recorded did.
    until("the tombstone is on the host", || agent.hands.taken() == 2).await;
}

#[tokio::test]
async fn a_token_opens_once_for_ten_minutes_and_again_for_the_machine_that_used_it() {
    let stored = Stored::start().await;
    let first = stored.enrol("agent").await.unwrap();
    std::fs::remove_file(stored.folder.path().join("agent/enrolment.json")).unwrap();
    assert_eq!(stored.enrol("agent").await.unwrap(), first, "the answer was lost, the host is the same");
    let other = stored.enrol("another").await.unwrap_err();
    assert!(matches!(other, EnrolError::Refused { reason: Refusal::BadToken, .. }), "{other}");

    let late = Stored::start().await;
    late.clock.advance(601);
    let refused = late.enrol("agent").await.unwrap_err();
    assert!(matches!(refused, EnrolError::Refused { reason: Refusal::BadToken, .. }), "{refused}");
}

#[tokio::test]
async fn a_host_that_falls_silent_and_comes_back_is_counted_again() {
    let stored = Stored::start().await;
    stored.enrol("agent").await.unwrap();
    let loads = |now: Time| stored.store.read(move |read| read.host_loads("lab", None, now));
    assert!(loads(NOW).await.unwrap().is_empty(), "enrolled, never seen");
    let agent = stored.agent("agent", Hands::default());
    until("the host is known", || agent.hands.heard() == 1).await;
    assert_eq!(loads(NOW).await.unwrap()[0].class, CpuUse::Shared);
    stored.clock.advance(1000);
    assert!(loads(NOW.plus(1000)).await.unwrap().is_empty(), "silent for too long");
    drop(agent);
    let again = stored.agent("agent", Hands::default());
    until("the host is back", || again.hands.heard() == 1).await;
    assert_eq!(loads(NOW.plus(1000)).await.unwrap().len(), 1);
}

#[tokio::test]
async fn a_host_hears_of_a_network_before_the_adapter_in_it_and_its_proof_gives_back_what_the_network_had() {
    let stored = Stored::start().await;
    stored.enrol("agent").await.unwrap();
    let hands = Hands::with_networks().await;
    hands.answer_with(running);
    let agent = stored.agent("agent", hands);
    until("the host is known", || agent.hands.heard() == 1).await;
    let ordered = stored.order().await;
    stored.becomes(&ordered, ServiceStatus::Active).await;

    let (account, server) = (stored.account, ordered.server);
    let made = stored.store.write(move |tx| {
        let limits = AccountLimits::default().limits();
        create_network(tx, account, (&label("Back end"), Some(&slug("lab"))), &limits, draw(21), NOW)
    });
    let network = made.await.unwrap();
    let attach =
        move |tx: &mut csp_control::store::Tx<'_>| attach_network(tx, account, (network, server), draw(22), NOW);
    let attached = stored.store.write(attach).await.unwrap();
    stored.control.wake.wake(ordered.host);
    until("both are on the host", || agent.hands.private().len() == 2).await;
    assert_eq!(agent.hands.private(), ["network", "adapter"]);

    let member = (network, attached.member);
    stored.store.write(move |tx| detach_network(tx, account, member, draw(23), NOW)).await.unwrap();
    stored.store.write(move |tx| delete_network(tx, account, network, QUARANTINE_SECONDS, NOW)).await.unwrap();
    stored.control.wake.wake(ordered.host);
    until("it is to be gone", || agent.hands.private().contains(&"no network")).await;
    let networks = agent.hands.networks.clone().unwrap();
    let Some(desired @ DesiredNetwork::Absent(_)) = networks.get(network).await else { panic!("it is kept") };
    let state = || stored.store.read(move |read| read.network_any(network));
    assert_eq!(state().await.unwrap().unwrap().state, NetworkState::Held, "nobody has proved anything");
    networks.tell(ObservedNetwork {
        network,
        accepted: desired.version(),
        accepted_hash: desired.hash(),
        reached: Some(desired.version()),
        fault: None,
        remains: NetworkRemains::NOTHING,
    });
    for _ in 0..2000 {
        if state().await.unwrap().unwrap().state == NetworkState::Resting {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("the proof gave nothing back");
}

#[tokio::test]
async fn no_server_of_a_host_whose_agent_is_too_old_is_put_into_a_network() {
    let stored = Stored::start().await;
    stored.enrol("agent").await.unwrap();
    let agent = stored.agent("agent", Hands::answering(running));
    until("the host is known", || agent.hands.heard() == 1).await;
    let ordered = stored.order().await;
    stored.becomes(&ordered, ServiceStatus::Active).await;
    let (account, server) = (stored.account, ordered.server);
    let refused = stored.store.write(move |tx| {
        let limits = AccountLimits::default().limits();
        let made = create_network(tx, account, (&label("Back end"), None), &limits, draw(21), NOW);
        attach_network(tx, account, (made.unwrap(), server), draw(22), NOW)
    });
    assert!(matches!(refused.await, Err(AttachError::HostCannot)));
}
