//! The ledger as the operator asks for it: plain types, used on both ends.

use csp_shared::id::TransferId;
use serde::{Deserialize, Serialize};

/// `GET /ledger/verify`: the ledger, recomputed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Verified {
    /// Transfers that were added up.
    pub transfers: u64,
    /// Wallets, those of every account.
    pub wallets: usize,
    /// Services that were looked at.
    pub services: u64,
    /// Their periods.
    pub periods: u64,
    /// The provider's books.
    pub books: Vec<BookSum>,
    /// Every difference, up to a thousand; empty when all is as it should be.
    pub differences: Vec<Difference>,
}

/// A book of the provider.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct BookSum {
    /// `revenue`, `topups`, `promotions` or `receivables`.
    pub book: String,
    /// What it took, less what it gave, USD.
    pub sum: String,
}

/// One place where the ledger contradicts itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Difference {
    /// A name for programs, `running_balance` for example.
    pub kind: String,
    /// Where.
    pub place: String,
    /// What is different.
    pub what: String,
}

/// `GET /ledger/explain/{uuid}?after=TRANSFER`: a part of why each cent of an account or a server moved.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Explained {
    /// Who is explained, and what is to be known of them first; a sentence each.
    pub facts: Vec<String>,
    /// Oldest first.
    pub lines: Vec<ExplainedLine>,
    /// There is more after the last of them.
    pub more: bool,
}

/// One transfer, explained.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ExplainedLine {
    /// Its id.
    pub transfer: TransferId,
    /// UTC.
    pub at: String,
    /// What it moved in the wallet, USD, with its sign; null where it moved past every wallet.
    pub moved: Option<String>,
    /// USD.
    pub amount: String,
    /// In the wallet then, USD; null likewise.
    pub balance: Option<String>,
    /// The kind of its cause.
    pub cause: String,
    /// The cause's key: it moves money once.
    pub key: String,
    /// Why, in a sentence.
    pub why: String,
    /// What else is known, a sentence each.
    pub details: Vec<String>,
}
