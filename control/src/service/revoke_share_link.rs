//! Revokes a management link: from the commit on neither it nor any browser that brought it opens anything.

use csp_shared::id::{AccountId, ServerId, ShareLinkId};

use crate::{
    domain::{event::Event, time::Time},
    store::{StoreError, Tx},
};

/// Why a link was not revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeShareLinkError {
    /// Server or link is not there, not this account's, or ended before: the same answer for all.
    #[error("there is no such management link")]
    NotFound,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Revokes a link.
///
/// # Errors
/// When the account has no such server, or that has no such link.
pub fn revoke_share_link(
    tx: &mut Tx<'_>,
    account: AccountId,
    server: ServerId,
    link: ShareLinkId,
    now: Time,
) -> Result<(), RevokeShareLinkError> {
    tx.server_standing(account, server, now)?.ok_or(RevokeShareLinkError::NotFound)?;
    let found = tx.share_link_get(server, link, now)?.ok_or(RevokeShareLinkError::NotFound)?;
    tx.share_link_revoke(link, now)?;
    tx.event_put(account, &Event::link_revoked(server, link, &found.label), now)?;
    Ok(())
}
