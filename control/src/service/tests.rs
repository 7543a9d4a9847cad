//! The life of an order, from money to proof, on the real store.

use csp_shared::{
    generation::SessionEpoch,
    id::{AccountId, HostId, ServerId},
    key_pin::KeyPin,
    message::{Capacity, Enrol, Hello, Inventory, Virt},
    observed::{DomainState, Fault, FaultCode, Observed, Remains},
    spec::{Desired, GuestLimits},
};

use super::{
    add_host::{AddHost, add_host},
    afford::Unaffordable,
    apply_catalog::apply_catalog,
    change_power::{PowerError, change_power},
    create_account::create_account,
    create_key::{CreateKey, create_key},
    credit_account::{CreditAccount, credit_account},
    destroy_server::destroy_server,
    enrol_host::enrol_host,
    expire_orders::expire_action,
    note_key_uses::KeyUses,
    open_console::{TicketError, issue_console_ticket},
    open_session::{Opening, open_session},
    order_server::{OrderError, OrderServer, Ordered, order_server},
    record_alive::record_alive,
    record_report::{Recorded, record_inventory, record_report},
};
use crate::{
    config::AccountLimits,
    domain::{
        address::Pool,
        allowed::Why,
        api_key::KeyTerms,
        billing::destroy::DestroyCredit,
        catalog::{AddressPool, Catalog, Location, OsImage, Package, ServiceType, Size},
        draw::Draw,
        hostname::Hostname,
        label::Label,
        money::Cents,
        scope::Scopes,
        server::{Request, Status},
        slug::Slug,
        time::{DAY, Time},
    },
    entropy::{Entropy, SeededEntropy},
    schedule,
    store::{HostClass, LeaseState, ServerView, Store, StoreError},
};

const NOW: Time = Time(1_781_092_800);
const QUARANTINE: i64 = 600;

/// A control plane with one host of room for two servers, three addresses, and one account with 10.00.
struct World {
    store: Store,
    entropy: SeededEntropy,
    account: AccountId,
    host: HostId,
    session: SessionEpoch,
    _folder: tempfile::TempDir,
}

const LIMITS: GuestLimits = GuestLimits { disk_iops_max: Some(500), ..GuestLimits::NONE };

fn catalog() -> Catalog {
    let label = |text| Label::parse(text).unwrap();
    let slug = |text| Slug::parse(text).unwrap();
    let image = csp_shared::spec::Image {
        sha256: csp_shared::sha256::Sha256([7; 32]),
        url: "https://images.example.net/debian-12.qcow2".to_owned(),
        format: csp_shared::spec::ImageFormat::Qcow2,
        size_bytes: 1 << 20,
    };
    Catalog {
        locations: vec![Location { slug: slug("here"), name: label("Here"), segments: None }],
        packages: vec![Package {
            slug: slug("starter"),
            kind: ServiceType::Vps,
            name: label("Starter"),
            monthly: Cents::new(400).unwrap(),
            size: Size { cpu: 1, ram_mb: 1024, disk_gb: 10 },
            limits: LIMITS,
            extra_ips_max: 5,
            cpu_models: Vec::new(),
            traffic: None,
        }],
        images: vec![OsImage {
            key: slug("debian-12"),
            kind: None,
            name: label("Debian"),
            version: label("12"),
            file: image,
        }],
        pools: vec![AddressPool {
            slug: slug("public"),
            location: slug("here"),
            range: Pool {
                network: "203.0.113.0/24".parse().unwrap(),
                gateway: "203.0.113.1".parse().unwrap(),
                first: "203.0.113.10".parse().unwrap(),
                last: "203.0.113.12".parse().unwrap(),
            },
            dns: vec!["203.0.113.1".parse().unwrap()],
            extra_monthly: Cents::new(200).unwrap(),
        }],
        promos: vec![],
        private_ranges: Vec::new(),
    }
}

