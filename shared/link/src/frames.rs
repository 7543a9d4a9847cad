//! Messages in websocket text frames, each wait and each length bounded.
//!
//! The two directions are separate halves, so that a peer which does not read cannot keep us from reading: two sides
//! that both send a large message would otherwise wait for each other. Any frame, a ping too, counts as a sign of
//! life; a peer that gives none is given up, because a cut cable sends nothing at all.

use std::{io, time::Duration};

use csp_shared::message::{FrameError, Message};
use futures_util::{
    SinkExt as _, StreamExt as _,
    stream::{SplitSink, SplitStream},
};
use tokio::{io::AsyncReadExt as _, time::timeout};
use tokio_tungstenite::{
    WebSocketStream, accept_hdr_async_with_config, client_async_with_config,
    tungstenite::{
        self, Bytes, Error as WsError,
        handshake::server::{ErrorResponse, Request, Response},
        http::StatusCode,
        protocol::{CloseFrame, WebSocketConfig, frame::coding::CloseCode},
    },
};

use crate::{pipe::Socket, tls::Io};

/// Where a host's control connection lives on the control plane.
pub const PATH: &str = "/agent/v1";
/// A peer that takes none of a message for this long is given up.
pub const SEND_WITHIN: Duration = Duration::from_secs(30);
/// How long a closing side waits for the other to have read why.
const LINGER: Duration = Duration::from_secs(2);
/// Buffers are touched when a connection opens, so they decide what an idle host costs. In bytes.
const BUFFER_BYTES: usize = 4 * 1024;

