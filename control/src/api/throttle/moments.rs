//! A moment for each of many keys, in bounded memory.
//!
//! Whoever has many addresses must not make it grow. A moment that is past says no more than no moment at all, so past
//! ones go first; if all places are taken by others, the earliest goes: it would have been past soonest, and so the
//! least is forgotten by it.

use std::{
    collections::{BTreeSet, HashMap},
    hash::Hash,
    time::Duration,
};

/// Past moments that go with each new one: more than one, so that there are fewer and fewer of them.
const SWEPT_EACH: usize = 2;

/// Moments by key.
#[derive(Debug)]
pub(super) struct Moments<K> {
    by_key: HashMap<K, Duration>,
    in_order: BTreeSet<(Duration, K)>,
    places: usize,
}

impl<K: Copy + Eq + Hash + Ord> Moments<K> {
    /// With room for so many keys.
    pub(super) fn new(places: usize) -> Self {
        Self { by_key: HashMap::new(), in_order: BTreeSet::new(), places: places.max(1) }
    }

    /// The moment of this key; the beginning of time when there is none.
    pub(super) fn get(&self, key: K) -> Duration {
        self.by_key.get(&key).copied().unwrap_or_default()
    }

    /// Keeps a moment.
    pub(super) fn put(&mut self, key: K, moment: Duration, now: Duration) {
        self.remove(key);
        for _ in 0..SWEPT_EACH {
            let past = self.in_order.first().is_some_and(|(first, _)| *first <= now);
            if past || self.by_key.len() >= self.places {
                self.remove_first();
            }
        }
        self.by_key.insert(key, moment);
        self.in_order.insert((moment, key));
    }

    /// Forgets a key.
    pub(super) fn remove(&mut self, key: K) {
        if let Some(moment) = self.by_key.remove(&key) {
            self.in_order.remove(&(moment, key));
        }
    }

    fn remove_first(&mut self) {
        if let Some((_, key)) = self.in_order.pop_first() {
            self.by_key.remove(&key);
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(second: u64) -> Duration {
        Duration::from_secs(second)
    }

    #[test]
    fn past_moments_go_and_then_the_earliest() {
        let mut moments = Moments::new(2);
        moments.put('a', at(50), at(0));
        moments.put('b', at(10), at(0));
        moments.put('c', at(20), at(0));
        assert_eq!((moments.get('a'), moments.get('b'), moments.get('c')), (at(50), at(0), at(20)));
        moments.put('d', at(90), at(30));
        assert_eq!((moments.get('a'), moments.get('c'), moments.get('d')), (at(50), at(0), at(90)));
    }

    #[test]
    fn an_attacker_with_many_addresses_makes_nobody_forgotten_who_has_spent_more() {
        let mut moments = Moments::new(100);
        moments.put(u32::MAX, at(1000), at(0));
        for address in 0..10_000 {
            moments.put(address, at(10), at(0));
        }
        assert_eq!(moments.get(u32::MAX), at(1000));
        assert_eq!(moments.by_key.len(), 100);
    }

    proptest! {
        /// Both halves hold the same, and never more than there are places.
        #[test]
        fn it_is_bounded_and_of_one_mind(puts in prop::collection::vec((0u8..20, 0u64..100, 0u64..100, any::<bool>()), 0..200)) {
            let mut moments = Moments::new(7);
            for (key, moment, now, removes) in puts {
                if removes { moments.remove(key) } else { moments.put(key, at(moment), at(now)) }
                prop_assert!(moments.by_key.len() <= 7);
                let mut held: Vec<(Duration, u8)> = moments.by_key.iter().map(|(k, m)| (*m, *k)).collect();
                held.sort();
                prop_assert_eq!(held, moments.in_order.iter().copied().collect::<Vec<_>>());
                if !removes { prop_assert_eq!(moments.get(key), at(moment)); }
            }
        }
    }
}
