//! Lets a server's guest hand mail to other servers, or no longer. It is closed until an operator opens it: a rented server
//! that sends unwanted mail costs the whole pool its good name.

use csp_shared::{
    generation::Version,
    id::{HostId, ServerId},
    spec::Desired,
};

use crate::store::{StoreError, Tx};

/// What an operator's word did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SmtpSet {
    /// Whether anything changed.
    pub changed: bool,
    /// Whom to wake.
    pub host: Option<HostId>,
}

/// Why nothing was opened or closed.
#[derive(Debug, thiserror::Error)]
pub enum SmtpError {
    /// Unknown server, or one that is gone.
    #[error("there is no server {0}, or it is gone")]
    NoServer(ServerId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Opens or closes outgoing SMTP (TCP port 25). The guest runs on; what its owner asked for meanwhile is not overtaken.
///
/// # Errors
/// When there is no such server.
pub fn open_smtp(tx: &mut Tx<'_>, server: ServerId, open: bool) -> Result<SmtpSet, SmtpError> {
    let missing = || SmtpError::NoServer(server);
    let Some(Desired::Present(mut spec)) = tx.spec_get(server)? else { return Err(missing()) };
    if spec.smtp_open == open {
        return Ok(SmtpSet { changed: false, host: None });
    }
    let place = tx.placement_get(server)?.ok_or_else(missing)?;
    spec.version = Version { incarnation: tx.incarnation()?, generation: spec.version.generation.next() };
    spec.smtp_open = open;
    tx.spec_put(place.host, &Desired::Present(spec))?;
    Ok(SmtpSet { changed: true, host: Some(place.host) })
}
