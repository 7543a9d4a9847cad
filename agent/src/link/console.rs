//! Screens: when the control plane asks for one, dials once more and carries VNC's bytes there.
//!
//! A connection of its own for each, so that a viewer's traffic never stands before a spec or a report. It is dialled
//! outwards like every other; VNC itself listens on a unix socket only. What is asked is never answered on the control
//! connection: who asked waits for the new one, and not for long.

use std::{convert::Infallible, future::pending, io::ErrorKind, path::PathBuf, time::Duration};

use csp_link::{
    key_file::Identity,
    pipe::{Patience, Socket, with_stream},
    screens::{Movable, Screens},
};
use csp_shared::{id::ServerId, key_pin::KeyPin, limits::CONSOLES_PER_HOST_MAX, message::ToControl, secret::Secret};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::{
    net::UnixStream,
    sync::mpsc,
    task::JoinSet,
    time::{sleep, timeout},
};
use tracing::{info, warn};

use super::{
    dial::{self, Dial},
    workers::Workers,
};

/// Questions that may wait while others are being answered.
pub(super) const WAITING_MAX: usize = 16;
/// How long QEMU may take to accept.
const SCREEN_WITHIN: Duration = Duration::from_secs(3);
/// How soon to knock again where others wait.
const DOOR_AGAIN: Duration = Duration::from_millis(20);

/// Somebody may see a screen.
#[derive(Debug)]
pub(super) struct Ask {
    pub(super) stream: Secret,
    pub(super) server: ServerId,
}

/// An open screen, and where it goes.
struct Opened {
    server: ServerId,
    screen: Movable<UnixStream>,
    socket: Socket,
}

/// Answers questions for ever. What is open ends when this future is dropped.
pub(super) async fn serve(
    dial: &impl Dial,
    own: &Identity,
    pins: &[KeyPin],
    workers: &impl Workers,
    mut asks: mpsc::Receiver<Ask>,
) -> Infallible {
    let mut opening = FuturesUnordered::new();
    let (screens, mut open) = (Screens::default(), JoinSet::new());
    loop {
        tokio::select! {
            Some(ask) = asks.recv(), if opening.len() + open.len() < CONSOLES_PER_HOST_MAX => {
                opening.push(Box::pin(begin(dial, own, pins, workers, ask)));
            }
            Some(begun) = opening.next() => {
                // Carried by a task of its own: it has nothing to do with the session any more.
                if let Some(opened) = begun {
                    match screens.runtime() {
                        Ok(runtime) => drop(open.spawn_on(Box::pin(carry(opened)), &runtime)),
                        Err(error) => warn!(server = %opened.server, %error, "a screen cannot be carried"),
                    }
                }
            }
            Some(_) = open.join_next() => {}
            else => return pending().await,
        }
    }
}

async fn begin(
    dial: &impl Dial,
    own: &Identity,
    pins: &[KeyPin],
    workers: &impl Workers,
    Ask { stream, server }: Ask,
) -> Option<Opened> {
    let screen = match workers.screen(server).await {
        Some(path) => reach(path).await,
        None => Err("this host has no such server, or it has no screen".to_owned()),
    };
    let dialled = dial::open(dial, own, pins).await;
    let (mut sender, receiver) = dialled.inspect_err(|error| warn!(%server, %error, "no way for a screen")).ok()?;
    sender.send(&ToControl::Console { stream }).await.ok()?;
    match screen {
        Ok(screen) => Some(Opened { server, screen, socket: sender.into_socket(receiver)? }),
        Err(why) => {
            warn!(%server, why, "a screen cannot be shown");
            // The viewer hears at once that there is nothing to see.
            sender.close(receiver, "no screen").await;
            None
        }
    }
}

async fn reach(path: PathBuf) -> Result<Movable<UnixStream>, String> {
    let connected = async {
        loop {
            match UnixStream::connect(&path).await {
                // QEMU takes one after the other, and lets few wait at its door (connect(2), EAGAIN).
                Err(error) if error.kind() == ErrorKind::WouldBlock => sleep(DOOR_AGAIN).await,
                connected => return connected,
            }
        }
    };
    match timeout(SCREEN_WITHIN, connected).await {
        Ok(reached) => reached.map(Movable::new).map_err(|error| format!("VNC at {}: {error}", path.display())),
        Err(_) => Err(format!("VNC at {} does not accept", path.display())),
    }
}

async fn carry(opened: Opened) {
    let Opened { server, screen, mut socket } = opened;
    info!(%server, "a screen is watched");
    let end = with_stream(&mut socket, screen, Patience::default()).await;
    info!(%server, side = ?end.side, why = ?end.why, "a screen is not watched any more");
    socket.close(1000, "ended").await;
}

#[cfg(test)]
mod tests {
    use tokio::{
        io::{AsyncReadExt as _, AsyncWriteExt as _},
        net::UnixSocket,
    };

    use super::*;

    /// QEMU takes one viewer after the other, and lets hardly any wait.
    #[tokio::test]
    async fn whoever_finds_the_door_full_waits_for_a_place() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("vnc.sock");
        let door = UnixSocket::new_stream().unwrap();
        door.bind(&path).unwrap();
        let door = door.listen(0).unwrap();
        let mut before = Vec::new();
        loop {
            match UnixStream::connect(&path).await {
                Ok(stream) => before.push(stream),
                Err(error) => break assert_eq!(error.kind(), ErrorKind::WouldBlock),
            }
        }
        let waiting = tokio::spawn(reach(path));
        sleep(2 * DOOR_AGAIN).await;
        for _ in 0..=before.len() {
            let (mut taken, _) = door.accept().await.unwrap();
            taken.write_all(b"RFB").await.unwrap();
        }
        let mut screen = waiting.await.unwrap().unwrap();
        let mut said = [0; 3];
        screen.read_exact(&mut said).await.unwrap();
        assert_eq!(&said, b"RFB");
    }
}
