//! The actor behind [`super::Supervisor`]: owns the workers, starts them, wakes them, and starts one again that fell.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use csp_shared::{
    generation::Version,
    id::ServerId,
    message::{Orphan, PasswordRefusal},
    observed::{Fault, Observed},
    spec::Desired,
};
use futures_util::future::join_all;
use tokio::{
    sync::{mpsc, watch},
    task::{Id, JoinError, JoinSet},
    time::{Instant, sleep, sleep_until},
};
use tracing::{error, info, warn};

use super::{
    Order, Word,
    converge::{self, Moment},
    task::{Shared, Wake, converge_for_ever},
};
use crate::{
    machine::{HostEvent, HostFacts, Machine, Promised},
    plan::memory::Course,
    spec_file::{Backing, Verdict},
};

const GIB_SHIFT: u32 = 30;
/// A worker that fell (a defect of this program) is started again after this long.
const AGAIN_AFTER_PANIC: Duration = Duration::from_secs(5);

pub(super) struct Actor<M, B> {
    shared: Arc<Shared<M, B>>,
    wakes: BTreeMap<ServerId, Arc<Wake>>,
    tasks: JoinSet<Option<Version>>,
    servers: HashMap<Id, ServerId>,
}

impl<M: Machine, B: Backing> Actor<M, B> {
    pub(super) fn new(shared: Shared<M, B>) -> Self {
        Self { shared: Arc::new(shared), wakes: BTreeMap::new(), tasks: JoinSet::new(), servers: HashMap::new() }
    }

    /// Runs until every [`super::Supervisor`] is dropped. Workers end with it; guests are not touched.
    pub(super) async fn run(
        mut self,
        mut orders: mpsc::Receiver<Order>,
        heard: watch::Sender<Word>,
        control_wait: Duration,
    ) {
        for server in self.shared.host.specs.servers() {
            self.ensure(server);
        }
        let alone_at = Instant::now() + control_wait;
        let shared = Arc::clone(&self.shared);
        let mut event = Box::pin(shared.host.machine.event());
        loop {
            let is_awaited = *heard.borrow() == Word::Awaited;
            tokio::select! {
                order = orders.recv() => match order {
                    Some(order) => self.obey(order).await,
                    None => return,
                },
                happened = &mut event => {
                    event.set(shared.host.machine.event());
                    self.wake(happened);
                }
                Some(ended) = self.tasks.join_next_with_id() => self.ended(ended).await,
                () = sleep_until(alone_at), if is_awaited => {
                    if goes_alone(&heard) {
                        info!("no word from the control plane; guests start as the stored specs say");
                    }
                }
            }
        }
    }

    async fn obey(&mut self, order: Order) {
        match order {
            Order::Accept(desired, done) => {
                self.accept(desired).await;
                let _ = done.send(());
            }
            Order::Inventory(answer) => {
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move { answer.send(inventory(&shared).await) });
            }
            Order::Orphans(answer) => {
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move { answer.send(orphans(&shared).await) });
            }
            Order::Facts(answer) => {
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move { answer.send(facts(&shared).await) });
            }
            Order::Screen(server, answer) => {
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move {
                    let record = shared.host.specs.get(server).await;
                    let is_ours = record.is_some_and(|record| matches!(record.desired, Desired::Present(_)));
                    answer.send(shared.host.machine.screen(server).filter(|_| is_ours))
                });
            }
            Order::Password(server, hash, answer) => {
                let shared = Arc::clone(&self.shared);
                tokio::spawn(async move {
                    let record = shared.host.specs.get(server).await;
                    let is_ours = record.is_some_and(|record| matches!(record.desired, Desired::Present(_)));
                    let set = async { shared.host.machine.set_password(server, &hash).await };
                    answer.send(if is_ours { set.await } else { Err(PasswordRefusal::NotRunning) })
                });
            }
            Order::Rescan => self.wake(HostEvent::Everything),
            Order::Ping(answer) => drop(answer.send(())),
        }
    }

    /// All of a batch is durable before any of it is acted upon: a tombstone among it comes before any start.
    async fn accept(&mut self, desired: Vec<Desired>) {
        let shared = Arc::clone(&self.shared);
        let kept = desired.into_iter().map(|desired| {
            let (server, version, hash) = (desired.server(), desired.version(), desired.hash());
            let shared = &shared;
            async move { (server, version, hash, shared.host.specs.accept(desired).await) }
        });
        for (server, version, hash, kept) in join_all(kept).await {
            match kept {
                Ok(Verdict::Newer) => {
                    info!(%server, %version, "accepted");
                    self.shared.reports.accepted(server, version, hash);
                    self.ensure(server);
                    self.signal(server, true);
                }
                Ok(Verdict::Same) => self.ensure(server),
                Ok(verdict) => warn!(%server, %version, ?verdict, "not accepted"),
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    error!(%server, %version, %error, cause, "not accepted");
                }
            }
        }
    }

    fn wake(&mut self, happened: HostEvent) {
        match happened {
            HostEvent::Everything => self.wakes.values().for_each(|wake| wake.look.notify_one()),
            HostEvent::Server(server) => {
                self.ensure(server);
                self.signal(server, false);
            }
        }
    }

    fn signal(&self, server: ServerId, is_newer: bool) {
        let Some(wake) = self.wakes.get(&server) else { return };
        wake.look.notify_one();
        if is_newer {
            wake.newer.notify_one();
        }
    }

    /// Starts the server's worker unless there is one.
    fn ensure(&mut self, server: ServerId) {
        if self.wakes.contains_key(&server) {
            return;
        }
        let wake = Arc::new(Wake::default());
        let task = self.tasks.spawn(converge_for_ever(Arc::clone(&self.shared), server, Arc::clone(&wake)));
        self.servers.insert(task.id(), server);
        self.wakes.insert(server, wake);
    }

    async fn ended(&mut self, ended: Result<(Id, Option<Version>), JoinError>) {
        let (id, version) = match ended {
            Ok((id, version)) => (id, Ok(version)),
            Err(fell) => (fell.id(), Err(fell)),
        };
        let Some(server) = self.servers.remove(&id) else { return };
        self.wakes.remove(&server);
        match version {
            Ok(version) => {
                // Something newer may have come while it was ending.
                let newest = self.shared.host.specs.get(server).await.map(|record| record.desired.version());
                if newest > version {
                    self.ensure(server);
                }
            }
            Err(fell) => {
                error!(%server, %fell, "a worker fell; it is started again");
                let wake = Arc::new(Wake::default());
                let (shared, its_wake) = (Arc::clone(&self.shared), Arc::clone(&wake));
                let task = self.tasks.spawn(async move {
                    sleep(AGAIN_AFTER_PANIC).await;
                    converge_for_ever(shared, server, its_wake).await
                });
                self.servers.insert(task.id(), server);
                self.wakes.insert(server, wake);
            }
        }
    }
}

