//! Opens an account with an empty wallet.

use csp_shared::id::AccountId;

use crate::{
    domain::{draw::Draw, email::Email, label::Label, time::Time},
    store::{StoreError, Tx},
};

/// Opens an account.
///
/// # Errors
/// When the store cannot keep it.
pub fn create_account(
    tx: &mut Tx<'_>,
    name: &Label,
    email: Option<&Email>,
    draw: Draw,
    now: Time,
) -> Result<AccountId, StoreError> {
    let mut draw = draw;
    let id = AccountId(draw.uuid(now));
    tx.account_insert(id, name, email, now)?;
    Ok(id)
}
