//! Recomputes every wallet from the first transfer, and says where the ledger contradicts itself. Pure: rows go in, one
//! after the other, and differences come out, so a ledger of any length is checked in the memory that its wallets need.
//!
//! Nothing that the store computed is believed: balances are added up anew, keys are read back into causes, and what a
//! cause fixes (kind, direction, book, service) is held against the row. Amounts are plain numbers here, since a row that
//! [`crate::domain::money::Cents`] would refuse is what is looked for.
//!
//! ```text
//! wallets   transfers in the order in which they were posted: balances after each, causes, sums at the end
//! keys      cause keys in their own order: none twice
//! services  periods, paid lines and the transfers that they stand for; each line by itself, what of it was given back, and
//!           what promotions paid
//! promises  what each request was to charge and to give back, worked out again from the lines as they were then
//! addresses which addresses a renewal was to pay
//! went_back refunds and disputes: rows and transfers
//! ```

mod addresses;
mod credits;
mod discounts;
mod keys;
mod lines;
mod promises;
mod rows;
mod services;
mod time;
mod wallets;
mod went_back;

use std::fmt;

pub use self::{
    keys::Keys,
    rows::{ActionRow, CreditRow, LineRow, PeriodRow, Posting, PromoRow, ServiceRows},
    services::check_service,
    wallets::{Entry, Side, Sums, Wallets},
    went_back::{DisputeRow, PaidIn, PaymentRows, RefundRow, WentBack},
};

/// A place where the ledger contradicts itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[must_use]
pub struct Difference {
    /// Which kind.
    pub kind: DifferenceKind,
    /// Where: wallet, transfer, server, period, as far as it applies.
    pub place: String,
    /// What is different, in a sentence.
    pub what: String,
}

impl Difference {
    fn new(kind: DifferenceKind, place: impl fmt::Display, what: impl Into<String>) -> Self {
        Self { kind, place: place.to_string(), what: what.into() }
    }
}

macro_rules! kinds {
    ($($(#[$doc:meta])* $name:ident = $text:literal;)*) => {
        /// The closed list of differences. Their names are for programs and stay as they are.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum DifferenceKind { $($(#[$doc])* $name,)* }

        impl DifferenceKind {
            /// As it is printed.
            #[must_use]
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$name => $text,)* }
            }
        }
    };
}

kinds! {
    /// The balance after a transfer is not the balance before it and its amount.
    Running = "running_balance";
    /// A wallet went below zero.
    Negative = "negative_balance";
    /// A wallet does not hold what its transfers come to.
    Balance = "balance";
    /// What an account is said to owe is not what the transfers come to.
    Owed = "owed";
    /// The books are not the mirror of the wallets.
    Books = "books";
    /// A transfer of nothing, or of less.
    Amount = "amount";
    /// A transfer that no wallet takes part in, or more than one.
    Sides = "sides";
    /// A key that no cause writes.
    CauseKey = "cause_key";
    /// A cause that moved money twice.
    CauseTwice = "cause_twice";
    /// A transfer whose kind, direction, book or service is not its cause's.
    CauseMisfit = "cause_misfit";
    /// A period without a line for what was sold.
    PeriodUnpaid = "period_unpaid";
    /// Periods of a service that leave a gap, overlap, or do not end when it is paid until.
    PeriodOrder = "period_order";
    /// A service that is over and was not ended, or the other way round.
    Service = "service";
    /// A line without its transfer, or with one that is not its own.
    LineTransfer = "line_transfer";
    /// A line that gave back more than was paid for it.
    LineCredit = "line_credit";
    /// A line that charged something else than its price comes to for its time.
    LinePrice = "line_price";
    /// A line that is for another time than the one at which it was bought.
    LineTime = "line_time";
    /// A line of which other things are in use, or came back, than its credits come to.
    LineUse = "line_use";
    /// A line that belongs to another address or request than the books know.
    LineCause = "line_cause";
    /// What a request charges or gives back is not what the lines of then come to.
    Promise = "promise";
    /// A period that was paid at a price which was never sold or announced.
    Price = "price";
    /// What a promotion paid of a period is not what its lines say.
    Discount = "discount";
    /// A discount without the use of a promo code that gives it, or a use without its discount.
    PromoUse = "promo_use";
    /// A dispute without its transfers, or transfers without their dispute.
    Dispute = "dispute";
    /// A refund without its transfer or its payment, or more than was paid.
    Refund = "refund";
    /// A transfer whose time is not the one at which it was posted.
    Time = "time";
    /// A charge whose lines come to another sum.
    ChargeLines = "charge_lines";
    /// What was given back of a service is not what its lines say.
    Credits = "credits";
}

/// Cents for people, of either sign.
#[must_use]
pub fn cents(amount: i128) -> String {
    let (sign, amount) = (if amount < 0 { "-" } else { "" }, amount.unsigned_abs());
    format!("{sign}{}.{:02}", amount / 100, amount % 100)
}

#[cfg(test)]
mod tests;