fn hello(machine: &str) -> Hello {
    Hello {
        protocol: 1,
        machine_id: machine.to_owned(),
        boot_id: "boot-1".to_owned(),
        agent_version: "0.1.0".to_owned(),
        capacity: Capacity { cpus: 2, ram_mib: 2048, disk_gib: 100 },
        virt: Virt::Qemu,
        passwords: false,
        networks: false,
    }
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open_inline(&folder.path().join("csp.sqlite")).unwrap();
        let entropy = SeededEntropy::new(1);
        let draw = || entropy.draw();
        let seed = draw();
        store.write(move |tx| apply_catalog(tx, &catalog(), false, seed.clone(), NOW)).await.unwrap();
        let seed = draw();
        let name = Label::parse("someone").unwrap();
        let account = store.write(move |tx| create_account(tx, &name, None, seed.clone(), NOW)).await.unwrap();
        let (seed, amount) = (draw(), Cents::new(1000).unwrap());
        let credit = CreditAccount { account, amount, reference: "bank/1".to_owned(), note: None };
        store.write(move |tx| credit_account(tx, &credit, seed.clone(), NOW)).await.unwrap();
        let add = AddHost {
            name: Slug::parse("host1").unwrap(),
            location: Slug::parse("here").unwrap(),
            class: HostClass::Shared,
            cpu_overcommit: 4,
        };
        let seed = draw();
        let added = store.write(move |tx| add_host(tx, &add, seed.clone(), NOW)).await.unwrap();
        let enrol = Enrol { protocol: 1, token: added.token, machine_id: "machine-1".to_owned() };
        let host = store.write(move |tx| enrol_host(tx, &enrol, KeyPin::of(b"key"), NOW)).await.unwrap();
        let mut world = Self { store, entropy, account, host, session: SessionEpoch(0), _folder: folder };
        world.connect(NOW).await;
        world
    }

    async fn connect(&mut self, now: Time) {
        let (host, hello) = (self.host, hello("machine-1"));
        self.session = self
            .store
            .write(move |tx| {
                let opened = open_session(tx, KeyPin::of(b"key"), &hello, now).and_then(Opening::opened);
                let (_, session) = opened.map_err(|_| StoreError::Closed)?;
                tx.host_inventory(host)?;
                Ok::<_, StoreError>(session)
            })
            .await
            .unwrap();
    }

    async fn order(&self, now: Time) -> Result<Ordered, OrderError> {
        let order = OrderServer {
            account: self.account,
            kind: ServiceType::Vps,
            package: "starter".to_owned(),
            image: "debian-12".to_owned(),
            hostname: Hostname::parse("web1").unwrap(),
            ssh_key: None,
            inline_keys: Vec::new(),
            user_data: None,
            location: None,
            promo: None,
            password_hash: None,
            provision_timeout: 1800,
            limits: AccountLimits::default().limits(),
        };
        let draw = self.entropy.draw();
        self.store.write(move |tx| order_server(tx, &order, draw.clone(), now)).await
    }

    async fn report(&self, session: SessionEpoch, seen: Observed, now: Time) -> Recorded {
        let (host, draw) = (self.host, self.entropy.draw());
        let write = self.store.write(move |tx| {
            record_report(tx, host, session, std::slice::from_ref(&seen), QUARANTINE, draw.clone(), now)
        });
        write.await.unwrap()
    }

    async fn desired(&self, server: ServerId) -> Desired {
        self.store.read(move |r| r.spec_get(server)).await.unwrap().unwrap()
    }

    /// What an agent reports that brought the newest spec about.
    async fn reached(&self, server: ServerId) -> Observed {
        let desired = self.desired(server).await;
        let (domain, remains) = match &desired {
            Desired::Absent(_) => (DomainState::Off, Remains::NOTHING),
            Desired::Present(spec) if spec.should_run() => (DomainState::Running, Remains::UNPROVED),
            Desired::Present(_) => (DomainState::Off, Remains::UNPROVED),
        };
        let version = desired.version();
        Observed {
            server,
            accepted: version,
            accepted_hash: desired.hash(),
            reached: Some(version),
            let_go: None,
            domain,
            disk_epoch: None,
            activity: None,
            arrived_percent: None,
            fault: None,
            remains,
        }
    }

    async fn settle(&self, server: ServerId, now: Time) {
        let seen = self.reached(server).await;
        assert!(!self.report(self.session, seen, now).await.stale);
    }

    async fn view(&self, server: ServerId, now: Time) -> Option<ServerView> {
        let account = self.account;
        self.store.read(move |r| r.server_view(account, server, now)).await.unwrap().map(|(view, _)| view)
    }

    async fn balance(&self) -> i64 {
        let account = self.account;
        self.store.read(move |r| r.account_get(account)).await.unwrap().unwrap().balance.get()
    }

    async fn leases(&self) -> Vec<(String, LeaseState)> {
        let all = self.store.read(|r| r.lease_list()).await.unwrap();
        all.into_iter().map(|lease| (lease.address.to_string(), lease.state)).collect()
    }

    async fn power(&self, server: ServerId, request: Request) -> Result<bool, PowerError> {
        let (account, draw) = (self.account, self.entropy.draw());
        let changed = self.store.write(move |tx| change_power(tx, account, server, request, draw.clone(), NOW)).await;
        changed.map(|changed| changed.action.is_some())
    }

    async fn destroy(&self, server: ServerId, now: Time) {
        let (account, draw) = (self.account, self.entropy.draw());
        self.store
            .write(move |tx| destroy_server(tx, account, server, DestroyCredit::default(), draw.clone(), now))
            .await
            .unwrap();
    }
}

