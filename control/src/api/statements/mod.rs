//! `GET /statements`: a wallet's months, as JSON, as CSV and as a page to print.

mod page;
mod sheet;

use axum::{
    extract::{FromRequestParts, Path, State},
    http::{HeaderValue, header, request::Parts},
    response::{IntoResponse, Response},
};
use serde::{Deserialize, Serialize};
use utoipa::{
    IntoParams, ToSchema,
    openapi::{ContentBuilder, ObjectBuilder, Type, path::ParameterIn},
};

use super::{
    auth::{By, ReadsWallet},
    document::{
        schemas::FormatText,
        sheet::{Part, Sheet},
        tags,
    },
    envelope::{Answer, List, Money},
    error::{ApiError, Code},
    field::{Faults, Field, Unknown, inert},
    guards::{LOADS_NOTHING, NO_REFERRER, guards},
    page::{Listed, NoFilters},
    query::Query,
    state::App,
    transactions::Transaction,
    wallet::CURRENCY,
};
use crate::{
    domain::month::{Month, NotAMonth},
    service::read_statement::{Statement, Summary, list_statements, read_statement},
    store::{Account, StoreError},
};

/// A month of the wallet in figures.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementSummary {
    #[schema(example = "2026-06")]
    month: String,
    /// In the wallet when the month began.
    opening_balance: Money,
    /// What came in.
    credits: Money,
    /// What was spent.
    debits: Money,
    /// In the wallet when the month ended, or now.
    closing_balance: Money,
    #[schema(example = "USD")]
    currency: &'static str,
    /// The month is over: nothing will be added.
    r#final: bool,
}

/// A month of the wallet with every transaction.
#[derive(Debug, Serialize, ToSchema)]
pub struct StatementAnswer {
    #[serde(flatten)]
    summary: StatementSummary,
    /// Oldest first.
    lines: Vec<Transaction>,
}

impl From<Summary> for StatementSummary {
    fn from(summary: Summary) -> Self {
        Self {
            month: summary.month.to_string(),
            opening_balance: Money(summary.opening),
            credits: Money(summary.moved.credits),
            debits: Money(summary.moved.debits),
            closing_balance: Money(summary.closing),
            currency: CURRENCY,
            r#final: summary.is_final,
        }
    }
}

/// List statements
///
/// Every month of the account, the newest first; the current one is not final.
#[utoipa::path(get, path = "/statements", operation_id = "list_statements", tag = tags::WALLET)]
pub async fn list(
    State(app): State<App>,
    By { customer, .. }: By<ReadsWallet>,
    Query(query): Query<Listed<NoFilters>>,
) -> Result<List<StatementSummary>, ApiError> {
    let page = query.page()?;
    let (account, now) = (customer.account, app.now());
    let all = app
        .store
        .read::<_, StoreError>(move |read| match read.account_get(account)? {
            Some(account) => list_statements(read, &account, now),
            None => Ok(Vec::new()),
        })
        .await?;
    let total = all.len() as u64;
    Ok(List::new(page.cut(all).into_iter().map(StatementSummary::from).collect(), total, &page))
}

/// How a statement is wanted.
#[derive(Debug, Deserialize, IntoParams)]
pub struct FormatQuery {
    /// `json`, `csv`, or `html` for a page to print.
    #[serde(default)]
    #[param(value_type = FormatText, inline, required = false)]
    format: Field<String>,
    #[serde(flatten)]
    #[param(ignore)]
    unknown: Unknown,
}

#[derive(Clone, Copy, Debug)]
enum Format {
    Json,
    Csv,
    Html,
}

impl FormatQuery {
    fn parse(self) -> Result<Format, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let text = faults.optional("format", self.format);
        let format = match text.as_deref() {
            None | Some("json") => Some(Format::Json),
            Some("csv") => Some(Format::Csv),
            Some("html") => Some(Format::Html),
            Some(_) => None,
        };
        let format = faults.parsed(Code::ValidationFailed, "format", format.ok_or("must be json, csv or html"));
        let format = format.unwrap_or(Format::Json);
        faults.into_result().map(|()| format)
    }
}

/// The month in the path.
#[derive(Debug)]
pub struct MonthPath(Month);

