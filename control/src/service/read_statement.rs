//! A wallet's month, worked out from its transfers: nothing of it is stored, so nothing of it can differ from the ledger.

use crate::{
    domain::{money::Cents, month::Month, statement::Movement, time::Time},
    store::{Account, Begin, Read, StoreError, TransferFilter, TransferRow},
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

fn closing(opening: Cents, moved: &Movement, month: Month) -> Result<Cents, StoreError> {
    moved.after(opening).ok_or_else(|| StoreError::Damaged(format!("the transfers of {month} leave no balance")))
}

/// Every month of an account, the newest first.
///
/// # Errors
/// When the store cannot be read.
pub fn list_statements(read: &Read<'_>, account: &Account, now: Time) -> Result<Vec<Summary>, StoreError> {
    let (first, current) = (Month::of(account.created_at), Month::of(now));
    let mut opening = Cents::ZERO;
    let mut all = Vec::new();
    for month in first.until(current).into_iter().rev() {
        let (from, until) = month.span();
        let moved = read.transfer_sums(account.id, from, until)?;
        let closing = closing(opening, &moved, month)?;
        all.push(Summary { month, opening, moved, closing, is_final: month < current });
        opening = closing;
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
    let (first, current) = (Month::of(account.created_at), Month::of(now));
    if month < first || month > current {
        return Ok(None);
    }
    let (from, until) = month.span();
    let opening = closing(Cents::ZERO, &read.transfer_sums(account.id, Time(i64::MIN), from)?, month)?;
    let moved = read.transfer_sums(account.id, from, until)?;
    let closing = closing(opening, &moved, month)?;
    let filter = TransferFilter { from: Some(from), until: Some(until), ..TransferFilter::default() };
    let mut lines = read.transfer_list(account.id, &filter, Begin::Offset(0), u32::MAX)?;
    lines.reverse();
    Ok(Some(Statement { summary: Summary { month, opening, moved, closing, is_final: month < current }, lines }))
}