#[tokio::test]
async fn an_order_pays_leases_and_becomes_active_when_its_host_saw_it_run() {
    let world = World::new().await;
    let ordered = world.order(NOW).await.unwrap();
    assert_eq!(world.balance().await, 600);
    assert_eq!(world.leases().await, [("203.0.113.10".to_owned(), LeaseState::Leased)]);
    let view = world.view(ordered.server, NOW).await.unwrap();
    assert_eq!((view.status, view.paid_until), (Status::Provisioning, None));

    let later = NOW.plus(20);
    world.settle(ordered.server, later).await;
    let view = world.view(ordered.server, later).await.unwrap();
    assert_eq!((view.status, view.action), (Status::Online, None));
    assert_eq!(view.paid_until.unwrap().to_string(), "2026-07-10 12:00:20");
    world.settle(ordered.server, later.plus(5)).await;
    let again = world.view(ordered.server, later.plus(5)).await.unwrap();
    assert_eq!(again.paid_until, view.paid_until, "a second Online begins no second period");
}

#[tokio::test]
async fn a_server_keeps_the_bounds_that_it_was_sold_with() {
    let world = World::new().await;
    let server = world.order(NOW).await.unwrap().server;
    let mut tighter = catalog();
    tighter.packages[0].limits = GuestLimits { disk_iops_max: Some(50), ..LIMITS };
    let draw: Draw = world.entropy.draw();
    world.store.write(move |tx| apply_catalog(tx, &tighter, false, draw.clone(), NOW)).await.unwrap();
    let spec = world.store.read(move |read| read.spec_get(server)).await.unwrap();
    let Some(Desired::Present(spec)) = spec else { panic!("no spec") };
    assert_eq!(spec.limits, LIMITS);
}

#[tokio::test]
async fn an_order_that_is_refused_changes_nothing() {
    let world = World::new().await;
    world.order(NOW).await.unwrap();
    world.order(NOW).await.unwrap();
    assert!(
        matches!(world.order(NOW).await, Err(OrderError::Unaffordable(Unaffordable::Short { missing, .. })) if missing.get() == 200)
    );
    assert_eq!((world.balance().await, world.leases().await.len()), (200, 2));
    let silent = world.order(NOW.plus(1000)).await;
    assert!(matches!(silent, Err(OrderError::Unaffordable(Unaffordable::Short { .. }))), "money is looked at first");
}

