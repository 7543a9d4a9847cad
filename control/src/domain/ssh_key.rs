//! Public SSH keys, as customers paste them: parsed for real, so that a key which a guest's sshd would pass over is
//! refused here, where somebody reads the reason, and not found out at a locked door.
//!
//! What was pasted is never part of a reason: it may be the private half.

use csp_shared::limits::SSH_KEY_BYTES_MAX;
use ssh_key::{Algorithm, HashAlg, PublicKey, public::KeyData};

/// Shortest RSA modulus, in bits. Below it NIST forbids signatures (SP 800-131A, since 2014) and several
/// distributions' sshd, their crypto policy set so, refuse the key although OpenSSH by itself starts at 1024.
pub const RSA_BITS_MIN: usize = 2048;
/// Longest RSA modulus, in bits: OpenSSH takes no longer one (`OPENSSL_RSA_MAX_MODULUS_BITS`).
pub const RSA_BITS_MAX: usize = 16_384;

/// What gives a private key away, in any of the forms that tools write: OpenSSH and PEM, PuTTY's .ppk, and the bare
/// base64 of OpenSSH's format, which begins with `openssh-key-v1`.
const PRIVATE: [&str; 3] = ["PRIVATE KEY", "PuTTY-User-Key-File", "b3BlbnNzaC1rZXktdjE"];

/// A public key without options and comment: `ssh-ed25519 AAAA…`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct SshKey {
    line: String,
    fingerprint: String,
}

/// Why a text is no public key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadSshKey {
    /// Someone pasted the secret half.
    #[error(
        "this is a private key; it was neither stored nor logged. Send the .pub file instead, and since the key has \
         left your machine, consider making a new one"
    )]
    Private,
    /// Longer than any real key.
    #[error("a public key has at most {SSH_KEY_BYTES_MAX} bytes on one line")]
    Long,
    /// Options, a certificate, or no key at all.
    #[error(
        "a public key begins with its type, as ssh-ed25519, ecdsa-sha2-nistp256, ssh-rsa or \
         sk-ssh-ed25519@openssh.com; options before it and certificates are not accepted"
    )]
    Type,
    /// Dropped by OpenSSH.
    #[error("DSA keys are not accepted: OpenSSH refuses them since 2015. Make one with `ssh-keygen -t ed25519`")]
    Dsa,
    /// Too few bits.
    #[error("this RSA key has {0} bits, and {RSA_BITS_MIN} are the least. Make one with `ssh-keygen -t ed25519`")]
    RsaShort(usize),
    /// Too many bits.
    #[error("this RSA key has {0} bits, and {RSA_BITS_MAX} are the most that OpenSSH takes")]
    RsaLong(usize),
    /// The second word does not hold a key of that type.
    #[error("the key's data is damaged: paste the whole line of the .pub file")]
    Data,
}

/// Whether a text is, or contains, a private key. Asked of whatever stands beside a public key, too.
#[must_use]
pub fn holds_private_key(text: &str) -> bool {
    PRIVATE.iter().any(|mark| text.contains(mark))
}

impl SshKey {
    /// Reads one line of a `.pub` file; a comment is dropped.
    ///
    /// # Errors
    /// When it is no public key that a guest's sshd would take.
    pub fn parse(text: &str) -> Result<Self, BadSshKey> {
        let text = text.trim();
        if holds_private_key(text) {
            return Err(BadSshKey::Private);
        }
        if text.len() > SSH_KEY_BYTES_MAX || text.contains(['\n', '\r', '\0']) {
            return Err(BadSshKey::Long);
        }
        let mut words = text.split_ascii_whitespace();
        let known = |kind: &&str| Algorithm::new(kind).is_ok_and(|kind| !matches!(kind, Algorithm::Other(_)));
        let kind = words.next().filter(known).ok_or(BadSshKey::Type)?;
        let data = words.next().ok_or(BadSshKey::Data)?;
        let parsed = PublicKey::from_openssh(&format!("{kind} {data}")).map_err(|_| BadSshKey::Data)?;
        accepted(parsed.key_data())?;
        // Written anew from what was read: nothing that the parser passed over reaches a guest.
        let line = PublicKey::new(parsed.key_data().clone(), "").to_openssh().map_err(|_| BadSshKey::Data)?;
        Ok(Self { line: line.trim_end().to_owned(), fingerprint: parsed.fingerprint(HashAlg::Sha256).to_string() })
    }

    /// Type and data, without a comment.
    #[must_use]
    pub fn line(&self) -> &str {
        &self.line
    }

    /// As `ssh-keygen -l` prints it: `SHA256:…`.
    #[must_use]
    pub fn fingerprint(&self) -> &str {
        &self.fingerprint
    }
}

