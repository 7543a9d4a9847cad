//! The control plane of a history: the real store and use cases. A crash loses its connections and keeps its file.

use std::{
    fs,
    path::{Path, PathBuf},
    sync::{Arc, LazyLock, Mutex, OnceLock},
};

use axum::Router;

use csp_control::{
    api::{self, App, Settings},
    clock::{Clock, SetClock},
    config::{AccountLimits, Brand, Orders, PublicUrl, RateLimits, SignUpRules},
    domain::{
        address::Pool,
        billing::rules::Rules,
        catalog::{AddressPool, Catalog, Location, OsImage, Package, ServiceType, Size},
        label::Label,
        letter::Delivery,
        money::Cents,
        sign_in::SignUp,
        slug::Slug,
        time::Time,
        vault::Vault,
    },
    entropy::{Entropy, SeededEntropy},
    failpoint::Watch,
    fleet::{Hosts, News, StoreHosts},
    mail::{Courier, outbox::send_due},
    operator, schedule,
    service::{
        add_host::{AddHost, add_host},
        apply_catalog::apply_catalog,
        create_account::create_account,
        credit_account::{CreditAccount, credit_account},
    },
    store::{HostClass, MailRow, Store},
};
use csp_shared::{
    generation::SessionEpoch,
    id::{AccountId, HostId},
    key_pin::KeyPin,
    limits::{NETWORKS_PER_FRAME_MAX, SPECS_PER_FRAME_MAX},
    message::{Enrol, Message, ToAgent, ToControl},
    sha256::Sha256,
    spec::{GuestLimits, Image, ImageFormat},
};

use super::{fuse::Fuse, wire::Wire};
use csp_tests::fake_stripe::FakeStripe;

pub const PRICE: i64 = 695;
pub const CREDIT: i64 = 20_000;
/// None: an address that is given back without proof is then leased again while its old holder is still there.
pub const QUARANTINE: i64 = 0;
pub const PROVISION_TIMEOUT: i64 = 1800;
/// What whoever signs up accepts.
pub const TERMS: &str = "2026-06";

/// A mail server that takes nothing for now: what is told is told by the operator. Letters with a link it hands on, all the
/// same, and is asked again and again.
struct Busy<'a>(&'a Mutex<Vec<String>>);

impl Courier for Busy<'_> {
    async fn carry(&self, letter: &MailRow) -> Delivery {
        if letter.has_link {
            self.0.lock().unwrap().push(letter.letter.body.clone());
        }
        Delivery::Later("451 busy".to_owned())
    }
}

pub struct Control {
    path: PathBuf,
    pub clock: Arc<SetClock>,
    pub entropy: Arc<SeededEntropy>,
    pub store: Store,
    doors: Doors,
    pub hosts: StoreHosts,
    /// The sessions that this process knows of, by wire.
    pub sessions: Vec<Option<(HostId, SessionEpoch)>>,
    fuse: Option<Fuse>,
    /// Letters with a link, as often as they were sent.
    pub letters: Arc<Mutex<Vec<String>>>,
}

/// By which customers and operators come in, each made when it is first used: most processes of a history see neither.
struct Doors {
    app: App,
    customers: OnceLock<Router>,
    operators: OnceLock<Router>,
}

/// A database with the schema and nothing in it: it is made once, since a history is played for every point of death.
static EMPTY: LazyLock<Vec<u8>> = LazyLock::new(|| {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("csp.sqlite");
    // Closing it writes the log back.
    drop(Store::open_inline(&path).unwrap());
    fs::read(path).unwrap()
});

fn open(path: &Path, fuse: Option<&Fuse>) -> Store {
    let watch = fuse.map(|fuse| Arc::new(fuse.clone()) as Arc<dyn Watch>);
    Store::open_watched(path, watch).unwrap()
}