#[tokio::test]
async fn a_full_or_silent_host_takes_no_order() {
    let world = World::new().await;
    let silent = world.order(NOW.plus(91)).await;
    assert!(matches!(silent, Err(OrderError::NoCapacity { .. })));
    assert_eq!(world.balance().await, 1000);
}

#[tokio::test]
async fn a_host_that_tells_of_less_room_is_given_no_more_than_that() {
    let mut world = World::new().await;
    let old = world.session;
    world.connect(NOW).await;
    let (host, session) = (world.host, world.session);
    let tell = async |session, disk_gib| {
        let size = Capacity { cpus: 2, ram_mib: 2048, disk_gib };
        world.store.write(move |tx| record_alive(tx, host, session, Some(size), NOW)).await.unwrap().stale
    };
    assert!(!tell(session, 9).await);
    assert!(matches!(world.order(NOW).await, Err(OrderError::NoCapacity { .. })), "a server needs 10 GiB");
    assert!(tell(old, 100).await, "what an older connection says is refused");
    assert!(matches!(world.order(NOW).await, Err(OrderError::NoCapacity { .. })), "and changes nothing");
    assert!(!tell(session, 10).await);
    world.order(NOW).await.unwrap();
}

#[tokio::test]
async fn what_a_destroyed_server_held_rests_after_the_proof_and_not_before() {
    let world = World::new().await;
    let server = world.order(NOW).await.unwrap().server;
    world.settle(server, NOW).await;
    let alive = world.reached(server).await;
    world.destroy(server, NOW).await;
    assert_eq!(world.view(server, NOW).await, None, "hidden at once");
    assert_eq!(world.leases().await[0].1, LeaseState::Held);
    // A report from before the tombstone, even one that sees nothing, proves nothing.
    world.report(world.session, Observed { remains: Remains::NOTHING, ..alive }, NOW).await;
    assert_eq!(world.leases().await[0].1, LeaseState::Held);
    let unproved = Observed { remains: Remains { process: true, ..Remains::NOTHING }, ..world.reached(server).await };
    world.report(world.session, unproved, NOW).await;
    assert_eq!(world.leases().await[0].1, LeaseState::Held);

    world.settle(server, NOW).await;
    assert_eq!(world.leases().await, [("203.0.113.10".to_owned(), LeaseState::Resting)]);
    let next = world.order(NOW).await.unwrap().server;
    assert_eq!(world.view(next, NOW).await.unwrap().ips[0].lease.address.to_string(), "203.0.113.11");
    let rested = NOW.plus(QUARANTINE);
    world.store.write(move |tx| tx.lease_free_rested(rested)).await.unwrap();
    assert_eq!(world.leases().await, [("203.0.113.11".to_owned(), LeaseState::Leased)]);
    assert_eq!(world.balance().await, 200, "an active period is not given back");
}

#[tokio::test]
async fn an_order_that_cannot_run_is_refunded_once_and_says_why() {
    let world = World::new().await;
    let server = world.order(NOW).await.unwrap().server;
    let seen = world.reached(server).await;
    let broken = Observed {
        reached: None,
        domain: DomainState::Off,
        fault: Some(Fault::new(FaultCode::ImageChecksum, "/secret/path")),
        ..seen
    };
    let told = world.report(world.session, broken.clone(), NOW).await;
    assert!(
        told.wake && told.faults == [(server, broken.fault.clone().unwrap())],
        "the operator is told, once: {told:?}"
    );
    assert_eq!(world.balance().await, 1000);
    let action = world.store.read(move |r| r.action_list(server)).await.unwrap().remove(0);
    assert_eq!(
        action.host_says.as_deref(),
        Some("image_checksum: /secret/path"),
        "and finds it when the host forgot it"
    );
    let view = world.view(server, NOW).await.unwrap();
    let (code, words) = view.failure.unwrap();
    assert_eq!((view.status, code.as_str()), (Status::Failed, "image_checksum"));
    assert!(!words.contains("secret"));
    assert_eq!(world.report(world.session, broken, NOW).await.faults, [], "and is not told again");
    world.destroy(server, NOW).await;
    assert_eq!(world.balance().await, 1000, "refunded once");
    world.settle(server, NOW).await;
    assert_eq!(world.leases().await[0].1, LeaseState::Resting);
}

