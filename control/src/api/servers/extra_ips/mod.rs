//! `/servers/{uuid}/extra-ips`: public addresses beside a server's first one. One file a verb.

pub mod add;
pub mod list;
pub mod remove;
pub mod transfer;

use axum::{extract::FromRequestParts, http::request::Parts};
use csp_shared::{
    id::{LeaseId, ServerId},
    limits::NICS_MAX,
};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{
        denied::sentence,
        document::{
            schemas::uuid_parameter,
            sheet::{Part, Sheet},
        },
        envelope::{Money, When},
        error::{ApiError, Code},
        path,
    },
    domain::{adapter::TooManyAdapters, billing::extra_ip::TooManyAdditions},
    service::add_extra_ip::TooManyIps,
    store::{ExtraIp, LeaseState, Read, StoreError},
};

/// The server and the address that a path names. A text that is no UUID names none: the same answer as for one that does not
/// exist.
#[derive(Debug, Clone, Copy)]
pub struct ExtraIpPath(pub ServerId, pub LeaseId);

impl<S: Send + Sync> FromRequestParts<S> for ExtraIpPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        path::ids(parts, state).await.map(|(server, lease)| Self(server, lease)).ok_or_else(missing)
    }
}

impl Part for ExtraIpPath {
    fn describe(sheet: &mut Sheet) {
        sheet.parameter(uuid_parameter("uuid", "The server's uuid."));
        sheet.parameter(uuid_parameter("ip_uuid", "The address's uuid, from the list."));
        sheet.refuses(&[Code::NotFound]);
    }
}

/// The one answer for an address that a server does not have, and for a server that is not there or another account's.
fn missing() -> ApiError {
    ApiError::new(Code::NotFound, "There is no such address on this server.")
}

/// An extra address.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ExtraIp)]
pub struct ExtraIpAnswer {
    /// It keeps it when it is moved.
    #[schema(value_type = Uuid)]
    uuid: LeaseId,
    #[schema(example = "203.0.113.11")]
    address: String,
    /// The adapter that carries it, as `GET /servers/{uuid}` names it.
    #[schema(example = "net1")]
    adapter: String,
    #[schema(example = "0a:c5:3a:1c:5e:07")]
    mac: String,
    /// For a month, as it was sold.
    monthly_price: Money,
    #[schema(inline)]
    status: IpStatus,
    /// When it was added, to whichever server.
    created_at: When,
}

/// How far an address is: asked for, up, or to go. One that is removing is given to nobody else.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(example = "active")]
enum IpStatus {
    Queued,
    Active,
    Removing,
}

impl From<ExtraIp> for ExtraIpAnswer {
    fn from(ip: ExtraIp) -> Self {
        let status = match ip.state {
            LeaseState::Leased if ip.is_coming => IpStatus::Queued,
            LeaseState::Leased => IpStatus::Active,
            LeaseState::Held | LeaseState::Resting | LeaseState::Free => IpStatus::Removing,
        };
        Self {
            uuid: ip.id,
            address: ip.address,
            adapter: ip.adapter,
            mac: ip.mac,
            monthly_price: Money(ip.monthly),
            status,
            created_at: When(ip.added_at),
        }
    }
}

/// One address of a server, right after something was done with it.
fn shown(read: &Read<'_>, server: ServerId, lease: LeaseId) -> Result<ExtraIpAnswer, StoreError> {
    let gone = || StoreError::Damaged(format!("address {lease} is gone as it was asked for"));
    let found = read.extra_ip_list(server)?.into_iter().find(|ip| ip.id == lease);
    found.map(ExtraIpAnswer::from).ok_or_else(gone)
}

impl From<TooManyIps> for ApiError {
    fn from(reached: TooManyIps) -> Self {
        let what = format!(
            "The server may have at most {} extra addresses. Remove one, take a larger package, or ask the provider for \
             more.",
            reached.most
        );
        Self::new(Code::LimitReached, what).with_limit("max_extra_ips", reached.most)
    }
}

impl From<TooManyAdditions> for ApiError {
    fn from(reached: TooManyAdditions) -> Self {
        let most = u32::try_from(reached.max).unwrap_or(u32::MAX);
        Self::new(Code::LimitReached, sentence(&reached.to_string())).with_limit("extra_ips_a_day", most)
    }
}

impl From<TooManyAdapters> for ApiError {
    fn from(reached: TooManyAdapters) -> Self {
        let most = u32::try_from(NICS_MAX).unwrap_or(u32::MAX);
        Self::new(Code::LimitReached, sentence(&reached.to_string())).with_limit("adapters", most)
    }
}

/// Why nothing is done with a primary address.
fn primary(what: &'static str) -> ApiError {
    ApiError::new(Code::Conflict, what)
}
