//! Questions to a host that is connected to this process, and their answers: what an audit asks.
//!
//! A question rides on the session that is open anyway and waits for nothing on it. It is not kept: when the session
//! ends, whoever asked hears so at once, and asks again if they like.

use std::{
    collections::HashMap,
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use csp_shared::{
    audit::{AuditId, Holding},
    limits::HOLDINGS_MAX,
};
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

/// Questions that may be open on one session; an operator asks one at a time.
const OPEN_MAX: usize = 4;

/// Why a host did not tell what it holds.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// No session.
    #[error("is not connected")]
    NotConnected,
    /// The session ended before the answer came.
    #[error("went away before it answered")]
    Gone,
    /// It takes too long.
    #[error("did not answer within {} s", .0.as_secs())]
    Late(Duration),
    /// Too many ask.
    #[error("is being asked by others; ask again")]
    Busy,
    /// More than a host can hold.
    #[error("answered with more than {HOLDINGS_MAX} things")]
    TooMuch,
}

type Answer = Result<Vec<Holding>, NoAnswer>;

/// The open questions of one session.
#[derive(Debug, Default)]
pub(super) struct Questions {
    state: Mutex<State>,
    asked: Notify,
}

#[derive(Debug, Default)]
struct State {
    asked: u64,
    unsent: Vec<AuditId>,
    open: HashMap<AuditId, Open>,
}

#[derive(Debug)]
struct Open {
    holdings: Vec<Holding>,
    answer: oneshot::Sender<Answer>,
}

impl Questions {
    /// Asks. What comes of it is told by [`answer_within`].
    pub(super) fn open(&self) -> Result<oneshot::Receiver<Answer>, NoAnswer> {
        let mut state = self.lock();
        state.open.retain(|_, open| !open.answer.is_closed());
        if state.open.len() >= OPEN_MAX {
            return Err(NoAnswer::Busy);
        }
        state.asked += 1;
        let (id, (answer, told)) = (AuditId(state.asked), oneshot::channel());
        state.unsent.push(id);
        state.open.insert(id, Open { holdings: Vec::new(), answer });
        drop(state);
        self.asked.notify_one();
        Ok(told)
    }

    /// The next question to be sent. Cancel safe; for one sender.
    pub(super) async fn next(&self) -> AuditId {
        loop {
            if let Some(id) = self.lock().unsent.pop() {
                return id;
            }
            self.asked.notified().await;
        }
    }

    /// Takes an answer, or a part of it. One that nobody waits for any more is dropped.
    pub(super) fn answer(&self, id: AuditId, holdings: Vec<Holding>, last: bool) {
        let mut state = self.lock();
        let Some(open) = state.open.get_mut(&id) else { return };
        open.holdings.extend(holdings.into_iter().map(Holding::bounded));
        let is_too_much = open.holdings.len() > HOLDINGS_MAX;
        if !(last || is_too_much || open.answer.is_closed()) {
            return;
        }
        let Some(Open { holdings, answer }) = state.open.remove(&id) else { return };
        // Nobody there to hear it is no failure.
        let _ = answer.send(if is_too_much { Err(NoAnswer::TooMuch) } else { Ok(holdings) });
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Waits at most `limit` for the answer to a question; not longer than its session lives.
pub(super) async fn answer_within(asked: oneshot::Receiver<Answer>, limit: Duration) -> Answer {
    match timeout(limit, asked).await {
        Ok(Ok(answer)) => answer,
        Ok(Err(_)) => Err(NoAnswer::Gone),
        Err(_) => Err(NoAnswer::Late(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(10);

    fn image(number: usize) -> Holding {
        Holding::Image { file: format!("{number}.qcow2") }
    }

    #[tokio::test]
    async fn an_answer_in_parts_arrives_whole_and_in_order() {
        let questions = Questions::default();
        let host = async {
            let id = questions.next().await;
            questions.answer(AuditId(id.0 + 1), vec![image(9)], true); // of a question that nobody asked
            questions.answer(id, vec![image(0), image(1)], false);
            questions.answer(id, vec![image(2)], true);
        };
        let (answer, ()) = tokio::join!(answer_within(questions.open().unwrap(), LONG), host);
        assert_eq!(answer, Ok((0..3).map(image).collect()));
    }

    #[tokio::test]
    async fn whoever_asks_hears_of_a_silence_and_of_an_end() {
        let questions = Questions::default();
        let short = Duration::from_millis(10);
        for _ in 0..2 * OPEN_MAX {
            assert_eq!(
                answer_within(questions.open().unwrap(), short).await,
                Err(NoAnswer::Late(short)),
                "given up questions do not pile up"
            );
        }
        let waiting = questions.open().unwrap();
        drop(questions);
        assert_eq!(answer_within(waiting, LONG).await, Err(NoAnswer::Gone));
    }

    #[tokio::test]
    async fn a_host_cannot_fill_the_memory_of_who_asks() {
        let questions = Questions::default();
        let host = async {
            let id = questions.next().await;
            for _ in 0..=HOLDINGS_MAX / 4096 {
                questions.answer(id, vec![image(0); 4096], false);
            }
        };
        let (answer, ()) = tokio::join!(answer_within(questions.open().unwrap(), LONG), host);
        assert_eq!(answer, Err(NoAnswer::TooMuch));
    }
}