#[tokio::test]
async fn an_order_that_is_late_is_refunded_and_a_late_online_does_not_revive_it() {
    let world = World::new().await;
    let server = world.order(NOW).await.unwrap().server;
    let late_online = world.reached(server).await;
    let (draw, at) = (world.entropy.draw(), NOW.plus(1800));
    let overdue = world.store.read(move |r| r.action_overdue(at)).await.unwrap();
    assert_eq!(overdue.len(), 1);
    let host = world.store.write(move |tx| expire_action(tx, &overdue[0], draw.clone(), at)).await.unwrap();
    assert_eq!(host, Some(world.host));
    assert_eq!(world.balance().await, 1000);
    world.report(world.session, late_online, at).await;
    assert_eq!(world.view(server, at).await.unwrap().status, Status::Failed);
    assert_eq!(world.balance().await, 1000);
}

#[tokio::test]
async fn destroying_a_server_that_never_ran_gives_the_money_back() {
    let world = World::new().await;
    let server = world.order(NOW).await.unwrap().server;
    world.destroy(server, NOW).await;
    assert_eq!(world.balance().await, 1000);
}

#[tokio::test]
async fn power_requests_coalesce_and_end_when_the_host_reached_them() {
    let world = World::new().await;
    let server = world.order(NOW).await.unwrap().server;
    let busy = world.power(server, Request::Restart).await;
    assert!(matches!(busy, Err(PowerError::Denied(denied)) if denied.why == Why::Busy));
    world.settle(server, NOW).await;
    assert!(!world.power(server, Request::Start).await.unwrap(), "it runs already");
    assert!(world.power(server, Request::Stop { force: false }).await.unwrap());
    assert!(world.power(server, Request::Start).await.unwrap());
    let actions = world.store.read(move |r| r.action_list(server)).await.unwrap();
    let told: Vec<_> = actions.iter().map(|a| (a.command.as_str(), a.status.as_str())).collect();
    assert_eq!(told, [("create", "done"), ("stop", "superseded"), ("start", "queued")]);
    world.settle(server, NOW).await;
    assert_eq!(world.view(server, NOW).await.unwrap().action, None);
}

#[tokio::test]
async fn a_stale_connection_or_another_hosts_server_changes_nothing() {
    let mut world = World::new().await;
    let server = world.order(NOW).await.unwrap().server;
    let (old, seen) = (world.session, world.reached(server).await);
    world.connect(NOW).await;
    assert!(world.report(old, seen.clone(), NOW).await.stale);
    assert_eq!(world.view(server, NOW).await.unwrap().status, Status::Provisioning);
    let stranger = ServerId(uuid::Uuid::from_u128(9));
    let foreign = Observed { server: stranger, ..seen };
    assert_eq!(world.report(world.session, foreign, NOW).await.foreign, [stranger]);
}

