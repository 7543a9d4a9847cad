//! Tells systemd's watchdog that the control plane works: the store has just answered a question and taken a write.
//!
//! A process that runs but whose store hangs looks alive from outside and sells nothing. Only a restart helps it, and the
//! store survives that at any moment. A store that answers with an error (a full disk) is another case: a restart would
//! cure nothing and end the reads that still work.

use std::time::Duration;

use tokio::time::{sleep, timeout};

use crate::store::{Store, StoreError};

/// Answers that nobody worked for: the queue before the writer is full, or the writer is gone.
fn is_alive(answer: &Result<(), StoreError>) -> bool {
    !matches!(answer, Err(StoreError::Busy | StoreError::Closed))
}

/// One question and one empty transaction, as the API would ask and write.
async fn ask(store: &Store) -> Result<(), StoreError> {
    store.read(|read| read.incarnation().map(drop)).await?;
    store.write(|_| Ok::<(), StoreError>(())).await
}

/// Feeds the watchdog by `ping`, where systemd asked for it. Never ends.
pub(super) async fn feed(store: Store, ping: impl Fn()) {
    match sd_notify::watchdog_enabled() {
        Some(within) => feed_within(store, within, ping).await,
        None => std::future::pending().await,
    }
}

/// Calls `ping` at least once in each span of `within`, as long as the store answers. Never ends.
async fn feed_within(store: Store, within: Duration, ping: impl Fn()) {
    let pause = within / 3;
    loop {
        match timeout(pause, ask(&store)).await {
            Ok(answer) if is_alive(&answer) => ping(),
            Ok(_) => tracing::warn!("the store takes nothing; the watchdog is not fed"),
            Err(_) => tracing::warn!(waited_s = pause.as_secs(), "the store does not answer; the watchdog is not fed"),
        }
        sleep(pause).await;
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{
        Arc,
        atomic::{AtomicU32, Ordering::SeqCst},
        mpsc::channel,
    };

    use super::*;

    #[test]
    fn a_store_that_answers_with_an_error_is_alive_and_one_that_takes_nothing_is_not() {
        assert!(is_alive(&Ok(())));
        assert!(is_alive(&Err(StoreError::NotDurable("disk full".to_owned()))));
        assert!(!is_alive(&Err(StoreError::Busy)));
        assert!(!is_alive(&Err(StoreError::Closed)));
    }

    #[tokio::test]
    async fn a_writer_that_hangs_is_not_fed_for_and_one_that_goes_on_is() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(&folder.path().join("control.db")).unwrap();
        let pings = Arc::new(AtomicU32::new(0));
        let counted = Arc::clone(&pings);
        let (let_go, held) = channel::<()>();
        let held = std::sync::Mutex::new(held);
        let writer = store.clone();
        let hanging = tokio::spawn(async move {
            writer.write(move |_| held.lock().unwrap().recv().map_err(|_| StoreError::Closed)).await
        });
        // The hanging write is the writer's before anything is asked.
        tokio::time::sleep(Duration::from_millis(100)).await;
        let feeding = tokio::spawn(feed_within(store, Duration::from_millis(150), move || {
            counted.fetch_add(1, SeqCst);
        }));
        tokio::time::sleep(Duration::from_millis(600)).await;
        assert_eq!(pings.load(SeqCst), 0, "nothing was written meanwhile");
        let_go.send(()).unwrap();
        hanging.await.unwrap().unwrap();
        let fed = timeout(Duration::from_secs(10), async {
            while pings.load(SeqCst) == 0 {
                tokio::time::sleep(Duration::from_millis(20)).await;
            }
        });
        fed.await.expect("a store that answers again is fed for again");
        feeding.abort();
    }
}
