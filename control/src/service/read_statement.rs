//! A wallet's month, worked out from its transfers: nothing of it is stored, so nothing of it can differ from the ledger.

use crate::{
    domain::{money::Cents, month::Month, statement::Movement, time::Time},
    store::{Account, LedgerPlace, Read, StoreError, TransferRow},
};

/// A month in figures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Summary {
    /// Which.
    pub month: Month,
    /// In the wallet before its first transfer.
    pub opening: Cents,
    /// What moved.
    pub moved: Movement,
    /// In the wallet after its last transfer.
    pub closing: Cents,
    /// It is over: nothing will be added.
    pub is_final: bool,
}

/// A month with every transfer, oldest first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Statement {
    /// In figures.
    pub summary: Summary,
    /// Each transfer.
    pub lines: Vec<TransferRow>,
}

/// What a month's transfers are: those after the first place, up to the second. The order of the ledger decides, not the clock
/// alone: what was posted by a clock that was far ahead, and was put right since, belongs where it was posted.
struct Span {
    after: LedgerPlace,
    last: LedgerPlace,
}

impl Span {
    /// The month that follows a place; the current one has all that is left.
    fn following(
        read: &Read<'_>,
        account: &Account,
        after: LedgerPlace,
        (month, current): (Month, Month),
    ) -> Result<Self, StoreError> {
        let (from, until) = month.span();
        let last =
            if month == current { LedgerPlace::END } else { after.max(read.transfer_last(account.id, from, until)?) };
        Ok(Self { after, last })
    }
}

/// The first month of an account, and the one that is not over. By a clock that was set back the ledger's is not over, and an
/// account that was opened by a clock that was ahead has no earlier one.
fn span_of_life(read: &Read<'_>, account: &Account, now: Time) -> Result<(Month, Month), StoreError> {
    let current = Month::of(read.scheduler_get()?.ledger_at.map_or(now, |at| at.max(now)));
    Ok((Month::of(account.created_at).min(current), current))
}

fn closing(opening: Cents, moved: &Movement, month: Month) -> Result<Cents, StoreError> {
    moved.after(opening).ok_or_else(|| StoreError::Damaged(format!("the transfers of {month} leave no balance")))
}

/// Every month of an account, the newest first.
///
/// # Errors
/// When the store cannot be read.
pub fn list_statements(read: &Read<'_>, account: &Account, now: Time) -> Result<Vec<Summary>, StoreError> {
    let (first, current) = span_of_life(read, account, now)?;
    let (mut opening, mut place) = (Cents::ZERO, LedgerPlace::default());
    let mut all = Vec::new();
    for month in first.until(current).into_iter().rev() {
        let span = Span::following(read, account, place, (month, current))?;
        let moved = read.transfer_sums(account.id, span.after, span.last)?;
        let closing = closing(opening, &moved, month)?;
        all.push(Summary { month, opening, moved, closing, is_final: month < current });
        (opening, place) = (closing, span.last);
    }
    all.reverse();
    Ok(all)
}

/// One month of an account; nothing when the account has no such month.
///
/// # Errors
/// When the store cannot be read.
pub fn read_statement(
    read: &Read<'_>,
    account: &Account,
    month: Month,
    now: Time,
) -> Result<Option<Statement>, StoreError> {
    let (first, current) = span_of_life(read, account, now)?;
    if month < first || month > current {
        return Ok(None);
    }
    let before = read.transfer_last(account.id, Time(i64::MIN), month.span().0)?;
    let span = Span::following(read, account, before, (month, current))?;
    let opening = read.transfer_balance(account.id, span.after)?;
    let moved = read.transfer_sums(account.id, span.after, span.last)?;
    let closing = closing(opening, &moved, month)?;
    let lines = read.transfer_span(account.id, span.after, span.last)?;
    Ok(Some(Statement { summary: Summary { month, opening, moved, closing, is_final: month < current }, lines }))
}
