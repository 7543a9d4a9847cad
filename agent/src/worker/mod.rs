//! Brings every server of the host to its newest state, each on its own, and says what came of it.
//!
//! [`Supervisor`] is the handle that the link holds. It carries no generic parameter: behind it an actor owns one
//! worker a server. Reports are kept as the latest one of each server, so a slow link costs no memory, and a signal
//! carries no data that could be lost.

use std::{path::PathBuf, sync::Arc, time::Duration};

use csp_shared::{
    id::ServerId,
    message::{Orphan, PasswordRefusal},
    observed::{Fault, Observed},
    secret::Secret,
    spec::Desired,
};
use tokio::{
    sync::{Notify, mpsc, oneshot, watch},
    task::JoinHandle,
    time::Instant,
};
use tracing::warn;

use crate::{
    machine::{HostFacts, Machine},
    spec_file::Backing,
};

mod beside;
mod choice;
pub mod converge;
mod limits;
mod refusal;
mod reports;
mod retry;
mod run;
mod supervisor;
mod task;

pub use converge::Host;
pub use refusal::Refusal;
pub use reports::Reports;

/// Orders that may wait for the actor; who has more waits itself.
const ORDERS_MAX: usize = 16;

/// A host without its control plane waits this long after the agent's start before it starts guests by itself.
const CONTROL_WAIT: Duration = Duration::from_secs(60);

/// The handle to all workers of this host. Cheap to clone.
#[derive(Clone)]
pub struct Supervisor {
    orders: mpsc::Sender<Order>,
    reports: Arc<Reports>,
    control_heard: watch::Sender<Word>,
    room_changed: Arc<Notify>,
    refusal: Refusal,
}

/// The workers ended; the program is going down.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the agent is stopping")]
pub struct Stopped;

/// What the actor is asked to do.
enum Order {
    Accept(Vec<Desired>, oneshot::Sender<()>),
    Inventory(oneshot::Sender<(Vec<Observed>, Vec<Orphan>)>),
    Rescan,
    Screen(ServerId, oneshot::Sender<Option<PathBuf>>),
    Password(ServerId, Secret, oneshot::Sender<Result<(), PasswordRefusal>>),
    Orphans(oneshot::Sender<Result<Vec<Orphan>, Fault>>),
    Facts(oneshot::Sender<Result<HostFacts, Fault>>),
    Ping(oneshot::Sender<()>),
}

/// Whether guests may be started, as far as the control plane has a word in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Word {
    /// It was not heard yet: it may have tombstones.
    Awaited,
    /// They may: it was heard, or the wait for it is over.
    Given,
    /// It says that this is none of its hosts.
    Refused,
}

impl Supervisor {
    /// Starts a worker for every server with a record. The task ends when every handle is dropped; guests are not
    /// touched then.
    pub fn start<M: Machine, B: Backing>(host: Host<M, B>) -> (Self, JoinHandle<()>) {
        Self::start_with(host, CONTROL_WAIT, Refusal::default())
    }

    /// The same, with another time for which guests are held back while the control plane is not heard, and with what it said
    /// before the agent was restarted.
    pub fn start_with<M: Machine, B: Backing>(
        host: Host<M, B>,
        control_wait: Duration,
        refusal: Refusal,
    ) -> (Self, JoinHandle<()>) {
        let (orders, queue) = mpsc::channel(ORDERS_MAX);
        let word = if refusal.is_noted() { Word::Refused } else { Word::Awaited };
        if word == Word::Refused {
            warn!("the control plane knew this machine for none of its hosts; no guest is started before it is heard");
        }
        let (control_heard, heard) = watch::channel(word);
        let reports = Arc::<Reports>::default();
        let room_changed = Arc::<Notify>::default();
        let shared = task::Shared {
            host,
            reports: Arc::clone(&reports),
            control_heard: heard,
            room_changed: Arc::clone(&room_changed),
            began: Instant::now(),
            limits: limits::Limits::default(),
        };
        let actor = supervisor::Actor::new(shared).run(queue, control_heard.clone(), control_wait);
        (Self { orders, reports, control_heard, room_changed, refusal }, tokio::spawn(actor))
    }

