//! Mail addresses of customers.

use std::fmt;

use super::hostname::Hostname;

/// Longest mail address, in bytes (RFC 5321, 4.5.3.1).
const ADDRESS_BYTES_MAX: usize = 254;
/// Longest part before the `@`, in bytes.
const MAILBOX_BYTES_MAX: usize = 64;

/// An address such as `ada@example.com`. Only a delivered letter proves one; this keeps out what no server would take. Left
/// out on purpose, since nobody's customer has them and tools disagree about them: quoted parts, IP addresses in place of
/// the domain, domains without a dot, and other letters than those of ASCII (a domain has its `xn--` form).
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Email(String);

/// Why a text is no mail address.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadEmail {
    /// RFC 5321 allows 254 bytes.
    #[error("is longer than 254 characters, more than a mail address may have")]
    Length,
    /// Two of them, or none.
    #[error("is no mail address: it has exactly one @, as ada@example.com")]
    At,
    /// What stands before the `@`.
    #[error(
        "is no mail address: before the @ stand 1 to 64 letters a to z, digits, dots between them, and !#$%&'*+/=?^_`{{|}}~-"
    )]
    Mailbox,
    /// What stands behind it.
    #[error("is no mail address: behind the @ stands a domain such as example.com, and no IP address")]
    Domain,
}

impl Email {
    /// Reads an address.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn parse(text: &str) -> Result<Self, BadEmail> {
        if text.len() > ADDRESS_BYTES_MAX {
            return Err(BadEmail::Length);
        }
        let (mailbox, domain) = text.split_once('@').ok_or(BadEmail::At)?;
        if domain.contains('@') {
            return Err(BadEmail::At);
        }
        let fits = |b: u8| b.is_ascii_alphanumeric() || b"!#$%&'*+/=?^_`{|}~-".contains(&b);
        let word = |word: &str| !word.is_empty() && word.bytes().all(fits);
        if mailbox.len() > MAILBOX_BYTES_MAX || !mailbox.split('.').all(word) {
            return Err(BadEmail::Mailbox);
        }
        match Hostname::parse(domain) {
            Ok(_) if domain.contains('.') => Ok(Self(text.to_owned())),
            _ => Err(BadEmail::Domain),
        }
    }

    /// Reads the address that somebody signs in with: in small letters, since whoever writes it otherwise on another day is the
    /// same person.
    ///
    /// # Errors
    /// With what is wrong with it.
    pub fn of_person(text: &str) -> Result<Self, BadEmail> {
        Self::parse(text.trim()).map(|email| Self(email.0.to_ascii_lowercase()))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Email {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use lettre::message::Mailbox;
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn what_is_an_address_can_be_written_to(
            mailbox in r"[a-zA-Z0-9!#$%&'*+/=?^_`{|}~-]{1,20}(\.[a-z0-9+_-]{1,20}){0,2}",
            domain in r"([a-z0-9]([a-z0-9-]{0,20}[a-z0-9])?\.){1,3}[a-z]{2,10}",
        ) {
            let text = format!("{mailbox}@{domain}");
            let email = Email::parse(&text).unwrap();
            let written: Mailbox = email.as_str().parse().unwrap();
            prop_assert_eq!(written.email.to_string(), text);
        }

        #[test]
        fn nothing_that_acts_on_a_header_is_an_address(text in r#"[ -~]{0,10}[ \r\n\t,;:<>()\[\]\\"][ -~]{0,10}"#) {
            prop_assert!(Email::parse(&text).is_err(), "{}", text);
        }
    }

    #[test]
    fn what_is_no_address_is_refused_with_what_is_wrong() {
        let long = format!("{}@example.com", "a".repeat(65));
        let longest = format!("a@{}com", "example.".repeat(32));
        let table: [(&[&str], BadEmail); 4] = [
            (&["a@b@c", "a@b@example.com", "ada", "", "\"a@b\"@example.com"], BadEmail::At),
            (
                &[
                    "@example.com",
                    ".a@example.com",
                    "a..b@example.com",
                    "a.@example.com",
                    "a b@example.com",
                    "é@example.com",
                    &long,
                ],
                BadEmail::Mailbox,
            ),
            (
                &[
                    "a@",
                    "a@localhost",
                    "a@[192.0.2.1]",
                    "a@192.0.2.1",
                    "a@[IPv6:2001:db8::1]",
                    "a@example..com",
                    "a@.com",
                    "a@example.com.",
                    "a@-a.com",
                    "a@bücher.example",
                    "a@example.com\r\nBcc: x",
                ],
                BadEmail::Domain,
            ),
            (&[&longest], BadEmail::Length),
        ];
        for (texts, why) in table {
            for text in texts {
                assert_eq!(Email::parse(text), Err(why), "{text}");
            }
        }
        for text in ["ada@example.com", "ada.l+vps@mail.example.co.uk", "o'neill@xn--bcher-kva.example", "0@0.com"] {
            assert_eq!(Email::parse(text).map(|email| email.0), Ok(text.to_owned()));
        }
    }

    #[test]
    fn somebody_signs_in_with_one_spelling() {
        assert_eq!(Email::of_person(" Ada@Example.COM ").unwrap().as_str(), "ada@example.com");
        assert_eq!(Email::of_person("ada"), Err(BadEmail::At));
    }
}
