//! From an address to two halves of a link with a control plane that proved a pinned key.

use std::{future::Future, io, time::Duration};

use csp_link::{
    frames::{self, LinkError, Receiver, Sender},
    key_file::Identity,
    screens::Movable,
    tls::{Connector, Io, TlsError, WrongKey},
};
use csp_shared::{key_pin::KeyPin, limits::FRAME_BYTES_MAX};
use tokio::{net::TcpStream, time::timeout};

/// Name resolution, TCP, TLS and websocket together.
const DIAL_WITHIN: Duration = Duration::from_secs(10);
/// The control plane pings every 25 s; two lost pings and a little.
const SILENCE_MAX: Duration = Duration::from_secs(70);

/// Opens byte streams to the control plane.
pub trait Dial: Send + Sync {
    /// A fresh stream.
    fn dial(&self) -> impl Future<Output = io::Result<Io>> + Send;
    /// Where to, for people.
    fn address(&self) -> &str;
}

impl<D: Dial> Dial for &D {
    async fn dial(&self) -> io::Result<Io> {
        (*self).dial().await
    }

    fn address(&self) -> &str {
        (*self).address()
    }
}

/// Dials by TCP.
#[derive(Debug, Clone)]
pub struct TcpDial {
    address: String,
}

impl TcpDial {
    /// `host:port`.
    #[must_use]
    pub fn new(address: String) -> Self {
        Self { address }
    }
}

impl Dial for TcpDial {
    async fn dial(&self) -> io::Result<Io> {
        let stream = TcpStream::connect(&self.address).await?;
        // Without it each handshake waits 40 ms for an acknowledgement that carries nothing.
        stream.set_nodelay(true)?;
        Ok(Box::new(Movable::new(stream)))
    }

    fn address(&self) -> &str {
        &self.address
    }
}

/// Why there is no link. Each says what an operator can do.
#[derive(Debug, thiserror::Error)]
pub enum DialError {
    /// Nobody answers.
    #[error("could not reach the control plane at {address}: {cause}; check the address, the route and the firewall")]
    Unreachable {
        /// Where.
        address: String,
        /// What the system said.
        cause: String,
    },
    /// Somebody else answers.
    #[error(
        "what answers at {address} is not our control plane: its key is {}, expected {}; nothing was sent to it",
        .found.0,
        list(.expected)
    )]
    WrongKey {
        /// Where.
        address: String,
        /// What it proved.
        found: WrongKey,
        /// What the join line said.
        expected: Vec<KeyPin>,
    },
    /// Something answers that speaks no TLS like ours.
    #[error("what answers at {address} does not speak as a control plane does: {cause}; check the port")]
    Foreign {
        /// Where.
        address: String,
        /// What failed.
        cause: String,
    },
}

fn list(pins: &[KeyPin]) -> String {
    pins.iter().map(ToString::to_string).collect::<Vec<_>>().join(" or ")
}

/// Dials and shakes hands.
///
/// # Errors
/// When nobody answers in time, or somebody else does.
pub async fn open(dial: &impl Dial, own: &Identity, pins: &[KeyPin]) -> Result<(Sender, Receiver), DialError> {
    let opened = timeout(DIAL_WITHIN, Box::pin(shake(dial, own, pins))).await;
    opened.unwrap_or_else(|_| {
        let cause = format!("no answer within {} s", DIAL_WITHIN.as_secs());
        Err(DialError::Unreachable { address: dial.address().to_owned(), cause })
    })
}

async fn shake(dial: &impl Dial, own: &Identity, pins: &[KeyPin]) -> Result<(Sender, Receiver), DialError> {
    let address = || dial.address().to_owned();
    let connector = Connector::new(own, pins).map_err(|error| tls_fault(error, address(), pins))?;
    let stream = dial.dial().await;
    let stream = stream.map_err(|error| DialError::Unreachable { address: address(), cause: error.to_string() })?;
    let io = connector.connect(stream).await.map_err(|error| tls_fault(error, address(), pins))?;
    frames::connect(io, FRAME_BYTES_MAX, SILENCE_MAX).await.map_err(|error| match error {
        LinkError::Broken(error) => DialError::Unreachable { address: address(), cause: error.to_string() },
        other => DialError::Foreign { address: address(), cause: other.to_string() },
    })
}

fn tls_fault(error: TlsError, address: String, pins: &[KeyPin]) -> DialError {
    match error {
        TlsError::WrongKey(found) => DialError::WrongKey { address, found, expected: pins.to_vec() },
        TlsError::Handshake(source) => DialError::Foreign { address, cause: format!("TLS handshake: {source}") },
        TlsError::Setup(source) => DialError::Foreign { address, cause: format!("TLS setup: {source}") },
    }
}
