//! `/ledger`: what only the whole of it can tell.

use axum::{
    body::Body,
    extract::{Path, State},
    http::{HeaderValue, header},
    response::Response,
};
use csp_shared::id::TransferId;
use futures_util::stream::try_unfold;
use serde::Deserialize;
use uuid::Uuid;

use super::wire::ledger as wire;
use crate::{
    api::{
        App,
        envelope::Answer,
        error::{ApiError, Code},
        field::{Faults, Field, Unknown},
        query::Query,
    },
    domain::{
        ledger::{
            export::{Format, Range},
            verify::{Difference, cents},
        },
        time::{Moment, Time},
    },
    service::{
        explain_ledger::{Line, explain_ledger},
        export_ledger::ExportLedger,
        verify_ledger::verify_ledger,
    },
    store::StoreError,
};

/// `GET /ledger/verify`. Takes as long as there are transfers.
pub async fn verify(State(app): State<App>) -> Result<Answer<wire::Verified>, ApiError> {
    let verified = verify_ledger(&app.store).await?;
    let book = |(book, sum): (String, i128)| wire::BookSum { book, sum: cents(sum) };
    Ok(Answer::data(wire::Verified {
        transfers: verified.transfers,
        wallets: verified.wallets,
        services: verified.services,
        periods: verified.periods,
        books: verified.books.into_iter().map(book).collect(),
        differences: verified.differences.into_iter().map(difference).collect(),
    }))
}

fn difference(found: Difference) -> wire::Difference {
    wire::Difference { kind: found.kind.as_str().to_owned(), place: found.place, what: found.what }
}

/// `?after=`
#[derive(Debug, Deserialize)]
pub struct AfterQuery {
    #[serde(default)]
    after: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

/// `GET /ledger/explain/{uuid}`, of an account or a server.
pub async fn explain(
    State(app): State<App>,
    Path(id): Path<Uuid>,
    Query(query): Query<AfterQuery>,
) -> Result<Answer<wire::Explained>, ApiError> {
    let mut faults = Faults::beginning_with(&query.unknown);
    let after: Option<TransferId> = faults
        .optional("after", query.after)
        .and_then(|text| faults.parsed(Code::ValidationFailed, "after", text.parse()));
    faults.into_result()?;
    let found = app.store.read::<_, StoreError>(move |read| explain_ledger(read, id, after)).await?;
    let missing = || ApiError::new(Code::NotFound, format!("There is neither an account nor a server {id}."));
    let part = found.ok_or_else(missing)?;
    Ok(Answer::data(wire::Explained {
        facts: part.whose.facts(app.now()),
        lines: part.lines.into_iter().map(line).collect(),
        more: part.more,
    }))
}

fn line(line: Line) -> wire::ExplainedLine {
    let Line { entry, why, details } = line;
    let moved = entry.movement().map(|(_, moved)| if moved > 0 { format!("+{}", cents(moved)) } else { cents(moved) });
    wire::ExplainedLine {
        transfer: entry.transfer,
        at: entry.at.to_string(),
        moved,
        amount: cents(entry.amount.into()),
        balance: entry.balance_after.map(|balance| cents(balance.into())),
        cause: entry.kind,
        key: entry.key,
        why,
        details,
    }
}

/// `?format=&from=&to=`
#[derive(Debug, Deserialize)]
pub struct ExportQuery {
    #[serde(default)]
    format: Field<String>,
    #[serde(default)]
    from: Field<String>,
    #[serde(default)]
    to: Field<String>,
    #[serde(flatten)]
    unknown: Unknown,
}

impl ExportQuery {
    fn parse(self) -> Result<(Format, Range), ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let format = faults.required("format", self.format);
        let format = format.and_then(|text| {
            let format = Format::parse(&text).ok_or("must be csv or beancount");
            faults.parsed(Code::ValidationFailed, "format", format)
        });
        let from: Option<Time> = faults
            .optional("from", self.from)
            .and_then(|text| faults.parsed(Code::ValidationFailed, "from", text.parse()));
        // A day that is named as the end belongs to the range.
        let until = faults
            .optional("to", self.to)
            .and_then(|text| faults.parsed(Code::ValidationFailed, "to", text.parse::<Moment>()))
            .map(|moment| moment.after);
        if let (Some(from), Some(until)) = (from, until)
            && until <= from
        {
            faults.add(Code::ValidationFailed, "to", "is before from");
        }
        let Some(format) = format else { return Err(faults.refusal()) };
        faults.into_result().map(|()| (format, Range { from, until }))
    }
}

/// `GET /ledger/export`. Written as it is read: an answer that breaks off is no whole export, and its client sees that.
pub async fn export(State(app): State<App>, Query(query): Query<ExportQuery>) -> Result<Response, ApiError> {
    let (format, range) = query.parse()?;
    let export = ExportLedger::new(app.store, format, range);
    let pieces = try_unfold(export, |mut export| async move {
        let piece = export.next().await;
        if let Err(error) = &piece {
            tracing::error!(%error, "an export of the ledger broke off");
        }
        piece.map(|piece| piece.map(|piece| (piece, export)))
    });
    let mut response = Response::new(Body::from_stream(pieces));
    let kind = HeaderValue::from_static(format.media_type());
    response.headers_mut().insert(header::CONTENT_TYPE, kind);
    Ok(response)
}
