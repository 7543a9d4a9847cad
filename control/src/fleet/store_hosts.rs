//! The store behind the hosts' connections: each call is one use case in one transaction.

use std::{sync::Arc, time::Duration};

use csp_shared::{
    generation::SessionEpoch,
    host_status::HostStatus,
    id::HostId,
    key_pin::KeyPin,
    message::{Capacity, Enrol, Hello, Inventory, Orphan, Refusal},
    network::{DesiredNetwork, HostNetworks, ObservedNetwork},
    observed::Observed,
    sample::Sample,
    spec::Desired,
    traffic::Traffic,
};
use tokio::time::sleep;
use tracing::{debug, error, warn};

use super::{
    hosts::{Hosts, HostsError, News, Opened},
    wake::Wake,
};
use crate::{
    clock::Clock,
    entropy::Entropy,
    metrics::Metrics,
    service::{
        enrol_host::enrol_host,
        open_session::{SessionError, open_session},
        record_alive::record_alive,
        record_networks::{record_host_networks, record_network_reports},
        record_orphans::record_orphans,
        record_report::{Recorded, record_inventory, record_report},
        record_status::record_status,
        record_traffic::{TrafficRecorded, record_traffic},
    },
    store::{HostState, Store, StoreError, Tx},
};

/// How often a write is tried again while the store's queue is full.
const BUSY_TRIES: u32 = 20;
/// Between two tries.
const BUSY_PAUSE: Duration = Duration::from_millis(100);

/// What hosts say goes into the store, what they are told comes out of it.
#[derive(Clone)]
pub struct StoreHosts {
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    quarantine_seconds: i64,
    has_mail: bool,
    metrics: Metrics,
    wake: Wake,
}

impl StoreHosts {
    /// `quarantine_seconds` is how long an address rests after its host proved that it is unused.
    #[must_use]
    pub fn new(store: Store, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>, quarantine_seconds: i64) -> Self {
        let (metrics, wake) = (Metrics::without_history(), Wake::default());
        Self { store, clock, entropy, quarantine_seconds, has_mail: false, metrics, wake }
    }

    /// The same, with samples kept there.
    #[must_use]
    pub fn with_metrics(self, metrics: Metrics) -> Self {
        Self { metrics, ..self }
    }

    /// The same, writing letters to owners whose servers use up what was sold.
    #[must_use]
    pub fn with_mail(self, has_mail: bool) -> Self {
        Self { has_mail, ..self }
    }

    /// The same, reaching the sessions of other hosts: what one proves may be another's to go on with.
    #[must_use]
    pub fn with_wake(self, wake: Wake) -> Self {
        Self { wake, ..self }
    }

    /// Logs what came of a host's message, and wakes others that it concerns.
    fn told(&self, host: HostId, recorded: Recorded) -> Result<News, HostsError> {
        for other in &recorded.others {
            self.wake.wake(*other);
        }
        told(host, recorded)
    }

    /// Runs a use case, and waits while the store has no room for another. A host's message is worth the wait: ending
    /// its connection would only bring it back with all that it has.
    async fn write<T, E>(&self, f: impl Fn(&mut Tx<'_>) -> Result<T, E> + Send + Sync + 'static) -> Result<T, E>
    where
        T: Send + 'static,
        E: From<StoreError> + IsBusy + Send + 'static,
    {
        let f = Arc::new(f);
        for _ in 1..BUSY_TRIES {
            let again = Arc::clone(&f);
            match self.store.write(move |tx| again(tx)).await {
                Err(error) if error.is_busy() => sleep(BUSY_PAUSE).await,
                done => return done,
            }
        }
        self.store.write(move |tx| f(tx)).await
    }
}

/// Whether a refusal only means that too many wait.
trait IsBusy {
    fn is_busy(&self) -> bool;
}

impl IsBusy for StoreError {
    fn is_busy(&self) -> bool {
        matches!(self, Self::Busy)
    }
}

impl IsBusy for SessionError {
    fn is_busy(&self) -> bool {
        matches!(self, Self::Store(StoreError::Busy))
    }
}

impl From<StoreError> for HostsError {
    fn from(error: StoreError) -> Self {
        Self::Unavailable(Box::new(error))
    }
}

impl From<SessionError> for HostsError {
    fn from(error: SessionError) -> Self {
        match error {
            SessionError::Refused { reason, message } => Self::Refused { reason, message },
            SessionError::Store(error) => error.into(),
        }
    }
}

impl Hosts for StoreHosts {
    async fn knows(&self, pin: KeyPin) -> Result<bool, HostsError> {
        let host = self.store.read(move |read| read.host_session_by_key(pin)).await?;
        Ok(host.is_some_and(|host| host.state != HostState::Removed))
    }

    async fn enrol(&self, enrol: Enrol, pin: KeyPin) -> Result<HostId, HostsError> {
        let now = self.clock.now();
        Ok(self.write(move |tx| enrol_host(tx, &enrol, pin, now)).await?)
    }

    async fn open_session(&self, hello: Hello, pin: KeyPin) -> Result<Opened, HostsError> {
        let now = self.clock.now();
        let (host, session) = self.write(move |tx| open_session(tx, pin, &hello, now)).await?.opened()?;
        Ok(Opened { host, session })
    }

    async fn record_inventory(&self, host: HostId, inventory: Inventory) -> Result<News, HostsError> {
        let (now, draw, quarantine) = (self.clock.now(), self.entropy.draw(), self.quarantine_seconds);
        let write = move |tx: &mut Tx<'_>| record_inventory(tx, host, &inventory, quarantine, draw.clone(), now);
        self.told(host, self.write(write).await?)
    }

