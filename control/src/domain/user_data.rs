//! What a customer hands to cloud-init in a new guest.
//!
//! It travels beside the provider's own part (keys, host name, password) in one `#cloud-config-archive`, so only kinds
//! that cloud-init takes out of an archive are accepted. The others it would pass over in silence, and the customer
//! would look for the fault in a server that runs: so they are refused here, by name.

use csp_shared::{limits::USER_DATA_BYTES_MAX, secret::Secret};

/// First lines that cloud-init knows what to do with inside of an archive.
const KINDS: [&str; 4] = ["#cloud-config", "#!", "#cloud-boothook", "## template: jinja"];
/// First lines that it knows only at the outermost level.
const OUTERMOST: [&str; 6] =
    ["#cloud-config-archive", "#cloud-config-jsonp", "#include", "#part-handler", "Content-Type:", "MIME-Version:"];

/// A text that cloud-init will act on. Customers put tokens into it, so it is not printed.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct UserData(Secret);

/// Why a text is none.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum BadUserData {
    /// As at the providers whose scripts people bring along.
    #[error("is longer than {USER_DATA_BYTES_MAX} bytes; let it fetch the rest")]
    Long,
    /// No text file has one, and no tool in the guest expects one.
    #[error("contains a NUL character")]
    Nul,
    /// A kind that works alone only.
    #[error("`{0}` works only where it stands alone, and here it stands beside the provider's own part: {KNOWN}")]
    Alone(&'static str),
    /// cloud-init would pass over it.
    #[error("cloud-init knows what to do by the first line: {KNOWN}")]
    Unknown,
}

const KNOWN: &str = "begin with #cloud-config, #! (a script), #cloud-boothook or ## template: jinja";

impl UserData {
    /// Reads a text. Whether the YAML or the script in it is any good, its guest will tell.
    ///
    /// # Errors
    /// When cloud-init would not act on it.
    pub fn parse(text: &str) -> Result<Self, BadUserData> {
        if text.len() > USER_DATA_BYTES_MAX {
            return Err(BadUserData::Long);
        }
        if text.contains('\0') {
            return Err(BadUserData::Nul);
        }
        let first = text.lines().next().unwrap_or_default().trim_end();
        if let Some(kind) = OUTERMOST.into_iter().find(|kind| begins_with_word(first, kind)) {
            return Err(BadUserData::Alone(kind));
        }
        let script = first.strip_prefix("#!").is_some_and(|program| !program.trim().is_empty());
        if script || KINDS.into_iter().any(|kind| kind != "#!" && begins_with_word(first, kind)) {
            Ok(Self(Secret::new(text.to_owned())))
        } else {
            Err(BadUserData::Unknown)
        }
    }

    /// The text, for the guest.
    #[must_use]
    pub fn text(&self) -> &Secret {
        &self.0
    }
}

/// `#cloud-config` begins `#cloud-config # mine`, and not `#cloud-configuration`.
fn begins_with_word(line: &str, word: &str) -> bool {
    line.strip_prefix(word).is_some_and(|rest| word.ends_with(':') || rest.is_empty() || rest.starts_with([' ', '\t']))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cloud_init_acts_on_inside_an_archive_is_taken_as_it_is() {
        for text in [
            "#cloud-config\nruncmd: [ls]\n",
            "#cloud-config # mine\r\na: 1",
            "#cloud-config",
            "#!/bin/sh\necho hi",
            "#! /usr/bin/env python3\n",
            "#cloud-boothook\n#!/bin/sh\n",
            "## template: jinja\n#cloud-config\nhostname: {{ ds.meta_data.instance_id }}",
            "#cloud-config\nmotd: \"\u{1f600} \u{7f} \u{85} \u{2028}\"",
        ] {
            assert_eq!(UserData::parse(text).map(|data| data.text().reveal().to_owned()), Ok(text.to_owned()));
        }
    }

    #[test]
    fn what_it_would_pass_over_is_refused_by_name() {
        let table = [
            ("", BadUserData::Unknown),
            ("runcmd: [ls]", BadUserData::Unknown),
            ("\n#cloud-config", BadUserData::Unknown),
            ("#cloud-configuration", BadUserData::Unknown),
            ("#!", BadUserData::Unknown),
            ("#!  \nls", BadUserData::Unknown),
            ("echo hi", BadUserData::Unknown),
            ("\u{feff}#cloud-config", BadUserData::Unknown),
            ("#cloud-config-archive\n- a", BadUserData::Alone("#cloud-config-archive")),
            ("#include https://example.com/a", BadUserData::Alone("#include")),
            ("#include\nhttps://example.com/a", BadUserData::Alone("#include")),
            ("Content-Type: multipart/mixed", BadUserData::Alone("Content-Type:")),
            ("#cloud-config\na: \0", BadUserData::Nul),
        ];
        for (text, why) in table {
            assert_eq!(UserData::parse(text), Err(why), "{text:?}");
        }
        let most = format!("#!/bin/sh\n{}", "a".repeat(USER_DATA_BYTES_MAX - 10));
        assert!(UserData::parse(&most).is_ok());
        assert_eq!(UserData::parse(&format!("{most}a")), Err(BadUserData::Long));
    }

    #[test]
    fn it_is_not_printed() {
        let data = UserData::parse("#!/bin/sh\nTOKEN=hunter2").unwrap();
        assert!(!format!("{data:?}").contains("hunter2"));
    }
}
