//! Operator tokens: plain types, used on both ends.

use csp_shared::{id::OperatorTokenId, secret::Secret};
use serde::{Deserialize, Serialize};

/// `POST /tokens`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewToken {
    /// For people: which machine has it.
    pub label: String,
    /// What it may do: `credits`, `refunds`, `disputes`, `accounts`, `ledger`.
    pub scopes: Vec<String>,
    /// Until when it works, UTC; left out: without end.
    #[serde(default)]
    pub expires_at: Option<String>,
}

/// A token that was made.
#[derive(Debug, Serialize, Deserialize)]
pub struct Token {
    /// Its id.
    pub uuid: OperatorTokenId,
    /// For people.
    pub label: String,
    /// The token; shown this once.
    pub token: Secret,
}

/// A token as it is shown later.
#[derive(Debug, Serialize, Deserialize)]
pub struct TokenShow {
    /// Its id.
    pub uuid: OperatorTokenId,
    /// For people.
    pub label: String,
    /// Its first and last characters.
    pub preview: String,
    /// `active`, `expired` or `revoked`.
    pub state: String,
    /// What it may do.
    pub scopes: Vec<String>,
    /// UTC.
    pub created_at: String,
    /// UTC.
    pub expires_at: Option<String>,
    /// UTC.
    pub revoked_at: Option<String>,
}
