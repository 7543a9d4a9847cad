//! `POST /servers/{uuid}/destroy`.

use axum::{extract::State, http::HeaderMap, response::Response};

use super::{ServerPath, missing, power::EmptyBody};
use crate::{
    api::{
        auth::{By, Writes},
        body::JsonBody,
        envelope::Answer,
        error::ApiError,
        idempotency::{Effect, Once},
        state::App,
    },
    service::destroy_server::{DestroyError, destroy_server},
};

/// `POST /servers/{uuid}/destroy`
pub async fn destroy(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    ServerPath(server): ServerPath,
    headers: HeaderMap,
    body: JsonBody<EmptyBody>,
) -> Result<Response, ApiError> {
    let once = Once::read(&app, &headers, &customer, &format!("POST /servers/{server}/destroy"), &body.canonical)?;
    body.value.parse()?;
    let (draw, now) = (app.draw(), app.now());
    once.run(&app, move |tx| {
        let destroying = destroy_server(tx, customer.account, server, draw.clone(), now)?;
        Ok(Effect { body: Answer::message("Destroy has been queued.").render(), wake: Some(destroying.host) })
    })
    .await
}

impl From<DestroyError> for ApiError {
    fn from(error: DestroyError) -> Self {
        match error {
            DestroyError::NotFound => missing(),
            DestroyError::Store(error) => error.into(),
        }
    }
}
