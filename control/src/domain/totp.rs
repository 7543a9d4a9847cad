//! The second thing that somebody signs in with: codes of an authenticator (RFC 6238: SHA-1, six digits, thirty seconds, as all
//! authenticators have them), and recovery codes for who lost theirs.

use std::fmt;

use csp_shared::{id::PersonId, secret::Secret, sha256::Sha256};
use hmac::{Hmac, Mac as _};

use super::{
    draw::Draw,
    email::Email,
    time::{MINUTE, Time},
};

/// 160 bits, as RFC 4226 asks for.
const SECRET_BYTES: usize = 20;
/// Seconds that a code counts.
const STEP_SECONDS: i64 = 30;
/// Steps that a clock may be off, either way.
const STEPS_OFF: i64 = 1;
const DIGITS: u32 = 6;

/// Recovery codes that somebody has.
pub const RECOVERY_CODES: usize = 10;
/// Characters of one: 80 bits, more than anybody tries out.
const RECOVERY_CHARACTERS: usize = 16;

/// Wrong codes in a row within [`WRONG_SECONDS`], after which no code of an authenticator is looked at until they are over. With
/// three codes of a million open at once, ten an hour find one in a year with one chance in four, for who has the password.
pub const WRONG_MAX: u32 = 10;
/// See [`WRONG_MAX`].
pub const WRONG_SECONDS: i64 = 60 * MINUTE;

/// For how long somebody who gave the password may take to give a code, in seconds.
pub const HALF_WAY_SECONDS: i64 = 5 * MINUTE;

/// What an authenticator and we know. Printing it shows only that it is one.
#[derive(Clone, PartialEq, Eq)]
pub struct TotpSecret(Vec<u8>);

impl fmt::Debug for TotpSecret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("TotpSecret(…)")
    }
}

impl TotpSecret {
    /// A new one.
    #[must_use]
    pub fn make(draw: &mut Draw) -> Self {
        Self(draw.bytes().into_iter().take(SECRET_BYTES).collect())
    }

    /// Takes what was sealed.
    #[must_use]
    pub fn of(bytes: Vec<u8>) -> Self {
        Self(bytes)
    }

    /// To be sealed.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.0
    }

    /// As people type it into an authenticator.
    #[must_use]
    pub fn text(&self) -> Secret {
        Secret::new(base32(&self.0))
    }

    /// As an authenticator reads it from a picture: `issuer` is the name under which it is listed.
    #[must_use]
    pub fn uri(&self, issuer: &str, email: &Email) -> Secret {
        let (issuer, email, secret) = (escaped(issuer), escaped(email.as_str()), base32(&self.0));
        Secret::new(format!(
            "otpauth://totp/{issuer}:{email}?secret={secret}&issuer={issuer}&algorithm=SHA1&digits={DIGITS}&period={STEP_SECONDS}"
        ))
    }

    /// The code of a step, of which each has thirty seconds (RFC 4226, 5.3).
    #[must_use]
    pub fn code(&self, step: i64) -> Option<u32> {
        let mut mac = Hmac::<sha1::Sha1>::new_from_slice(&self.0).ok()?;
        mac.update(&step.to_be_bytes());
        let digest = mac.finalize().into_bytes();
        let at = usize::from(digest.last()? & 0xf);
        let four: [u8; 4] = digest.get(at..at + 4)?.try_into().ok()?;
        Some((u32::from_be_bytes(four) & 0x7fff_ffff) % 10_u32.pow(DIGITS))
    }

    /// The step of which this is the code, if it is one of those that count now and newer than the last one that was used: a
    /// code that somebody looked at over a shoulder is of no use once it was typed.
    #[must_use]
    pub fn accepts(&self, code: u32, last_used: i64, now: Time) -> Option<i64> {
        let step = now.0.div_euclid(STEP_SECONDS);
        let open = step - STEPS_OFF..=step + STEPS_OFF;
        open.filter(|step| *step > last_used).find(|step| self.code(*step) == Some(code))
    }
}

/// What somebody typed beside the password.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SecondFactor {
    /// Six digits of an authenticator.
    Code(u32),
    /// Anything else: a recovery code, or nothing that opens.
    Recovery(Secret),
}

impl SecondFactor {
    /// Reads what somebody typed: spaces, hyphens and capitals do not count.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let told: String = text.chars().filter(|c| !c.is_whitespace() && *c != '-').take(64).collect();
        let is_code = told.len() == DIGITS as usize && told.bytes().all(|b| b.is_ascii_digit());
        match told.parse() {
            Ok(code) if is_code => Self::Code(code),
            _ => Self::Recovery(Secret::new(told.to_ascii_lowercase())),
        }
    }
}

/// New recovery codes, as they are shown once.
#[must_use]
pub fn recovery_codes(draw: &mut Draw) -> Vec<Secret> {
    let code = |bytes: [u8; 32]| {
        let text: String = base32(&bytes).to_ascii_lowercase().chars().take(RECOVERY_CHARACTERS).collect();
        let groups: Vec<&str> = [0..4, 4..8, 8..12, 12..16].into_iter().filter_map(|part| text.get(part)).collect();
        Secret::new(groups.join("-"))
    };
    std::iter::repeat_with(|| code(draw.bytes())).take(RECOVERY_CODES).collect()
}

/// What is kept of a recovery code, as [`SecondFactor::parse`] reads it. A plain digest suffices: 80 random bits cannot be tried
/// out; with whose it is, so that two people's never look alike.
#[must_use]
pub fn recovery_hash(person: PersonId, code: &Secret) -> Sha256 {
    let bare: String = code.reveal().chars().filter(|c| *c != '-').collect();
    Sha256::of(format!("recovery code of {person} {bare}").as_bytes())
}

