//! `POST /private-networks/{uuid}/attach` and `DELETE /private-networks/{uuid}/members/{membership_id}`.

use axum::extract::State;
use csp_shared::id::{MembershipId, ServerId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{MemberPath, NetworkPath, missing, no_member, no_segment};
use crate::{
    api::{
        actions::queued::{Accepted, Queued, example},
        auth::{By, Writes},
        body::JsonBody,
        document::{schemas::UuidText, tags},
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        idempotency::{Effect, IdempotencyKey, Once},
        servers::{self, power::EmptyBody},
        state::App,
    },
    domain::action::Command,
    service::{
        attach_network::{AttachError, attach_network},
        detach_network::{DetachError, detach_network},
    },
    store::StoreError,
};

/// The body of an attachment.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Attachment)]
pub struct AttachBody {
    /// Which server, of either kind; one in the network's location.
    #[serde(default)]
    #[schema(value_type = UuidText, required)]
    server_uuid: Field<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

impl AttachBody {
    fn parse(self) -> Result<ServerId, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let server = faults.required("server_uuid", self.server_uuid).and_then(|text| {
            let server = text.parse().map_err(|_| "is no UUID; GET /servers lists your servers");
            faults.parsed(Code::ValidationFailed, "server_uuid", server)
        });
        match server {
            Some(server) => faults.into_result().map(|()| server),
            None => Err(faults.refusal()),
        }
    }
}

/// What the server gets.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Attached)]
pub struct AttachAnswer {
    #[schema(value_type = Uuid)]
    membership_id: MembershipId,
    /// Its address in the network.
    #[schema(example = "10.64.0.1")]
    address: String,
    /// Its adapter in the network.
    #[schema(example = "net1")]
    adapter: String,
}

/// Attach a server to a private network
///
/// Queues an adapter that is plugged into the running guest, with an address that the network's DHCP tells it. The guest may
/// use that address and no other on it.
#[utoipa::path(
    post,
    path = "/private-networks/{uuid}/attach",
    operation_id = "attach_private_network",
    tag = tags::PRIVATE_NETWORKS,
    extensions(
        ("x-error-codes" = json!([
            Code::AlreadyExists, Code::Conflict, Code::LimitReached, Code::NoNetworkAvailable, Code::ServerBusy
        ])),
        ("x-example" = json!({
            "message": "Private network attachment queued.",
            "action": example(Command::AttachNetwork)
        }))
    )
)]
pub async fn attach(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    NetworkPath(network): NetworkPath,
    key: IdempotencyKey,
    body: JsonBody<AttachBody>,
) -> Result<Accepted<AttachAnswer>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    let server = body.value.parse()?;
    let (draw, now) = (app.draw(), app.now());
    once.run(&app, move |tx| {
        let attached = attach_network(tx, customer.account, (network, server), draw.clone(), now)?;
        let members = tx.member_list(network)?;
        let gone = || StoreError::Damaged(format!("member {} is gone within its own transaction", attached.member));
        let member = members.into_iter().find(|member| member.id == attached.member).ok_or_else(gone)?;
        let data =
            AttachAnswer { membership_id: member.id, address: member.address.to_string(), adapter: member.adapter };
        let message = "Private network attachment queued.";
        let queued = Queued::message(tx, customer.account, Some(attached.action), message)?;
        Ok(Effect { answer: queued.with(data), wake: Some(attached.host) })
    })
    .await
}

/// Detach a server from a private network
///
/// Queues the removal of its adapter. Its address is given to no other member for a while.
#[utoipa::path(
    delete,
    path = "/private-networks/{uuid}/members/{membership_id}",
    operation_id = "detach_private_network",
    tag = tags::PRIVATE_NETWORKS,
    extensions(
        ("x-error-codes" = json!([Code::Conflict, Code::ServerBusy])),
        ("x-example" = json!({
            "message": "Private network detachment queued.",
            "action": example(Command::DetachNetwork)
        }))
    )
)]
pub async fn detach(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    MemberPath { network, member }: MemberPath,
    key: IdempotencyKey,
    body: JsonBody<EmptyBody>,
) -> Result<Accepted, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    body.value.parse()?;
    let (draw, now) = (app.draw(), app.now());
    once.run(&app, move |tx| {
        let detached = detach_network(tx, customer.account, (network, member), draw.clone(), now)?;
        let message = "Private network detachment queued.";
        let answer = Queued::message(tx, customer.account, Some(detached.action), message)?;
        Ok(Effect { answer, wake: Some(detached.host) })
    })
    .await
}

impl From<AttachError> for ApiError {
    fn from(error: AttachError) -> Self {
        let reason = error.to_string();
        match error {
            AttachError::NoNetwork => missing(),
            AttachError::NoServer => servers::missing().naming("server_uuid", reason),
            AttachError::Denied(denied) => denied.into(),
            AttachError::Twice => Self::field(Code::AlreadyExists, "server_uuid", reason),
            AttachError::OtherLocation { .. } => Self::field(Code::ValidationFailed, "server_uuid", reason),
            AttachError::TooMany(_) => Self::field(Code::LimitReached, "server_uuid", reason),
            AttachError::Segment(error) => no_segment(error),
            AttachError::HostCannot => Self::plain(Code::NoNetworkAvailable).naming("server_uuid", reason),
            AttachError::NoAddress => Self::plain(Code::NoNetworkAvailable),
            AttachError::Store(error) => error.into(),
        }
    }
}

impl From<DetachError> for ApiError {
    fn from(error: DetachError) -> Self {
        match error {
            DetachError::NoNetwork | DetachError::NoMember => no_member(),
            DetachError::Denied(denied) => denied.into(),
            DetachError::Store(error) => error.into(),
        }
    }
}
