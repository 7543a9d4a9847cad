//! `/mails`: letters that no mail server took.

use axum::extract::{Path, State};
use csp_shared::id::MailId;

use super::wire::billing::Mail;
use crate::{
    api::{
        App,
        denied::sentence,
        envelope::Answer,
        error::{ApiError, Code},
    },
    service::settle_mail::{SettleError, retry_mail, retry_mails, told_otherwise},
    store::{MailRow, StoreError},
};

/// `GET /mails`
pub async fn list(State(app): State<App>) -> Result<Answer<Vec<Mail>>, ApiError> {
    let letters = app.store.read::<_, StoreError>(|read| read.mail_list()).await?;
    Ok(Answer::data(letters.into_iter().map(shown).collect()))
}

/// `POST /mails/{uuid}/retry`
pub async fn retry(State(app): State<App>, Path(id): Path<MailId>) -> Result<Answer<Mail>, ApiError> {
    let now = app.now();
    Ok(Answer::data(shown(app.store.write(move |tx| retry_mail(tx, id, now)).await?)))
}

/// `POST /mails/retry`: all that were given up
pub async fn retry_all(State(app): State<App>) -> Result<Answer<Vec<Mail>>, ApiError> {
    let now = app.now();
    let letters = app.store.write(move |tx| retry_mails(tx, now)).await?;
    Ok(Answer::data(letters.into_iter().map(shown).collect()))
}

/// `POST /mails/{uuid}/told`
pub async fn told(State(app): State<App>, Path(id): Path<MailId>) -> Result<Answer<Mail>, ApiError> {
    let now = app.now();
    Ok(Answer::data(shown(app.store.write(move |tx| told_otherwise(tx, id, now)).await?)))
}

fn shown(letter: MailRow) -> Mail {
    let state = match (letter.accepted_at, letter.refused_at) {
        (Some(_), _) => "told",
        (None, Some(_)) => "given_up",
        (None, None) => "waiting",
    };
    Mail {
        uuid: letter.id,
        account: letter.account,
        recipient: letter.recipient,
        subject: letter.letter.subject,
        state: state.to_owned(),
        tries: letter.tries,
        last_error: letter.last_error,
        created_at: letter.created_at.to_string(),
    }
}

impl From<SettleError> for ApiError {
    fn from(error: SettleError) -> Self {
        match error {
            SettleError::Unknown(_) => Self::new(Code::NotFound, sentence(&error.to_string())),
            SettleError::Told { .. } => Self::new(Code::Conflict, sentence(&error.to_string())),
            SettleError::Store(error) => error.into(),
        }
    }
}
