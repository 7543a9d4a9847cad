//! `/actions`: what was asked of servers, and how far it is. The only place where a destroyed server's can be seen.

pub mod list;
pub mod queued;
pub mod show;
pub mod view;

use axum::{extract::FromRequestParts, http::request::Parts};
use csp_shared::id::ActionId;

use super::{
    document::{
        schemas::uuid_parameter,
        sheet::{Part, Sheet},
    },
    error::{ApiError, Code},
    path,
};

/// The action that a path names. A text that is no UUID names none: the same answer as for one that does not exist.
#[derive(Debug, Clone, Copy)]
pub struct ActionPath(ActionId);

impl<S: Send + Sync> FromRequestParts<S> for ActionPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path::id(parts, state).await.map(Self).ok_or_else(missing)
    }
}

impl Part for ActionPath {
    fn describe(sheet: &mut Sheet) {
        sheet.parameter(uuid_parameter("uuid", "The action's uuid."));
        sheet.refuses(&[Code::NotFound]);
    }
}

/// The one answer for an action that does not exist and for one of another account.
fn missing() -> ApiError {
    ApiError::new(Code::NotFound, "There is no such action.")
}
