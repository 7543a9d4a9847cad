//! `POST /servers/{uuid}/reset-password`.

use std::time::Duration;

use axum::extract::State;
use csp_shared::{message::PasswordRefusal, secret::Secret};
use serde::Serialize;
use utoipa::ToSchema;

use super::{ServerPath, missing, order::root_password, power::EmptyBody};
use crate::{
    api::{
        auth::{By, Writes},
        body::JsonBody,
        document::tags,
        envelope::Answer,
        error::{ApiError, Code},
        idempotency::{Answered, Effect, IdempotencyKey, Once},
        state::App,
    },
    fleet::NoAnswer,
    service::reset_password::{ResetError, guest_to_ask, note_password_reset},
};

/// A little longer than a host gives its guest.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// The new password.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = NewPassword)]
pub struct NewPassword {
    /// Of root. Shown this once, and never stored.
    #[schema(value_type = String, format = "password", example = "mJ4tKx7QpZ9wBv3RnYdE")]
    root_password: Secret,
}

/// Reset the root password
///
/// Asks the guest agent (`qemu-guest-agent`, in the provider's images) of a server that is Online to give root a new
/// password, at once and without a restart. Whether root may sign in by password over SSH is the guest's own setting; on
/// the console it works.
#[utoipa::path(
    post,
    path = "/servers/{uuid}/reset-password",
    operation_id = "reset_password",
    tag = tags::SERVERS,
    extensions(
        ("x-error-codes" = json!([
            Code::ServerBusy, Code::Conflict, Code::GuestAgentMissing, Code::GuestRefused, Code::HostUnreachable
        ])),
        ("x-example" = json!({"message": RESET}))
    )
)]
pub async fn reset_password(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    ServerPath(server): ServerPath,
    key: IdempotencyKey,
    body: JsonBody<EmptyBody>,
) -> Result<Answered<NewPassword>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    body.value.parse()?;
    let (account, now) = (customer.account, app.now());
    let _turn = app.turns.take(server).await;
    let once = match once.replayed(&app).await? {
        Ok(answered) => return Ok(answered),
        Err(once) => once,
    };
    let host = app.store.read(move |read| guest_to_ask(read, account, server, now)).await?;
    let password = root_password(&app).await?;
    match app.wake.set_password(host, server, Secret::new(password.hash), ANSWER_LIMIT).await {
        Ok(None) => {}
        Ok(Some(refusal)) => return Err(refusal.into()),
        Err(silence) => return Err(silence.into()),
    }
    let plain = password.plain;
    once.run(&app, move |tx| {
        note_password_reset(tx, account, server, now)?;
        let answer = NewPassword { root_password: plain.clone() };
        Ok(Effect { answer: Answer::data(answer).with_message(RESET), wake: None })
    })
    .await
}

const RESET: &str = "The root password has been reset.";

impl From<ResetError> for ApiError {
    fn from(error: ResetError) -> Self {
        match error {
            ResetError::NotFound => missing(),
            ResetError::Denied(denied) => denied.into(),
            ResetError::Store(error) => error.into(),
        }
    }
}

impl From<PasswordRefusal> for ApiError {
    fn from(refusal: PasswordRefusal) -> Self {
        match refusal {
            PasswordRefusal::NoGuestAgent => Self::plain(Code::GuestAgentMissing),
            PasswordRefusal::Refused => Self::plain(Code::GuestRefused),
            PasswordRefusal::NotRunning => Self::new(Code::Conflict, "The server has just stopped running."),
            PasswordRefusal::HostTrouble => Self::plain(Code::HostUnreachable),
        }
    }
}

impl From<NoAnswer> for ApiError {
    fn from(silence: NoAnswer) -> Self {
        match silence {
            NoAnswer::NotConnected | NoAnswer::TooOld | NoAnswer::Busy | NoAnswer::TooMuch => {
                Self::plain(Code::HostUnreachable)
            }
            NoAnswer::Gone | NoAnswer::Late(_) => Self::new(
                Code::HostUnreachable,
                "The server's host did not say whether the guest took the new password. Reset it again.",
            ),
        }
    }
}
