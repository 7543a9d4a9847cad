//! One at a time, for requests whose effect lies outside the store: from the look at what was answered before to the
//! answer that is stored. A twin waits here as it waits for the writer otherwise, and then finds the answer.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, PoisonError},
};

use csp_shared::id::ServerId;
use tokio::sync::{Mutex as AsyncMutex, OwnedMutexGuard};

/// Who has the turn at which server. Clones are about the same turns.
#[derive(Clone, Debug, Default)]
pub struct Turns(Arc<Mutex<HashMap<ServerId, Arc<AsyncMutex<()>>>>>);

impl Turns {
    /// Waits for the turn at this server; it lasts until the guard is dropped.
    pub async fn take(&self, server: ServerId) -> OwnedMutexGuard<()> {
        let turn = {
            // No code that can panic runs under the lock.
            let mut turns = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            turns.retain(|_, turn| Arc::strong_count(turn) > 1);
            Arc::clone(turns.entry(server).or_default())
        };
        turn.lock_owned().await
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn turns_are_taken_one_after_the_other_and_leave_nothing_behind() {
        let turns = Turns::default();
        let (one, two): (ServerId, ServerId) = (
            "0192f0c1-0000-7000-8000-000000000001".parse().unwrap(),
            "0192f0c1-0000-7000-8000-000000000002".parse().unwrap(),
        );
        let first = turns.take(one).await;
        let mut second = Box::pin(turns.take(one));
        assert!(futures_util::poll!(&mut second).is_pending(), "the turn is another's");
        drop(turns.take(two).await);
        drop(first);
        drop(second.await);
        let _third = turns.take(two).await;
        assert_eq!(turns.0.lock().unwrap().len(), 1);
    }
}
