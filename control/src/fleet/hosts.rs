//! What a session asks of the rest of the control plane.
//!
//! A trait, so that the link can be driven against a script in tests and against the store in one process or, later,
//! in several. Every write compares the session's epoch inside its own transaction: an implementation that did it
//! outside would let a connection that was overtaken a moment ago undo what its successor wrote.

use std::{error::Error, future::Future};

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

/// A session that was opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Opened {
    /// Whose it is.
    pub host: HostId,
    /// Larger than that of every earlier session of this host.
    pub session: SessionEpoch,
}

/// Whether what was recorded changed what the host should be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum News {
    /// There may be something to send to it.
    Some,
    /// Nothing changed.
    None,
}

/// Why a host does not get what it asked for.
#[derive(Debug, thiserror::Error)]
pub enum HostsError {
    /// It may not. The agent is told.
    #[error("{message}")]
    Refused {
        /// For the agent.
        reason: Refusal,
        /// For the operator of the host: what happened and what to do.
        message: String,
    },
    /// We cannot, for now. The agent comes back by itself.
    #[error("the store does not answer")]
    Unavailable(#[source] Box<dyn Error + Send + Sync>),
}

impl HostsError {
    /// A refusal.
    #[must_use]
    pub fn refused(reason: Refusal, message: impl Into<String>) -> Self {
        Self::Refused { reason, message: message.into() }
    }
}

/// The store, as the hosts' connections need it.
pub trait Hosts: Clone + Send + Sync + 'static {
    /// Whether the key belongs to a host. Decides how long a first frame may be, nothing else.
    fn knows(&self, pin: KeyPin) -> impl Future<Output = Result<bool, HostsError>> + Send;

    /// Makes the key that of the host for which the token was issued. The same key with the same token again gets the
    /// same answer, since the first one may have been lost.
    fn enrol(&self, enrol: Enrol, pin: KeyPin) -> impl Future<Output = Result<HostId, HostsError>> + Send;

    /// Opens a session of the host that has this key, with an epoch above all earlier ones.
    fn open_session(&self, hello: Hello, pin: KeyPin) -> impl Future<Output = Result<Opened, HostsError>> + Send;

    /// Records all that a host has.
    fn record_inventory(
        &self,
        host: HostId,
        inventory: Inventory,
    ) -> impl Future<Output = Result<News, HostsError>> + Send;

    /// Records what changed on a host.
    fn record_reports(
        &self,
        host: HostId,
        session: SessionEpoch,
        reports: Vec<Observed>,
    ) -> impl Future<Output = Result<News, HostsError>> + Send;

    /// Notes that the host lives, and what it has in all if it says so.
    fn alive(
        &self,
        host: HostId,
        session: SessionEpoch,
        capacity: Option<Capacity>,
    ) -> impl Future<Output = Result<(), HostsError>> + Send;

    /// Keeps how the host is, for operators.
    fn record_status(
        &self,
        host: HostId,
        session: SessionEpoch,
        status: HostStatus,
    ) -> impl Future<Output = Result<(), HostsError>> + Send {
        let _ = (host, session, status);
        std::future::ready(Ok(()))
    }

    /// Keeps what the host has that no spec explains: all of it.
    fn record_orphans(
        &self,
        host: HostId,
        session: SessionEpoch,
        orphans: Vec<Orphan>,
    ) -> impl Future<Output = Result<(), HostsError>> + Send {
        let _ = (host, session, orphans);
        std::future::ready(Ok(()))
    }

    /// Records what changed of private networks on a host.
    fn record_network_reports(
        &self,
        host: HostId,
        session: SessionEpoch,
        reports: Vec<ObservedNetwork>,
    ) -> impl Future<Output = Result<News, HostsError>> + Send {
        let _ = (host, session, reports);
        std::future::ready(Ok(News::None))
    }

    /// Keeps what the host can do for private networks.
    fn record_host_networks(
        &self,
        host: HostId,
        session: SessionEpoch,
        can: HostNetworks,
    ) -> impl Future<Output = Result<(), HostsError>> + Send {
        let _ = (host, session, can);
        std::future::ready(Ok(()))
    }

    /// What of private networks the host has not accepted yet.
    fn networks_unreported(
        &self,
        host: HostId,
    ) -> impl Future<Output = Result<Vec<DesiredNetwork>, HostsError>> + Send {
        let _ = host;
        std::future::ready(Ok(Vec::new()))
    }

    /// Takes in what servers of the host used lately. Only a refusal ends the session: samples may be lost.
    fn record_samples(
        &self,
        host: HostId,
        session: SessionEpoch,
        samples: Vec<Sample>,
    ) -> impl Future<Output = Result<(), HostsError>> + Send;

    /// Adds what servers of the host carried to their months.
    fn record_traffic(
        &self,
        host: HostId,
        session: SessionEpoch,
        traffic: Vec<Traffic>,
    ) -> impl Future<Output = Result<News, HostsError>> + Send {
        let _ = (host, session, traffic);
        std::future::ready(Ok(News::None))
    }

    /// What the host has not accepted yet.
    fn unreported(&self, host: HostId) -> impl Future<Output = Result<Vec<Desired>, HostsError>> + Send;
}
