//! One session with the control plane, from Hello to its end.
//!
//! ```text
//! Hello -> Welcome; Inventory ->; then side by side, neither waiting for the other:
//! listen  Desired  -> workers (durable before the next is read: the wire is the queue)
//! speak   news of the workers -> Reports;  Alive by the clock
//! ```

use std::{convert::Infallible, future::Future, time::Duration};

use csp_link::frames::{LinkError, Receiver, Sender};
use csp_shared::{
    generation::SessionEpoch,
    id::HostId,
    limits::{HEARTBEAT_SECONDS, REPORTS_PER_FRAME_MAX},
    message::{Hello, Inventory, Orphan, Refusal, ToAgent, ToControl, batches},
    observed::Observed,
};
use tokio::time::{Instant, MissedTickBehavior, interval_at, timeout};
use tracing::info;

use super::workers::Workers;
use crate::worker::Stopped;

/// How long the control plane may take to answer a Hello; its store may be busy after a restart.
const WELCOME_WITHIN: Duration = Duration::from_secs(30);

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

/// Opens the session; the answer is its epoch.
pub(super) async fn greet(
    hello: Hello,
    host: HostId,
    sender: &mut Sender,
    receiver: &mut Receiver,
) -> Result<SessionEpoch, Left> {
    sender.send(&ToControl::Hello(hello)).await?;
    let answer = timeout(WELCOME_WITHIN, receiver.receive()).await.map_err(|_| LinkError::Silent(WELCOME_WITHIN))?;
    match answer? {
        ToAgent::Welcome { session, host: found } if found == host => Ok(session),
        ToAgent::Welcome { host: found, .. } => Err(Left::OtherHost { found, expected: host }),
        ToAgent::Refused { reason, message } => Err(Left::Refused { reason, message }),
        ToAgent::Enrolled { .. } | ToAgent::Desired { .. } => Err(Left::OutOfOrder),
    }
}

/// Carries messages until the session ends.
pub(super) async fn pump(
    session: SessionEpoch,
    workers: &impl Workers,
    sender: &mut Sender,
    receiver: &mut Receiver,
) -> Result<Infallible, Left> {
    tokio::select! {
        ended = listen(workers, receiver) => ended,
        ended = speak(session, workers, sender) => ended,
    }
}

async fn listen(workers: &impl Workers, receiver: &mut Receiver) -> Result<Infallible, Left> {
    loop {
        match receiver.receive().await? {
            // An empty list ends what a session begins with: from now on this host knows all that it should be.
            ToAgent::Desired { desired } if desired.is_empty() => workers.control_heard(),
            ToAgent::Desired { desired } => {
                info!(servers = desired.len(), "the control plane sent what servers should be");
                workers.accept(desired).await?;
            }
            ToAgent::Refused { reason, message } => return Err(Left::Refused { reason, message }),
            ToAgent::Enrolled { .. } | ToAgent::Welcome { .. } => return Err(Left::OutOfOrder),
        }
    }
}

async fn speak(session: SessionEpoch, workers: &impl Workers, sender: &mut Sender) -> Result<Infallible, Left> {
    let (servers, orphans) = meanwhile_alive(session, sender, workers.inventory()).await??;
    send_inventory(session, servers, orphans, sender).await?;
    loop {
        let news = meanwhile_alive(session, sender, workers.next_reports(REPORTS_PER_FRAME_MAX)).await?;
        for reports in batches(news, REPORTS_PER_FRAME_MAX) {
            sender.send(&ToControl::Reports { session, reports }).await?;
        }
    }
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
            _ = heartbeat.tick() => sender.send(&ToControl::Alive { session }).await?,
        }
    }
}

/// In as many parts as the bounds of a frame ask for; the last one says that it is the last.
async fn send_inventory(
    session: SessionEpoch,
    servers: Vec<Observed>,
    orphans: Vec<Orphan>,
    sender: &mut Sender,
) -> Result<(), LinkError> {
    for servers in batches(servers, REPORTS_PER_FRAME_MAX) {
        sender.send(&ToControl::InventoryPart(Inventory { session, servers, orphans: Vec::new() })).await?;
    }
    for orphans in batches(orphans, REPORTS_PER_FRAME_MAX) {
        sender.send(&ToControl::InventoryPart(Inventory { session, servers: Vec::new(), orphans })).await?;
    }
    sender.send(&ToControl::Inventory(Inventory { session, servers: Vec::new(), orphans: Vec::new() })).await
}
