//! Public SSH keys, as customers paste them.

use base64::{
    Engine as _,
    engine::general_purpose::{STANDARD, STANDARD_NO_PAD},
};
use csp_shared::{limits::SSH_KEY_BYTES_MAX, sha256::Sha256};

/// Key types that today's servers accept. DSA and security-key types with options are left out.
const TYPES: [&str; 7] = [
    "ssh-ed25519",
    "ssh-rsa",
    "ecdsa-sha2-nistp256",
    "ecdsa-sha2-nistp384",
    "ecdsa-sha2-nistp521",
    "sk-ssh-ed25519@openssh.com",
    "sk-ecdsa-sha2-nistp256@openssh.com",
];

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
    #[error("this is a private key: keep it secret, and send the .pub file instead")]
    Private,
    /// Longer than any real key.
    #[error("a public key has at most {SSH_KEY_BYTES_MAX} bytes on one line")]
    Long,
    /// Not one of [`TYPES`].
    #[error("a public key begins with its type, as ssh-ed25519, ssh-rsa or ecdsa-sha2-nistp256")]
    Type,
    /// The second word does not hold a key of that type.
    #[error("the key's data is damaged: paste the whole line of the .pub file")]
    Data,
}

impl SshKey {
    /// Reads one line of a `.pub` file; a comment is dropped.
    ///
    /// # Errors
    /// When it is no public key that a guest's sshd would take.
    pub fn parse(text: &str) -> Result<Self, BadSshKey> {
        let text = text.trim();
        if text.contains("PRIVATE KEY") {
            return Err(BadSshKey::Private);
        }
        if text.len() > SSH_KEY_BYTES_MAX || text.contains(['\n', '\r', '\0']) {
            return Err(BadSshKey::Long);
        }
        let mut words = text.split_ascii_whitespace();
        let kind = words.next().filter(|kind| TYPES.contains(kind)).ok_or(BadSshKey::Type)?;
        let data = words.next().ok_or(BadSshKey::Data)?;
        let blob = STANDARD.decode(data).map_err(|_| BadSshKey::Data)?;
        // RFC 4253, 6.6: the data begins with the type's own name, length first, and more follows.
        let (length, rest) = blob.split_first_chunk::<4>().ok_or(BadSshKey::Data)?;
        let named = usize::try_from(u32::from_be_bytes(*length)).ok() == Some(kind.len());
        if !named || !rest.starts_with(kind.as_bytes()) || rest.len() < kind.len() + 32 {
            return Err(BadSshKey::Data);
        }
        let fingerprint = format!("SHA256:{}", STANDARD_NO_PAD.encode(Sha256::of(&blob).0));
        Ok(Self { line: format!("{kind} {data}"), fingerprint })
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

#[cfg(test)]
mod tests {
    use super::*;

    const KEY: &str = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIAABAgMEBQYHCAkKCwwNDg8QERITFBUWFxgZGhscHR4f";

    #[test]
    fn a_pasted_line_loses_only_its_comment() {
        let key = SshKey::parse(&format!("  {KEY} me@laptop\n")).unwrap();
        assert_eq!(key.line(), KEY);
        assert!(key.fingerprint().starts_with("SHA256:") && key.fingerprint().len() == 50);
    }

    #[test]
    fn what_sshd_would_not_take_is_refused_with_the_reason() {
        let table = [
            ("-----BEGIN OPENSSH PRIVATE KEY-----", BadSshKey::Private),
            ("", BadSshKey::Type),
            ("ssh-dss AAAA", BadSshKey::Type),
            ("command=\"sh\" ssh-ed25519 AAAA", BadSshKey::Type),
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
}
