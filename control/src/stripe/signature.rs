//! Whether a word is Stripe's: `Stripe-Signature: t=SECONDS,v1=HEX,v1=HEX,v0=…`, where each `v1` is an HMAC-SHA256 of
//! `SECONDS.BODY` under a secret that Stripe and we know.

use csp_shared::secret::Secret;
use hmac::{Hmac, Mac as _};

use crate::domain::time::{MINUTE, Time};

/// How far the time in a signature may be from ours, in seconds: an old word that somebody kept is not taken again.
const WINDOW_SECONDS: i64 = 5 * MINUTE;
/// Signatures that are looked at; Stripe sends two while its secret is changed.
const SIGNATURES_MAX: usize = 8;
/// Longest header that is read, in bytes.
const HEADER_BYTES_MAX: usize = 2048;

/// Why a word is not taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum NotSigned {
    /// No header, or none that can be read.
    #[error("the signature is missing or cannot be read")]
    Unreadable,
    /// Of another time than now.
    #[error("the signature is older than five minutes, or of a time to come; one of the clocks may be wrong")]
    OtherTime,
    /// By somebody else, or of another body.
    #[error("the signature is not of this body under our secret")]
    Wrong,
}

/// Checks a signature. Each is compared in constant time.
///
/// # Errors
/// When the body is not Stripe's word of now.
pub fn check(header: Option<&str>, body: &[u8], secrets: &[Secret], now: Time) -> Result<(), NotSigned> {
    let header = header.filter(|text| text.len() <= HEADER_BYTES_MAX).ok_or(NotSigned::Unreadable)?;
    let parts = || header.split(',').filter_map(|part| part.trim().split_once('='));
    let mut times = parts().filter(|(name, _)| *name == "t").map(|(_, value)| value);
    let (Some(time), None) = (times.next(), times.next()) else { return Err(NotSigned::Unreadable) };
    let at: i64 = time.parse().map_err(|_| NotSigned::Unreadable)?;
    let signatures: Vec<Vec<u8>> =
        parts().filter(|(name, _)| *name == "v1").filter_map(|(_, hex)| bytes(hex)).take(SIGNATURES_MAX).collect();
    if signatures.is_empty() {
        return Err(NotSigned::Unreadable);
    }
    if now.0.checked_sub(at).is_none_or(|age| age.abs() > WINDOW_SECONDS) {
        return Err(NotSigned::OtherTime);
    }
    let is_ours = |secret: &Secret| {
        // HMAC takes a key of any length, so this cannot fail.
        let Ok(mut mac) = Hmac::<sha2::Sha256>::new_from_slice(secret.reveal().as_bytes()) else { return false };
        // The text of the time as it stands there, since that was signed.
        mac.update(time.as_bytes());
        mac.update(b".");
        mac.update(body);
        signatures.iter().any(|signature| mac.clone().verify_slice(signature).is_ok())
    };
    if secrets.iter().any(is_ours) { Ok(()) } else { Err(NotSigned::Wrong) }
}

/// The bytes of a SHA-256 in hexadecimal digits.
fn bytes(hex: &str) -> Option<Vec<u8>> {
    if hex.len() != 64 || !hex.bytes().all(|b| b.is_ascii_hexdigit()) {
        return None;
    }
    (0..32).map(|at| hex.get(2 * at..2 * at + 2).and_then(|pair| u8::from_str_radix(pair, 16).ok())).collect()
}

/// What Stripe would send with this body: for tests.
#[must_use]
pub fn sign(body: &[u8], secret: &Secret, at: Time) -> String {
    let mut told = format!("t={}", at.0);
    if let Ok(mac) = Hmac::<sha2::Sha256>::new_from_slice(secret.reveal().as_bytes()) {
        let digest = mac.chain_update(format!("{}.", at.0)).chain_update(body).finalize().into_bytes();
        told += ",v1=";
        told.extend(digest.iter().map(|byte| format!("{byte:02x}")));
    }
    told
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(text: &str) -> Secret {
        Secret::new(text.to_owned())
    }

    fn checked(header: &str, body: &[u8], at: i64) -> Result<(), NotSigned> {
        check(Some(header), body, &[secret("whsec_old"), secret("whsec_new")], Time(at))
    }

    #[test]
    fn a_signature_is_of_its_body_under_one_of_our_secrets_and_of_now() {
        let header = sign(b"{}", &secret("whsec_new"), Time(1000));
        for at in [1000, 700, 1300] {
            assert_eq!(checked(&header, b"{}", at), Ok(()));
        }
        for at in [699, 1301, i64::MIN, i64::MAX] {
            assert_eq!(checked(&header, b"{}", at), Err(NotSigned::OtherTime), "{at}");
        }
        // It is told within a sentence, which has its own mark.
        for why in [NotSigned::Unreadable, NotSigned::OtherTime, NotSigned::Wrong] {
            assert!(!why.to_string().ends_with(['.', '?', '!']), "{why}");
        }
        assert_eq!(checked(&header, b"{ }", 1000), Err(NotSigned::Wrong));
        assert_eq!(checked(&sign(b"{}", &secret("whsec_other"), Time(1000)), b"{}", 1000), Err(NotSigned::Wrong));
        assert_eq!(checked(&header.replace("t=1000", "t=1001"), b"{}", 1000), Err(NotSigned::Wrong));
        assert_eq!(check(Some(&header), b"{}", &[], Time(1000)), Err(NotSigned::Wrong));
    }

    /// Computed by another program: `printf '1000.{}' | openssl dgst -sha256 -hmac whsec_new`.
    #[test]
    fn the_signature_is_the_one_that_others_compute() {
        let header = sign(b"{}", &secret("whsec_new"), Time(1000));
        assert_eq!(header, "t=1000,v1=42b84397897e4cfca9c62faee7d69479fcc2e924e0f1b9c3ade8f68865c820a7");
    }

    #[test]
    fn one_right_signature_among_several_suffices_and_another_scheme_does_not() {
        let right = sign(b"{}", &secret("whsec_old"), Time(1000));
        let (time, signature) = right.split_once(',').unwrap();
        let wrong = format!("v1={}", "0".repeat(64));
        for header in [format!("{time},{wrong},{signature}"), format!("{time}, {signature},v0=1,{wrong}")] {
            assert_eq!(checked(&header, b"{}", 1000), Ok(()), "{header}");
        }
        assert_eq!(
            checked(&format!("{time},{}", signature.replace("v1", "v0")), b"{}", 1000),
            Err(NotSigned::Unreadable)
        );
        let many = format!("{time},{}{signature}", format!("{wrong},").repeat(8));
        assert_eq!(checked(&many, b"{}", 1000), Err(NotSigned::Wrong), "no more than some are looked at");
    }

    #[test]
    fn what_is_no_signature_is_refused_as_that() {
        assert_eq!(check(None, b"", &[secret("a")], Time(0)), Err(NotSigned::Unreadable));
        let right = sign(b"{}", &secret("whsec_new"), Time(1000));
        for header in ["", "t=1000", "v1=00", "t=,v1=00", "t=1000,v1=zz", "t=x,v1=00", &format!("t=1000,{right}")] {
            assert_eq!(checked(header, b"{}", 1000), Err(NotSigned::Unreadable), "{header}");
        }
        assert_eq!(checked(&format!("{right},{}", "a".repeat(3000)), b"{}", 1000), Err(NotSigned::Unreadable));
    }
}
