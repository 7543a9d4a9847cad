//! A management link as its owner sees it.

use std::collections::BTreeMap;

use csp_shared::{id::ShareLinkId, secret::Secret};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{document::schemas::PermissionsObject, envelope::When, manage},
    config::PublicUrl,
    domain::share_link::{Permission, Permissions},
    service::create_share_link::ShareLinkMade,
    store::ShareLinkRow,
};

/// A management link.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ShareLink)]
pub struct LinkAnswer {
    #[schema(value_type = Uuid)]
    uuid: ShareLinkId,
    #[schema(example = "Customer link")]
    label: String,
    /// Its token's first and last characters; the rest is not kept.
    #[schema(example = "csp_sh_abc...\u{2022}\u{2022}\u{2022}\u{2022}1234")]
    token_preview: String,
    #[schema(value_type = PermissionsObject)]
    permissions: Granted,
    /// From then on it opens nothing; null when it has no end.
    #[schema(required)]
    expires_at: Option<When>,
    created_at: When,
    /// How often a browser opened it.
    #[schema(minimum = 0, example = 3)]
    uses: u64,
    /// When it was last opened, or something done by it.
    #[schema(required)]
    last_used_at: Option<When>,
    /// From which address.
    #[schema(required, example = "203.0.113.9")]
    last_used_from: Option<String>,
}

impl From<ShareLinkRow> for LinkAnswer {
    fn from(row: ShareLinkRow) -> Self {
        let (last_used_at, last_used_from) = row.last_used.unzip();
        Self {
            uuid: row.id,
            label: row.label,
            token_preview: row.preview,
            permissions: Granted::from(row.permissions),
            expires_at: row.expires_at.map(When),
            created_at: When(row.created_at),
            uses: row.uses,
            last_used_at: last_used_at.map(When),
            last_used_from,
        }
    }
}

/// What is allowed, each with `true`.
#[derive(Debug, Serialize)]
#[serde(transparent)]
struct Granted(BTreeMap<&'static str, bool>);

impl From<Permissions> for Granted {
    fn from(permissions: Permissions) -> Self {
        Self(permissions.iter().map(Permission::as_str).map(|name| (name, true)).collect())
    }
}

/// A new link.
#[derive(Clone, Debug, Serialize, ToSchema)]
#[schema(as = ShareLinkUrl)]
pub struct LinkUrl {
    #[schema(value_type = Uuid)]
    uuid: ShareLinkId,
    /// Whoever has it may do what it allows. It is in this answer alone.
    #[schema(
        value_type = String,
        format = "uri",
        example = "https://vps.example.com/manage/csp_sh_2TZr7mGvXJd1q0bWc5yNfKpLhA8sEuR3oVi6xCtYgHw"
    )]
    url: Secret,
}

impl LinkUrl {
    /// Where a browser finds the page of a link that was just made.
    #[must_use]
    pub fn new(made: ShareLinkMade, public_url: &PublicUrl) -> Self {
        let url = format!("{public_url}{}/{}", manage::PATH, made.token.reveal());
        Self { uuid: made.id, url: Secret::new(url) }
    }
}
