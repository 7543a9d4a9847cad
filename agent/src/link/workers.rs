//! What the link asks of the rest of the agent. A trait, so that the link can be tried without a hypervisor.

use std::{collections::BTreeMap, future::Future, path::PathBuf};

use csp_shared::{
    audit::Holding,
    host_status::HostStatus,
    id::ServerId,
    message::{Capacity, Orphan, PasswordRefusal},
    network::{DesiredNetwork, HostNetworks, ObservedNetwork},
    observed::Observed,
    sample::{NetworkMoved, Sample},
    secret::Secret,
    spec::Desired,
    traffic::Traffic,
};

use crate::worker::Stopped;

/// Brings servers about, and tells what came of it.
pub trait Workers: Clone + Send + Sync + 'static {
    /// Takes over what servers should be; returns once that is durable.
    fn accept(&self, desired: Vec<Desired>) -> impl Future<Output = Result<(), Stopped>> + Send;

    /// All that the host has.
    fn inventory(&self) -> impl Future<Output = Result<(Vec<Observed>, Vec<Orphan>), Stopped>> + Send;

    /// Waits for news and takes at most `limit` of them. Cancel safe; what was taken and not delivered is made good by
    /// the next inventory.
    fn next_reports(&self, limit: usize) -> impl Future<Output = Vec<Observed>> + Send;

    /// Looks at everything on the host, and changes nothing. Takes as long as the host's own services do.
    fn audit(&self) -> impl Future<Output = Vec<Holding>> + Send;

    /// The socket on which a server's screen is shown while it runs; None for a server that is none of this host's.
    fn screen(&self, server: ServerId) -> impl Future<Output = Option<PathBuf>> + Send {
        let _ = server;
        std::future::ready(None)
    }

    /// Asks a server's guest agent to give root the password with this crypt(5) hash. Takes seconds where the guest hangs.
    fn set_password(&self, server: ServerId, hash: Secret) -> impl Future<Output = Result<(), PasswordRefusal>> + Send {
        let _ = (server, hash);
        std::future::ready(Err(PasswordRefusal::NotRunning))
    }

    /// Waits for samples and takes at most `limit` of them. Cancel safe; what was taken and not delivered is lost.
    fn next_samples(&self, limit: usize) -> impl Future<Output = Vec<Sample>> + Send {
        let _ = limit;
        std::future::pending()
    }

    /// Waits until what servers' adapters carried in all differs from `told`. Cancel safe.
    fn traffic_beside(&self, told: &BTreeMap<ServerId, NetworkMoved>) -> impl Future<Output = Vec<Traffic>> + Send {
        let _ = told;
        std::future::pending()
    }

    /// How the host is: at once the first time, and then every now and then.
    fn next_status(&self) -> impl Future<Output = HostStatus> + Send {
        std::future::pending()
    }

    /// Waits until what the host has in all is known and differs from `told`. Cancel safe.
    fn capacity_beside(&self, told: Option<Capacity>) -> impl Future<Output = Capacity> + Send {
        let _ = told;
        std::future::pending()
    }

    /// Takes over what private networks should be; returns once that is durable.
    fn accept_networks(&self, desired: Vec<DesiredNetwork>) -> impl Future<Output = ()> + Send {
        let _ = desired;
        std::future::ready(())
    }

    /// Every private network that the host was told of.
    fn network_inventory(&self) -> Vec<ObservedNetwork> {
        Vec::new()
    }

    /// Waits for news of private networks and takes at most `limit` of them. Cancel safe; what was taken and not delivered
    /// is made good by the next inventory.
    fn next_network_reports(&self, limit: usize) -> impl Future<Output = Vec<ObservedNetwork>> + Send {
        let _ = limit;
        std::future::pending()
    }

    /// Waits until what the host can do for private networks differs from `told`. Cancel safe.
    fn networks_beside(&self, told: Option<&HostNetworks>) -> impl Future<Output = HostNetworks> + Send {
        let _ = told;
        std::future::pending()
    }

    /// Waits until everything on the host that no spec explains is known and differs from `told`. Cancel safe.
    fn orphans_beside(&self, told: Option<&[Orphan]>) -> impl Future<Output = Vec<Orphan>> + Send {
        let _ = told;
        std::future::pending()
    }

    /// The control plane has sent all that it had to send.
    fn control_heard(&self);

    /// The control plane knows this machine for none of its hosts.
    fn control_refused(&self);
}
