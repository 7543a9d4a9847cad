//! What moves in a wallet in a month.

use super::money::Cents;

/// What moved in a wallet in some time.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub struct Movement {
    /// Into it.
    pub credits: Cents,
    /// Out of it.
    pub debits: Cents,
}

impl Movement {
    /// What a wallet holds afterwards; nothing when that is no balance, which no ledger of ours leads to.
    #[must_use]
    pub fn after(&self, opening: Cents) -> Option<Cents> {
        opening.plus(self.credits)?.minus(self.debits)
    }
}
