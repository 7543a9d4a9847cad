//! `GET /actions/{uuid}?wait=30`: an action, at once or when it has ended.
//!
//! Who waits reads the store once, sleeps until something happens to the account, and reads again: nothing is asked of
//! the database while nothing happens. The signal is taken before the first look, so nothing falls in between.

use std::time::Duration;

use axum::extract::State;
use csp_shared::id::ActionId;
use serde::Deserialize;
use tokio::time::{Instant, sleep_until};
use utoipa::IntoParams;

use super::{ActionPath, missing, view::ActionAnswer};
use crate::{
    api::{
        auth::{self, By, Customer, Reads},
        document::{schemas::WaitText, tags},
        envelope::Answer,
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        held::Kind,
        page::number,
        query::Query,
        state::App,
    },
    store::Action,
};

/// Longest wait, in seconds. Proxies give up on silent requests after a minute or more.
pub const WAIT_SECONDS_MAX: u64 = 60;

/// How long to wait.
#[derive(Debug, Deserialize, IntoParams)]
pub struct WaitQuery {
    /// Answer when the action has ended, and after so many seconds whatever it is at. 0, the default, answers at once.
    #[serde(default)]
    #[param(value_type = WaitText, inline, required = false)]
    wait: Field<String>,
    #[serde(flatten)]
    #[param(ignore)]
    unknown: Unknown,
}

impl WaitQuery {
    fn parse(self) -> Result<Duration, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let wait = number(&mut faults, "wait", self.wait, 0..=WAIT_SECONDS_MAX).unwrap_or(0);
        faults.into_result().map(|()| Duration::from_secs(wait))
    }
}

/// Show an action
///
/// What was asked, how far it is, and why it failed if it did. With `wait`, the answer comes as soon as the action has
/// ended, and at the end of the wait whatever it is at: look at `status`.
#[utoipa::path(
    get,
    path = "/actions/{uuid}",
    operation_id = "show_action",
    tag = tags::ACTIONS,
    extensions(("x-error-codes" = json!([Code::TooManyHeldOpen])))
)]
pub async fn show(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    ActionPath(action): ActionPath,
    Query(query): Query<WaitQuery>,
) -> Result<Answer<ActionAnswer>, ApiError> {
    let wait = query.parse()?;
    let mut news = app.store.follow(customer.account);
    let seen = look(&app, &customer, action).await?;
    if wait.is_zero() || seen.status.is_final() {
        return Ok(Answer::data(seen.into()));
    }
    let (until, mut hold) = (Instant::now() + wait, app.held.take(Kind::Wait, &customer)?);
    loop {
        let is_over = tokio::select! {
            // The sender lives as long as the store; without one there is nothing to wait for.
            told = news.changed() => told.is_err(),
            () = sleep_until(until) => true,
            () = hold.ended() => true,
        };
        let seen = look(&app, &customer, action).await?;
        if is_over || seen.status.is_final() {
            return Ok(Answer::data(seen.into()));
        }
    }
}

/// Reads the action, for a key or browser that still opens.
async fn look(app: &App, customer: &Customer, action: ActionId) -> Result<Action, ApiError> {
    let (account, by, now) = (customer.account, customer.by, app.now());
    app.store
        .read(move |read| match read.credential_is_open(by, now)? {
            true => read.action_get(account, action)?.ok_or_else(missing),
            false => Err(auth::ended_by(by)),
        })
        .await
}
