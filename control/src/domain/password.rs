//! A root password for a customer who chose no key: shown once, never stored.

use csp_shared::secret::Secret;
use sha_crypt::{Sha512Params, sha512_simple};

use super::draw::Draw;

/// Letters and digits that are not mistaken for each other when read off a screen.
const ALPHABET: &[u8] = b"23456789ABCDEFGHJKLMNPQRSTUVWXYZabcdefghijkmnpqrstuvwxyz";
/// 20 of 56 characters: 116 bits.
const LENGTH: usize = 20;

/// A password and what the guest's `/etc/shadow` gets of it.
#[derive(Clone, Debug)]
pub struct RootPassword {
    /// For the one answer that shows it.
    pub plain: Secret,
    /// crypt(5), method `6`.
    pub hash: String,
}

/// Makes a password. Costs some milliseconds, so it is done before the transaction.
///
/// # Errors
/// When the hash cannot be made; nothing weaker is used instead.
pub fn make(draw: &mut Draw) -> Result<RootPassword, NoPassword> {
    let plain = Secret::new(characters(draw));
    let params = Sha512Params::new(sha_crypt::ROUNDS_DEFAULT).map_err(|_| NoPassword)?;
    let hash = sha512_simple(plain.reveal(), &params).map_err(|_| NoPassword)?;
    Ok(RootPassword { plain, hash })
}

/// The password's hash could not be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("could not hash the new root password")]
pub struct NoPassword;

fn characters(draw: &mut Draw) -> String {
    let limit = 256 - 256 % ALPHABET.len();
    let mut text = String::new();
    while text.len() < LENGTH {
        // Bytes above the last whole multiple are dropped, so that every character is equally likely.
        let even = draw.bytes().into_iter().map(usize::from).filter(|byte| *byte < limit);
        text.extend(even.filter_map(|byte| ALPHABET.get(byte % ALPHABET.len())).map(|byte| *byte as char));
        text.truncate(LENGTH);
    }
    text
}
