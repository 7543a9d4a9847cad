//! Of which state of the kernel's filters a reading is.
//!
//! The kernel counts its changes, and tells the new number a moment before it shows what it stands for (`nf_tables_commit`). What
//! was read in that moment is the old state under the new number, and would be believed until the next change, by whomever.
//! So a number that has only just come up is not the same as one that has been there for a second: everything is read once more
//! then.

use std::time::Duration;

use tokio::time::Instant;

/// The moment is some instructions of the kernel's long, and longer only where it was put off in between.
const SETTLES_AFTER: Duration = Duration::from_secs(1);

/// Two readings of the same age are of the same state, unless a change was just becoming visible.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Age {
    generation: u32,
    is_settled: bool,
}

/// The newest generation, and when it was first heard of.
#[derive(Debug, Default)]
pub struct Newest(Option<(u32, Instant)>);

impl Newest {
    /// How old what is read from now on is at least, when the kernel tells `generation`.
    pub fn age(&mut self, generation: u32, now: Instant) -> Age {
        let known = self.0.filter(|(known, _)| *known == generation);
        let (_, since) = *self.0.insert(known.unwrap_or((generation, now)));
        Age { generation, is_settled: now.saturating_duration_since(since) >= SETTLES_AFTER }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_read_as_a_change_came_up_is_read_once_more_a_second_later_and_then_kept() {
        let (mut newest, began) = (Newest::default(), Instant::now());
        let mut age = |generation, after_ms| newest.age(generation, began + Duration::from_millis(after_ms));
        let at_once = age(7, 0);
        assert_eq!(age(7, 999), at_once, "looks that come together share a reading");
        let settled = age(7, 1_000);
        assert_ne!(settled, at_once);
        assert_eq!(age(7, 86_400_000), settled);
        let changed = age(8, 86_400_001);
        assert!(changed != settled && changed != at_once);
        assert_ne!(age(8, 86_401_001), changed, "each change anew");
    }
}
