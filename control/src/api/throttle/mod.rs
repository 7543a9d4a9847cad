//! How often somebody may ask: by key, by address, and far less often with a key that opens nothing.
//!
//! Kept in memory and counted for this process alone: a restart forgives everybody, which costs nothing that matters.
//!
//! * Requests are counted by the address that they come from before anything else is done with them, and by the key once
//!   it has opened. Nothing is counted by a key that did not open, so nobody can use up another's allowance by sending
//!   the other's key id or a guess.
//! * A request that does not sign in is counted far more strictly, and beyond that allowance answered 429 instead of 401.
//!   A key that opens is never turned away for what others send from its address: a company, a carrier's NAT and a CI
//!   system's way out are one address for many, and whoever shares it could lock them all out. Nothing is given away by
//!   that: a key has 256 random bits, so none is found by trying, however fast. What the strict allowance is for is to
//!   slow down scripts that go on with a dead key; looking keys up costs one read by an index, and is bounded by the
//!   allowance of all requests from the address.
//! * The headers are `RateLimit-Limit`, `-Remaining` and `-Reset` (seconds), on every answer, of the allowance that is
//!   nearest to its end. They are the three that clients have read for years; the IETF's draft has since put them into
//!   one structured field, and is not finished.

mod layer;
mod moments;

use std::{
    hash::Hash,
    net::IpAddr,
    sync::{Arc, Mutex, PoisonError},
    time::Duration,
};

use csp_shared::sha256::Sha256;
use uuid::Uuid;

pub use self::layer::{Client, Peer, count};
use self::moments::Moments;
use super::error::{ApiError, Code};
use crate::{
    clock::Clock,
    config::RateLimits,
    domain::{
        email::Email,
        network::counted_as,
        rate::{PerMinute, Taken, Tally, seconds_rounded_up},
    },
};

/// Clients that are remembered at once, of each kind. A hundred bytes each.
const CLIENTS_MAX: usize = 100_000;

/// All allowances.
pub struct Throttle {
    clock: Arc<dyn Clock>,
    addresses: Allowances<IpAddr>,
    keys: Allowances<Uuid>,
    failures: Allowances<IpAddr>,
    guesses: Allowances<IpAddr>,
    passwords: Allowances<Sha256>,
}

impl std::fmt::Debug for Throttle {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Throttle")
    }
}

/// One allowance for each of many.
struct Allowances<K> {
    rate: PerMinute,
    whole_at: Mutex<Moments<K>>,
}

impl<K: Copy + Eq + Hash + Ord> Allowances<K> {
    fn new(rate: PerMinute) -> Self {
        Self { rate, whole_at: Mutex::new(Moments::new(CLIENTS_MAX)) }
    }

    fn take(&self, whose: K, now: Duration) -> Taken {
        let mut whole_at = self.whole_at.lock().unwrap_or_else(PoisonError::into_inner);
        let taken = self.rate.take(whole_at.get(whose), now);
        if let Taken::Yes(moved, _) = taken {
            whole_at.put(whose, moved, now);
        }
        taken
    }
}

impl Throttle {
    /// Nobody has asked for anything yet.
    #[must_use]
    pub fn new(limits: &RateLimits, clock: Arc<dyn Clock>) -> Self {
        Self {
            clock,
            addresses: Allowances::new(limits.address()),
            keys: Allowances::new(limits.key()),
            failures: Allowances::new(limits.failed_sign_ins()),
            guesses: Allowances::new(limits.failed_sign_ins()),
            passwords: Allowances::new(limits.passwords()),
        }
    }

    /// Counts a request, whatever it asks for.
    ///
    /// # Errors
    /// When its address has sent too many.
    pub(super) fn request(&self, client: &Client) -> Result<(), ApiError> {
        let taken = self.addresses.take(counted_as(client.address), self.clock.uptime());
        client.counted(taken, "requests from your address")
    }

    /// Counts a request with a key or token that opened.
    ///
    /// # Errors
    /// When the key has sent too many.
    pub(crate) fn signed_in(&self, client: &Client, key: Uuid) -> Result<(), ApiError> {
        client.counted(self.keys.take(key, self.clock.uptime()), "requests with this API key or sign-in")
    }

    /// Counts a request that did not sign in; answers what it is told, which is `refusal` while there are not too many.
    pub(crate) fn failed(&self, client: &Client, refusal: ApiError) -> ApiError {
        let taken = self.failures.take(counted_as(client.address), self.clock.uptime());
        client.counted(taken, FAILED).err().unwrap_or(refusal)
    }
}

impl Throttle {
    /// Counts a password before it is looked at, right or wrong: guesses that are sent together must not all pass. Where
    /// its owner signed in before, an allowance of the two together is all that counts, so neither guesses from elsewhere nor
    /// a neighbour behind the same address keep them out. Everybody else shares one allowance for the mail address, whether
    /// it is known or not, and one for where they come from.
    ///
    /// # Errors
    /// When there were too many.
    pub(crate) fn password(&self, client: &Client, email: &Email, is_known_there: bool) -> Result<(), ApiError> {
        let (now, from) = (self.clock.uptime(), counted_as(client.address));
        let counted = match is_known_there {
            true => format!("{email} {from}"),
            false => {
                client.counted(self.guesses.take(from, now), PASSWORDS)?;
                email.to_string()
            }
        };
        client.counted(self.passwords.take(Sha256::of(counted.as_bytes()), now), PASSWORDS)
    }

    /// Counts somebody who signs up, forgot a password, or brings the link of a letter.
    ///
    /// # Errors
    /// When there were too many from the address.
    pub(crate) fn stranger(&self, client: &Client, what: Tried) -> Result<(), ApiError> {
        client.counted(self.guesses.take(counted_as(client.address), self.clock.uptime()), what.words())
    }
}

/// What somebody tried whom nobody knows yet. All of it is counted together; each is told by its own name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Tried {
    /// Asked for a letter.
    Letter,
    /// Brought the link of a letter.
    Link,
    /// Gave a code beside the password.
    Code,
}

impl Tried {
    fn words(self) -> &'static str {
        match self {
            Self::Letter => "requests for letters and other tries from your address",
            Self::Link => "uses of letters' links and other tries from your address",
            Self::Code => "codes and other tries from your address",
        }
    }
}

/// Also asked for where somebody has signed in.
const PASSWORDS: &str = "tries of a password";
const FAILED: &str = "requests without a working API key from your address";

/// The refusal of one request too many.
fn too_many(what: &str, wait: Duration, tally: Tally) -> ApiError {
    let wait = seconds_rounded_up(wait).max(1);
    let message = format!("Too many {what}: {} a minute. Try again in {wait} s.", tally.limit);
    ApiError::new(Code::RateLimited, message).retry_after(wait)
}
