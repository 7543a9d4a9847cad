//! Whether a cause moved money twice, from all keys in their own order: only the one before must be remembered.

use csp_shared::id::TransferId;

use super::{Difference, DifferenceKind};

/// Looks at keys that come in order.
#[derive(Debug, Default)]
pub struct Keys {
    last: Option<(String, TransferId)>,
    seen: u64,
    found: Vec<Difference>,
}

impl Keys {
    /// The next key, not smaller than the one before.
    pub fn take(&mut self, key: &str, transfer: TransferId) {
        if let Some((last, other)) = &self.last
            && last == key
        {
            let what = format!("transfer {other} has the same cause: it moved money twice");
            self.found.push(Difference::new(DifferenceKind::CauseTwice, format!("transfer {transfer}, {key}"), what));
        }
        self.last = Some((key.to_owned(), transfer));
        self.seen += 1;
    }

    /// What was found. A look-up by key that passes over a transfer would let its cause move money a second time, so as
    /// many keys must be there as transfers.
    #[must_use]
    pub fn end(mut self, transfers: u64) -> Vec<Difference> {
        if self.seen != transfers {
            let what = format!("{} keys are found in their order, and {transfers} transfers are there", self.seen);
            self.found.push(Difference::new(DifferenceKind::CauseTwice, "cause keys", what));
        }
        self.found
    }
}

#[cfg(test)]
mod tests {
    use uuid::Uuid;

    use super::*;

    fn found(keys: &[&str], transfers: u64) -> usize {
        let mut seen = Keys::default();
        for (at, key) in keys.iter().enumerate() {
            seen.take(key, TransferId(Uuid::from_u128(at as u128)));
        }
        seen.end(transfers).len()
    }

    #[test]
    fn a_key_that_comes_twice_or_is_passed_over_is_found() {
        assert_eq!(found(&[], 0), 0);
        assert_eq!(found(&["order/a", "order/b", "topup/x"], 3), 0);
        assert_eq!(found(&["order/a", "order/a", "order/a"], 3), 2);
        assert_eq!(found(&["order/a"], 2), 1);
    }
}