/// Wrong codes of one person.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Wrong {
    /// How many.
    pub count: u32,
    /// Since when they are counted.
    pub since: Time,
}

impl Wrong {
    /// Those that still count.
    #[must_use]
    pub fn at(self, now: Time) -> Self {
        if now.0 >= self.since.0 + WRONG_SECONDS { Self { count: 0, since: now } } else { self }
    }

    /// Whether no code is looked at.
    #[must_use]
    pub fn is_too_many(self) -> bool {
        self.count >= WRONG_MAX
    }

    /// With one more.
    #[must_use]
    pub fn more(self) -> Self {
        Self { count: self.count.saturating_add(1), ..self }
    }
}

/// RFC 4648, without padding.
fn base32(bytes: &[u8]) -> String {
    const ALPHABET: &[u8; 32] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZ234567";
    let (mut text, mut held, mut bits) = (String::new(), 0_u32, 0);
    for byte in bytes {
        held = (held << 8) | u32::from(*byte);
        bits += 8;
        while bits >= 5 {
            bits -= 5;
            let digit = (held >> bits) & 31;
            text.extend(ALPHABET.get(digit as usize).map(|c| char::from(*c)));
        }
    }
    if bits > 0 {
        let digit = (held << (5 - bits)) & 31;
        text.extend(ALPHABET.get(digit as usize).map(|c| char::from(*c)));
    }
    text
}

/// A text inside a URI.
fn escaped(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || b"-._~".contains(&b);
    text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") }).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// RFC 6238, appendix B, its last six digits.
    #[test]
    fn the_codes_are_those_of_the_standard() {
        let secret = TotpSecret::of(b"12345678901234567890".to_vec());
        let table = [
            (59, 287_082),
            (1_111_111_109, 81_804),
            (1_111_111_111, 50_471),
            (1_234_567_890, 5_924),
            (2_000_000_000, 279_037),
            (20_000_000_000, 353_130),
        ];
        for (at, code) in table {
            assert_eq!(secret.code(at / 30), Some(code), "{at}");
        }
    }

    #[test]
    fn a_code_counts_one_step_early_and_late_and_once() {
        let secret = TotpSecret::make(&mut Draw::new([1; 32]));
        let code = secret.code(100).unwrap();
        let accepted = |at: i64, last| secret.accepts(code, last, Time(at));
        for (at, wanted) in [(2969, None), (2970, Some(100)), (3029, Some(100)), (3059, Some(100)), (3060, None)] {
            assert_eq!(accepted(at, 0), wanted, "{at}");
        }
        assert_eq!(accepted(3000, 99), Some(100));
        assert_eq!(accepted(3000, 100), None, "used");
        assert_eq!(accepted(3000, 101), None, "older than one that was used");
    }

    /// RFC 4648, section 10.
    #[test]
    fn a_secret_is_told_in_base32_and_prints_as_nothing() {
        for (bytes, text) in [("", ""), ("f", "MY"), ("fo", "MZXQ"), ("foo", "MZXW6"), ("foobar", "MZXW6YTBOI")] {
            assert_eq!(base32(bytes.as_bytes()), text);
        }
        let secret = TotpSecret::of(b"foobar".to_vec());
        let email = Email::parse("ada+vps@example.com").unwrap();
        assert_eq!(
            secret.uri("vps.example.com", &email).reveal(),
            "otpauth://totp/vps.example.com:ada%2Bvps%40example.com?secret=MZXW6YTBOI&issuer=vps.example.com\
             &algorithm=SHA1&digits=6&period=30"
        );
        assert_eq!(format!("{secret:?} {:?}", secret.text()), "TotpSecret(…) Secret(…)");
    }

    #[test]
    fn recovery_codes_differ_and_open_however_they_are_typed() {
        let codes = recovery_codes(&mut Draw::new([3; 32]));
        assert_eq!(codes.len(), RECOVERY_CODES);
        let person = PersonId(uuid::Uuid::nil());
        let mut hashes: Vec<_> = codes.iter().map(|code| recovery_hash(person, code).0).collect();
        let typed = codes[0].reveal().to_uppercase().replace('-', " ");
        let SecondFactor::Recovery(read) = SecondFactor::parse(&typed) else { panic!("{typed}") };
        assert_eq!(recovery_hash(person, &read).0, hashes[0]);
        assert_ne!(recovery_hash(PersonId(uuid::Uuid::max()), &read).0, hashes[0]);
        hashes.sort_unstable();
        hashes.dedup();
        assert_eq!(hashes.len(), RECOVERY_CODES);
        assert_eq!(SecondFactor::parse(" 012 345 "), SecondFactor::Code(12_345));
        for other in ["", "1234567", "12345", "+12345", "١٢٣٤٥٦"] {
            assert!(matches!(SecondFactor::parse(other), SecondFactor::Recovery(_)), "{other}");
        }
    }

    #[test]
    fn ten_wrong_codes_close_an_hour() {
        let mut wrong = Wrong::default().at(Time(10_000));
        for _ in 0..WRONG_MAX {
            assert!(!wrong.is_too_many());
            wrong = wrong.at(Time(10_001)).more();
        }
        assert!(wrong.at(Time(13_599)).is_too_many());
        assert!(!wrong.at(Time(13_600)).is_too_many());
    }
}
