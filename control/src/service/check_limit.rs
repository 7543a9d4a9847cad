//! Whether an account may have one more of something: asked inside the transaction that adds it, so that two requests
//! that arrive together cannot both take the last place.

use csp_shared::id::AccountId;

use crate::{
    domain::{
        limits::{Limit, LimitReached, Limits, room_for_one},
        time::Time,
    },
    store::{StoreError, Tx},
};

/// What stands in the way of one more; None when nothing does. `usual` is what the configuration says.
///
/// # Errors
/// When the store cannot be read.
pub fn limit_reached(
    tx: &Tx<'_>,
    account: AccountId,
    limit: Limit,
    usual: &Limits,
    now: Time,
) -> Result<Option<LimitReached>, StoreError> {
    let max = tx.account_limits(account, usual)?.get(limit);
    Ok(room_for_one(limit, max, tx.account_used(account, limit, now)?).err())
}
