//! `/ssh-keys`: public keys of the account, one of which can be chosen for a server.

use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
};
use csp_shared::id::SshKeyId;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    auth::{By, Reads, Writes},
    body::JsonBody,
    document::{
        schemas::{LabelText, OptionalLabel, PublicKeyText, uuid_parameter},
        sheet::{Part, Sheet},
        tags,
    },
    envelope::{Answer, List, When},
    error::{ApiError, Code},
    field::{Faults, Field, Unknown},
    idempotency::{Answered, Effect, IdempotencyKey, Once},
    page::{Listed, NoFilters},
    path,
    query::Query,
    servers::power::EmptyBody,
    state::App,
};
use crate::{
    domain::{
        label::Label,
        ssh_key::{self, BadSshKey},
    },
    service::{
        add_ssh_key::add_ssh_key,
        delete_ssh_key::delete_ssh_key,
        rename_ssh_key::{ChangeSshKeyError, rename_ssh_key},
    },
    store::{SshKeyRow, StoreError},
};

/// A public key.
#[derive(Debug, Serialize, ToSchema)]
pub struct SshKey {
    #[schema(value_type = Uuid)]
    uuid: SshKeyId,
    #[schema(example = "Laptop")]
    label: String,
    #[schema(example = "SHA256:uNiVztksCsDhcc0u9e8BrYJN6wmYr4Fc1cMdhJ9yBsc")]
    fingerprint: String,
    #[schema(example = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIKfmrRSqDLTEiM8PDGb4Ig3Au4v1xv9VU6fNYDfSbKUK")]
    public_key: String,
    created_at: When,
}

impl From<SshKeyRow> for SshKey {
    fn from(row: SshKeyRow) -> Self {
        let (created_at, public_key) = (When(row.created_at), row.public_key);
        Self { uuid: row.id, label: row.label, fingerprint: row.fingerprint, public_key, created_at }
    }
}

/// The body of a new key.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = NewSshKey)]
pub struct NewBody {
    #[serde(default)]
    #[schema(value_type = LabelText, required)]
    label: Field<String>,
    /// One line as in `~/.ssh/id_ed25519.pub`.
    #[serde(default)]
    #[schema(value_type = PublicKeyText, required)]
    public_key: Field<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

/// The body of a new name.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SshKeyChange)]
pub struct RenameBody {
    #[serde(default)]
    #[schema(value_type = OptionalLabel)]
    label: Field<String>,
    #[serde(flatten)]
    #[schema(ignore)]
    unknown: Unknown,
}

impl NewBody {
    fn parse(self) -> Result<(Label, ssh_key::SshKey), ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let text = faults.required("label", self.label);
        let label = text.and_then(|text| label(&mut faults, &text));
        let key = faults
            .required("public_key", self.public_key)
            .and_then(|text| faults.parsed(Code::InvalidSshKey, "public_key", ssh_key::SshKey::parse(&text)));
        match (label, key) {
            (Some(label), Some(key)) => faults.into_result().map(|()| (label, key)),
            _ => Err(faults.refusal()),
        }
    }
}

impl RenameBody {
    /// What is left out stays as it is, so a body without fields changes nothing.
    fn parse(self) -> Result<Option<Label>, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let text = faults.optional("label", self.label);
        let label = text.and_then(|text| label(&mut faults, &text));
        faults.into_result().map(|()| label)
    }
}

/// A name is stored and shown, so a key that slipped into the wrong field is caught here as well.
fn label(faults: &mut Faults, text: &str) -> Option<Label> {
    if ssh_key::holds_private_key(text) {
        faults.add(Code::InvalidSshKey, "label", BadSshKey::Private.to_string());
        return None;
    }
    faults.parsed(Code::ValidationFailed, "label", Label::parse(text))
}

/// The key that a path names. A text that is no UUID names none.
#[derive(Debug, Clone, Copy)]
pub struct SshKeyPath(SshKeyId);

impl<S: Send + Sync> FromRequestParts<S> for SshKeyPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path::id(parts, state).await.map(Self).ok_or_else(missing)
    }
}

