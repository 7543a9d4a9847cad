//! Double entry by construction: a transfer moves one positive amount from one account to another.

use std::fmt;

use csp_shared::id::{AccountId, ActionId, ServerId};

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

/// Why money moved. Its key is unique in the store: the same cause can never move money twice.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Cause {
    /// A server was ordered: its first period.
    Order(ServerId),
    /// An order that did not run gives back exactly what it took.
    OrderReversal(ServerId),
    /// A destroyed server's periods that never began.
    DestroyCredit(ActionId),
    /// Money came in, by the payment's id at whoever took it.
    TopUp {
        /// `stripe:pi_…`, `bank:2026-06-10/17`; unique for ever.
        reference: String,
    },
}

impl Cause {
    /// The kind, as the store and reports know it.
    #[must_use]
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Order(_) => "order",
            Self::OrderReversal(_) => "reversal",
            Self::DestroyCredit(_) => "credit",
            Self::TopUp { .. } => "topup",
        }
    }
}

impl fmt::Display for Cause {
    /// The unique key.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Order(server) => write!(f, "order/{server}"),
            Self::OrderReversal(server) => write!(f, "reversal/order/{server}"),
            Self::DestroyCredit(action) => write!(f, "credit/destroy/{action}"),
            Self::TopUp { reference } => write!(f, "topup/{reference}"),
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
