//! Where a process of a history dies: every point at which it could is counted, and at one of them it does.
//!
//! A process that dies stands still for ever inside the call that it was in, and [`Fuse::survive`], which made that
//! call, gives it up: nothing after the point runs, everything before it has happened.

use std::{
    future::{Future, pending, poll_fn},
    pin::pin,
    sync::{Arc, Mutex, MutexGuard},
    task::Poll,
};

use csp_control::failpoint::{Moment, Watch};

#[derive(Clone, Default)]
pub struct Fuse(Arc<Mutex<State>>);

#[derive(Default)]
struct State {
    /// Points are counted.
    armed: bool,
    /// Die at the point of this number.
    at: Option<usize>,
    /// What was crossed, in order.
    crossed: Vec<String>,
    /// A process died and was not given up yet.
    blown: bool,
    /// What an agent is doing.
    doing: String,
}

impl Fuse {
    /// Counts from here on, and blows at the point numbered `at`.
    pub fn arm(&self, at: Option<usize>) {
        let mut state = self.lock();
        state.armed = true;
        state.at = at;
    }

    /// Counts no more; gives what was crossed.
    pub fn disarm(&self) -> Vec<String> {
        let mut state = self.lock();
        state.armed = false;
        std::mem::take(&mut state.crossed)
    }

    /// Counts no more until it is armed again; gives where it is to blow.
    pub fn hold(&self) -> Option<usize> {
        let mut state = self.lock();
        state.armed = false;
        state.at
    }

    /// What an agent does from here on.
    pub fn doing(&self, what: &str) {
        self.lock().doing = what.to_owned();
    }

    /// A point of an agent; the future never ends when it dies there.
    pub async fn cross(&self, effect: &str, moment: &str) {
        let name = format!("agent {}/{effect} {moment}", self.lock().doing);
        if self.is_last(name) {
            pending::<()>().await;
        }
    }

    /// Runs a part of a process; nothing when it died in it.
    pub async fn survive<T>(&self, part: impl Future<Output = T>) -> Option<T> {
        let mut part = pin!(part);
        poll_fn(|context| match part.as_mut().poll(context) {
            Poll::Ready(value) => Poll::Ready(Some(value)),
            Poll::Pending if std::mem::take(&mut self.lock().blown) => Poll::Ready(None),
            Poll::Pending => Poll::Pending,
        })
        .await
    }

    fn is_last(&self, name: String) -> bool {
        let mut state = self.lock();
        if !state.armed {
            return false;
        }
        let is_last = state.at == Some(state.crossed.len());
        state.crossed.push(name);
        state.blown |= is_last;
        is_last
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap()
    }
}

impl Watch for Fuse {
    fn dies_at(&self, use_case: &str, moment: Moment) -> bool {
        self.is_last(format!("control {use_case} {}", moment.as_str()))
    }
}
