//! API keys: made, listed and revoked here alone, since a key never makes keys.

use axum::extract::{Path, State};
use csp_shared::id::{AccountId, ApiKeyId};

use super::{
    accounts::{AccountPath, label, missing},
    request::Json,
    wire,
};
use crate::{
    api::{
        App,
        envelope::Answer,
        error::{ApiError, Code},
        field::Faults,
    },
    domain::{
        api_key::KeyTerms,
        limits::Limits,
        network::Networks,
        scope::{Scope, Scopes},
        time::Time,
    },
    service::{
        create_key::{CreateKey, CreateKeyError, create_key},
        note_key_uses::KeyUses,
        revoke_key::{RevokeKeyError, revoke_key},
    },
    store::{ApiKeyRow, StoreError},
};

/// What a key is called when nobody says.
const LABEL: &str = "API key";

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

/// The key that is wanted.
///
/// # Errors
/// With each field that is wrong.
pub(crate) fn new_key(account: AccountId, new: &wire::NewKey, limits: Limits) -> Result<CreateKey, ApiError> {
    let label = label(new.label.as_deref().unwrap_or(LABEL))?;
    Ok(CreateKey { account, label, terms: terms(new)?, limits })
}

fn terms(new: &wire::NewKey) -> Result<KeyTerms, ApiError> {
    let mut faults = Faults::default();
    let scopes = match new.scopes.as_slice() {
        [] => Some(Scopes::all()),
        words => {
            let read = |word: &String| Scope::parse(word).ok_or("has read, write, console and billing");
            faults.parsed(Code::ValidationFailed, "scopes", words.iter().map(read).collect::<Result<Scopes, _>>())
        }
    };
    let networks = match new.networks.as_slice() {
        [] => None,
        texts => {
            let networks = Networks::parse(texts.iter().map(String::as_str));
            faults.parsed(Code::ValidationFailed, "networks", networks)
        }
    };
    let expires_at = new
        .expires_at
        .as_deref()
        .and_then(|text| faults.parsed(Code::ValidationFailed, "expires_at", text.parse::<Time>()));
    faults.into_result()?;
    Ok(KeyTerms { scopes: scopes.unwrap_or_default(), networks, expires_at })
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

/// A key as it is shown.
pub(crate) fn shown(row: ApiKeyRow, uses: &KeyUses, now: Time) -> wire::KeyShow {
    let stored = row.last_used.map(|(at, from)| (at.to_string(), from));
    let last_used = uses.last(row.id).map(|last| (last.at.to_string(), last.from.to_string())).or(stored);
    let (last_used_at, last_used_from) = last_used.unzip();
    let state = match (row.revoked_at, row.terms.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "expired",
        _ => "active",
    };
    wire::KeyShow {
        uuid: row.id,
        account: row.account,
        label: row.label,
        preview: row.preview,
        state: state.to_owned(),
        scopes: row.terms.scopes.iter().map(|scope| scope.as_str().to_owned()).collect(),
        networks: row.terms.networks.as_ref().map(Networks::texts).unwrap_or_default(),
        created_at: row.created_at.to_string(),
        expires_at: row.terms.expires_at.map(|at| at.to_string()),
        revoked_at: row.revoked_at.map(|at| at.to_string()),
        last_used_at,
        last_used_from,
    }
}

impl From<CreateKeyError> for ApiError {
    fn from(error: CreateKeyError) -> Self {
        let reason = error.to_string();
        match error {
            CreateKeyError::NoAccount(account) => missing(account),
            CreateKeyError::Expired => Self::field(Code::ValidationFailed, "expires_at", reason),
            CreateKeyError::Limit(reached) => reached.into(),
            CreateKeyError::Store(error) => error.into(),
        }
    }
}

impl From<RevokeKeyError> for ApiError {
    fn from(error: RevokeKeyError) -> Self {
        match error {
            RevokeKeyError::NoKey(key) => Self::new(Code::NotFound, format!("There is no API key {key}.")),
            RevokeKeyError::Store(error) => error.into(),
        }
    }
}
