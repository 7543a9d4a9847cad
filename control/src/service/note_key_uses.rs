//! When and from where each key was used last.
//!
//! A request only notes it in memory; the schedule writes it down, a key at most once a minute, all keys in one
//! transaction. So reading costs no commit, and a crash loses a minute of it at most.

use std::{
    collections::HashMap,
    net::IpAddr,
    sync::{Mutex, PoisonError},
};

use csp_shared::id::ApiKeyId;

use crate::{
    domain::time::{MINUTE, Time},
    store::{StoreError, Tx},
};

/// The last use of a key.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct KeyUse {
    /// When.
    pub at: Time,
    /// The client's address.
    pub from: IpAddr,
}

/// The last uses that this process has seen.
#[derive(Debug, Default)]
pub struct KeyUses(Mutex<HashMap<ApiKeyId, Noted>>);

#[derive(Debug, Clone, Copy)]
struct Noted {
    last: KeyUse,
    /// Not in the store yet.
    is_new: bool,
    written_at: Option<Time>,
}

impl KeyUses {
    /// A key was used.
    pub fn note(&self, key: ApiKeyId, last: KeyUse) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let entry = noted.entry(key).or_insert(Noted { last, is_new: true, written_at: None });
        (entry.last, entry.is_new) = (last, true);
    }

    /// The last use of a key that may not be in the store yet.
    #[must_use]
    pub fn last(&self, key: ApiKeyId) -> Option<KeyUse> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).map(|noted| noted.last)
    }

    /// What is to be written now; `all` of it when the program stops.
    #[must_use]
    pub fn due(&self, now: Time, all: bool) -> Vec<(ApiKeyId, KeyUse)> {
        let noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let is_due = |noted: &Noted| noted.is_new && (all || noted.written_at.is_none_or(|at| at.plus(MINUTE) <= now));
        noted.iter().filter(|(_, noted)| is_due(noted)).map(|(key, noted)| (*key, noted.last)).collect()
    }

    /// They are written. Keys that were not used since for a minute are forgotten: the store knows them now.
    pub fn written(&self, uses: &[(ApiKeyId, KeyUse)], now: Time) {
        let mut noted = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        for (key, written) in uses {
            if let Some(entry) = noted.get_mut(key) {
                entry.written_at = Some(now);
                entry.is_new = entry.last != *written;
            }
        }
        noted.retain(|_, entry| entry.is_new || entry.written_at.is_none_or(|at| at.plus(MINUTE) > now));
    }
}

/// Writes last uses down.
///
/// # Errors
/// When the store cannot keep it.
pub fn note_key_uses(tx: &mut Tx<'_>, uses: &[(ApiKeyId, KeyUse)]) -> Result<(), StoreError> {
    for (key, last) in uses {
        tx.api_key_note_use(*key, last.at, last.from)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: ApiKeyId = ApiKeyId(uuid::Uuid::from_u128(7));

    fn used(at: i64) -> KeyUse {
        KeyUse { at: Time(at), from: "203.0.113.9".parse().unwrap() }
    }

    #[test]
    fn a_key_in_constant_use_is_written_once_a_minute() {
        let uses = KeyUses::default();
        let mut written = Vec::new();
        for second in 0..180 {
            uses.note(KEY, used(second));
            if second % 5 == 0 {
                let due = uses.due(Time(second), false);
                uses.written(&due, Time(second));
                written.extend(due.iter().map(|(_, last)| last.at.0));
            }
        }
        assert_eq!(written, [0, 60, 120]);
        assert_eq!(uses.last(KEY), Some(used(179)));
        assert_eq!(uses.due(Time(179), true), [(KEY, used(179))], "at the end nothing is left over");
    }

    #[test]
    fn a_use_during_the_write_is_not_taken_for_written() {
        let uses = KeyUses::default();
        uses.note(KEY, used(1));
        let due = uses.due(Time(1), false);
        uses.note(KEY, used(2));
        uses.written(&due, Time(2));
        assert_eq!(uses.due(Time(61), false), []);
        assert_eq!(uses.due(Time(62), false), [(KEY, used(2))]);
    }

    #[test]
    fn keys_that_rest_are_forgotten() {
        let uses = KeyUses::default();
        uses.note(KEY, used(1));
        uses.written(&uses.due(Time(1), false), Time(1));
        assert_eq!(uses.last(KEY), Some(used(1)));
        uses.written(&[], Time(61));
        assert_eq!(uses.last(KEY), None);
    }
}
