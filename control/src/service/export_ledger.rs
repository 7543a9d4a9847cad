//! Writes the ledger out for other programs, page by page beside the writer: never as a whole in memory, and no question
//! that holds back the store's log.

use crate::{
    domain::ledger::export::{Export, Format, Range},
    store::{LedgerPlace, Read, Store, StoreError},
};

/// Transfers in a page.
const PAGE: u32 = 2_000;

/// An export under way.
#[derive(Debug)]
pub struct ExportLedger {
    store: Store,
    export: Export,
    /// None when all is written.
    place: Option<LedgerPlace>,
    has_begun: bool,
}

impl ExportLedger {
    /// Nothing is read yet.
    #[must_use]
    pub fn new(store: Store, format: Format, range: Range) -> Self {
        Self { store, export: Export::new(format, range), place: Some(LedgerPlace::default()), has_begun: false }
    }

    /// The next piece of text; none after the last.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub async fn next(&mut self) -> Result<Option<String>, StoreError> {
        let Some(after) = self.place else { return Ok(None) };
        let read = move |read: &Read<'_>| -> Result<_, StoreError> {
            let (entries, last) = read.ledger_page(after, PAGE)?;
            let is_last = u32::try_from(entries.len()) != Ok(PAGE);
            // In the same snapshot as the last transfers, which must agree with them.
            let sums = if is_last { Some(read.ledger_sums()?) } else { None };
            Ok((entries, last, sums))
        };
        let (entries, last, sums) = self.store.read(read).await?;
        let mut text = if self.has_begun { String::new() } else { self.export.head() };
        self.has_begun = true;
        text.extend(entries.iter().map(|entry| self.export.take(entry)));
        self.place = Some(last);
        if let Some(sums) = sums {
            let balances: Vec<_> = sums.wallets.iter().map(|(account, balance, _)| (*account, *balance)).collect();
            text += &self.export.end(&balances);
            self.place = None;
        }
        Ok(Some(text))
    }
}
