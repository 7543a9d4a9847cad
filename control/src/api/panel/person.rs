//! `/panel/v1/person`, `/password` and `/email`: who has signed in, and what they sign in with.

use axum::{extract::State, http::request::Parts};
use csp_shared::{
    id::{AccountId, PersonId},
    secret::Secret,
};
use serde::{Deserialize, Serialize};

use super::{
    session::{AnyTerms, SignedIn},
    sign_up::{AskBody, ended, evenly, new_password},
};
use crate::{
    api::{
        body::JsonBody,
        envelope::Answer,
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        state::App,
        throttle::{Client, Tried},
    },
    domain::{email::Email, network::counted_as, person::Password},
    service::{
        change_email::{ChangeEmailError, ask_email, confirm_email as confirm},
        renew_password::{RenewError, ask_reset, change_password as renew, reset_by_letter},
    },
    store::StoreError,
};

/// Who has signed in.
#[derive(Debug, Serialize)]
pub struct Shown {
    uuid: PersonId,
    account: Option<AccountId>,
    name: String,
    email: String,
    terms_version: String,
    /// Newer terms, which are to be accepted before anything is changed.
    terms_to_accept: Option<String>,
}

/// `GET /person`
pub async fn show(State(app): State<App>, SignedIn { person, .. }: SignedIn) -> Answer<Shown> {
    let terms_to_accept = app.settings.sign_up.newer_than(&person.terms_version).map(str::to_owned);
    let (uuid, account, name) = (person.id, person.account, person.name);
    let (email, terms_version) = (person.email.to_string(), person.terms_version);
    Answer::data(Shown { uuid, account, name, email, terms_version, terms_to_accept })
}

/// `POST /password/forgotten`: the same answer for every address, and after the same time.
pub async fn forgotten(State(app): State<App>, parts: Parts, body: JsonBody<AskBody>) -> Result<Answer<()>, ApiError> {
    app.throttle.stranger(&Client::of(&parts), Tried::Letter)?;
    let email = body.value.parse()?;
    must_send(&app)?;
    let (url, draw, now) = (app.settings.public_url.to_string(), app.draw(), app.now());
    evenly(app.store.write::<_, StoreError>(move |tx| ask_reset(tx, &email, &url, draw.clone(), now))).await?;
    Ok(Answer::message("If somebody signs in with this address, a letter is on its way to it."))
}

/// Refuses what takes a letter where none are sent.
fn must_send(app: &App) -> Result<(), ApiError> {
    let none = || ApiError::new(Code::NotFound, "No letters are sent here. Ask your provider.");
    if app.settings.billing.has_mail { Ok(()) } else { Err(none()) }
}

