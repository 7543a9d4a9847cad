//! Double entry by construction: a transfer moves one positive amount from one account to another.

mod cause;
pub mod explain;
pub mod export;
pub mod verify;

use csp_shared::id::{AccountId, ServerId};

pub use self::cause::{Cause, CauseKind, Flow, Subject};
use super::money::Cents;

/// Who holds money.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Holder {
    /// A customer's prepaid wallet: has a balance, never below zero.
    Wallet(AccountId),
    /// A book of the provider's own: its sum is computed, never stored.
    Book(Book),
}

/// The provider's books.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Book {
    /// What was sold.
    Revenue,
    /// What was paid in.
    TopUps,
    /// What was given: promotions and goodwill.
    Promotions,
    /// What is owed to the provider after disputes.
    Receivables,
}

impl Book {
    /// Every book.
    pub const ALL: [Self; 4] = [Self::Revenue, Self::TopUps, Self::Promotions, Self::Receivables];

    /// The book of this name.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|book| book.as_str() == text)
    }

    /// Its name in the store.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Revenue => "revenue",
            Self::TopUps => "topups",
            Self::Promotions => "promotions",
            Self::Receivables => "receivables",
        }
    }
}

/// One movement, ready to be posted.
#[derive(Clone, PartialEq, Eq, Debug)]
#[must_use = "a transfer that is not posted moves nothing"]
pub struct Transfer {
    /// Gives.
    pub from: Holder,
    /// Takes.
    pub to: Holder,
    /// How much; an amount of zero is not posted.
    pub amount: Cents,
    /// Why.
    pub cause: Cause,
    /// The service that it is about.
    pub server: Option<ServerId>,
    /// For the customer's list.
    pub description: String,
}
