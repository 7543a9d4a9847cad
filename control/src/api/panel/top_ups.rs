//! `/panel/v1/top-ups`: paying in by card, on a page of Stripe's. The amount is asked for by us; what came of it is told to us by
//! Stripe (`api/stripe`), and by no browser.

use axum::extract::State;
use csp_shared::id::TopUpId;
use serde::{Deserialize, Serialize};

use super::{keys::account, session::SignedIn};
use crate::{
    api::{
        body::JsonBody,
        envelope::{Answer, Money, When},
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        state::App,
    },
    domain::{
        money::Cents,
        top_up::{PAGE_SECONDS, TopUpState},
    },
    service::top_up::ask_top_up,
    store::{StoreError, TopUpRow},
    stripe::client::{NoPage, Wanted, ask_page},
};

/// How many are listed.
const LISTED_MAX: u32 = 25;

/// What can be paid in, and what was.
#[derive(Debug, Serialize)]
pub struct Listed {
    /// Null where nothing can be paid by card.
    bounds: Option<Bounds>,
    top_ups: Vec<Shown>,
}

#[derive(Debug, Serialize)]
struct Bounds {
    least: Money,
    most: Money,
}

/// One of them.
#[derive(Debug, Serialize)]
struct Shown {
    uuid: TopUpId,
    amount: Money,
    state: &'static str,
    /// What of it went back by Stripe.
    refunded: Money,
    created_at: When,
}

/// `GET /top-ups`
pub async fn list(State(app): State<App>, signed_in: SignedIn) -> Result<Answer<Listed>, ApiError> {
    let account = account(&signed_in)?;
    let rows = app.store.read::<_, StoreError>(move |read| read.top_up_list(account, LISTED_MAX)).await?;
    let bounds = app.settings.stripe.as_ref();
    let bounds = bounds.map(|stripe| Bounds { least: Money(stripe.least), most: Money(stripe.most) });
    Ok(Answer::data(Listed { bounds, top_ups: rows.into_iter().map(shown).collect() }))
}

fn shown(row: TopUpRow) -> Shown {
    let (amount, refunded) = (Money(row.amount), Money(row.refunded));
    Shown { uuid: row.id, amount, state: row.state.as_str(), refunded, created_at: When(row.created_at) }
}

/// The body of a wish.
#[derive(Deserialize)]
pub struct AskBody {
    #[serde(default)]
    amount: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl AskBody {
    fn parse(self, least: Cents, most: Cents) -> Result<Cents, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let amount = faults.required("amount", self.amount);
        let amount = amount.and_then(|text| faults.parsed(Code::ValidationFailed, "amount", text.parse::<Cents>()));
        if amount.is_some_and(|amount| !(least..=most).contains(&amount)) {
            faults.add(Code::ValidationFailed, "amount", format!("must be {least} to {most} USD"));
        }
        match amount {
            Some(amount) => faults.into_result().map(|()| amount),
            None => Err(faults.refusal()),
        }
    }
}

/// Where the browser pays.
#[derive(Debug, Serialize)]
pub struct Asked {
    uuid: TopUpId,
    url: String,
}

/// `POST /top-ups`
pub async fn ask(
    State(app): State<App>,
    signed_in: SignedIn,
    body: JsonBody<AskBody>,
) -> Result<Answer<Asked>, ApiError> {
    let none = || ApiError::new(Code::NotFound, "Nothing can be paid by card here. Ask your provider.");
    let stripe = app.settings.stripe.clone().ok_or_else(none)?;
    let (account, amount) = (account(&signed_in)?, body.value.parse(stripe.least, stripe.most)?);
    let (draw, now) = (app.draw(), app.now());
    let top_up = app.store.write(move |tx| ask_top_up(tx, account, amount, draw.clone(), now)).await?;
    let wallet = format!("{}/panel/wallet", app.settings.public_url);
    let (done_url, left_url) = (format!("{wallet}?top_up={top_up}"), format!("{wallet}?top_up_left={top_up}"));
    let ends_at = app.clock.shown().plus(PAGE_SECONDS);
    let page = match ask_page(stripe, Wanted { top_up, account, amount, done_url, left_url, ends_at }).await {
        Ok(page) => page,
        Err(why) => {
            // Should Stripe have made a page all the same, nobody knows where it is.
            app.store.write::<_, StoreError>(move |tx| tx.top_up_set_state(top_up, TopUpState::Failed)).await?;
            return Err(no_page(top_up, &why));
        }
    };
    let session = page.id;
    app.store.write::<_, StoreError>(move |tx| tx.top_up_set_session(top_up, &session)).await?;
    Ok(Answer::data(Asked { uuid: top_up, url: page.url }))
}

fn no_page(top_up: TopUpId, why: &NoPage) -> ApiError {
    tracing::error!(%top_up, %why, "nobody can pay by card");
    ApiError::new(Code::Unavailable, "Payments by card do not work right now. Nothing was paid; try again later.")
}
