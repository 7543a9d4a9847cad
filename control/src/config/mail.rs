//! `[mail]`: the server that takes letters to customers. Without it none are written, and an event is a reminder.

use std::path::PathBuf;

use lettre::message::Mailbox;
use serde::Deserialize;

use super::Advertise;

/// The section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Mail {
    /// Its name or address, and port.
    pub server: Advertise,
    /// How the way there is kept secret.
    pub tls: Tls,
    /// Whom letters come from.
    pub from: From,
    /// For signing in.
    pub user: Option<String>,
    /// Holds the password for signing in, on its first line.
    pub password_file: Option<PathBuf>,
}

/// How the way to a mail server is kept secret.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Tls {
    /// TLS after a plain greeting, and never without (RFC 3207), usually on port 587.
    #[default]
    Starttls,
    /// TLS from the first byte (RFC 8314), usually on port 465.
    Tls,
    /// In clear, for a relay on this machine or in a network of one's own.
    None,
}

/// `Example Hosting <billing@example.com>`, or the address alone.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct From(pub Mailbox);

impl TryFrom<String> for From {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        text.parse().map(Self).map_err(|why| format!("`{text}` is no mail address: {why}"))
    }
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    server: Advertise,
    #[serde(default)]
    tls: Tls,
    from: From,
    user: Option<String>,
    password_file: Option<PathBuf>,
}

impl TryFrom<Written> for Mail {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { server, tls, from, user, password_file } = written;
        match (&user, &password_file) {
            (Some(_), None) | (None, Some(_)) => return Err("user and password_file go together".to_owned()),
            (Some(_), Some(_)) if tls == Tls::None => return Err("a password is sent over TLS alone".to_owned()),
            _ => {}
        }
        Ok(Self { server, tls, from, user, password_file })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_section_is_whole_and_sends_no_password_in_clear() {
        let read = |text: &str| toml::from_str::<Mail>(text).map_err(|why| why.to_string());
        let least = "server = \"mail.example.com:587\"\nfrom = \"Example Hosting <billing@example.com>\"\n";
        let mail = read(least).unwrap();
        assert_eq!((mail.server.host(), mail.server.port(), mail.tls), ("mail.example.com", 587, Tls::Starttls));
        let table = [
            ("user = \"a\"", "go together"),
            ("password_file = \"/a\"", "go together"),
            ("user = \"a\"\npassword_file = \"/a\"\ntls = \"none\"", "over TLS alone"),
            ("tls = \"ssl\"", "unknown variant"),
            ("password = \"secret\"", "unknown field `password`"),
        ];
        for (more, reason) in table {
            let why = read(&format!("{least}{more}")).unwrap_err();
            assert!(why.contains(reason), "{more}: {why}");
        }
        let forged = least.replace("Hosting", "Hosting\\nBcc: x@example.com");
        assert!(read(&forged).is_err() || !read(&forged).unwrap().from.0.to_string().contains('\n'));
    }
}
