//! A thread for what screens carry, and sockets that come along.
//!
//! A runtime of several threads wakes another one for each part of a flood, in case there was more to do; where they are as
//! many as the processors, that takes the time that viewer and screen need. On one thread of its own a flood wakes nobody, and
//! it stands before no spec, no report and no page.

use std::{
    io,
    pin::Pin,
    sync::{Arc, Mutex, PoisonError},
    task::{Context, Poll},
    thread,
};

use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpStream, UnixStream},
    runtime::{Builder, Handle, Id},
    sync::oneshot,
};

/// The thread. It is there once the first screen was opened. Clones reach the same one.
#[derive(Clone, Default)]
pub struct Screens(Arc<Mutex<State>>);

#[derive(Default)]
enum State {
    #[default]
    NotYet,
    Runs {
        runtime: Handle,
        thread: thread::JoinHandle<()>,
        /// Dropped, it ends the thread.
        _end: oneshot::Sender<()>,
    },
    Ended,
}

impl Screens {
    /// What carries screens.
    ///
    /// # Errors
    /// When the system gives no further thread, or after the end.
    pub fn runtime(&self) -> io::Result<Handle> {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if matches!(*state, State::NotYet) {
            *state = start()?;
        }
        match &*state {
            State::Runs { runtime, .. } => Ok(runtime.clone()),
            State::NotYet | State::Ended => Err(io::Error::other("screens are carried no longer")),
        }
    }

    /// Ends all that is carried, and waits until it is gone.
    pub fn end(&self) {
        let state = std::mem::replace(&mut *self.0.lock().unwrap_or_else(PoisonError::into_inner), State::Ended);
        if let State::Runs { thread, _end, .. } = state {
            drop(_end);
            let _ = thread.join();
        }
    }
}

fn start() -> io::Result<State> {
    let runtime = Builder::new_current_thread().enable_all().build()?;
    let handle = runtime.handle().clone();
    let (end, ended) = oneshot::channel();
    let thread = thread::Builder::new().name("screens".to_owned()).spawn(move || {
        let _ = runtime.block_on(ended);
        runtime.shutdown_background();
    })?;
    Ok(State::Runs { runtime: handle, thread, _end: end })
}

/// A socket that can be handed to another runtime: whichever polls it looks after it from then on.
#[derive(Debug)]
pub struct Movable<S> {
    /// None once a move failed.
    socket: Option<S>,
    home: Option<Id>,
}

impl<S> Movable<S> {
    /// Of a socket that this runtime made.
    pub fn new(socket: S) -> Self {
        Self { socket: Some(socket), home: here() }
    }
}

fn here() -> Option<Id> {
    Handle::try_current().ok().map(|runtime| runtime.id())
}

/// What can be taken from one runtime to another.
pub trait Move: AsyncRead + AsyncWrite + Unpin + Sized {
    /// Looked after by this runtime from now on.
    ///
    /// # Errors
    /// When the system does not watch another socket.
    fn moved(self) -> io::Result<Self>;
}

impl Move for TcpStream {
    fn moved(self) -> io::Result<Self> {
        Self::from_std(self.into_std()?)
    }
}

impl Move for UnixStream {
    fn moved(self) -> io::Result<Self> {
        Self::from_std(self.into_std()?)
    }
}

impl<S: Move> Movable<S> {
    fn socket(self: Pin<&mut Self>) -> io::Result<Pin<&mut S>> {
        let this = self.get_mut();
        let here = here();
        if here != this.home {
            this.socket = this.socket.take().map(S::moved).transpose()?;
            this.home = here;
        }
        let lost = || io::Error::new(io::ErrorKind::NotConnected, "the socket was lost on its way to another thread");
        this.socket.as_mut().map(Pin::new).ok_or_else(lost)
    }
}

impl<S: Move> AsyncRead for Movable<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_read(cx, out)
    }
}

impl<S: Move> AsyncWrite for Movable<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write(cx, bytes)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        parts: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.socket()?.poll_write_vectored(cx, parts)
    }

    fn is_write_vectored(&self) -> bool {
        self.socket.as_ref().is_some_and(AsyncWrite::is_write_vectored)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.socket()?.poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

    use super::*;

    #[tokio::test]
    async fn a_socket_goes_on_where_it_is_polled_and_ends_with_the_thread() {
        let (ours, mut theirs) = UnixStream::pair().unwrap();
        let mut ours = Movable::new(ours);
        theirs.write_all(b"here").await.unwrap();
        let mut word = [0; 4];
        ours.read_exact(&mut word).await.unwrap();
        let screens = Screens::default();
        let echo = screens.runtime().unwrap().spawn(async move {
            assert_eq!(thread::current().name(), Some("screens"));
            loop {
                ours.read_exact(&mut word).await.unwrap();
                ours.write_all(&word).await.unwrap();
            }
        });
        for text in [b"over", b"back"] {
            theirs.write_all(text).await.unwrap();
            theirs.read_exact(&mut word).await.unwrap();
            assert_eq!(&word, text);
        }
        screens.end();
        assert!(screens.runtime().is_err());
        assert_eq!(theirs.read(&mut word).await.unwrap(), 0, "closed");
        assert!(echo.await.unwrap_err().is_cancelled());
    }
}
