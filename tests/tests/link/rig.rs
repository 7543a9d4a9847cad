//! A control plane's listener, a host's agent without a hypervisor, a line between them that can be cut, and a client
//! that says what it likes.

use std::{
    collections::BTreeMap,
    io,
    net::SocketAddr,
    sync::{Arc, Mutex},
    time::Duration,
};

use csp_agent::{
    link::{self, Dial, Enrolment, Pace, TcpDial, Workers},
    metrics::Mailbox,
    networks::Networks,
    spec_file::MemoryBacking,
    worker::Stopped,
};
use csp_control::fleet::{Bounds, Hosts, Listener, Wake};
use csp_link::{
    frames::{self, LinkError, Receiver, Sender},
    key_file::Identity,
    tls::{Connector, Io},
};
use csp_shared::{
    audit::Holding,
    compat::PROTOCOL,
    generation::SessionEpoch,
    id::{HostId, ServerId},
    key_pin::KeyPin,
    limits::FRAME_BYTES_MAX,
    message::{Capacity, Hello, Message, Orphan, Refusal, ToAgent, ToControl, Virt},
    network::{DesiredNetwork, HostNetworks, ObservedNetwork},
    observed::Observed,
    sample::{NetworkMoved, Sample},
    sha256::Sha256,
    spec::{Desired, NicNetwork},
    traffic::Traffic,
};
use serde::{Deserialize, Serialize};
use tokio::{
    io::copy_bidirectional,
    net::{TcpListener, TcpStream},
    sync::{Notify, oneshot, watch},
    task::JoinHandle,
    time::{sleep, timeout},
};

use crate::book::{Book, accepted};

pub const MACHINE: &str = "0123456789abcdef0123456789abcdef";

/// Fast enough for a test, slow enough for a loaded machine.
pub const BOUNDS: Bounds = Bounds {
    strangers_max: 64,
    greeting_max: Duration::from_secs(10),
    inventory_max: Duration::from_secs(20),
    silence_max: Duration::from_secs(20),
    ping_every: Duration::from_secs(5),
    rescan_every: Duration::from_secs(3600),
};

const PACE: Pace = Pace {
    base: Duration::from_millis(20),
    cap: Duration::from_millis(200),
    settled_after: Duration::from_millis(500),
};

/// A control plane, as far as hosts see it.
pub struct Control<H = Book> {
    pub book: H,
    pub wake: Wake,
    pub identity: Identity,
    pub address: SocketAddr,
    stop: Option<oneshot::Sender<()>>,
    task: JoinHandle<()>,
}

impl Control {
    pub async fn start() -> Self {
        Self::with(Book::default(), Identity::ephemeral().unwrap(), BOUNDS).await
    }
}

impl<H: Hosts> Control<H> {
    pub async fn with(book: H, identity: Identity, bounds: Bounds) -> Self {
        let tcp = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = tcp.local_addr().unwrap();
        let wake = Wake::default();
        let listener = Listener::new(&identity, book.clone(), wake.clone(), bounds).unwrap();
        let (stop, stopped) = oneshot::channel::<()>();
        let task = tokio::spawn(listener.serve(tcp, async move { stopped.await.unwrap_or(()) }));
        Self { book, wake, identity, address, stop: Some(stop), task }
    }

    pub fn pins(&self) -> Vec<KeyPin> {
        vec![self.identity.pin()]
    }

    pub fn dial(&self) -> TcpDial {
        TcpDial::new(self.address.to_string())
    }

    /// Stops as a service manager would ask it to.
    pub async fn stop(mut self) {
        self.stop.take().unwrap().send(()).unwrap();
        timeout(Duration::from_secs(10), &mut self.task).await.unwrap().unwrap();
    }
}

