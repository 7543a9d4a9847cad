//! The ranges that a customer can ask for, and the curve of one. Pure.

use super::point::Point;
use crate::domain::time::Time;

/// How far back a curve goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Range {
    /// 240 steps of 15 seconds.
    Hour,
    /// 288 steps of 5 minutes.
    Day,
    /// 336 steps of 30 minutes.
    Week,
    /// 360 steps of 2 hours.
    Month,
}

impl Range {
    /// All of them: a sample is added to each.
    pub const ALL: [Self; 4] = [Self::Hour, Self::Day, Self::Week, Self::Month];

    /// As in a query.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Hour => "1h",
            Self::Day => "24h",
            Self::Week => "7d",
            Self::Month => "30d",
        }
    }

    /// Reads a query's text.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|range| range.as_str() == text)
    }

    /// Length of a step in seconds.
    #[must_use]
    pub fn step_s(self) -> i64 {
        match self {
            Self::Hour => 15,
            Self::Day => 5 * 60,
            Self::Week => 30 * 60,
            Self::Month => 2 * 60 * 60,
        }
    }

    /// How many steps its curve has.
    #[must_use]
    pub fn steps(self) -> i64 {
        match self {
            Self::Hour => 240,
            Self::Day => 288,
            Self::Week => 336,
            Self::Month => 360,
        }
    }

    /// When the first step of the curve begins that ends with the step in which `now` is.
    #[must_use]
    pub fn first(self, now: Time) -> i64 {
        let step = self.step_s();
        now.0.div_euclid(step).saturating_sub(self.steps() - 1).saturating_mul(step)
    }

    /// When each of its steps begins.
    pub fn begins(self, now: Time) -> impl Iterator<Item = i64> {
        let first = self.first(now);
        (0..self.steps()).map(move |step| first.saturating_add(step * self.step_s()))
    }
}

/// What a server used, step by step.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Curve {
    /// How far back it goes.
    pub range: Range,
    /// When its first step begins.
    pub from: Time,
    /// A point for each step of the range; None where nothing is known. The last one is not over yet.
    pub points: Vec<Option<Point>>,
}
