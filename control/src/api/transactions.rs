//! `GET /transactions`: the wallet's history, filtered and in parts.

use axum::extract::State;
use csp_shared::id::{ServerId, TransferId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{
    auth::{By, ReadsWallet},
    document::{
        schemas::{CauseWord, MomentText, MovementText, UuidText},
        tags,
    },
    envelope::{List, Money, When},
    error::{ApiError, Code},
    field::{Faults, Field},
    page::{Listed, begin, shown},
    query::Query,
    state::App,
};
use crate::{
    domain::{ledger::CauseKind, time::Moment},
    store::{StoreError, TransferFilter, TransferRow},
};

/// Transactions in an answer to a request that sets no limit.
const TRANSACTIONS_DEFAULT: u64 = 25;

/// One movement of money.
#[derive(Debug, Serialize, ToSchema)]
#[schema(example = json!({"amount": 25}))]
pub struct Transaction {
    /// Its id, and a `cursor`.
    #[schema(value_type = Uuid)]
    uuid: TransferId,
    /// `credit`: into the wallet; `debit`: out of it.
    #[serde(rename = "type")]
    #[schema(value_type = MovementText)]
    kind: &'static str,
    amount: Money,
    /// What was in the wallet afterwards.
    balance_after: Money,
    /// Why.
    cause: CauseWord,
    /// The server that it is about; null when it is about none.
    #[schema(value_type = Option<Uuid>, required)]
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
            cause: CauseWord(row.kind),
            server_uuid: row.server,
            description: row.description,
            created_at: When(row.created_at),
        }
    }
}

/// Which transactions are wanted.
#[derive(Debug, Deserialize, IntoParams)]
pub struct Filters {
    /// From this day or second on, UTC.
    #[serde(default)]
    #[param(value_type = MomentText, inline, required = false)]
    from: Field<String>,
    /// Up to and with this day or second, UTC.
    #[serde(default)]
    #[param(value_type = MomentText, inline, required = false)]
    to: Field<String>,
    /// About this server alone.
    #[serde(default)]
    #[param(value_type = UuidText, inline, required = false)]
    server_uuid: Field<String>,
    /// Of this cause alone.
    #[serde(default)]
    #[param(value_type = CauseWord, inline, required = false)]
    cause: Field<String>,
    /// `next_cursor` of the part before. New transactions do not shift what follows, as they do with `offset`.
    #[serde(default)]
    #[param(value_type = UuidText, inline, required = false)]
    cursor: Field<String>,
}

impl Filters {
    fn parse(self, faults: &mut Faults) -> (TransferFilter, Option<TransferId>) {
        let bad = Code::ValidationFailed;
        let mut moment = |name: &str, field: Field<String>| {
            faults.optional(name, field).and_then(|text| faults.parsed(bad, name, text.parse::<Moment>()))
        };
        let (from, to) = (moment("from", self.from), moment("to", self.to));
        if from.zip(to).is_some_and(|(from, to)| from.first >= to.after) {
            faults.add(bad, "to", "is before from");
        }
        let server = faults
            .optional("server_uuid", self.server_uuid)
            .and_then(|text| faults.parsed(bad, "server_uuid", text.parse::<ServerId>().map_err(|_| "is no UUID")));
        let cause = faults.optional("cause", self.cause).and_then(|text| {
            let names: Vec<&str> = CauseKind::ALL.iter().map(|kind| kind.as_str()).collect();
            let unknown = || format!("is no cause; there are {}", names.join(", "));
            faults.parsed(bad, "cause", CauseKind::parse(&text).ok_or_else(unknown))
        });
        let cursor = faults
            .optional("cursor", self.cursor)
            .and_then(|text| faults.parsed(bad, "cursor", text.parse::<TransferId>().map_err(|_| NO_CURSOR)));
        (TransferFilter { from: from.map(|at| at.first), until: to.map(|at| at.after), server, cause }, cursor)
    }
}

const NO_CURSOR: &str = "is no cursor of this list";

/// List transactions
///
/// The wallet's history, newest first: 25 entries unless `limit` is given.
#[utoipa::path(get, path = "/transactions", operation_id = "list_transactions", tag = tags::WALLET)]
pub async fn transactions(
    State(app): State<App>,
    By { customer, .. }: By<ReadsWallet>,
    Query(query): Query<Listed<Filters>>,
) -> Result<List<Transaction>, ApiError> {
    let ((filter, cursor), page) =
        query.parsed(Some(TRANSACTIONS_DEFAULT), |faults, filters, _| filters.parse(faults))?;
    let limit = u32::try_from(page.limit().unwrap_or(TRANSACTIONS_DEFAULT)).unwrap_or(u32::MAX);
    let (account, begin) = (customer.account, begin(cursor, &page)?);
    let found = app
        .store
        .read::<_, StoreError>(move |read| {
            if let Some(cursor) = cursor
                && !read.transfer_is_of(account, cursor)?
            {
                return Ok(None);
            }
            // One more than is shown tells whether there is more.
            let rows = read.transfer_list(account, &filter, begin, limit.saturating_add(1))?;
            Ok(Some((read.transfer_count(account, &filter)?, rows)))
        })
        .await?;
    let unknown = || ApiError::field(Code::ValidationFailed, "cursor", NO_CURSOR);
    let (total, rows) = found.ok_or_else(unknown)?;
    let (rows, next) = shown(rows, limit, |row| row.id.to_string());
    Ok(List::new(rows.into_iter().map(Transaction::from).collect(), total, &page).with_next(next))
}
