//! `/panel/v1/keys`: API keys, made, listed and revoked by whoever has signed in: what the operator's commands do, by the same
//! use cases and told in the same words. Of another account's key nothing is told.

use axum::{extract::State, http::request::Parts};
use csp_shared::id::{AccountId, ApiKeyId};

use super::session::{SignedIn, signed_out};
use crate::{
    api::{
        envelope::Answer,
        error::{ApiError, Code},
        json::Json,
        keys::{Key, KeyShow, NewKey, new_key, shown},
        path,
        state::App,
    },
    service::{create_key::create_key, revoke_key::revoke_key},
    store::{ApiKeyRow, StoreError},
};

/// Nobody who waits can sign in.
pub(super) fn account(signed_in: &SignedIn) -> Result<AccountId, ApiError> {
    signed_in.person.account.ok_or_else(signed_out)
}

/// `GET /keys`
pub async fn list(State(app): State<App>, signed_in: SignedIn) -> Result<Answer<Vec<KeyShow>>, ApiError> {
    let account = account(&signed_in)?;
    let rows = app.store.read::<_, StoreError>(move |read| read.api_key_list(account)).await?;
    let now = app.now();
    Ok(Answer::data(rows.into_iter().map(|row| shown(row, &app.key_uses, now)).collect()))
}

/// `POST /keys`
pub async fn create(
    State(app): State<App>,
    signed_in: SignedIn,
    Json(new): Json<NewKey>,
) -> Result<Answer<Key>, ApiError> {
    // The operator's command without scopes makes a key that may do everything. Here that is said.
    if new.scopes.is_empty() {
        return Err(ApiError::field(Code::ValidationFailed, "scopes", "name at least one"));
    }
    let wanted = new_key(account(&signed_in)?, &new, app.settings.limits)?;
    let (label, draw, now) = (wanted.label.as_str().to_owned(), app.draw(), app.now());
    let made = app.store.write(move |tx| create_key(tx, &wanted, draw.clone(), now)).await?;
    Ok(Answer::data(Key { uuid: made.id, label, key: made.key }))
}

/// `DELETE /keys/{uuid}`
pub async fn revoke(
    State(app): State<App>,
    signed_in: SignedIn,
    mut parts: Parts,
) -> Result<Answer<KeyShow>, ApiError> {
    let missing = || ApiError::new(Code::NotFound, "There is no such API key.");
    let id: ApiKeyId = path::id(&mut parts, &()).await.ok_or_else(missing)?;
    let (account, now) = (account(&signed_in)?, app.now());
    let revoked = app.store.write::<Option<ApiKeyRow>, ApiError>(move |tx| {
        match tx.api_key_get(id)?.filter(|key| key.account == account) {
            Some(_) => Ok(Some(revoke_key(tx, id, now)?)),
            None => Ok(None),
        }
    });
    let row = revoked.await?.ok_or_else(missing)?;
    Ok(Answer::data(shown(row, &app.key_uses, now)))
}
