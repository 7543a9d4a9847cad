//! A control plane on real sockets, a host that shows screens, and viewers.

use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
    sync::{Arc, Mutex},
    time::Duration,
};

use csp_agent::{
    link::{self, Enrolment, Pace, TcpDial, Workers},
    worker::Stopped,
};
use csp_control::{
    api::{
        self,
        connections::{self, ConnectionBounds},
    },
    domain::slug::Slug,
    fleet::{Bounds, Hosts as _, Listener, StoreHosts},
    service::add_host::{AddHost, add_host},
    store::HostClass,
};
use csp_link::key_file::Identity;
use csp_shared::{
    audit::Holding,
    compat::PROTOCOL,
    id::{HostId, ServerId},
    key_pin::KeyPin,
    message::{Capacity, Enrol, Hello, Orphan, Virt},
    observed::{DomainState, Observed, Remains},
    sha256::Sha256,
    spec::Desired,
};
use csp_tests::test_control::{TestControl, TestCustomer};
use futures_util::{SinkExt as _, StreamExt as _};
use serde_json::json;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpListener, TcpStream, UnixListener, UnixStream},
    sync::{Mutex as AsyncMutex, mpsc},
    task::JoinSet,
    time::timeout,
};
use tokio_tungstenite::{
    WebSocketStream, client_async,
    tungstenite::{self, Message},
};

const MACHINE: &str = "0123456789abcdef0123456789abcdef";
pub const PATIENCE: Duration = Duration::from_secs(20);

/// All of it.
pub struct Rig {
    pub control: TestControl,
    pub api: SocketAddr,
    pub fleet: SocketAddr,
    pub identity: Identity,
    pub host: HostId,
    pub host_key: Identity,
    pub ada: TestCustomer,
    pub screens: Screens,
    tasks: JoinSet<()>,
}

impl Rig {
    /// A control plane, a customer, and a host that is known and not connected.
    pub async fn start() -> Self {
        let control = TestControl::start().await;
        let (api_tcp, fleet_tcp) = (listen().await, listen().await);
        let (api, fleet) = (api_tcp.local_addr().unwrap(), fleet_tcp.local_addr().unwrap());
        let (identity, host_key) = (Identity::ephemeral().unwrap(), Identity::ephemeral().unwrap());
        let app = control.app.clone();
        let mut tasks = JoinSet::new();
        let router = api::router(app.clone());
        let bounds = ConnectionBounds::new(1000, 1000, Vec::new());
        tasks.spawn(async move { connections::serve(api_tcp, router, bounds, std::future::pending()).await });
        let hosts = StoreHosts::new(app.store.clone(), app.clock.clone(), app.entropy.clone(), 60);
        let listener = Listener::new(&identity, hosts.clone(), app.wake.clone(), Bounds::default()).unwrap();
        tasks.spawn(listener.serve(fleet_tcp, std::future::pending()));
        let host = add(&control, &hosts, "host-1", &host_key).await;
        let ada = control.customer("ada", "50").await;
        Self { control, api, fleet, identity, host, host_key, ada, screens: Screens::default(), tasks }
    }

    /// The same with the host connected and a server of Ada's on it, seen running.
    pub async fn with_server() -> (Self, ServerId) {
        let mut rig = Self::start().await;
        rig.connect();
        let server = rig.order().await;
        (rig, server)
    }

    /// Runs the host's agent.
    pub fn connect(&mut self) {
        let (fleet, pin) = (self.fleet.to_string(), self.identity.pin());
        self.tasks.spawn(run_host(fleet, pin, self.host, self.host_key.clone(), self.screens.clone()));
    }

    /// Orders a server for Ada as soon as the host takes one, and waits until it is seen running.
    pub async fn order(&self) -> ServerId {
        self.order_for(&self.ada).await
    }

