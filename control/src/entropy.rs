//! The one place that draws random bytes.
//!
//! A use case gets a [`Draw`] that was seeded before its transaction: the closure can then run twice and write the
//! same rows.

use std::sync::{Mutex, PoisonError};

use sha2::{Digest, Sha256};

use crate::{clock::millis_of_second, domain::draw::Draw};

/// Gives fresh seeds.
pub trait Entropy: Send + Sync {
    /// A seed that nobody can guess and that never comes again.
    fn draw(&self) -> Draw;
}

/// The kernel's random source.
#[derive(Debug, Default, Clone, Copy)]
pub struct SystemEntropy;

impl Entropy for SystemEntropy {
    // The one door to the kernel's random source. Without it nothing may go on: a guessable key is worse than none.
    #[allow(clippy::disallowed_methods, clippy::expect_used)]
    fn draw(&self) -> Draw {
        let mut seed = [0; 32];
        getrandom::fill(&mut seed).expect("the kernel gives random bytes");
        Draw::new(seed).within_second(millis_of_second())
    }
}

/// The same seeds in the same order, for simulation.
#[derive(Debug)]
pub struct SeededEntropy(Mutex<(u64, u64)>);

impl SeededEntropy {
    /// A source whose whole history follows from `seed`.
    #[must_use]
    pub fn new(seed: u64) -> Self {
        Self(Mutex::new((seed, 0)))
    }
}

impl Entropy for SeededEntropy {
    fn draw(&self) -> Draw {
        let mut state = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        state.1 += 1;
        Draw::new(
            Sha256::new().chain_update(state.0.to_be_bytes()).chain_update(state.1.to_be_bytes()).finalize().into(),
        )
    }
}
