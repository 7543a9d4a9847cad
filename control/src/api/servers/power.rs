//! `POST /servers/{uuid}/start`, `/stop` and `/restart`.

use axum::{extract::State, http::HeaderMap, response::Response};
use csp_shared::id::ServerId;
use serde::Deserialize;

use super::{ServerPath, missing};
use crate::{
    api::{
        auth::{By, Customer, Writes},
        body::JsonBody,
        envelope::Answer,
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        idempotency::{Effect, Once},
        state::App,
    },
    domain::server::{Refusal, Request},
    service::change_power::{PowerError, change_power},
};

/// A body without fields.
#[derive(Debug, Deserialize)]
pub struct EmptyBody {
    #[serde(flatten)]
    unknown: Unknown,
}

impl EmptyBody {
    /// Nothing, or what should not be there.
    ///
    /// # Errors
    /// When the body has fields.
    pub fn parse(self) -> Result<(), ApiError> {
        Faults::beginning_with(&self.unknown).into_result()
    }
}

/// The body of a stop.
#[derive(Debug, Deserialize)]
pub struct StopBody {
    #[serde(default)]
    force: Field<bool>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// `POST /servers/{uuid}/start`
pub async fn start(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    ServerPath(server): ServerPath,
    headers: HeaderMap,
    body: JsonBody<EmptyBody>,
) -> Result<Response, ApiError> {
    let once = Once::read(&app, &headers, &customer, &format!("POST /servers/{server}/start"), &body.canonical)?;
    body.value.parse()?;
    change(&app, once, customer, server, Request::Start).await
}

/// `POST /servers/{uuid}/stop`
pub async fn stop(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    ServerPath(server): ServerPath,
    headers: HeaderMap,
    body: JsonBody<StopBody>,
) -> Result<Response, ApiError> {
    let once = Once::read(&app, &headers, &customer, &format!("POST /servers/{server}/stop"), &body.canonical)?;
    let mut faults = Faults::beginning_with(&body.value.unknown);
    let force = faults.optional("force", body.value.force).unwrap_or(false);
    faults.into_result()?;
    change(&app, once, customer, server, Request::Stop { force }).await
}

/// `POST /servers/{uuid}/restart`
pub async fn restart(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    ServerPath(server): ServerPath,
    headers: HeaderMap,
    body: JsonBody<EmptyBody>,
) -> Result<Response, ApiError> {
    let once = Once::read(&app, &headers, &customer, &format!("POST /servers/{server}/restart"), &body.canonical)?;
    body.value.parse()?;
    change(&app, once, customer, server, Request::Restart).await
}

async fn change(
    app: &App,
    once: Once,
    customer: Customer,
    server: ServerId,
    request: Request,
) -> Result<Response, ApiError> {
    let (draw, now) = (app.draw(), app.now());
    once.run(app, move |tx| {
        let changed = change_power(tx, customer.account, server, request, draw.clone(), now)?;
        // What is so already answers the same words and changes nothing, so nobody is woken.
        let wake = changed.action.map(|_| changed.host);
        Ok(Effect { body: Answer::message(queued(request)).render(), wake })
    })
    .await
}

fn queued(request: Request) -> &'static str {
    match request {
        Request::Start => "Start has been queued.",
        Request::Stop { .. } => "Stop has been queued.",
        Request::Restart => "Restart has been queued.",
        Request::Destroy => "Destroy has been queued.",
    }
}

impl From<PowerError> for ApiError {
    fn from(error: PowerError) -> Self {
        match error {
            PowerError::NotFound => missing(),
            PowerError::Refused { refusal, .. } => refusal.into(),
            PowerError::Store(error) => error.into(),
        }
    }
}

impl From<Refusal> for ApiError {
    fn from(refusal: Refusal) -> Self {
        let sentence = |text: String| {
            let mut letters = text.chars();
            letters.next().map_or(text.clone(), |first| format!("{}{}.", first.to_uppercase(), letters.as_str()))
        };
        let message = sentence(refusal.to_string());
        match refusal {
            Refusal::Busy(command) => Self::new(Code::ServerBusy, message).with_running_action(command.as_str()),
            Refusal::Suspended | Refusal::Failed | Refusal::Off | Refusal::NotOnline(_) => {
                Self::new(Code::Conflict, message)
            }
        }
    }
}
