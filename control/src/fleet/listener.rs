//! Accepts hosts: TCP, TLS by raw public keys, websocket, first message. All of it bounded, since anyone can dial.
//!
//! A connection that has not said who it is holds one of few permits for a short time, and its frames are as short as
//! an enrolment. Strangers can make hosts wait, then, but cannot make the control plane grow.

use std::{sync::Arc, time::Duration};

use csp_link::{
    frames::{self, Receiver, Sender},
    key_file::Identity,
    screens::Movable,
    tls::{Acceptor, ByteStream, TlsError},
};
use csp_shared::{
    limits::{FRAME_BYTES_MAX, STRANGER_FRAME_BYTES_MAX},
    message::Refusal,
};
use tokio::{
    net::{TcpListener, TcpStream},
    sync::{OwnedSemaphorePermit, Semaphore},
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{Instrument as _, Span, debug, field::Empty, info, info_span, warn};

use super::{
    console_relay::Asks,
    ended::Ended,
    greeting,
    hosts::{Hosts, HostsError, Opened},
    session::Session,
    wake::{Registration, Wake},
};

/// How long a stop waits for the sessions' farewells.
const STOP_WITHIN: Duration = Duration::from_secs(3);

/// What connections may cost. Tests make the times short.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Connections that have not said who they are.
    pub strangers_max: usize,
    /// From the TCP connection to the first answer.
    pub greeting_max: Duration,
    /// From the session's begin to the whole inventory.
    pub inventory_max: Duration,
    /// A host that sends nothing, not even a pong, for this long is given up.
    pub silence_max: Duration,
    /// Between two pings; half of a NAT's usual patience.
    pub ping_every: Duration,
    /// Between two looks at the store without a signal.
    pub rescan_every: Duration,
}

impl Default for Bounds {
    fn default() -> Self {
        Self {
            strangers_max: 256,
            greeting_max: Duration::from_secs(10),
            inventory_max: Duration::from_secs(60),
            silence_max: Duration::from_secs(70),
            ping_every: Duration::from_secs(25),
            rescan_every: Duration::from_secs(30),
        }
    }
}

/// Accepts hosts and runs their sessions.
#[derive(Clone)]
pub struct Listener<H> {
    acceptor: Acceptor,
    hosts: H,
    wake: Wake,
    bounds: Bounds,
    strangers: Arc<Semaphore>,
}

impl<H: Hosts> Listener<H> {
    /// A listener that proves the key `own`.
    ///
    /// # Errors
    /// When this build's TLS cannot be set up.
    pub fn new(own: &Identity, hosts: H, wake: Wake, bounds: Bounds) -> Result<Self, TlsError> {
        let strangers = Arc::new(Semaphore::new(bounds.strangers_max));
        Ok(Self { acceptor: Acceptor::new(own)?, hosts, wake, bounds, strangers })
    }

    /// Serves until `stop` is done, then tells every host and waits a moment for them to have read it.
    pub async fn serve(self, tcp: TcpListener, stop: impl Future<Output = ()>) {
        let mut connections = JoinSet::new();
        tokio::pin!(stop);
        loop {
            let (stream, permit) = tokio::select! {
                () = &mut stop => break,
                accepted = self.accept(&tcp) => accepted,
                Some(_) = connections.join_next() => continue,
            };
            let peer = stream.peer_addr().map_or_else(|_| "unknown".to_owned(), |address| address.to_string());
            let one = self
                .clone()
                .connection(stream, permit)
                .instrument(info_span!("host_link", %peer, key = Empty, host = Empty));
            connections.spawn(one);
        }
        self.wake.stop();
        let gone = async { while connections.join_next().await.is_some() {} };
        let _ = timeout(STOP_WITHIN, gone).await;
    }

    /// The next connection, once there is room for another stranger.
    async fn accept(&self, tcp: &TcpListener) -> (TcpStream, Option<OwnedSemaphorePermit>) {
        let permit = self.strangers.clone().acquire_owned().await.ok();
        loop {
            match tcp.accept().await {
                Ok((stream, _)) => return (stream, permit),
                Err(error) => {
                    // Out of descriptors, usually. Trying again at once would only burn a processor.
                    warn!(%error, "could not accept a host's connection");
                    sleep(Duration::from_millis(200)).await;
                }
            }
        }
    }

