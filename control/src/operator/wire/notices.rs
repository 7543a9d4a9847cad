//! Notices to customers: plain types, used on both ends.

use csp_shared::id::{AccountId, NoticeId};
use serde::{Deserialize, Serialize};

/// `POST /notices`. Without account and location it is for everybody.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NewNotice {
    /// `info`, `maintenance` or `incident`.
    pub kind: String,
    /// In a few words.
    pub title: String,
    /// In full, plain text.
    pub text: String,
    /// For this account alone.
    #[serde(default)]
    pub account: Option<AccountId>,
    /// For those with servers in this location alone.
    #[serde(default)]
    pub location: Option<String>,
    /// When what it speaks of begins, UTC; now when left out.
    #[serde(default)]
    pub starts_at: Option<String>,
    /// When it ends, UTC; when left out, by hand.
    #[serde(default)]
    pub ends_at: Option<String>,
}

/// A notice.
#[derive(Debug, Serialize, Deserialize)]
pub struct Notice {
    /// Its id.
    pub uuid: NoticeId,
    /// `to come`, `now` or `ended`.
    pub state: String,
    /// `info`, `maintenance` or `incident`.
    pub kind: String,
    /// For whom alone.
    pub account: Option<AccountId>,
    /// Where alone.
    pub location: Option<String>,
    /// In a few words.
    pub title: String,
    /// In full.
    pub text: String,
    /// UTC.
    pub starts_at: String,
    /// UTC.
    pub ends_at: Option<String>,
    /// UTC.
    pub created_at: String,
}
