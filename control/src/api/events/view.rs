//! An event as its account sees it, and the answer that lists some.

use std::borrow::Cow;

use axum::response::{IntoResponse, Response};
use csp_shared::id::{ActionId, ServerId};
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::{
    PartialSchema as _, ToSchema,
    openapi::{ArrayBuilder, ObjectBuilder, Type},
};

use crate::{
    api::{
        document::{
            schemas::{Count, EventKindText, Yes},
            sheet::{Part, Sheet},
        },
        envelope::{When, json, message, render},
        page::Page,
    },
    domain::event::Resume,
    store::{EventRow, StoreError},
};

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Event)]
pub struct EventAnswer {
    /// Its position among the account's events: they count up by one.
    #[schema(minimum = 1, example = 17)]
    id: u64,
    #[serde(rename = "type")]
    #[schema(value_type = EventKindText)]
    kind: String,
    /// To which server, if it is about one.
    #[schema(required, value_type = Option<Uuid>)]
    server_uuid: Option<ServerId>,
    /// By which action, if there is one.
    #[schema(required, value_type = Option<Uuid>)]
    action_uuid: Option<ActionId>,
    created_at: When,
    /// The rest; its type says what is in it. More may be added.
    #[schema(value_type = Object, example = json!({"command": "start"}))]
    data: Box<RawValue>,
}

impl EventAnswer {
    /// Its position.
    pub fn id(&self) -> u64 {
        self.id
    }

    /// Its kind.
    pub fn kind(&self) -> &str {
        &self.kind
    }
}

impl TryFrom<EventRow> for EventAnswer {
    type Error = StoreError;

    fn try_from(row: EventRow) -> Result<Self, StoreError> {
        let data = RawValue::from_string(row.data).map_err(|why| StoreError::Damaged(why.to_string()))?;
        let (server_uuid, action_uuid, created_at) = (row.server, row.action, When(row.created_at));
        Ok(Self { id: row.position, kind: row.kind, server_uuid, action_uuid, created_at, data })
    }
}

/// Events after a position.
#[derive(Debug, Serialize)]
pub struct EventsAnswer {
    ok: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    message: Option<Cow<'static, str>>,
    data: Vec<EventAnswer>,
    total: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    limit: Option<u64>,
    next_after: u64,
    gap: bool,
}

impl EventsAnswer {
    /// A part of `total` events.
    pub fn new(data: Vec<EventAnswer>, total: u64, resume: Resume, page: &Page) -> Self {
        let next_after = data.last().map_or(resume.after, EventAnswer::id);
        Self { ok: true, message: page.note(), data, total, limit: page.limit(), next_after, gap: resume.gap }
    }
}

impl IntoResponse for EventsAnswer {
    fn into_response(self) -> Response {
        json(render(&self))
    }
}

impl Part for EventsAnswer {
    fn describe(sheet: &mut Sheet) {
        let missed = "Events that you have not seen are not kept any more: read anew what you follow.";
        let gap = ObjectBuilder::new().schema_type(Type::Boolean).description(Some(missed));
        let more = "How many there are after the position that was asked for, these among them.";
        let schema = ObjectBuilder::new()
            .property("ok", Yes::schema())
            .property("message", message())
            .property(
                "data",
                ArrayBuilder::new().items(sheet.reference::<EventAnswer>()).description(Some("Oldest first.")),
            )
            .property("total", Count::described(more))
            .property("limit", Count::described("Most events of this answer, if there is such a bound."))
            .property("next_after", Count::described("Send it as `after` next time."))
            .property("gap", gap);
        sheet.answers(["ok", "data", "total", "next_after", "gap"].into_iter().fold(schema, ObjectBuilder::required));
    }
}
