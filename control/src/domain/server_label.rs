//! A customer's own words about a server: names with values, by which lists are filtered and bills are split.
//!
//! Few characters on purpose: a label stands in URLs (`?label=name:value`), in scripts and in other people's dashboards.

use std::collections::BTreeMap;

/// Labels of one server.
pub const LABELS_MAX: usize = 32;
/// Longest name, in bytes.
const NAME_BYTES_MAX: usize = 63;
/// Longest value, in bytes.
const VALUE_BYTES_MAX: usize = 128;

/// Every label of a server.
pub type Labels = BTreeMap<LabelName, LabelValue>;
/// What becomes of labels: a value is set, none takes the label off, and what is not named stays.
pub type LabelChanges = BTreeMap<LabelName, Option<LabelValue>>;

/// 1 to 63 of letters, digits and `. _ / -`, beginning and ending with a letter or digit.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LabelName(String);

/// Up to 128 of letters, digits and `. _ : / @ + -`; nothing is a value too.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct LabelValue(String);

/// A text that is no name.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a label's name has 1 to 63 of a-z, A-Z, 0-9 and . _ / - and begins and ends with a letter or digit")]
pub struct BadName;

/// A text that is no value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a label's value has at most 128 of a-z, A-Z, 0-9 and . _ : / @ + -")]
pub struct BadValue;

/// More labels than a server may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("a server has at most {LABELS_MAX} labels, and this would make {0}; remove some with null")]
pub struct TooMany(pub usize);

impl LabelName {
    /// Reads a name.
    ///
    /// # Errors
    /// When it has other characters or is too long.
    pub fn parse(text: &str) -> Result<Self, BadName> {
        let inner = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._/-".contains(&b));
        let ends = [text.bytes().next(), text.bytes().last()].iter().flatten().all(u8::is_ascii_alphanumeric);
        if inner && ends && (1..=NAME_BYTES_MAX).contains(&text.len()) {
            Ok(Self(text.to_owned()))
        } else {
            Err(BadName)
        }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl LabelValue {
    /// Reads a value.
    ///
    /// # Errors
    /// When it has other characters or is too long.
    pub fn parse(text: &str) -> Result<Self, BadValue> {
        let inner = text.bytes().all(|b| b.is_ascii_alphanumeric() || b"._:/@+-".contains(&b));
        if inner && text.len() <= VALUE_BYTES_MAX { Ok(Self(text.to_owned())) } else { Err(BadValue) }
    }

    /// The text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

/// The labels after a change, as a JSON merge patch has it (RFC 7396).
///
/// # Errors
/// When there would be too many. A change that only removes is never refused.
pub fn merged(before: &Labels, changes: &LabelChanges) -> Result<Labels, TooMany> {
    let mut after = before.clone();
    for (name, value) in changes {
        match value {
            Some(value) => after.insert(name.clone(), value.clone()),
            None => after.remove(name),
        };
    }
    if after.len() > LABELS_MAX && after.len() > before.len() { Err(TooMany(after.len())) } else { Ok(after) }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn names_and_values_have_a_form() {
        for name in ["a", "env", "team/web-1", "A.b_c", &"a".repeat(63)] {
            assert_eq!(LabelName::parse(name).map(|name| name.0), Ok(name.to_owned()));
        }
        for name in ["", "-a", "a-", "a b", "a:b", "a=b", "é", "a\u{202e}b", "<b>", "a\0", "a\n", &"a".repeat(64)] {
            assert_eq!(LabelName::parse(name), Err(BadName), "{name:?}");
        }
        for value in ["", "production", "v1.2.3", "ada@example.com", "http://a/b", "a+b", &"a".repeat(128)] {
            assert_eq!(LabelValue::parse(value).map(|value| value.0), Ok(value.to_owned()));
        }
        for value in ["a b", "é", "<script>", "a\u{202e}", "\0", "a\n", "{}", &"a".repeat(129)] {
            assert_eq!(LabelValue::parse(value), Err(BadValue), "{value:?}");
        }
    }

    fn labels(count: usize) -> Labels {
        (0..count).map(|at| (LabelName(format!("n{at}")), LabelValue(String::new()))).collect()
    }

    #[test]
    fn the_last_label_fits_and_the_next_does_not() {
        let one = |name: &str| LabelChanges::from([(LabelName(name.to_owned()), Some(LabelValue("v".to_owned())))]);
        assert_eq!(merged(&labels(31), &one("new")).map(|labels| labels.len()), Ok(32));
        assert_eq!(merged(&labels(32), &one("new")), Err(TooMany(33)));
        assert_eq!(merged(&labels(32), &one("n0")).map(|labels| labels.len()), Ok(32), "one that is there already");
    }

    proptest! {
        /// What is named is as it was asked, what is not named as it was before; a second time changes nothing.
        #[test]
        fn a_change_is_a_merge(
            before in proptest::collection::btree_map("[a-e]", "[x-z]?", 0..5),
            changes in proptest::collection::btree_map("[a-e]", proptest::option::of("[x-z]?"), 0..5),
        ) {
            let before: Labels = before.into_iter().map(|(name, value)| (LabelName(name), LabelValue(value))).collect();
            let changes: LabelChanges =
                changes.into_iter().map(|(name, value)| (LabelName(name), value.map(LabelValue))).collect();
            let after = merged(&before, &changes).unwrap();
            for name in before.keys().chain(after.keys()).chain(changes.keys()) {
                let wanted = changes.get(name).cloned().unwrap_or_else(|| before.get(name).cloned());
                prop_assert_eq!(after.get(name), wanted.as_ref());
            }
            prop_assert_eq!(merged(&after, &changes), Ok(after));
        }
    }
}
