//! Bearer tokens: a prefix that tells what they open, and 32 random bytes. Only their hash is stored.

use csp_shared::{secret::Secret, sha256::Sha256};

use super::draw::Draw;

/// What a token opens.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum TokenKind {
    /// The customer API.
    ApiKey,
    /// What its scopes say of the operator API.
    Operator,
    /// One enrolment of a host.
    Join,
    /// One look at a screen, for a browser.
    Console,
    /// The same look, for the host that shows it.
    ConsoleStream,
    /// One server's page, for whoever was given it.
    ShareLink,
    /// The same page, for the browser that brought a link.
    LinkSession,
    /// What a letter to somebody who signs in leads to, once.
    Mail,
    /// The account, for the browser in which somebody has signed in.
    SignIn,
    /// The second step of signing in, for who gave the password. Opens nothing.
    HalfWay,
}

impl TokenKind {
    /// Never change the prefix of tokens that are out in the world: keys in use would stop working.
    #[must_use]
    pub fn prefix(self) -> &'static str {
        match self {
            Self::ApiKey => "csp_live_",
            Self::Operator => "csp_op_",
            Self::Join => "csp_join_",
            Self::Console => "csp_con_",
            Self::ConsoleStream => "csp_cst_",
            Self::ShareLink => "csp_sh_",
            Self::LinkSession => "csp_ls_",
            Self::Mail => "csp_ml_",
            Self::SignIn => "csp_si_",
            Self::HalfWay => "csp_hw_",
        }
    }
}

const BASE62: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
/// Digits that 32 bytes need at most: 256 bits at 5.95 bits a digit.
const DIGITS: usize = 43;

/// Makes a token.
#[must_use]
pub fn make(kind: TokenKind, draw: &mut Draw) -> Secret {
    Secret::new(format!("{}{}", kind.prefix(), base62(draw.bytes())))
}

/// What is stored of a token. A plain digest suffices: 256 random bits cannot be tried out.
#[must_use]
pub fn hash(token: &Secret) -> Sha256 {
    Sha256::of(token.reveal().as_bytes())
}

/// What may be shown of a token later: its prefix and first characters, and the last four.
#[must_use]
pub fn preview(token: &Secret) -> String {
    shown(token, 12)
}

/// The same of a link, which shows ten characters before the dots (CONTRACT, share links).
#[must_use]
pub fn link_preview(token: &Secret) -> String {
    shown(token, 10)
}

fn shown(token: &Secret, first: usize) -> String {
    let text = token.reveal();
    let head: String = text.chars().take(first).collect();
    let tail: String = text.chars().skip(text.chars().count().saturating_sub(4)).collect();
    format!("{head}...\u{2022}\u{2022}\u{2022}\u{2022}{tail}")
}

/// 32 bytes as one number in base 62, padded so that all tokens have one length.
fn base62(mut number: [u8; 32]) -> String {
    let mut digits = Vec::with_capacity(DIGITS);
    for _ in 0..DIGITS {
        let mut rest = 0u32;
        for byte in &mut number {
            let value = rest * 256 + u32::from(*byte);
            *byte = u8::try_from(value / 62).unwrap_or(u8::MAX);
            rest = value % 62;
        }
        digits.push(BASE62.get(rest as usize).copied().unwrap_or(b'0') as char);
    }
    digits.iter().rev().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn base62_is_positional() {
        assert_eq!(base62([0; 32]), "0".repeat(43));
        let mut one_more_than_61 = [0; 32];
        one_more_than_61[31] = 62;
        assert_eq!(base62(one_more_than_61), format!("{}10", "0".repeat(41)));
    }

    #[test]
    fn a_token_shows_its_kind_and_prints_as_nothing() {
        let token = make(TokenKind::ApiKey, &mut Draw::new([1; 32]));
        assert!(token.reveal().starts_with("csp_live_"));
        assert_eq!(token.reveal().len(), 52);
        assert_eq!(format!("{token:?}"), "Secret(…)");
        assert_ne!(hash(&token), hash(&make(TokenKind::ApiKey, &mut Draw::new([2; 32]))));
    }

    #[test]
    fn a_preview_has_the_beginning_and_the_end_and_of_a_link_what_the_contract_shows() {
        let token = Secret::new("csp_sh_abcdefghijklmnop1234".to_owned());
        assert_eq!(link_preview(&token), "csp_sh_abc...\u{2022}\u{2022}\u{2022}\u{2022}1234");
        assert_eq!(preview(&token), "csp_sh_abcde...\u{2022}\u{2022}\u{2022}\u{2022}1234");
    }
}