/// A disk that was cloned, key and all.
#[tokio::test]
async fn another_machine_with_a_hosts_key_opens_no_session_and_is_told_of() {
    let mut world = World::new().await;
    let server = world.order(NOW).await.unwrap().server;
    let (host, later) = (world.host, NOW.plus(60));
    let came = world.store.write(move |tx| open_session(tx, KeyPin::of(b"key"), &hello("machine-2"), later)).await;
    assert_eq!(came.unwrap(), Opening::Stranger);
    assert!(Opening::Stranger.opened().is_err(), "it is refused");
    let stranger = async |world: &World| {
        let hosts = world.store.read(|r| r.host_list()).await.unwrap();
        hosts.into_iter().find(|known| known.id == host).unwrap().stranger_at
    };
    assert_eq!(stranger(&world).await, Some(later), "and that is kept");
    assert!(
        !world.report(world.session, world.reached(server).await, later).await.stale,
        "the host's own session goes on"
    );
    world.connect(later).await;
    assert_eq!(stranger(&world).await, Some(later), "the machine may still be there");
    let shown = async |world: &World, at: Time| {
        let hosts = world.store.read(|r| r.host_list()).await.unwrap();
        let standing = hosts.into_iter().find(|known| known.id == host).unwrap().standing(at);
        standing.has_stranger
    };
    assert!(
        shown(&world, later).await && !shown(&world, later.plus(DAY)).await,
        "told of while it tries again and again"
    );
}

#[tokio::test]
async fn a_catalog_applied_twice_changes_nothing_and_a_dry_run_neither() {
    let world = World::new().await;
    let apply = |catalog: Catalog, dry_run| {
        let draw: Draw = world.entropy.draw();
        world.store.write(move |tx| apply_catalog(tx, &catalog, dry_run, draw.clone(), NOW))
    };
    assert_eq!(apply(catalog(), false).await.unwrap(), []);
    let mut dearer = catalog();
    dearer.packages[0].monthly = Cents::new(500).unwrap();
    assert!(apply(dearer, true).await.is_err());
    assert_eq!(apply(catalog(), false).await.unwrap(), []);
}

#[tokio::test]
async fn a_payment_told_twice_is_credited_once() {
    let world = World::new().await;
    let pay = |account, cents| {
        let credit =
            CreditAccount { account, amount: Cents::new(cents).unwrap(), reference: "bank/1".to_owned(), note: None };
        let draw = world.entropy.draw();
        world.store.write(move |tx| credit_account(tx, &credit, draw.clone(), NOW))
    };
    assert!(pay(world.account, 1000).await.unwrap().before);
    assert_eq!(world.balance().await, 1000);
    assert!(pay(world.account, 999).await.is_err(), "the same payment with another amount is a mistake");
}

#[tokio::test]
async fn a_host_that_lost_what_it_was_told_is_told_again() {
    let world = World::new().await;
    let server = world.order(NOW).await.unwrap().server;
    world.settle(server, NOW).await;
    let host = world.host;
    let unreported = || world.store.read(move |r| r.specs_unreported(host));
    assert_eq!(unreported().await.unwrap(), []);
    let (session, draw) = (world.session, world.entropy.draw());
    let empty = Inventory { session, servers: Vec::new(), orphans: Vec::new(), networks: Vec::new() };
    let write = world.store.write(move |tx| record_inventory(tx, host, &empty, QUARANTINE, draw.clone(), NOW));
    assert!(!write.await.unwrap().stale);
    assert_eq!(unreported().await.unwrap().len(), 1);
    assert_eq!(world.leases().await[0].1, LeaseState::Leased, "not being named proves nothing");
}

#[tokio::test]
async fn a_failed_order_stays_visible_for_a_week() {
    let world = World::new().await;
    let server = world.order(NOW).await.unwrap().server;
    let failed_at = NOW.plus(1800);
    schedule::tick(&world.store, &world.entropy, &KeyUses::default(), failed_at).await.unwrap();
    assert_eq!(world.view(server, failed_at).await.unwrap().status, Status::Failed);
    let week = failed_at.plus(7 * DAY);
    schedule::tick(&world.store, &world.entropy, &KeyUses::default(), week.plus(-1)).await.unwrap();
    assert!(world.view(server, week).await.is_some());
    schedule::tick(&world.store, &world.entropy, &KeyUses::default(), week).await.unwrap();
    assert_eq!(world.view(server, week).await, None);
    assert_eq!(world.leases().await[0].1, LeaseState::Held, "hiding it proves nothing");
    let held = world.store.read(move |r| r.server_views_held(None, week)).await.unwrap();
    assert_eq!(held.len(), 1, "the operator still finds it");
}