impl<S: Send + Sync> FromRequestParts<S> for MonthPath {
    type Rejection = ApiError;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, ApiError> {
        let Path(text) = Path::<String>::from_request_parts(parts, state).await.map_err(|_| missing("this month"))?;
        let is_none = |why: NotAMonth| {
            let what =
                format!("There is no statement of `{}`: it {why}. GET /statements lists the months.", inert(&text));
            ApiError::new(Code::NotFound, what)
        };
        text.parse().map(Self).map_err(is_none)
    }
}

/// For the document alone.
#[derive(IntoParams)]
#[expect(dead_code, reason = "its words are what is used of it")]
struct MonthParameter {
    /// The month, as `2026-06`.
    #[param(example = "2026-06")]
    month: String,
}

impl Part for MonthPath {
    fn describe(sheet: &mut Sheet) {
        for parameter in MonthParameter::into_params(|| Some(ParameterIn::Path)) {
            sheet.parameter(parameter);
        }
        sheet.refuses(&[Code::NotFound]);
    }
}

fn missing(month: &str) -> ApiError {
    let what = format!("The account has no statement of {month}; GET /statements lists the months that it has.");
    ApiError::new(Code::NotFound, what)
}

const CSV_EXAMPLE: &str = "date,cause,amount,balance,description,server_uuid,transaction_uuid\n\
                           2026-06-01 00:00:00,,,0.00,Opening balance,,\n";

/// A statement in the format that was asked for.
pub struct Formatted(Format, Account, Statement);

impl IntoResponse for Formatted {
    fn into_response(self) -> Response {
        let Self(format, account, statement) = self;
        match format {
            Format::Json => Answer::data(StatementAnswer {
                summary: statement.summary.into(),
                lines: statement.lines.into_iter().map(Transaction::from).collect(),
            })
            .into_response(),
            Format::Csv => {
                let name = format!("attachment; filename=\"statement-{}.csv\"", statement.summary.month);
                let mut response = typed("text/csv; charset=utf-8; header=present", sheet::csv(&statement));
                if let Ok(name) = HeaderValue::from_str(&name) {
                    response.headers_mut().insert(header::CONTENT_DISPOSITION, name);
                }
                response
            }
            Format::Html => {
                let mut response = typed("text/html; charset=utf-8", page::html(&account, &statement));
                let policy = HeaderValue::from_str(&page::policy()).unwrap_or(LOADS_NOTHING);
                response.headers_mut().extend(guards(policy, NO_REFERRER));
                response
            }
        }
    }
}

fn typed(kind: &'static str, body: String) -> Response {
    let mut response = Response::new(body.into());
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

impl Part for Formatted {
    fn describe(sheet: &mut Sheet) {
        Answer::<StatementAnswer>::describe(sheet);
        for (media, example) in [("text/csv", CSV_EXAMPLE), ("text/html", "<!doctype html> …")] {
            let text = ObjectBuilder::new().schema_type(Type::String);
            sheet.answers_also(media, ContentBuilder::new().schema(Some(text)).example(Some(example.into())).build());
        }
    }
}

/// Show a statement
///
/// A month with its opening and closing balance and every transaction, as JSON, as CSV, or as a page to print.
#[utoipa::path(
    get,
    path = "/statements/{month}",
    operation_id = "show_statement",
    tag = tags::WALLET,
    extensions(("x-example" = json!({
        "data": {
            "month": "2026-06",
            "opening_balance": 17.50,
            "credits": 25.00,
            "debits": 0.00,
            "closing_balance": 42.50,
            "final": true,
        },
    })))
)]
pub async fn show(
    State(app): State<App>,
    By { customer, .. }: By<ReadsWallet>,
    MonthPath(month): MonthPath,
    Query(query): Query<FormatQuery>,
) -> Result<Formatted, ApiError> {
    let format = query.parse()?;
    let (account, now) = (customer.account, app.now());
    let found = app
        .store
        .read::<_, StoreError>(move |read| {
            let Some(account) = read.account_get(account)? else { return Ok(None) };
            Ok(read_statement(read, &account, month, now)?.map(|statement| (account, statement)))
        })
        .await?;
    let (account, statement) = found.ok_or_else(|| missing(&month.to_string()))?;
    Ok(Formatted(format, account, statement))
}
