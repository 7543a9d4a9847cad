//! Signals to the hosts' sessions. They carry no data: "read the store" and "you have to go".
//!
//! Forgotten at a restart and unknown to other replicas, on purpose: a session also rescans by the clock, and every
//! write compares its epoch, so a signal saves time and decides nothing.

use std::{
    collections::{HashMap, HashSet},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use csp_shared::{
    audit::Holding,
    generation::SessionEpoch,
    id::{HostId, ServerId},
    message::{PasswordRefusal, QuestionId},
    secret::Secret,
};
use tokio::sync::{Notify, watch};

use super::console_relay::Consoles;
use super::questions::{self, Audits, NewPassword, NoAnswer, Passwords};

/// Why a session has to go.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Leave {
    /// The same host opened a newer one.
    Superseded,
    /// The operator removed the host.
    Removed,
    /// The control plane stops; the host comes back by itself.
    Stopping,
}

/// Reaches the sessions of this process. Clones reach the same ones.
#[derive(Debug, Clone, Default)]
pub struct Wake {
    sessions: Arc<Mutex<Sessions>>,
    consoles: Consoles,
}

#[derive(Debug, Default)]
struct Sessions {
    live: HashMap<HostId, Live>,
    /// Whose session ended here, and no other has begun since.
    left: HashSet<HostId>,
}

#[derive(Debug)]
struct Live {
    session: SessionEpoch,
    woken: Arc<Notify>,
    questions: Arc<Questions>,
    offers: Offers,
    leave: watch::Sender<Option<Leave>>,
}

/// What a host may be asked over its session.
#[derive(Debug, Default)]
struct Questions {
    audits: Audits,
    passwords: Passwords,
}

/// What a host's agent understands, by its Hello.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Offers {
    /// [`csp_shared::message::ToAgent::SetPassword`].
    pub passwords: bool,
    /// [`csp_shared::message::ToAgent::DesiredNetworks`], and adapters in private networks.
    pub networks: bool,
}

/// A session's own end of its signals. Dropped with it.
#[derive(Debug)]
pub struct Registration {
    host: HostId,
    session: SessionEpoch,
    wake: Wake,
    offers: Offers,
    woken: Arc<Notify>,
    questions: Arc<Questions>,
    leave: watch::Receiver<Option<Leave>>,
}

impl Wake {
    /// Tells the host's session, if there is one, that there may be something to send. To be called after the commit.
    pub fn wake(&self, host: HostId) {
        if let Some(live) = self.lock().live.get(&host) {
            live.woken.notify_one();
        }
    }

    /// Ends the connection of a removed host. To be called after the commit.
    pub fn remove(&self, host: HostId) {
        if let Some(live) = self.lock().live.get(&host) {
            live.leave.send_replace(Some(Leave::Removed));
        }
    }

    /// Asks a host for everything that is on it, and waits at most `limit` for the answer.
    ///
    /// # Errors
    /// When it does not answer: then nothing is known about it.
    pub async fn audit(&self, host: HostId, limit: Duration) -> Result<Vec<Holding>, NoAnswer> {
        let questions = self.lock().live.get(&host).map(|live| Arc::downgrade(&live.questions));
        let questions = questions.ok_or(NoAnswer::NotConnected)?;
        let asked = questions.upgrade().ok_or(NoAnswer::Gone)?.audits.open(())?;
        questions::answer_within(asked, limit).await
    }

    /// Asks a host to give a guest's root a new password, and waits at most `limit` for the answer: why it did not.
    ///
    /// # Errors
    /// When it does not answer: then nobody knows which password the guest has.
    pub async fn set_password(
        &self,
        host: HostId,
        server: ServerId,
        hash: Secret,
        limit: Duration,
    ) -> Result<Option<PasswordRefusal>, NoAnswer> {
        let asked = match self.lock().live.get(&host) {
            None => return Err(NoAnswer::NotConnected),
            Some(live) if !live.offers.passwords => return Err(NoAnswer::TooOld),
            Some(live) => live.questions.passwords.open(NewPassword { server, hash })?,
        };
        questions::answer_within(asked, limit).await
    }

    /// Screens, which hosts show by connections of their own.
    #[must_use]
    pub fn consoles(&self) -> &Consoles {
        &self.consoles
    }

    /// Hosts that are connected to this process, in no order.
    #[must_use]
    pub fn connected(&self) -> Vec<HostId> {
        self.lock().live.keys().copied().collect()
    }

    /// Whether a host is known to be away: its session ended, and it has not come back. Nothing is known after a restart until
    /// a host comes.
    #[must_use]
    pub fn has_left(&self, host: HostId) -> bool {
        self.lock().left.contains(&host)
    }

