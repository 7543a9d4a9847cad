//! Server-sent events (HTML, 9.2): what happened since, and then what happens.
//!
//! One read of the store for each signal, and one every [`BEAT`] in case a signal was lost; in between a stream costs a
//! timer. The next part is read when the last one was taken: a slow reader holds one part of 100 events in memory, and
//! nobody's else's way. The key is looked at with each read, and its end is watched by the clock.

use std::{convert::Infallible, time::Duration};

use axum::{
    body::{Body, Bytes},
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse, Response},
};
use futures_util::stream;
use tokio::{
    sync::watch,
    time::{Instant, sleep},
};
use utoipa::openapi::{ContentBuilder, ObjectBuilder, Type};

use super::{view::EventAnswer, wish::EVENT_STREAM};
use crate::{
    api::{
        auth::{self, Customer},
        document::sheet::{Part, Sheet},
        envelope::render,
        error::ApiError,
        held::Hold,
        state::App,
    },
    domain::event::{GAP, Resume},
    store::EventRow,
};

/// A client that lost its stream comes back after so many milliseconds.
const RETRY_MS: u32 = 3000;
/// So long a stream is silent at most: proxies cut off what says nothing for a minute.
const BEAT: Duration = Duration::from_secs(15);
/// Between two looks at the clock, for the end of the key.
const TICK: Duration = Duration::from_secs(1);
/// Events in one part.
const PART: u32 = 100;

/// A stream and where it is.
pub struct Follower {
    app: App,
    customer: Customer,
    hold: Hold,
    news: watch::Receiver<()>,
    /// The position up to which the client has everything.
    at: u64,
    /// What is said first.
    greeting: Option<String>,
}

/// What was found.
struct Found {
    resume: Resume,
    rows: Vec<EventRow>,
}

impl Follower {
    /// A stream after a position, or from now on.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn begin(app: App, customer: Customer, hold: Hold, after: Option<u64>) -> Result<Self, ApiError> {
        // Before the first look, so that nothing falls in between.
        let (news, account) = (app.store.follow(customer.account), customer.account);
        let (at, greeting) = match after {
            Some(after) => (after, format!("retry: {RETRY_MS}\n\n")),
            None => {
                let newest = app.store.read::<_, ApiError>(move |read| Ok(read.events_kept(account)?.newest)).await?;
                // A client that is cut off before the first event comes back with this.
                (newest, format!("retry: {RETRY_MS}\nid: {newest}\n\n"))
            }
        };
        Ok(Self { app, customer, hold, news, at, greeting: Some(greeting) })
    }

    /// The next part; None when the stream ends.
    async fn next(&mut self) -> Option<String> {
        if let Some(greeting) = self.greeting.take() {
            return Some(greeting);
        }
        let mut silent_since = Instant::now();
        loop {
            let found = match self.look().await {
                Ok(found) => found,
                Err(refusal) => {
                    tracing::debug!(account = %self.customer.account, code = ?refusal.code, "a stream of events ends");
                    return None;
                }
            };
            let part = self.part(found)?;
            if !part.is_empty() {
                return Some(part);
            }
            if silent_since.elapsed() >= BEAT {
                return Some(": nothing new\n\n".to_owned());
            }
            self.wait(&mut silent_since).await?;
        }
    }

    /// Sleeps until it is time for a look; None when the stream is to end.
    async fn wait(&mut self, silent_since: &mut Instant) -> Option<()> {
        loop {
            tokio::select! {
                told = self.news.changed() => return told.ok(),
                () = self.hold.ended() => return None,
                () = sleep(TICK) => {}
            }
            if self.customer.opens_until.is_some_and(|end| end <= self.app.now()) {
                return None;
            }
            if silent_since.elapsed() >= BEAT {
                return Some(());
            }
        }
    }

    async fn look(&self) -> Result<Found, ApiError> {
        let (account, by, at, now) = (self.customer.account, self.customer.by, self.at, self.app.now());
        self.app
            .store
            .read(move |read| {
                if !read.credential_is_open(by, now)? {
                    return Err(auth::ended_by(by));
                }
                let resume = read.events_kept(account)?.resume(at);
                Ok(Found { resume, rows: read.event_list(account, resume.after, PART)? })
            })
            .await
    }

    /// What was found, as text. None when it cannot be told.
    fn part(&mut self, found: Found) -> Option<String> {
        let mut part = String::new();
        if found.resume.gap {
            part.push_str(&gap(found.resume.after));
        }
        self.at = found.resume.after;
        for row in found.rows {
            let event = EventAnswer::try_from(row);
            let event = event.inspect_err(|why| tracing::error!(%why, "an event cannot be told")).ok()?;
            self.at = event.id();
            part.push_str(&frame(event.id(), event.kind(), &render(&event)));
        }
        Some(part)
    }
}

/// One event. JSON on one line, so it is one line of data.
fn frame(id: u64, kind: &str, data: &[u8]) -> String {
    format!("id: {id}\nevent: {kind}\ndata: {}\n\n", String::from_utf8_lossy(data))
}

/// That what comes next is not what comes next after what the client has seen.
fn gap(after: u64) -> String {
    let data = serde_json::json!({"id": after, "type": GAP});
    frame(after, GAP, data.to_string().as_bytes())
}

impl IntoResponse for Follower {
    fn into_response(self) -> Response {
        let parts = stream::unfold(self, |mut follower| async move {
            let part = follower.next().await?;
            Some((Ok::<_, Infallible>(Bytes::from(part)), follower))
        });
        let mut response = Response::new(Body::from_stream(parts));
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(EVENT_STREAM));
        headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
        // nginx and others that follow it would otherwise gather events before they pass them on.
        headers.insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
        response
    }
}

impl Part for Follower {
    fn describe(sheet: &mut Sheet) {
        let example = r#"{"id":18,"type":"action.done","server_uuid":"01975a3e-7c00-7a51-8f3e-5b1d2c9e4f07","action_uuid":"01975a3e-7c00-7a51-8f3e-5b1d2c9e4f11","created_at":"2026-06-10 12:00:00","data":{"command":"start"}}"#;
        let example = format!("retry: {RETRY_MS}\nid: 17\n\n{}", frame(18, "action.done", example.as_bytes()));
        let words = "Server-sent events: the `data` of each is an `Event`.";
        let text = ObjectBuilder::new().schema_type(Type::String).description(Some(words)).build();
        sheet
            .answers_also(EVENT_STREAM, ContentBuilder::new().schema(Some(text)).example(Some(example.into())).build());
    }
}
