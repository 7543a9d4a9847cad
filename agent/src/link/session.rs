//! One session with the control plane, from Hello to its end.
//!
//! ```text
//! Hello -> Welcome; Inventory ->; then side by side, neither waiting for the other:
//! listen  DesiredNetworks, Desired  -> workers (durable before the next is read: the wire is the queue)
//! speak   news of the workers -> Reports;  answers -> AuditAnswer;  Alive by the clock and with the host's size;
//!         samples, when nothing else is to be told -> Samples;  what servers carried in all -> Traffic
//! look    questions -> what is on the host -> speak
//! measure what the host has in all, can do for private networks, and what of it no spec explains, when it changed -> speak
//! ```

use std::{collections::BTreeMap, convert::Infallible, future::Future, time::Duration};

use csp_link::frames::{LinkError, Receiver, Sender};
use csp_shared::{
    audit::Holding,
    generation::SessionEpoch,
    host_status::HostStatus,
    id::{HostId, ServerId},
    limits::{HEARTBEAT_SECONDS, REPORTS_PER_FRAME_MAX, SAMPLES_PER_FRAME_MAX, TRAFFIC_PER_FRAME_MAX},
    message::{Capacity, Hello, Inventory, Orphan, PasswordRefusal, QuestionId, Refusal, ToAgent, ToControl, batches},
    network::{HostNetworks, ObservedNetwork},
    observed::Observed,
    sample::{NetworkMoved, Sample},
    traffic::Traffic,
};
use tokio::{
    sync::mpsc,
    time::{Instant, MissedTickBehavior, interval_at, timeout},
};
use tracing::info;

use super::{
    console::Ask,
    passwords::{self, Wanted},
    workers::Workers,
};
use crate::worker::Stopped;

/// How long the control plane may take to answer a Hello; its store may be busy after a restart.
const WELCOME_WITHIN: Duration = Duration::from_secs(30);

/// Questions of an audit that may wait for their turn.
const QUESTIONS_MAX: usize = 4;

