//! Tells whoever follows an account that there is something new to read, and hosts that there is something to be sent. A
//! signal carries no data and decides nothing: it saves time, and whoever waits also looks by the clock.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, OnceLock, PoisonError},
};

use csp_shared::id::{AccountId, HostId};
use tokio::sync::{Notify, watch};

use super::News;

/// Who waits for what. Clones reach the same ones.
#[derive(Clone, Default)]
pub(super) struct Signals {
    by_account: Arc<Mutex<HashMap<AccountId, watch::Sender<()>>>>,
    billing: Arc<Notify>,
    hosts: Arc<OnceLock<HostBell>>,
}

/// Wakes a host's session.
type HostBell = Box<dyn Fn(HostId) + Send + Sync>;

impl Signals {
    /// Changes whenever this account is told of.
    pub(super) fn follow(&self, account: AccountId) -> watch::Receiver<()> {
        self.lock().entry(account).or_insert_with(|| watch::channel(()).0).subscribe()
    }

    /// Rings when a service must be looked at.
    pub(super) fn billing_bell(&self) -> Arc<Notify> {
        Arc::clone(&self.billing)
    }

    /// Who wakes hosts' sessions. The first one stays.
    pub(super) fn wake_hosts_by(&self, bell: impl Fn(HostId) + Send + Sync + 'static) {
        let _ = self.hosts.set(Box::new(bell));
    }

    /// Wakes those whom a transaction concerns. To be called after the commit. Forgets accounts that nobody follows any more.
    pub(super) fn tell(&self, news: &News) {
        let accounts = &news.told;
        if news.billing {
            self.billing.notify_one();
        }
        if let Some(bell) = self.hosts.get() {
            news.hosts.iter().copied().for_each(bell);
        }
        if accounts.is_empty() {
            return;
        }
        let mut by_account = self.lock();
        for account in accounts {
            if by_account.get(account).is_some_and(|sender| sender.send(()).is_err()) {
                by_account.remove(account);
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<AccountId, watch::Sender<()>>> {
        // No code that can panic runs under the lock.
        self.by_account.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    fn news(number: u128) -> News {
        News { told: BTreeSet::from([account(number)]), ..News::default() }
    }

    fn account(number: u128) -> AccountId {
        AccountId(uuid::Uuid::from_u128(number))
    }

    #[test]
    fn only_who_follows_the_account_is_woken_and_two_signals_are_one() {
        let signals = Signals::default();
        let (mut one, two) = (signals.follow(account(1)), signals.follow(account(2)));
        signals.tell(&news(1));
        signals.tell(&news(1));
        assert!(one.has_changed().unwrap() && !two.has_changed().unwrap());
        one.mark_unchanged();
        assert!(!one.has_changed().unwrap());
    }

    #[test]
    fn accounts_that_nobody_follows_are_forgotten() {
        let signals = Signals::default();
        drop(signals.follow(account(1)));
        signals.tell(&news(1));
        assert!(signals.lock().is_empty());
    }
}
