//! Brings a viewer and a screen together: who waits for a host's stream, and how many may watch.
//!
//! ```text
//! viewer's task    take_seat -> ask: a question on the host's session, then wait
//! host's session   next: the question goes out as OpenConsole
//! new connection   Console -> deliver: the waiting task gets the socket
//! ```
//!
//! Of this process and of this moment, like the signals of [`super::wake`]: a question that is lost costs its viewer a
//! new link and nothing else. A question never waits for a session, so a slow host cannot hold anything up here.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use csp_link::{
    frames::{Receiver, Sender},
    pipe::Socket,
};
use csp_shared::{
    generation::SessionEpoch,
    id::{HostId, ServerId},
    key_pin::KeyPin,
    limits::{CONSOLES_PER_HOST_MAX, CONSOLES_PER_SERVER_MAX},
    message::ToAgent,
    secret::Secret,
    sha256::Sha256,
};
use tokio::{
    sync::{mpsc, oneshot},
    time::timeout,
};

/// Questions that may wait for a session to take them.
const QUESTIONS_MAX: usize = 16;
/// How long a host may take to dial back.
const DIAL_BACK_WITHIN: Duration = Duration::from_secs(10);

/// Why there is no screen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoScreen {
    /// As many watch as may.
    TooMany,
    /// The host is not connected, or did not dial back in time.
    HostAway,
}

/// Consoles of this process. Clones reach the same ones.
#[derive(Clone, Default)]
pub struct Consoles(Arc<Mutex<Desk>>);

#[derive(Default)]
struct Desk {
    lines: HashMap<HostId, Line>,
    waiting: HashMap<Sha256, Waiting>,
    seats: HashMap<ServerId, usize>,
    seats_of_hosts: HashMap<HostId, usize>,
}

/// Where a host is asked.
struct Line {
    session: SessionEpoch,
    pin: KeyPin,
    questions: mpsc::Sender<ToAgent>,
}

/// Who waits for a stream, and whose key may bring it.
struct Waiting {
    pin: KeyPin,
    socket: oneshot::Sender<Socket>,
}

/// The right to be one of a server's viewers. Given back when it is dropped.
pub struct Seat {
    desk: Consoles,
    host: HostId,
    server: ServerId,
}

/// A session's own end: what its host is asked. Dropped with it.
pub(super) struct Asks {
    desk: Consoles,
    host: HostId,
    session: SessionEpoch,
    questions: mpsc::Receiver<ToAgent>,
}

impl std::fmt::Debug for Consoles {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Consoles")
    }
}

impl Consoles {
    /// Becomes one of the server's viewers.
    ///
    /// # Errors
    /// When there are as many as may be.
    pub fn take_seat(&self, host: HostId, server: ServerId) -> Result<Seat, NoScreen> {
        let mut desk = self.lock();
        let (of_server, of_host) = (
            desk.seats.get(&server).copied().unwrap_or_default(),
            desk.seats_of_hosts.get(&host).copied().unwrap_or_default(),
        );
        if of_server >= CONSOLES_PER_SERVER_MAX || of_host >= CONSOLES_PER_HOST_MAX {
            return Err(NoScreen::TooMany);
        }
        desk.seats.insert(server, of_server + 1);
        desk.seats_of_hosts.insert(host, of_host + 1);
        Ok(Seat { desk: self.clone(), host, server })
    }

    /// Open consoles of this process.
    #[must_use]
    pub fn open(&self) -> usize {
        self.lock().seats.values().sum()
    }

    /// What the host of `session` is asked, from now on by this session. Its connection proved `pin`.
    pub(super) fn attach(&self, host: HostId, session: SessionEpoch, pin: KeyPin) -> Asks {
        let (asked, questions) = mpsc::channel(QUESTIONS_MAX);
        self.lock().lines.insert(host, Line { session, pin, questions: asked });
        Asks { desk: self.clone(), host, session, questions }
    }

    /// Hands a connection that said `stream` to whoever waits for it. Gives it back when nobody waits for this stream
    /// from this key.
    pub(super) fn deliver(
        &self,
        pin: KeyPin,
        stream: &Secret,
        sender: Sender,
        receiver: Receiver,
    ) -> Result<(), (Sender, Receiver)> {
        let name = name(stream);
        let mut desk = self.lock();
        // A host that says another's stream does not use it up.
        if desk.waiting.get(&name).is_none_or(|waiting| waiting.pin != pin) {
            return Err((sender, receiver));
        }
        let waiting = desk.waiting.remove(&name);
        drop(desk);
        if let (Some(waiting), Some(socket)) = (waiting, sender.into_socket(receiver)) {
            // A viewer that left a moment ago: the socket is dropped, and the host notices.
            let _ = waiting.socket.send(socket);
        }
        Ok(())
    }

