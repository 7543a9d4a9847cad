//! An authenticator, as people have it on a telephone: it is told a secret once, and shows codes by the clock.
#![allow(clippy::unwrap_used)]

use csp_control::domain::{time::Time, totp::TotpSecret};

/// What it shows at that time.
#[must_use]
pub fn code(secret: &str, at: Time) -> String {
    let value = |c: char| u64::try_from("ABCDEFGHIJKLMNOPQRSTUVWXYZ234567".find(c).unwrap()).unwrap();
    let (mut held, mut bits, mut bytes) = (0_u64, 0, Vec::new());
    for c in secret.chars() {
        (held, bits) = ((held << 5 | value(c)) & 0xffff, bits + 5);
        if bits >= 8 {
            bits -= 8;
            bytes.push(u8::try_from(held >> bits & 0xff).unwrap());
        }
    }
    format!("{:06}", TotpSecret::of(bytes).code(at.0 / 30).unwrap())
}
