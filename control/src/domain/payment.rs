//! Payments after they came in: what settles what is owed, what a dispute takes, what of a payment can still go back.
//!
//! A wallet is never below zero. So a disputed payment takes what is there, and the rest becomes a receivable: money that
//! is owed, and that whatever comes in later pays first (BILLING 14).

use super::money::Cents;

/// An id that somebody else gave: of a payment, a refund, a dispute, a ticket. It is compared as it stands.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Reference(String);

/// A text that is no reference.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the reference has 1 to 200 printable characters and does not begin or end with a space")]
pub struct BadReference;

impl Reference {
    /// Reads a reference.
    ///
    /// # Errors
    /// When it is empty, too long, has characters that cannot be seen, or spaces at an end: two that look the same must
    /// be the same.
    pub fn parse(text: &str) -> Result<Self, BadReference> {
        let printable = !text.chars().any(char::is_control);
        let good = printable && text.trim() == text && (1..=200).contains(&text.chars().count());
        if good { Ok(Self(text.to_owned())) } else { Err(BadReference) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// What of the money that comes in pays what is owed.
#[must_use]
pub fn settles(came_in: Cents, owed: Cents) -> Cents {
    came_in.min(owed)
}

/// The part of a disputed payment that a wallet does not hold: it becomes a receivable.
#[must_use]
pub fn claims(disputed: Cents, balance: Cents) -> Cents {
    disputed.minus(balance).unwrap_or_default()
}

/// A payment, and what of it went back.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Payment {
    /// What came in.
    pub paid: Cents,
    /// What was refunded.
    pub refunded: Cents,
    /// What disputes took that were not won.
    pub disputed: Cents,
}

/// More is to go back than is left of a payment.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("of this payment {left} USD are left: {paid} were paid, {refunded} refunded and {disputed} disputed", paid = .payment.paid, refunded = .payment.refunded, disputed = .payment.disputed)]
pub struct MoreThanLeft {
    /// What is left.
    pub left: Cents,
    /// Of what.
    pub payment: Payment,
}

impl Payment {
    /// What of it did not go back.
    #[must_use]
    pub fn left(&self) -> Cents {
        self.paid.minus(self.refunded).and_then(|rest| rest.minus(self.disputed)).unwrap_or_default()
    }

    /// How much goes back: what was asked for, or all that is left.
    ///
    /// # Errors
    /// When more is asked for than is left, or nothing is left.
    pub fn give_back(&self, asked: Option<Cents>) -> Result<Cents, MoreThanLeft> {
        let (left, amount) = (self.left(), asked.unwrap_or_else(|| self.left()));
        if amount.is_zero() || amount > left { Err(MoreThanLeft { left, payment: *self }) } else { Ok(amount) }
    }
}

/// How a dispute ended, as the bank decided.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Outcome {
    /// For the provider: what it took comes back.
    Won,
    /// For the customer: what it took is gone, and what is owed stays owed.
    Lost,
}

impl Outcome {
    /// As stored and typed.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Won => "won",
            Self::Lost => "lost",
        }
    }

    /// Reads what [`Self::as_str`] wrote.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Won, Self::Lost].into_iter().find(|outcome| outcome.as_str() == text)
    }
}

/// Why an account orders nothing. Each reason ends by its own cause alone.
#[derive(Clone, Copy, PartialEq, Eq, Debug, thiserror::Error)]
pub enum AccountLock {
    /// Until every dispute is closed.
    #[error("a payment is disputed")]
    Dispute,
    /// For good.
    #[error("its owner closed it")]
    Closed,
    /// Until it is paid.
    #[error("{0} USD are owed for a disputed payment; a top-up pays them first")]
    Debt(Cents),
}

impl AccountLock {
    /// As programs read it.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Dispute => "dispute",
            Self::Closed => "closed",
            Self::Debt(_) => "debt",
        }
    }
}

/// Why an account that owes so much, with or without an open dispute, orders nothing.
#[must_use]
pub fn account_locks(owed: Cents, has_open_dispute: bool) -> Vec<AccountLock> {
    let debt = (!owed.is_zero()).then_some(AccountLock::Debt(owed));
    has_open_dispute.then_some(AccountLock::Dispute).into_iter().chain(debt).collect()
}