    /// The same for another customer.
    pub async fn order_for(&self, customer: &TestCustomer) -> ServerId {
        let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a"});
        let mut uuid = None;
        self.until("a host that takes an order", async || {
            let reply = self.control.api("POST", "/servers").by(customer).json(&order).send().await;
            uuid = reply.json["data"]["uuid"].as_str().map(str::to_owned);
            uuid.is_some()
        })
        .await;
        let server = uuid.unwrap();
        self.until("the server to be Online", async || {
            let shown = self.control.api("GET", &format!("/servers/{server}")).by(customer).send().await;
            shown.data()["status"] == "Online"
        })
        .await;
        server.parse().unwrap()
    }

    /// A ticket for the server's console, as it stands in the URL.
    pub async fn ticket(&self, server: ServerId) -> String {
        self.ticket_for(&self.ada, server).await
    }

    /// The same for another customer.
    pub async fn ticket_for(&self, customer: &TestCustomer, server: ServerId) -> String {
        let reply = self.control.api("POST", &format!("/servers/{server}/console")).by(customer).send().await;
        assert_eq!(reply.status.as_u16(), 200, "{}", reply.text);
        reply.data()["url"].as_str().unwrap().split_once('#').unwrap().1.to_owned()
    }

    /// A browser that brought a fresh ticket.
    pub async fn viewer(&self, server: ServerId) -> Viewer {
        let ticket = self.ticket(server).await;
        self.viewer_with(&ticket).await
    }

    /// A browser that brought this text as its ticket.
    pub async fn viewer_with(&self, ticket: &str) -> Viewer {
        let mut viewer = self.stranger().await;
        viewer.0.send(Message::text(ticket)).await.unwrap();
        viewer
    }

    /// A browser that has said nothing yet.
    pub async fn stranger(&self) -> Viewer {
        self.try_stranger().await.unwrap()
    }

    /// The same, or the status with which it was refused.
    pub async fn try_stranger(&self) -> Result<Viewer, u16> {
        let tcp = TcpStream::connect(self.api).await.unwrap();
        match client_async("ws://cloud.example.com/console/stream", tcp).await {
            Ok((socket, _)) => Ok(Viewer(socket)),
            Err(tungstenite::Error::Http(answer)) => Err(answer.status().as_u16()),
            Err(error) => panic!("{error}"),
        }
    }

    pub async fn until(&self, what: &str, mut is_so: impl AsyncFnMut() -> bool) {
        let wait = async {
            while !is_so().await {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        };
        timeout(PATIENCE, wait).await.unwrap_or_else(|_| panic!("not within {} s: {what}", PATIENCE.as_secs()));
    }
}

/// A host's link with the control plane at `fleet`, for ever.
pub async fn run_host(fleet: String, pin: KeyPin, host: HostId, own: Identity, screens: Screens) {
    let enrolment = Enrolment { control: fleet.clone(), pins: vec![pin], host, joined_by: Sha256::of(b"") };
    link::run(TcpDial::new(fleet), &own, &enrolment, &hello(), &screens, Pace::default()).await;
}

/// Lets a key in as a host.
pub async fn add(control: &TestControl, hosts: &StoreHosts, name: &str, key: &Identity) -> HostId {
    let (name, location) = (Slug::parse(name).unwrap(), Slug::parse("first").unwrap());
    let add = AddHost { name, location, class: HostClass::Shared, cpu_overcommit: 4 };
    let (draw, now) = (control.app.draw(), control.app.now());
    let added = control.app.store.write(move |tx| add_host(tx, &add, draw.clone(), now)).await.unwrap();
    let enrol = Enrol { protocol: PROTOCOL, token: added.token, machine_id: MACHINE.to_owned() };
    hosts.enrol(enrol, key.pin()).await.unwrap()
}

pub fn hello() -> Hello {
    Hello {
        protocol: PROTOCOL,
        machine_id: MACHINE.to_owned(),
        boot_id: "7d3f5a52-8a11-4f0e-9a57-0c6c9ac1b9a3".to_owned(),
        agent_version: "0.1.0".to_owned(),
        capacity: Capacity { cpus: 16, ram_mib: 65_536, disk_gib: 1_000 },
        virt: Virt::Kvm,
        passwords: false,
        networks: false,
    }
}

async fn listen() -> TcpListener {
    TcpListener::bind("127.0.0.1:0").await.unwrap()
}

/// What a host has behind its link: it brings everything about at once, and shows a screen for each server.
#[derive(Clone)]
pub struct Screens {
    folder: PathBuf,
    _own: Option<Arc<tempfile::TempDir>>,
    reports: mpsc::UnboundedSender<Observed>,
    news: Arc<AsyncMutex<mpsc::UnboundedReceiver<Observed>>>,
    asked: Arc<Mutex<Vec<ServerId>>>,
}

impl Default for Screens {
    fn default() -> Self {
        let own = Arc::new(tempfile::tempdir().unwrap());
        Self { _own: Some(own.clone()), ..Self::under(own.path()) }
    }
}

impl Screens {
    /// Screens whose sockets are in `folder`.
    pub fn under(folder: &Path) -> Self {
        let (reports, news) = mpsc::unbounded_channel();
        let news = Arc::new(AsyncMutex::new(news));
        Self { folder: folder.to_owned(), _own: None, reports, news, asked: Arc::default() }
    }

