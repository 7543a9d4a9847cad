//! Ends an operator token: the next request with it is refused.

use csp_shared::id::OperatorTokenId;

use crate::{
    domain::time::Time,
    store::{OperatorTokenRow, StoreError, Tx},
};

/// Why no token was revoked.
#[derive(Debug, thiserror::Error)]
pub enum RevokeOperatorTokenError {
    /// Unknown token.
    #[error("there is no operator token {0}")]
    NoToken(OperatorTokenId),
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Revokes a token; one that is revoked already stays so. Answers what is kept of it.
///
/// # Errors
/// When the token is unknown.
pub fn revoke_operator_token(
    tx: &mut Tx<'_>,
    id: OperatorTokenId,
    now: Time,
) -> Result<OperatorTokenRow, RevokeOperatorTokenError> {
    tx.operator_token_revoke(id, now)?;
    tx.operator_token_get(id)?.ok_or(RevokeOperatorTokenError::NoToken(id))
}
