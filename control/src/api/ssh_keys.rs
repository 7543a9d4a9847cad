//! `GET /ssh-keys`: public keys of the account, one of which can be chosen for a server.

use axum::extract::State;
use csp_shared::id::SshKeyId;
use serde::Serialize;

use super::{
    auth::{By, Reads},
    envelope::{Answer, When},
    error::ApiError,
    page::PageQuery,
    query::Query,
    state::App,
};
use crate::store::{SshKeyRow, StoreError};

/// A public key.
#[derive(Debug, Serialize)]
pub struct SshKey {
    uuid: SshKeyId,
    label: String,
    fingerprint: String,
    created_at: When,
}

impl From<SshKeyRow> for SshKey {
    fn from(row: SshKeyRow) -> Self {
        let created_at = When(row.created_at);
        Self { uuid: row.id, label: row.label, fingerprint: row.fingerprint, created_at }
    }
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
