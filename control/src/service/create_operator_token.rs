//! Makes a token with which another machine uses a part of the operator API. The plain token is in the answer and nowhere
//! else.

use csp_shared::{id::OperatorTokenId, secret::Secret};

use crate::{
    domain::{
        draw::Draw,
        label::Label,
        operator_scope::OperatorScopes,
        time::Time,
        token::{self, TokenKind},
    },
    store::{NewOperatorToken, StoreError, Tx},
};

/// A token that is wanted.
#[derive(Clone, Debug)]
pub struct CreateOperatorToken {
    /// For people: which machine has it.
    pub label: Label,
    /// What it may do.
    pub scopes: OperatorScopes,
    /// Until when it works.
    pub expires_at: Option<Time>,
}

/// A new token.
#[derive(Clone, Debug)]
pub struct OperatorTokenCreated {
    /// Its id.
    pub id: OperatorTokenId,
    /// Shown once.
    pub token: Secret,
}

/// Why a token was not made.
#[derive(Debug, thiserror::Error)]
pub enum CreateOperatorTokenError {
    /// It would never open anything.
    #[error("is not in the future")]
    Expired,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Makes a token.
///
/// # Errors
/// When it would be expired.
pub fn create_operator_token(
    tx: &mut Tx<'_>,
    wanted: &CreateOperatorToken,
    draw: Draw,
    now: Time,
) -> Result<OperatorTokenCreated, CreateOperatorTokenError> {
    let mut draw = draw;
    if wanted.expires_at.is_some_and(|end| end <= now) {
        return Err(CreateOperatorTokenError::Expired);
    }
    let id = OperatorTokenId(draw.uuid(now));
    let token = token::make(TokenKind::Operator, &mut draw);
    let (hash, preview) = (token::hash(&token), token::preview(&token));
    let CreateOperatorToken { label, scopes, expires_at } = wanted;
    let new = NewOperatorToken { id, label, preview: &preview, hash, scopes, expires_at: *expires_at };
    tx.operator_token_insert(&new, now)?;
    Ok(OperatorTokenCreated { id, token })
}
