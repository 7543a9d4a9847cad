//! Passwords of people: how long and how hard to guess they are, and what is kept of them.

use std::fmt;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version, password_hash::phc};
use csp_shared::secret::Secret;
use zxcvbn::{Score, zxcvbn};

use super::{draw::Draw, email::Email};

/// Characters that a password has at least. No kinds of characters are asked for: that makes passwords alike.
const CHARACTERS_MIN: usize = 10;
/// And at most, so that nobody has megabytes hashed.
const CHARACTERS_MAX: usize = 128;

/// How hard it is to guess, by how people choose passwords: 10^8 tries, which nobody has against a slow hash and bounds on
/// signing in.
const GUESSED_AFTER: Score = Score::Three;
/// So much of it is judged: the time that takes grows faster than the text.
const CHARACTERS_JUDGED: usize = 64;

/// 19 MiB, twice, on one lane: what OWASP's password storage sheet asks of argon2id at least.
const MEMORY_KIB: u32 = 19 * 1024;
const PASSES: u32 = 2;

/// A password of the right length. Printing it shows only that it is one.
#[derive(Clone, Debug)]
pub struct Password(Secret);

/// A text that is no password.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadPassword {
    /// It is too short or too long.
    #[error("must have {CHARACTERS_MIN} to {CHARACTERS_MAX} characters")]
    Length,
    /// Many others have it, or it is a pattern.
    #[error("is easy to guess: take a few words that have nothing to do with each other")]
    Guessed,
}

impl Password {
    /// Reads a password that somebody chooses. `known` is what others know of them: their name, their mail address, whose
    /// panel it is.
    ///
    /// # Errors
    /// When it is too short, too long or easy to guess.
    pub fn choose(text: &str, known: &[&str]) -> Result<Self, BadPassword> {
        if !(CHARACTERS_MIN..=CHARACTERS_MAX).contains(&text.chars().count()) {
            return Err(BadPassword::Length);
        }
        let judged: String = text.chars().take(CHARACTERS_JUDGED).collect();
        let is_good = zxcvbn(&judged, known).score() >= GUESSED_AFTER && Email::of_person(text).is_err();
        if is_good { Ok(Self(Secret::new(text.to_owned()))) } else { Err(BadPassword::Guessed) }
    }

    /// A password that somebody signs in with. One that cannot be right is cut, and so wrong, but costs what others cost.
    #[must_use]
    pub fn given(text: &str) -> Self {
        Self(Secret::new(text.chars().take(CHARACTERS_MAX + 1).collect()))
    }
}

/// What is kept of a password: the PHC text of argon2id. Never printed.
#[derive(Clone, PartialEq, Eq)]
pub struct PasswordHash(String);

impl PasswordHash {
    /// Takes what was stored.
    #[must_use]
    pub fn stored(text: String) -> Self {
        Self(text)
    }

    /// For the store alone.
    #[must_use]
    pub fn reveal(&self) -> &str {
        &self.0
    }
}

impl fmt::Debug for PasswordHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("PasswordHash(…)")
    }
}

/// A password could not be hashed; nothing weaker is used instead.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("could not hash a password")]
pub struct NoHash;

fn hasher() -> Result<Argon2<'static>, NoHash> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).map_err(|_| NoHash)?;
    Ok(Argon2::new(Algorithm::Argon2id, Version::V0x13, params))
}

/// Hashes a password. Costs tens of milliseconds and 19 MiB.
///
/// # Errors
/// When it cannot be done.
pub fn hash(password: &Password, mut draw: Draw) -> Result<PasswordHash, NoHash> {
    let salt: [u8; 32] = draw.bytes();
    let made = hasher()?.hash_password_with_salt(password.0.reveal().as_bytes(), salt.get(..16).ok_or(NoHash)?);
    made.map(|hash| PasswordHash(hash.to_string())).map_err(|_| NoHash)
}

/// Whether this is the password. Costs as much as hashing it, also where there is nobody to compare with (`None`), so that
/// time does not tell who is known.
///
/// # Errors
/// When it cannot be done.
pub fn verify(password: &Password, kept: Option<&PasswordHash>) -> Result<bool, NoHash> {
    let bytes = password.0.reveal().as_bytes();
    let Some(kept) = kept else {
        hash(password, Draw::new([0; 32]))?;
        return Ok(false);
    };
    let kept = phc::PasswordHash::new(&kept.0).map_err(|_| NoHash)?;
    Ok(hasher()?.verify_password(bytes, &kept).is_ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_password_is_long_enough_and_hard_to_guess_and_nothing_else_is_asked_of_it() {
        let long = "zwölf Boxkämpfer jagen Viktor ".repeat(5);
        let long = long.chars().take(128).collect::<String>();
        for good in ["correct horse", "xkq7vmz2wp", "grün wie neun Türme", &long] {
            assert!(Password::choose(good, &[]).is_ok(), "{good}");
        }
        for (bad, why) in [
            ("", BadPassword::Length),
            ("xkq7vmz2w", BadPassword::Length),
            (&"a".repeat(129), BadPassword::Length),
            (&"a".repeat(128), BadPassword::Guessed),
            ("1234567890", BadPassword::Guessed),
            ("qwertyuiop", BadPassword::Guessed),
            ("password123", BadPassword::Guessed),
            ("Summer2026!", BadPassword::Guessed),
            ("ada.lovelace@example.com", BadPassword::Guessed),
            ("cybaaspace2026", BadPassword::Guessed),
        ] {
            assert_eq!(Password::choose(bad, &["Cybaaspace"]).unwrap_err(), why, "{bad}");
        }
    }

    #[test]
    fn a_hash_is_argon2id_of_19_mib_opens_by_its_password_alone_and_prints_as_nothing() {
        let password = Password::choose("correct horse", &[]).unwrap();
        let kept = hash(&password, Draw::new([7; 32])).unwrap();
        assert!(kept.reveal().starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{}", kept.reveal());
        assert_ne!(kept, hash(&password, Draw::new([8; 32])).unwrap(), "salted");
        assert_eq!(verify(&password, Some(&kept)), Ok(true));
        assert_eq!(verify(&Password::given("correct horsf"), Some(&kept)), Ok(false));
        assert_eq!(verify(&password, None), Ok(false));
        assert_eq!(format!("{kept:?} {password:?}"), "PasswordHash(…) Password(Secret(…))");
    }
}