#[tokio::test]
async fn a_request_that_no_host_confirms_is_told_as_failed_and_stays_asked_for() {
    let world = World::new().await;
    let server = world.order(NOW).await.unwrap().server;
    world.settle(server, NOW).await;
    world.power(server, Request::Stop { force: false }).await.unwrap();
    let late = NOW.plus(1800);
    schedule::tick(&world.store, &world.entropy, &KeyUses::default(), late).await.unwrap();
    let actions = world.store.read(move |r| r.action_list(server)).await.unwrap();
    assert_eq!(actions[1].error.as_ref().map(|(code, _)| code.as_str()), Some("action_timeout"));
    assert!(matches!(world.desired(server).await, Desired::Present(spec) if !spec.should_run()));
}

#[tokio::test]
async fn a_reference_that_only_looks_like_another_is_refused() {
    let world = World::new().await;
    for reference in ["bank/1 ", " bank/1", "  ", "", "a\u{7}"] {
        let amount = Cents::new(100).unwrap();
        let credit = CreditAccount { account: world.account, amount, reference: reference.to_owned(), note: None };
        let draw = world.entropy.draw();
        let refused = world.store.write(move |tx| credit_account(tx, &credit, draw.clone(), NOW)).await;
        assert!(refused.is_err(), "{reference:?}");
    }
    assert_eq!(world.balance().await, 1000);
}

#[tokio::test]
async fn a_host_that_has_not_joined_is_what_was_said_of_it_last() {
    let world = World::new().await;
    let add = |class| {
        let add = AddHost {
            name: Slug::parse("host2").unwrap(),
            location: Slug::parse("here").unwrap(),
            class,
            cpu_overcommit: 2,
        };
        let draw = world.entropy.draw();
        world.store.write(move |tx| add_host(tx, &add, draw.clone(), NOW))
    };
    let first = add(HostClass::Shared).await.unwrap();
    let again = add(HostClass::Dedicated).await.unwrap();
    assert_eq!(first.host, again.host);
    let stored = world.store.read(|r| r.host_by_name("host2")).await.unwrap().unwrap();
    assert_eq!(stored.class, HostClass::Dedicated);
}

#[tokio::test]
async fn whatever_happens_to_a_server_is_told_in_its_order() {
    let world = World::new().await;
    let server = world.order(NOW).await.unwrap().server;
    world.settle(server, NOW).await;
    world.power(server, Request::Stop { force: false }).await.unwrap();
    world.power(server, Request::Start).await.unwrap();
    world.power(server, Request::Stop { force: true }).await.unwrap();
    world.settle(server, NOW).await;
    world.destroy(server, NOW).await;
    world.settle(server, NOW).await;
    let account = world.account;
    let events = world.store.read(move |r| r.event_list(account, 0, 100)).await.unwrap();
    let told: Vec<&str> = events.iter().map(|event| event.kind.as_str()).collect();
    let order = ["balance.credited", "server.created", "balance.debited", "action.queued"];
    let online = ["action.done", "server.service_changed", "server.status_changed"];
    let changes_of_mind = ["action.queued", "action.superseded", "action.queued", "action.superseded", "action.queued"];
    let offline = ["action.done", "server.status_changed"];
    let end = ["server.destroyed", "action.queued", "action.started", "action.done"];
    assert_eq!(told, [&order[..], &online, &changes_of_mind, &offline, &end].concat());
    let positions: Vec<u64> = events.iter().map(|event| event.position).collect();
    assert_eq!(positions, (1..=events.len() as u64).collect::<Vec<_>>());
    assert!(events.iter().skip(1).all(|event| event.server == Some(server)));
}

