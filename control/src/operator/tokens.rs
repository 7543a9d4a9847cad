//! `/tokens`: what opens the operator API to other machines. Made here alone: a token never makes tokens.

use axum::extract::{Path, State};
use csp_shared::id::OperatorTokenId;

use super::wire::tokens::{NewToken, Token, TokenShow};
use crate::{
    api::{
        App,
        envelope::Answer,
        error::{ApiError, Code},
        field::Faults,
        json::Json,
        keys::label,
    },
    domain::{
        operator_scope::{OperatorScope, OperatorScopes},
        time::Time,
    },
    service::{
        create_operator_token::{CreateOperatorToken, CreateOperatorTokenError, create_operator_token},
        revoke_operator_token::{RevokeOperatorTokenError, revoke_operator_token},
    },
    store::{OperatorTokenRow, StoreError},
};

/// `POST /tokens`
pub async fn create(State(app): State<App>, Json(new): Json<NewToken>) -> Result<Answer<Token>, ApiError> {
    let label = label(&new.label)?;
    let text = label.as_str().to_owned();
    let mut faults = Faults::default();
    let read = |word: &String| OperatorScope::parse(word).ok_or("are credits, refunds, disputes, accounts and ledger");
    let scopes = new.scopes.iter().map(read).collect::<Result<OperatorScopes, _>>();
    let scopes = scopes.and_then(|scopes| if scopes.is_empty() { Err("name at least one") } else { Ok(scopes) });
    let scopes = faults.parsed(Code::ValidationFailed, "scopes", scopes);
    let expires_at = new
        .expires_at
        .as_deref()
        .and_then(|text| faults.parsed(Code::ValidationFailed, "expires_at", text.parse::<Time>()));
    let Some(scopes) = scopes else { return Err(faults.refusal()) };
    faults.into_result()?;
    let wanted = CreateOperatorToken { label, scopes, expires_at };
    let (draw, now) = (app.draw(), app.now());
    let created = app.store.write(move |tx| create_operator_token(tx, &wanted, draw.clone(), now)).await?;
    Ok(Answer::data(Token { uuid: created.id, label: text, token: created.token }))
}

/// `GET /tokens`
pub async fn list(State(app): State<App>) -> Result<Answer<Vec<TokenShow>>, ApiError> {
    let rows = app.store.read::<_, StoreError>(|read| read.operator_token_list()).await?;
    let now = app.now();
    Ok(Answer::data(rows.into_iter().map(|row| shown(row, now)).collect()))
}

/// `POST /tokens/{uuid}/revoke`
pub async fn revoke(State(app): State<App>, Path(id): Path<OperatorTokenId>) -> Result<Answer<TokenShow>, ApiError> {
    let now = app.now();
    let row = app.store.write(move |tx| revoke_operator_token(tx, id, now)).await?;
    Ok(Answer::data(shown(row, now)))
}

fn shown(row: OperatorTokenRow, now: Time) -> TokenShow {
    let state = match row.revoked_at {
        Some(_) => "revoked",
        None if !row.is_open(now) => "expired",
        None => "active",
    };
    TokenShow {
        uuid: row.id,
        label: row.label,
        preview: row.preview,
        state: state.to_owned(),
        scopes: row.scopes.words().map(str::to_owned).collect(),
        created_at: row.created_at.to_string(),
        expires_at: row.expires_at.map(|at| at.to_string()),
        revoked_at: row.revoked_at.map(|at| at.to_string()),
    }
}

impl From<CreateOperatorTokenError> for ApiError {
    fn from(error: CreateOperatorTokenError) -> Self {
        match error {
            CreateOperatorTokenError::Expired => Self::field(Code::ValidationFailed, "expires_at", error.to_string()),
            CreateOperatorTokenError::Store(error) => error.into(),
        }
    }
}

impl From<RevokeOperatorTokenError> for ApiError {
    fn from(error: RevokeOperatorTokenError) -> Self {
        match error {
            RevokeOperatorTokenError::NoToken(token) => {
                Self::new(Code::NotFound, format!("There is no operator token {token}."))
            }
            RevokeOperatorTokenError::Store(error) => error.into(),
        }
    }
}
