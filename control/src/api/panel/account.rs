//! `/panel/v1/terms`, `/export` and `/account/close`: what somebody agrees to, a copy of all that is kept of them, and the end.

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use serde::Deserialize;
use serde_json::{Map, Value};

use super::{
    keys::account,
    person::check,
    second_factor::done,
    session::{AnyTerms, COOKIE, SignedIn},
};
use crate::{
    api::{
        body::JsonBody,
        envelope::{Answer, When, json, render},
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        state::App,
    },
    domain::totp::SecondFactor,
    service::{
        accept_terms::accept_terms,
        close_account::{CloseAccount, CloseError, close_account},
    },
    store::StoreError,
};

/// The body of an agreement.
#[derive(Deserialize)]
pub struct TermsBody {
    #[serde(default)]
    terms_version: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// `POST /terms`: those of now, and no others.
pub async fn terms(
    State(app): State<App>,
    AnyTerms(signed_in): AnyTerms,
    body: JsonBody<TermsBody>,
) -> Result<Answer<()>, ApiError> {
    let mut faults = Faults::beginning_with(&body.value.unknown);
    let Some(accepted) = faults.required("terms_version", body.value.terms_version) else {
        return Err(faults.refusal());
    };
    let now_in_force = app.settings.sign_up.terms_version.as_deref();
    if now_in_force != Some(accepted.as_str()) {
        let wanted =
            now_in_force.map_or("must be left out: there are no terms".to_owned(), |now| format!("must be `{now}`"));
        faults.add(Code::ValidationFailed, "terms_version", wanted);
    }
    faults.into_result()?;
    let (person, now) = (signed_in.person.id, app.now());
    app.store.write::<_, StoreError>(move |tx| accept_terms(tx, person, &accepted, now)).await?;
    Ok(Answer::message("Accepted."))
}

/// `GET /export`: one file of JSON.
pub async fn export(State(app): State<App>, signed_in: SignedIn) -> Result<Response, ApiError> {
    let (account, now) = (account(&signed_in)?, app.now());
    let parts = app.store.read::<_, StoreError>(move |read| read.account_export(account)).await?;
    let mut whole = Map::new();
    whole.insert("made_at".to_owned(), serde_json::to_value(When(now)).unwrap_or(Value::Null));
    whole.extend(parts);
    let mut response = json(render(&whole));
    let name = format!("attachment; filename=\"account-{}.json\"", now.to_string().get(..10).unwrap_or_default());
    if let Ok(name) = HeaderValue::from_str(&name) {
        response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
    }
    Ok(response)
}

/// The body of an end.
#[derive(Deserialize)]
pub struct CloseBody {
    #[serde(default)]
    current_password: Field<String>,
    #[serde(default)]
    code: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// `POST /account/close`
pub async fn close(
    State(app): State<App>,
    AnyTerms(signed_in): AnyTerms,
    body: JsonBody<CloseBody>,
) -> Result<Response, ApiError> {
    let mut faults = Faults::beginning_with(&body.value.unknown);
    let current = faults.required("current_password", body.value.current_password);
    let code = faults.optional("code", body.value.code).map(|code| SecondFactor::parse(&code));
    let Some(current) = current else { return Err(faults.refusal()) };
    faults.into_result()?;
    let account = account(&signed_in)?;
    check(&app, &signed_in, &current).await?;
    let (checker, draw, now) = (app.checker(), app.draw(), app.now());
    let forget_at = now.plus(app.settings.billing.books_kept);
    let (person, password) = (signed_in.person.id, signed_in.person.password);
    let wanted = CloseAccount { person, password, account, code, forget_at };
    done(app.store.write(move |tx| close_account(tx, &checker, &wanted, draw.clone(), now)).await?)?;
    let mut response = Answer::message("Your account is closed.").into_response();
    COOKIE.forget(&mut response, &app.settings.public_url);
    Ok(response)
}

impl From<CloseError> for ApiError {
    fn from(error: CloseError) -> Self {
        let reason = error.to_string();
        match error {
            CloseError::Changed => Self::field(Code::ValidationFailed, "current_password", reason),
            CloseError::NoCode => Self::field(Code::ValidationFailed, "code", reason),
            CloseError::Remains(left) => {
                let refusal = Self::new(Code::Conflict, format!("Not closed: {reason}. Nothing was changed."));
                left.iter().fold(refusal, |refusal, one| refusal.naming("account", one.as_str()))
            }
            CloseError::Store(error) => error.into(),
        }
    }
}
