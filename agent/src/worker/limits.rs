//! Host-wide bounds on heavy steps.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use csp_shared::sha256::Sha256;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard, Semaphore, SemaphorePermit};

/// Downloads at once on one host.
const DOWNLOADS_MAX: usize = 4;
/// Copies on the pool at once on one host.
const DISK_STEPS_MAX: usize = 2;

/// The places that heavy steps wait for.
pub(super) struct Limits {
    downloads: Semaphore,
    disk_steps: Semaphore,
    /// Who fetches which image. Others that want it wait there, and not in a place that another image could have.
    fetching: Mutex<HashMap<Sha256, Arc<AsyncMutex<()>>>>,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            downloads: Semaphore::new(DOWNLOADS_MAX),
            disk_steps: Semaphore::new(DISK_STEPS_MAX),
            fetching: Mutex::default(),
        }
    }
}

/// A place for a download, and the right to be the one who fetches that image.
pub(super) struct Download<'a> {
    _alone: OwnedMutexGuard<()>,
    _place: SemaphorePermit<'a>,
}

impl Limits {
    /// Waits for a place to write in the pool. `None`: nobody closes them.
    pub async fn disk_step(&self) -> Option<SemaphorePermit<'_>> {
        self.disk_steps.acquire().await.ok()
    }

    /// Waits for a place to fetch an image. `None` once somebody else fetched it meanwhile, or failed to: look again.
    pub async fn download(&self, image: Sha256) -> Option<Download<'_>> {
        let fetch = {
            let mut fetching = self.fetching.lock().unwrap_or_else(PoisonError::into_inner);
            fetching.retain(|_, fetch| Arc::strong_count(fetch) > 1);
            Arc::clone(fetching.entry(image).or_default())
        };
        match Arc::clone(&fetch).try_lock_owned() {
            Ok(alone) => Some(Download { _alone: alone, _place: self.downloads.acquire().await.ok()? }),
            Err(_) => {
                drop(fetch.lock().await);
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{
        pin::pin,
        task::{Context, Poll, Waker},
    };

    use super::*;

    fn poll<F: Future>(future: std::pin::Pin<&mut F>) -> Poll<F::Output> {
        future.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn servers_that_want_one_image_leave_the_other_places_to_others() {
        let limits = Limits::default();
        let image = |number: u8| Sha256::of(&[number]);
        let Poll::Ready(Some(first)) = poll(pin!(limits.download(image(0)))) else { panic!("a free place") };
        let mut waiting: Vec<_> = (0..9).map(|_| Box::pin(limits.download(image(0)))).collect();
        assert!(waiting.iter_mut().all(|wait| poll(wait.as_mut()).is_pending()));
        let mut others = Vec::new();
        for number in 1..4 {
            let Poll::Ready(Some(other)) = poll(pin!(limits.download(image(number)))) else { panic!("of {number}") };
            others.push(other);
        }
        let mut fifth = Box::pin(limits.download(image(4)));
        assert!(poll(fifth.as_mut()).is_pending(), "the places are taken");
        drop(first);
        assert!(matches!(poll(fifth.as_mut()), Poll::Ready(Some(_))));
        assert!(matches!(poll(waiting[0].as_mut()), Poll::Ready(None)), "it looks again: it may be there");
    }
}