impl<H> Drop for Control<H> {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// What an agent has behind its link: accepts everything at once and reports it, with what `answer` makes of it.
#[derive(Clone, Default)]
pub struct Hands {
    held: Arc<Mutex<Held>>,
    news: Arc<Notify>,
    size: Arc<Notify>,
    /// What its servers used.
    pub samples: Arc<Mailbox>,
    /// What they carried in all.
    pub traffic: watch::Sender<Vec<Traffic>>,
    /// Its private networks; none where the agent is too old for them.
    pub networks: Option<Arc<Networks<MemoryBacking>>>,
}

type Answer = Box<dyn Fn(&Observed) -> Observed + Send>;

#[derive(Default)]
struct Held {
    answer: Option<Answer>,
    taken: usize,
    /// Networks and adapters in them, in the order in which they came.
    private: Vec<&'static str>,
    servers: BTreeMap<ServerId, Observed>,
    orphans: Vec<Orphan>,
    news: Vec<Observed>,
    heard: usize,
    refused: usize,
    audits_hang: bool,
    capacity: Option<Capacity>,
}

impl Hands {
    /// The host has more or less from now on.
    pub fn resize(&self, capacity: Capacity) {
        self.held.lock().unwrap().capacity = Some(capacity);
        self.size.notify_one();
    }

    /// A look at the host takes for ever from now on.
    pub fn hang_audits(&self) {
        self.held.lock().unwrap().audits_hang = true;
    }

    pub fn answering(answer: impl Fn(&Observed) -> Observed + Send + 'static) -> Self {
        let hands = Self::default();
        hands.answer_with(answer);
        hands
    }

    pub fn answer_with(&self, answer: impl Fn(&Observed) -> Observed + Send + 'static) {
        self.held.lock().unwrap().answer = Some(Box::new(answer));
    }

    /// Those of an agent that knows private networks.
    pub async fn with_networks() -> Self {
        let networks = Networks::open(MemoryBacking::default()).await.unwrap();
        Self { networks: Some(Arc::new(networks)), ..Self::default() }
    }

    /// Networks and adapters in them, in the order in which they came.
    pub fn private(&self) -> Vec<&'static str> {
        self.held.lock().unwrap().private.clone()
    }

    /// How many wishes were taken over.
    pub fn taken(&self) -> usize {
        self.held.lock().unwrap().taken
    }

    pub fn hold(&self, servers: impl IntoIterator<Item = Observed>, orphans: Vec<Orphan>) {
        let mut held = self.held.lock().unwrap();
        held.servers.extend(servers.into_iter().map(|seen| (seen.server, seen)));
        held.orphans = orphans;
    }

    pub fn report(&self, observed: Observed) {
        let mut held = self.held.lock().unwrap();
        held.servers.insert(observed.server, observed.clone());
        held.news.push(observed);
        self.news.notify_one();
    }

    pub fn held(&self) -> usize {
        self.held.lock().unwrap().servers.len()
    }

    /// How often the control plane said that it had said all.
    pub fn heard(&self) -> usize {
        self.held.lock().unwrap().heard
    }

    pub fn refused(&self) -> usize {
        self.held.lock().unwrap().refused
    }
}

impl Workers for Hands {
    async fn accept(&self, desired: Vec<Desired>) -> Result<(), Stopped> {
        let is_private = |desired: &Desired| match desired {
            Desired::Present(spec) => spec.nics.iter().any(|nic| nic.network != NicNetwork::Public),
            Desired::Absent(_) => false,
        };
        if desired.iter().any(is_private) {
            self.held.lock().unwrap().private.push("adapter");
        }
        for seen in desired.iter().map(accepted) {
            let answer = {
                let mut held = self.held.lock().unwrap();
                held.taken += 1;
                held.answer.as_ref().map_or_else(|| seen.clone(), |answer| answer(&seen))
            };
            self.report(answer);
        }
        Ok(())
    }

    async fn inventory(&self) -> Result<(Vec<Observed>, Vec<Orphan>), Stopped> {
        let held = self.held.lock().unwrap();
        Ok((held.servers.values().cloned().collect(), held.orphans.clone()))
    }

