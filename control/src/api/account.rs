//! `GET /account`: who this is, what they may have, and with which key they ask.

use axum::extract::State;
use csp_shared::id::{AccountId, ApiKeyId};
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    auth::{By, Reads},
    document::{
        schemas::{Count, ScopeWord},
        tags,
    },
    envelope::{Answer, Money, When},
    error::{ApiError, Code},
    state::App,
    wallet::CURRENCY,
};
use crate::{
    domain::{
        limits::{Limit, Limits},
        network::Networks,
    },
    store::{Account as AccountRow, ApiKeyRow, Credential, StoreError},
};

/// A customer's account.
#[derive(Debug, Serialize, ToSchema)]
pub struct Account {
    #[schema(value_type = Uuid)]
    uuid: AccountId,
    #[schema(example = "Ada Example")]
    name: String,
    #[schema(example = "ada@example.com")]
    email: Option<String>,
    /// What is in the wallet.
    balance: Money,
    #[schema(example = "USD")]
    currency: &'static str,
    limits: AccountLimits,
    // The document is for those who come with a key. A browser in which somebody has signed in is told null.
    #[schema(value_type = KeyInUse)]
    key: Option<KeyInUse>,
}

/// How many of each thing the account may have, and has.
#[derive(Debug, Serialize, ToSchema)]
struct AccountLimits {
    /// Servers that are paid for.
    servers: LimitShow,
    /// Management links that work.
    share_links: LimitShow,
    /// Private networks.
    private_networks: LimitShow,
    /// Public SSH keys.
    ssh_keys: LimitShow,
    /// API keys that work.
    api_keys: LimitShow,
}

/// One limit.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AccountLimit)]
struct LimitShow {
    /// There may be so many.
    #[schema(value_type = Count, example = 25)]
    max: u32,
    /// There are so many.
    #[schema(value_type = Count, example = 3)]
    used: u64,
}

/// The key that asks.
#[derive(Debug, Serialize, ToSchema)]
struct KeyInUse {
    #[schema(value_type = Uuid)]
    uuid: ApiKeyId,
    #[schema(example = "Terraform")]
    label: String,
    /// Its first and last characters.
    #[schema(example = "csp_live_8Fq...••••x7Kp")]
    preview: String,
    /// What it may do.
    scopes: Vec<ScopeWord>,
    /// From then on it opens nothing; null: without end.
    expires_at: Option<When>,
    /// From where it may be used; empty: everywhere.
    #[schema(example = json!(["203.0.113.0/24"]))]
    networks: Vec<String>,
    /// The request before this one, as far as it was written down: up to a minute behind.
    last_used_at: Option<When>,
}

impl From<ApiKeyRow> for KeyInUse {
    fn from(row: ApiKeyRow) -> Self {
        Self {
            uuid: row.id,
            label: row.label,
            preview: row.preview,
            scopes: row.terms.scopes.iter().map(ScopeWord).collect(),
            expires_at: row.terms.expires_at.map(When),
            networks: row.terms.networks.as_ref().map(Networks::texts).unwrap_or_default(),
            last_used_at: row.last_used.map(|(at, _)| When(at)),
        }
    }
}

/// Show the account
///
/// Who this is, how many of each thing they may have, and with which key they ask.
#[utoipa::path(get, path = "/account", operation_id = "show_account", tag = tags::ACCOUNT)]
pub async fn show(State(app): State<App>, By { customer, .. }: By<Reads>) -> Result<Answer<Account>, ApiError> {
    let (usual, now) = (app.settings.limits, app.now());
    let read = app.store.read::<_, StoreError>(move |read| {
        // The key was found with its account a moment ago, and neither is ever deleted.
        let gone = || StoreError::Damaged("a key without an account".to_owned());
        let account = read.account_get(customer.account)?.ok_or_else(gone)?;
        let key = match customer.by {
            Credential::Key(key) => Some(read.api_key_get(key)?.ok_or_else(gone)?),
            Credential::SignIn(_) => None,
        };
        let limits = read.account_limits(customer.account, &usual)?;
        let used = |limit| read.account_used(customer.account, limit, now);
        Ok(shown(account, key, account_limits(&limits, used)?))
    });
    Ok(Answer::data(read.await?))
}

fn shown(account: AccountRow, key: Option<ApiKeyRow>, limits: AccountLimits) -> Account {
    Account {
        uuid: account.id,
        name: account.name,
        email: account.email,
        balance: Money(account.balance),
        currency: CURRENCY,
        limits,
        key: key.map(KeyInUse::from),
    }
}

fn account_limits(
    limits: &Limits,
    used: impl Fn(Limit) -> Result<u64, StoreError>,
) -> Result<AccountLimits, StoreError> {
    let show = |limit| Ok::<_, StoreError>(LimitShow { max: limits.get(limit), used: used(limit)? });
    Ok(AccountLimits {
        servers: show(Limit::Servers)?,
        share_links: show(Limit::ShareLinks)?,
        private_networks: show(Limit::PrivateNetworks)?,
        ssh_keys: show(Limit::SshKeys)?,
        api_keys: show(Limit::ApiKeys)?,
    })
}

/// The refusal of an account that is not there.
pub(crate) fn missing(account: AccountId) -> ApiError {
    ApiError::new(Code::NotFound, format!("There is no account {account}."))
}
