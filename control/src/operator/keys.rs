//! API keys: made, listed and revoked here alone, since a key never makes keys.

use axum::extract::{Path, State};
use csp_shared::id::ApiKeyId;

use super::{accounts::AccountPath, wire};
use crate::{
    api::{
        App,
        account::missing,
        envelope::Answer,
        error::ApiError,
        json::Json,
        keys::{new_key, shown},
    },
    service::{create_key::create_key, revoke_key::revoke_key},
    store::StoreError,
};

/// `POST /accounts/{uuid}/keys`
pub async fn create(
    State(app): State<App>,
    AccountPath(account): AccountPath,
    Json(new): Json<wire::NewKey>,
) -> Result<Answer<wire::Key>, ApiError> {
    let wanted = new_key(account, &new, app.settings.limits)?;
    let (text, draw, now) = (wanted.label.as_str().to_owned(), app.draw(), app.now());
    let created = app.store.write(move |tx| create_key(tx, &wanted, draw.clone(), now)).await?;
    Ok(Answer::data(wire::Key { uuid: created.id, label: text, key: created.key }))
}

/// `GET /accounts/{uuid}/keys`
pub async fn list(
    State(app): State<App>,
    AccountPath(account): AccountPath,
) -> Result<Answer<Vec<wire::KeyShow>>, ApiError> {
    let found = app.store.read::<_, StoreError>(move |read| match read.account_get(account)? {
        Some(_) => read.api_key_list(account).map(Some),
        None => Ok(None),
    });
    let rows = found.await?.ok_or_else(|| missing(account))?;
    let now = app.now();
    Ok(Answer::data(rows.into_iter().map(|row| shown(row, &app.key_uses, now)).collect()))
}

/// `POST /keys/{uuid}/revoke`
pub async fn revoke(State(app): State<App>, Path(key): Path<ApiKeyId>) -> Result<Answer<wire::KeyShow>, ApiError> {
    let now = app.now();
    let row = app.store.write(move |tx| revoke_key(tx, key, now)).await?;
    Ok(Answer::data(shown(row, &app.key_uses, now)))
}