    async fn next_reports(&self, limit: usize) -> Vec<Observed> {
        loop {
            {
                let mut held = self.held.lock().unwrap();
                if !held.news.is_empty() {
                    let taken = held.news.len().min(limit);
                    return held.news.drain(..taken).collect();
                }
            }
            self.news.notified().await;
        }
    }

    async fn next_samples(&self, limit: usize) -> Vec<Sample> {
        self.samples.take(limit).await
    }

    async fn traffic_beside(&self, told: &BTreeMap<ServerId, NetworkMoved>) -> Vec<Traffic> {
        let is_news = |traffic: &&Traffic| told.get(&traffic.server) != Some(&traffic.total);
        let mut carried = self.traffic.subscribe();
        let all = carried.wait_for(|all| all.iter().any(|traffic| is_news(&traffic))).await.unwrap();
        all.iter().filter(is_news).cloned().collect()
    }

    async fn audit(&self) -> Vec<Holding> {
        let (servers, hangs) = {
            let held = self.held.lock().unwrap();
            (held.servers.keys().copied().collect::<Vec<_>>(), held.audits_hang)
        };
        if hangs {
            std::future::pending::<()>().await;
        }
        servers.into_iter().map(|server| Holding::Process { server, pid: 1 }).collect()
    }

    async fn capacity_beside(&self, told: Option<Capacity>) -> Capacity {
        loop {
            let now = self.held.lock().unwrap().capacity;
            match now {
                Some(now) if told != Some(now) => return now,
                _ => self.size.notified().await,
            }
        }
    }

    async fn accept_networks(&self, desired: Vec<DesiredNetwork>) {
        for desired in &desired {
            let what = if matches!(desired, DesiredNetwork::Present(_)) { "network" } else { "no network" };
            self.held.lock().unwrap().private.push(what);
        }
        self.networks.as_ref().expect("nothing is sent that was not offered").accept(desired).await;
    }

    fn network_inventory(&self) -> Vec<ObservedNetwork> {
        self.networks.as_ref().map(|networks| networks.inventory()).unwrap_or_default()
    }

    async fn next_network_reports(&self, limit: usize) -> Vec<ObservedNetwork> {
        match &self.networks {
            Some(networks) => networks.next_reports(limit).await,
            None => std::future::pending().await,
        }
    }

    async fn networks_beside(&self, told: Option<&HostNetworks>) -> HostNetworks {
        let own = HostNetworks { underlay: Some([192, 0, 2, 1].into()), ..HostNetworks::default() };
        if self.networks.is_none() || told == Some(&own) { std::future::pending().await } else { own }
    }

    fn control_heard(&self) {
        self.held.lock().unwrap().heard += 1;
    }

    fn control_refused(&self) {
        self.held.lock().unwrap().refused += 1;
    }
}

/// A running agent. Ends when it is dropped, as by SIGKILL.
pub struct Agent {
    pub hands: Hands,
    task: JoinHandle<()>,
}

impl Agent {
    pub fn start(own: &Identity, host: HostId, pins: Vec<KeyPin>, machine: &str, dial: impl Dial + 'static) -> Self {
        let hands = Hands::default();
        Self::with(hands, own, host, pins, machine, dial)
    }

    pub fn with(
        hands: Hands,
        own: &Identity,
        host: HostId,
        pins: Vec<KeyPin>,
        machine: &str,
        dial: impl Dial + 'static,
    ) -> Self {
        let enrolment = Enrolment { control: dial.address().to_owned(), pins, host, joined_by: Sha256::of(b"") };
        let hello = Hello { networks: hands.networks.is_some(), ..hello(machine) };
        let (own, workers) = (own.clone(), hands.clone());
        let task = tokio::spawn(async move {
            loop {
                link::run(&dial, &own, &enrolment, &hello, &workers, PACE).await;
            }
        });
        Self { hands, task }
    }

