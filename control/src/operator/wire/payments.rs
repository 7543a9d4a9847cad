//! Payments, and what becomes of them: plain types, used on both ends.

use csp_shared::id::{AccountId, ServerId};
use serde::{Deserialize, Serialize};

/// `POST /accounts/{uuid}/credits` and `/goodwill`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Credit {
    /// USD, as `25` or `25.50`.
    pub amount: String,
    /// The payment's id at whoever took it, or a ticket's: the same one credits once.
    pub reference: String,
    /// For the customer's list of transactions.
    pub note: Option<String>,
}

/// What a credit did.
#[derive(Debug, Serialize, Deserialize)]
pub struct Credited {
    /// Whose wallet.
    pub account: AccountId,
    /// USD.
    pub amount: String,
    /// In the wallet now, USD.
    pub balance: String,
    /// Still owed for disputed payments, USD.
    pub owed: String,
    /// What of the amount paid what was owed, USD.
    pub settled: String,
    /// False when this reference was credited before: nothing moved this time.
    pub credited: bool,
}

/// `POST /accounts/{uuid}/corrections`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Correction {
    /// `credit`: into the wallet; `debit`: out of it.
    pub direction: String,
    /// USD.
    pub amount: String,
    /// What was booked wrongly: `revenue` (usual), `topups` or `promotions`.
    #[serde(default)]
    pub book: Option<String>,
    /// A ticket's number, for example: the same one corrects once.
    pub reference: String,
    /// Why, for the customer's list of transactions.
    pub note: String,
    /// The server that it is about.
    #[serde(default)]
    pub server_uuid: Option<ServerId>,
}

/// `POST /refunds` and `POST /disputes`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Return {
    /// The payment's id, as it was credited.
    pub payment: String,
    /// The refund's or dispute's own id at whoever took the payment: the same one moves money once.
    pub reference: String,
    /// USD; left out: all that is left of the payment.
    #[serde(default)]
    pub amount: Option<String>,
}

/// `POST /disputes/close`
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct CloseDispute {
    /// The dispute's id.
    pub reference: String,
    /// `won` or `lost`.
    pub outcome: String,
}

/// What a refund, a dispute or a correction did.
#[derive(Debug, Serialize, Deserialize)]
pub struct Moved {
    /// Whose wallet.
    pub account: AccountId,
    /// How much it was about, USD.
    pub amount: String,
    /// In the wallet now, USD.
    pub balance: String,
    /// Still owed for disputed payments, USD.
    pub owed: String,
    /// What of the amount paid what was owed, USD.
    pub settled: String,
    /// False when it was done before: nothing changed this time.
    pub done: bool,
}

/// A dispute.
#[derive(Debug, Serialize, Deserialize)]
pub struct Dispute {
    /// Its id at whoever took the payment.
    pub reference: String,
    /// The payment's.
    pub payment: String,
    /// Whose.
    pub account: AccountId,
    /// USD.
    pub amount: String,
    /// `open`, `won` or `lost`.
    pub status: String,
    /// UTC.
    pub opened_at: String,
    /// UTC; null while it is open.
    pub closed_at: Option<String>,
}