/// What an account spends money on: the rows of the table of what a lock forbids.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Spending {
    /// A new server.
    Order,
    /// Another package.
    ChangePackage,
    /// An extra address, added or moved.
    ExtraIp,
    /// More time for what there is, by request.
    Extend,
    /// More time for what there is, by itself.
    Renewal,
}

/// Whether an account may spend `price` on something, as far as its locks are concerned. Nothing is ordered, and nothing
/// that costs is added to what there is; what there is may be kept (BILLING 14).
///
/// # Errors
/// With the first lock that forbids it.
pub fn may_spend(spending: Spending, price: Cents, locks: &[AccountLock]) -> Result<(), AccountLock> {
    let is_open = match spending {
        Spending::Order => false,
        Spending::ChangePackage | Spending::ExtraIp => price.is_zero(),
        Spending::Extend | Spending::Renewal => true,
    };
    if is_open { Ok(()) } else { locks.first().map_or(Ok(()), |lock| Err(*lock)) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn cents(cents: i64) -> Cents {
        Cents::new(cents).unwrap()
    }

    proptest! {
        #[test]
        fn a_dispute_takes_what_is_there_and_claims_exactly_the_rest(amount in 1i64..100_000, balance in 0i64..100_000) {
            let claim = claims(cents(amount), cents(balance)).get();
            prop_assert_eq!(balance + claim - amount, (balance - amount).max(0), "the wallet ends at zero or above");
            prop_assert_eq!(claim == 0, balance >= amount);
        }

        #[test]
        fn what_comes_in_pays_what_is_owed_and_no_more(came_in in 0i64..100_000, owed in 0i64..100_000) {
            let settled = settles(cents(came_in), cents(owed)).get();
            prop_assert!(settled <= came_in && settled <= owed);
            prop_assert!(settled == came_in || settled == owed);
        }

        #[test]
        fn no_more_goes_back_than_came_in(paid in 1i64..10_000, asked in prop::collection::vec(0i64..6_000, 1..10)) {
            let mut payment = Payment { paid: cents(paid), refunded: Cents::ZERO, disputed: Cents::ZERO };
            for (turn, amount) in asked.into_iter().enumerate() {
                let Ok(back) = payment.give_back(Some(cents(amount))) else { continue };
                let side = if turn % 2 == 0 { &mut payment.refunded } else { &mut payment.disputed };
                *side = side.plus(back).unwrap();
            }
            prop_assert!(payment.refunded.get() + payment.disputed.get() <= paid);
            let rest = payment.give_back(None);
            prop_assert_eq!(rest.ok().map(Cents::get), Some(payment.left().get()).filter(|left| *left > 0));
        }
    }

    #[test]
    fn references_that_look_the_same_are_the_same() {
        for text in ["", " a", "a ", "a\nb", "a\u{7f}", &"x".repeat(201)] {
            assert_eq!(Reference::parse(text), Err(BadReference), "{text:?}");
        }
        assert_eq!(Reference::parse("stripe:pi_3/1 of 2").unwrap().as_str(), "stripe:pi_3/1 of 2");
    }

    #[test]
    fn an_account_is_locked_while_it_owes_or_a_dispute_is_open() {
        assert_eq!(account_locks(Cents::ZERO, false), []);
        assert_eq!(account_locks(cents(5), false), [AccountLock::Debt(cents(5))]);
        assert_eq!(account_locks(cents(5), true), [AccountLock::Dispute, AccountLock::Debt(cents(5))]);
    }

    #[test]
    fn a_locked_account_keeps_what_it_has_and_adds_nothing_that_costs() {
        use Spending::{ChangePackage, Extend, ExtraIp, Order, Renewal};
        let table = [
            (Order, false, false),
            (ChangePackage, false, true),
            (ExtraIp, false, true),
            (Extend, true, true),
            (Renewal, true, true),
        ];
        for (spending, when_it_costs, when_it_is_free) in table {
            for (price, expected) in [(cents(1), when_it_costs), (Cents::ZERO, when_it_is_free)] {
                for lock in [AccountLock::Dispute, AccountLock::Debt(cents(5))] {
                    let told = may_spend(spending, price, &[lock]);
                    assert_eq!(told, if expected { Ok(()) } else { Err(lock) }, "{spending:?} for {price}");
                }
                assert_eq!(may_spend(spending, price, &[]), Ok(()), "{spending:?} of an account without a lock");
            }
        }
    }
}
