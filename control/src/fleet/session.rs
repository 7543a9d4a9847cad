//! An open session of one host: its inventory, then two loops side by side.
//!
//! ```text
//! listen  Reports, NetworkReports, Alive  ->  store;  Samples  ->  metrics
//! speak   woken, or rescan by the clock  ->  store: what is not accepted  ->  DesiredNetworks, Desired;  questions;
//!         pings by the clock
//! ```
//!
//! Neither waits for the other: a host that does not read still gets heard, and one that floods still gets told. Each
//! host has its own pair with one message in hand, so a slow host slows only itself.

use std::convert::Infallible;

use csp_link::frames::{LinkError, Receiver, Sender};
use csp_shared::{
    generation::SessionEpoch,
    host_status::HostStatus,
    limits::{NETWORKS_PER_FRAME_MAX, SPECS_PER_FRAME_MAX},
    message::{Capacity, Inventory, Orphan, ToAgent, ToControl, batches},
    network::HostNetworks,
    spec::{Desired, NicNetwork},
};
use tokio::time::{Instant, Interval, MissedTickBehavior, interval_at, timeout};

use super::{
    console_relay::Asks,
    ended::Ended,
    hosts::{Hosts, News, Opened},
    intake,
    listener::Bounds,
    outbox::Sent,
    questions::NewPassword,
    wake::Registration,
};

/// An open session.
pub(super) struct Session<'a, H> {
    pub(super) hosts: &'a H,
    pub(super) bounds: Bounds,
    pub(super) opened: Opened,
    pub(super) registration: &'a Registration,
}

