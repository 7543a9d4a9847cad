//! When a transfer was posted, by its id: that begins with the time at which it was drawn. So the time beside it has a second
//! witness, whatever the clock did between one transfer and the next.

use csp_shared::id::TransferId;

use crate::domain::time::Time;

/// When an id was drawn; nothing for one that does not say.
pub(super) fn drawn_at(transfer: TransferId) -> Option<Time> {
    let (seconds, _) = transfer.0.get_timestamp()?.to_unix();
    i64::try_from(seconds).ok().map(Time)
}

/// Whether a transfer was posted at a time. A clock that was set back makes none older than the one `before`, whose time it then
/// has; nothing stands before the one that follows a mark.
pub(super) fn fits(transfer: TransferId, at: Time, before: Option<Time>) -> bool {
    drawn_at(transfer).is_none_or(|drawn| at == before.map_or(drawn, |before| before.max(drawn)))
}
