//! Carries a console's bytes: websocket to websocket on the control plane, websocket to byte stream on the host.
//!
//! One frame is in hand for each direction, and the next is read only when it was taken: a viewer who does not read
//! stops the screen's updates at their source, and nothing grows in between. Each wait is bounded, and both directions
//! end together.

use std::time::Duration;

use csp_shared::limits::{CONSOLE_FRAME_BYTES_MAX, CONSOLE_READ_BYTES};
use futures_util::{Sink, SinkExt as _, Stream, StreamExt as _};
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    time::{Instant, MissedTickBehavior, interval_at, timeout, timeout_at},
};
use tokio_tungstenite::{
    WebSocketStream,
    tungstenite::{
        Bytes, Error as WsError, Message,
        error::ProtocolError,
        protocol::{CloseFrame, Role, WebSocketConfig},
    },
};

use crate::tls::{ByteStream, Io};

/// What is read of a screen at first, and of a browser at once, in bytes: most of what they say is short.
const FIRST_READ_BYTES: usize = 4 * 1024;
/// How long a last word may take.
const LAST_WORD_WITHIN: Duration = Duration::from_secs(2);

/// A websocket that carries bytes.
pub struct Socket(WebSocketStream<Io>);

/// How patient a console is. Tests make it short.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// Between two pings; half of a proxy's usual patience.
    pub ping_every: Duration,
    /// A peer that sends nothing, not even a pong, for this long is given up.
    pub silence_max: Duration,
    /// A peer that takes nothing of a frame for this long is given up.
    pub stuck_max: Duration,
}

impl Default for Patience {
    fn default() -> Self {
        let seconds = Duration::from_secs;
        Self { ping_every: seconds(25), silence_max: seconds(70), stuck_max: seconds(30) }
    }
}

/// Which of two ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Side {
    /// The first argument.
    First,
    /// The second one.
    Second,
}

/// What an end did that ended it all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Closed or cut.
    Gone,
    /// Sent nothing for too long.
    Silent,
    /// Took nothing for too long.
    Stuck,
    /// Sent what is no binary frame, or too long a one.
    Garbage,
}

/// How it ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct End {
    /// Whose doing.
    pub side: Side,
    /// What it was.
    pub why: Why,
}

/// Within one direction: the end that is read, or the one that is written to.
enum Fault {
    Source(Why),
    Target(Why),
}

impl Fault {
    fn seen_from(self, source: Side) -> End {
        let target = if source == Side::First { Side::Second } else { Side::First };
        match self {
            Self::Source(why) => End { side: source, why },
            Self::Target(why) => End { side: target, why },
        }
    }
}

impl Socket {
    pub(crate) fn new(socket: WebSocketStream<Io>) -> Self {
        Self(socket)
    }

    /// The server's end of a websocket whose upgrade was answered already.
    pub async fn upgraded(io: impl ByteStream + 'static) -> Self {
        let config = WebSocketConfig::default()
            .read_buffer_size(FIRST_READ_BYTES)
            .write_buffer_size(0)
            .max_message_size(Some(CONSOLE_FRAME_BYTES_MAX))
            .max_frame_size(Some(CONSOLE_FRAME_BYTES_MAX));
        let io: Io = Box::new(io);
        Self(WebSocketStream::from_raw_socket(io, Role::Server, Some(config)).await)
    }

    /// The first message, which must be a text; nothing when it is longer than `bytes_max`, and so no word that anybody
    /// gave out. The caller bounds the time.
    ///
    /// # Errors
    /// When the peer goes or sends something else.
    pub async fn first_text(&mut self, bytes_max: usize) -> Result<Option<String>, Why> {
        loop {
            let message = match self.0.next().await.ok_or(Why::Gone)? {
                Err(WsError::Capacity(_)) => return Ok(None),
                message => message.map_err(|error| fault_of(&error))?,
            };
            match message {
                Message::Text(text) => return Ok(Some(text.to_string()).filter(|text| text.len() <= bytes_max)),
                Message::Ping(_) | Message::Pong(_) => {}
                Message::Close(_) => return Err(Why::Gone),
                Message::Binary(_) | Message::Frame(_) => return Err(Why::Garbage),
            }
        }
    }

