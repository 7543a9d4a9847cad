//! The part of the catalog about promo codes: what each takes off, from whom and for how long.

use serde::{Deserialize, Serialize};

use super::{Kind, Parsed};
use crate::domain::{
    billing::promo::{Code, Discount, Duration, Promo, Terms},
    catalog::ServiceType,
    money::NotMoney,
    slug::Slug,
    time::{BadTime, Time},
};

/// `[[promo_codes]]`
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
#[expect(missing_docs, reason = "the fields are those of the domain's type")]
pub struct PromoEntry {
    pub code: Parsed<Code>,
    /// What it takes off.
    pub off: Off,
    /// Left out: the first period alone.
    #[serde(default)]
    pub duration: Lasting,
    /// Left out: for both.
    #[serde(rename = "type", default, skip_serializing_if = "Option::is_none")]
    pub kind: Option<Kind>,
    /// Left out: for every package.
    #[serde(default)]
    pub packages: Vec<Parsed<Slug>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_from: Option<At>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub valid_until: Option<At>,
    /// Left out: as often as people like.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_uses: Option<u32>,
    /// Left out: once.
    #[serde(default = "once")]
    pub max_uses_per_account: u32,
}

/// `first` or `recurring`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the words of the billing rules")]
pub enum Lasting {
    #[default]
    First,
    Recurring,
}

/// `15%` or `2.00`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Off(pub Discount);

impl TryFrom<String> for Off {
    type Error = String;
    fn try_from(text: String) -> Result<Self, String> {
        let discount = match text.strip_suffix('%') {
            Some(percent) => {
                let digits = percent.bytes().all(|b| b.is_ascii_digit());
                let percent = percent.parse().ok().filter(|percent| digits && (1..=100).contains(percent));
                Discount::Percent(percent.ok_or_else(|| format!("`{text}` is no percentage; write 1% to 100%"))?)
            }
            None => {
                let wrong = |why: NotMoney| format!("`{text}` {why}; a percentage is written as 15%");
                Discount::Amount(text.parse().map_err(wrong)?)
            }
        };
        Ok(Self(discount))
    }
}

impl From<Off> for String {
    fn from(off: Off) -> Self {
        match off.0 {
            Discount::Percent(percent) => format!("{percent}%"),
            Discount::Amount(amount) => amount.to_string(),
        }
    }
}

/// `2026-06-10` or `2026-06-10 12:00:00`, UTC.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct At(pub Time);

impl TryFrom<String> for At {
    type Error = BadTime;
    fn try_from(text: String) -> Result<Self, BadTime> {
        text.parse().map(Self)
    }
}

impl From<At> for String {
    fn from(at: At) -> Self {
        at.0.to_string()
    }
}

fn once() -> u32 {
    1
}

impl From<PromoEntry> for Promo {
    fn from(entry: PromoEntry) -> Self {
        let duration = match entry.duration {
            Lasting::First => Duration::First,
            Lasting::Recurring => Duration::Recurring,
        };
        Self {
            code: entry.code.0,
            terms: Terms { discount: entry.off.0, duration },
            kind: entry.kind.map(ServiceType::from),
            packages: entry.packages.into_iter().map(|slug| slug.0).collect(),
            valid_from: entry.valid_from.map(|at| at.0),
            valid_until: entry.valid_until.map(|at| at.0),
            uses_max: entry.max_uses,
            uses_per_account_max: Some(entry.max_uses_per_account),
        }
    }
}
