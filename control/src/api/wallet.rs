//! `GET /balance`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    auth::{By, ReadsWallet},
    document::tags,
    envelope::{Answer, Money},
    error::ApiError,
    state::App,
};
use crate::store::StoreError;

/// The wallets' one currency.
pub(super) const CURRENCY: &str = "USD";

/// What is in the wallet.
#[derive(Debug, Serialize, ToSchema)]
pub struct Balance {
    balance: Money,
    #[schema(example = "USD")]
    currency: &'static str,
    /// What is owed for disputed payments; a top-up pays it first.
    owed: Money,
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
    Ok(Answer::data(Balance { balance: Money(account.balance), currency: CURRENCY, owed: Money(account.owed) }))
}