    /// Says why, and closes.
    pub async fn close(mut self, code: u16, reason: &'static str) {
        let frame = CloseFrame { code: code.into(), reason: reason.into() };
        let farewell = async {
            self.0.send(Message::Close(Some(frame))).await?;
            // Until the peer has read it: data still on its way to us would make the system reset the connection, and the
            // last word would be lost. After a frame that was too long no frames are read any more, only bytes.
            while let Some(Ok(_)) = self.0.next().await {}
            let io = self.0.get_mut();
            io.shutdown().await.map_err(WsError::Io)?;
            let mut unread = vec![0; FIRST_READ_BYTES];
            while io.read(&mut unread).await.map_err(WsError::Io)? > 0 {}
            Ok::<_, WsError>(())
        };
        let _ = timeout(LAST_WORD_WITHIN, farewell).await;
    }
}

/// Carries binary frames between two websockets until one end ends it.
pub async fn between(first: &mut Socket, second: &mut Socket, patience: Patience) -> End {
    let (mut first_out, mut first_in) = (&mut first.0).split();
    let (mut second_out, mut second_in) = (&mut second.0).split();
    tokio::select! {
        fault = forward(&mut first_in, &mut second_out, patience) => fault.seen_from(Side::First),
        fault = forward(&mut second_in, &mut first_out, patience) => fault.seen_from(Side::Second),
    }
}

/// Carries bytes between a websocket, the first end, and a byte stream until one end ends it.
pub async fn with_stream(socket: &mut Socket, stream: impl AsyncRead + AsyncWrite, patience: Patience) -> End {
    let (mut reader, mut writer) = tokio::io::split(stream);
    let (mut sink, mut source) = (&mut socket.0).split();
    tokio::select! {
        fault = write_from(&mut source, &mut writer, patience) => fault.seen_from(Side::First),
        fault = read_into(&mut reader, &mut sink, patience) => fault.seen_from(Side::Second),
    }
}

async fn forward<S, T>(source: &mut S, target: &mut T, patience: Patience) -> Fault
where
    S: Stream<Item = Result<Message, WsError>> + Unpin,
    T: Sink<Message, Error = WsError> + Unpin,
{
    let mut pings = interval_at(Instant::now() + patience.ping_every, patience.ping_every);
    pings.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut heard = Instant::now();
    loop {
        let next = tokio::select! {
            next = timeout_at(heard + patience.silence_max, source.next()) => next,
            _ = pings.tick() => match put(target, Message::Ping(Bytes::new()), patience).await {
                Ok(()) => continue,
                Err(why) => return Fault::Target(why),
            },
        };
        match binary(next) {
            Ok(Some(bytes)) => {
                if let Err(why) = put(target, Message::Binary(bytes), patience).await {
                    return Fault::Target(why);
                }
            }
            Ok(None) => {}
            Err(why) => return Fault::Source(why),
        }
        // The time that the target took is not the source's silence.
        heard = Instant::now();
    }
}

async fn write_from<S, W>(source: &mut S, writer: &mut W, patience: Patience) -> Fault
where
    S: Stream<Item = Result<Message, WsError>> + Unpin,
    W: AsyncWrite + Unpin,
{
    loop {
        match binary(timeout(patience.silence_max, source.next()).await) {
            Ok(Some(bytes)) => match timeout(patience.stuck_max, writer.write_all(&bytes)).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return Fault::Target(Why::Gone),
                Err(_) => return Fault::Target(Why::Stuck),
            },
            Ok(None) => {}
            Err(why) => return Fault::Source(why),
        }
    }
}

async fn read_into<R, T>(reader: &mut R, target: &mut T, patience: Patience) -> Fault
where
    R: AsyncRead + Unpin,
    T: Sink<Message, Error = WsError> + Unpin,
{
    let mut room = FIRST_READ_BYTES;
    loop {
        // A screen that does not change says nothing: no bound here, and little memory.
        let mut part = Vec::with_capacity(room);
        match reader.read_buf(&mut part).await {
            Ok(0) | Err(_) => return Fault::Source(Why::Gone),
            Ok(read) if read >= room => room = CONSOLE_READ_BYTES,
            Ok(read) if read < FIRST_READ_BYTES => room = FIRST_READ_BYTES,
            Ok(_) => {}
        }
        if let Err(why) = put(target, Message::Binary(part.into()), patience).await {
            return Fault::Target(why);
        }
    }
}

