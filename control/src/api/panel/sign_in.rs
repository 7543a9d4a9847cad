//! `/panel/v1/sign-in`, `/sign-out` and `/sign-ins`: a browser signs in and out, and where else somebody is signed in.

use axum::{
    extract::State,
    http::{header, request::Parts},
    response::{IntoResponse as _, Response},
};
use csp_shared::{id::SignInId, secret::Secret};
use serde::{Deserialize, Serialize};

use super::{
    second_factor::{too_many_codes, wrong_code},
    session::{AnyTerms, COOKIE, SignedIn},
};
use crate::{
    api::{
        body::JsonBody,
        envelope::{Answer, When},
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        path,
        state::App,
        throttle::{Client, Tried},
    },
    domain::{
        email::Email,
        network::counted_as,
        person::Password,
        totp::{HALF_WAY_SECONDS, SecondFactor},
    },
    service::{
        finish_sign_in::{SecondStep, SecondStepEnd, finish_sign_in},
        sign_in::{Arrival, LetIn, sign_in as let_in},
    },
    store::{SignIn, StoreError},
};

/// The body of a sign-in.
#[derive(Deserialize)]
pub struct SignInBody {
    #[serde(default)]
    email: Field<String>,
    #[serde(default)]
    password: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl SignInBody {
    fn parse(self) -> Result<(Email, Password), ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let email = faults.required("email", self.email);
        let email = email.and_then(|text| faults.parsed(Code::ValidationFailed, "email", Email::of_person(&text)));
        let password = faults.required("password", self.password);
        match (email, password) {
            (Some(email), Some(text)) => faults.into_result().map(|()| (email, Password::given(&text))),
            _ => Err(faults.refusal()),
        }
    }
}

/// The same for an address that is not known, one that waits, and a wrong password.
fn wrong() -> ApiError {
    ApiError::new(Code::Unauthorized, "Mail address or password are wrong.")
}

/// `POST /sign-in`
pub async fn sign_in(State(app): State<App>, parts: Parts, body: JsonBody<SignInBody>) -> Result<Response, ApiError> {
    let client = Client::of(&parts);
    let (email, password) = body.value.parse()?;
    let (asked, from) = (email.clone(), counted_as(client.address));
    let found = app.store.read::<_, StoreError>(move |read| {
        Ok((read.person_by_email(&asked)?, read.person_address_is_known(&asked, from)?))
    });
    let (person, is_known_there) = found.await?;
    app.throttle.password(&client, &email, is_known_there)?;
    let kept = person.as_ref().map(|person| person.password.clone());
    let is_right = app.hashing.verify(password, kept).await?;
    let person = person.filter(|_| is_right).ok_or_else(wrong)?;
    if person.account.is_none() {
        return Err(ApiError::new(Code::AccountLocked, "Your account is not approved yet. A letter will tell you."));
    }
    let (id, password, user_agent) = (person.id, person.password, user_agent(&parts));
    let arrival = Arrival { person: id, password, from: client.address, user_agent };
    let (draw, now) = (app.draw(), app.now());
    let let_in = app.store.write::<_, StoreError>(move |tx| let_in(tx, &arrival, draw.clone(), now)).await?;
    match let_in.ok_or_else(wrong)? {
        LetIn::Whole(session) => Ok(inside(&app, &session)),
        LetIn::HalfWay(token) => {
            let half_way = HalfWay { signed_in: false, token, expires_in_s: HALF_WAY_SECONDS };
            Ok(Answer::data(half_way).with_message("Type a code of your authenticator.").into_response())
        }
    }
}

/// Of who gave the right password, where a code is asked for as well.
#[derive(Debug, Serialize)]
struct HalfWay {
    signed_in: bool,
    /// For the second step. Opens nothing.
    token: Secret,
    expires_in_s: i64,
}

/// Of who is signed in.
#[derive(Debug, Serialize)]
struct Inside {
    signed_in: bool,
}

fn inside(app: &App, session: &Secret) -> Response {
    let mut response = Answer::data(Inside { signed_in: true }).with_message("You are signed in.").into_response();
    COOKIE.keep(&mut response, &app.settings.public_url, session);
    response
}

fn user_agent(parts: &Parts) -> String {
    let value = parts.headers.get(header::USER_AGENT).and_then(|value| value.to_str().ok());
    value.unwrap_or_default().to_owned()
}

