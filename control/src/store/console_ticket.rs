//! Tickets that open a console once: their hashes, never the tickets.

use csp_shared::{
    id::{AccountId, ApiKeyId, ServerId, ShareLinkId, SignInId},
    sha256::Sha256,
};

use super::{Read, StoreError, Tx, row};
use crate::domain::time::Time;

/// What opens the customer API.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Credential {
    /// A key of the account.
    Key(ApiKeyId),
    /// A browser in which somebody has signed in.
    SignIn(SignInId),
}

impl From<Credential> for ConsoleRight {
    fn from(credential: Credential) -> Self {
        match credential {
            Credential::Key(key) => Self::Key(key),
            Credential::SignIn(browser) => Self::SignIn(browser),
        }
    }
}

impl Read<'_> {
    /// Whether a key or a browser still opens the API.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn credential_is_open(&self, credential: Credential, now: Time) -> Result<bool, StoreError> {
        match credential {
            Credential::Key(key) => self.api_key_is_open(key, now),
            Credential::SignIn(browser) => self.sign_in_is_open(browser, now),
        }
    }
}

/// By whose right a screen is seen: it ends with that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ConsoleRight {
    /// A key of the account.
    Key(ApiKeyId),
    /// A browser's session of a management link.
    Link {
        /// Which link.
        link: ShareLinkId,
        /// The session's hash.
        session: Sha256,
    },
    /// A browser in which somebody has signed in.
    SignIn(SignInId),
}

/// What a ticket opens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsoleTicket {
    /// Whose screen.
    pub server: ServerId,
    /// Whose server, when the ticket was made.
    pub account: AccountId,
    /// By whose right it was asked for.
    pub right: ConsoleRight,
}

impl std::fmt::Display for ConsoleRight {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Key(key) => write!(f, "key {key}"),
            Self::Link { link, .. } => write!(f, "link {link}"),
            Self::SignIn(browser) => write!(f, "sign-in {browser}"),
        }
    }
}

impl Tx<'_> {
    /// Keeps a ticket's hash until `expires_at`; forgets those that are too old.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn console_ticket_insert(
        &mut self,
        ticket: &ConsoleTicket,
        hash: Sha256,
        expires_at: Time,
        now: Time,
    ) -> Result<(), StoreError> {
        self.run("DELETE FROM console_tickets WHERE expires_at <= ?1", [now.0])?;
        let server = self.key_of("servers", &ticket.server.to_string())?;
        let (key, session, browser) = match ticket.right {
            ConsoleRight::Key(key) => (Some(self.key_of("api_keys", &key.to_string())?), None, None),
            ConsoleRight::Link { session, .. } => (None, Some(self.link_session_key(session)?), None),
            ConsoleRight::SignIn(browser) => (None, None, Some(self.key_of("sign_ins", &browser.to_string())?)),
        };
        let sql = "INSERT INTO console_tickets (hash, server_id, api_key_id, link_session_id, sign_in_id, expires_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6)";
        self.insert(sql, (hash.0, server, key, session, browser, expires_at.0)).map(drop)
    }

    /// Uses a ticket up. None when there is none with this hash, or it is too old.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn console_ticket_take(&mut self, hash: Sha256, now: Time) -> Result<Option<ConsoleTicket>, StoreError> {
        let sql = "SELECT s.uuid, a.uuid, k.uuid, l.uuid, c.hash, b.uuid FROM console_tickets t JOIN servers s ON s.id = t.server_id \
                   JOIN accounts a ON a.id = s.account_id LEFT JOIN api_keys k ON k.id = t.api_key_id \
                   LEFT JOIN link_sessions c ON c.id = t.link_session_id LEFT JOIN share_links l ON l.id = c.link_id \
                   LEFT JOIN sign_ins b ON b.id = t.sign_in_id WHERE t.hash = ?1 AND t.expires_at > ?2";
        let found = self.maybe(sql, (hash.0, now.0), |r| {
            let (server, account) = (row::parsed(r, 0)?, row::parsed(r, 1)?);
            let right = match (row::parsed_maybe(r, 2)?, row::parsed_maybe(r, 3)?) {
                (Some(key), _) => ConsoleRight::Key(key),
                (None, Some(link)) => ConsoleRight::Link { link, session: Sha256(r.get(4)?) },
                (None, None) => ConsoleRight::SignIn(row::parsed(r, 5)?),
            };
            Ok(ConsoleTicket { server, account, right })
        })?;
        self.run("DELETE FROM console_tickets WHERE hash = ?1", [hash.0])?;
        Ok(found)
    }
}
