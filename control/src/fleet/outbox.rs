//! What of a host's unaccepted specs and private networks is worth sending now.
//!
//! A spec stays "not accepted" in the store until the host's answer was recorded. A session that is woken a hundred
//! times a second meanwhile would send it a hundred times: harmless, and a waste. So it remembers what it sent, until
//! the next rescan, which sends all again in case the host lost it.

use std::{collections::HashMap, hash::Hash};

use csp_shared::{
    generation::{NetworkVersion, Version},
    id::{NetworkId, ServerId},
};

/// What a session sent since its last rescan.
#[derive(Debug, Default)]
pub(super) struct Sent {
    pub(super) specs: Outbox<ServerId, Version>,
    pub(super) networks: Outbox<NetworkId, NetworkVersion>,
}

/// The newest version of each thing that was sent.
#[derive(Debug)]
pub(super) struct Outbox<K, V>(HashMap<K, V>);

impl<K, V> Default for Outbox<K, V> {
    fn default() -> Self {
        Self(HashMap::new())
    }
}

impl<K: Eq + Hash, V: Ord> Outbox<K, V> {
    /// Of what the store says is unaccepted, what was not sent yet. Counts as sent from now on.
    pub(super) fn take<T>(&mut self, unaccepted: Vec<T>, name: impl Fn(&T) -> (K, V)) -> Vec<T> {
        let is_news = |thing: &T| {
            let (key, version) = name(thing);
            self.0.get(&key).is_none_or(|sent| *sent < version)
        };
        let news: Vec<T> = unaccepted.into_iter().filter(is_news).collect();
        self.0.extend(news.iter().map(name));
        news
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thing_is_sent_once_and_a_newer_one_at_once() {
        let mut outbox = Outbox::default();
        let mut take = |wishes: Vec<(char, u64)>| outbox.take(wishes, |wish| *wish);
        assert_eq!(take(vec![('a', 1), ('b', 1)]), [('a', 1), ('b', 1)]);
        assert_eq!(take(vec![('a', 1), ('b', 2)]), [('b', 2)]);
        assert_eq!(take(vec![('b', 1)]), [], "a read that was overtaken");
    }
}
