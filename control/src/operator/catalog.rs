//! `POST /catalog`: what is sold becomes what the file says.

use axum::extract::State;

use super::wire;
use crate::{
    api::{
        App,
        envelope::Answer,
        error::{ApiError, Code},
        json::Json,
    },
    domain::catalog::Catalog,
    service::apply_catalog::{ApplyError, apply_catalog},
    store::{CatalogChange, ChangeKind},
};

/// `POST /catalog`
pub async fn apply(
    State(app): State<App>,
    Json(request): Json<wire::Apply>,
) -> Result<Answer<wire::Applied>, ApiError> {
    let (catalog, dry_run) = (Catalog::from(request.catalog), request.dry_run);
    let (draw, now) = (app.draw(), app.now());
    let outcome = app.store.write(move |tx| apply_catalog(tx, &catalog, dry_run, draw.clone(), now)).await;
    let (changes, applied) = match outcome {
        Ok(changes) => (changes, true),
        Err(ApplyError::DryRun(changes)) => (changes, false),
        Err(ApplyError::Store(error)) => return Err(error.into()),
        Err(bad) => return Err(ApiError::field(Code::ValidationFailed, "catalog", bad.to_string())),
    };
    Ok(Answer::data(wire::Applied { changes: changes.into_iter().map(shown).collect(), applied }))
}

fn shown(change: CatalogChange) -> wire::CatalogChange {
    let (word, detail) = match change.kind {
        ChangeKind::Added => ("add", String::new()),
        ChangeKind::Retired => ("retire", String::new()),
        ChangeKind::Changed(columns) => {
            let columns = columns.iter().map(|(name, before, after)| format!("{name}: {before} -> {after}"));
            ("change", columns.collect::<Vec<_>>().join(", "))
        }
    };
    wire::CatalogChange { kind: change.what.to_owned(), key: change.key, change: word.to_owned(), detail }
}