/// The body of the second step.
#[derive(Deserialize)]
pub struct CodeBody {
    #[serde(default)]
    token: Field<String>,
    #[serde(default)]
    code: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// `POST /sign-in/code`: with what the password gave, and a code of the authenticator or a recovery code.
pub async fn code(State(app): State<App>, parts: Parts, body: JsonBody<CodeBody>) -> Result<Response, ApiError> {
    let client = Client::of(&parts);
    app.throttle.stranger(&client, Tried::Code)?;
    let mut faults = Faults::beginning_with(&body.value.unknown);
    let token = faults.required("token", body.value.token).map(Secret::new);
    let given = faults.required("code", body.value.code);
    let (Some(token), Some(given)) = (token, given) else { return Err(faults.refusal()) };
    faults.into_result()?;
    let step =
        SecondStep { token, given: SecondFactor::parse(&given), from: client.address, user_agent: user_agent(&parts) };
    let (checker, draw, now) = (app.checker(), app.draw(), app.now());
    let end =
        app.store.write::<_, StoreError>(move |tx| finish_sign_in(tx, &checker, &step, draw.clone(), now)).await?;
    match end {
        SecondStepEnd::SignedIn(session) => Ok(inside(&app, &session)),
        SecondStepEnd::Wrong => Err(wrong_code()),
        SecondStepEnd::TooMany => Err(too_many_codes()),
        SecondStepEnd::Ended => Err(ApiError::new(Code::Unauthorized, "That took too long. Sign in again.")),
    }
}

/// A browser in which somebody is signed in.
#[derive(Debug, Serialize)]
pub struct Shown {
    uuid: SignInId,
    /// The one that asks.
    current: bool,
    signed_in_at: When,
    last_seen_at: When,
    ends_at: When,
    from: String,
    user_agent: String,
}

/// `GET /sign-ins`
pub async fn list(
    State(app): State<App>,
    SignedIn { person, browser, .. }: SignedIn,
) -> Result<Answer<Vec<Shown>>, ApiError> {
    let (id, now) = (person.id, app.now());
    let rows = app.store.read::<_, StoreError>(move |read| read.sign_in_list(id, now)).await?;
    Ok(Answer::data(rows.into_iter().map(|row| shown(row, browser.id)).collect()))
}

fn shown(row: SignIn, asking: SignInId) -> Shown {
    let current = row.id == asking;
    let SignIn { id, created_at, seen_at, ends_at, from, user_agent, .. } = row;
    let (signed_in_at, last_seen_at, ends_at) = (When(created_at), When(seen_at), When(ends_at));
    Shown { uuid: id, current, signed_in_at, last_seen_at, ends_at, from, user_agent }
}

/// `POST /sign-out`: this browser.
pub async fn sign_out(
    State(app): State<App>,
    AnyTerms(SignedIn { person, browser, .. }): AnyTerms,
) -> Result<Response, ApiError> {
    app.store.write::<_, StoreError>(move |tx| tx.sign_in_end(person.id, browser.id)).await?;
    Ok(out(&app, "You are signed out."))
}

/// `DELETE /sign-ins`: everywhere, here too.
pub async fn end_all(
    State(app): State<App>,
    AnyTerms(SignedIn { person, .. }): AnyTerms,
) -> Result<Response, ApiError> {
    app.store.write::<_, StoreError>(move |tx| tx.sign_in_end_all(person.id, None)).await?;
    Ok(out(&app, "You are signed out everywhere."))
}

fn out(app: &App, words: &'static str) -> Response {
    let mut response = Answer::message(words).into_response();
    COOKIE.forget(&mut response, &app.settings.public_url);
    response
}

/// `DELETE /sign-ins/{uuid}`: one of one's own browsers.
pub async fn end(
    State(app): State<App>,
    AnyTerms(SignedIn { person, .. }): AnyTerms,
    mut parts: Parts,
) -> Result<Answer<()>, ApiError> {
    let missing = || ApiError::new(Code::NotFound, "There is no such sign-in.");
    let id: SignInId = path::id(&mut parts, &()).await.ok_or_else(missing)?;
    let was_there = app.store.write::<_, StoreError>(move |tx| tx.sign_in_end(person.id, id)).await?;
    if was_there { Ok(Answer::message("That browser is signed out.")) } else { Err(missing()) }
}
