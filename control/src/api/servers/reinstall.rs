//! `POST /servers/{uuid}/reinstall`.

use axum::extract::State;
use csp_shared::{
    id::{ServerId, SshKeyId},
    secret::Secret,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    ServerPath, missing,
    names::{self, Unreadable},
    order::root_password,
};
use crate::{
    api::{
        actions::queued::{Accepted, Queued, example},
        auth::{By, Writes},
        body::JsonBody,
        document::{
            schemas::{OptionalUuid, SlugText},
            tags,
        },
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        idempotency::{Effect, IdempotencyKey, Once},
        state::App,
    },
    domain::{action::Command, slug::Slug},
    service::{
        known_names::Named,
        reinstall_server::{Reinstall, ReinstallError, reinstall_server},
    },
};

const QUEUED: &str = "Reinstall has been queued.";

/// What is installed, and who may enter.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = Reinstall, example = json!({"os_image_key": "ubuntu-24-04"}))]
pub struct ReinstallBody {
    /// From `GET /os-images`.
    #[serde(default)]
    #[schema(value_type = SlugText, required)]
    os_image_key: Field<String>,
    /// From `GET /ssh-keys`: takes the place of the key that was chosen before. Left out, the same keys open the server
    /// again; where there are none, the answer has a `root_password`, this once.
    #[serde(default)]
    #[schema(value_type = OptionalUuid)]
    ssh_key_uuid: Field<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// A reinstall that was accepted.
#[derive(Debug, Serialize, ToSchema)]
pub struct ReinstallAnswer {
    #[schema(value_type = Uuid)]
    uuid: ServerId,
    /// Of root, in this answer alone; only where no key opens the server.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = "password")]
    root_password: Option<Secret>,
}

/// Reinstall a server
///
/// Makes the disk anew from an image and starts it; whatever was on it is lost. Addresses, keys and user data stay. While
/// the image is fetched the server goes on as it is, and when that fails it stays so.
#[utoipa::path(
    post,
    path = "/servers/{uuid}/reinstall",
    operation_id = "reinstall_server",
    tag = tags::SERVERS,
    extensions(
        ("x-error-codes" = json!([
            Code::ServerBusy, Code::Conflict, Code::Protected, Code::NoCapacity, Code::RenewalDue,
            Code::ImageNotFound, Code::SshKeyNotFound
        ])),
        ("x-example" = json!({"message": QUEUED, "action": example(Command::Reinstall)}))
    )
)]
pub async fn reinstall(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    ServerPath(server): ServerPath,
    key: IdempotencyKey,
    body: JsonBody<ReinstallBody>,
) -> Result<Accepted<ReinstallAnswer>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    let (image, ssh_key) = match body.value.parse() {
        Ok(wanted) => wanted,
        Err(unreadable) => return Err(unreadable.refusal(&app, &customer, Some(server)).await),
    };
    let password = if ssh_key.is_none() { Some(root_password(&app).await?) } else { None };
    let (hash, plain) = password.map(|password| (password.hash, password.plain)).unzip();
    let wanted =
        Reinstall { account: customer.account, server, image: image.into_text(), ssh_key, password_hash: hash };
    let (draw, now) = (app.draw(), app.now());
    // Whether it is paid for is told by the time, and nothing is erased on what nobody pays.
    let measured = app.clock.measured();
    once.run(&app, move |tx| {
        measured?;
        let done = reinstall_server(tx, &wanted, draw.clone(), now)?;
        let root_password = plain.clone().filter(|_| done.by_password);
        let queued = Queued::message(tx, wanted.account, Some(done.action), QUEUED)?;
        Ok(Effect { answer: queued.with(ReinstallAnswer { uuid: server, root_password }), wake: Some(done.host) })
    })
    .await
}

impl ReinstallBody {
    fn parse(self) -> Result<(Slug, Option<SshKeyId>), Unreadable> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let image = faults
            .required("os_image_key", self.os_image_key)
            .and_then(|text| faults.parsed(Code::ImageNotFound, "os_image_key", Slug::parse(&text)));
        let ssh_key = faults.optional("ssh_key_uuid", self.ssh_key_uuid).and_then(|text| {
            let key = text.parse().map_err(|_| "is no UUID; GET /ssh-keys lists your keys");
            faults.parsed(Code::SshKeyNotFound, "ssh_key_uuid", key)
        });
        match image {
            Some(image) if faults.is_empty() => Ok((image, ssh_key)),
            image => {
                let named = Named { image: image.map(Slug::into_text), ssh_key, ..Named::default() };
                Err(Unreadable::new(faults, named))
            }
        }
    }
}

impl From<ReinstallError> for ApiError {
    fn from(error: ReinstallError) -> Self {
        match error {
            ReinstallError::NotFound => missing(),
            ReinstallError::Denied(denied) => denied.into(),
            ReinstallError::RenewalDue(_) => Self::plain(Code::RenewalDue),
            ReinstallError::Unknown(unknown) => names::refusal(&unknown),
            ReinstallError::NoCapacity(_) => Self::new(
                Code::NoCapacity,
                "The server's host has no room for a new disk beside the old one right now. Nothing was changed.",
            ),
            ReinstallError::Store(error) => error.into(),
        }
    }
}