#[tokio::test]
async fn what_was_refused_is_not_told_and_wakes_nobody() {
    let world = World::new().await;
    let server = world.order(NOW).await.unwrap().server;
    let (account, follower) = (world.account, world.store.follow(world.account));
    let before = world.store.read(move |r| r.events_kept(account)).await.unwrap();
    assert!(world.power(server, Request::Stop { force: false }).await.is_err());
    assert!(!follower.has_changed().unwrap());
    world.settle(server, NOW).await;
    assert!(follower.has_changed().unwrap());
    let after = world.store.read(move |r| r.event_list(account, before.newest, 100)).await.unwrap();
    assert_eq!(after.first().unwrap().position, before.newest + 1, "no position is lost over a refusal");
}

#[tokio::test]
async fn events_are_forgotten_after_a_month_and_positions_go_on() {
    let world = World::new().await;
    let account = world.account;
    let before = world.store.read(move |r| r.events_kept(account)).await.unwrap();
    schedule::tick(&world.store, &world.entropy, &KeyUses::default(), NOW.plus(30 * DAY)).await.unwrap();
    assert_eq!(world.store.read(move |r| r.events_kept(account)).await.unwrap(), before);
    schedule::tick(&world.store, &world.entropy, &KeyUses::default(), NOW.plus(30 * DAY + 1)).await.unwrap();
    let kept = world.store.read(move |r| r.events_kept(account)).await.unwrap();
    assert_eq!((kept.oldest, kept.newest), (before.newest + 1, before.newest));
    assert!(kept.resume(0).gap && !kept.resume(before.newest).gap);
}

/// The pure table says it of every state; this says it of every use case that could.
#[tokio::test]
async fn no_path_starts_a_locked_server() {
    let world = World::new().await;
    let server = world.order(NOW).await.unwrap().server;
    world.settle(server, NOW).await;
    for was in ["online", "off by itself", "stopping", "offline"] {
        match was {
            "off by itself" => {
                let seen = Observed { domain: DomainState::Off, ..world.reached(server).await };
                assert!(!world.report(world.session, seen, NOW).await.stale);
            }
            "stopping" => {
                world.power(server, Request::Start).await.unwrap();
                world.settle(server, NOW).await;
                world.power(server, Request::Stop { force: false }).await.unwrap();
            }
            "offline" => world.settle(server, NOW).await,
            _ => {}
        }
        world.store.write(move |tx| tx.server_lock(server, true)).await.unwrap();
        let before = world.desired(server).await;
        for request in [Request::Start, Request::Restart, Request::Stop { force: true }] {
            let refused = world.power(server, request).await;
            assert!(matches!(refused, Err(PowerError::Denied(d)) if d.why == Why::Suspended), "{request:?}, {was}");
        }
        let (account, draw) = (world.account, world.entropy.draw());
        let terms = KeyTerms { scopes: Scopes::all(), networks: None, expires_at: None };
        let label = Label::parse("key").unwrap();
        let wanted = CreateKey { account, label, terms, limits: AccountLimits::default().limits() };
        let key = world.store.write(move |tx| create_key(tx, &wanted, draw.clone(), NOW)).await.unwrap();
        let draw = world.entropy.draw();
        let ticket = world.store.write(move |tx| {
            issue_console_ticket(tx, account, crate::store::ConsoleRight::Key(key.id), server, draw.clone(), NOW)
        });
        assert!(matches!(ticket.await, Err(TicketError::Denied(d)) if d.why == Why::Suspended), "{was}");
        assert_eq!(world.view(server, NOW).await.unwrap().status, Status::Suspended);
        assert_eq!(world.desired(server).await, before, "{was}");
        world.store.write(move |tx| tx.server_lock(server, false)).await.unwrap();
    }
    assert!(world.power(server, Request::Start).await.unwrap(), "and without the lock it starts");
}
