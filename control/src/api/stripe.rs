//! `POST /webhooks/stripe`: what Stripe tells of payments. Signed, of now, and held against what we asked for.
//!
//! 200: it is done, now or before, or is none of our business. Whatever else is answered, Stripe tells again for days and shows
//! it to the operator: a payment that is not known yet is known later, and one that differs is for a person to look at.

use axum::{
    Router,
    body::Body,
    extract::{Request, State},
    http::HeaderName,
    routing::post,
};

use super::{
    body,
    envelope::Answer,
    error::{ApiError, Code},
    state::App,
    throttle::Client,
};
use crate::{
    domain::{
        draw::Draw,
        payment::Outcome,
        time::Time,
        top_up::{Disputed, Refunded, ToldSession, TopUpState, reference},
    },
    service::{
        close_dispute::close_dispute,
        credit_account::{CreditAccount, credit_account},
        money_in::PaymentError,
        open_dispute::{OpenDispute, open_dispute},
        refund_payment::refund_payment,
        top_up::{TopUpError, note_paid, note_state, told_dispute, told_refund, told_top_up},
    },
    store::Tx,
    stripe::{
        event::{self, Event},
        signature,
    },
};

/// Longest word that is read, in bytes; Stripe's have some thousand.
const BODY_BYTES_MAX: usize = 256 * 1024;
const SIGNATURE: HeaderName = HeaderName::from_static("stripe-signature");

/// The one route.
pub fn routes() -> Router<App> {
    Router::new().route("/webhooks/stripe", post(take))
}

async fn take(State(app): State<App>, request: Request<Body>) -> Result<Answer<()>, ApiError> {
    let (parts, sent) = request.into_parts();
    let none = || ApiError::new(Code::NotFound, "No payments are taken here.");
    let stripe = app.settings.stripe.clone().ok_or_else(none)?;
    let bytes = body::read(sent, BODY_BYTES_MAX).await?;
    let now = app.now();
    let header = parts.headers.get(SIGNATURE).and_then(|value| value.to_str().ok());
    signature::check(header, &bytes, &stripe.signing, app.clock.shown()).map_err(|why| {
        tracing::warn!(%why, "a word was refused that says it is Stripe's");
        app.throttle.failed(&Client::of(&parts), ApiError::new(Code::BadRequest, format!("Not taken: {why}.")))
    })?;
    let event = event::read(&bytes).map_err(|why| {
        tracing::error!(%why, "Stripe told something that is not understood; look at its list of events");
        ApiError::new(Code::ValidationFailed, why.to_string())
    })?;
    if let Event::Other(kind) = event {
        tracing::debug!(kind, "Stripe told something that changes nothing");
        return Ok(Answer::message("Nothing to do."));
    }
    let (told, draws) = (event.clone(), [app.draw(), app.draw()]);
    let done = app.store.write(move |tx| bring_about(tx, &event, draws.clone(), now)).await;
    done.inspect_err(|why| tracing::error!(%why, event = ?told, "what Stripe told was not brought about"))?;
    tracing::info!(event = ?told, "what Stripe told is brought about");
    Ok(Answer::message("Done."))
}

/// Does what follows from a word, all of it or nothing. Told again, it does nothing.
fn bring_about(tx: &mut Tx<'_>, event: &Event, draws: [Draw; 2], now: Time) -> Result<(), TopUpError> {
    match event {
        Event::Paid(told) => paid(tx, told, draws, now),
        Event::Pending(told) => set(tx, told, TopUpState::Pending),
        Event::Failed(told) => set(tx, told, TopUpState::Failed),
        Event::Expired(told) => set(tx, told, TopUpState::Expired),
        Event::Refunded(told) => refunded(tx, told, draws, now),
        Event::Disputed(told) => disputed(tx, told, draws, now),
        Event::DisputeClosed(told, outcome) => closed(tx, told, *outcome, draws, now),
        Event::Other(_) => Ok(()),
    }
}

fn set(tx: &mut Tx<'_>, told: &ToldSession, state: TopUpState) -> Result<(), TopUpError> {
    let row = told_top_up(tx, told)?;
    note_state(tx, &row, state)
}

fn paid(tx: &mut Tx<'_>, told: &ToldSession, [draw, _]: [Draw; 2], now: Time) -> Result<(), TopUpError> {
    let row = told_top_up(tx, told)?;
    let payment = note_paid(tx, &row, told)?.as_str().to_owned();
    if tx.account_get(row.account)?.is_some_and(|account| account.closed_at.is_some()) {
        let (account, amount) = (row.account, row.amount);
        tracing::error!(%account, %amount, payment, "money came in for a closed account; pay it back: csp-control refund");
    }
    let credit = CreditAccount { account: row.account, amount: row.amount, reference: payment, note: None };
    credit_account(tx, &credit, draw, now)?;
    Ok(())
}

/// The money has gone back at Stripe already. Where the wallet holds less, the rest is owed, as after a dispute that was lost.
fn refunded(tx: &mut Tx<'_>, told: &Refunded, [draw, other]: [Draw; 2], now: Time) -> Result<(), TopUpError> {
    let Some(refund) = told_refund(tx, told)? else { return Ok(()) };
    match refund_payment(tx, &refund, draw, now) {
        Err(PaymentError::Spent { .. }) => {}
        done => return Ok(done.map(drop)?),
    }
    let lost = OpenDispute { payment: refund.payment, reference: refund.reference, amount: refund.amount };
    open_dispute(tx, &lost, other.clone(), now)?;
    close_dispute(tx, &lost.reference, Outcome::Lost, other, now)?;
    Ok(())
}

fn disputed(tx: &mut Tx<'_>, told: &Disputed, [draw, _]: [Draw; 2], now: Time) -> Result<(), TopUpError> {
    if let Some(dispute) = told_dispute(tx, told)? {
        open_dispute(tx, &dispute, draw, now)?;
    }
    Ok(())
}

/// Words may come in another order: a dispute that is not known is opened first.
fn closed(
    tx: &mut Tx<'_>,
    told: &Disputed,
    outcome: Outcome,
    [draw, other]: [Draw; 2],
    now: Time,
) -> Result<(), TopUpError> {
    let dispute = reference(&told.dispute)?;
    if let Some(dispute) = told_dispute(tx, told)? {
        open_dispute(tx, &dispute, draw, now)?;
    }
    match close_dispute(tx, &dispute, outcome, other, now) {
        // Nothing of the payment was left to be disputed, so nothing was opened.
        Err(PaymentError::NoDispute(_)) => Ok(()),
        done => Ok(done.map(drop)?),
    }
}

impl From<TopUpError> for ApiError {
    fn from(error: TopUpError) -> Self {
        let reason = error.to_string();
        match error {
            TopUpError::TooMany => Self::new(Code::RateLimited, format!("{reason}.")).retry_after(3600),
            TopUpError::Unknown(_) => Self::new(Code::NotFound, format!("{reason}.")),
            TopUpError::Differs { .. } | TopUpError::Reference(_) => Self::new(Code::ValidationFailed, reason),
            TopUpError::Payment(error) => error.into(),
            TopUpError::Store(error) => error.into(),
        }
    }
}