fn accepted(key: &KeyData) -> Result<(), BadSshKey> {
    match key {
        KeyData::Dsa(_) => Err(BadSshKey::Dsa),
        KeyData::Rsa(rsa) => {
            let modulus = rsa.n.as_positive_bytes().ok_or(BadSshKey::Data)?;
            let unused = modulus.first().map_or(0, |byte| byte.leading_zeros() as usize);
            match modulus.len() * 8 - unused {
                bits @ ..RSA_BITS_MIN => Err(BadSshKey::RsaShort(bits)),
                RSA_BITS_MIN..=RSA_BITS_MAX => Ok(()),
                bits => Err(BadSshKey::RsaLong(bits)),
            }
        }
        KeyData::Ecdsa(_) | KeyData::Ed25519(_) | KeyData::SkEcdsaSha2NistP256(_) | KeyData::SkEd25519(_) => Ok(()),
        // What this program does not know, a guest's sshd most likely does not either.
        _ => Err(BadSshKey::Type),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";
    /// Made by ssh-keygen: real keys of the kinds that it makes, and their fingerprints as `ssh-keygen -l` prints them.
    const REAL: &str = include_str!("ssh_key_samples.txt");

    fn samples() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
        REAL.lines().filter(|line| !line.starts_with('#')).map(|line| {
            let mut columns = line.splitn(3, '\t');
            (columns.next().unwrap(), columns.next().unwrap(), columns.next().unwrap())
        })
    }

    #[test]
    fn a_pasted_line_loses_only_its_comment() {
        let key = SshKey::parse(&format!("  {KEY} me@laptop with words\n")).unwrap();
        assert_eq!(key.line(), KEY);
    }

    #[test]
    fn real_keys_are_taken_as_they_are_and_have_the_fingerprint_that_ssh_keygen_prints() {
        let mut taken = 0;
        for (name, fingerprint, line) in samples().filter(|(name, ..)| !["dsa", "rsa-1024", "rsa-2040"].contains(name))
        {
            let key = SshKey::parse(line).unwrap_or_else(|why| panic!("{name}: {why}"));
            assert_eq!(key.fingerprint(), fingerprint, "{name}");
            let two_words: Vec<&str> = line.split(' ').take(2).collect();
            assert_eq!(key.line(), two_words.join(" "), "{name}");
            taken += 1;
        }
        assert_eq!(taken, 5);
    }

    #[test]
    fn dsa_and_short_rsa_are_refused_by_name() {
        let parse = |wanted: &str| SshKey::parse(samples().find(|(name, ..)| *name == wanted).unwrap().2);
        assert_eq!(parse("dsa"), Err(BadSshKey::Dsa));
        assert_eq!(parse("rsa-1024"), Err(BadSshKey::RsaShort(1024)));
        assert_eq!(parse("rsa-2040"), Err(BadSshKey::RsaShort(2040)), "the bound is exact, not a length in bytes");
    }

    #[test]
    fn what_sshd_would_not_take_is_refused_with_the_reason() {
        let table = [
            ("-----BEGIN OPENSSH PRIVATE KEY-----\nb3Bl", BadSshKey::Private),
            ("-----BEGIN RSA PRIVATE KEY-----", BadSshKey::Private),
            ("PuTTY-User-Key-File-3: ssh-ed25519", BadSshKey::Private),
            ("b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ", BadSshKey::Private),
            ("", BadSshKey::Type),
            ("command=\"sh\" ssh-ed25519 AAAA", BadSshKey::Type),
            ("ssh-ed25519-cert-v01@openssh.com AAAA", BadSshKey::Type),
            ("ssh-ed25519", BadSshKey::Data),
            ("ssh-ed25519 !!!!", BadSshKey::Data),
            ("ssh-rsa AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f", BadSshKey::Data),
            ("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5", BadSshKey::Data),
        ];
        for (text, why) in table {
            assert_eq!(SshKey::parse(text), Err(why), "{text}");
        }
        assert_eq!(SshKey::parse(&format!("{KEY}\n{KEY}")), Err(BadSshKey::Long));
    }

    proptest! {
        /// A reason is shown, logged and quoted, so nothing of the text may be in it.
        #[test]
        fn whatever_is_pasted_is_no_part_of_the_reason(secret in "[A-Za-z0-9+/]{24,80}") {
            for text in [format!("-----BEGIN OPENSSH PRIVATE KEY-----\n{secret}"), format!("ssh-ed25519 {secret}"), secret.clone()] {
                if let Err(why) = SshKey::parse(&text) {
                    let told = format!("{why} {why:?}");
                    prop_assert!(!told.contains(&secret), "{}", told);
                }
            }
        }

        #[test]
        fn what_was_read_is_read_again_as_the_same(key in proptest::array::uniform32(any::<u8>())) {
            let data = ssh_key::public::Ed25519PublicKey(key);
            let line = PublicKey::new(KeyData::Ed25519(data), "c o m").to_openssh().unwrap();
            let once = SshKey::parse(&line).unwrap();
            prop_assert_eq!(SshKey::parse(once.line()).unwrap(), once);
        }
    }
}