/// Why a connection ended.
#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    /// Closed by the peer, which may have said why.
    #[error("the peer closed the connection{}", because(.0))]
    Closed(String),
    /// Cut.
    #[error("the connection broke")]
    Broken(#[source] Box<WsError>),
    /// Nothing came.
    #[error("the peer was silent for {} s", .0.as_secs())]
    Silent(Duration),
    /// Nothing went.
    #[error("the peer took no message for {} s", SEND_WITHIN.as_secs())]
    Stuck,
    /// More than we said we take.
    #[error("the frame is longer than {0} bytes")]
    TooLong(usize),
    /// Not a websocket, not text, or not of this protocol.
    #[error("the peer does not speak the websocket protocol as agreed: {0}")]
    Foreign(String),
    /// A text that is no message.
    #[error(transparent)]
    Frame(#[from] FrameError),
}

impl LinkError {
    /// Whether the peer sent what cannot be understood, so that it deserves an answer which says so.
    #[must_use]
    pub fn is_malformed(&self) -> bool {
        matches!(self, Self::TooLong(_) | Self::Foreign(_) | Self::Frame(_))
    }
}

fn because(reason: &str) -> String {
    if reason.is_empty() { String::new() } else { format!(": {reason}") }
}

/// The half that speaks.
pub struct Sender(SplitSink<WebSocketStream<Io>, tungstenite::Message>);

/// The half that listens.
pub struct Receiver {
    stream: SplitStream<WebSocketStream<Io>>,
    silence_max: Duration,
    frame_bytes_max: usize,
}

/// Accepts a websocket at [`PATH`]. Frames above `frame_bytes_max` end the connection, as does more than `silence_max`
/// without one. The caller bounds the time of the upgrade.
///
/// # Errors
/// When the peer asks for something else.
pub async fn accept(io: Io, frame_bytes_max: usize, silence_max: Duration) -> Result<(Sender, Receiver), LinkError> {
    let upgraded = Box::pin(accept_hdr_async_with_config(io, only_our_path, Some(config(frame_bytes_max)))).await;
    Ok(halves(upgraded.map_err(|error| read_error(error, frame_bytes_max))?, frame_bytes_max, silence_max))
}

/// Asks for a websocket at [`PATH`]. Bounds as for [`accept`].
///
/// # Errors
/// When the peer does not answer as a control plane does.
pub async fn connect(io: Io, frame_bytes_max: usize, silence_max: Duration) -> Result<(Sender, Receiver), LinkError> {
    // The name is not looked at by either side: who is there was proved by the key, below.
    let url = format!("ws://control.csp.internal{PATH}");
    let upgraded = Box::pin(client_async_with_config(url, io, Some(config(frame_bytes_max)))).await;
    let (socket, _response) = upgraded.map_err(|error| read_error(error, frame_bytes_max))?;
    Ok(halves(socket, frame_bytes_max, silence_max))
}

impl Sender {
    /// Sends one message and waits until the transport has taken it.
    ///
    /// # Errors
    /// When the peer does not take it within [`SEND_WITHIN`], or is gone.
    pub async fn send<M: Message>(&mut self, message: &M) -> Result<(), LinkError> {
        self.put(tungstenite::Message::text(message.encode())).await
    }

    /// Asks the peer for a sign of life; the answer is seen by the other half.
    ///
    /// # Errors
    /// As [`Sender::send`].
    pub async fn ping(&mut self) -> Result<(), LinkError> {
        self.put(tungstenite::Message::Ping(Bytes::new())).await
    }

    async fn put(&mut self, frame: tungstenite::Message) -> Result<(), LinkError> {
        match timeout(SEND_WITHIN, self.0.send(frame)).await {
            Ok(sent) => sent.map_err(|error| read_error(error, 0)),
            Err(_) => Err(LinkError::Stuck),
        }
    }

    /// From now on the connection carries bytes. None when the halves are not of one connection.
    #[must_use]
    pub fn into_socket(self, receiver: Receiver) -> Option<Socket> {
        self.0.reunite(receiver.stream).ok().map(Socket::new)
    }

    /// Closes in peace: says so, then reads and forgets until the peer has gone too. Without that, data still under
    /// way to us would make the system reset the connection, and our last message could be lost with it.
    pub async fn close(mut self, receiver: Receiver, reason: &str) {
        let frame = CloseFrame { code: CloseCode::Policy, reason: cut(reason).into() };
        let said = timeout(LINGER, self.0.send(tungstenite::Message::Close(Some(frame)))).await;
        let Ok(mut socket) = self.0.reunite(receiver.stream) else { return };
        if matches!(said, Ok(Ok(()))) {
            let _ = timeout(LINGER, drain(socket.get_mut(), 2 * receiver.frame_bytes_max)).await;
        }
    }
}

impl Receiver {
    /// The next message. Can be dropped while waiting: nothing is lost.
    ///
    /// # Errors
    /// When the peer is silent for too long, closes, or sends something else.
    pub async fn receive<M: Message>(&mut self) -> Result<M, LinkError> {
        loop {
            let next = timeout(self.silence_max, self.stream.next());
            let frame = next.await.map_err(|_| LinkError::Silent(self.silence_max))?;
            let frame = frame.ok_or_else(|| LinkError::Closed(String::new()))?;
            match frame.map_err(|error| read_error(error, self.frame_bytes_max))? {
                tungstenite::Message::Text(text) => return Ok(M::decode(&text)?),
                tungstenite::Message::Ping(_) | tungstenite::Message::Pong(_) => {}
                tungstenite::Message::Close(why) => {
                    return Err(LinkError::Closed(why.map(|frame| frame.reason.to_string()).unwrap_or_default()));
                }
                tungstenite::Message::Binary(_) | tungstenite::Message::Frame(_) => {
                    return Err(LinkError::Foreign("a binary frame".to_owned()));
                }
            }
        }
    }
}

fn halves(socket: WebSocketStream<Io>, frame_bytes_max: usize, silence_max: Duration) -> (Sender, Receiver) {
    let (sink, stream) = socket.split();
    (Sender(sink), Receiver { stream, silence_max, frame_bytes_max })
}

fn config(frame_bytes_max: usize) -> WebSocketConfig {
    WebSocketConfig::default()
        .read_buffer_size(BUFFER_BYTES)
        .write_buffer_size(BUFFER_BYTES)
        .max_message_size(Some(frame_bytes_max))
        .max_frame_size(Some(frame_bytes_max))
}

#[allow(clippy::result_large_err)] // the callback's type is tungstenite's
fn only_our_path(request: &Request, response: Response) -> Result<Response, ErrorResponse> {
    if request.uri().path() == PATH {
        return Ok(response);
    }
    let mut refused = ErrorResponse::new(Some(format!("only {PATH} is served here\n")));
    *refused.status_mut() = StatusCode::NOT_FOUND;
    Err(refused)
}

/// Tells a cut from a fault of the peer: the first is nobody's, the second is answered.
fn read_error(error: WsError, frame_bytes_max: usize) -> LinkError {
    match error {
        WsError::ConnectionClosed | WsError::AlreadyClosed => LinkError::Closed(String::new()),
        WsError::Io(_) | WsError::Tls(_) => LinkError::Broken(Box::new(error)),
        WsError::Protocol(tungstenite::error::ProtocolError::ResetWithoutClosingHandshake) => {
            LinkError::Broken(Box::new(error))
        }
        WsError::Capacity(_) => LinkError::TooLong(frame_bytes_max),
        other => LinkError::Foreign(other.to_string()),
    }
}

/// A close frame's reason has at most 123 bytes (RFC 6455, 5.5).
fn cut(reason: &str) -> String {
    let mut cut = String::new();
    for character in reason.chars() {
        if cut.len() + character.len_utf8() > 120 {
            break;
        }
        cut.push(character);
    }
    cut
}

async fn drain(io: &mut Io, bytes_max: usize) -> io::Result<()> {
    let mut left = bytes_max;
    let mut buffer = vec![0; BUFFER_BYTES];
    while left > 0 {
        let read = io.read(&mut buffer).await?;
        if read == 0 {
            break;
        }
        left = left.saturating_sub(read);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_reason_is_cut_between_characters() {
        let cut = cut(&"é".repeat(200));
        assert_eq!(cut.len(), 120);
        assert!(cut.chars().all(|character| character == 'é'));
    }
}
