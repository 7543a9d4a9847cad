//! `[billing]`: what the provider decides about the life of services.

use serde::{Deserialize, Deserializer, de::Error as _};

use crate::domain::{
    billing::{destroy::DestroyCredit, extra_ip::ADDITIONS_A_DAY, life::GRACE_DAYS_MAX, rules::Rules},
    time::{DAY, YEAR},
};

/// Longest downtime, in hours, after which billing may be told to go on by itself: a month.
const JUMP_HOURS_MAX: u32 = 24 * 31;

const YEARS_MAX: u32 = 30;

/// The section.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Billing {
    /// How many days a suspended server is kept; 1 to 27.
    #[serde(deserialize_with = "grace")]
    pub grace_days: u32,
    /// What a destroyed server gives back: `none`, `unstarted` or `prorata`.
    #[serde(deserialize_with = "destroy_credit")]
    pub destroy_credit: DestroyCredit,
    /// After how many hours without a look at the clock nothing is billed until an operator says so; 1 to 744.
    #[serde(deserialize_with = "jump")]
    pub clock_jump_hours: u32,
    /// How many extra addresses an account adds in 24 hours; 0 sells none.
    pub extra_ips_a_day: usize,
    /// For how many years the books need to know whose a closed account was; at most 30.
    #[serde(deserialize_with = "years")]
    pub books_kept_years: u32,
}

impl Default for Billing {
    fn default() -> Self {
        Self {
            grace_days: 7,
            destroy_credit: DestroyCredit::default(),
            clock_jump_hours: 72,
            extra_ips_a_day: ADDITIONS_A_DAY,
            books_kept_years: 10,
        }
    }
}

impl Billing {
    /// The same as decisions take it.
    #[must_use]
    pub fn rules(&self, has_mail: bool) -> Rules {
        Rules {
            grace: i64::from(self.grace_days) * DAY,
            destroy_credit: self.destroy_credit,
            clock_jump_max: i64::from(self.clock_jump_hours) * 3600,
            extra_ips_a_day: self.extra_ips_a_day,
            books_kept: i64::from(self.books_kept_years) * YEAR,
            has_mail,
        }
    }
}

fn bounded<'de, D: Deserializer<'de>>(deserializer: D, most: u32) -> Result<u32, D::Error> {
    let number = u32::deserialize(deserializer)?;
    let fits = (1..=most).contains(&number);
    if fits { Ok(number) } else { Err(D::Error::custom(format!("{number} is not between 1 and {most}"))) }
}

fn years<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    let years = u32::deserialize(deserializer)?;
    if years <= YEARS_MAX { Ok(years) } else { Err(D::Error::custom(format!("{years} is more than {YEARS_MAX}"))) }
}

fn grace<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    bounded(deserializer, GRACE_DAYS_MAX)
}

fn jump<'de, D: Deserializer<'de>>(deserializer: D) -> Result<u32, D::Error> {
    bounded(deserializer, JUMP_HOURS_MAX)
}

fn destroy_credit<'de, D: Deserializer<'de>>(deserializer: D) -> Result<DestroyCredit, D::Error> {
    let text = String::deserialize(deserializer)?;
    let known = DestroyCredit::ALL.into_iter().find(|choice| choice.as_str() == text);
    known.ok_or_else(|| D::Error::custom(format!("`{text}` is none of none, unstarted and prorata")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_defaults_are_the_rules_and_what_cannot_be_is_refused() {
        assert_eq!(Billing::default().rules(false), Rules::default());
        for wrong in ["grace_days = 28", "grace_days = 0", "destroy_credit = \"all\"", "clock_jump_hours = 745"] {
            assert!(toml::from_str::<Billing>(wrong).is_err(), "{wrong}");
        }
        let read: Billing = toml::from_str("destroy_credit = \"prorata\"\ngrace_days = 27").unwrap();
        assert_eq!((read.destroy_credit, read.grace_days), (DestroyCredit::Prorata, 27));
    }
}
