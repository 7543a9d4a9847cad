//! The newest sample of each server, until the link takes it.
//!
//! A map instead of a queue: however long the link is down, a server costs one sample. And one that lay too long is
//! thrown away rather than told late, since whoever hears it takes it for news.

use std::{
    collections::BTreeMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use csp_shared::{id::ServerId, sample::Sample};
use tokio::{sync::Notify, time::Instant};

/// How long a sample is news.
const FRESH: Duration = Duration::from_secs(20);

/// Between the sampler, which writes, and the link, which reads.
#[derive(Debug, Default)]
pub struct Mailbox {
    samples: Mutex<BTreeMap<ServerId, (Instant, Sample)>>,
    came: Notify,
}

impl Mailbox {
    /// Takes the place of what nobody took.
    pub fn put(&self, samples: Vec<Sample>) {
        let now = Instant::now();
        let mut all = self.lock();
        all.retain(|_, (put, _)| now.duration_since(*put) <= FRESH);
        all.extend(samples.into_iter().map(|sample| (sample.server, (now, sample))));
        drop(all);
        self.came.notify_one();
    }

    /// Waits for samples and takes at most `limit` of them (at least one). Cancel safe; for one reader.
    pub async fn take(&self, limit: usize) -> Vec<Sample> {
        loop {
            let taken = self.take_now(limit.max(1));
            if !taken.is_empty() {
                return taken;
            }
            self.came.notified().await;
        }
    }

    fn take_now(&self, limit: usize) -> Vec<Sample> {
        let now = Instant::now();
        let mut all = self.lock();
        all.retain(|_, (put, _)| now.duration_since(*put) <= FRESH);
        std::iter::from_fn(|| all.pop_first()).map(|(_, (_, sample))| sample).take(limit).collect()
    }

    /// A panicking holder leaves the map whole: each change is one insert or remove.
    fn lock(&self) -> MutexGuard<'_, BTreeMap<ServerId, (Instant, Sample)>> {
        self.samples.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use tokio::time::advance;
    use uuid::Uuid;

    use super::*;

    fn sample(server: u128, cpu_ns: u64) -> Sample {
        let server = ServerId(Uuid::from_u128(server));
        Sample { server, over_ms: 15_000, cpu_ns: Some(cpu_ns), memory: None, disk: None, network: None }
    }

    #[tokio::test(start_paused = true)]
    async fn only_the_newest_sample_of_a_server_is_taken_and_only_once() {
        let mailbox = Mailbox::default();
        mailbox.put(vec![sample(1, 1), sample(2, 1), sample(3, 1)]);
        mailbox.put(vec![sample(1, 2)]);
        assert_eq!(mailbox.take(2).await, [sample(1, 2), sample(2, 1)]);
        assert_eq!(mailbox.take(2).await, [sample(3, 1)]);
        assert!(mailbox.take_now(2).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn what_lay_too_long_is_not_told_as_news_and_takes_no_memory() {
        let mailbox = Mailbox::default();
        mailbox.put(vec![sample(1, 1)]);
        advance(FRESH + Duration::from_secs(1)).await;
        assert!(mailbox.take_now(9).is_empty());
        mailbox.put(vec![sample(2, 1)]);
        advance(FRESH + Duration::from_secs(1)).await;
        mailbox.put(vec![]);
        assert_eq!(mailbox.lock().len(), 0);
    }
}
