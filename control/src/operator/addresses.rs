//! `/addresses`: those that are set aside; and how many a server may have.

use axum::extract::{Path, State};
use csp_shared::id::ServerId;

use super::wire::addresses::{AllowExtraIps, Aside, Clear, ExtraIpsAllowed};
use crate::{
    api::{
        App,
        envelope::Answer,
        error::{ApiError, Code},
        json::Json,
    },
    service::{
        allow_extra_ips::{AllowError, allow_extra_ips},
        clear_address::{ClearError, clear_address},
    },
    store::{AsideRow, StoreError},
};

/// `GET /addresses/aside`
pub async fn aside(State(app): State<App>) -> Result<Answer<Vec<Aside>>, ApiError> {
    let rows = app.store.read::<_, StoreError>(|read| read.address_aside_list()).await?;
    Ok(Answer::data(rows.into_iter().map(shown).collect()))
}

/// `POST /addresses/clear`
pub async fn clear(State(app): State<App>, Json(asked): Json<Clear>) -> Result<Answer<Clear>, ApiError> {
    let address = asked.address;
    app.store.write(move |tx| clear_address(tx, address)).await?;
    Ok(Answer::data(asked))
}

/// `POST /servers/{uuid}/extra-ips`
pub async fn allow(
    State(app): State<App>,
    Path(server): Path<ServerId>,
    Json(asked): Json<AllowExtraIps>,
) -> Result<Answer<ExtraIpsAllowed>, ApiError> {
    let max = asked.max;
    let max = app.store.write(move |tx| allow_extra_ips(tx, server, max)).await?;
    Ok(Answer::data(ExtraIpsAllowed { max }))
}

fn shown(row: AsideRow) -> Aside {
    let AsideRow { address, server, detail, found_at } = row;
    Aside { address, server, detail, found_at: found_at.to_string() }
}

impl From<ClearError> for ApiError {
    fn from(error: ClearError) -> Self {
        match error {
            ClearError::NotAside(_) => Self::new(Code::NotFound, error.to_string()),
            ClearError::Store(error) => error.into(),
        }
    }
}

impl From<AllowError> for ApiError {
    fn from(error: AllowError) -> Self {
        match error {
            AllowError::NoServer(_) => Self::new(Code::NotFound, error.to_string()),
            AllowError::TooMany => Self::field(Code::ValidationFailed, "max", error.to_string()),
            AllowError::Store(error) => error.into(),
        }
    }
}
