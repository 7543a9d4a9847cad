//! `/ledger`: what only the whole of it can tell.

use axum::extract::State;

use super::wire;
use crate::{
    api::{App, envelope::Answer, error::ApiError},
    domain::ledger::verify::{Difference, cents},
    service::verify_ledger::verify_ledger,
};

/// `GET /ledger/verify`. Takes as long as there are transfers.
pub async fn verify(State(app): State<App>) -> Result<Answer<wire::LedgerVerified>, ApiError> {
    let verified = verify_ledger(&app.store).await?;
    let book = |(book, sum): (String, i128)| wire::BookSum { book, sum: cents(sum) };
    Ok(Answer::data(wire::LedgerVerified {
        transfers: verified.transfers,
        wallets: verified.wallets,
        services: verified.services,
        periods: verified.periods,
        books: verified.books.into_iter().map(book).collect(),
        differences: verified.differences.into_iter().map(difference).collect(),
    }))
}

fn difference(found: Difference) -> wire::LedgerDifference {
    wire::LedgerDifference { kind: found.kind.as_str().to_owned(), place: found.place, what: found.what }
}
