//! `GET /balance` and `GET /transactions`.

use axum::extract::State;
use serde::Serialize;

use super::{
    auth::{By, ReadsWallet},
    envelope::{Answer, Money, When},
    error::ApiError,
    page::PageQuery,
    query::Query,
    state::App,
};
use crate::store::{StoreError, TransferRow};

/// The wallets' one currency.
const CURRENCY: &str = "USD";
/// Transactions in an answer to a request that sets no limit.
const TRANSACTIONS_DEFAULT: u64 = 25;

/// What is in the wallet.
#[derive(Debug, Serialize)]
pub struct Balance {
    balance: Money,
    currency: &'static str,
}

/// `GET /balance`
pub async fn balance(
    State(app): State<App>,
    By { customer, .. }: By<ReadsWallet>,
) -> Result<Answer<Balance>, ApiError> {
    let account = app.store.read::<_, StoreError>(move |read| read.account_get(customer.account)).await?;
    // The key was found with its account a moment ago, and accounts are never deleted.
    let account = account.ok_or_else(|| StoreError::Damaged("a key without an account".to_owned()))?;
    Ok(Answer::data(Balance { balance: Money(account.balance), currency: CURRENCY }))
}

/// One movement of money.
#[derive(Debug, Serialize)]
pub struct Transaction {
    #[serde(rename = "type")]
    kind: &'static str,
    amount: Money,
    balance_after: Money,
    description: String,
    created_at: When,
}

impl From<TransferRow> for Transaction {
    fn from(row: TransferRow) -> Self {
        Self {
            kind: if row.is_credit { "credit" } else { "debit" },
            amount: Money(row.amount),
            balance_after: Money(row.balance_after),
            description: row.description,
            created_at: When(row.created_at),
        }
    }
}

/// `GET /transactions`
pub async fn transactions(
    State(app): State<App>,
    By { customer, .. }: By<ReadsWallet>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Vec<Transaction>>, ApiError> {
    let page = query.page(Some(TRANSACTIONS_DEFAULT))?;
    let bound = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let (limit, offset) = (bound(page.limit().unwrap_or(TRANSACTIONS_DEFAULT)), bound(page.offset));
    let account = customer.account;
    let (total, rows) = app
        .store
        .read::<_, StoreError>(move |read| {
            Ok((read.transfer_count(account)?, read.transfer_list(account, limit, offset)?))
        })
        .await?;
    Ok(Answer::list(rows.into_iter().map(Transaction::from).collect(), total, &page))
}
