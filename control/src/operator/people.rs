//! `/people`: who may sign up, decided by the operator.

use axum::extract::{Path, State};
use csp_shared::id::PersonId;

use super::wire::people::{Approved, CodeOff, Invite, Person, Told};
use crate::{
    api::{
        App,
        account::missing,
        envelope::Answer,
        error::{ApiError, Code},
        json::Json,
    },
    domain::{
        email::Email,
        sign_in::{Admission, Purpose},
    },
    service::{
        invite_person::{InviteError, invite_person},
        judge_sign_up::{JudgeError, approve_sign_up, refuse_sign_up},
        second_factor::lift_factor,
    },
    store::StoreError,
};

/// `POST /people/invite`
pub async fn invite(State(app): State<App>, Json(new): Json<Invite>) -> Result<Answer<Told>, ApiError> {
    let wrong = |field, why: &str| ApiError::field(Code::ValidationFailed, field, why);
    let email = Email::of_person(&new.email).map_err(|why| wrong("email", &why.to_string()))?;
    if !app.settings.billing.has_mail {
        return Err(ApiError::new(Code::Conflict, "Invitations are letters: write a section [mail] first."));
    }
    if app.settings.sign_up.mode.admits(Purpose::Invitation) == Admission::Never {
        let words = "Nobody may sign up: set `mode` in [sign_up] to \"invitation\" or more first.";
        return Err(ApiError::new(Code::Conflict, words));
    }
    let (url, draw, now) = (app.settings.public_url.to_string(), app.draw(), app.now());
    let told = email.to_string();
    let invited = app.store.write(move |tx| invite_person(tx, &email, new.account, &url, draw.clone(), now));
    invited.await?;
    Ok(Answer::data(Told { email: told }))
}

/// `GET /people`: who waits.
pub async fn list(State(app): State<App>) -> Result<Answer<Vec<Person>>, ApiError> {
    let rows = app.store.read::<_, StoreError>(|read| read.person_waiting()).await?;
    let shown = rows.into_iter().map(|row| Person {
        uuid: row.id,
        name: row.name,
        email: row.email.to_string(),
        terms_version: row.terms_version,
        created_at: row.created_at.to_string(),
    });
    Ok(Answer::data(shown.collect()))
}

/// `POST /people/{uuid}/approve`
pub async fn approve(State(app): State<App>, Path(id): Path<PersonId>) -> Result<Answer<Approved>, ApiError> {
    let (url, draw, now) = (app.settings.public_url.to_string(), app.draw(), app.now());
    let account = app.store.write(move |tx| approve_sign_up(tx, id, &url, draw.clone(), now)).await?;
    Ok(Answer::data(Approved { person: id, account }))
}

/// `POST /people/{uuid}/refuse`
pub async fn refuse(State(app): State<App>, Path(id): Path<PersonId>) -> Result<Answer<()>, ApiError> {
    let (draw, now) = (app.draw(), app.now());
    app.store.write(move |tx| refuse_sign_up(tx, id, draw.clone(), now)).await?;
    Ok(Answer::message("Refused, forgotten and told."))
}

/// `POST /people/code-off`: for who lost authenticator and recovery codes. They are told.
pub async fn code_off(State(app): State<App>, Json(who): Json<CodeOff>) -> Result<Answer<Told>, ApiError> {
    let email = Email::of_person(&who.email);
    let email = email.map_err(|why| ApiError::field(Code::ValidationFailed, "email", why.to_string()))?;
    let (draw, now, told) = (app.draw(), app.now(), email.to_string());
    app.store.write(move |tx| lift_factor(tx, &email, draw.clone(), now)).await?;
    Ok(Answer::data(Told { email: told }))
}

impl From<InviteError> for ApiError {
    fn from(error: InviteError) -> Self {
        let reason = error.to_string();
        match error {
            InviteError::Known(_) => Self::field(Code::AlreadyExists, "email", reason),
            InviteError::Taken(_) => Self::field(Code::AlreadyExists, "account", reason),
            InviteError::NoAccount(account) => missing(account),
            InviteError::Closed(_) => Self::field(Code::Conflict, "account", reason),
            InviteError::Store(error) => error.into(),
        }
    }
}

impl From<JudgeError> for ApiError {
    fn from(error: JudgeError) -> Self {
        match error {
            JudgeError::NotWaiting(_) => Self::new(Code::NotFound, error.to_string()),
            JudgeError::Store(error) => error.into(),
        }
    }
}
