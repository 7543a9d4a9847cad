//! `POST /servers/{uuid}/console`.

use axum::extract::State;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ServerPath, missing, power::EmptyBody};
use crate::{
    api::{
        auth::{By, OpensConsole},
        body::JsonBody,
        console,
        document::tags,
        envelope::{Answer, When},
        error::{ApiError, Code},
        idempotency::{Answered, Effect, IdempotencyKey, Once},
        state::App,
    },
    service::open_console::{TicketError, issue_console_ticket},
};

/// Where the screen can be seen, and until when.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Console)]
pub struct ConsoleAnswer {
    /// For a browser. It opens one screen, once.
    #[schema(
        format = "uri",
        example = "https://vps.example.com/console#csp_con_2TZr7mGvXJd1q0bWc5yNfKpLhA8sEuR3oVi6xCtYgHw"
    )]
    url: String,
    expires_at: When,
}

/// Open a console
///
/// A page with the server's screen and keyboard. Its address holds for 60 seconds and one use.
#[utoipa::path(
    post,
    path = "/servers/{uuid}/console",
    operation_id = "open_console",
    tag = tags::SERVERS,
    extensions(("x-error-codes" = json!([Code::ServerBusy, Code::Conflict])))
)]
pub async fn console(
    State(app): State<App>,
    By { customer, .. }: By<OpensConsole>,
    ServerPath(server): ServerPath,
    key: IdempotencyKey,
    body: JsonBody<EmptyBody>,
) -> Result<Answered<ConsoleAnswer>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    body.value.parse()?;
    let (draw, now, settings) = (app.draw(), app.now(), app.settings.clone());
    once.run(&app, move |tx| {
        let issued = issue_console_ticket(tx, customer.account, customer.by.into(), server, draw.clone(), now)?;
        let url = format!("{}{}#{}", settings.public_url, console::PATH, issued.ticket.reveal());
        let answer = ConsoleAnswer { url, expires_at: When(issued.expires_at) };
        Ok(Effect { answer: Answer::data(answer), wake: None })
    })
    .await
}

impl From<TicketError> for ApiError {
    fn from(error: TicketError) -> Self {
        match error {
            TicketError::NotFound => missing(),
            TicketError::Denied(denied) => denied.into(),
            TicketError::Store(error) => error.into(),
        }
    }
}
