//! `/accounts/{uuid}/limits`: how many of each thing an account may have, and has.

use axum::extract::State;

use super::{accounts::AccountPath, wire};
use crate::{
    api::{
        App,
        account::missing,
        envelope::Answer,
        error::{ApiError, Code},
        field::Faults,
        json::Json,
    },
    domain::limits::Limit,
    service::set_account_limits::{SetLimitsError, set_account_limits},
    store::StoreError,
};

/// `GET /accounts/{uuid}/limits`
pub async fn show(
    State(app): State<App>,
    AccountPath(account): AccountPath,
) -> Result<Answer<Vec<wire::AccountLimit>>, ApiError> {
    let (usual, now) = (app.settings.limits, app.now());
    let shown = app.store.read::<_, StoreError>(move |read| {
        if read.account_get(account)?.is_none() {
            return Ok(None);
        }
        let limits = read.account_limits(account, &usual)?;
        let each = Limit::ALL.into_iter().map(|limit| {
            let used = read.account_used(account, limit, now)?;
            Ok(wire::AccountLimit { name: limit.as_str().to_owned(), max: limits.get(limit), used })
        });
        each.collect::<Result<Vec<_>, StoreError>>().map(Some)
    });
    shown.await?.map(Answer::data).ok_or_else(|| missing(account))
}

/// `POST /accounts/{uuid}/limits`
pub async fn set(
    State(app): State<App>,
    AccountPath(account): AccountPath,
    Json(new): Json<wire::SetLimits>,
) -> Result<Answer<Vec<wire::AccountLimit>>, ApiError> {
    let mut faults = Faults::default();
    let choices: Vec<(Limit, Option<u32>)> = new
        .limits
        .iter()
        .filter_map(|(name, choice)| {
            let unknown = "is no limit; there are servers, share_links, private_networks, ssh_keys and api_keys";
            let limit = faults.parsed(Code::ValidationFailed, name, Limit::parse(name).ok_or(unknown))?;
            let own = match choice {
                wire::LimitChoice::Own(max) => Some(*max),
                wire::LimitChoice::Usual(_) => None,
            };
            Some((limit, own))
        })
        .collect();
    faults.into_result()?;
    app.store.write(move |tx| set_account_limits(tx, account, &choices)).await?;
    show(State(app), AccountPath(account)).await
}

impl From<SetLimitsError> for ApiError {
    fn from(error: SetLimitsError) -> Self {
        match error {
            SetLimitsError::NoAccount(account) => missing(account),
            SetLimitsError::Store(error) => error.into(),
        }
    }
}
