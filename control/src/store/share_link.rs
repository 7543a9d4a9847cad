//! Management links and the browsers that brought one: their hashes, never the tokens.

use std::net::IpAddr;

use csp_shared::{
    id::{AccountId, ActionId, ServerId, ShareLinkId},
    sha256::Sha256,
};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{label::Label, share_link::Permissions, time::Time};

/// Browsers that one link may be open in at once; the oldest makes room for the next.
const SESSIONS_OF_LINK_MAX: u32 = 100;

/// A link that works, as its owner sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ShareLinkRow {
    /// Its id.
    pub id: ShareLinkId,
    /// For its owner.
    pub label: String,
    /// The token's first and last characters.
    pub preview: String,
    /// What it allows.
    pub permissions: Permissions,
    /// When it was made.
    pub created_at: Time,
    /// From then on it opens nothing.
    pub expires_at: Option<Time>,
    /// How often a browser brought it.
    pub uses: u64,
    /// When and from where it was used last.
    pub last_used: Option<(Time, String)>,
}

/// A link about to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewShareLink<'a> {
    /// Its id.
    pub id: ShareLinkId,
    /// What it opens.
    pub server: ServerId,
    /// For its owner.
    pub label: &'a Label,
    /// The token's first and last characters.
    pub preview: &'a str,
    /// What is kept of the token itself.
    pub hash: Sha256,
    /// What it allows.
    pub permissions: Permissions,
    /// From then on it opens nothing.
    pub expires_at: Option<Time>,
}

/// What whoever holds a link stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LinkVisit {
    /// By which link.
    pub link: ShareLinkId,
    /// What it allows.
    pub permissions: Permissions,
    /// From then on it opens nothing.
    pub expires_at: Option<Time>,
    /// The one server.
    pub server: ServerId,
    /// Whose server. Never shown.
    pub account: AccountId,
}

/// A link that opens: neither revoked nor expired at ?2, and its server neither failed nor gone.
const OPEN: &str = "l.revoked_at IS NULL AND (l.expires_at IS NULL OR l.expires_at > ?2) \
                    AND s.service_status IN ('provisioning', 'active', 'suspended')";
const ROWS: &str = "SELECT l.uuid, l.label, l.preview, l.permissions, l.created_at, l.expires_at, l.uses, \
                    l.last_used_at, l.last_used_from FROM share_links l JOIN servers s ON s.id = l.server_id";
const VISIT: &str = "SELECT l.uuid, l.permissions, l.expires_at, s.uuid, a.uuid";

fn link(r: &Row<'_>) -> Result<ShareLinkRow, StoreError> {
    Ok(ShareLinkRow {
        id: row::parsed(r, 0)?,
        label: r.get(1)?,
        preview: r.get(2)?,
        permissions: row::chosen(r, 3, Permissions::parse_words)?,
        created_at: row::time(r, 4)?,
        expires_at: row::time_maybe(r, 5)?,
        uses: row::number(r, 6)?,
        last_used: row::time_maybe(r, 7)?.zip(r.get::<_, Option<String>>(8)?),
    })
}

fn visit(r: &Row<'_>) -> Result<LinkVisit, StoreError> {
    Ok(LinkVisit {
        link: row::parsed(r, 0)?,
        permissions: row::chosen(r, 1, Permissions::parse_words)?,
        expires_at: row::time_maybe(r, 2)?,
        server: row::parsed(r, 3)?,
        account: row::parsed(r, 4)?,
    })
}

