//! A host that does what it is told at once. It speaks through the door that the fleet's listener uses.

use std::sync::{Arc, Mutex};

use csp_control::{
    domain::slug::Slug,
    fleet::{Hosts as _, NewPassword, Offers, StoreHosts},
    service::add_host::{AddHost, add_host},
    store::HostClass,
};
use csp_shared::{
    compat::PROTOCOL,
    generation::SessionEpoch,
    host_status::HostStatus,
    id::{HostId, ServerId},
    key_pin::KeyPin,
    message::{Capacity, Enrol, Hello, Inventory, Orphan, PasswordRefusal, Virt},
    network::{DesiredNetwork, HostNetworks, NetworkRemains, ObservedNetwork},
    observed::{DomainState, Fault, FaultCode, Observed, Remains},
    sample::Sample,
    spec::Desired,
    traffic::Traffic,
};

use tokio::task::JoinHandle;

use super::TestControl;

/// Addresses rest this long in tests, in seconds.
const QUARANTINE: i64 = 60;

/// A connected host.
pub struct TestHost {
    /// Its id.
    pub host: HostId,
    session: SessionEpoch,
    hosts: StoreHosts,
    hello: Hello,
    pin: KeyPin,
}

impl TestHost {
    pub(super) async fn join(control: &TestControl, name: &str, dedicated: bool) -> Self {
        let app = &control.app;
        let hosts = StoreHosts::new(app.store.clone(), app.clock.clone(), app.entropy.clone(), QUARANTINE)
            .with_metrics(app.metrics.clone())
            .with_mail(app.settings.billing.has_mail);
        let (class, cpu_overcommit) = if dedicated { (HostClass::Dedicated, 1) } else { (HostClass::Shared, 4) };
        let (name, location) = (Slug::parse(name).unwrap(), Slug::parse("first").unwrap());
        let pin = KeyPin::of(name.as_str().as_bytes());
        let machine_id = format!("machine-{}", name.as_str());
        let add = AddHost { name: name.clone(), location, class, cpu_overcommit };
        let (draw, now) = (app.draw(), app.now());
        let added = app.store.write(move |tx| add_host(tx, &add, draw.clone(), now)).await.unwrap();
        let enrol = Enrol { protocol: PROTOCOL, token: added.token, machine_id: machine_id.clone() };
        hosts.enrol(enrol, pin).await.unwrap();
        let hello = Hello {
            protocol: PROTOCOL,
            machine_id,
            boot_id: "boot-1".to_owned(),
            agent_version: "0.1.0".to_owned(),
            capacity: Capacity { cpus: 16, ram_mib: 65_536, disk_gib: 1_000 },
            virt: Virt::Kvm,
            passwords: false,
            networks: true,
        };
        let opened = hosts.open_session(hello.clone(), pin).await.unwrap();
        let inventory = Inventory { session: opened.session, servers: vec![], orphans: vec![], networks: Vec::new() };
        let _ = hosts.record_inventory(opened.host, inventory).await.unwrap();
        hosts.record_host_networks(opened.host, opened.session, networks_of(name.as_str())).await.unwrap();
        Self { host: opened.host, session: opened.session, hosts, hello, pin }
    }

    /// The same host over a newer connection.
    pub async fn connected_again(&self) -> Self {
        let opened = self.hosts.open_session(self.hello.clone(), self.pin).await.unwrap();
        let (hosts, hello, pin) = (self.hosts.clone(), self.hello.clone(), self.pin);
        Self { host: opened.host, session: opened.session, hosts, hello, pin }
    }

    /// Whether it may connect.
    pub async fn is_let_in(&self) -> bool {
        self.hosts.open_session(self.hello.clone(), self.pin).await.is_ok()
    }

    /// Tells what servers used; whether the control plane goes on listening.
    pub async fn measured(&self, samples: Vec<Sample>) -> bool {
        self.hosts.record_samples(self.host, self.session, samples).await.is_ok()
    }

    /// Tells what servers carried in all; whether the control plane goes on listening.
    pub async fn counted(&self, traffic: Vec<Traffic>) -> bool {
        self.hosts.record_traffic(self.host, self.session, traffic).await.is_ok()
    }

    /// Tells how it is.
    pub async fn status(&self, status: HostStatus) {
        self.hosts.record_status(self.host, self.session, status).await.unwrap();
    }

    /// Tells what it has that no spec explains.
    pub async fn finds(&self, orphans: Vec<Orphan>) {
        self.hosts.record_orphans(self.host, self.session, orphans).await.unwrap();
    }

    /// Has another size from now on.
    pub async fn has(&self, capacity: Capacity) {
        self.hosts.alive(self.host, self.session, Some(capacity)).await.unwrap();
    }

    /// Tells all that it holds: nothing, and that it could not look for orphans or found none.
    pub async fn tells_nothing(&self) {
        let inventory = Inventory { session: self.session, servers: vec![], orphans: vec![], networks: Vec::new() };
        let _ = self.hosts.record_inventory(self.host, inventory).await.unwrap();
    }

    /// Can do this for private networks from now on.
    pub async fn carries(&self, can: HostNetworks) {
        self.hosts.record_host_networks(self.host, self.session, can).await.unwrap();
    }

    /// What it was not told of private networks before.
    pub async fn networks_to_hear(&self) -> Vec<DesiredNetwork> {
        self.hosts.networks_unreported(self.host).await.unwrap()
    }

