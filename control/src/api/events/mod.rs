//! `GET /events`: what happened to the account, as a stream that goes on or as JSON, whichever the client accepts.
//!
//! ```text
//! wish      what the headers ask for: a stream or JSON, and from where
//! view      an event, and the JSON answer
//! stream    the stream: server-sent events
//! ```
//!
//! Positions count up by one in each account, so a client that remembers the last one it has seen misses nothing, and is
//! told when something it has not seen is not kept any more.

mod stream;
mod view;
mod wish;

use axum::{
    extract::State,
    http::{HeaderValue, header},
    response::{IntoResponse, Response},
};
use serde::Deserialize;
use utoipa::IntoParams;

use self::{
    stream::Follower,
    view::{EventAnswer, EventsAnswer},
    wish::Wish,
};
use super::{
    auth::{By, Customer, Reads},
    document::{
        schemas::{Limit, Offset},
        sheet::{Part, Sheet},
        tags,
    },
    error::{ApiError, Code},
    field::{Faults, Field, Unknown},
    held::Kind,
    page::{Page, WHOLE_MAX, WHOLE_NUMBER_MAX, number},
    query::Query,
    state::App,
};
use crate::store::StoreError;

/// From where on, and how many.
#[derive(Debug, Deserialize, IntoParams)]
pub struct EventsQuery {
    /// The `id` of the last event that you have seen. Left out, JSON begins with the oldest event that is kept, and a
    /// stream with the next that happens. `Last-Event-ID` goes before it.
    #[serde(default)]
    #[param(value_type = Offset, inline, required = false)]
    after: Field<String>,
    /// Most events of a JSON answer. More than 100 are cut to 100, and `message` says so. A stream has no end, and refuses it.
    #[serde(default)]
    #[param(value_type = Limit, inline, required = false)]
    limit: Field<String>,
    #[serde(flatten)]
    #[param(ignore)]
    unknown: Unknown,
}

impl EventsQuery {
    fn parse(self, is_stream: bool) -> Result<(Option<u64>, Page), ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let after = number(&mut faults, "after", self.after, 0..=WHOLE_NUMBER_MAX);
        if is_stream && self.limit != Field::Absent {
            // Passed over, it would leave a client that counts on so many events waiting for ever.
            faults.add(
                Code::ValidationFailed,
                "limit",
                "is for JSON: a stream has no end; leave it out, or close the stream",
            );
        }
        let page = Page::limited(&mut faults, self.limit, None);
        faults.into_result().map(|()| (after, page))
    }
}

/// Follow events
///
/// What happened to the account and its servers, oldest first; events are kept for 30 days. With
/// `Accept: text/event-stream` the answer is a stream of server-sent events that goes on: each has its position as `id`
/// and its kind as `event`, and its `data` is the object that JSON has. Whoever sends `Last-Event-ID` gets all that came
/// after it. If some of that is not kept any more, an event `gap` comes first: read anew what you follow. Comments keep
/// the connection alive; the stream ends when its key does.
///
/// With any other `Accept` the answer is JSON: what there is after `after`, and as `next_after` what to send next time.
#[utoipa::path(
    get,
    path = "/events",
    operation_id = "follow_events",
    tag = tags::EVENTS,
    extensions(
        ("x-error-codes" = json!([Code::TooManyHeldOpen])),
        ("x-example" = json!({"data": [{"data": {"command": "create"}}], "next_after": 17}))
    )
)]
pub async fn events(
    State(app): State<App>,
    By { customer, .. }: By<Reads>,
    wish: Wish,
    Query(query): Query<EventsQuery>,
) -> Result<Events, ApiError> {
    let (after, page) = query.parse(wish.is_stream)?;
    let after = wish.last_event_id.or(after);
    if wish.is_stream {
        let hold = app.held.take(Kind::Stream, &customer)?;
        return Follower::begin(app, customer, hold, after).await.map(|stream| Events::Stream(Box::new(stream)));
    }
    listed(&app, &customer, after, &page).await.map(Events::Json)
}

async fn listed(app: &App, customer: &Customer, after: Option<u64>, page: &Page) -> Result<EventsAnswer, ApiError> {
    let account = customer.account;
    let most = u32::try_from(page.limit().unwrap_or(WHOLE_MAX)).unwrap_or(u32::MAX);
    let (kept, resume, rows) = app
        .store
        .read::<_, StoreError>(move |read| {
            let kept = read.events_kept(account)?;
            let resume = kept.resume(after.unwrap_or(kept.oldest.saturating_sub(1)));
            Ok((kept, resume, read.event_list(account, resume.after, most)?))
        })
        .await?;
    let events = rows.into_iter().map(EventAnswer::try_from).collect::<Result<Vec<_>, _>>()?;
    Ok(EventsAnswer::new(events, kept.newest.saturating_sub(resume.after), resume, page))
}

/// The answer, in the form that was asked for.
pub enum Events {
    /// What there is.
    Json(EventsAnswer),
    /// What there is, and what will be.
    Stream(Box<Follower>),
}

impl IntoResponse for Events {
    fn into_response(self) -> Response {
        let mut response = match self {
            Self::Json(answer) => answer.into_response(),
            Self::Stream(follower) => follower.into_response(),
        };
        response.headers_mut().insert(header::VARY, HeaderValue::from_static("accept"));
        response
    }
}

impl Part for Events {
    fn describe(sheet: &mut Sheet) {
        EventsAnswer::describe(sheet);
        Follower::describe(sheet);
    }
}
