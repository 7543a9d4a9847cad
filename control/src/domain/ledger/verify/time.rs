//! When a transfer was posted, by its id: that begins with the time at which it was drawn. So the time beside it has a second
//! witness, whatever the clock did between one transfer and the next.

use csp_shared::id::TransferId;

use crate::domain::{billing::clock::BACK_SECONDS_MAX, time::Time};

/// When an id was drawn; nothing for one that does not say.
pub(super) fn drawn_at(transfer: TransferId) -> Option<Time> {
    let (seconds, _) = transfer.0.get_timestamp()?.to_unix();
    i64::try_from(seconds).ok().map(Time)
}

/// Whether a transfer can have been posted at a time. A clock that was set back a little makes none older than the one
/// before, so the time can be that much later than the id says.
pub(super) fn fits(transfer: TransferId, at: Time) -> bool {
    drawn_at(transfer).is_none_or(|drawn| (drawn..=drawn.plus(BACK_SECONDS_MAX)).contains(&at))
}
