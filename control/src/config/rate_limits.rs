//! `[rate_limits]`: how often a customer may ask.

use std::num::NonZeroU32;

use serde::Deserialize;

use crate::domain::rate::PerMinute;

/// Requests a minute; a minute's worth may come at once. An IPv6 /64 counts as one address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct RateLimits {
    /// With one API key.
    pub key_per_minute: NonZeroU32,
    /// From one address, whoever asks.
    pub address_per_minute: NonZeroU32,
    /// From one address, without a key that works.
    pub failed_sign_ins_per_minute: NonZeroU32,
    /// Passwords that are tried for one mail address.
    pub passwords_per_person_per_minute: NonZeroU32,
}

const fn number(number: u32) -> NonZeroU32 {
    match NonZeroU32::new(number) {
        Some(number) => number,
        None => NonZeroU32::MIN,
    }
}

impl Default for RateLimits {
    fn default() -> Self {
        Self {
            key_per_minute: number(600),
            address_per_minute: number(1200),
            failed_sign_ins_per_minute: number(20),
            passwords_per_person_per_minute: number(5),
        }
    }
}

impl RateLimits {
    /// So many of each that nobody ever reaches them: for tests of something else.
    #[must_use]
    pub fn generous() -> Self {
        let many = number(1_000_000_000);
        Self {
            key_per_minute: many,
            address_per_minute: many,
            failed_sign_ins_per_minute: many,
            passwords_per_person_per_minute: many,
        }
    }

    /// With one API key.
    #[must_use]
    pub fn key(&self) -> PerMinute {
        PerMinute(self.key_per_minute)
    }

    /// From one address.
    #[must_use]
    pub fn address(&self) -> PerMinute {
        PerMinute(self.address_per_minute)
    }

    /// From one address, without a key that works.
    #[must_use]
    pub fn failed_sign_ins(&self) -> PerMinute {
        PerMinute(self.failed_sign_ins_per_minute)
    }

    /// Passwords that are tried for one mail address.
    #[must_use]
    pub fn passwords(&self) -> PerMinute {
        PerMinute(self.passwords_per_person_per_minute)
    }
}
