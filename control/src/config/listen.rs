//! Where a listener comes from: an address that is bound here, or a socket that the service manager already bound.
//!
//! A passed socket (systemd's socket activation, `sd_listen_fds(3)`) lets the program run in another network namespace
//! than its port, and restart without refusing a connection.

use std::{
    collections::BTreeMap,
    fmt, io,
    net::{SocketAddr, TcpListener},
    os::fd::{FromRawFd, OwnedFd},
};

use serde::Deserialize;

/// `127.0.0.1:8080`, or `fd:NAME`.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub enum Listen {
    /// Bound here.
    Address(SocketAddr),
    /// Passed under this name (`FileDescriptorName=` of the socket unit).
    Passed(String),
}

impl TryFrom<String> for Listen {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let wrong =
            || format!("`{text}` is no listener: write `address:port`, or `fd:NAME` for a socket passed by systemd");
        match text.strip_prefix("fd:") {
            Some("") => Err(wrong()),
            Some(name) => Ok(Self::Passed(name.to_owned())),
            None => text.parse().map(Self::Address).map_err(|_| wrong()),
        }
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Address(address) => address.fmt(f),
            Self::Passed(name) => write!(f, "fd:{name}"),
        }
    }
}

/// Why there is no listener.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// The address is taken, not ours, or not allowed.
    #[error("cannot listen on {listen} for {purpose}")]
    Bind {
        /// What was asked for.
        listen: Listen,
        /// Which setting.
        purpose: &'static str,
        /// Why.
        source: io::Error,
    },
    /// Nobody passed a socket of that name.
    #[error(
        "{purpose} is set to {listen}, but no socket of that name was passed; start the program through its socket unit"
    )]
    NotPassed {
        /// What was asked for.
        listen: Listen,
        /// Which setting.
        purpose: &'static str,
    },
    /// The service manager's variables make no sense.
    #[error("cannot take over the sockets that were passed")]
    Passing(#[source] io::Error),
}

/// The sockets that were passed to this process, each to be taken once.
#[derive(Debug, Default)]
pub struct PassedSockets(BTreeMap<String, OwnedFd>);

impl PassedSockets {
    /// Takes over what the service manager passed. To be called once, before anything else opens files.
    ///
    /// # Errors
    /// When the variables that announce the sockets contradict each other.
    pub fn take_over() -> Result<Self, ListenError> {
        let passed = sd_notify::listen_fds_with_names().map_err(ListenError::Passing)?;
        Ok(Self(passed.map(|(fd, name)| (name, own(fd))).collect()))
    }

    /// Opens a listener.
    ///
    /// # Errors
    /// When the address cannot be bound, or the socket was not passed.
    pub fn open(&mut self, listen: &Listen, purpose: &'static str) -> Result<tokio::net::TcpListener, ListenError> {
        let bind = |source| ListenError::Bind { listen: listen.clone(), purpose, source };
        let listener = match listen {
            Listen::Address(address) => TcpListener::bind(address).map_err(bind)?,
            Listen::Passed(name) => match self.0.remove(name) {
                Some(fd) => TcpListener::from(fd),
                None => return Err(ListenError::NotPassed { listen: listen.clone(), purpose }),
            },
        };
        listener.set_nonblocking(true).map_err(bind)?;
        tokio::net::TcpListener::from_std(listener).map_err(bind)
    }
}

#[allow(unsafe_code)]
fn own(fd: std::os::fd::RawFd) -> OwnedFd {
    // SAFETY: `sd_listen_fds(3)` hands these descriptors to this process (the variables name its pid), and this is the
    // only place that takes them; `fcntl` on each has just succeeded, so they are open.
    unsafe { OwnedFd::from_raw_fd(fd) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_socket_that_was_not_passed_is_named() {
        let listen = Listen::try_from("fd:api".to_owned()).unwrap();
        let error = PassedSockets::default().open(&listen, "[api] listen").unwrap_err().to_string();
        assert!(error.contains("fd:api") && error.contains("[api] listen"), "{error}");
    }

    #[tokio::test]
    async fn an_address_that_is_taken_is_named() {
        let mut sockets = PassedSockets::default();
        let free = Listen::try_from("127.0.0.1:0".to_owned()).unwrap();
        let taken = sockets.open(&free, "[api] listen").unwrap().local_addr().unwrap();
        let holder = TcpListener::bind(taken).unwrap();
        let error = sockets.open(&Listen::Address(taken), "[api] listen").unwrap_err().to_string();
        assert!(error.contains(&taken.to_string()), "{error}");
        drop(holder);
    }
}
