//! `DELETE /servers/{uuid}/share-links/{link_uuid}`.

use axum::extract::State;

use super::{LinkPath, no_link};
use crate::{
    api::{
        auth::{By, Writes},
        body::JsonBody,
        document::tags,
        envelope::Answer,
        error::ApiError,
        idempotency::{Answered, Effect, IdempotencyKey, Once},
        servers::power::EmptyBody,
        state::App,
    },
    service::revoke_share_link::{RevokeShareLinkError, revoke_share_link},
};

const REVOKED: &str = "Management link revoked.";

/// Revoke a management link
///
/// It opens nothing from now on; pages that it opened end with their next request, and screens within a second.
#[utoipa::path(
    delete,
    path = "/servers/{uuid}/share-links/{link_uuid}",
    operation_id = "revoke_share_link",
    tag = tags::SHARE_LINKS,
    extensions(("x-example" = json!({"message": REVOKED})))
)]
pub async fn revoke(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    LinkPath { server, link }: LinkPath,
    key: IdempotencyKey,
    body: JsonBody<EmptyBody>,
) -> Result<Answered<()>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    body.value.parse()?;
    let now = app.now();
    once.run(&app, move |tx| {
        revoke_share_link(tx, customer.account, server, link, now)?;
        Ok(Effect { answer: Answer::message(REVOKED), wake: None })
    })
    .await
}

impl From<RevokeShareLinkError> for ApiError {
    fn from(error: RevokeShareLinkError) -> Self {
        match error {
            RevokeShareLinkError::NotFound => no_link(),
            RevokeShareLinkError::Store(error) => error.into(),
        }
    }
}
