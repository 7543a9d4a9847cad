//! Changes what a customer decides about a server without its host having to do anything.

use csp_shared::id::{AccountId, ServerId};

use crate::{
    domain::{
        allowed::{Ask, Denied, allow},
        event::Event,
        server_label::TooMany,
        server_settings::SettingsChange,
        time::Time,
    },
    store::{StoreError, Tx},
};

/// Why a change was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum ChangeServerError {
    /// Not there, or not this account's: the same answer for both.
    #[error("there is no such server")]
    NotFound,
    /// The state does not allow it.
    #[error(transparent)]
    Denied(#[from] Denied),
    /// More than a server may have.
    #[error(transparent)]
    Labels(#[from] TooMany),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Changes a server's settings. What is so already changes nothing and tells nobody.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn change_server(
    tx: &mut Tx<'_>,
    account: AccountId,
    server: ServerId,
    change: &SettingsChange,
    now: Time,
) -> Result<(), ChangeServerError> {
    let standing = tx.server_standing(account, server, now)?.ok_or(ChangeServerError::NotFound)?;
    allow(Ask::Update, &standing)?;
    let before = tx.server_settings(server)?.ok_or(ChangeServerError::NotFound)?;
    let after = before.changed(change)?;
    let fields = before.differences(&after);
    if fields.is_empty() {
        return Ok(());
    }
    tx.server_settings_put(server, &after)?;
    tx.event_put(account, &Event::server_updated(server, &fields), now)?;
    Ok(())
}
