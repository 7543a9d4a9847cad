//! Questions to a host that is connected to this process, and their answers: what an audit asks, and what can only be
//! done while somebody waits for it.
//!
//! A question rides on the session that is open anyway and waits for nothing on it. It is not kept: when the session
//! ends, whoever asked hears so at once, and asks again if they like. One that nobody waits for any more is not sent.

use std::{
    collections::{HashMap, VecDeque},
    sync::{Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use csp_shared::{
    audit::Holding,
    id::ServerId,
    limits::HOLDINGS_MAX,
    message::{PasswordRefusal, QuestionId},
    secret::Secret,
};
use tokio::{
    sync::{Notify, oneshot},
    time::timeout,
};

/// Questions of one kind that may be open on one session.
const OPEN_MAX: usize = 16;

/// Why a host did not answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// No session.
    #[error("is not connected")]
    NotConnected,
    /// Its agent does not know the question.
    #[error("runs an agent that is too old for this")]
    TooOld,
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

/// Asks for everything that is on the host.
pub(super) type Audits = Questions<(), Vec<Holding>>;

/// Asks a guest to take a new password; the answer is why it did not.
pub(super) type Passwords = Questions<NewPassword, Option<PasswordRefusal>>;

/// A password for a guest's root.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewPassword {
    /// Whose guest.
    pub server: ServerId,
    /// crypt(5).
    pub hash: Secret,
}

/// The open questions of one kind on one session.
#[derive(Debug)]
pub(super) struct Questions<Q, A> {
    state: Mutex<State<Q, A>>,
    asked: Notify,
}

#[derive(Debug)]
struct State<Q, A> {
    asked: u64,
    unsent: VecDeque<(QuestionId, Q)>,
    open: HashMap<QuestionId, Open<A>>,
}

#[derive(Debug)]
struct Open<A> {
    so_far: A,
    answer: oneshot::Sender<Result<A, NoAnswer>>,
}

impl<Q, A> Default for Questions<Q, A> {
    fn default() -> Self {
        let state = State { asked: 0, unsent: VecDeque::new(), open: HashMap::new() };
        Self { state: Mutex::new(state), asked: Notify::new() }
    }
}

impl<Q, A: Default> Questions<Q, A> {
    /// Asks. What comes of it is told by [`answer_within`].
    pub(super) fn open(&self, question: Q) -> Result<oneshot::Receiver<Result<A, NoAnswer>>, NoAnswer> {
        let mut state = self.lock();
        state.open.retain(|_, open| !open.answer.is_closed());
        if state.open.len() >= OPEN_MAX {
            return Err(NoAnswer::Busy);
        }
        state.asked += 1;
        let (id, (answer, told)) = (QuestionId(state.asked), oneshot::channel());
        state.unsent.push_back((id, question));
        state.open.insert(id, Open { so_far: A::default(), answer });
        drop(state);
        self.asked.notify_one();
        Ok(told)
    }

    /// The next question to be sent. Cancel safe; for one sender.
    pub(super) async fn next(&self) -> (QuestionId, Q) {
        loop {
            if let Some(next) = self.next_now() {
                return next;
            }
            self.asked.notified().await;
        }
    }

    fn next_now(&self) -> Option<(QuestionId, Q)> {
        let mut state = self.lock();
        while let Some((id, question)) = state.unsent.pop_front() {
            if state.open.get(&id).is_some_and(|open| !open.answer.is_closed()) {
                return Some((id, question));
            }
        }
        None
    }

    /// Takes an answer, or a part of it: `take` adds it to what came so far and tells whether that is all. One that
    /// nobody waits for any more is dropped.
    pub(super) fn answer(&self, id: QuestionId, take: impl FnOnce(&mut A) -> Result<bool, NoAnswer>) {
        let mut state = self.lock();
        let Some(open) = state.open.get_mut(&id) else { return };
        let taken = take(&mut open.so_far);
        if taken == Ok(false) && !open.answer.is_closed() {
            return;
        }
        let Some(Open { so_far, answer }) = state.open.remove(&id) else { return };
        // Nobody there to hear it is no failure.
        let _ = answer.send(taken.map(|_| so_far));
    }

    fn lock(&self) -> MutexGuard<'_, State<Q, A>> {
        // No code that can panic runs under the lock.
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Adds a part of what a host holds to what it told before.
pub(super) fn add_holdings(so_far: &mut Vec<Holding>, part: Vec<Holding>, last: bool) -> Result<bool, NoAnswer> {
    so_far.extend(part.into_iter().map(Holding::bounded));
    if so_far.len() > HOLDINGS_MAX { Err(NoAnswer::TooMuch) } else { Ok(last) }
}

/// Waits at most `limit` for the answer to a question; not longer than its session lives.
pub(super) async fn answer_within<A>(
    asked: oneshot::Receiver<Result<A, NoAnswer>>,
    limit: Duration,
) -> Result<A, NoAnswer> {
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
        let questions = Audits::default();
        let host = async {
            let (id, ()) = questions.next().await;
            let part = |id, part: Vec<Holding>, last| questions.answer(id, |all| add_holdings(all, part, last));
            part(QuestionId(id.0 + 1), vec![image(9)], true); // of a question that nobody asked
            part(id, vec![image(0), image(1)], false);
            part(id, vec![image(2)], true);
        };
        let (answer, ()) = tokio::join!(answer_within(questions.open(()).unwrap(), LONG), host);
        assert_eq!(answer, Ok((0..3).map(image).collect()));
    }

    #[tokio::test]
    async fn whoever_asks_hears_of_a_silence_and_of_an_end() {
        let questions = Audits::default();
        let short = Duration::from_millis(10);
        for _ in 0..2 * OPEN_MAX {
            assert_eq!(
                answer_within(questions.open(()).unwrap(), short).await,
                Err(NoAnswer::Late(short)),
                "given up questions do not pile up"
            );
        }
        let waiting = questions.open(()).unwrap();
        drop(questions);
        assert_eq!(answer_within(waiting, LONG).await, Err(NoAnswer::Gone));
    }

    /// A password that nobody would be told must not be set.
    #[tokio::test]
    async fn a_question_that_nobody_waits_for_any_more_is_not_sent() {
        let questions = Questions::<u8, ()>::default();
        drop(questions.open(1).unwrap());
        let _waits = questions.open(2).unwrap();
        assert_eq!(questions.next().await.1, 2);
        assert!(questions.next_now().is_none());
    }

    #[tokio::test]
    async fn a_host_cannot_fill_the_memory_of_who_asks() {
        let questions = Audits::default();
        let host = async {
            let (id, ()) = questions.next().await;
            for _ in 0..=HOLDINGS_MAX / 4096 {
                questions.answer(id, |all| add_holdings(all, vec![image(0); 4096], false));
            }
        };
        let (answer, ()) = tokio::join!(answer_within(questions.open(()).unwrap(), LONG), host);
        assert_eq!(answer, Err(NoAnswer::TooMuch));
    }
}