fn catalog() -> Catalog {
    let (label, slug) = (|text| Label::parse(text).unwrap(), |text| Slug::parse(text).unwrap());
    let file = Image {
        sha256: Sha256::of(b"image"),
        url: "https://images.example.net/debian-12.qcow2".to_owned(),
        format: ImageFormat::Qcow2,
        size_bytes: 1 << 20,
    };
    Catalog {
        locations: vec![Location { slug: slug("here"), name: label("Here"), segments: None }],
        packages: [("starter", PRICE, 1, 10), ("large", 1295, 2, 20), ("small", 395, 1, 5)]
            .map(|(name, cents, cpu, disk_gb)| Package {
                slug: slug(name),
                kind: ServiceType::Vps,
                name: label(name),
                monthly: Cents::new(cents).unwrap(),
                size: Size { cpu, ram_mb: 1024, disk_gb },
                limits: GuestLimits::NONE,
                extra_ips_max: 5,
                cpu_models: Vec::new(),
                traffic: None,
            })
            .to_vec(),
        images: [("debian-12", "12"), ("debian-13", "13")]
            .map(|(key, version)| OsImage {
                key: slug(key),
                kind: None,
                name: label("Debian"),
                version: label(version),
                file: Image { sha256: Sha256::of(version.as_bytes()), ..file.clone() },
            })
            .to_vec(),
        // Fewer addresses than servers that fit: both run out, and addresses come round again.
        pools: vec![AddressPool {
            slug: slug("public"),
            location: slug("here"),
            range: Pool {
                network: "203.0.113.0/24".parse().unwrap(),
                gateway: "203.0.113.1".parse().unwrap(),
                first: "203.0.113.10".parse().unwrap(),
                last: "203.0.113.19".parse().unwrap(),
            },
            dns: vec![],
            extra_monthly: Cents::ZERO,
        }],
        promos: vec![],
        private_ranges: Vec::new(),
    }
}

/// Who takes cards: one for all control planes of a test.
static STRIPE: LazyLock<FakeStripe> = LazyLock::new(FakeStripe::start);

/// What stands on a store.
fn stand(store: &Store, clock: &Arc<SetClock>, entropy: &Arc<SeededEntropy>) -> (Doors, StoreHosts) {
    let settings = Settings {
        public_url: PublicUrl::try_from("https://cloud.example.com".to_owned()).unwrap(),
        advertise: Some("control.example.com:7443".to_owned().try_into().unwrap()),
        pins: [KeyPin::of(b"current"), KeyPin::of(b"next")],
        orders: Orders::default(),
        billing: Rules { has_mail: true, ..Rules::default() },
        limits: AccountLimits::default().limits(),
        brand: Brand::default(),
        logo: None,
        sign_up: SignUpRules { mode: SignUp::Approval, terms_version: Some(TERMS.to_owned()) },
        rate_limits: RateLimits::generous(),
        vault: Vault::new([7; 32]),
        stripe: Some(STRIPE.account()),
        trusted_proxies: Vec::new(),
    };
    let app = App::new(store.clone(), clock.clone(), entropy.clone(), settings);
    let doors = Doors { app, customers: OnceLock::new(), operators: OnceLock::new() };
    (doors, StoreHosts::new(store.clone(), clock.clone(), entropy.clone(), QUARANTINE))
}

impl Control {
    /// A new control plane, with an empty database at `path`.
    pub fn new(
        path: PathBuf,
        clock: Arc<SetClock>,
        entropy: Arc<SeededEntropy>,
        wires: usize,
        fuse: Option<Fuse>,
    ) -> Self {
        fs::write(&path, &*EMPTY).unwrap();
        let store = open(&path, fuse.as_ref());
        let (doors, hosts) = stand(&store, &clock, &entropy);
        Self { path, clock, entropy, store, doors, hosts, sessions: vec![None; wires], fuse, letters: Arc::default() }
    }

    /// The process dies and another one takes over the file.
    pub fn restart(&mut self) {
        self.store = open(&self.path, self.fuse.as_ref());
        (self.doors, self.hosts) = stand(&self.store, &self.clock, &self.entropy);
        self.sessions.fill(None);
    }

    /// The process ends; gives its database.
    pub fn into_database(self) -> Vec<u8> {
        let path = self.path.clone();
        drop(self);
        fs::read(path).unwrap()
    }

    /// The process ends and another one takes over another database. What it draws was not drawn for that one.
    pub fn begin_anew(&mut self, database: &[u8], seed: u64) {
        self.path.set_extension("other");
        fs::write(&self.path, database).unwrap();
        self.entropy = Arc::new(SeededEntropy::new(seed));
        self.restart();
    }

    pub fn customers(&self) -> Router {
        self.doors.customers.get_or_init(|| api::router(self.doors.app.clone())).clone()
    }

    pub fn operators(&self) -> Router {
        self.doors.operators.get_or_init(|| operator::router(self.doors.app.clone())).clone()
    }

    pub fn now(&self) -> Time {
        self.clock.now()
    }