    async fn record_reports(
        &self,
        host: HostId,
        session: SessionEpoch,
        reports: Vec<Observed>,
    ) -> Result<News, HostsError> {
        let (now, draw, quarantine) = (self.clock.now(), self.entropy.draw(), self.quarantine_seconds);
        let write = move |tx: &mut Tx<'_>| record_report(tx, host, session, &reports, quarantine, draw.clone(), now);
        self.told(host, self.write(write).await?)
    }

    async fn alive(&self, host: HostId, session: SessionEpoch, capacity: Option<Capacity>) -> Result<(), HostsError> {
        let now = self.clock.now();
        let write = move |tx: &mut Tx<'_>| record_alive(tx, host, session, capacity, now);
        self.told(host, self.write(write).await?).map(drop)
    }

    async fn record_status(&self, host: HostId, session: SessionEpoch, status: HostStatus) -> Result<(), HostsError> {
        let now = self.clock.now();
        let recorded = self.write(move |tx: &mut Tx<'_>| record_status(tx, host, session, &status, now)).await?;
        if let Some(name) = &recorded.filling {
            warn!(%host, name, "the pool of a host is filling up: its guests will be paused when it is full");
        }
        self.told(host, recorded.recorded).map(drop)
    }

    async fn record_orphans(
        &self,
        host: HostId,
        session: SessionEpoch,
        orphans: Vec<Orphan>,
    ) -> Result<(), HostsError> {
        let now = self.clock.now();
        let write = move |tx: &mut Tx<'_>| record_orphans(tx, host, session, &orphans, now);
        self.told(host, self.write(write).await?).map(drop)
    }

    async fn record_network_reports(
        &self,
        host: HostId,
        session: SessionEpoch,
        reports: Vec<ObservedNetwork>,
    ) -> Result<News, HostsError> {
        let (now, quarantine) = (self.clock.now(), self.quarantine_seconds);
        let write = move |tx: &mut Tx<'_>| record_network_reports(tx, host, session, &reports, quarantine, now);
        self.told(host, self.write(write).await?)
    }

    async fn record_host_networks(
        &self,
        host: HostId,
        session: SessionEpoch,
        can: HostNetworks,
    ) -> Result<(), HostsError> {
        let write = move |tx: &mut Tx<'_>| record_host_networks(tx, host, session, &can);
        self.told(host, self.write(write).await?).map(drop)
    }

    async fn networks_unreported(&self, host: HostId) -> Result<Vec<DesiredNetwork>, HostsError> {
        Ok(self.store.read(move |read| read.network_unreported(host)).await?)
    }

    async fn record_samples(
        &self,
        host: HostId,
        session: SessionEpoch,
        mut samples: Vec<Sample>,
    ) -> Result<(), HostsError> {
        // A read, and none in the writer's queue: samples delay nothing.
        let own = self.store.read::<_, StoreError>(move |read| {
            let current = read.host_session(host)?.is_some_and(|current| current.session == session);
            current.then(|| read.placement_servers(host)).transpose()
        });
        match own.await {
            Ok(Some(own)) => {
                let told = samples.len();
                // A server that was destroyed a moment ago still runs there, so a stranger's id is worth no warning.
                samples.retain(|sample| own.contains(&sample.server));
                if samples.len() < told {
                    debug!(%host, others = told - samples.len(), "samples of servers that are not the host's; ignored");
                }
                self.metrics.record(self.clock.now(), &samples);
                Ok(())
            }
            Ok(None) => Err(superseded()),
            Err(why) => {
                debug!(%host, %why, "samples are lost: the store does not answer");
                Ok(())
            }
        }
    }

    async fn record_traffic(
        &self,
        host: HostId,
        session: SessionEpoch,
        traffic: Vec<Traffic>,
    ) -> Result<News, HostsError> {
        let (now, draw, has_mail) = (self.clock.now(), self.entropy.draw(), self.has_mail);
        let write = move |tx: &mut Tx<'_>| record_traffic(tx, host, session, &traffic, has_mail, draw.clone(), now);
        let TrafficRecorded { recorded, reached } = self.write(write).await?;
        for (server, mark) in reached {
            warn!(%host, %server, percent = mark.percent(), "a server used that much of its month's traffic; see `csp-control server show`");
        }
        self.told(host, recorded)
    }

    async fn unreported(&self, host: HostId) -> Result<Vec<Desired>, HostsError> {
        Ok(self.store.read(move |read| read.specs_unreported(host)).await?)
    }
}

fn superseded() -> HostsError {
    HostsError::refused(Refusal::Superseded, "a newer connection of the same host took over")
}

fn told(host: HostId, recorded: Recorded) -> Result<News, HostsError> {
    let Recorded { stale, wake, foreign, diverged, strange_networks, aside, faults, .. } = recorded;
    if stale {
        return Err(superseded());
    }
    if !foreign.is_empty() {
        warn!(%host, servers = foreign.len(), first = ?foreign.first(), "a host spoke of servers that are not its own; ignored");
    }
    if !strange_networks.is_empty() {
        warn!(%host, networks = strange_networks.len(), first = ?strange_networks.first(), "a host holds private networks that are not its own, or is ahead of the store; ignored");
    }
    for (server, fault) in faults {
        warn!(%host, %server, code = fault.code.as_str(), detail = fault.detail, "a host cannot do what is asked of it");
    }
    for server in aside {
        error!(%host, %server, "an address of a server is in use by another machine and was set aside: see `csp-control address list`");
    }
    if !diverged.is_empty() {
        warn!(%host, servers = diverged.len(), first = ?diverged.first(), "a host is ahead of the store; left alone");
    }
    Ok(if wake { News::Some } else { News::None })
}
