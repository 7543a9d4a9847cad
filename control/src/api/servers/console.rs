//! `POST /servers/{uuid}/console`.

use axum::{extract::State, http::HeaderMap, response::Response};
use serde::Serialize;

use super::{ServerPath, missing, power::EmptyBody};
use crate::{
    api::{
        auth::{By, OpensConsole},
        body::JsonBody,
        console,
        envelope::{Answer, When},
        error::ApiError,
        idempotency::{Effect, Once},
        state::App,
    },
    service::open_console::{TicketError, issue_console_ticket},
};

/// Where the screen can be seen, and until when.
#[derive(Debug, Serialize)]
struct ConsoleAnswer {
    url: String,
    expires_at: When,
}

/// `POST /servers/{uuid}/console`
pub async fn console(
    State(app): State<App>,
    By { customer, .. }: By<OpensConsole>,
    ServerPath(server): ServerPath,
    headers: HeaderMap,
    body: JsonBody<EmptyBody>,
) -> Result<Response, ApiError> {
    let once = Once::read(&app, &headers, &customer, &format!("POST /servers/{server}/console"), &body.canonical)?;
    body.value.parse()?;
    let (draw, now, settings) = (app.draw(), app.now(), app.settings.clone());
    once.run(&app, move |tx| {
        let issued = issue_console_ticket(tx, customer.account, customer.key, server, draw.clone(), now)?;
        let url = format!("{}{}#{}", settings.public_url, console::PATH, issued.ticket.reveal());
        let answer = ConsoleAnswer { url, expires_at: When(issued.expires_at) };
        Ok(Effect { body: Answer::data(answer).render(), wake: None })
    })
    .await
}

impl From<TicketError> for ApiError {
    fn from(error: TicketError) -> Self {
        match error {
            TicketError::NotFound => missing(),
            TicketError::Refused(refusal) => refusal.into(),
            TicketError::Store(error) => error.into(),
        }
    }
}
