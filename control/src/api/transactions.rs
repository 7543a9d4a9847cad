//! `GET /transactions`: the wallet's history, filtered and in parts.

use axum::extract::State;
use csp_shared::id::{ServerId, TransferId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::{By, ReadsWallet},
    document::{
        schemas::{Limit, Offset},
        tags,
    },
    envelope::{List, Money, When},
    error::{ApiError, Code},
    field::{Faults, Field, Unknown},
    page::{Page, shown},
    query::Query,
    state::App,
};
use crate::{
    domain::{ledger::CauseKind, time::Moment},
    store::{Begin, StoreError, TransferFilter, TransferRow},
};

/// Transactions in an answer to a request that sets no limit.
const TRANSACTIONS_DEFAULT: u64 = 25;

/// One movement of money.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"amount": 25}))]
pub struct Transaction {
    /// Its id, and a `cursor`.
    #[schema(value_type = String)]
    uuid: TransferId,
    /// `credit`: into the wallet; `debit`: out of it.
    #[serde(rename = "type")]
    #[schema(example = "credit")]
    kind: &'static str,
    amount: Money,
    /// What was in the wallet afterwards.
    balance_after: Money,
    /// Why: `order`, `renewal`, `change`, `extra_ip`, `reversal`, `credit`, `topup`, `promotion`, `correction`, `dispute`,
    /// `settlement` or `refund`.
    #[schema(example = "topup")]
    cause: &'static str,
    /// The server that it is about; null when it is about none.
    #[schema(value_type = Option<String>)]
    server_uuid: Option<ServerId>,
    #[schema(example = "Wallet top-up")]
    description: String,
    created_at: When,
}

impl From<TransferRow> for Transaction {
    fn from(row: TransferRow) -> Self {
        Self {
            uuid: row.id,
            kind: if row.is_credit { "credit" } else { "debit" },
            amount: Money(row.amount),
            balance_after: Money(row.balance_after),
            cause: row.kind.as_str(),
            server_uuid: row.server,
            description: row.description,
            created_at: When(row.created_at),
        }
    }
}

/// Which transactions are wanted.
#[derive(Debug, Deserialize, IntoParams)]
pub struct TransactionQuery {
    /// From this day or second on, UTC.
    #[serde(default)]
    #[param(value_type = String, required = false, example = "2026-06-01")]
    from: Field<String>,
    /// Up to and with this day or second, UTC.
    #[serde(default)]
    #[param(value_type = String, required = false, example = "2026-06-30")]
    to: Field<String>,
    /// About this server alone.
    #[serde(default)]
    #[param(value_type = String, required = false)]
    server_uuid: Field<String>,
    /// Of this cause alone.
    #[serde(default)]
    #[param(value_type = String, required = false, example = "topup")]
    cause: Field<String>,
    /// `next_cursor` of the part before. New transactions do not shift what follows, as they do with `offset`.
    #[serde(default)]
    #[param(value_type = String, required = false)]
    cursor: Field<String>,
    /// Most entries of the answer. More than 100 are cut to 100, and `message` says so.
    #[serde(default)]
    #[param(value_type = Limit, inline, required = false)]
    limit: Field<String>,
    /// How many entries to skip.
    #[serde(default)]
    #[param(value_type = Offset, inline, required = false)]
    offset: Field<String>,
    #[serde(flatten)]
    #[param(ignore)]
    unknown: Unknown,
}

impl TransactionQuery {
    fn parse(self) -> Result<(TransferFilter, Option<TransferId>, Page), ApiError> {
        let bad = Code::ValidationFailed;
        let mut faults = Faults::beginning_with(&self.unknown);
        let mut moment = |name: &str, field: Field<String>| {
            faults.optional(name, field).and_then(|text| faults.parsed(bad, name, text.parse::<Moment>()))
        };
        let (from, to) = (moment("from", self.from), moment("to", self.to));
        let server = faults
            .optional("server_uuid", self.server_uuid)
            .and_then(|text| faults.parsed(bad, "server_uuid", text.parse::<ServerId>().map_err(|_| "is no UUID")));
        let cause = faults.optional("cause", self.cause).and_then(|text| {
            let names: Vec<&str> = CauseKind::ALL.iter().map(|kind| kind.as_str()).collect();
            let unknown = || format!("is no cause; there are {}", names.join(", "));
            faults.parsed(bad, "cause", CauseKind::parse(&text).ok_or_else(unknown))
        });
        let cursor = faults.optional("cursor", self.cursor).and_then(|text| {
            faults.parsed(bad, "cursor", text.parse::<TransferId>().map_err(|_| "is no cursor of this list"))
        });
        let page = Page::read(&mut faults, self.limit, self.offset, Some(TRANSACTIONS_DEFAULT));
        if cursor.is_some() && page.offset > 0 {
            faults.add(bad, "offset", "does not go together with cursor");
        }
        faults.into_result()?;
        let filter = TransferFilter { from: from.map(|at| at.first), until: to.map(|at| at.after), server, cause };
        Ok((filter, cursor, page))
    }
}

/// List transactions
///
/// The wallet's history, newest first: 25 entries unless `limit` is given.
#[utoipa::path(get, path = "/transactions", operation_id = "list_transactions", tag = tags::WALLET)]
pub async fn transactions(
    State(app): State<App>,
    By { customer, .. }: By<ReadsWallet>,
    Query(query): Query<TransactionQuery>,
) -> Result<List<Transaction>, ApiError> {
    let (filter, cursor, page) = query.parse()?;
    let bound = |number: u64| u32::try_from(number).unwrap_or(u32::MAX);
    let limit = bound(page.limit().unwrap_or(TRANSACTIONS_DEFAULT));
    let (account, offset) = (customer.account, bound(page.offset));
    let found = app
        .store
        .read::<_, StoreError>(move |read| {
            if let Some(cursor) = cursor
                && !read.transfer_is_of(account, cursor)?
            {
                return Ok(None);
            }
            let begin = cursor.map_or(Begin::Offset(offset), Begin::Before);
            // One more than is shown tells whether there is more.
            let rows = read.transfer_list(account, &filter, begin, limit.saturating_add(1))?;
            Ok(Some((read.transfer_count(account, &filter)?, rows)))
        })
        .await?;
    let unknown = || ApiError::field(Code::ValidationFailed, "cursor", "is no cursor of this list");
    let (total, rows) = found.ok_or_else(unknown)?;
    let (rows, next) = shown(rows, limit, |row| row.id.to_string());
    Ok(List::new(rows.into_iter().map(Transaction::from).collect(), total, &page).with_next(next))
}
