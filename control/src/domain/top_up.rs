//! What somebody pays in by card: what Stripe tells of it is held against what we asked for.

use super::{
    money::Cents,
    payment::{BadReference, Reference},
    time::MINUTE,
};

/// The one currency of wallets, as Stripe writes it.
pub const CURRENCY: &str = "usd";

/// Pages for paying that one account may ask for within [`ASKED_SECONDS`].
pub const ASKED_MAX: u64 = 20;
/// See [`ASKED_MAX`].
pub const ASKED_SECONDS: i64 = 60 * MINUTE;

/// How long Stripe keeps a page open; it takes between half an hour and a day.
pub const PAGE_SECONDS: i64 = 60 * MINUTE;
/// What Stripe tells of a page has come so long after its end.
pub const WORD_SECONDS: i64 = 60 * MINUTE;

/// How far it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TopUpState {
    /// To be paid on Stripe's page.
    Open,
    /// On its way, as a bank transfer is for days.
    Pending,
    /// In the wallet.
    Paid,
    /// The bank refused it.
    Failed,
    /// Nobody paid.
    Expired,
}

impl TopUpState {
    const ALL: [Self; 5] = [Self::Open, Self::Pending, Self::Paid, Self::Failed, Self::Expired];

    /// As stored and shown.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Open => "open",
            Self::Pending => "pending",
            Self::Paid => "paid",
            Self::Failed => "failed",
            Self::Expired => "expired",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

/// What Stripe tells of a page for paying.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ToldSession {
    /// Stripe's page.
    pub session: String,
    /// The payment; there once somebody paid.
    pub payment: Option<String>,
    /// How much was paid.
    pub amount: Option<i64>,
    /// In what.
    pub currency: Option<String>,
    /// Which top-up it is for, as we wrote it there.
    pub top_up: Option<String>,
    /// For which account, as we wrote it there.
    pub account: Option<String>,
}

/// A payment of which something went back.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Refunded {
    /// The charge.
    pub charge: String,
    /// The payment.
    pub payment: String,
    /// In all, in cents.
    pub amount: i64,
    /// In what.
    pub currency: String,
}

/// A dispute.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Disputed {
    /// Its id.
    pub dispute: String,
    /// The payment.
    pub payment: String,
    /// How much, in cents.
    pub amount: i64,
    /// In what.
    pub currency: String,
}

/// How something of Stripe's is called in the ledger, as `csp-control credit` and webhook bridges are told to write it.
///
/// # Errors
/// When it is no id.
pub fn reference(stripe_id: &str) -> Result<Reference, BadReference> {
    Reference::parse(&format!("stripe:{stripe_id}"))
}

/// What of a payment is still to be taken from the wallet, when `told` of it went back in all, `before` of which was taken
/// earlier, and `left` of it is there. Stripe tells the sum, so an older word that comes late moves nothing.
#[must_use]
pub fn still_to_take(told: Cents, before: Cents, left: Cents) -> Cents {
    told.minus(before).unwrap_or_default().min(left)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        /// In whatever order and however often the sums come, no more is taken than went back, and no more than was there.
        #[test]
        fn refunds_are_taken_once_in_any_order(sums in prop::collection::vec(0i64..2000, 1..8), paid in 1i64..2000) {
            let cents = |cents| Cents::new(cents).unwrap();
            let (mut before, mut taken) = (Cents::ZERO, 0);
            for sum in &sums {
                let take = still_to_take(cents(*sum), before, cents(paid - taken));
                taken += take.get();
                before = before.max(cents(*sum));
            }
            prop_assert_eq!(taken, sums.iter().copied().max().unwrap().min(paid));
        }
    }

    #[test]
    fn every_state_is_read_as_it_was_written() {
        for state in TopUpState::ALL {
            assert_eq!(TopUpState::parse(state.as_str()), Some(state));
        }
        assert_eq!(TopUpState::parse("gone"), None);
    }
}
