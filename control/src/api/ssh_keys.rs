//! `/ssh-keys`: public keys of the account, one of which can be chosen for a server.

use axum::{
    extract::{FromRequestParts, Path, State},
    http::{HeaderMap, request::Parts},
    response::Response,
};
use csp_shared::id::SshKeyId;
use serde::{Deserialize, Serialize};

use super::{
    auth::{By, Reads, Writes},
    body::JsonBody,
    envelope::{Answer, When},
    error::{ApiError, Code},
    field::{Faults, Field, Unknown},
    idempotency::{Effect, Once},
    page::PageQuery,
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
#[derive(Debug, Serialize)]
pub struct SshKey {
    uuid: SshKeyId,
    label: String,
    fingerprint: String,
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
#[derive(Debug, Deserialize)]
pub struct NewBody {
    #[serde(default)]
    label: Field<String>,
    #[serde(default)]
    public_key: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// The body of a new name.
#[derive(Debug, Deserialize)]
pub struct RenameBody {
    #[serde(default)]
    label: Field<String>,
    #[serde(flatten)]
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
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| missing())?;
        text.parse().map(Self).map_err(|_| missing())
    }
}

fn missing() -> ApiError {
    ApiError::new(Code::NotFound, "There is no such SSH key.")
}

/// `GET /ssh-keys`
pub async fn list(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    Query(query): Query<PageQuery>,
) -> Result<Answer<Vec<SshKey>>, ApiError> {
    let page = query.page(None)?;
    let rows = app.store.read::<_, StoreError>(move |read| read.ssh_key_list(customer.account)).await?;
    let total = rows.len() as u64;
    Ok(Answer::list(page.cut(rows).into_iter().map(SshKey::from).collect(), total, &page))
}

/// `POST /ssh-keys`
pub async fn add(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    headers: HeaderMap,
    body: JsonBody<NewBody>,
) -> Result<Response, ApiError> {
    let once = Once::read(&app, &headers, &customer, "POST /ssh-keys", &body.canonical)?;
    let (label, key) = body.value.parse()?;
    let (draw, now, settings) = (app.draw(), app.now(), app.settings.clone());
    once.run(&app, move |tx| {
        let id = add_ssh_key(tx, customer.account, &label, &key, &settings.limits, draw.clone(), now)?;
        let gone = || StoreError::Damaged(format!("SSH key {id} is gone right after it was added"));
        let row = tx.ssh_key_get(customer.account, id)?.ok_or_else(gone)?;
        Ok(Effect { body: Answer::data(SshKey::from(row)).with_message("SSH key added.").render(), wake: None })
    })
    .await
}

/// `PATCH /ssh-keys/{uuid}`
pub async fn rename(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    SshKeyPath(key): SshKeyPath,
    headers: HeaderMap,
    body: JsonBody<RenameBody>,
) -> Result<Response, ApiError> {
    let once = Once::read(&app, &headers, &customer, &format!("PATCH /ssh-keys/{key}"), &body.canonical)?;
    let label = body.value.parse()?;
    once.run(&app, move |tx| {
        let row = rename_ssh_key(tx, customer.account, key, label.as_ref())?;
        Ok(Effect { body: Answer::data(SshKey::from(row)).with_message("SSH key updated.").render(), wake: None })
    })
    .await
}

/// `DELETE /ssh-keys/{uuid}`
pub async fn delete(
    State(app): State<App>,
    By { customer, .. }: By<Writes>,
    SshKeyPath(key): SshKeyPath,
    headers: HeaderMap,
    body: JsonBody<EmptyBody>,
) -> Result<Response, ApiError> {
    let once = Once::read(&app, &headers, &customer, &format!("DELETE /ssh-keys/{key}"), &body.canonical)?;
    body.value.parse()?;
    once.run(&app, move |tx| {
        delete_ssh_key(tx, customer.account, key)?;
        Ok(Effect { body: Answer::message("SSH key deleted.").render(), wake: None })
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