/// Lets guests start without the control plane, unless it was heard or said no: it may have since the wait for it began, and
/// nothing wakes the actor for that.
fn goes_alone(heard: &watch::Sender<Word>) -> bool {
    heard.send_if_modified(|word| {
        let is_awaited = *word == Word::Awaited;
        if is_awaited {
            *word = Word::Given;
        }
        is_awaited
    })
}

/// The newest report of every server, looked for where no worker has made one yet.
async fn inventory<M: Machine, B: Backing>(shared: &Shared<M, B>) -> (Vec<Observed>, Vec<Orphan>) {
    let servers = shared.host.specs.servers();
    let mut observed = Vec::with_capacity(servers.len());
    for server in &servers {
        observed.extend(match shared.reports.latest(*server) {
            Some(report) => Some(report),
            None => look_only(shared, *server).await,
        });
    }
    // None are told where it cannot be known: the control plane then keeps what it knew, and hears when it can.
    let orphans = orphans(shared).await.unwrap_or_else(|fault| {
        warn!(code = fault.code.as_str(), detail = %fault.detail, "cannot look for orphans, so none are reported");
        Vec::new()
    });
    (observed, orphans)
}

/// What the host is. Of its pool it offers nothing that lies there and belongs to nobody.
async fn facts<M: Machine, B: Backing>(shared: &Shared<M, B>) -> Result<HostFacts, Fault> {
    let mut facts = shared.host.machine.facts().await?;
    let mut promised = Promised::new();
    for server in shared.host.specs.servers() {
        let record = shared.host.specs.get(server).await;
        let disk = record.map(|record| match record.desired {
            Desired::Present(spec) => Some((spec.disk_epoch, u64::from(spec.disk_gib) << GIB_SHIFT)),
            Desired::Absent(_) => None,
        });
        promised.extend(disk.map(|disk| (server, disk)));
    }
    // A pool that cannot be looked at offers nothing anyway.
    let surplus = shared.host.machine.surplus(&promised).await.unwrap_or_default();
    let room = &mut facts.capacity.disk_gib;
    *room = room.saturating_sub(surplus.div_ceil(1 << GIB_SHIFT));
    Ok(facts)
}

async fn orphans<M: Machine, B: Backing>(shared: &Shared<M, B>) -> Result<Vec<Orphan>, Fault> {
    // What belongs to a server whose file cannot be read is somebody's all the same.
    let specs = &shared.host.specs;
    shared.host.machine.orphans(&specs.servers().into_iter().chain(specs.unreadable()).collect()).await
}

async fn look_only<M: Machine, B: Backing>(shared: &Shared<M, B>, server: ServerId) -> Option<Observed> {
    let moment = Moment { starts_held: true, ..shared.moment() };
    let look = converge::look(&shared.host, server, &mut Course::default(), moment).await?;
    Some(look.observed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_host_goes_alone_only_if_nobody_was_heard() {
        let (heard, watch) = watch::channel(Word::Awaited);
        assert!(goes_alone(&heard), "nobody was heard, and guests start");
        assert_eq!(*watch.borrow(), Word::Given);
        for word in [Word::Given, Word::Refused] {
            heard.send_replace(word);
            assert!(!goes_alone(&heard), "heard while the wait was running: there is nothing to tell");
            assert_eq!(*watch.borrow(), word);
        }
    }
}