    pub fn is_running(&self) -> bool {
        !self.task.is_finished()
    }
}

impl Drop for Agent {
    fn drop(&mut self) {
        self.task.abort();
    }
}

pub fn hello(machine: &str) -> Hello {
    Hello {
        protocol: PROTOCOL,
        machine_id: machine.to_owned(),
        boot_id: "7d3f5a52-8a11-4f0e-9a57-0c6c9ac1b9a3".to_owned(),
        agent_version: "0.1.0".to_owned(),
        capacity: Capacity { cpus: 4, ram_mib: 8192, disk_gib: 100 },
        virt: Virt::Qemu,
        passwords: false,
        networks: false,
    }
}

/// A line that can be cut.
pub struct Line {
    pub address: SocketAddr,
    cut: Arc<Notify>,
    task: JoinHandle<()>,
}

impl Line {
    pub async fn to(target: SocketAddr) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let cut = Arc::new(Notify::new());
        let cuts = cut.clone();
        let task = tokio::spawn(async move {
            while let Ok((mut inner, _)) = listener.accept().await {
                let cuts = cuts.clone();
                tokio::spawn(async move {
                    let mut outer = TcpStream::connect(target).await.unwrap();
                    tokio::select! {
                        () = cuts.notified() => {}
                        _ = copy_bidirectional(&mut inner, &mut outer) => {}
                    }
                });
            }
        });
        Self { address, cut, task }
    }

    pub fn cut(&self) {
        self.cut.notify_waiters();
    }
}

impl Drop for Line {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// Any text in place of a message.
#[derive(Serialize, Deserialize)]
pub struct Raw(pub String);

impl Message for Raw {
    fn list_len_and_bound(&self) -> (usize, usize) {
        (0, 0)
    }

    fn encode(&self) -> String {
        self.0.clone()
    }
}

/// A client that proves a key and then says what it likes.
pub struct Client {
    pub sender: Sender,
    pub receiver: Receiver,
}

impl Client {
    pub async fn dial(control: &Control, own: &Identity) -> Self {
        let stream = TcpStream::connect(control.address).await.unwrap();
        let io: Io = Connector::new(own, &control.pins()).unwrap().connect(stream).await.unwrap();
        let (sender, receiver) = frames::connect(io, FRAME_BYTES_MAX, Duration::from_secs(20)).await.unwrap();
        Self { sender, receiver }
    }

    /// Dials and opens a session.
    pub async fn greeted(control: &Control, own: &Identity) -> (Self, SessionEpoch) {
        let mut client = Self::dial(control, own).await;
        client.sender.send(&ToControl::Hello(hello(MACHINE))).await.unwrap();
        match client.receiver.receive().await.unwrap() {
            ToAgent::Welcome { session, .. } => (client, session),
            other => panic!("{other:?}"),
        }
    }

    /// Reads until the control plane refuses.
    pub async fn refusal(&mut self) -> (Refusal, String) {
        loop {
            match self.receiver.receive().await {
                Ok(ToAgent::Refused { reason, message }) => return (reason, message),
                Ok(_) => {}
                Err(error) => panic!("closed without a word: {error}"),
            }
        }
    }

    /// Reads until the control plane closes.
    pub async fn closed(&mut self) -> LinkError {
        loop {
            if let Err(error) = self.receiver.receive::<ToAgent>().await {
                return error;
            }
        }
    }
}

/// Waits until something is so.
pub async fn until(what: &str, is_so: impl Fn() -> bool) {
    let wait = async {
        while !is_so() {
            sleep(Duration::from_millis(5)).await;
        }
    };
    timeout(Duration::from_secs(20), wait).await.unwrap_or_else(|_| panic!("not within 20 s: {what}"));
}

/// Dials somewhere where nobody is.
pub async fn closed_port() -> io::Result<TcpDial> {
    let address = TcpListener::bind("127.0.0.1:0").await?.local_addr()?;
    Ok(TcpDial::new(address.to_string()))
}