impl<H: Hosts> Session<'_, H> {
    /// Runs until the line breaks, the agent misbehaves, the store fails or the session has to go.
    pub(super) async fn run(&self, asks: &mut Asks, sender: &mut Sender, receiver: &mut Receiver) -> Ended {
        let ended: Result<Infallible, Ended> = tokio::select! {
            leave = self.registration.told_to_leave() => Err(Ended::Left(leave)),
            ended = self.converse(asks, sender, receiver) => ended,
        };
        match ended {
            Ok(never) => match never {},
            Err(ended) => ended,
        }
    }

    async fn converse(
        &self,
        asks: &mut Asks,
        sender: &mut Sender,
        receiver: &mut Receiver,
    ) -> Result<Infallible, Ended> {
        let inventory = timeout(self.bounds.inventory_max, self.whole_inventory(receiver)).await;
        let inventory = inventory.map_err(|_| LinkError::Silent(self.bounds.inventory_max))??;
        // Whether it brought news does not matter: all that is unaccepted is sent now anyway.
        let _ = self.hosts.record_inventory(self.opened.host, inventory).await?;
        tokio::select! {
            ended = self.listen(receiver) => ended,
            ended = self.speak(asks, sender) => ended,
        }
    }

    /// Collects the parts of an inventory.
    async fn whole_inventory(&self, receiver: &mut Receiver) -> Result<Inventory, Ended> {
        let mut whole =
            Inventory { session: self.opened.session, servers: Vec::new(), orphans: Vec::new(), networks: Vec::new() };
        loop {
            let message = receiver.receive().await?;
            let is_last = matches!(message, ToControl::Inventory(_));
            match message {
                ToControl::Inventory(part) | ToControl::InventoryPart(part) => {
                    self.check(part.session)?;
                    intake::add_part(&mut whole, part)?;
                }
                // The same as in the open session: a host that is long at its inventory must not look silent.
                ToControl::Alive { session, capacity, status, orphans, networks } => {
                    self.alive(session, capacity, status, orphans, networks).await?;
                }
                ToControl::Enrol(_)
                | ToControl::Hello(_)
                | ToControl::Reports { .. }
                | ToControl::NetworkReports { .. }
                | ToControl::Samples { .. }
                | ToControl::Traffic { .. }
                | ToControl::Console { .. }
                | ToControl::PasswordSet { .. }
                | ToControl::AuditAnswer { .. } => {
                    return Err(Ended::out_of_order("after Welcome comes the inventory"));
                }
            }
            if is_last {
                return Ok(whole);
            }
        }
    }

    async fn listen(&self, receiver: &mut Receiver) -> Result<Infallible, Ended> {
        let host = self.opened.host;
        loop {
            match receiver.receive().await? {
                ToControl::Reports { session, reports } => {
                    self.check(session)?;
                    // A failed order, for one, has a tombstone to be sent.
                    if self.hosts.record_reports(host, session, intake::reports(reports)).await? == News::Some {
                        self.registration.wake();
                    }
                }
                ToControl::NetworkReports { session, reports } => {
                    self.check(session)?;
                    let reports = intake::network_reports(reports);
                    if self.hosts.record_network_reports(host, session, reports).await? == News::Some {
                        self.registration.wake();
                    }
                }
                ToControl::Alive { session, capacity, status, orphans, networks } => {
                    self.alive(session, capacity, status, orphans, networks).await?;
                }
                ToControl::Samples { session, samples } => {
                    self.check(session)?;
                    self.hosts.record_samples(host, session, samples).await?;
                }
                ToControl::Traffic { session, traffic } => {
                    self.check(session)?;
                    // A server that used up what was sold has another spec.
                    if self.hosts.record_traffic(host, session, traffic).await? == News::Some {
                        self.registration.wake();
                    }
                }
                ToControl::AuditAnswer { session, request, holdings, last } => {
                    self.check(session)?;
                    self.registration.answered(request, holdings, last);
                }
                ToControl::PasswordSet { session, request, refusal } => {
                    self.check(session)?;
                    self.registration.password_set(request, refusal);
                }
                ToControl::Enrol(_)
                | ToControl::Hello(_)
                | ToControl::InventoryPart(_)
                | ToControl::Inventory(_)
                | ToControl::Console { .. } => {
                    return Err(Ended::out_of_order("the session is open and its inventory known"));
                }
            }
        }
    }

    async fn speak(&self, asks: &mut Asks, sender: &mut Sender) -> Result<Infallible, Ended> {
        let mut outbox = Sent::default();
        let mut rescan = every(self.bounds.rescan_every);
        let mut ping = every(self.bounds.ping_every);
        self.send_news(&mut outbox, sender).await?;
        // An empty list says: that was all. A host that just booted waits for it before it trusts its own files.
        sender.send(&ToAgent::Desired { desired: Vec::new() }).await?;
        loop {
            tokio::select! {
                () = self.registration.woken() => self.send_news(&mut outbox, sender).await?,
                _ = rescan.tick() => {
                    outbox = Sent::default();
                    self.send_news(&mut outbox, sender).await?;
                }
                request = self.registration.question() => sender.send(&ToAgent::Audit { request }).await?,
                (request, NewPassword { server, hash }) = self.registration.password() => {
                    sender.send(&ToAgent::SetPassword { request, server, hash }).await?;
                }
                open_console = asks.next() => sender.send(&open_console).await?,
                _ = ping.tick() => sender.ping().await?,
            }
        }
    }

    /// A server's networks go before it. They are read after it: both were written in one transaction, so a spec that was
    /// read has its networks in the store.
    async fn send_news(&self, sent: &mut Sent, sender: &mut Sender) -> Result<(), Ended> {
        let mut specs = self.hosts.unreported(self.opened.host).await?;
        if self.registration.offers().networks {
            let networks = self.hosts.networks_unreported(self.opened.host).await?;
            let news = sent.networks.take(networks, |desired| (desired.network(), desired.version()));
            for networks in batches(news, NETWORKS_PER_FRAME_MAX) {
                sender.send(&ToAgent::DesiredNetworks { networks }).await?;
            }
        } else {
            // An agent that was made older again: it would take such a spec for no message at all.
            specs.retain(|desired| !has_private_adapter(desired));
        }
        let news = sent.specs.take(specs, |desired| (desired.server(), desired.version()));
        for desired in batches(news, SPECS_PER_FRAME_MAX) {
            sender.send(&ToAgent::Desired { desired }).await?;
        }
        Ok(())
    }

    async fn alive(
        &self,
        session: SessionEpoch,
        capacity: Option<Capacity>,
        status: Option<HostStatus>,
        orphans: Option<Vec<Orphan>>,
        networks: Option<HostNetworks>,
    ) -> Result<(), Ended> {
        self.check(session)?;
        capacity.as_ref().map_or(Ok(()), intake::capacity)?;
        self.hosts.alive(self.opened.host, session, capacity).await?;
        if let Some(status) = status.map(intake::status) {
            self.hosts.record_status(self.opened.host, session, status).await?;
        }
        if let Some(orphans) = orphans.map(intake::orphans) {
            self.hosts.record_orphans(self.opened.host, session, orphans).await?;
        }
        if let Some(networks) = networks.map(intake::host_networks) {
            self.hosts.record_host_networks(self.opened.host, session, networks).await?;
        }
        Ok(())
    }

    /// A message of another session can stand here only if the agent mixes them up. That it is the newest session of
    /// its host is compared where it matters: inside each write.
    fn check(&self, session: SessionEpoch) -> Result<(), Ended> {
        if session == self.opened.session {
            return Ok(());
        }
        Err(Ended::out_of_order("the message belongs to another session"))
    }
}

fn has_private_adapter(desired: &Desired) -> bool {
    match desired {
        Desired::Present(spec) => spec.nics.iter().any(|nic| nic.network != NicNetwork::Public),
        Desired::Absent(_) => false,
    }
}

fn every(period: std::time::Duration) -> Interval {
    let mut interval = interval_at(Instant::now() + period, period);
    interval.set_missed_tick_behavior(MissedTickBehavior::Delay);
    interval
}