impl Read<'_> {
    /// A server's links that open, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn share_link_list(&self, server: ServerId, now: Time) -> Result<Vec<ShareLinkRow>, StoreError> {
        self.many(&format!("{ROWS} WHERE s.uuid = ?1 AND {OPEN} ORDER BY l.id"), (server.to_string(), now.0), link)
    }

    /// One of a server's links that open.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn share_link_get(
        &self,
        server: ServerId,
        id: ShareLinkId,
        now: Time,
    ) -> Result<Option<ShareLinkRow>, StoreError> {
        let sql = format!("{ROWS} WHERE l.uuid = ?1 AND {OPEN} AND s.uuid = ?3");
        self.maybe(&sql, (id.to_string(), now.0, server.to_string()), link)
    }

    /// The link with this hash, if it opens.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn share_link_by_hash(&self, hash: Sha256, now: Time) -> Result<Option<LinkVisit>, StoreError> {
        let sql = format!(
            "{VISIT} FROM share_links l JOIN servers s ON s.id = l.server_id JOIN accounts a ON a.id = s.account_id \
             WHERE l.hash = ?1 AND {OPEN}"
        );
        self.maybe(&sql, (hash.0, now.0), visit)
    }

    /// The row of a browser's session.
    ///
    /// # Errors
    /// When the store cannot be read, or holds no such session.
    pub(super) fn link_session_key(&self, hash: Sha256) -> Result<i64, StoreError> {
        self.one("SELECT id FROM link_sessions WHERE hash = ?1", [hash.0], |r| Ok(r.get(0)?))
    }

    /// What the browser with this session stands on: nothing once the session, its link or its server has ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn link_session_get(&self, hash: Sha256, now: Time) -> Result<Option<LinkVisit>, StoreError> {
        let sql = format!(
            "{VISIT} FROM link_sessions b JOIN share_links l ON l.id = b.link_id JOIN servers s ON s.id = l.server_id \
             JOIN accounts a ON a.id = s.account_id WHERE b.hash = ?1 AND b.expires_at > ?2 AND {OPEN}"
        );
        self.maybe(&sql, (hash.0, now.0), visit)
    }
}

impl Tx<'_> {
    /// Keeps a new link's hash and what may be shown of it.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn share_link_insert(&mut self, new: &NewShareLink<'_>, now: Time) -> Result<(), StoreError> {
        let server = self.key_of("servers", &new.server.to_string())?;
        let sql = "INSERT INTO share_links (uuid, server_id, hash, preview, label, permissions, created_at, expires_at) \
                   VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)";
        let (words, expires_at) = (new.permissions.to_words(), new.expires_at.map(|end| end.0));
        let (id, label) = (new.id.to_string(), new.label.as_str());
        self.insert(sql, (id, server, new.hash.0, new.preview, label, words, now.0, expires_at)).map(drop)
    }

    /// Ends a link, and every browser's session of it.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn share_link_revoke(&mut self, id: ShareLinkId, now: Time) -> Result<(), StoreError> {
        let link = self.key_of("share_links", &id.to_string())?;
        self.run("DELETE FROM link_sessions WHERE link_id = ?1", [link])?;
        self.run("UPDATE share_links SET revoked_at = ?2 WHERE id = ?1 AND revoked_at IS NULL", (link, now.0)).map(drop)
    }

    /// Notes that a link was used; one that a browser `brought` is counted.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn share_link_note_use(
        &mut self,
        id: ShareLinkId,
        brought: bool,
        from: IpAddr,
        now: Time,
    ) -> Result<(), StoreError> {
        let sql = "UPDATE share_links SET uses = uses + ?2, last_used_at = ?3, last_used_from = ?4 WHERE uuid = ?1";
        self.run(sql, (id.to_string(), i64::from(brought), now.0, from.to_string())).map(drop)
    }

    /// Keeps a session's hash until `expires_at`; forgets those that are over, and the oldest of a link that has too many.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn link_session_insert(
        &mut self,
        link: ShareLinkId,
        hash: Sha256,
        expires_at: Time,
        now: Time,
    ) -> Result<(), StoreError> {
        self.run("DELETE FROM link_sessions WHERE expires_at <= ?1", [now.0])?;
        let link = self.key_of("share_links", &link.to_string())?;
        let sql = "INSERT INTO link_sessions (hash, link_id, expires_at) VALUES (?1, ?2, ?3)";
        self.insert(sql, (hash.0, link, expires_at.0))?;
        let sql = "DELETE FROM link_sessions WHERE id IN \
                   (SELECT id FROM link_sessions WHERE link_id = ?1 ORDER BY id DESC LIMIT -1 OFFSET ?2)";
        self.run(sql, (link, SESSIONS_OF_LINK_MAX)).map(drop)
    }

    /// Ends one browser's session.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn link_session_end(&mut self, hash: Sha256) -> Result<(), StoreError> {
        self.run("DELETE FROM link_sessions WHERE hash = ?1", [hash.0]).map(drop)
    }

    /// Notes that an action was asked for through a link.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn action_by_link(&mut self, action: ActionId, link: ShareLinkId) -> Result<(), StoreError> {
        let action = self.key_of("actions", &action.to_string())?;
        let link = self.key_of("share_links", &link.to_string())?;
        self.insert("INSERT INTO action_links (action_id, link_id) VALUES (?1, ?2)", (action, link)).map(drop)
    }
}
