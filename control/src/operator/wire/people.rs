//! Who may sign up: plain types, used on both ends.

use csp_shared::id::{AccountId, PersonId};
use serde::{Deserialize, Serialize};

/// `POST /people/invite`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// Where the letter goes.
    pub email: String,
    /// To sign in for an account that is there; left out: for one of their own.
    #[serde(default)]
    pub account: Option<AccountId>,
}

/// `POST /people/code-off`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CodeOff {
    /// What they sign in with.
    pub email: String,
}

/// Who was written to.
#[derive(Debug, Serialize, Deserialize)]
pub struct Told {
    /// The address.
    pub email: String,
}

/// Somebody who waits.
#[derive(Debug, Serialize, Deserialize)]
pub struct Person {
    /// Their id.
    pub uuid: PersonId,
    /// For people.
    pub name: String,
    /// Proved by a letter.
    pub email: String,
    /// Which terms they accepted; empty where there were none.
    pub terms_version: String,
    /// UTC.
    pub created_at: String,
}

/// Somebody who may sign in now.
#[derive(Debug, Serialize, Deserialize)]
pub struct Approved {
    /// Who.
    pub person: PersonId,
    /// Their account.
    pub account: AccountId,
}
