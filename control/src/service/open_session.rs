//! A host connects: its key and machine are checked, and its session begins.

use csp_shared::{
    compat,
    generation::SessionEpoch,
    id::HostId,
    key_pin::KeyPin,
    message::{Hello, Refusal},
};

use crate::{
    domain::time::Time,
    store::{HostState, StoreError, Tx},
};

/// Why a connection was refused.
#[derive(Debug, thiserror::Error)]
pub enum SessionError {
    /// Told to the agent, with what to do.
    #[error("{message}")]
    Refused {
        /// For programs.
        reason: Refusal,
        /// For the operator.
        message: String,
    },
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

pub(super) fn refused<T>(reason: Refusal, message: impl Into<String>) -> Result<T, SessionError> {
    Err(SessionError::Refused { reason, message: message.into() })
}

pub(super) fn check_protocol(protocol: u16) -> Result<(), SessionError> {
    if compat::accepts(protocol) {
        return Ok(());
    }
    let (oldest, newest) = (compat::PROTOCOL_OLDEST, compat::PROTOCOL);
    let message =
        format!("this agent speaks protocol {protocol}, the control plane {oldest} to {newest}; upgrade the older one");
    refused(Refusal::Protocol, message)
}

/// What came of a connection with a known key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// It is the host's newest from here on.
    Opened(HostId, SessionEpoch),
    /// Another machine has the key. That is kept, for whoever looks at the host.
    Stranger,
}

/// Opens the next session of the host with this key. From here on, what earlier connections say changes nothing.
///
/// # Errors
/// When the key belongs to no host in service.
pub fn open_session(tx: &mut Tx<'_>, pin: KeyPin, hello: &Hello, now: Time) -> Result<Opening, SessionError> {
    check_protocol(hello.protocol)?;
    let host = tx.host_session_by_key(pin)?.filter(|host| host.state != HostState::Removed);
    let Some(host) = host else {
        return refused(Refusal::UnknownKey, "no host has this key; run `csp-control host add` and enrol again");
    };
    if host.machine_id.as_deref() != Some(hello.machine_id.as_str()) {
        tx.host_stranger(host.host, now)?;
        return Ok(Opening::Stranger);
    }
    Ok(Opening::Opened(host.host, tx.host_session_open(host.host, hello, now)?))
}

impl Opening {
    /// The session, or what its machine is told.
    ///
    /// # Errors
    /// When it is another machine.
    pub fn opened(self) -> Result<(HostId, SessionEpoch), SessionError> {
        match self {
            Self::Opened(host, session) => Ok((host, session)),
            Self::Stranger => refused(
                Refusal::OtherMachine,
                "another machine enrolled with this key: a cloned disk? Enrol this one anew, as a host of its own",
            ),
        }
    }
}
