//! `/servers/{uuid}/share-links`: what opens one server's page without an account. The page itself is `api/manage`.

pub mod create;
pub mod list;
pub mod revoke;
pub mod view;

use axum::{
    extract::{FromRequestParts, Path},
    http::request::Parts,
};
use csp_shared::id::{ServerId, ShareLinkId};

use super::ServerPath;
use crate::api::{
    document::{
        schemas::uuid_parameter,
        sheet::{Part, Sheet},
    },
    error::{ApiError, Code},
};

/// The server and the link that a path names. A text that is no UUID names none.
#[derive(Debug, Clone, Copy)]
pub struct LinkPath {
    server: ServerId,
    link: ShareLinkId,
}

impl<S: Send + Sync> FromRequestParts<S> for LinkPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let names = Path::<(String, String)>::from_request_parts(parts, state).await;
        let Path((server, link)) = names.map_err(|_| no_link())?;
        Ok(Self { server: server.parse().map_err(|_| no_link())?, link: link.parse().map_err(|_| no_link())? })
    }
}

impl Part for LinkPath {
    fn describe(sheet: &mut Sheet) {
        ServerPath::describe(sheet);
        sheet.parameter(uuid_parameter("link_uuid", "The management link's uuid."));
    }
}

/// The one answer for a link that is not there, of a server that is not there, and that ended.
fn no_link() -> ApiError {
    ApiError::new(Code::NotFound, "There is no such management link.")
}
