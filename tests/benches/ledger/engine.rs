//! The use case through the store's engine, from many tasks at once.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::{Duration, Instant},
};

use csp_control::{
    clock::{Clock as _, SystemClock},
    entropy::{Entropy as _, SystemEntropy},
    service::credit_account::{CreditAccount, credit_account},
    store::{Store, StoreError},
};
use csp_shared::id::AccountId;

use super::Copied;

/// What many clients share.
pub struct Bench {
    pub store: Store,
    accounts: Vec<AccountId>,
    number: AtomicU64,
}

impl Bench {
    pub async fn open(path: &Path) -> Arc<Self> {
        let store = Store::open(path).unwrap();
        let accounts = store.read::<_, StoreError>(|read| read.account_list()).await.unwrap();
        let accounts = accounts.into_iter().map(|account| account.id).collect();
        Arc::new(Self { store, accounts, number: AtomicU64::new(0) })
    }

    /// Credits one payment.
    pub async fn post(&self) {
        let number = self.number.fetch_add(1, Ordering::Relaxed);
        let account = self.accounts[usize::try_from(number).unwrap() % self.accounts.len()];
        let (amount, reference) = ("1.00".parse().unwrap(), format!("bench:{number}"));
        let credit = CreditAccount { account, amount, reference, note: None };
        let (draw, now) = (SystemEntropy.draw(), SystemClock.now());
        self.store.write(move |tx| credit_account(tx, &credit, draw.clone(), now)).await.unwrap();
    }
}

/// Postings a second that were answered, which is when they are durable.
pub async fn postings(copied: &Copied, clients: usize, length: Duration) -> f64 {
    let bench = Bench::open(&copied.path).await;
    let (begun, mut tasks) = (Instant::now(), tokio::task::JoinSet::new());
    for _ in 0..clients {
        let bench = bench.clone();
        tasks.spawn(async move {
            while begun.elapsed() < length {
                bench.post().await;
            }
        });
    }
    while tasks.join_next().await.is_some() {}
    bench.number.load(Ordering::Relaxed) as f64 / begun.elapsed().as_secs_f64()
}