    async fn connection(self, stream: TcpStream, permit: Option<OwnedSemaphorePermit>) {
        // Without it each handshake waits 40 ms for an acknowledgement that carries nothing.
        let _ = stream.set_nodelay(true);
        self.stream(Movable::new(stream), permit).await;
    }

    /// Runs one connection on any kind of stream; `permit` is given back once the peer has said who it is.
    pub async fn stream(self, stream: impl ByteStream + 'static, permit: Option<OwnedSemaphorePermit>) {
        match Box::pin(self.run(stream, permit)).await {
            Ended::Failed(HostsError::Unavailable(error)) => {
                warn!(%error, "ended a host's connection: the store fails")
            }
            Ended::Console(_) => debug!("a connection carries a screen"),
            Ended::Before(why) => debug!(%why, "a connection ended before it said who it is"),
            other => info!(why = %other, "a host's connection ended"),
        }
    }

    async fn run(&self, stream: impl ByteStream + 'static, permit: Option<OwnedSemaphorePermit>) -> Ended {
        let greeting = timeout(self.bounds.greeting_max, Box::pin(self.greet(stream))).await;
        drop(permit);
        match greeting {
            Err(_) => Ended::Before(format!("no first message within {} s", self.bounds.greeting_max.as_secs())),
            Ok(Err(ended)) => ended,
            Ok(Ok(greeted)) => Box::pin(self.session(greeted)).await,
        }
    }

    async fn greet(&self, stream: impl ByteStream + 'static) -> Result<Greeted, Ended> {
        let shaken = self.acceptor.accept(stream).await;
        let (io, pin) = shaken.map_err(|error| Ended::Before(with_source(&error)))?;
        Span::current().record("key", pin.to_string());
        let known = self.hosts.knows(pin).await?;
        let frame_bytes_max = if known { FRAME_BYTES_MAX } else { STRANGER_FRAME_BYTES_MAX };
        let upgraded = frames::accept(io, frame_bytes_max, self.bounds.silence_max).await;
        let (mut sender, mut receiver) = upgraded.map_err(|error| Ended::Before(with_source(&error)))?;
        match greeting::greet(&self.hosts, &self.wake, pin, &mut sender, &mut receiver).await {
            Ok((opened, registration)) => {
                let asks = self.wake.consoles().attach(opened.host, opened.session, pin);
                Ok(Greeted { opened, registration, asks, sender, receiver })
            }
            Err(Ended::Console(stream)) => match self.wake.consoles().deliver(pin, &stream, sender, receiver) {
                Ok(()) => Err(Ended::Console(stream)),
                Err((sender, receiver)) => {
                    let why = HostsError::refused(Refusal::BadToken, "nobody waits for this screen from this host");
                    let ended = Ended::Failed(why);
                    ended.farewell(sender, receiver).await;
                    Err(ended)
                }
            },
            Err(ended) => {
                ended.farewell(sender, receiver).await;
                Err(ended)
            }
        }
    }

    async fn session(&self, greeted: Greeted) -> Ended {
        let Greeted { opened, registration, mut asks, mut sender, mut receiver } = greeted;
        Span::current().record("host", opened.host.to_string());
        info!(session = %opened.session, "a host is connected");
        let session = Session { hosts: &self.hosts, bounds: self.bounds, opened, registration: &registration };
        let ended = session.run(&mut asks, &mut sender, &mut receiver).await;
        // Out of the list first: nobody should wake a session that only says goodbye.
        drop((registration, asks));
        ended.farewell(sender, receiver).await;
        ended
    }
}

/// A connection whose peer has said who it is.
struct Greeted {
    opened: Opened,
    registration: Registration,
    asks: Asks,
    sender: Sender,
    receiver: Receiver,
}

/// An error and what it stems from, in one line.
fn with_source(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |source| format!("{error}: {source}"))
}
