//! What the link asks of the rest of the agent. A trait, so that the link can be tried without a hypervisor.

use std::future::Future;

use csp_shared::{message::Orphan, observed::Observed, spec::Desired};

use crate::worker::{Stopped, Supervisor};

/// Brings servers about, and tells what came of it.
pub trait Workers: Clone + Send + Sync + 'static {
    /// Takes over what servers should be; returns once that is durable.
    fn accept(&self, desired: Vec<Desired>) -> impl Future<Output = Result<(), Stopped>> + Send;

    /// All that the host has.
    fn inventory(&self) -> impl Future<Output = Result<(Vec<Observed>, Vec<Orphan>), Stopped>> + Send;

    /// Waits for news and takes at most `limit` of them. Cancel safe; what was taken and not delivered is made good by
    /// the next inventory.
    fn next_reports(&self, limit: usize) -> impl Future<Output = Vec<Observed>> + Send;

    /// The control plane has sent all that it had to send.
    fn control_heard(&self);
}

impl Workers for Supervisor {
    async fn accept(&self, desired: Vec<Desired>) -> Result<(), Stopped> {
        Self::accept(self, desired).await
    }

    async fn inventory(&self) -> Result<(Vec<Observed>, Vec<Orphan>), Stopped> {
        Self::inventory(self).await
    }

    async fn next_reports(&self, limit: usize) -> Vec<Observed> {
        Self::next_reports(self, limit).await
    }

    fn control_heard(&self) {
        Self::control_heard(self);
    }
}