/// Why a session ended.
#[derive(Debug, thiserror::Error)]
pub(super) enum Left {
    /// Cut, closed or silent.
    #[error(transparent)]
    Link(#[from] LinkError),
    /// The control plane said why.
    #[error("the control plane refused: {message}")]
    Refused {
        /// For programs.
        reason: Refusal,
        /// For the operator.
        message: String,
    },
    /// The control plane said something else than what follows.
    #[error("the control plane sent a message that does not belong here")]
    OutOfOrder,
    /// It takes this host for another one.
    #[error("the control plane calls this host {found}, its enrolment says {expected}: enroll it again")]
    OtherHost {
        /// From Welcome.
        found: HostId,
        /// From the enrolment.
        expected: HostId,
    },
    /// The agent goes down.
    #[error(transparent)]
    Stopped(#[from] Stopped),
}

/// An open session.
#[derive(Clone, Copy, Debug)]
pub(super) struct Opened {
    /// Goes into every message.
    pub(super) session: SessionEpoch,
    /// The control plane takes samples.
    samples: bool,
    /// The control plane takes reports of private networks.
    networks: bool,
    /// The control plane takes what servers' adapters carried.
    traffic: bool,
}

/// Opens the session.
pub(super) async fn greet(
    hello: Hello,
    host: HostId,
    sender: &mut Sender,
    receiver: &mut Receiver,
) -> Result<Opened, Left> {
    sender.send(&ToControl::Hello(hello)).await?;
    let answer = timeout(WELCOME_WITHIN, receiver.receive()).await.map_err(|_| LinkError::Silent(WELCOME_WITHIN))?;
    match answer? {
        ToAgent::Welcome { session, host: found, samples, networks, traffic } if found == host => {
            Ok(Opened { session, samples, networks, traffic })
        }
        ToAgent::Welcome { host: found, .. } => Err(Left::OtherHost { found, expected: host }),
        ToAgent::Refused { reason, message } => Err(Left::Refused { reason, message }),
        ToAgent::Enrolled { .. }
        | ToAgent::Desired { .. }
        | ToAgent::DesiredNetworks { .. }
        | ToAgent::Audit { .. }
        | ToAgent::OpenConsole { .. }
        | ToAgent::SetPassword { .. } => Err(Left::OutOfOrder),
    }
}

/// Carries messages until the session ends.
pub(super) async fn pump(
    opened: Opened,
    workers: &impl Workers,
    screens: &mpsc::Sender<Ask>,
    sender: &mut Sender,
    receiver: &mut Receiver,
) -> Result<Infallible, Left> {
    let (ask, asked) = mpsc::channel(QUESTIONS_MAX);
    let (answer, answers) = mpsc::channel(1);
    let (size, sizes) = mpsc::channel(1);
    let (state, states) = mpsc::channel(1);
    let (stray, strays) = mpsc::channel(1);
    let (can, cans) = mpsc::channel(1);
    let (carried, carries) = mpsc::channel(1);
    let (want, wanted) = mpsc::channel(passwords::WAITING_MAX);
    let (set, sets) = mpsc::channel(1);
    let asks = Asks { audits: ask, screens, passwords: want };
    tokio::select! {
        ended = listen(workers, receiver, &asks) => ended,
        ended = speak(opened, workers, sender, Told { answers, sizes, states, strays, cans, carries, sets }) => ended,
        never = passwords::serve(workers, wanted, set) => match never {},
        never = look(workers, asked, answer) => match never {},
        never = measure(workers, size) => match never {},
        never = look_at_host(workers, state) => match never {},
        never = look_for_orphans(workers, stray) => match never {},
        never = ask_for_networks(workers, can) => match never {},
        never = ask_for_traffic(workers, carried) => match never {},
    }
}

/// Where questions go.
struct Asks<'a> {
    audits: mpsc::Sender<QuestionId>,
    screens: &'a mpsc::Sender<Ask>,
    passwords: mpsc::Sender<Wanted>,
}

/// Where answers come from.
struct Told {
    answers: mpsc::Receiver<(QuestionId, Vec<Holding>)>,
    sizes: mpsc::Receiver<Capacity>,
    states: mpsc::Receiver<HostStatus>,
    strays: mpsc::Receiver<Vec<Orphan>>,
    cans: mpsc::Receiver<HostNetworks>,
    carries: mpsc::Receiver<Vec<Traffic>>,
    sets: mpsc::Receiver<(QuestionId, Option<PasswordRefusal>)>,
}

/// Answers questions one after the other, beside everything else: a look takes as long as libvirt likes.
async fn look(
    workers: &impl Workers,
    mut asked: mpsc::Receiver<QuestionId>,
    answer: mpsc::Sender<(QuestionId, Vec<Holding>)>,
) -> Infallible {
    while let Some(request) = asked.recv().await {
        let holdings = workers.audit().await;
        // The session is ending, and this future with it.
        let _ = answer.send((request, holdings)).await;
    }
    std::future::pending().await
}

/// Tells the host's size at the session's begin, since that in Hello is as old as the agent's start, and when it changed.
async fn measure(workers: &impl Workers, size: mpsc::Sender<Capacity>) -> Infallible {
    let mut told = None;
    loop {
        let now = workers.capacity_beside(told).await;
        told = Some(now);
        // The session is ending, and this future with it.
        let _ = size.send(now).await;
    }
}

/// Tells how the host is, at the session's begin and every now and then.
async fn look_at_host(workers: &impl Workers, state: mpsc::Sender<HostStatus>) -> Infallible {
    loop {
        // The session is ending, and this future with it.
        let _ = state.send(workers.next_status().await).await;
    }
}

/// Tells what no spec explains, at the session's begin and whenever it is something else.
async fn look_for_orphans(workers: &impl Workers, stray: mpsc::Sender<Vec<Orphan>>) -> Infallible {
    let mut told: Option<Vec<Orphan>> = None;
    loop {
        let now = workers.orphans_beside(told.as_deref()).await;
        // The session is ending, and this future with it.
        let _ = stray.send(now.clone()).await;
        told = Some(now);
    }
}

/// Tells what the host can do for private networks, at the session's begin and whenever it is something else.
async fn ask_for_networks(workers: &impl Workers, can: mpsc::Sender<HostNetworks>) -> Infallible {
    let mut told: Option<HostNetworks> = None;
    loop {
        let now = workers.networks_beside(told.as_ref()).await;
        // The session is ending, and this future with it.
        let _ = can.send(now.clone()).await;
        told = Some(now);
    }
}

/// Tells what servers' adapters carried in all: everything at the session's begin, and then what changed.
async fn ask_for_traffic(workers: &impl Workers, carried: mpsc::Sender<Vec<Traffic>>) -> Infallible {
    let mut told: BTreeMap<ServerId, NetworkMoved> = BTreeMap::new();
    loop {
        let news = workers.traffic_beside(&told).await;
        told.extend(news.iter().map(|traffic| (traffic.server, traffic.total)));
        // The session is ending, and this future with it.
        let _ = carried.send(news).await;
    }
}

async fn listen(workers: &impl Workers, receiver: &mut Receiver, asks: &Asks<'_>) -> Result<Infallible, Left> {
    loop {
        match receiver.receive().await? {
            // An empty list ends what a session begins with: from now on this host knows all that it should be.
            ToAgent::Desired { desired } if desired.is_empty() => workers.control_heard(),
            ToAgent::Desired { desired } => {
                info!(servers = desired.len(), "the control plane sent what servers should be");
                workers.accept(desired).await?;
            }
            ToAgent::DesiredNetworks { networks } => {
                info!(networks = networks.len(), "the control plane sent what private networks should be");
                workers.accept_networks(networks).await;
            }
            // With so many open already, the asker hears nothing and asks again.
            ToAgent::Audit { request } => drop(asks.audits.try_send(request)),
            // The same: a console that is not dialled back is given up.
            ToAgent::OpenConsole { stream, server } => drop(asks.screens.try_send(Ask { stream, server })),
            ToAgent::SetPassword { request, server, hash } => {
                drop(asks.passwords.try_send(Wanted { request, server, hash }));
            }
            ToAgent::Refused { reason, message } => return Err(Left::Refused { reason, message }),
            ToAgent::Enrolled { .. } | ToAgent::Welcome { .. } => return Err(Left::OutOfOrder),
        }
    }
}

async fn speak(
    Opened { session, samples, networks, traffic }: Opened,
    workers: &impl Workers,
    sender: &mut Sender,
    mut told: Told,
) -> Result<Infallible, Left> {
    let (servers, orphans) = meanwhile_alive(session, sender, workers.inventory()).await??;
    send_inventory(session, servers, orphans, workers.network_inventory(), sender).await?;
    loop {
        let news = async {
            tokio::select! {
                reports = workers.next_reports(REPORTS_PER_FRAME_MAX) => News::Reports(reports),
                Some((request, holdings)) = told.answers.recv() => News::Audit(request, holdings),
                Some(capacity) = told.sizes.recv() => News::Size(capacity),
                Some(status) = told.states.recv() => News::Status(Box::new(status)),
                reports = workers.next_network_reports(REPORTS_PER_FRAME_MAX), if networks => News::Networks(reports),
                Some(orphans) = told.strays.recv() => News::Orphans(orphans),
                Some(can) = told.cans.recv(), if networks => News::Can(can),
                Some(carried) = told.carries.recv(), if traffic => News::Traffic(carried),
                Some((request, refusal)) = told.sets.recv() => News::Password(request, refusal),
            }
        };
        let news = async {
            tokio::select! {
                biased; // Nothing waits for a sample, and what matters waits for one short frame of them at most.
                news = news => news,
                samples = workers.next_samples(SAMPLES_PER_FRAME_MAX), if samples => News::Samples(samples),
            }
        };
        match meanwhile_alive(session, sender, news).await? {
            News::Reports(reports) => {
                for reports in batches(reports, REPORTS_PER_FRAME_MAX) {
                    sender.send(&ToControl::Reports { session, reports }).await?;
                }
            }
            News::Networks(reports) => {
                for reports in batches(reports, REPORTS_PER_FRAME_MAX) {
                    sender.send(&ToControl::NetworkReports { session, reports }).await?;
                }
            }
            News::Audit(request, holdings) => send_answer(session, request, holdings, sender).await?,
            News::Samples(samples) => sender.send(&ToControl::Samples { session, samples }).await?,
            News::Traffic(carried) => {
                for traffic in batches(carried, TRAFFIC_PER_FRAME_MAX) {
                    sender.send(&ToControl::Traffic { session, traffic }).await?;
                }
            }
            News::Password(request, refusal) => {
                sender.send(&ToControl::PasswordSet { session, request, refusal }).await?;
            }
            News::Size(now) => sender.send(&Tidings { capacity: Some(now), ..Tidings::default() }.at(session)).await?,
            News::Status(now) => sender.send(&Tidings { status: Some(*now), ..Tidings::default() }.at(session)).await?,
            News::Orphans(now) => {
                sender.send(&Tidings { orphans: Some(now), ..Tidings::default() }.at(session)).await?
            }
            News::Can(now) => sender.send(&Tidings { networks: Some(now), ..Tidings::default() }.at(session)).await?,
        }
    }
}

/// What a sign of life carries; nothing, most often.
#[derive(Default)]
struct Tidings {
    capacity: Option<Capacity>,
    status: Option<HostStatus>,
    orphans: Option<Vec<Orphan>>,
    networks: Option<HostNetworks>,
}

impl Tidings {
    fn at(self, session: SessionEpoch) -> ToControl {
        let Self { capacity, status, orphans, networks } = self;
        ToControl::Alive { session, capacity, status, orphans, networks }
    }
}

/// Something to tell.
enum News {
    Reports(Vec<Observed>),
    Networks(Vec<ObservedNetwork>),
    Audit(QuestionId, Vec<Holding>),
    Password(QuestionId, Option<PasswordRefusal>),
    Size(Capacity),
    Status(Box<HostStatus>),
    Orphans(Vec<Orphan>),
    Can(HostNetworks),
    Samples(Vec<Sample>),
    Traffic(Vec<Traffic>),
}

async fn send_answer(
    session: SessionEpoch,
    request: QuestionId,
    holdings: Vec<Holding>,
    sender: &mut Sender,
) -> Result<(), LinkError> {
    for holdings in batches(holdings, REPORTS_PER_FRAME_MAX) {
        sender.send(&ToControl::AuditAnswer { session, request, holdings, last: false }).await?;
    }
    sender.send(&ToControl::AuditAnswer { session, request, holdings: Vec::new(), last: true }).await
}

/// Waits for `work` and says every now and then that the host lives.
async fn meanwhile_alive<T>(
    session: SessionEpoch,
    sender: &mut Sender,
    work: impl Future<Output = T>,
) -> Result<T, LinkError> {
    let period = Duration::from_secs(HEARTBEAT_SECONDS);
    let mut heartbeat = interval_at(Instant::now() + period, period);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    tokio::pin!(work);
    loop {
        tokio::select! {
            done = &mut work => return Ok(done),
            _ = heartbeat.tick() => {
                sender.send(&Tidings::default().at(session)).await?;
            }
        }
    }
}

/// In as many parts as the bounds of a frame ask for; the last one says that it is the last.
async fn send_inventory(
    session: SessionEpoch,
    servers: Vec<Observed>,
    orphans: Vec<Orphan>,
    networks: Vec<ObservedNetwork>,
    sender: &mut Sender,
) -> Result<(), LinkError> {
    let empty = Inventory { session, servers: Vec::new(), orphans: Vec::new(), networks: Vec::new() };
    for servers in batches(servers, REPORTS_PER_FRAME_MAX) {
        sender.send(&ToControl::InventoryPart(Inventory { servers, ..empty.clone() })).await?;
    }
    for orphans in batches(orphans, REPORTS_PER_FRAME_MAX) {
        sender.send(&ToControl::InventoryPart(Inventory { orphans, ..empty.clone() })).await?;
    }
    for networks in batches(networks, REPORTS_PER_FRAME_MAX) {
        sender.send(&ToControl::InventoryPart(Inventory { networks, ..empty.clone() })).await?;
    }
    sender.send(&ToControl::Inventory(empty)).await
}
