//! Publishes what the provider has to say, and tells it as an event to each account that is meant.

use csp_shared::id::{AccountId, NoticeId};

use crate::{
    domain::{
        draw::Draw,
        event::Event,
        notice::{Audience, Notice},
        time::Time,
    },
    store::{NoticeRow, StoreError, Tx},
};

/// Why a notice was not published or ended.
#[derive(Debug, thiserror::Error)]
pub enum NoticeError {
    /// It would end before it begins, or has ended already.
    #[error("it would be shown to nobody: it ends at {0}")]
    Ended(Time),
    /// Not in use.
    #[error("there is no location `{0}`")]
    NoLocation(String),
    /// Not there.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// Not there.
    #[error("there is no notice {0}")]
    NoNotice(NoticeId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Publishes a notice.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn publish_notice(tx: &mut Tx<'_>, notice: &Notice, draw: Draw, now: Time) -> Result<NoticeRow, NoticeError> {
    let mut draw = draw;
    if let Some(end) = notice.ends_at.filter(|end| *end <= notice.starts_at || *end <= now) {
        return Err(NoticeError::Ended(end));
    }
    match &notice.audience {
        Audience::Everybody => {}
        Audience::Location(slug) => {
            let is_there = tx.location_list()?.iter().any(|location| location.slug == *slug);
            is_there.then_some(()).ok_or_else(|| NoticeError::NoLocation(slug.as_str().to_owned()))?;
        }
        Audience::Account(account) => {
            tx.account_get(*account)?.ok_or(NoticeError::NoAccount(*account))?;
        }
    }
    let id = NoticeId(draw.uuid(now));
    tx.notice_insert(id, notice, now)?;
    let event = Event::notice_published(id, notice.kind, notice.title.as_str());
    for account in tx.audience_accounts(&notice.audience)? {
        tx.event_put(account, &event, now)?;
    }
    tx.notice_get(id)?.ok_or(NoticeError::NoNotice(id))
}

/// Ends a notice; one that has ended stays as it is.
///
/// # Errors
/// When it is not there, or the store cannot keep it.
pub fn end_notice(tx: &mut Tx<'_>, id: NoticeId, now: Time) -> Result<NoticeRow, NoticeError> {
    tx.notice_end(id, now)?;
    tx.notice_get(id)?.ok_or(NoticeError::NoNotice(id))
}