async fn put<T: Sink<Message, Error = WsError> + Unpin>(
    target: &mut T,
    message: Message,
    patience: Patience,
) -> Result<(), Why> {
    match timeout(patience.stuck_max, target.send(message)).await {
        Ok(Ok(())) => Ok(()),
        Ok(Err(_)) => Err(Why::Gone),
        Err(_) => Err(Why::Stuck),
    }
}

/// The bytes of a frame; none of a mere sign of life.
fn binary<E>(next: Result<Option<Result<Message, WsError>>, E>) -> Result<Option<Bytes>, Why> {
    match next.map_err(|_| Why::Silent)?.ok_or(Why::Gone)?.map_err(|error| fault_of(&error))? {
        Message::Binary(bytes) if bytes.len() <= CONSOLE_FRAME_BYTES_MAX => Ok(Some(bytes)),
        Message::Ping(_) | Message::Pong(_) => Ok(None),
        Message::Close(_) => Err(Why::Gone),
        Message::Binary(_) | Message::Text(_) | Message::Frame(_) => Err(Why::Garbage),
    }
}

fn fault_of(error: &WsError) -> Why {
    match error {
        WsError::Capacity(_) | WsError::Utf8(_) => Why::Garbage,
        WsError::Protocol(ProtocolError::ResetWithoutClosingHandshake) => Why::Gone,
        WsError::Protocol(_) => Why::Garbage,
        _ => Why::Gone,
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{DuplexStream, duplex};

    use super::*;

    /// Our end of a socket, and the peer's. As little as `bytes` fits in between.
    async fn pair(bytes: usize) -> (Socket, WebSocketStream<DuplexStream>) {
        let (ours, theirs) = duplex(bytes);
        (Socket::upgraded(ours).await, WebSocketStream::from_raw_socket(theirs, Role::Client, None).await)
    }

    /// A peer that reads, and so answers pings.
    fn alive(mut peer: WebSocketStream<DuplexStream>) -> tokio::task::JoinHandle<()> {
        tokio::spawn(async move { while let Some(Ok(_)) = peer.next().await {} })
    }

    #[tokio::test(start_paused = true)]
    async fn an_idle_console_stays_open_by_its_pings() {
        let ((mut first, browser), (mut second, host)) = (pair(1024).await, pair(1024).await);
        let (_browser, _host) = (alive(browser), alive(host));
        let day = Duration::from_secs(86_400);
        let end = timeout(day, between(&mut first, &mut second, Patience::default())).await;
        assert!(end.is_err(), "{end:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_answers_no_ping_is_given_up() {
        let ((mut first, _asleep), (mut second, host)) = (pair(1024).await, pair(1024).await);
        let _host = alive(host);
        let began = Instant::now();
        let end = between(&mut first, &mut second, Patience::default()).await;
        assert_eq!(end, End { side: Side::First, why: Why::Silent });
        assert_eq!(began.elapsed().as_secs(), Patience::default().silence_max.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_is_given_up() {
        let ((mut first, _stuck), (mut screen, qemu)) = (pair(1024).await, duplex(1024));
        tokio::spawn(async move { screen.write_all(&[0; 8192]).await });
        let end = with_stream(&mut first, qemu, Patience::default()).await;
        assert_eq!(end, End { side: Side::First, why: Why::Stuck });
    }

    #[tokio::test(start_paused = true)]
    async fn a_screen_that_says_nothing_is_no_fault_while_the_viewer_lives() {
        let ((mut first, mut viewer), (_screen, qemu)) = (pair(1024).await, duplex(1024));
        tokio::spawn(async move {
            for _ in 0..100 {
                tokio::time::sleep(Duration::from_secs(25)).await;
                viewer.send(Message::Ping(Bytes::new())).await.unwrap();
            }
        });
        let began = Instant::now();
        let end = with_stream(&mut first, qemu, Patience::default()).await;
        assert_eq!(end, End { side: Side::First, why: Why::Gone }, "the viewer left at last");
        assert_eq!(began.elapsed().as_secs(), 2500);
    }
}
