//! `/notices`: what the provider has to say to customers.

use axum::extract::{Path, State};
use csp_shared::id::NoticeId;

use super::wire::notices as wire;
use crate::{
    api::{
        App,
        account::missing,
        envelope::Answer,
        error::{ApiError, Code},
        field::Faults,
        json::Json,
    },
    domain::{
        label::Label,
        notice::{Audience, Kind, Notice, Text},
        slug::Slug,
        time::Time,
    },
    service::publish_notice::{NoticeError, end_notice, publish_notice},
    store::{NoticeRow, StoreError},
};

/// `POST /notices`
pub async fn publish(
    State(app): State<App>,
    Json(new): Json<wire::NewNotice>,
) -> Result<Answer<wire::Notice>, ApiError> {
    let (draw, now) = (app.draw(), app.now());
    let notice = read(new, now)?;
    let published = app.store.write(move |tx| publish_notice(tx, &notice, draw.clone(), now)).await?;
    Ok(Answer::data(shown(published, now)))
}

fn read(new: wire::NewNotice, now: Time) -> Result<Notice, ApiError> {
    let mut faults = Faults::default();
    let kind = Kind::parse(&new.kind).ok_or("must be info, maintenance or incident");
    let kind = faults.parsed(Code::ValidationFailed, "kind", kind);
    let title = faults.parsed(Code::ValidationFailed, "title", Label::parse(&new.title));
    let text = faults.parsed(Code::ValidationFailed, "text", Text::parse(&new.text));
    let mut time = |name: &str, text: Option<String>| {
        text.and_then(|text| faults.parsed(Code::ValidationFailed, name, text.parse::<Time>()))
    };
    let (starts_at, ends_at) = (time("starts_at", new.starts_at), time("ends_at", new.ends_at));
    let location = new
        .location
        .and_then(|slug| faults.parsed(Code::LocationNotFound, "location", Slug::parse(&slug)))
        .map(Audience::Location);
    if location.is_some() && new.account.is_some() {
        faults.add(Code::ValidationFailed, "account", "a notice is for an account or for a location, not for both");
    }
    let audience = location.or(new.account.map(Audience::Account)).unwrap_or(Audience::Everybody);
    match (kind, title, text) {
        (Some(kind), Some(title), Some(text)) => {
            let notice = Notice { kind, audience, title, text, starts_at: starts_at.unwrap_or(now), ends_at };
            faults.into_result().map(|()| notice)
        }
        _ => Err(faults.refusal()),
    }
}

/// `GET /notices`
pub async fn list(State(app): State<App>) -> Result<Answer<Vec<wire::Notice>>, ApiError> {
    let now = app.now();
    let rows = app.store.read::<_, StoreError>(|read| read.notice_all()).await?;
    Ok(Answer::data(rows.into_iter().map(|row| shown(row, now)).collect()))
}

/// `POST /notices/{uuid}/end`
pub async fn end(State(app): State<App>, Path(notice): Path<NoticeId>) -> Result<Answer<wire::Notice>, ApiError> {
    let now = app.now();
    let row = app.store.write(move |tx| end_notice(tx, notice, now)).await?;
    Ok(Answer::data(shown(row, now)))
}

fn shown(row: NoticeRow, now: Time) -> wire::Notice {
    let (account, location) = match row.audience {
        Audience::Everybody => (None, None),
        Audience::Location(slug) => (None, Some(slug.as_str().to_owned())),
        Audience::Account(account) => (Some(account), None),
    };
    let state = match row.ends_at {
        Some(end) if end <= now => "ended",
        _ if row.starts_at > now => "to come",
        _ => "now",
    };
    wire::Notice {
        uuid: row.id,
        state: state.to_owned(),
        kind: row.kind.as_str().to_owned(),
        account,
        location,
        title: row.title,
        text: row.text,
        starts_at: row.starts_at.to_string(),
        ends_at: row.ends_at.map(|at| at.to_string()),
        created_at: row.created_at.to_string(),
    }
}

impl From<NoticeError> for ApiError {
    fn from(error: NoticeError) -> Self {
        let reason = error.to_string();
        match error {
            NoticeError::Ended(_) => Self::field(Code::ValidationFailed, "ends_at", reason),
            NoticeError::NoLocation(_) => Self::field(Code::LocationNotFound, "location", reason),
            NoticeError::NoAccount(account) => missing(account),
            NoticeError::NoNotice(notice) => Self::new(Code::NotFound, format!("There is no notice {notice}.")),
            NoticeError::Store(error) => error.into(),
        }
    }
}
