//! `/orphans`: what hosts have that no spec explains.

use axum::extract::State;

use super::wire::hosts::Orphan;
use crate::{
    api::{App, envelope::Answer, error::ApiError},
    store::{OrphanRow, StoreError},
};

/// `GET /orphans`: as hosts told of them last, a minute ago at most where they are connected.
pub async fn list(State(app): State<App>) -> Result<Answer<Vec<Orphan>>, ApiError> {
    let orphans = app.store.read::<_, StoreError>(|read| read.orphan_list()).await?;
    Ok(Answer::data(orphans.into_iter().map(shown).collect()))
}

fn shown(orphan: OrphanRow) -> Orphan {
    let OrphanRow { host, kind, name, macs, addresses, first_seen_at } = orphan;
    Orphan { host, kind: kind.as_str().to_owned(), name, macs, addresses, first_seen_at: first_seen_at.to_string() }
}
