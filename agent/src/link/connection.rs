//! Keeps one session with the control plane, for ever.
//!
//! A refusal ends no agent: what is wrong (an unknown key, a second machine with the same key, an old version) is put
//! right by an operator elsewhere, and then the host has to come back by itself. It only asks less often.

use std::{convert::Infallible, time::Duration};

use csp_link::key_file::Identity;
use csp_shared::message::{Hello, Refusal};
use tokio::{
    sync::mpsc,
    time::{Instant, sleep},
};
use tracing::{debug, info, warn};

use super::{
    backoff::Backoff,
    console,
    dial::{self, Dial},
    enrolment::Enrolment,
    session::{self, Left},
    workers::Workers,
};

/// How fast a host comes back. Tests make it fast.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// Bound of the first wait; doubles with every failure.
    pub base: Duration,
    /// Bound of every wait, and about the wait after a refusal.
    pub cap: Duration,
    /// A session that stood this long counts as a success. A shorter one does not, or a control plane that accepts
    /// and falls over would be dialled without a pause.
    pub settled_after: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self { base: Duration::from_secs(1), cap: Duration::from_secs(60), settled_after: Duration::from_secs(20) }
    }
}

/// Connects, and connects again. Returns when the workers stop, and some time after a refusal that only an operator can
/// lift: the cure may have been a new enrolment, so the caller reads it again and comes back. Drop the future to end it
/// earlier; the control plane notices.
pub async fn run<W: Workers>(
    dial: impl Dial,
    own: &Identity,
    enrolment: &Enrolment,
    hello: &Hello,
    workers: &W,
    pace: Pace,
) {
    let (screens, asks) = mpsc::channel(console::WAITING_MAX);
    tokio::select! {
        () = keep(&dial, own, enrolment, hello, workers, pace, &screens) => {}
        never = console::serve(&dial, own, &enrolment.pins, workers, asks) => match never {},
    }
}

async fn keep(
    dial: &impl Dial,
    own: &Identity,
    enrolment: &Enrolment,
    hello: &Hello,
    workers: &impl Workers,
    pace: Pace,
    screens: &mpsc::Sender<console::Ask>,
) {
    let mut backoff = Backoff::new(own.pin(), pace.base, pace.cap);
    let mut told = String::new();
    loop {
        let began = Instant::now();
        let Err(why) = Box::pin(one_session(dial, own, enrolment, hello, workers, screens)).await;
        if matches!(why, Lost::Left(Left::Stopped(_))) {
            return;
        }
        if began.elapsed() >= pace.settled_after {
            backoff.reset();
            told.clear();
        }
        let text = why.to_string();
        if why.disowns() {
            workers.control_refused();
            warn!(why = %text, "the control plane knows this machine for none of its hosts: what runs goes on, and no guest is started");
            return sleep(backoff.slow()).await;
        }
        if why.needs_an_operator() {
            warn!(why = %text, "no connection to the control plane; guests go on");
            return sleep(backoff.slow()).await;
        }
        let wait = backoff.next();
        // The same fault again is worth a line only for who looks for it.
        if text == told {
            debug!(why = %text, retry_ms = wait.as_millis(), "still no connection to the control plane");
        } else {
            warn!(why = %text, retry_ms = wait.as_millis(), "no connection to the control plane; guests go on");
            told = text;
        }
        sleep(wait).await;
    }
}

/// Why there is no session now.
#[derive(Debug, thiserror::Error)]
enum Lost {
    #[error(transparent)]
    Dial(#[from] dial::DialError),
    #[error(transparent)]
    Left(#[from] Left),
}

impl Lost {
    /// Whether the control plane said that this is none of its hosts: another machine joined with this key, or the host was
    /// removed. What is stored here may run elsewhere.
    fn disowns(&self) -> bool {
        matches!(self, Self::Left(Left::Refused { reason: Refusal::UnknownKey | Refusal::OtherMachine, .. }))
    }

    /// Whether trying again at once is pointless. A superseded session means a second agent with this host's key on
    /// this machine: two that hurry would only throw each other out.
    fn needs_an_operator(&self) -> bool {
        match self {
            Self::Dial(dial::DialError::WrongKey { .. }) | Self::Left(Left::OtherHost { .. }) => true,
            Self::Left(Left::Refused { reason, .. }) => match reason {
                Refusal::UnknownKey
                | Refusal::OtherMachine
                | Refusal::Protocol
                | Refusal::Superseded
                | Refusal::BadToken => true,
                Refusal::Malformed => false,
            },
            Self::Dial(_) | Self::Left(_) => false,
        }
    }
}

async fn one_session(
    dial: &impl Dial,
    own: &Identity,
    enrolment: &Enrolment,
    hello: &Hello,
    workers: &impl Workers,
    screens: &mpsc::Sender<console::Ask>,
) -> Result<Infallible, Lost> {
    let (mut sender, mut receiver) = dial::open(dial, own, &enrolment.pins).await?;
    let opened = session::greet(hello.clone(), enrolment.host, &mut sender, &mut receiver).await?;
    info!(control = dial.address(), host = %enrolment.host, session = %opened.session, "connected to the control plane");
    Ok(session::pump(opened, workers, screens, &mut sender, &mut receiver).await?)
}
