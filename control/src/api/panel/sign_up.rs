//! `/panel/v1/sign-up`: an address; a letter; then a name and a password, for whoever has that letter.

use std::{future::Future, time::Duration};

use axum::{extract::State, http::request::Parts};
use csp_shared::secret::Secret;
use serde::{Deserialize, Serialize};

use crate::{
    api::{
        body::JsonBody,
        envelope::Answer,
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        state::App,
        throttle::{Client, Tried},
    },
    domain::{
        email::Email,
        label::Label,
        person::Password,
        sign_in::{Admission, SignUp},
    },
    service::{
        ask_sign_up::ask_sign_up,
        finish_sign_up::{FinishError, FinishSignUp, finish_sign_up},
    },
    store::StoreError,
};

/// Who may sign up.
#[derive(Debug, Serialize)]
pub struct Rules {
    /// `closed`, `invitation`, `approval` or `open`.
    mode: &'static str,
    /// Which terms are to be accepted; null where there are none.
    terms_version: Option<String>,
}

/// `GET /sign-up`
pub async fn rules(State(app): State<App>) -> Answer<Rules> {
    let terms_version = app.settings.sign_up.terms_version.clone();
    Answer::data(Rules { mode: mode(&app).as_str(), terms_version })
}

/// Where no letters are sent, nobody can sign up.
fn mode(app: &App) -> SignUp {
    if app.settings.billing.has_mail { app.settings.sign_up.mode } else { SignUp::Closed }
}

/// The body of a wish.
#[derive(Deserialize)]
pub struct AskBody {
    #[serde(default)]
    email: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl AskBody {
    /// The one field.
    pub(super) fn parse(self) -> Result<Email, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let email = faults.required("email", self.email);
        let email = email.and_then(|text| faults.parsed(Code::ValidationFailed, "email", Email::of_person(&text)));
        match email {
            Some(email) => faults.into_result().map(|()| email),
            None => Err(faults.refusal()),
        }
    }
}

/// How long an answer takes that must not tell whether an address is known: writing a letter takes a part of it.
const ANSWERED_AFTER: Duration = Duration::from_millis(200);

/// Does something that takes longer for some addresses than for others, in a time that is the same for all.
pub(super) async fn evenly<T>(work: impl Future<Output = T>) -> T {
    let (done, ()) = tokio::join!(work, tokio::time::sleep(ANSWERED_AFTER));
    done
}

/// `POST /sign-up`: the same answer for every address, and after the same time.
pub async fn ask(State(app): State<App>, parts: Parts, body: JsonBody<AskBody>) -> Result<Answer<()>, ApiError> {
    app.throttle.stranger(&Client::of(&parts), Tried::Letter)?;
    let email = body.value.parse()?;
    if !mode(&app).takes_strangers() {
        return Err(closed());
    }
    let (url, draw, now) = (app.settings.public_url.to_string(), app.draw(), app.now());
    evenly(app.store.write::<_, StoreError>(move |tx| ask_sign_up(tx, &email, &url, draw.clone(), now))).await?;
    Ok(Answer::message("A letter is on its way to this address. It tells how to go on."))
}

fn closed() -> ApiError {
    ApiError::new(Code::NotFound, "Nobody can sign up here without an invitation.")
}

/// The body of what is chosen.
#[derive(Deserialize)]
pub struct FinishBody {
    #[serde(default)]
    token: Field<String>,
    #[serde(default)]
    name: Field<String>,
    #[serde(default)]
    password: Field<String>,
    #[serde(default)]
    terms_version: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// What is chosen, read.
struct Chosen {
    token: Secret,
    name: Label,
    password: Password,
    terms_version: String,
}

impl FinishBody {
    fn parse(self, terms: Option<&str>, brand: &str) -> Result<Chosen, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let token = faults.required("token", self.token).map(Secret::new);
        let name = faults.required("name", self.name);
        let name = name.and_then(|text| faults.parsed(Code::ValidationFailed, "name", Label::parse(&text)));
        let password = new_password(&mut faults, self.password, &[name.as_ref().map_or("", Label::as_str), brand]);
        let accepted = faults.optional("terms_version", self.terms_version);
        if accepted.as_deref() != terms {
            let wanted = terms.map_or("must be left out".to_owned(), |terms| format!("must be `{terms}`, accepted"));
            faults.add(Code::ValidationFailed, "terms_version", wanted);
        }
        let (Some(token), Some(name), Some(password)) = (token, name, password) else { return Err(faults.refusal()) };
        let terms_version = accepted.unwrap_or_default();
        faults.into_result().map(|()| Chosen { token, name, password, terms_version })
    }
}

/// A password that somebody chooses.
pub(super) fn new_password(faults: &mut Faults, field: Field<String>, known: &[&str]) -> Option<Password> {
    let text = faults.required("password", field)?;
    faults.parsed(Code::ValidationFailed, "password", Password::choose(&text, known))
}

/// What became of somebody.
#[derive(Debug, Serialize)]
pub struct SignedUp {
    /// `open`: they can sign in; `waiting`: a letter will say when.
    state: &'static str,
}

/// `POST /sign-up/finish`
pub async fn finish(
    State(app): State<App>,
    parts: Parts,
    body: JsonBody<FinishBody>,
) -> Result<Answer<SignedUp>, ApiError> {
    app.throttle.stranger(&Client::of(&parts), Tried::Link)?;
    let chosen = body.value.parse(app.settings.sign_up.terms_version.as_deref(), &app.settings.brand.name)?;
    let password = app.hashing.hash(chosen.password, app.draw()).await?;
    let Chosen { token, name, terms_version, .. } = chosen;
    let wanted = FinishSignUp { token, name, password, terms_version, mode: mode(&app) };
    let (draw, now) = (app.draw(), app.now());
    let admission = app.store.write(move |tx| finish_sign_up(tx, &wanted, draw.clone(), now)).await?;
    let state = if admission == Admission::AtOnce { "open" } else { "waiting" };
    Ok(Answer::data(SignedUp { state }))
}

impl From<FinishError> for ApiError {
    fn from(error: FinishError) -> Self {
        match error {
            FinishError::Ended => ended(error.to_string()),
            FinishError::Store(error) => error.into(),
        }
    }
}

/// A letter's link that opens nothing.
pub(super) fn ended(reason: String) -> ApiError {
    ApiError::field(Code::ValidationFailed, "token", reason)
}
