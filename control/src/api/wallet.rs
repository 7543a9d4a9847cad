//! `GET /balance`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    auth::{By, ReadsWallet},
    document::tags,
    envelope::{Answer, Money, When},
    error::ApiError,
    state::App,
};
use crate::{
    domain::billing::forecast::runs_out,
    store::{Billed, Read, StoreError},
};

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
    /// When the first renewal comes that the balance does not cover, at the prices that are known today and if nothing is
    /// paid in or ordered meanwhile. Null when it covers five years, or nothing renews by itself.
    runs_out_on: Option<When>,
}

/// Show the balance
///
/// What is in the prepaid wallet, and how long it lasts.
#[utoipa::path(get, path = "/balance", operation_id = "show_balance", tag = tags::WALLET)]
pub async fn balance(
    State(app): State<App>,
    By { customer, .. }: By<ReadsWallet>,
) -> Result<Answer<Balance>, ApiError> {
    let now = app.now();
    let read = move |read: &Read<'_>| {
        // The key was found with its account a moment ago, and accounts are never deleted.
        let gone = || StoreError::Damaged("a key without an account".to_owned());
        let account = read.account_get(customer.account)?.ok_or_else(gone)?;
        Ok::<_, StoreError>((account, read.billed_list(customer.account)?))
    };
    let (account, services) = app.store.read(read).await?;
    let renewing: Vec<_> = services.iter().filter_map(Billed::renewing).collect();
    let runs_out_on = runs_out(account.balance, &renewing, now).map(When);
    let (balance, owed) = (Money(account.balance), Money(account.owed));
    Ok(Answer::data(Balance { balance, currency: CURRENCY, owed, runs_out_on }))
}