    /// Switches a server's screen on; each viewer is a stream.
    pub fn on(&self, server: ServerId) -> UnixListener {
        UnixListener::bind(self.path(server)).unwrap()
    }

    /// How many screens were asked for.
    pub fn asked(&self) -> usize {
        self.asked.lock().unwrap().len()
    }

    fn path(&self, server: ServerId) -> PathBuf {
        self.folder.join(format!("{server}.sock"))
    }
}

impl Workers for Screens {
    async fn accept(&self, desired: Vec<Desired>) -> Result<(), Stopped> {
        for desired in desired {
            self.reports.send(settled(&desired)).unwrap();
        }
        Ok(())
    }

    async fn inventory(&self) -> Result<(Vec<Observed>, Vec<Orphan>), Stopped> {
        Ok((Vec::new(), Vec::new()))
    }

    async fn next_reports(&self, _limit: usize) -> Vec<Observed> {
        self.news.lock().await.recv().await.into_iter().collect()
    }

    async fn audit(&self) -> Vec<Holding> {
        Vec::new()
    }

    async fn screen(&self, server: ServerId) -> Option<PathBuf> {
        self.asked.lock().unwrap().push(server);
        Some(self.path(server))
    }

    fn control_heard(&self) {}

    fn control_refused(&self) {}
}

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

/// A browser.
pub struct Viewer(pub WebSocketStream<TcpStream>);

impl Viewer {
    /// Types.
    pub async fn send(&mut self, bytes: &[u8]) {
        self.0.send(Message::binary(bytes.to_vec())).await.unwrap();
    }

    /// Reads until there are `len` bytes.
    pub async fn read(&mut self, len: usize) -> Vec<u8> {
        let mut bytes = Vec::new();
        while bytes.len() < len {
            match timeout(PATIENCE, self.0.next()).await.expect("nothing came").unwrap().unwrap() {
                Message::Binary(part) => bytes.extend_from_slice(&part),
                Message::Ping(_) | Message::Pong(_) => {}
                other => panic!("{other:?} after {} bytes", bytes.len()),
            }
        }
        bytes
    }

    /// Reads until the stream is closed: by which code and name.
    pub async fn closed(&mut self) -> (u16, String) {
        loop {
            match timeout(PATIENCE, self.0.next()).await.expect("not closed") {
                Some(Ok(Message::Close(Some(frame)))) => return (frame.code.into(), frame.reason.to_string()),
                Some(Ok(Message::Binary(_) | Message::Ping(_) | Message::Pong(_))) => {}
                other => panic!("closed without a word: {other:?}"),
            }
        }
    }
}

/// The next viewer of a screen.
pub async fn accepted(screen: &UnixListener) -> UnixStream {
    timeout(PATIENCE, screen.accept()).await.expect("nobody watches").unwrap().0
}

/// Sends back what comes, until the viewer goes.
pub async fn echo(mut stream: UnixStream) {
    let mut buffer = vec![0; 64 * 1024];
    while let Ok(read @ 1..) = stream.read(&mut buffer).await {
        if stream.write_all(&buffer[..read]).await.is_err() {
            return;
        }
    }
}