    /// Takes all that it was not told of private networks, and reports it as `how` makes of a full success.
    pub async fn says_of_networks(&self, how: impl Fn(ObservedNetwork) -> ObservedNetwork) {
        let wanted = self.networks_to_hear().await;
        let reports = wanted.iter().map(|desired| how(in_order(desired))).collect();
        let _ = self.hosts.record_network_reports(self.host, self.session, reports).await.unwrap();
    }

    /// Says that it lives.
    pub async fn alive(&self) {
        self.hosts.alive(self.host, self.session, None).await.unwrap();
    }

    /// Its line, until what is returned is dropped.
    #[must_use]
    pub fn line(&self, control: &TestControl) -> impl Send + use<> {
        control.app.wake.register(self.host, self.session, Offers::default()).expect("no newer session")
    }

    /// Answers for its guests from now on, until what is returned is dropped.
    #[must_use]
    pub fn with_guests(&self, control: &TestControl) -> TestGuests {
        let offers = Offers { passwords: true, networks: true };
        let session = control.app.wake.register(self.host, self.session, offers).expect("no newer session");
        let book = Arc::<Mutex<GuestBook>>::default();
        let kept = book.clone();
        let task = tokio::spawn(async move {
            loop {
                let (request, NewPassword { server, hash }) = session.password().await;
                let refusal = {
                    let mut book = kept.lock().unwrap();
                    if book.refusal.is_none() {
                        book.taken.push((server, hash.reveal().to_owned()));
                    }
                    book.refusal
                };
                session.password_set(request, refusal);
            }
        });
        TestGuests { book, task }
    }

    /// Brings about all that it was not told of before, and reports it.
    pub async fn obey(&self) {
        self.says_of_networks(|seen| seen).await;
        self.report(settled).await;
    }

    /// Takes all that it was not told of, and reports it as `how` makes of a full success.
    pub async fn says(&self, how: impl Fn(Observed) -> Observed) {
        self.report(|desired| how(settled(desired))).await;
    }

    /// Takes all that it was not told of, and reports that it cannot be brought about.
    pub async fn fail(&self, code: FaultCode) {
        let fault = Fault::new(code, "for a test");
        self.report(|desired| Observed {
            reached: None,
            domain: DomainState::Off,
            fault: Some(fault.clone()),
            ..settled(desired)
        })
        .await;
    }

    /// Reports that a running server powered itself off.
    pub async fn powered_itself_off(&self, control: &TestControl, server: ServerId) {
        let desired = control.app.store.read(move |read| read.spec_get(server)).await.unwrap().unwrap();
        let seen = Observed { domain: DomainState::Off, ..settled(&desired) };
        let _ = self.hosts.record_reports(self.host, self.session, vec![seen]).await.unwrap();
    }

    /// Brings about what it was told of a server before, and reports that.
    pub async fn obeys_late(&self, control: &TestControl, server: ServerId) {
        let desired = control.app.store.read(move |read| read.spec_get(server)).await.unwrap().unwrap();
        let _ = self.hosts.record_reports(self.host, self.session, vec![settled(&desired)]).await.unwrap();
    }

    async fn report(&self, how: impl Fn(&Desired) -> Observed) {
        let wanted = self.hosts.unreported(self.host).await.unwrap();
        let reports = wanted.iter().map(how).collect();
        let _ = self.hosts.record_reports(self.host, self.session, reports).await.unwrap();
    }
}

/// Guests that take every new password, or none.
pub struct TestGuests {
    book: Arc<Mutex<GuestBook>>,
    task: JoinHandle<()>,
}

#[derive(Default)]
struct GuestBook {
    refusal: Option<PasswordRefusal>,
    taken: Vec<(ServerId, String)>,
}

impl TestGuests {
    /// Refuses from now on, or takes again.
    pub fn refuse(&self, refusal: Option<PasswordRefusal>) {
        self.book.lock().unwrap().refusal = refusal;
    }

    /// The hashes that were taken, oldest first.
    #[must_use]
    pub fn taken(&self) -> Vec<(ServerId, String)> {
        self.book.lock().unwrap().taken.clone()
    }
}

impl Drop for TestGuests {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Of an ordinary host, with an address of its own for VXLAN.
fn networks_of(name: &str) -> HostNetworks {
    let last = name.bytes().fold(0u8, u8::wrapping_add);
    HostNetworks { vlan: true, underlay: Some([192, 0, 2, last].into()), own_tags: Vec::new() }
}

/// What a host says that has brought a private network about.
fn in_order(desired: &DesiredNetwork) -> ObservedNetwork {
    let remains = match desired {
        DesiredNetwork::Present(_) => NetworkRemains::UNPROVED,
        DesiredNetwork::Absent(_) => NetworkRemains::NOTHING,
    };
    ObservedNetwork {
        network: desired.network(),
        accepted: desired.version(),
        accepted_hash: desired.hash(),
        reached: Some(desired.version()),
        fault: None,
        remains,
    }
}

/// What a host says that has brought everything about.
fn settled(desired: &Desired) -> Observed {
    let (running, disk_epoch, remains) = match desired {
        Desired::Present(spec) => (spec.should_run(), Some(spec.disk_epoch), Remains::UNPROVED),
        Desired::Absent(_) => (false, None, Remains::NOTHING),
    };
    Observed {
        server: desired.server(),
        accepted: desired.version(),
        accepted_hash: desired.hash(),
        reached: Some(desired.version()),
        let_go: None,
        domain: if running { DomainState::Running } else { DomainState::Off },
        disk_epoch,
        activity: None,
        arrived_percent: None,
        fault: None,
        remains,
    }
}
