//! A browser with a management link: it swaps the link for a session, and every request of it is asked for its right
//! again, in the transaction in which it does something.

use std::net::IpAddr;

use csp_shared::{
    id::{ActionId, ShareLinkId},
    secret::Secret,
    sha256::Sha256,
};

use crate::{
    domain::{
        draw::Draw,
        share_link::{Permission, session_end},
        time::Time,
        token::{self, TokenKind},
    },
    store::{LinkVisit, Read, StoreError, Tx},
};

/// Why a visitor may not. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum VisitError {
    /// Session, link or server has ended, or never was: nobody learns which.
    #[error("the link opens nothing")]
    Ended,
    /// The link opens, and does not allow this.
    #[error("the link does not allow `{}`", .0.as_str())]
    NotGranted(Permission),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Swaps a link for a session of a browser at `from`; answers what the browser is to keep. None when the link opens nothing.
///
/// # Errors
/// When the store cannot keep it.
pub fn open_link(
    tx: &mut Tx<'_>,
    link: &Secret,
    from: IpAddr,
    draw: Draw,
    now: Time,
) -> Result<Option<Secret>, StoreError> {
    let mut draw = draw;
    let Some(visit) = tx.share_link_by_hash(token::hash(link), now)? else { return Ok(None) };
    let session = token::make(TokenKind::LinkSession, &mut draw);
    tx.link_session_insert(visit.link, token::hash(&session), session_end(visit.expires_at, now), now)?;
    tx.share_link_note_use(visit.link, true, from, now)?;
    Ok(Some(session))
}

/// What a session allows, when it allows this.
///
/// # Errors
/// When it does not.
pub fn admit_visitor(
    read: &Read<'_>,
    session: Sha256,
    permission: Permission,
    now: Time,
) -> Result<LinkVisit, VisitError> {
    let visit = read.link_session_get(session, now)?.ok_or(VisitError::Ended)?;
    if visit.permissions.grant(permission) { Ok(visit) } else { Err(VisitError::NotGranted(permission)) }
}

/// Notes what a visitor did: the link's last use, and at the action whose it is. An action that was under way before is not
/// the visitor's.
///
/// # Errors
/// When the store cannot keep it.
pub fn note_visit(
    tx: &mut Tx<'_>,
    link: ShareLinkId,
    new_action: Option<ActionId>,
    from: IpAddr,
    now: Time,
) -> Result<(), StoreError> {
    if let Some(action) = new_action {
        tx.action_by_link(action, link)?;
    }
    tx.share_link_note_use(link, false, from, now)
}
