//! How long to wait before the next try: anywhere between nothing and a bound that doubles (full jitter).
//!
//! After a control plane's restart all hosts dial at once, and any rhythm that they share would bring them back
//! together. The random number comes from the host's own key and a counter: hosts differ, no random source is needed,
//! and a simulation replays it.

use std::time::Duration;

use csp_shared::{key_pin::KeyPin, sha256::Sha256};

/// How long to wait.
#[derive(Debug, Clone)]
pub(super) struct Backoff {
    pin: KeyPin,
    base: Duration,
    cap: Duration,
    drawn: u64,
    failures: u32,
}

impl Backoff {
    /// Waits from `base` up to `cap`, as the host with the key `pin`.
    pub(super) fn new(pin: KeyPin, base: Duration, cap: Duration) -> Self {
        Self { pin, base, cap, drawn: 0, failures: 0 }
    }

    /// A session stood: the next failure is a first one.
    pub(super) fn reset(&mut self) {
        self.failures = 0;
    }

    /// The wait after one more failure.
    pub(super) fn next(&mut self) -> Duration {
        let bound = self.base.saturating_mul(2u32.saturating_pow(self.failures)).min(self.cap);
        self.failures = self.failures.saturating_add(1);
        bound.mul_f64(self.fraction())
    }

    /// The wait after a refusal that only an operator can lift: between half the cap and the cap.
    pub(super) fn slow(&mut self) -> Duration {
        self.cap.mul_f64(0.5 + self.fraction() / 2.0)
    }

    /// Evenly from 0 to below 1.
    fn fraction(&mut self) -> f64 {
        self.drawn = self.drawn.wrapping_add(1);
        let Sha256([a, b, c, d, ..]) = Sha256::of(&[&self.pin.0.0[..], &self.drawn.to_be_bytes()].concat());
        f64::from(u32::from_be_bytes([a, b, c, d])) / (f64::from(u32::MAX) + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CAP: Duration = Duration::from_secs(60);

    fn host(number: u8) -> Backoff {
        Backoff::new(KeyPin::of(&[number]), Duration::from_secs(1), CAP)
    }

    #[test]
    fn waits_grow_up_to_the_cap_and_begin_again_after_a_session() {
        let mut backoff = host(1);
        for failures in 0..40u32 {
            let bound = Duration::from_secs(1 << failures.min(6)).min(CAP);
            assert!(backoff.next() <= bound, "{failures}");
        }
        backoff.reset();
        assert!(backoff.next() <= Duration::from_secs(1));
    }

    #[test]
    fn a_thousand_hosts_come_back_spread_out() {
        let mut per_second = [0; 60];
        for number in 0..1000u32 {
            let mut backoff = Backoff::new(KeyPin::of(&number.to_be_bytes()), Duration::from_secs(1), CAP);
            (0..10).for_each(|_| _ = backoff.next());
            per_second[backoff.next().as_secs() as usize] += 1;
        }
        assert!(per_second.iter().all(|&hosts| (4..40).contains(&hosts)), "{per_second:?}");
    }

    #[test]
    fn a_refused_host_waits_long() {
        let mut backoff = host(2);
        assert!((0..100).all(|_| (CAP / 2..=CAP).contains(&backoff.slow())));
    }
}