    /// The catalog, hosts that joined, and funded accounts.
    pub async fn furnish(&self, pins: &[(KeyPin, String)], accounts: usize) -> Vec<AccountId> {
        let now = self.now();
        let draw = self.entropy.draw();
        self.store.write(move |tx| apply_catalog(tx, &catalog(), false, draw.clone(), now)).await.unwrap();
        for (number, (pin, machine_id)) in pins.iter().enumerate() {
            let name = Slug::parse(&format!("host-{number}")).unwrap();
            let location = Slug::parse("here").unwrap();
            let add = AddHost { name, location, class: HostClass::Shared, cpu_overcommit: 4 };
            let draw = self.entropy.draw();
            let added = self.store.write(move |tx| add_host(tx, &add, draw.clone(), now)).await.unwrap();
            let enrol = Enrol { protocol: 1, token: added.token, machine_id: machine_id.clone() };
            assert_eq!(self.hosts.enrol(enrol, *pin).await.unwrap(), added.host);
        }
        let mut opened = Vec::new();
        for number in 0..accounts {
            let (draw, name) = (self.entropy.draw(), Label::parse("someone").unwrap());
            let account = self.store.write(move |tx| create_account(tx, &name, None, draw.clone(), now)).await.unwrap();
            let (draw, amount) = (self.entropy.draw(), Cents::new(CREDIT).unwrap());
            let credit = CreditAccount { account, amount, reference: format!("bank/{number}"), note: None };
            self.store.write(move |tx| credit_account(tx, &credit, draw.clone(), now)).await.unwrap();
            opened.push(account);
        }
        opened
    }

    /// Takes in one frame of a wire, if there is one, as a session does.
    pub async fn hear(&mut self, index: usize, pin: KeyPin, wire: &mut Wire) {
        let Some(frame) = wire.to_control.pop_front() else { return };
        let heard = match (ToControl::decode(&frame).unwrap(), self.sessions[index]) {
            (ToControl::Hello(hello), None) => self.hosts.open_session(hello, pin).await.map(|opened| {
                self.sessions[index] = Some((opened.host, opened.session));
                wire.to_agent.push_back(
                    ToAgent::Welcome {
                        session: opened.session,
                        host: opened.host,
                        samples: true,
                        networks: true,
                        traffic: true,
                    }
                    .encode(),
                );
                News::None
            }),
            (ToControl::Inventory(inventory), Some((host, _))) => {
                self.hosts.record_inventory(host, inventory).await.map(|_| News::Some)
            }
            (ToControl::Reports { session, reports }, Some((host, _))) => {
                self.hosts.record_reports(host, session, reports).await
            }
            (ToControl::NetworkReports { session, reports }, Some((host, _))) => {
                self.hosts.record_network_reports(host, session, reports).await
            }
            (ToControl::Alive { session, capacity, status, orphans, networks }, Some((host, _))) => {
                let mut alive = self.hosts.alive(host, session, capacity).await;
                if let Some(orphans) = orphans.filter(|_| alive.is_ok()) {
                    alive = self.hosts.record_orphans(host, session, orphans).await;
                }
                if let Some(networks) = networks.filter(|_| alive.is_ok()) {
                    alive = self.hosts.record_host_networks(host, session, networks).await;
                }
                match status {
                    Some(status) if alive.is_ok() => self.hosts.record_status(host, session, status).await,
                    _ => alive,
                }
                .map(|()| News::None)
            }
            (ToControl::Traffic { session, traffic }, Some((host, _))) => {
                self.hosts.record_traffic(host, session, traffic).await
            }
            // A repeated Hello, or a frame of before this process: the session ends.
            _ => return self.end(index, wire),
        };
        match heard {
            Ok(News::Some) => self.tell(index, wire).await,
            Ok(News::None) => {}
            Err(_) => self.end(index, wire),
        }
    }

    fn end(&mut self, index: usize, wire: &mut Wire) {
        self.sessions[index] = None;
        wire.cut();
    }

    /// Sends what the host has not accepted: the rescan, and what a wake does.
    pub async fn tell(&self, index: usize, wire: &mut Wire) {
        let Some((host, _)) = self.sessions[index].filter(|_| wire.up) else { return };
        let desired = self.hosts.unreported(host).await.unwrap();
        let networks = self.hosts.networks_unreported(host).await.unwrap();
        for part in networks.chunks(NETWORKS_PER_FRAME_MAX) {
            wire.to_agent.push_back(ToAgent::DesiredNetworks { networks: part.to_vec() }.encode());
        }
        for part in desired.chunks(SPECS_PER_FRAME_MAX) {
            wire.to_agent.push_back(ToAgent::Desired { desired: part.to_vec() }.encode());
        }
    }

    pub async fn tick(&self) {
        schedule::tick(&self.store, &*self.entropy, &self.doors.app.key_uses, self.now()).await.unwrap();
        let Settings { billing, .. } = &*self.doors.app.settings;
        schedule::billing::look(&self.store, &*self.entropy, billing, &self.doors.app.clock).await.unwrap();
        send_due(&self.store, &Busy(&self.letters), &*self.clock, &*self.entropy).await.unwrap();
    }
}
