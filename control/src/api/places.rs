//! Places that are bounded for each of many: connections of an address, requests that an account holds open.

use std::{
    collections::HashMap,
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// How many places each one holds. Clones count together; who holds none is not remembered.
#[derive(Debug)]
pub struct Crowd<K>(Arc<Mutex<HashMap<K, usize>>>);

impl<K> Default for Crowd<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K> Clone for Crowd<K> {
    fn clone(&self) -> Self {
        Self(Arc::clone(&self.0))
    }
}

/// One place; given back when it goes.
#[derive(Debug)]
pub struct Place<K: Copy + Eq + Hash> {
    crowd: Crowd<K>,
    whose: K,
}

impl<K: Copy + Eq + Hash> Crowd<K> {
    /// One more place, unless `whose` holds `most` of them.
    #[must_use]
    pub fn take(&self, whose: K, most: usize) -> Option<Place<K>> {
        let mut held = self.lock();
        let count = held.get(&whose).copied().unwrap_or_default();
        if count >= most {
            return None;
        }
        held.insert(whose, count + 1);
        Some(Place { crowd: self.clone(), whose })
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        // No code that can panic runs under the lock.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Drop for Place<K> {
    fn drop(&mut self) {
        let mut held = self.crowd.lock();
        if let Some(count) = held.get_mut(&self.whose) {
            *count -= 1;
            if *count == 0 {
                held.remove(&self.whose);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_has_so_many_places_and_who_gives_all_back_is_forgotten() {
        let crowd = Crowd::default();
        let (first, second) = (crowd.take(1, 2), crowd.take(1, 2));
        assert!(first.is_some() && second.is_some() && crowd.take(1, 2).is_none());
        let other = crowd.take(2, 1);
        assert!(other.is_some() && crowd.take(2, 1).is_none());
        drop(first);
        assert!(crowd.take(1, 2).is_some());
        drop((second, other));
        assert!(crowd.lock().is_empty());
        assert!(crowd.take(1, 0).is_none() && crowd.lock().is_empty(), "who got none is not remembered either");
    }
}
