//! The one way into a wallet, for money from outside and for what a service gives back: it is posted, and pays what is owed
//! before anything else. And the use cases of payments share one list of reasons why nothing was moved.

use csp_shared::id::{AccountId, ServerId, TransferId};

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
    /// What of the amount paid what was owed.
    pub settled: Cents,
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
    #[error("is zero; write how much is to move, as 25.00")]
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
    #[error("the wallet is {missing} USD short: nothing was moved; take less")]
    Insufficient {
        /// How much is missing.
        missing: Cents,
    },
    /// The wallet has less than a payment brought, and the refund takes.
    #[error(
        "refund `{reference}` of payment `{payment}` takes {amount} USD, and the wallet is {missing} USD short: nothing was \
         moved. Refund less; or, where the money has gone back already, book it as a lost dispute, and what is missing is \
         owed: `csp-control dispute open '{payment}' --reference '{reference}' --amount {amount}`, then `csp-control \
         dispute close '{reference}' lost`"
    )]
    Spent {
        /// The payment's id.
        payment: String,
        /// The refund's id.
        reference: String,
        /// What it takes.
        amount: Cents,
        /// How much is missing.
        missing: Cents,
    },
    /// Beyond any real balance.
    #[error("the balance would pass 500000000.00 USD, more than a wallet takes in")]
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
    Ok(Moved { account: id, amount, balance, owed, settled: Cents::ZERO, before })
}

/// Posts money that comes into a wallet from outside, and lets it pay what is owed; answers what is held then.
pub(super) fn post_in(tx: &mut Tx<'_>, transfer: &Transfer, draw: &mut Draw, now: Time) -> Result<Held, PostError> {
    let id = TransferId(draw.uuid(now));
    let held = tx.transfer_post(transfer, id, now)?;
    if held.balance > Cents::PAID_IN_MAX {
        return Err(PostError::Overflow);
    }
    let Holder::Wallet(owner) = transfer.to else { return Ok(held) };
    settle(tx, (id, owner, transfer.amount), held, draw, now)
}

/// What a service gives back to its owner, or takes back of what it gave.
pub(super) struct Back {
    pub server: ServerId,
    pub amount: Cents,
    pub cause: Cause,
    pub description: String,
}

/// Posts what a service gives back, once for a cause, and lets it pay what is owed: else whoever owes could turn months that
/// are paid ahead into money that pays for others. Answers whether it was posted now.
pub(super) fn give_back(tx: &mut Tx<'_>, back: Back, draw: &mut Draw, now: Time) -> Result<bool, StoreError> {
    give_back_less(tx, back, None, draw, now)
}

/// The same, where a part of it was given before and is taken back with it. Only the difference came in and pays what is
/// owed, so that nothing is taken that the wallet does not hold any more. The part is no more than what is given back.
pub(super) fn give_back_less(
    tx: &mut Tx<'_>,
    back: Back,
    taken: Option<Back>,
    draw: &mut Draw,
    now: Time,
) -> Result<bool, StoreError> {
    let (server, given) = (back.server, back.amount);
    let gone = || StoreError::Damaged(format!("no server {server}"));
    let owner = tx.server_get(server)?.ok_or_else(gone)?.account;
    let (wallet, book, id) = (Holder::Wallet(owner), Holder::Book(Book::Revenue), TransferId(draw.uuid(now)));
    let mut held = match tx.transfer_post(&back.between(book, wallet), id, now) {
        Ok(held) => held,
        // Given back before: that is what the unique cause is for.
        Err(PostError::Twice(_)) => return Ok(false),
        Err(why) => return Err(why.into_store()),
    };
    let mut came_in = given;
    if let Some(taken) = taken {
        came_in = given.minus(taken.amount).unwrap_or_default();
        let taken = taken.between(wallet, book);
        held = tx.transfer_post(&taken, TransferId(draw.uuid(now)), now).map_err(PostError::into_store)?;
    }
    settle(tx, (id, owner, came_in), held, draw, now).map(|_| true).map_err(PostError::into_store)
}

/// Posts what a service gives back and a charge takes up at once. It did not come in, so it pays nothing that is owed.
pub(super) fn set_off(
    tx: &mut Tx<'_>,
    owner: AccountId,
    back: Back,
    draw: &mut Draw,
    now: Time,
) -> Result<(), StoreError> {
    let transfer = back.between(Holder::Book(Book::Revenue), Holder::Wallet(owner));
    tx.transfer_post(&transfer, TransferId(draw.uuid(now)), now).map(drop).map_err(PostError::into_store)
}

impl Back {
    fn between(self, from: Holder, to: Holder) -> Transfer {
        let Self { server, amount, cause, description } = self;
        Transfer { from, to, amount, cause, server: Some(server), description }
    }
}

/// Lets an amount that came in by a transfer pay what is owed; answers what is held then.
fn settle(
    tx: &mut Tx<'_>,
    (id, owner, came_in): (TransferId, AccountId, Cents),
    held: Held,
    draw: &mut Draw,
    now: Time,
) -> Result<Held, PostError> {
    let amount = settles(came_in, held.owed);
    if amount.is_zero() {
        return Ok(held);
    }
    let settlement = Transfer {
        from: Holder::Wallet(owner),
        to: Holder::Book(Book::Receivables),
        amount,
        cause: Cause::Settlement(id),
        server: None,
        description: "Settles what is owed for a disputed payment".to_owned(),
    };
    tx.transfer_post(&settlement, TransferId(draw.uuid(now)), now)
}