    fn question(&self, seat: &Seat, stream: &Secret) -> Result<oneshot::Receiver<Socket>, NoScreen> {
        let mut desk = self.lock();
        let line = desk.lines.get(&seat.host).ok_or(NoScreen::HostAway)?;
        let (socket, arrives) = oneshot::channel();
        let question = ToAgent::OpenConsole { stream: stream.clone(), server: seat.server };
        line.questions.try_send(question).map_err(|_| NoScreen::HostAway)?;
        let waiting = Waiting { pin: line.pin, socket };
        desk.waiting.insert(name(stream), waiting);
        Ok(arrives)
    }

    fn lock(&self) -> MutexGuard<'_, Desk> {
        // No code that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Streams are looked up by a hash, so that the time of a look-up tells nothing about their names.
fn name(stream: &Secret) -> Sha256 {
    Sha256::of(stream.reveal().as_bytes())
}

impl Seat {
    /// Asks the host for the screen, under a `stream` that nobody can guess, and waits until it dialled back.
    ///
    /// # Errors
    /// When the host is not connected or does not dial back in time.
    pub async fn ask(&self, stream: Secret) -> Result<Socket, NoScreen> {
        let arrives = self.desk.question(self, &stream)?;
        let _forgotten_with_me = Awaited { desk: &self.desk, name: name(&stream) };
        match timeout(DIAL_BACK_WITHIN, arrives).await {
            Ok(Ok(socket)) => Ok(socket),
            _ => Err(NoScreen::HostAway),
        }
    }
}

/// An entry of the waiting list, removed however the wait ends.
struct Awaited<'a> {
    desk: &'a Consoles,
    name: Sha256,
}

impl Drop for Awaited<'_> {
    fn drop(&mut self) {
        self.desk.lock().waiting.remove(&self.name);
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut desk = self.desk.lock();
        leave(&mut desk.seats, self.server);
        leave(&mut desk.seats_of_hosts, self.host);
    }
}

fn leave<K: std::hash::Hash + Eq>(seats: &mut HashMap<K, usize>, key: K) {
    match seats.get_mut(&key) {
        Some(taken) if *taken > 1 => *taken -= 1,
        _ => drop(seats.remove(&key)),
    }
}

impl Asks {
    /// The next question. Cancel safe.
    pub(super) async fn next(&mut self) -> ToAgent {
        match self.questions.recv().await {
            Some(question) => question,
            // A newer session of the host took the line over; this one is about to end.
            None => std::future::pending().await,
        }
    }
}

impl Drop for Asks {
    fn drop(&mut self) {
        let mut desk = self.desk.lock();
        if desk.lines.get(&self.host).is_some_and(|line| line.session == self.session) {
            desk.lines.remove(&self.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: u8) -> HostId {
        format!("0192f0c1-0000-7000-8000-0000000000{number:02x}").parse().unwrap()
    }

    fn server(number: u8) -> ServerId {
        format!("0192f0c1-0000-7000-8000-0000000001{number:02x}").parse().unwrap()
    }

    #[test]
    fn seats_are_bounded_for_each_server_and_each_host_and_come_back() {
        let desk = Consoles::default();
        let mut seats: Vec<Seat> =
            (0..CONSOLES_PER_SERVER_MAX).map(|_| desk.take_seat(host(1), server(1)).unwrap()).collect();
        assert_eq!(desk.take_seat(host(1), server(1)).err(), Some(NoScreen::TooMany));
        seats.pop();
        assert!(desk.take_seat(host(1), server(1)).is_ok(), "dropped at once");
        drop(seats);
        assert_eq!(desk.open(), 0);
        let of_host: Vec<_> = (0..=u8::MAX).map_while(|number| desk.take_seat(host(1), server(number)).ok()).collect();
        assert_eq!(of_host.len(), CONSOLES_PER_HOST_MAX);
        assert!(desk.take_seat(host(2), server(1)).is_ok(), "another host has its own");
    }

    #[tokio::test(start_paused = true)]
    async fn a_host_that_is_away_or_silent_is_given_up_and_nothing_is_left_of_the_question() {
        let desk = Consoles::default();
        let stream = || Secret::new("stream".to_owned());
        let seat = desk.take_seat(host(1), server(1)).unwrap();
        assert_eq!(seat.ask(stream()).await.err(), Some(NoScreen::HostAway), "not connected");
        let mut questions = desk.attach(host(1), SessionEpoch(1), KeyPin::of(b"key"));
        assert_eq!(seat.ask(stream()).await.err(), Some(NoScreen::HostAway), "does not dial back");
        assert_eq!(questions.next().await, ToAgent::OpenConsole { stream: stream(), server: server(1) });
        assert!(desk.lock().waiting.is_empty());
        let newer = desk.attach(host(1), SessionEpoch(2), KeyPin::of(b"key"));
        drop(questions);
        assert_eq!(desk.lock().lines.len(), 1, "the older session's end leaves the newer one's line alone");
        drop(newer);
        assert!(desk.lock().lines.is_empty());
    }
}