/// The body of a new password.
#[derive(Deserialize)]
pub struct ResetBody {
    #[serde(default)]
    token: Field<String>,
    #[serde(default)]
    password: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// `POST /password/reset`: for whoever has the letter. It signs nobody in.
pub async fn reset(State(app): State<App>, parts: Parts, body: JsonBody<ResetBody>) -> Result<Answer<()>, ApiError> {
    let client = Client::of(&parts);
    app.throttle.stranger(&client, Tried::Link)?;
    let mut faults = Faults::beginning_with(&body.value.unknown);
    let token = faults.required("token", body.value.token).map(Secret::new);
    let password = new_password(&mut faults, body.value.password, &[&app.settings.brand.name]);
    let (Some(token), Some(password)) = (token, password) else { return Err(faults.refusal()) };
    faults.into_result()?;
    let password = app.hashing.hash(password, app.draw()).await?;
    let (from, draw, now) = (client.address, app.draw(), app.now());
    app.store.write(move |tx| reset_by_letter(tx, &token, &password, from, draw.clone(), now)).await?;
    Ok(Answer::message("Your password is changed. Sign in with it."))
}

/// The body of a change of password.
#[derive(Deserialize)]
pub struct PasswordBody {
    #[serde(default)]
    current_password: Field<String>,
    #[serde(default)]
    password: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// `POST /password`
pub async fn change_password(
    State(app): State<App>,
    AnyTerms(signed_in): AnyTerms,
    body: JsonBody<PasswordBody>,
) -> Result<Answer<()>, ApiError> {
    let mut faults = Faults::beginning_with(&body.value.unknown);
    let current = faults.required("current_password", body.value.current_password);
    let known = [signed_in.person.name.as_str(), signed_in.person.email.as_str(), &app.settings.brand.name];
    let new = new_password(&mut faults, body.value.password, &known);
    let (Some(current), Some(new)) = (current, new) else { return Err(faults.refusal()) };
    faults.into_result()?;
    check(&app, &signed_in, &current).await?;
    let new = app.hashing.hash(new, app.draw()).await?;
    let (who, old) = ((signed_in.person.id, signed_in.browser.id), signed_in.person.password);
    let (draw, now) = (app.draw(), app.now());
    app.store.write(move |tx| renew(tx, who, &old, &new, draw.clone(), now)).await?;
    Ok(Answer::message("Your password is changed. All your other browsers are signed out."))
}

/// Asks for the password again: a browser that was left open must not be enough to take an account over. Counted as where
/// somebody signs in.
pub(super) async fn check(app: &App, SignedIn { person, client, .. }: &SignedIn, text: &str) -> Result<(), ApiError> {
    let (email, from) = (person.email.clone(), counted_as(client.address));
    let known = app.store.read::<_, StoreError>(move |read| read.person_address_is_known(&email, from)).await?;
    app.throttle.password(client, &person.email, known)?;
    let is_right = app.hashing.verify(Password::given(text), Some(person.password.clone())).await?;
    let wrong = || ApiError::field(Code::ValidationFailed, "current_password", "is wrong");
    if is_right { Ok(()) } else { Err(wrong()) }
}

/// The body of a change of address.
#[derive(Deserialize)]
pub struct EmailBody {
    #[serde(default)]
    current_password: Field<String>,
    #[serde(default)]
    email: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// `POST /email`: counts once the letter to the new address was followed.
pub async fn change_email(
    State(app): State<App>,
    signed_in: SignedIn,
    body: JsonBody<EmailBody>,
) -> Result<Answer<()>, ApiError> {
    let mut faults = Faults::beginning_with(&body.value.unknown);
    let current = faults.required("current_password", body.value.current_password);
    let email = faults.required("email", body.value.email);
    let email = email.and_then(|text| faults.parsed(Code::ValidationFailed, "email", Email::of_person(&text)));
    let (Some(current), Some(email)) = (current, email) else { return Err(faults.refusal()) };
    faults.into_result()?;
    must_send(&app)?;
    check(&app, &signed_in, &current).await?;
    let (url, draw, now) = (app.settings.public_url.to_string(), app.draw(), app.now());
    let (id, password) = (signed_in.person.id, signed_in.person.password);
    app.store.write(move |tx| ask_email(tx, (id, &password), &email, &url, draw.clone(), now)).await?;
    Ok(Answer::message("A letter is on its way to the new address. Until it was followed, the old one counts."))
}

/// The body of what is confirmed.
#[derive(Deserialize)]
pub struct ConfirmBody {
    #[serde(default)]
    token: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// `POST /email/confirm`: for whoever has the letter.
pub async fn confirm_email(
    State(app): State<App>,
    parts: Parts,
    body: JsonBody<ConfirmBody>,
) -> Result<Answer<()>, ApiError> {
    app.throttle.stranger(&Client::of(&parts), Tried::Link)?;
    let mut faults = Faults::beginning_with(&body.value.unknown);
    let token = faults.required("token", body.value.token).map(Secret::new);
    let Some(token) = token else { return Err(faults.refusal()) };
    faults.into_result()?;
    let (draw, now) = (app.draw(), app.now());
    app.store.write(move |tx| confirm(tx, &token, draw.clone(), now)).await?;
    Ok(Answer::message("Your mail address is changed. Sign in with it from now on."))
}

impl From<RenewError> for ApiError {
    fn from(error: RenewError) -> Self {
        match error {
            RenewError::Ended => ended(error.to_string()),
            RenewError::Changed => Self::field(Code::ValidationFailed, "current_password", error.to_string()),
            RenewError::Store(error) => error.into(),
        }
    }
}

impl From<ChangeEmailError> for ApiError {
    fn from(error: ChangeEmailError) -> Self {
        match error {
            ChangeEmailError::Ended => ended(error.to_string()),
            ChangeEmailError::Changed => Self::field(Code::ValidationFailed, "current_password", error.to_string()),
            ChangeEmailError::Store(error) => error.into(),
        }
    }
}
