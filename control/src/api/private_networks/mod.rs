//! `/private-networks`: networks of the account's own between its servers, and who is in them.

pub mod members;
pub mod networks;
pub mod subnets;
mod view;

use axum::{extract::FromRequestParts, http::request::Parts};
use csp_shared::id::{MembershipId, NetworkId};

use super::{
    document::{
        schemas::uuid_parameter,
        sheet::{Part, Sheet},
    },
    error::{ApiError, Code},
    path,
};
use crate::service::carry_network::NoSegment;

/// The network that a path names. A text that is no UUID names none.
#[derive(Debug, Clone, Copy)]
pub struct NetworkPath(pub NetworkId);

impl<S: Send + Sync> FromRequestParts<S> for NetworkPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path::id(parts, state).await.map(Self).ok_or_else(missing)
    }
}

impl Part for NetworkPath {
    fn describe(sheet: &mut Sheet) {
        sheet.parameter(uuid_parameter("uuid", "The private network's uuid."));
        sheet.refuses(&[Code::NotFound]);
    }
}

/// The member of a network that a path names. Texts that are no UUIDs name none; which of the two it was is not told.
#[derive(Debug, Clone, Copy)]
pub struct MemberPath {
    /// Of which network.
    pub network: NetworkId,
    /// Which member.
    pub member: MembershipId,
}

impl<S: Send + Sync> FromRequestParts<S> for MemberPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let (network, member) = path::ids(parts, state).await.ok_or_else(no_member)?;
        Ok(Self { network, member })
    }
}

impl Part for MemberPath {
    fn describe(sheet: &mut Sheet) {
        sheet.parameter(uuid_parameter("uuid", "The private network's uuid."));
        sheet.parameter(uuid_parameter("membership_id", "The membership's id, from the network's `members`."));
        sheet.refuses(&[Code::NotFound]);
    }
}

/// The one answer for a network that does not exist and for one of another account.
fn missing() -> ApiError {
    ApiError::new(Code::NotFound, "There is no such private network.")
}

/// The same for a member.
fn no_member() -> ApiError {
    ApiError::new(Code::NotFound, "There is no such member of a private network.")
}

/// Why a location carries no network more.
fn no_segment(error: NoSegment) -> ApiError {
    let reason = error.to_string();
    match error {
        NoSegment::NotThere(_) | NoSegment::NoneFree(_) => {
            ApiError::plain(Code::NoNetworkAvailable).naming("location", reason)
        }
        NoSegment::Store(error) => error.into(),
    }
}
