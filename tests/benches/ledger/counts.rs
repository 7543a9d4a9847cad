//! What a posting costs in statements and in flushes to the disk.

use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use csp_control::{
    entropy::{Entropy as _, SeededEntropy},
    service::credit_account::{CreditAccount, credit_account},
    store::{Store, StoreError},
};
use csp_tests::test_control::NOON;

use super::{
    CLIENTS, copy,
    engine::Bench,
    raw,
    vfs::{Event, Recording},
};

/// Of all clients together, at least.
const POSTINGS: usize = 1000;

pub async fn print(blank: &Path) {
    println!("\n{} statements a posting, {} by hand", statements(blank).await, raw::STATEMENTS);
    for clients in CLIENTS {
        let each = POSTINGS.div_ceil(clients);
        let csp = {
            let copied = copy(blank);
            let recording = Recording::of(copied.path.parent().unwrap(), false);
            let bench = Bench::open(&copied.path).await;
            recording.answered(0);
            let mut tasks = tokio::task::JoinSet::new();
            for _ in 0..clients {
                let bench = bench.clone();
                tasks.spawn(async move {
                    for _ in 0..each {
                        bench.post().await;
                    }
                });
            }
            while tasks.join_next().await.is_some() {}
            recording.answered(1);
            flushes(recording) / (clients * each) as f64
        };
        let raw = {
            let copied = copy(blank);
            let recording = Recording::of(copied.path.parent().unwrap(), false);
            let database = raw::open(&copied);
            recording.answered(0);
            let mut number = 0;
            while number < POSTINGS {
                number = raw::batch(&database, clients, number);
            }
            recording.answered(1);
            flushes(recording) / number as f64
        };
        println!("{csp:.3} flushes a posting with {clients} clients, {raw:.3} by hand");
    }
}

/// Between the two marks.
fn flushes(recording: Recording) -> f64 {
    let events = recording.end();
    let marks: Vec<usize> = (0..events.len()).filter(|at| matches!(events[*at], Event::Answered(_))).collect();
    let between = &events[marks[0]..marks[1]];
    between.iter().filter(|event| matches!(event, Event::Sync { .. })).count() as f64
}

/// Of one posting, without the BEGIN and COMMIT that it shares with others.
async fn statements(blank: &Path) -> usize {
    let (copied, count) = (copy(blank), Arc::new(AtomicUsize::new(0)));
    let ear = count.clone();
    let hear = move |statement: &str| {
        let is_shared = statement.starts_with("BEGIN") || statement.starts_with("COMMIT");
        // What begins with `--` is a trigger inside a statement.
        ear.fetch_add(usize::from(!is_shared && !statement.starts_with("--")), Ordering::Relaxed);
    };
    let store = Store::open_traced(&copied.path, hear).unwrap();
    let account = store.read::<_, StoreError>(|read| read.account_list()).await.unwrap()[0].id;
    count.store(0, Ordering::Relaxed);
    let credit = CreditAccount { account, amount: "1.00".parse().unwrap(), reference: "one".to_owned(), note: None };
    let draw = SeededEntropy::new(1).draw();
    store.write(move |tx| credit_account(tx, &credit, draw.clone(), NOON)).await.unwrap();
    count.load(Ordering::Relaxed)
}
