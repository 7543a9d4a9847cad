//! `/accounts`: customers, their wallets and keys.

use axum::{
    extract::{FromRequestParts, State},
    http::request::Parts,
};
use csp_shared::id::AccountId;

use super::wire;
use crate::{
    api::{
        App,
        account::missing,
        envelope::Answer,
        error::{ApiError, Code},
        field::Faults,
        json::Json,
        keys::label,
        path,
    },
    domain::{email::Email, label::Label, ssh_key::SshKey},
    service::{
        add_ssh_key::{AddSshKeyError, add_ssh_key},
        create_account::create_account,
        move_mail::{MoveMailError, move_mail},
    },
    store::{Account, StoreError, Tx},
};

/// The account in a route's path. What is no id is answered like an account that does not exist: to whoever sends it again
/// and again both say the same.
#[derive(Debug)]
pub struct AccountPath(pub AccountId);

impl<S: Send + Sync> FromRequestParts<S> for AccountPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let none = || ApiError::new(Code::NotFound, "There is no such account: the id in the path is none.");
        path::id(parts, state).await.map(Self).ok_or_else(none)
    }
}

/// `POST /accounts`
pub async fn create(
    State(app): State<App>,
    Json(new): Json<wire::NewAccount>,
) -> Result<Answer<wire::Account>, ApiError> {
    let mut faults = Faults::default();
    let name = faults.parsed(Code::ValidationFailed, "name", Label::parse(&new.name));
    let email = new.email.as_deref().filter(|text| !text.is_empty()).map(Email::parse).transpose();
    let email = faults.parsed(Code::ValidationFailed, "email", email);
    let (Some(name), Some(email)) = (name, email) else { return Err(faults.refusal()) };
    let (draw, now) = (app.draw(), app.now());
    let id = app.store.write(move |tx| create_account(tx, &name, email.as_ref(), draw.clone(), now)).await?;
    account(&app, id).await.map(Answer::data)
}

/// `GET /accounts`
pub async fn list(State(app): State<App>) -> Result<Answer<Vec<wire::Account>>, ApiError> {
    let accounts = app.store.read::<_, StoreError>(|read| read.account_list()).await?;
    Ok(Answer::data(accounts.into_iter().map(shown).collect()))
}

/// `POST /accounts/{uuid}/set`
pub async fn set(
    State(app): State<App>,
    AccountPath(id): AccountPath,
    Json(new): Json<wire::SetAccount>,
) -> Result<Answer<wire::AccountSet>, ApiError> {
    let email = Email::parse(&new.email);
    let email = email.map_err(|why| ApiError::field(Code::ValidationFailed, "email", why.to_string()))?;
    let (has_mail, draw, now) = (app.settings.billing.has_mail, app.draw(), app.now());
    let moved = app.store.write(move |tx| move_mail(tx, id, &email, has_mail, draw.clone(), now)).await?;
    let account = account(&app, id).await?;
    Ok(Answer::data(wire::AccountSet { account, changed: moved.changed, letters: moved.letters }))
}

/// `POST /accounts/{uuid}/ssh-keys`
pub async fn ssh_key(
    State(app): State<App>,
    AccountPath(account): AccountPath,
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

impl From<MoveMailError> for ApiError {
    fn from(error: MoveMailError) -> Self {
        match error {
            MoveMailError::NoAccount(account) => missing(account),
            MoveMailError::Store(error) => error.into(),
        }
    }
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
