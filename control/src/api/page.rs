//! `?limit=` and `?offset=` of lists.

use std::{borrow::Cow, ops::RangeInclusive};

use serde::Deserialize;
use utoipa::{
    IntoParams,
    openapi::path::{Parameter, ParameterIn},
};

use super::{
    document::schemas::{Limit, Offset},
    error::{ApiError, Code},
    field::{Faults, Field, Unknown},
};
use crate::store::Begin;

/// Most entries of one answer to a request that sets a limit.
pub const LIMIT_MAX: u64 = 100;

/// Most entries of an answer to a request that sets none, on lists that grow for ever: whoever has more is told so, and
/// reads on with a cursor.
pub const WHOLE_MAX: u64 = 10_000;

/// `?limit=&offset=`, of every list.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub struct Paging {
    /// Most entries of the answer. More than 100 are cut to 100, and `message` says so.
    #[serde(default)]
    #[param(value_type = Limit, inline, required = false)]
    limit: Field<String>,
    /// How many entries to skip.
    #[serde(default)]
    #[param(value_type = Offset, inline, required = false)]
    offset: Field<String>,
}

/// The query of a list: filters, which part of it, and nothing else. Filters are plain structs of
/// [`Field`](super::field::Field)s without flattened parts of their own, which would leave their names among the unknown.
#[derive(Debug, Deserialize)]
pub struct Listed<A, B = NoFilters> {
    /// Filters.
    #[serde(flatten)]
    pub filters: A,
    /// Filters that another list has, too.
    #[serde(flatten)]
    pub shared: B,
    #[serde(flatten)]
    paging: Paging,
    #[serde(flatten)]
    unknown: Unknown,
}

/// A list without filters.
#[derive(Debug, Default, Deserialize, IntoParams)]
pub struct NoFilters {}

impl<A: IntoParams, B: IntoParams> IntoParams for Listed<A, B> {
    fn into_params(place: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        [A::into_params(&place), B::into_params(&place), Paging::into_params(&place)].concat()
    }
}

impl Listed<NoFilters> {
    /// The wanted part; everything when none is set.
    ///
    /// # Errors
    /// When a field is unknown or wrong.
    pub fn page(self) -> Result<Page, ApiError> {
        self.parsed(None, |_, NoFilters {}, NoFilters {}| ()).map(|((), page)| page)
    }
}

impl<A, B> Listed<A, B> {
    /// What `read` makes of the filters, and the wanted part. `default` is the limit of a request that sets none; None:
    /// everything.
    ///
    /// # Errors
    /// When a field is unknown or wrong: all of them together.
    pub fn parsed<T>(
        self,
        default: Option<u64>,
        read: impl FnOnce(&mut Faults, A, B) -> T,
    ) -> Result<(T, Page), ApiError> {
        let mut faults = Faults::beginning_with(&self.unknown);
        let filters = read(&mut faults, self.filters, self.shared);
        let page = Page::read(&mut faults, self.paging, default);
        faults.into_result().map(|()| (filters, page))
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
    fn read(faults: &mut Faults, paging: Paging, default: Option<u64>) -> Self {
        let part = Self::limited(faults, paging.limit, default);
        let offset = number(faults, "offset", paging.offset, 0..=WHOLE_NUMBER_MAX);
        Self { offset: offset.unwrap_or(0), ..part }
    }

    /// The first part of a list that has no offsets. `default` is the limit of a request that sets none.
    pub fn limited(faults: &mut Faults, limit: Field<String>, default: Option<u64>) -> Self {
        let wanted = faults.optional("limit", limit).and_then(|text| {
            // More than any number holds is too much like any other: it is cut, and told so.
            let digits = !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
            let number = digits.then(|| text.parse().unwrap_or(u64::MAX)).filter(|number| *number > 0);
            faults.parsed(Code::ValidationFailed, "limit", number.ok_or("must be a whole number, at least 1"))
        });
        Self {
            limit: wanted.map(|limit| limit.min(LIMIT_MAX)).or(default),
            clamped: wanted.is_some_and(|limit| limit > LIMIT_MAX),
            offset: 0,
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

/// Where a part begins: after a cursor, or after so many entries; not both.
///
/// # Errors
/// When both are given.
pub fn begin<T>(cursor: Option<T>, page: &Page) -> Result<Begin<T>, ApiError> {
    match cursor {
        Some(_) if page.offset > 0 => {
            Err(ApiError::field(Code::ValidationFailed, "offset", "does not go together with cursor"))
        }
        Some(cursor) => Ok(Begin::Before(cursor)),
        None => Ok(Begin::Offset(u32::try_from(page.offset).unwrap_or(u32::MAX))),
    }
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
        let paging = Paging { limit: field(limit), offset: field(offset) };
        let page = Page::read(&mut faults, paging, None);
        (page, faults.into_result().is_ok())
    }

    #[test]
    fn a_limit_above_the_bound_is_clamped_and_said_so() {
        for more in ["101", "1000", "99999999999999999999", &"9".repeat(400)] {
            let (page, good) = read(Some(more), Some("3"));
            assert!(good && page.note().is_some(), "{more}");
            assert_eq!((page.limit(), page.offset), (Some(100), 3), "{more}");
        }
        let (page, _) = read(Some("1000"), Some("3"));
        assert!(read(Some("0100"), None).0.note().is_none());
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
        for text in ["0", "00", "-1", "+1", "1.5", "ten", " 1", "-99999999999999999999"] {
            assert!(!read(Some(text), None).1, "{text}");
        }
        assert!(read(None, Some("0")).1 && !read(None, Some("99999999999999999999")).1);
    }

    #[test]
    fn filters_take_their_names_and_leave_what_is_unknown() {
        #[derive(Debug, Deserialize)]
        struct Filter {
            #[serde(default)]
            kind: Field<String>,
        }
        #[derive(Debug, Deserialize)]
        struct Other {
            #[serde(default)]
            colour: Field<String>,
        }
        let read = |text: &str| {
            let listed: Listed<Filter, Other> = serde_json::from_str(text).unwrap();
            listed.parsed(None, |_, filter, other| (filter.kind, other.colour)).map_err(|refusal| refusal.fields)
        };
        let given = |text: &str| Field::Given(text.to_owned());
        let (read_of, page) = read(r#"{"kind":"a","colour":"b","limit":"7","offset":"2"}"#).unwrap();
        assert_eq!((read_of, page.limit(), page.offset), ((given("a"), given("b")), Some(7), 2));
        let named = read(r#"{"kind":"a","x":"b","limit":"none","offset":"-"}"#).unwrap_err();
        assert_eq!(named.iter().map(|fault| fault.field.as_str()).collect::<Vec<_>>(), ["x", "limit", "offset"]);
    }
}
