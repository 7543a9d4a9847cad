//! Makes a management link: whoever holds it may do with one server what the link allows, and nothing else.

use csp_shared::{
    id::{AccountId, ServerId, ShareLinkId},
    secret::Secret,
};

use super::check_limit::limit_reached;
use crate::{
    domain::{
        allowed::{Ask, Denied, Why},
        draw::Draw,
        event::Event,
        label::Label,
        limits::{Limit, LimitReached, Limits},
        server::ServiceStatus,
        share_link::Permissions,
        time::Time,
        token::{self, TokenKind},
    },
    store::{NewShareLink, StoreError, Tx},
};

/// A parsed request.
#[derive(Clone, Debug)]
pub struct CreateShareLink {
    /// Whose server.
    pub account: AccountId,
    /// For its owner.
    pub label: Label,
    /// What it is to allow; never nothing.
    pub permissions: Permissions,
    /// From then on it opens nothing.
    pub expires_at: Option<Time>,
    /// What an account may usually have.
    pub limits: Limits,
}

/// A new link.
#[derive(Clone, Debug)]
pub struct ShareLinkMade {
    /// Its id.
    pub id: ShareLinkId,
    /// Shown once.
    pub token: Secret,
}

/// Why a link was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateShareLinkError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such server")]
    NotFound,
    /// A link to a failed order would be dead from the start.
    #[error(transparent)]
    Denied(Denied),
    /// The account has as many as it may have.
    #[error(transparent)]
    Limit(LimitReached),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a link to a server.
///
/// # Errors
/// When the account has no such server, its order failed, or there are as many links as may be.
pub fn create_share_link(
    tx: &mut Tx<'_>,
    wanted: &CreateShareLink,
    server: ServerId,
    draw: Draw,
    now: Time,
) -> Result<ShareLinkMade, CreateShareLinkError> {
    let mut draw = draw;
    let standing = tx.server_standing(wanted.account, server, now)?.ok_or(CreateShareLinkError::NotFound)?;
    if standing.service == ServiceStatus::Failed {
        return Err(CreateShareLinkError::Denied(Denied { asked: Ask::Update, why: Why::Failed, standing }));
    }
    if let Some(reached) = limit_reached(tx, wanted.account, Limit::ShareLinks, &wanted.limits, now)? {
        return Err(CreateShareLinkError::Limit(reached));
    }
    let (id, token) = (ShareLinkId(draw.uuid(now)), token::make(TokenKind::ShareLink, &mut draw));
    let new = NewShareLink {
        id,
        server,
        label: &wanted.label,
        preview: &token::link_preview(&token),
        hash: token::hash(&token),
        permissions: wanted.permissions,
        expires_at: wanted.expires_at,
    };
    tx.share_link_insert(&new, now)?;
    tx.event_put(wanted.account, &Event::link_created(server, id, wanted.label.as_str()), now)?;
    Ok(ShareLinkMade { id, token })
}
