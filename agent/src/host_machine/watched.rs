//! Whether something that the whole host depends on works, so that the log has one line when it is lost and one when it
//! is back, instead of one a server and look.

use std::sync::{
    Mutex, PoisonError,
    atomic::{AtomicU64, Ordering},
};

use csp_shared::observed::{Fault, FaultCode};

/// One thing that the host depends on.
#[derive(Debug)]
pub(super) struct Watched {
    what: &'static str,
    state: Mutex<State>,
    /// Uses of it that worked.
    worked: AtomicU64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Nothing worked yet: the agent's start tells of it until then.
    Untried,
    Works,
    Lost(FaultCode),
}

/// What the log is to say.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum News {
    Lost,
    Back,
}

impl Watched {
    pub fn new(what: &'static str) -> Self {
        Self { what, state: Mutex::new(State::Untried), worked: AtomicU64::new(0) }
    }

    /// How many uses of it have worked: for [`Watched::note_since`].
    pub fn worked(&self) -> u64 {
        self.worked.load(Ordering::Relaxed)
    }

    /// Takes note of a use that began when so many had worked. If others worked meanwhile, what failed is that one use, as
    /// with a guest that hangs, and not what the host depends on: its server's report tells of it.
    pub fn note_since(&self, worked: u64, fault: Option<&Fault>) {
        if fault.is_none() || self.worked() == worked {
            self.note(fault);
        }
    }

    /// Takes note of how a use of it went: `None` when it worked.
    pub fn note(&self, fault: Option<&Fault>) {
        if fault.is_none() {
            self.worked.fetch_add(1, Ordering::Relaxed);
        }
        let what = self.what;
        match (self.step(fault.map(|fault| fault.code)), fault) {
            (Some(News::Lost), Some(fault)) => {
                let (code, detail) = (fault.code.as_str(), &fault.detail);
                tracing::warn!(what, code, detail, "the host cannot be looked at; guests go on and nothing is changed");
            }
            (Some(News::Back), _) => tracing::info!(what, "the host can be looked at again"),
            _ => {}
        }
    }

    fn step(&self, failed: Option<FaultCode>) -> Option<News> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let (next, news) = match (*state, failed) {
            (State::Untried, Some(_)) => (State::Untried, None),
            (State::Untried | State::Works, None) => (State::Works, None),
            (State::Lost(_), None) => (State::Works, Some(News::Back)),
            (State::Lost(before), Some(code)) if before == code => (State::Lost(code), None),
            (State::Works | State::Lost(_), Some(code)) => (State::Lost(code), Some(News::Lost)),
        };
        *state = next;
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_loss_is_told_once_and_so_is_its_end() {
        let watched = Watched::new("libvirt");
        let (away, refused) = (Some(FaultCode::HypervisorAway), Some(FaultCode::NetworkRefused));
        let told: Vec<_> = [away, None, None, away, away, refused, refused, None, None, away]
            .into_iter()
            .map(|failed| watched.step(failed))
            .collect();
        let (lost, back) = (Some(News::Lost), Some(News::Back));
        assert_eq!(told, [None, None, None, lost, None, lost, None, back, None, lost]);
    }

    #[test]
    fn one_guest_that_hangs_while_others_are_answered_is_no_loss_of_libvirt() {
        let (watched, hangs) = (Watched::new("libvirt"), Fault::new(FaultCode::HypervisorAway, "too slow"));
        let state = || *watched.state.lock().unwrap();
        watched.note(None);
        let began = watched.worked();
        watched.note(None);
        watched.note_since(began, Some(&hangs));
        assert_eq!(state(), State::Works);
        watched.note_since(watched.worked(), Some(&hangs));
        assert_eq!(state(), State::Lost(FaultCode::HypervisorAway), "nobody is answered");
        watched.note_since(began, None);
        assert_eq!(state(), State::Works);
    }
}
