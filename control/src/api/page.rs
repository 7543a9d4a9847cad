//! `?limit=` and `?offset=` of lists.

use std::{borrow::Cow, ops::RangeInclusive};

use serde::Deserialize;
use utoipa::IntoParams;

use super::{
    document::schemas::{Limit, Offset},
    error::{ApiError, Code},
    field::{Faults, Field, Unknown},
};

/// Most entries of one answer to a request that sets a limit.
pub const LIMIT_MAX: u64 = 100;

/// Most entries of an answer to a request that sets none, on lists that grow for ever: whoever has more is told so, and
/// reads on with a cursor.
pub const WHOLE_MAX: u64 = 10_000;

/// The query of a list without filters.
#[derive(Debug, Deserialize, IntoParams)]
pub struct PageQuery {
    /// Most entries of the answer. More than 100 are cut to 100, and `message` says so.
    #[serde(default)]
    #[param(value_type = Limit, inline, required = false)]
    limit: Field<String>,
    /// How many entries to skip.
    #[serde(default)]
    #[param(value_type = Offset, inline, required = false)]
    offset: Field<String>,
    #[serde(flatten)]
    #[param(ignore)]
    unknown: Unknown,
}

impl PageQuery {
    /// The wanted part. `default` is the limit of a request that sets none; None: everything.
    ///
    /// # Errors
    /// When a field is unknown or wrong.
    pub fn page(self, default: Option<u64>) -> Result<Page, ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let page = Page::read(&mut faults, self.limit, self.offset, default);
        faults.into_result().map(|()| page)
    }
}

/// Which part of a list is wanted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    limit: Option<u64>,
    clamped: bool,
    /// How many entries to skip.
    pub offset: u64,
}

impl Page {
    /// Reads both, as they stand in the query. `default` is the limit of a request that sets none; None: everything.
    pub fn read(faults: &mut Faults, limit: Field<String>, offset: Field<String>, default: Option<u64>) -> Self {
        let mut read = |name, field, least| number(faults, name, field, least..=WHOLE_NUMBER_MAX);
        let (wanted, offset) = (read("limit", limit, 1), read("offset", offset, 0));
        Self {
            limit: wanted.map(|limit| limit.min(LIMIT_MAX)).or(default),
            clamped: wanted.is_some_and(|limit| limit > LIMIT_MAX),
            offset: offset.unwrap_or(0),
        }
    }

    /// Most entries of the answer; None: all of them.
    #[must_use]
    pub fn limit(&self) -> Option<u64> {
        self.limit
    }

    /// What the customer is told when the limit was cut.
    #[must_use]
    pub fn note(&self) -> Option<Cow<'static, str>> {
        self.clamped.then(|| format!("limit was reduced to {LIMIT_MAX}, the most that one answer holds.").into())
    }

    /// This part of a list, as positions in it.
    #[must_use]
    pub fn range(&self) -> std::ops::Range<usize> {
        let start = usize::try_from(self.offset).unwrap_or(usize::MAX);
        let take = self.limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        start..start.saturating_add(take)
    }

    /// This part of a list that is at hand in full.
    #[must_use]
    pub fn cut<T>(&self, all: Vec<T>) -> Vec<T> {
        let range = self.range();
        all.into_iter().skip(range.start).take(range.len()).collect()
    }
}

/// The rows that are shown, of which one more was asked for than that, and the cursor of the part that follows.
pub fn shown<T>(mut rows: Vec<T>, most: u32, cursor: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
    let most = usize::try_from(most).unwrap_or(usize::MAX);
    let has_more = rows.len() > most;
    rows.truncate(most);
    let next = rows.last().filter(|_| has_more).map(cursor);
    (rows, next)
}

/// A bound that the store's integers hold.
pub const WHOLE_NUMBER_MAX: u64 = 1_000_000_000;

/// A whole number in a query; None when it is left out, or is a fault that was noted.
pub fn number(faults: &mut Faults, name: &str, field: Field<String>, within: RangeInclusive<u64>) -> Option<u64> {
    let text = faults.optional(name, field)?;
    let digits = text.bytes().all(|b| b.is_ascii_digit());
    let number = text.parse().ok().filter(|number| digits && within.contains(number));
    let wanted = || format!("must be a whole number from {} to {}", within.start(), within.end());
    faults.parsed(Code::ValidationFailed, name, number.ok_or_else(wanted))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(limit: Option<&str>, offset: Option<&str>) -> (Page, bool) {
        let mut faults = Faults::default();
        let field = |text: Option<&str>| text.map_or(Field::Absent, |text| Field::Given(text.to_owned()));
        let page = Page::read(&mut faults, field(limit), field(offset), None);
        (page, faults.into_result().is_ok())
    }

    #[test]
    fn a_limit_above_the_bound_is_clamped_and_said_so() {
        let (page, good) = read(Some("1000"), Some("3"));
        assert!(good && page.note().is_some());
        assert_eq!((page.limit(), page.offset), (Some(100), 3));
        assert_eq!(page.cut((0..500).collect::<Vec<_>>()), (3..103).collect::<Vec<_>>());
    }

    #[test]
    fn without_a_limit_a_list_is_whole() {
        assert_eq!(read(None, None).0.cut(vec![1, 2, 3]), [1, 2, 3]);
    }

    #[test]
    fn a_part_has_a_next_one_only_when_there_is_more() {
        let next = |rows: &[u8], most| shown(rows.to_vec(), most, u8::to_string);
        assert_eq!(next(&[3, 2, 1], 2), (vec![3, 2], Some("2".to_owned())));
        assert_eq!(next(&[3, 2], 2), (vec![3, 2], None));
        assert_eq!(next(&[], 2), (vec![], None));
    }

    #[test]
    fn what_is_no_number_is_refused() {
        for text in ["0", "-1", "+1", "1.5", "ten", "99999999999999999999"] {
            assert!(!read(Some(text), None).1, "{text}");
        }
        assert!(read(None, Some("0")).1);
    }
}
