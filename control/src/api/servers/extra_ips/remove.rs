//! `DELETE /servers/{uuid}/extra-ips/{ip_uuid}`.

use axum::extract::State;
use csp_shared::id::LeaseId;
use serde::Serialize;
use utoipa::ToSchema;

use super::{ExtraIpPath, missing, primary};
use crate::{
    api::{
        actions::queued::{Accepted, Queued, example},
        auth::{By, Writes},
        body::JsonBody,
        denied::sentence,
        document::tags,
        envelope::Money,
        error::{ApiError, Code},
        idempotency::{Effect, IdempotencyKey, Once},
        servers::power::EmptyBody,
        state::App,
    },
    domain::action::Command,
    service::remove_extra_ip::{RemoveIpError, remove_extra_ip},
};

const QUEUED: &str = "Extra IPv4 removal queued.";

/// A removal that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct ExtraIpRemoval {
    #[schema(value_type = Uuid)]
    uuid: LeaseId,
    /// What the wallet gets back when it is done.
    credit: Money,
}

/// Remove an extra IP
///
/// Takes the address away from the running server. What is unused of its paid time comes back when the server's host has let
/// go of it; an address is charged for 24 hours at least. A suspended server's addresses can be removed, and nothing comes
/// back for them. The first address belongs to the server as long as it is there.
#[utoipa::path(
    delete,
    path = "/servers/{uuid}/extra-ips/{ip_uuid}",
    operation_id = "remove_extra_ip",
    tag = tags::SERVERS,
    extensions(
        ("x-error-codes" = json!([Code::ServerBusy, Code::Conflict, Code::RenewalDue])),
        ("x-example" = json!({"message": QUEUED, "data": {"credit": 1.4}, "action": example(Command::RemoveExtraIp)}))
    )
)]
pub async fn remove(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    ExtraIpPath(server, lease): ExtraIpPath,
    key: IdempotencyKey,
    body: JsonBody<EmptyBody>,
) -> Result<Accepted<ExtraIpRemoval>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    body.value.parse()?;
    let (draw, now) = (app.draw(), app.now());
    let measured = app.clock.measured();
    once.run(&app, move |tx| {
        measured?;
        let removing = remove_extra_ip(tx, customer.account, (server, lease), draw.clone(), now)?;
        let queued = Queued::message(tx, customer.account, Some(removing.action), QUEUED)?;
        let answer = queued.with(ExtraIpRemoval { uuid: lease, credit: Money(removing.credit) });
        Ok(Effect { answer, wake: removing.host })
    })
    .await
}

impl From<RemoveIpError> for ApiError {
    fn from(error: RemoveIpError) -> Self {
        match error {
            RemoveIpError::NotFound => missing(),
            RemoveIpError::Denied(denied) => denied.into(),
            RemoveIpError::Primary => primary("Primary IPs cannot be removed."),
            RemoveIpError::OnItsWay => Self::new(Code::Conflict, sentence(&error.to_string())),
            RemoveIpError::RenewalDue(_) => Self::plain(Code::RenewalDue),
            RemoveIpError::Store(error) => error.into(),
        }
    }
}
