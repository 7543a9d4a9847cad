//! Verifies the ledger, page by page beside the writer: a long question would hold back the store's log.
//!
//! Transfers are only ever added, so pages of different moments fit together. What can change (balances, periods) is
//! read in one snapshot with the last transfers that it must agree with.

use crate::{
    domain::ledger::verify::{Difference, Keys, Wallets, WentBack, check_service},
    store::{LedgerPlace, Read, ServicePlace, Store, StoreError},
};

/// Transfers in a page.
const TRANSFERS: u32 = 5_000;
/// Services in a page.
const SERVICES: u32 = 500;
/// Differences that are told: whoever has so many is not helped by more.
const DIFFERENCES_MAX: usize = 1_000;

/// What was looked at, and what is wrong.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Verified {
    /// Transfers, all of them.
    pub transfers: u64,
    /// Wallets, those of every account.
    pub wallets: usize,
    /// Services.
    pub services: u64,
    /// Periods of services.
    pub periods: u64,
    /// What each book took, less what it gave, in cents.
    pub books: Vec<(String, i128)>,
    /// Every difference, up to a bound.
    pub differences: Vec<Difference>,
}

/// Recomputes everything from the first transfer.
///
/// # Errors
/// When the store cannot be read.
pub async fn verify_ledger(store: &Store) -> Result<Verified, StoreError> {
    let mut verified = Verified::default();
    let last = wallets(store, &mut verified).await?;
    keys(store, last, &mut verified).await?;
    services(store, &mut verified).await?;
    verified.differences.truncate(DIFFERENCES_MAX);
    Ok(verified)
}

async fn wallets(store: &Store, verified: &mut Verified) -> Result<LedgerPlace, StoreError> {
    let (mut wallets, mut went_back, mut place) = (Wallets::default(), WentBack::default(), LedgerPlace::default());
    loop {
        let after = place;
        let read = move |read: &Read<'_>| -> Result<_, StoreError> {
            let (entries, last) = read.ledger_page(after, TRANSFERS)?;
            let is_last = u32::try_from(entries.len()) != Ok(TRANSFERS);
            let sums = if is_last { Some((read.ledger_sums()?, read.ledger_payments()?)) } else { None };
            Ok((entries, last, sums))
        };
        let (entries, last, sums) = store.read(read).await?;
        place = last;
        for entry in &entries {
            wallets.take(entry);
            went_back.take(entry);
        }
        if let Some((sums, payments)) = sums {
            verified.transfers = wallets.entries();
            verified.wallets = sums.wallets.len();
            verified.books = wallets.books();
            verified.differences.extend(wallets.end(&sums));
            verified.differences.extend(went_back.end(&payments));
            return Ok(place);
        }
    }
}

async fn keys(store: &Store, last: LedgerPlace, verified: &mut Verified) -> Result<(), StoreError> {
    let (mut keys, mut after) = (Keys::default(), (String::new(), LedgerPlace::default()));
    loop {
        let read = move |read: &Read<'_>| -> Result<_, StoreError> {
            let more = read.ledger_keys(&mut keys, &mut after, last, TRANSFERS)?;
            Ok((keys, after, more))
        };
        let more;
        (keys, after, more) = store.read(read).await?;
        if !more {
            verified.differences.extend(keys.end(verified.transfers));
            return Ok(());
        }
    }
}

async fn services(store: &Store, verified: &mut Verified) -> Result<(), StoreError> {
    let mut place = ServicePlace::default();
    loop {
        let (page, last) = store.read(move |read| read.ledger_services(place, SERVICES)).await?;
        place = last;
        for (server, rows) in &page {
            verified.services += 1;
            verified.periods += rows.periods.len() as u64;
            verified.differences.extend(check_service(*server, rows));
        }
        if u32::try_from(page.len()) != Ok(SERVICES) || verified.differences.len() > DIFFERENCES_MAX {
            return Ok(());
        }
    }
}
