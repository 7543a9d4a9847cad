//! `POST /servers/{uuid}/start`, `/stop` and `/restart`.

use axum::extract::State;
use csp_shared::id::ServerId;
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ServerPath, missing};
use crate::{
    api::{
        actions::queued::{Accepted, Queued, example},
        auth::{By, Customer, Writes},
        body::JsonBody,
        document::{schemas::OptionalFlag, tags},
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        idempotency::{Effect, IdempotencyKey, Once},
        state::App,
    },
    domain::{action::Command, server::Request},
    service::change_power::{PowerError, change_power},
};

/// A body without fields.
#[derive(Debug, Deserialize, ToSchema)]
pub struct EmptyBody {
    #[serde(flatten)]
    #[schema(ignore)]
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
#[derive(Debug, Deserialize, ToSchema)]
pub struct StopBody {
    /// Power off at once instead of asking the guest to shut down.
    #[serde(default)]
    #[schema(value_type = OptionalFlag)]
    force: Field<bool>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// Start a server
///
/// Queues a start. A server that is Online stays as it is.
#[utoipa::path(
    post,
    path = "/servers/{uuid}/start",
    operation_id = "start_server",
    tag = tags::SERVERS,
    extensions(
        ("x-error-codes" = json!([Code::ServerBusy, Code::Conflict])),
        ("x-example" = json!({"message": "Start has been queued.", "action": example(Command::Start)}))
    )
)]
pub async fn start(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    ServerPath(server): ServerPath,
    key: IdempotencyKey,
    body: JsonBody<EmptyBody>,
) -> Result<Accepted, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    body.value.parse()?;
    change(&app, once, customer, server, Request::Start).await
}

/// Stop a server
///
/// Queues a shutdown of the guest, or with `force` a power-off. A server that is Offline stays as it is.
#[utoipa::path(
    post,
    path = "/servers/{uuid}/stop",
    operation_id = "stop_server",
    tag = tags::SERVERS,
    extensions(
        ("x-error-codes" = json!([Code::ServerBusy, Code::Conflict])),
        ("x-example" = json!({"message": "Stop has been queued.", "action": example(Command::Stop)}))
    )
)]
pub async fn stop(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    ServerPath(server): ServerPath,
    key: IdempotencyKey,
    body: JsonBody<StopBody>,
) -> Result<Accepted, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    let mut faults = Faults::beginning_with(&body.value.unknown);
    let force = faults.optional("force", body.value.force).unwrap_or(false);
    faults.into_result()?;
    change(&app, once, customer, server, Request::Stop { force }).await
}

/// Restart a server
///
/// Queues a shutdown and a start. A server that is Offline is not switched on by this.
#[utoipa::path(
    post,
    path = "/servers/{uuid}/restart",
    operation_id = "restart_server",
    tag = tags::SERVERS,
    extensions(
        ("x-error-codes" = json!([Code::ServerBusy, Code::Conflict])),
        ("x-example" = json!({"message": "Restart has been queued.", "action": example(Command::Restart)}))
    )
)]
pub async fn restart(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    ServerPath(server): ServerPath,
    key: IdempotencyKey,
    body: JsonBody<EmptyBody>,
) -> Result<Accepted, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    body.value.parse()?;
    change(&app, once, customer, server, Request::Restart).await
}

async fn change(
    app: &App,
    once: Once,
    customer: Customer,
    server: ServerId,
    request: Request,
) -> Result<Accepted, ApiError> {
    let (draw, now) = (app.draw(), app.now());
    once.run(app, move |tx| {
        let changed = change_power(tx, customer.account, server, request, draw.clone(), now)?;
        let answer = Queued::message(tx, customer.account, changed.action, queued(request))?;
        Ok(Effect { answer, wake: changed.host })
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
            PowerError::Denied(denied) => denied.into(),
            PowerError::Store(error) => error.into(),
        }
    }
}
