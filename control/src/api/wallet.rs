//! `GET /balance` and `GET /transactions`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    auth::{By, ReadsWallet},
    document::tags,
    envelope::{Answer, List, Money, When},
    error::ApiError,
    page::PageQuery,
    query::Query,
    state::App,
};
use crate::store::{StoreError, TransferRow};

/// The wallets' one currency.
pub(super) const CURRENCY: &str = "USD";
/// Transactions in an answer to a request that sets no limit.
const TRANSACTIONS_DEFAULT: u64 = 25;

/// What is in the wallet.
#[derive(Debug, Serialize, ToSchema)]
pub struct Balance {
    balance: Money,
    #[schema(example = "USD")]
    currency: &'static str,
}

/// Show the balance
///
/// What is in the prepaid wallet.
#[utoipa::path(get, path = "/balance", operation_id = "show_balance", tag = tags::WALLET)]
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
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"amount": 25}))]
pub struct Transaction {
    /// `credit`: into the wallet; `debit`: out of it.
    #[serde(rename = "type")]
    #[schema(example = "credit")]
    kind: &'static str,
    amount: Money,
    /// What was in the wallet afterwards.
    balance_after: Money,
    #[schema(example = "Wallet top-up")]
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

/// List transactions
///
/// The wallet's history, newest first: 25 entries unless `limit` is given.
#[utoipa::path(get, path = "/transactions", operation_id = "list_transactions", tag = tags::WALLET)]
pub async fn transactions(
    State(app): State<App>,
    By { customer, .. }: By<ReadsWallet>,
    Query(query): Query<PageQuery>,
) -> Result<List<Transaction>, ApiError> {
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
    Ok(List::new(rows.into_iter().map(Transaction::from).collect(), total, &page))
}
