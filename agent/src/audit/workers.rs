//! What the link needs of a host: its workers, and beside them a look that does not ask them.

use std::{collections::BTreeMap, path::PathBuf, sync::Arc, time::Duration};

use csp_shared::{
    audit::Holding,
    host_status::HostStatus,
    id::ServerId,
    limits::HEARTBEAT_SECONDS,
    message::{Capacity, Orphan, PasswordRefusal},
    network::{DesiredNetwork, HostNetworks, ObservedNetwork},
    observed::Observed,
    sample::{NetworkMoved, Sample},
    secret::Secret,
    spec::Desired,
    traffic::Traffic,
};

use tokio::time::sleep;

use super::Auditor;
use crate::{
    host_status::HostWatch,
    link::Workers,
    metrics::Mailbox,
    network::segment::Segments,
    networks::Networks,
    spec_file::FolderBacking,
    traffic::Meter,
    worker::{Stopped, Supervisor},
};

/// How often the host's size is looked at, for what others do to it.
const MEASURE_AGAIN: Duration = Duration::from_secs(HEARTBEAT_SECONDS);

/// How often the host is looked over for what no spec explains.
const ORPHANS_AGAIN: Duration = Duration::from_secs(60);
/// How often the host is asked again what it can do for private networks.
const NETWORKS_EVERY: Duration = Duration::from_secs(60);
/// Orphans that are told; a host with more has other troubles.
const ORPHANS_TOLD_MAX: usize = 1000;

/// A host behind its link.
#[derive(Clone)]
pub struct HostWorkers {
    /// Brings servers about.
    pub supervisor: Supervisor,
    /// Looks.
    pub auditor: Auditor,
    /// What guests use; nothing comes when the sampler is off.
    pub samples: Arc<Mailbox>,
    /// Counts what they carry over the network.
    pub meter: Arc<Meter>,
    /// How the host is.
    pub status: Arc<HostWatch>,
    /// Its private networks.
    pub networks: Arc<Networks<FolderBacking>>,
    /// What they are on this host.
    pub segments: Arc<Segments>,
}

impl Workers for HostWorkers {
    async fn accept(&self, desired: Vec<Desired>) -> Result<(), Stopped> {
        self.supervisor.accept(desired).await
    }

    async fn inventory(&self) -> Result<(Vec<Observed>, Vec<Orphan>), Stopped> {
        self.supervisor.inventory().await
    }

    async fn next_reports(&self, limit: usize) -> Vec<Observed> {
        self.supervisor.next_reports(limit).await
    }

    async fn audit(&self) -> Vec<Holding> {
        self.auditor.look().await
    }

    async fn next_samples(&self, limit: usize) -> Vec<Sample> {
        self.samples.take(limit).await
    }

    async fn traffic_beside(&self, told: &BTreeMap<ServerId, NetworkMoved>) -> Vec<Traffic> {
        self.meter.beside(told).await
    }

    async fn capacity_beside(&self, told: Option<Capacity>) -> Capacity {
        loop {
            match self.supervisor.facts().await {
                Ok(Ok(facts)) if told != Some(facts.capacity) => return facts.capacity,
                // Unchanged; or libvirt is away, of which others tell. What the agent itself does to the pool is told at
                // once: a disk in the trash keeps its room, which the control plane offers to others until then.
                _ => tokio::select! {
                    () = sleep(MEASURE_AGAIN) => {}
                    () = self.supervisor.room_changed() => {}
                },
            }
        }
    }

    async fn orphans_beside(&self, told: Option<&[Orphan]>) -> Vec<Orphan> {
        loop {
            if let Ok(Ok(mut orphans)) = self.supervisor.orphans().await {
                // In an order of their own, so that only what is there is compared.
                orphans.sort_by(|a, b| (a.kind, &a.name).cmp(&(b.kind, &b.name)));
                orphans.truncate(ORPHANS_TOLD_MAX);
                if told != Some(&orphans[..]) {
                    return orphans;
                }
            }
            sleep(ORPHANS_AGAIN).await;
        }
    }

    async fn accept_networks(&self, desired: Vec<DesiredNetwork>) {
        self.networks.accept(desired).await;
    }

    fn network_inventory(&self) -> Vec<ObservedNetwork> {
        self.networks.inventory()
    }

    async fn next_network_reports(&self, limit: usize) -> Vec<ObservedNetwork> {
        self.networks.next_reports(limit).await
    }

    async fn networks_beside(&self, told: Option<&HostNetworks>) -> HostNetworks {
        loop {
            match self.segments.abilities().await {
                Ok(now) if told != Some(&now.can) => {
                    for lack in &now.lacks {
                        tracing::error!(
                            lack,
                            "this host takes no part in private networks that its configuration speaks of"
                        );
                    }
                    return now.can;
                }
                // A host whose kernel does not tell fails every look of its workers, too.
                _ => sleep(NETWORKS_EVERY).await,
            }
        }
    }

    async fn next_status(&self) -> HostStatus {
        self.status.next().await
    }

    async fn screen(&self, server: ServerId) -> Option<PathBuf> {
        self.supervisor.screen(server).await
    }

    async fn set_password(&self, server: ServerId, hash: Secret) -> Result<(), PasswordRefusal> {
        self.supervisor.set_password(server, hash).await
    }

    fn control_heard(&self) {
        self.supervisor.control_heard();
    }

    fn control_refused(&self) {
        self.supervisor.control_refused();
    }
}
