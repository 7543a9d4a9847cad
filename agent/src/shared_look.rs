//! One look at the host for all who want to look at the same moment.
//!
//! A thousand servers are looked at again and again, and a listing of the host's interfaces, filters and processes costs
//! the same for one as for all. So those who ask while a look is under way share the next one. Nobody is given a look
//! that began before he asked: what a step has just changed is always in it.

use std::sync::atomic::{AtomicU64, Ordering};

use tokio::sync::Mutex;

/// See the module.
#[derive(Debug)]
pub struct SharedLook<T> {
    begun: AtomicU64,
    latest: Mutex<Option<(u64, T)>>,
}

impl<T> Default for SharedLook<T> {
    fn default() -> Self {
        Self { begun: AtomicU64::new(0), latest: Mutex::new(None) }
    }
}

impl<T: Clone> SharedLook<T> {
    /// What `look` gives, or what another one's `look` gave that began after this call. Cancel safe.
    pub async fn look(&self, look: impl AsyncFnOnce() -> T) -> T {
        let asked = self.begun.load(Ordering::SeqCst);
        let mut latest = self.latest.lock().await;
        match latest.as_ref() {
            Some((begun, seen)) if *begun > asked => return seen.clone(),
            _ => {}
        }
        let begun = self.begun.fetch_add(1, Ordering::SeqCst) + 1;
        let seen = look().await;
        *latest = Some((begun, seen.clone()));
        seen
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn many_share_a_look_that_began_after_they_asked() {
        let (shared, looks, truth) = (SharedLook::default(), AtomicU64::new(0), AtomicU64::new(0));
        let look = async || {
            looks.fetch_add(1, Ordering::SeqCst);
            let seen = truth.load(Ordering::SeqCst);
            tokio::time::sleep(Duration::from_millis(10)).await;
            seen
        };
        let early = futures_util::future::join_all((0..100).map(|_| shared.look(look)));
        let late = async {
            tokio::time::sleep(Duration::from_millis(5)).await; // the first look is under way
            truth.store(1, Ordering::SeqCst);
            futures_util::future::join_all((0..100).map(|_| shared.look(look))).await
        };
        let (_, late) = tokio::join!(early, late);
        assert!(late.iter().all(|seen| *seen == 1), "nobody is shown what was before he asked");
        assert!(looks.load(Ordering::SeqCst) <= 3, "{looks:?}");
        assert_eq!(shared.look(look).await, 1);
    }

    #[tokio::test]
    async fn a_look_that_is_given_up_leaves_no_trace() {
        let shared = SharedLook::default();
        let slow = shared.look(async || {
            tokio::time::sleep(Duration::from_secs(3600)).await;
            1
        });
        assert!(tokio::time::timeout(Duration::from_millis(20), slow).await.is_err());
        assert_eq!(shared.look(async || 2).await, 2);
    }
}