impl Part for SshKeyPath {
    fn describe(sheet: &mut Sheet) {
        sheet.parameter(uuid_parameter("uuid", "The key's uuid."));
        sheet.refuses(&[Code::NotFound]);
    }
}

fn missing() -> ApiError {
    ApiError::new(Code::NotFound, "There is no such SSH key.")
}

/// List SSH keys
///
/// Public keys of the account, one of which can be chosen for a new server.
#[utoipa::path(get, path = "/ssh-keys", operation_id = "list_ssh_keys", tag = tags::SSH_KEYS)]
pub async fn list(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    Query(query): Query<Listed<NoFilters>>,
) -> Result<List<SshKey>, ApiError> {
    let page = query.page()?;
    let rows = app.store.read::<_, StoreError>(move |read| read.ssh_key_list(customer.account)).await?;
    let total = rows.len() as u64;
    Ok(List::new(page.cut(rows).into_iter().map(SshKey::from).collect(), total, &page))
}

/// Add an SSH key
///
/// A public key that new servers can let in.
#[utoipa::path(
    post,
    path = "/ssh-keys",
    operation_id = "add_ssh_key",
    tag = tags::SSH_KEYS,
    extensions(("x-error-codes" = json!([Code::AlreadyExists, Code::InvalidSshKey, Code::LimitReached])))
)]
pub async fn add(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    key: IdempotencyKey,
    body: JsonBody<NewBody>,
) -> Result<Answered<SshKey>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    let (label, public_key) = body.value.parse()?;
    let (draw, now, settings) = (app.draw(), app.now(), app.settings.clone());
    once.run(&app, move |tx| {
        let id = add_ssh_key(tx, customer.account, &label, &public_key, &settings.limits, draw.clone(), now)?;
        let gone = || StoreError::Damaged(format!("SSH key {id} is gone right after it was added"));
        let row = tx.ssh_key_get(customer.account, id)?.ok_or_else(gone)?;
        Ok(Effect { answer: Answer::data(SshKey::from(row)).with_message("SSH key added."), wake: None })
    })
    .await
}

/// Rename an SSH key
///
/// What is left out stays as it is.
#[utoipa::path(
    patch,
    path = "/ssh-keys/{uuid}",
    operation_id = "rename_ssh_key",
    tag = tags::SSH_KEYS,
    extensions(("x-error-codes" = json!([Code::InvalidSshKey])))
)]
pub async fn rename(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    SshKeyPath(ssh_key): SshKeyPath,
    key: IdempotencyKey,
    body: JsonBody<RenameBody>,
) -> Result<Answered<SshKey>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    let label = body.value.parse()?;
    once.run(&app, move |tx| {
        let row = rename_ssh_key(tx, customer.account, ssh_key, label.as_ref())?;
        Ok(Effect { answer: Answer::data(SshKey::from(row)).with_message("SSH key updated."), wake: None })
    })
    .await
}

/// Delete an SSH key
///
/// Servers that were ordered with it keep it.
#[utoipa::path(
    delete,
    path = "/ssh-keys/{uuid}",
    operation_id = "delete_ssh_key",
    tag = tags::SSH_KEYS,
    extensions(("x-example" = json!({"message": "SSH key deleted."})))
)]
pub async fn delete(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    SshKeyPath(ssh_key): SshKeyPath,
    key: IdempotencyKey,
    body: JsonBody<EmptyBody>,
) -> Result<Answered<()>, ApiError> {
    let once = Once::new(&app, &key, &customer, &body);
    body.value.parse()?;
    once.run(&app, move |tx| {
        delete_ssh_key(tx, customer.account, ssh_key)?;
        Ok(Effect { answer: Answer::message("SSH key deleted."), wake: None })
    })
    .await
}

impl From<ChangeSshKeyError> for ApiError {
    fn from(error: ChangeSshKeyError) -> Self {
        match error {
            ChangeSshKeyError::NotFound => missing(),
            ChangeSshKeyError::Store(error) => error.into(),
        }
    }
}
