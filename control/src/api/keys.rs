//! API keys as the operator's commands and the panel make and show them: the same words, read and shown in one place.

use csp_shared::{
    id::{AccountId, ApiKeyId},
    secret::Secret,
};
use serde::{Deserialize, Serialize};

use super::{
    account::missing,
    denied::sentence,
    error::{ApiError, Code},
    field::Faults,
};
use crate::{
    domain::{
        api_key::KeyTerms,
        label::Label,
        limits::Limits,
        network::Networks,
        scope::{Scope, Scopes},
        time::Time,
    },
    service::{
        create_key::{CreateKey, CreateKeyError},
        note_key_uses::KeyUses,
        revoke_key::RevokeKeyError,
    },
    store::ApiKeyRow,
};

/// What a key is called when nobody says.
const LABEL: &str = "API key";

/// A key that is wanted.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewKey {
    /// For people.
    pub label: Option<String>,
    /// What it may do: `read`, `write`, `console`, `billing`; empty is everything.
    #[serde(default)]
    pub scopes: Vec<String>,
    /// From where it may be used, `203.0.113.0/24` for example; empty is everywhere.
    #[serde(default)]
    pub networks: Vec<String>,
    /// Until when it works, UTC; null is without end.
    #[serde(default)]
    pub expires_at: Option<String>,
}

/// A key that was made.
#[derive(Debug, Serialize, Deserialize)]
pub struct Key {
    /// Its id.
    pub uuid: ApiKeyId,
    /// For people.
    pub label: String,
    /// Shown this once: only its hash is kept.
    pub key: Secret,
}

/// What is kept of a key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct KeyShow {
    /// Its id.
    pub uuid: ApiKeyId,
    /// Whose it is.
    pub account: AccountId,
    /// For people.
    pub label: String,
    /// Its first and last characters.
    pub preview: String,
    /// `active`, `expired` or `revoked`.
    pub state: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// From where; empty is everywhere.
    pub networks: Vec<String>,
    /// UTC.
    pub created_at: String,
    /// UTC; null is without end.
    pub expires_at: Option<String>,
    /// UTC; null unless revoked.
    pub revoked_at: Option<String>,
    /// UTC; null: never.
    pub last_used_at: Option<String>,
    /// Of the client that used it last.
    pub last_used_from: Option<String>,
}

/// The key that is wanted.
///
/// # Errors
/// With each field that is wrong.
pub(crate) fn new_key(account: AccountId, new: &NewKey, limits: Limits) -> Result<CreateKey, ApiError> {
    let label = label(new.label.as_deref().unwrap_or(LABEL))?;
    Ok(CreateKey { account, label, terms: terms(new)?, limits })
}

fn terms(new: &NewKey) -> Result<KeyTerms, ApiError> {
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

/// A key as it is shown.
pub(crate) fn shown(row: ApiKeyRow, uses: &KeyUses, now: Time) -> KeyShow {
    let stored = row.last_used.map(|(at, from)| (at.to_string(), from));
    let last_used = uses.last(row.id).map(|last| (last.at.to_string(), last.from.to_string())).or(stored);
    let (last_used_at, last_used_from) = last_used.unzip();
    let state = match (row.revoked_at, row.terms.expires_at) {
        (Some(_), _) => "revoked",
        (None, Some(end)) if end <= now => "expired",
        _ => "active",
    };
    KeyShow {
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

/// What somebody calls a thing.
///
/// # Errors
/// With what is wrong with it.
pub(crate) fn label(text: &str) -> Result<Label, ApiError> {
    Label::parse(text).map_err(|reason| ApiError::field(Code::ValidationFailed, "label", reason.to_string()))
}

impl From<CreateKeyError> for ApiError {
    fn from(error: CreateKeyError) -> Self {
        let reason = error.to_string();
        match error {
            CreateKeyError::NoAccount(account) => missing(account),
            CreateKeyError::Closed(_) => Self::new(Code::Conflict, sentence(&reason)),
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
