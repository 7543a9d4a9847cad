//! At which point a program under test is to end itself: `name[:nth]`, counted from 1.
//!
//! Both programs can be built with the feature `failpoints`, which shipped builds never have. Then the variable
//! [`VARIABLE`] names one point, and the program kills itself with SIGKILL when it crosses that point for the nth time.
//! What is here is only the counting.

use std::{
    str::FromStr,
    sync::atomic::{AtomicU32, Ordering},
};

/// The environment variable that names the point.
pub const VARIABLE: &str = "CSP_FAILPOINT";
/// The version that an agent tells in place of its own, so that one build can stand for two.
pub const VERSION_VARIABLE: &str = "CSP_AGENT_VERSION";

/// One point, and how often it may be crossed before the end.
#[derive(Debug)]
pub struct Fuse {
    name: String,
    left: AtomicU32,
}

/// Not of the form `name[:nth]`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` names no failpoint: write `name` or `name:nth`, with nth from 1")]
pub struct NoFuse(String);

impl Fuse {
    /// Whether this crossing is the last one. `place` and `moment` are the two halves of a name, `create_disk` and
    /// `before` of `create_disk/before`.
    #[must_use]
    pub fn blows(&self, place: &str, moment: &str) -> bool {
        let is_it = self.name.split_once('/') == Some((place, moment));
        is_it && self.left.fetch_sub(1, Ordering::Relaxed) == 1
    }
}

impl FromStr for Fuse {
    type Err = NoFuse;

    fn from_str(text: &str) -> Result<Self, NoFuse> {
        let wrong = || NoFuse(text.to_owned());
        let (name, nth) = match text.split_once(':') {
            Some((name, nth)) => (name, nth.parse().ok().filter(|nth| *nth > 0).ok_or_else(wrong)?),
            None => (text, 1),
        };
        match name.split_once('/') {
            Some((place, moment)) if !place.is_empty() && !moment.is_empty() => {
                Ok(Self { name: name.to_owned(), left: AtomicU32::new(nth) })
            }
            _ => Err(wrong()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fuse_blows_once_at_its_nth_crossing() {
        let fuse: Fuse = "create_disk/before:2".parse().unwrap();
        assert!(!fuse.blows("create_disk", "after"), "another moment");
        let crossings: Vec<bool> = (0..4).map(|_| fuse.blows("create_disk", "before")).collect();
        assert_eq!(crossings, [false, true, false, false]);
    }

    #[test]
    fn what_names_no_point_is_refused() {
        for text in ["", "a", "a/", "/b", "a/b:", "a/b:0", "a/b:x", ":1"] {
            assert_eq!(text.parse::<Fuse>().unwrap_err(), NoFuse(text.to_owned()));
        }
    }
}
