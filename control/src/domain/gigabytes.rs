//! Amounts of data as people write them: gigabytes of 10^9 bytes, exact to the byte.

use std::{fmt, str::FromStr};

/// Bytes, written as gigabytes: `1000`, `0.25`.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Gigabytes(pub u64);

const BYTES: u64 = 1_000_000_000;
/// Digits behind the point: to the byte.
const DIGITS: usize = 9;

/// A text that is no such amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("is no amount of data: write gigabytes, as 1000 or 0.25")]
pub struct NotGigabytes;

impl FromStr for Gigabytes {
    type Err = NotGigabytes;

    fn from_str(text: &str) -> Result<Self, NotGigabytes> {
        let (whole, part) = text.split_once('.').map_or((text, None), |(whole, part)| (whole, Some(part)));
        let is_plain = |digits: &str| !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
        if !is_plain(whole) || !part.is_none_or(|part| is_plain(part) && part.len() <= DIGITS) {
            return Err(NotGigabytes);
        }
        let part = format!("{:0<DIGITS$}", part.unwrap_or_default());
        let number = |digits: &str| digits.parse::<u64>().map_err(|_| NotGigabytes);
        let bytes = number(whole)?.checked_mul(BYTES).and_then(|bytes| bytes.checked_add(number(&part).ok()?));
        bytes.map(Self).ok_or(NotGigabytes)
    }
}

impl fmt::Display for Gigabytes {
    /// As it is read, without zeros that say nothing.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, part) = (self.0 / BYTES, self.0 % BYTES);
        let part = format!("{part:0DIGITS$}");
        match part.trim_end_matches('0') {
            "" => write!(f, "{whole}"),
            part => write!(f, "{whole}.{part}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn gigabytes_are_read_to_the_byte_and_nothing_else_is() {
        for (text, bytes) in [("1000", 1_000_000_000_000), ("0.005", 5_000_000), ("1.000000001", 1_000_000_001)] {
            assert_eq!(text.parse(), Ok(Gigabytes(bytes)), "{text}");
        }
        for bad in ["", ".5", "5.", "-1", "+1", "1e3", "0x10", "1_000", "1.0000000001", "99999999999", " 1", "1,5"] {
            assert_eq!(bad.parse::<Gigabytes>(), Err(NotGigabytes), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn an_amount_is_read_as_it_is_written(bytes in any::<u64>()) {
            prop_assert_eq!(Gigabytes(bytes).to_string().parse(), Ok(Gigabytes(bytes)));
        }
    }
}
