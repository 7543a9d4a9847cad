//! A look at a server's screen, in two steps: a ticket for who may ask, and the stream for who brings the ticket.
//!
//! Two, because a browser cannot send the API key along when it opens a page. So the key, or a management link, buys a
//! ticket that opens one stream within a minute, and after that is worth nothing to whoever finds it.

use csp_shared::{
    id::{AccountId, HostId, ServerId},
    secret::Secret,
};

use crate::{
    domain::{
        allowed::{Ask, Denied, Why, allow},
        draw::Draw,
        server::ServiceStatus,
        share_link::Permission,
        time::Time,
        token::{self, TokenKind},
    },
    store::{ConsoleRight, ConsoleTicket, Read, StoreError, Tx},
};

/// How long a ticket waits for its use.
pub const TICKET_SECONDS: i64 = 60;

/// A new ticket.
#[derive(Clone, Debug)]
pub struct TicketIssued {
    /// Shown once.
    pub ticket: Secret,
    /// From then on it is worth nothing.
    pub expires_at: Time,
}

/// Why there is no ticket.
#[derive(Debug, thiserror::Error)]
pub enum TicketError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such server")]
    NotFound,
    /// The state does not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a ticket for the screen of a server.
///
/// # Errors
/// When the account has no such server, or it is not running.
pub fn issue_console_ticket(
    tx: &mut Tx<'_>,
    account: AccountId,
    right: ConsoleRight,
    server: ServerId,
    draw: Draw,
    now: Time,
) -> Result<TicketIssued, TicketError> {
    let mut draw = draw;
    let standing = tx.server_standing(account, server, now)?.ok_or(TicketError::NotFound)?;
    allow(Ask::Console, &standing)?;
    let ticket = token::make(TokenKind::Console, &mut draw);
    let expires_at = now.plus(TICKET_SECONDS);
    tx.console_ticket_insert(&ConsoleTicket { server, account, right }, token::hash(&ticket), expires_at, now)?;
    Ok(TicketIssued { ticket, expires_at })
}

/// What came of a ticket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Admission {
    /// The screen may be seen.
    Open {
        /// Whose screen.
        server: ServerId,
        /// Who can show it.
        host: HostId,
        /// By whose right.
        right: ConsoleRight,
    },
    /// Used, too old, or never made: nobody learns which.
    BadTicket,
    /// It was good, but its server is not running any more.
    NotOnline,
    /// It was good, but its server is being made anew.
    Busy,
    /// It was good, but its server is locked by now.
    Suspended,
}

/// Uses a ticket up. A refusal is no error: it uses the ticket up all the same.
///
/// # Errors
/// When the store cannot keep it.
pub fn redeem_console_ticket(tx: &mut Tx<'_>, ticket: &Secret, now: Time) -> Result<Admission, StoreError> {
    let Some(ConsoleTicket { server, account, right }) = tx.console_ticket_take(token::hash(ticket), now)? else {
        return Ok(Admission::BadTicket);
    };
    if !stands(tx, right, now)? {
        return Ok(Admission::BadTicket);
    }
    let Some(standing) = tx.server_standing(account, server, now)? else { return Ok(Admission::NotOnline) };
    if let Err(denied) = allow(Ask::Console, &standing) {
        return Ok(match denied.why {
            Why::Busy => Admission::Busy,
            Why::Suspended => Admission::Suspended,
            _ => Admission::NotOnline,
        });
    }
    let Some(placement) = tx.placement_get(server)? else { return Ok(Admission::NotOnline) };
    Ok(Admission::Open { server, host: placement.host, right })
}

/// Whether an open stream may go on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Stay {
    /// It may.
    Yes,
    /// The server was locked.
    Suspended,
    /// The right by which it was opened is gone, or the server is.
    No,
}

/// Whether an open stream may go on: the right by which it was opened still stands, and the server is in service. That the
/// guest runs is not asked here, for its screen ends with it.
///
/// # Errors
/// When the store cannot be read.
pub fn console_may_stay(read: &Read<'_>, server: ServerId, right: ConsoleRight, now: Time) -> Result<Stay, StoreError> {
    let found = read.server_get(server)?;
    // Who has no right to it any more learns nothing of the server either.
    if !stands(read, right, now)? {
        return Ok(Stay::No);
    }
    Ok(match found {
        Some(server) if server.service == ServiceStatus::Active && !server.locked => Stay::Yes,
        Some(server) if [ServiceStatus::Active, ServiceStatus::Suspended].contains(&server.service) => Stay::Suspended,
        _ => Stay::No,
    })
}

/// Whether what a screen was opened by opens now.
fn stands(read: &Read<'_>, right: ConsoleRight, now: Time) -> Result<bool, StoreError> {
    match right {
        ConsoleRight::Key(key) => read.api_key_is_open(key, now),
        ConsoleRight::Link { session, .. } => {
            let visit = read.link_session_get(session, now)?;
            Ok(visit.is_some_and(|visit| visit.permissions.grant(Permission::Console)))
        }
        ConsoleRight::SignIn(browser) => read.sign_in_is_open(browser, now),
    }
}
