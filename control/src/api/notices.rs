//! `GET /notices`: what the provider has to say to this account.

use axum::extract::State;
use csp_shared::id::NoticeId;
use serde::Serialize;
use utoipa::ToSchema;

use super::{
    auth::{By, Reads},
    document::{schemas::NoticeKindWord, tags},
    envelope::{List, When},
    error::ApiError,
    page::{Listed, NoFilters},
    query::Query,
    state::App,
};
use crate::{
    domain::notice::Audience,
    store::{NoticeRow, StoreError},
};

/// Something that the provider has to say. Its words are plain text: show them as such.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Notice)]
pub struct NoticeAnswer {
    #[schema(value_type = Uuid)]
    uuid: NoticeId,
    kind: NoticeKindWord,
    #[schema(example = "Power works in Frankfurt")]
    title: String,
    /// Plain text, of one line or several.
    #[schema(example = "Servers run on; the network may be away for up to five minutes.")]
    text: String,
    /// Only for those with servers in this location; null: not bound to one.
    #[schema(required, example = "fra1")]
    location: Option<String>,
    /// When what it speaks of begins; it is shown before.
    starts_at: When,
    /// When it ends, if that is known.
    #[schema(required)]
    ends_at: Option<When>,
    created_at: When,
}

impl From<NoticeRow> for NoticeAnswer {
    fn from(row: NoticeRow) -> Self {
        let location = match row.audience {
            Audience::Location(slug) => Some(slug.as_str().to_owned()),
            Audience::Everybody | Audience::Account(_) => None,
        };
        Self {
            uuid: row.id,
            kind: NoticeKindWord(row.kind),
            title: row.title,
            text: row.text,
            location,
            starts_at: When(row.starts_at),
            ends_at: row.ends_at.map(When),
            created_at: When(row.created_at),
        }
    }
}

/// List notices
///
/// What the provider has to say now and of what is to come: to everybody, to those with servers in a location, or to this
/// account. The latest beginning comes first; what has ended is left out.
#[utoipa::path(get, path = "/notices", operation_id = "list_notices", tag = tags::META)]
pub async fn list(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    Query(query): Query<Listed<NoFilters>>,
) -> Result<List<NoticeAnswer>, ApiError> {
    let (page, now) = (query.page()?, app.now());
    let rows = app.store.read::<_, StoreError>(move |read| read.notice_list(customer.account, now)).await?;
    let total = rows.len() as u64;
    Ok(List::new(page.cut(rows).into_iter().map(NoticeAnswer::from).collect(), total, &page))
}
