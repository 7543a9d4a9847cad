//! What the use cases of payments share: money from outside is posted, and pays what is owed before anything else; and one
//! list of reasons why nothing was moved.

use csp_shared::id::{AccountId, TransferId};

use crate::{
    domain::{
        draw::Draw,
        ledger::{Book, Cause, Holder, Transfer},
        money::Cents,
        payment::{BadReference, MoreThanLeft, settles},
        time::Time,
    },
    store::{Account, Held, PostError, StoreError, Tx},
};

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    /// Whose wallet.
    pub account: AccountId,
    /// How much it was about.
    pub amount: Cents,
    /// In the wallet now.
    pub balance: Cents,
    /// Still owed.
    pub owed: Cents,
    /// It was done before: nothing was changed this time.
    pub before: bool,
}

/// Why nothing was moved.
#[derive(Debug, thiserror::Error)]
pub enum PaymentError {
    /// Unknown account.
    #[error("there is no account {0}")]
    NoAccount(AccountId),
    /// Unknown payment.
    #[error("no payment `{0}` was credited")]
    NoPayment(String),
    /// Unknown dispute.
    #[error("there is no dispute `{0}`")]
    NoDispute(String),
    /// Nothing to move.
    #[error("is zero")]
    Zero,
    /// Not an id.
    #[error(transparent)]
    Reference(#[from] BadReference),
    /// The same id with something else: one of the two is wrong.
    #[error("`{reference}` was used before, {what}; check which is right")]
    Differs {
        /// The id.
        reference: String,
        /// What for.
        what: String,
    },
    /// More is to go back than came in.
    #[error(transparent)]
    MoreThanLeft(#[from] MoreThanLeft),
    /// The wallet has less.
    #[error("the wallet is {missing} USD short")]
    Insufficient {
        /// How much is missing.
        missing: Cents,
    },
    /// Beyond any real balance.
    #[error("the balance would pass its bound")]
    Overflow,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl From<PostError> for PaymentError {
    fn from(why: PostError) -> Self {
        match why {
            PostError::Insufficient { missing } => Self::Insufficient { missing },
            PostError::Overflow => Self::Overflow,
            PostError::NoAccount(account) => Self::NoAccount(account),
            PostError::Store(why) => Self::Store(why),
            // Each use case has looked for its cause before it posts.
            PostError::Twice(_) => Self::Store(StoreError::Damaged(why.to_string())),
        }
    }
}

/// An account that must be there.
pub(super) fn account(tx: &Tx<'_>, id: AccountId) -> Result<Account, PaymentError> {
    tx.account_get(id)?.ok_or(PaymentError::NoAccount(id))
}

/// What is so after a use case, or was so before it.
pub(super) fn moved(tx: &Tx<'_>, id: AccountId, amount: Cents, before: bool) -> Result<Moved, PaymentError> {
    let Account { balance, owed, .. } = account(tx, id)?;
    Ok(Moved { account: id, amount, balance, owed, before })
}

/// Posts money that comes into a wallet from outside, and lets it pay what is owed; answers what is held then.
pub(super) fn post_in(tx: &mut Tx<'_>, transfer: &Transfer, draw: &mut Draw, now: Time) -> Result<Held, PostError> {
    let id = TransferId(draw.uuid(now));
    let held = tx.transfer_post(transfer, id, now)?;
    let (Holder::Wallet(owner), false) = (transfer.to, held.owed.is_zero()) else { return Ok(held) };
    let settlement = Transfer {
        from: Holder::Wallet(owner),
        to: Holder::Book(Book::Receivables),
        amount: settles(transfer.amount, held.owed),
        cause: Cause::Settlement(id),
        server: None,
        description: "Settles what is owed for a disputed payment".to_owned(),
    };
    tx.transfer_post(&settlement, TransferId(draw.uuid(now)), now)
}