    /// Ends all connections.
    pub(super) fn stop(&self) {
        for live in self.lock().live.values() {
            live.leave.send_replace(Some(Leave::Stopping));
        }
    }

    /// Takes the host's place from its older session. None when a newer one is already there: two connections may
    /// pass each other between the store and here.
    #[must_use]
    pub fn register(&self, host: HostId, session: SessionEpoch, offers: Offers) -> Option<Registration> {
        let mut sessions = self.lock();
        if let Some(older) = sessions.live.get(&host) {
            if older.session >= session {
                return None;
            }
            older.leave.send_replace(Some(Leave::Superseded));
        }
        let woken = Arc::new(Notify::new());
        let (leave, told) = watch::channel(None);
        let questions = Arc::<Questions>::default();
        sessions.left.remove(&host);
        sessions.live.insert(host, Live { session, woken: woken.clone(), questions: questions.clone(), offers, leave });
        Some(Registration { host, session, wake: self.clone(), offers, woken, questions, leave: told })
    }

    fn lock(&self) -> MutexGuard<'_, Sessions> {
        // No code that can panic runs under the lock.
        self.sessions.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Registration {
    /// Waits until the store may hold something new. Several signals are one.
    pub(super) async fn woken(&self) {
        self.woken.notified().await;
    }

    /// Waits until the session has to go.
    pub(super) async fn told_to_leave(&self) -> Leave {
        let mut leave = self.leave.clone();
        match leave.wait_for(Option::is_some).await {
            Ok(why) => why.unwrap_or(Leave::Superseded),
            // The sender lives in the map until a newer session replaces it.
            Err(_) => Leave::Superseded,
        }
    }

    /// What the host's agent understands.
    pub(super) fn offers(&self) -> Offers {
        self.offers
    }

    /// The next question to this host. Cancel safe.
    pub(super) async fn question(&self) -> QuestionId {
        self.questions.audits.next().await.0
    }

    /// Hands an answer, or a part of it, to whoever asked.
    pub(super) fn answered(&self, request: QuestionId, holdings: Vec<Holding>, last: bool) {
        self.questions.audits.answer(request, |so_far| questions::add_holdings(so_far, holdings, last));
    }

    /// The next guest that is to have a new password. Cancel safe.
    pub async fn password(&self) -> (QuestionId, NewPassword) {
        self.questions.passwords.next().await
    }

    /// Hands on what came of it.
    pub fn password_set(&self, request: QuestionId, refusal: Option<PasswordRefusal>) {
        self.questions.passwords.answer(request, |told| {
            *told = refusal;
            Ok(true)
        });
    }

    /// Signals this session from inside: what it just recorded may have changed what the host should be.
    pub(super) fn wake(&self) {
        self.woken.notify_one();
    }
}

impl Drop for Registration {
    fn drop(&mut self) {
        let mut sessions = self.wake.lock();
        if sessions.live.get(&self.host).is_some_and(|live| live.session == self.session) {
            sessions.live.remove(&self.host);
            sessions.left.insert(self.host);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host() -> HostId {
        "0192f0c1-0000-7000-8000-000000000001".parse().unwrap()
    }

    #[tokio::test]
    async fn a_newer_session_ends_the_older_and_not_the_other_way_round() {
        let wake = Wake::default();
        let first = wake.register(host(), SessionEpoch(1), Offers::default()).unwrap();
        let second = wake.register(host(), SessionEpoch(2), Offers::default()).unwrap();
        assert_eq!(first.told_to_leave().await, Leave::Superseded);
        assert!(wake.register(host(), SessionEpoch(1), Offers::default()).is_none());
        drop(first);
        assert_eq!(wake.connected(), [host()], "the older one's end does not unregister the newer");
        assert!(!wake.has_left(host()));
        drop(second);
        assert!(wake.connected().is_empty() && wake.has_left(host()));
        let _third = wake.register(host(), SessionEpoch(3), Offers::default()).unwrap();
        assert!(!wake.has_left(host()), "it came back");
    }

    #[tokio::test]
    async fn a_signal_that_comes_before_the_wait_is_not_lost() {
        let wake = Wake::default();
        let session = wake.register(host(), SessionEpoch(1), Offers::default()).unwrap();
        wake.wake(host());
        wake.wake(host());
        session.woken().await;
        let quiet = tokio::time::timeout(std::time::Duration::from_millis(20), session.woken()).await;
        assert!(quiet.is_err(), "two signals are one");
    }
}
