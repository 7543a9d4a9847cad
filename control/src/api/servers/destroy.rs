//! `POST /servers/{uuid}/destroy`.

use axum::extract::State;

use super::{ServerPath, missing, power::EmptyBody};
use crate::{
    api::{
        actions::queued::{Accepted, Queued, example},
        auth::{By, Writes},
        body::JsonBody,
        document::tags,
        error::{ApiError, Code},
        idempotency::{Effect, IdempotencyKey, Once},
        state::App,
    },
    domain::action::Command,
    service::destroy_server::{DestroyError, destroy_server},
};

/// Destroy a server
///
/// Queues its removal, with all its data. It is hidden at once. An order that never ran is refunded; what comes back of paid
/// time, as the provider decided, is in the wallet once the removal is done. Busy, suspended and failed servers are destroyed
/// like any other. A server that its owner protected is not, nor one that is locked as an abuse: until the provider has
/// looked into it, nothing of it is deleted.
#[utoipa::path(
    post,
    path = "/servers/{uuid}/destroy",
    operation_id = "destroy_server",
    tag = tags::SERVERS,
    extensions(
        ("x-error-codes" = json!([Code::Protected])),
        ("x-example" = json!({"message": "Destroy has been queued.", "action": example(Command::Destroy)}))
    )
)]
pub async fn destroy(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    ServerPath(server): ServerPath,
    key: IdempotencyKey,
    body: JsonBody<EmptyBody>,
) -> Result<Accepted, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    body.value.parse()?;
    let (draw, now, policy) = (app.draw(), app.now(), app.settings.billing.destroy_credit);
    let measured = app.clock.measured();
    once.run(&app, move |tx| {
        measured?;
        let destroying = destroy_server(tx, customer.account, server, policy, draw.clone(), now)?;
        let answer = Queued::message(tx, customer.account, Some(destroying.action), "Destroy has been queued.")?;
        Ok(Effect { answer, wake: Some(destroying.host) })
    })
    .await
}

impl From<DestroyError> for ApiError {
    fn from(error: DestroyError) -> Self {
        match error {
            DestroyError::NotFound => missing(),
            DestroyError::Denied(denied) => denied.into(),
            DestroyError::Store(error) => error.into(),
        }
    }
}
