//! `/servers`: ordering, looking, power, removal. One file a verb; what they share is how a server is shown and named.

pub mod change_package;
pub mod console;
pub mod destroy;
pub mod extend;
pub mod extra_ips;
pub mod metrics;
mod names;
pub mod order;
pub mod power;
pub mod reinstall;
pub mod reset_password;
pub mod share_links;
pub mod show;
pub mod traffic;
pub mod update;
pub mod view;

use axum::{extract::FromRequestParts, http::request::Parts};
use csp_shared::id::ServerId;

use super::{
    document::{
        schemas::uuid_parameter,
        sheet::{Part, Sheet},
    },
    error::{ApiError, Code},
    path,
};
use crate::{domain::money::Cents, service::afford::Unaffordable};

/// The server that a path names. A text that is no UUID names none: the same answer as for one that does not exist.
#[derive(Debug, Clone, Copy)]
pub struct ServerPath(pub ServerId);

impl<S: Send + Sync> FromRequestParts<S> for ServerPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path::id(parts, state).await.map(Self).ok_or_else(missing)
    }
}

impl Part for ServerPath {
    fn describe(sheet: &mut Sheet) {
        sheet.parameter(uuid_parameter("uuid", "The server's uuid."));
        sheet.refuses(&[Code::NotFound]);
    }
}

/// The one answer for a server that does not exist and for one of another account.
#[must_use]
pub fn missing() -> ApiError {
    ApiError::new(Code::NotFound, "There is no such server.")
}

/// Why nothing was paid. `field` names what the price is for, and `nothing` says what did not happen.
fn unaffordable(error: Unaffordable, field: &'static str, nothing: &str) -> ApiError {
    let reason = error.to_string();
    match error {
        Unaffordable::Locked(lock) => ApiError::new(Code::AccountLocked, format!("The account may not order: {lock}.")),
        Unaffordable::Short { price, missing, renewal } => {
            let what = if renewal == Cents::ZERO {
                format!("The price is {price} USD, and the balance is {missing} USD short. {nothing}")
            } else {
                format!(
                    "The service is due for renewal, which takes {renewal} USD first; the price is {price} USD, and the \
                     balance is {missing} USD short of both. {nothing}"
                )
            };
            ApiError::new(Code::InsufficientBalance, what).naming(field, reason)
        }
        Unaffordable::Store(error) => error.into(),
    }
}