    /// Takes over what servers should be. Returns once all of it is durable (or refused and logged: an older version,
    /// a server with a tombstone, a record that cannot be read); workers go on from there, and each server's report
    /// carries what was accepted. The order within `desired` does not matter, and a repetition changes nothing.
    ///
    /// # Errors
    /// When the agent is stopping.
    pub async fn accept(&self, desired: Vec<Desired>) -> Result<(), Stopped> {
        let (done, answer) = oneshot::channel();
        self.orders.send(Order::Accept(desired, done)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// All that the host has: every server with a spec or tombstone, and everything without one. May take seconds
    /// after the agent's start, when nothing was looked at yet.
    ///
    /// # Errors
    /// When the agent is stopping.
    pub async fn inventory(&self) -> Result<(Vec<Observed>, Vec<Orphan>), Stopped> {
        let (done, answer) = oneshot::channel();
        self.orders.send(Order::Inventory(done)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Waits until some server's report changed, and takes the newest report of each that did (at most `limit`).
    /// Cancel safe. What was taken and not delivered is made good by the inventory of the next session.
    pub async fn next_reports(&self, limit: usize) -> Vec<Observed> {
        self.reports.take(limit).await
    }

    /// Tells that the control plane was heard: its newest specs and tombstones are here, so guests may be started.
    /// To be called after the first `Desired` of a session was accepted, or some seconds after the inventory was sent
    /// when none comes. Without it, starts begin a minute after the agent did.
    pub fn control_heard(&self) {
        // First: a guest that was started is not to be held back by an old word after a crash.
        self.refusal.forget();
        self.control_heard.send_replace(Word::Given);
    }

    /// Tells that the control plane knows this machine for none of its hosts: a clone, or one that was given up. Nothing is
    /// started then until it is heard, since the same servers may run elsewhere; what runs goes on. A restart of the agent
    /// changes nothing about it.
    pub fn control_refused(&self) {
        self.control_heard.send_replace(Word::Refused);
        self.refusal.note();
    }

    /// The socket on which a server's screen is shown while it runs. None for a server that this host is not to have:
    /// without a spec, or with a tombstone.
    pub async fn screen(&self, server: ServerId) -> Option<PathBuf> {
        let (done, answer) = oneshot::channel();
        self.orders.send(Order::Screen(server, done)).await.ok()?;
        answer.await.ok()?
    }

    /// Asks the server's guest agent to give root the password with this crypt(5) hash.
    ///
    /// # Errors
    /// When it does not.
    pub async fn set_password(&self, server: ServerId, hash: Secret) -> Result<(), PasswordRefusal> {
        let (done, answer) = oneshot::channel();
        let asked = self.orders.send(Order::Password(server, hash, done)).await;
        asked.map_err(|_| PasswordRefusal::HostTrouble)?;
        answer.await.unwrap_or(Err(PasswordRefusal::HostTrouble))
    }

    /// Everything on the host that no spec of it explains, or why that cannot be told.
    ///
    /// # Errors
    /// When the agent is stopping.
    pub async fn orphans(&self) -> Result<Result<Vec<Orphan>, Fault>, Stopped> {
        let (done, answer) = oneshot::channel();
        self.orders.send(Order::Orphans(done)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// What the host itself is, or why it cannot tell (libvirt is away).
    ///
    /// # Errors
    /// When the agent is stopping.
    pub async fn facts(&self) -> Result<Result<HostFacts, Fault>, Stopped> {
        let (done, answer) = oneshot::channel();
        self.orders.send(Order::Facts(done)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Waits until a step of some server gave or took room in the pool, since the last time that this returned. For one
    /// caller; cancel safe.
    pub async fn room_changed(&self) {
        self.room_changed.notified().await;
    }

    /// Asks for a sign of life.
    ///
    /// # Errors
    /// When the agent is stopping.
    pub async fn ping(&self) -> Result<(), Stopped> {
        let (done, answer) = oneshot::channel();
        self.orders.send(Order::Ping(done)).await.map_err(|_| Stopped)?;
        answer.await.map_err(|_| Stopped)
    }

    /// Makes every worker look at its server again, soon.
    pub fn rescan(&self) {
        // A full queue means that the actor is busy; the periodic scan will do.
        let _ = self.orders.try_send(Order::Rescan);
    }
}
