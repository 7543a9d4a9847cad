//! What of a host's unaccepted specs is worth sending now.
//!
//! A spec stays "not accepted" in the store until the host's answer was recorded. A session that is woken a hundred
//! times a second meanwhile would send it a hundred times: harmless, and a waste. So it remembers what it sent, until
//! the next rescan, which sends all again in case the host lost it.

use std::collections::HashMap;

use csp_shared::{generation::Version, id::ServerId, spec::Desired};

/// What a session sent since its last rescan.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    sent: HashMap<ServerId, Version>,
}

impl Outbox {
    /// Forgets what was sent.
    pub(super) fn rescan(&mut self) {
        self.sent.clear();
    }

    /// Of what the store says is unaccepted, what was not sent yet. Counts as sent from now on.
    pub(super) fn take(&mut self, unaccepted: Vec<Desired>) -> Vec<Desired> {
        let news: Vec<Desired> = unaccepted
            .into_iter()
            .filter(|desired| self.sent.get(&desired.server()).is_none_or(|sent| *sent < desired.version()))
            .collect();
        self.sent.extend(news.iter().map(|desired| (desired.server(), desired.version())));
        news
    }
}

#[cfg(test)]
mod tests {
    use csp_shared::{
        generation::{Generation, Incarnation},
        spec::Tombstone,
    };

    use super::*;

    fn wish(generation: u64) -> Desired {
        let server = "0192f0c1-2345-7abc-8def-0123456789ab".parse().unwrap();
        let version = Version { incarnation: Incarnation(1), generation: Generation(generation) };
        Desired::Absent(Tombstone { server, version })
    }

    #[test]
    fn a_spec_is_sent_once_a_newer_one_at_once_and_all_again_at_a_rescan() {
        let mut outbox = Outbox::default();
        assert_eq!(outbox.take(vec![wish(1)]), [wish(1)]);
        assert_eq!(outbox.take(vec![wish(1)]), []);
        assert_eq!(outbox.take(vec![wish(2)]), [wish(2)]);
        assert_eq!(outbox.take(vec![wish(1)]), [], "a read that was overtaken");
        outbox.rescan();
        assert_eq!(outbox.take(vec![wish(2)]), [wish(2)]);
    }
}
