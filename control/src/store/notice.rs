//! What the provider has to say, and to whom.

use csp_shared::id::{AccountId, NoticeId};
use rusqlite::Row;

use super::{Read, StoreError, Tx, row};
use crate::domain::{
    notice::{Audience, Kind, Notice},
    slug::Slug,
    time::Time,
};

/// A published notice.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NoticeRow {
    /// Its id.
    pub id: NoticeId,
    /// What it is about.
    pub kind: Kind,
    /// Who is told.
    pub audience: Audience,
    /// In a few words.
    pub title: String,
    /// In full.
    pub text: String,
    /// When what it speaks of begins.
    pub starts_at: Time,
    /// From then on it is not shown.
    pub ends_at: Option<Time>,
    /// When it was published.
    pub created_at: Time,
}

const NOTICES: &str = "SELECT n.uuid, n.kind, a.uuid, l.slug, n.title, n.body, n.starts_at, n.ends_at, n.created_at, n.id \
                       FROM notices n LEFT JOIN accounts a ON a.id = n.account_id \
                       LEFT JOIN locations l ON l.id = n.location_id";

fn notice(r: &Row<'_>) -> Result<NoticeRow, StoreError> {
    let (account, location): (Option<AccountId>, Option<String>) = (row::parsed_maybe(r, 2)?, r.get(3)?);
    let audience = match (account, location) {
        (Some(account), _) => Audience::Account(account),
        (None, Some(slug)) => Audience::Location(Slug::parse(&slug).map_err(|_| StoreError::Damaged(slug))?),
        (None, None) => Audience::Everybody,
    };
    Ok(NoticeRow {
        id: row::parsed(r, 0)?,
        kind: row::chosen(r, 1, Kind::parse)?,
        audience,
        title: r.get(4)?,
        text: r.get(5)?,
        starts_at: row::time(r, 6)?,
        ends_at: row::time_maybe(r, 7)?,
        created_at: row::time(r, 8)?,
    })
}

impl Read<'_> {
    /// What an account is told now and of what is to come, the latest beginning first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn notice_list(&self, account: AccountId, now: Time) -> Result<Vec<NoticeRow>, StoreError> {
        let open = "(n.ends_at IS NULL OR n.ends_at > ?2)";
        let theirs = "SELECT h.location_id FROM servers s JOIN placements p ON p.server_id = s.id AND p.state <> 'released' \
                      JOIN hosts h ON h.id = p.host_id WHERE s.account_id = (SELECT id FROM accounts WHERE uuid = ?1) \
                      AND s.service_status <> 'destroyed' AND p.state = 'active'";
        let sql = format!(
            "{NOTICES} WHERE n.account_id IS NULL AND n.location_id IS NULL AND {open} \
             UNION ALL {NOTICES} WHERE n.account_id = (SELECT id FROM accounts WHERE uuid = ?1) AND {open} \
             UNION ALL {NOTICES} WHERE n.location_id IN ({theirs}) AND {open} ORDER BY 7 DESC, 10 DESC"
        );
        self.many(&sql, (account.to_string(), now.0), notice)
    }

    /// Every notice, newest first: the operator's list.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn notice_all(&self) -> Result<Vec<NoticeRow>, StoreError> {
        self.many(&format!("{NOTICES} ORDER BY n.id DESC"), [], notice)
    }

    /// A notice.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn notice_get(&self, id: NoticeId) -> Result<Option<NoticeRow>, StoreError> {
        self.maybe(&format!("{NOTICES} WHERE n.uuid = ?1"), [id.to_string()], notice)
    }

    /// Accounts that are told.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn audience_accounts(&self, audience: &Audience) -> Result<Vec<AccountId>, StoreError> {
        match audience {
            Audience::Account(account) => Ok(vec![*account]),
            Audience::Everybody => self.many("SELECT uuid FROM accounts ORDER BY id", [], |r| row::parsed(r, 0)),
            Audience::Location(slug) => {
                let sql = "SELECT DISTINCT a.uuid FROM locations l JOIN hosts h ON h.location_id = l.id \
                           JOIN placements p ON p.host_id = h.id AND p.state <> 'released' \
                           JOIN servers s ON s.id = p.server_id JOIN accounts a ON a.id = s.account_id \
                           WHERE l.slug = ?1 AND p.state = 'active' AND s.service_status <> 'destroyed'";
                self.many(sql, [slug.as_str()], |r| row::parsed(r, 0))
            }
        }
    }
}

impl Tx<'_> {
    /// Publishes a notice. Its account or location must be there.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn notice_insert(&mut self, id: NoticeId, new: &Notice, now: Time) -> Result<(), StoreError> {
        let (account, location) = match &new.audience {
            Audience::Everybody => (None, None),
            Audience::Account(account) => (Some(account.to_string()), None),
            Audience::Location(slug) => (None, Some(slug.as_str())),
        };
        let sql = "INSERT INTO notices (uuid, account_id, location_id, kind, title, body, starts_at, ends_at, created_at) \
                   VALUES (?1, (SELECT id FROM accounts WHERE uuid = ?2), (SELECT id FROM locations WHERE slug = ?3), \
                   ?4, ?5, ?6, ?7, ?8, ?9)";
        let (kind, title, text) = (new.kind.as_str(), new.title.as_str(), new.text.as_str());
        let ends_at = new.ends_at.map(|at| at.0);
        let values = (id.to_string(), account, location, kind, title, text, new.starts_at.0, ends_at, now.0);
        self.insert(sql, values).map(drop)
    }

    /// Ends a notice, unless it has ended before.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn notice_end(&mut self, id: NoticeId, now: Time) -> Result<(), StoreError> {
        let sql = "UPDATE notices SET ends_at = ?2 WHERE uuid = ?1 AND (ends_at IS NULL OR ends_at > ?2)";
        self.run(sql, (id.to_string(), now.0)).map(drop)
    }
}
