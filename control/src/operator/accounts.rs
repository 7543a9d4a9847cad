//! `/accounts`: customers, their wallets and keys.

use axum::extract::{Path, State};
use csp_shared::id::AccountId;

use super::{request::Json, wire};
use crate::{
    api::{
        App,
        envelope::Answer,
        error::{ApiError, Code},
        field::Faults,
    },
    domain::{label::Label, ssh_key::SshKey},
    service::{
        add_ssh_key::{AddSshKeyError, add_ssh_key},
        create_account::create_account,
    },
    store::{Account, StoreError, Tx},
};

/// Longest mail address, in bytes (RFC 5321, 4.5.3.1).
const EMAIL_BYTES_MAX: usize = 254;

/// `POST /accounts`
pub async fn create(
    State(app): State<App>,
    Json(new): Json<wire::NewAccount>,
) -> Result<Answer<wire::Account>, ApiError> {
    let mut faults = Faults::default();
    let name = faults.parsed(Code::ValidationFailed, "name", Label::parse(&new.name));
    if new.email.as_deref().is_some_and(|email| !is_email(email)) {
        faults.add(Code::ValidationFailed, "email", "is no mail address");
    }
    let Some(name) = name else { return Err(faults.refusal()) };
    faults.into_result()?;
    let (draw, now) = (app.draw(), app.now());
    let id = app.store.write(move |tx| create_account(tx, &name, new.email.as_deref(), draw.clone(), now)).await?;
    account(&app, id).await.map(Answer::data)
}

/// `GET /accounts`
pub async fn list(State(app): State<App>) -> Result<Answer<Vec<wire::Account>>, ApiError> {
    let accounts = app.store.read::<_, StoreError>(|read| read.account_list()).await?;
    Ok(Answer::data(accounts.into_iter().map(shown).collect()))
}

/// `POST /accounts/{uuid}/ssh-keys`
pub async fn ssh_key(
    State(app): State<App>,
    Path(account): Path<AccountId>,
    Json(new): Json<wire::NewSshKey>,
) -> Result<Answer<wire::SshKey>, ApiError> {
    let label = label(&new.label)?;
    let key = SshKey::parse(&new.public_key)
        .map_err(|reason| ApiError::field(Code::ValidationFailed, "public_key", reason.to_string()))?;
    let (text, fingerprint) = (label.as_str().to_owned(), key.fingerprint().to_owned());
    let (draw, now) = (app.draw(), app.now());
    let limits = app.settings.limits;
    let added = move |tx: &mut Tx<'_>| add_ssh_key(tx, account, &label, &key, &limits, draw.clone(), now);
    let uuid = app.store.write(added).await?;
    Ok(Answer::data(wire::SshKey { uuid, label: text, fingerprint }))
}

async fn account(app: &App, id: AccountId) -> Result<wire::Account, ApiError> {
    let account = app.store.read::<_, StoreError>(move |read| read.account_get(id)).await?;
    account.map(shown).ok_or_else(|| missing(id))
}

fn shown(account: Account) -> wire::Account {
    let locks = account.locks().into_iter().map(|lock| lock.as_str().to_owned()).collect();
    wire::Account {
        uuid: account.id,
        name: account.name,
        email: account.email,
        balance: account.balance.to_string(),
        owed: account.owed.to_string(),
        locks,
        created_at: account.created_at.to_string(),
    }
}

pub(super) fn label(text: &str) -> Result<Label, ApiError> {
    Label::parse(text).map_err(|reason| ApiError::field(Code::ValidationFailed, "label", reason.to_string()))
}

/// Only a delivered mail proves an address; this keeps out what cannot be one.
fn is_email(text: &str) -> bool {
    let plain = text.chars().all(|c| c.is_ascii_graphic());
    text.len() <= EMAIL_BYTES_MAX
        && plain
        && text.split_once('@').is_some_and(|(who, at)| !who.is_empty() && at.len() > 2)
}

pub(super) fn missing(account: AccountId) -> ApiError {
    ApiError::new(Code::NotFound, format!("There is no account {account}."))
}

impl From<AddSshKeyError> for ApiError {
    fn from(error: AddSshKeyError) -> Self {
        let reason = error.to_string();
        match error {
            AddSshKeyError::NoAccount(account) => missing(account),
            AddSshKeyError::Known(_) => Self::field(Code::AlreadyExists, "public_key", reason),
            AddSshKeyError::Limit(reached) => reached.into(),
            AddSshKeyError::Store(error) => error.into(),
        }
    }
}
