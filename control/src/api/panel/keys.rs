//! `/panel/v1/keys`: API keys, made, listed and revoked by whoever has signed in: what the operator's commands do, by the same
//! use cases and told in the same words. Of another account's key nothing is told.

use axum::{extract::State, http::request::Parts};
use csp_shared::{
    id::{AccountId, ApiKeyId},
    secret::Secret,
};
use serde::Deserialize;

use super::{
    person::check,
    session::{SignedIn, signed_out},
};
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

/// The body of a new key.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewOwnKey {
    current_password: Secret,
    label: Option<String>,
    #[serde(default)]
    scopes: Vec<String>,
    #[serde(default)]
    networks: Vec<String>,
    #[serde(default)]
    expires_at: Option<String>,
}

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

/// `POST /keys`: for the password, since a key outlives the browser that was left open.
pub async fn create(
    State(app): State<App>,
    signed_in: SignedIn,
    Json(body): Json<NewOwnKey>,
) -> Result<Answer<Key>, ApiError> {
    let NewOwnKey { current_password, label, scopes, networks, expires_at } = body;
    let new = NewKey { label, scopes, networks, expires_at };
    // The operator's command without scopes makes a key that may do everything. Here that is said.
    if new.scopes.is_empty() {
        return Err(ApiError::field(Code::ValidationFailed, "scopes", "name at least one"));
    }
    let wanted = new_key(account(&signed_in)?, &new, app.settings.limits)?;
    check(&app, &signed_in, current_password.reveal()).await?;
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
