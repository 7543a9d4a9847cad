//! `[brand]`: whose panel it is, and how that looks.

use std::path::PathBuf;

use serde::Deserialize;

use crate::domain::colour::{CONTRAST_MIN, Colour, NIGHT, WHITE};

/// The section.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(try_from = "Written")]
pub struct Brand {
    /// The provider's name, on every page.
    pub name: String,
    /// A picture beside it: the path of an SVG, PNG or WebP file.
    pub logo: Option<PathBuf>,
    /// Buttons and links on light pages.
    pub accent: Colour,
    /// The same on dark ones.
    pub accent_dark: Colour,
    /// Where customers ask: a mail address or a page.
    pub support: Option<String>,
    /// The terms of service.
    pub terms_url: Option<String>,
    /// What is kept of customers, and why.
    pub privacy_url: Option<String>,
    /// Who the provider is.
    pub imprint_url: Option<String>,
}

impl Default for Brand {
    fn default() -> Self {
        Self {
            name: name(),
            logo: None,
            accent: Colour::parse(ACCENT).unwrap_or(NIGHT),
            accent_dark: Colour::parse(ACCENT_DARK).unwrap_or(WHITE),
            support: None,
            terms_url: None,
            privacy_url: None,
            imprint_url: None,
        }
    }
}

const ACCENT: &str = "#1a5fd0";
const ACCENT_DARK: &str = "#7db0ff";
/// Longest name, in characters: it stands beside the menu of a telephone.
const NAME_MAX: usize = 30;

fn name() -> String {
    "Customer panel".to_owned()
}

fn accent() -> String {
    ACCENT.to_owned()
}

fn accent_dark() -> String {
    ACCENT_DARK.to_owned()
}

/// The section as it is written.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    #[serde(default = "name")]
    name: String,
    logo: Option<PathBuf>,
    #[serde(default = "accent")]
    accent: String,
    #[serde(default = "accent_dark")]
    accent_dark: String,
    support: Option<String>,
    terms_url: Option<String>,
    privacy_url: Option<String>,
    imprint_url: Option<String>,
}

impl TryFrom<Written> for Brand {
    type Error = String;

    fn try_from(written: Written) -> Result<Self, String> {
        let Written { name, logo, accent, accent_dark, support, terms_url, privacy_url, imprint_url } = written;
        if name.trim().is_empty() || name.chars().count() > NAME_MAX || name.chars().any(char::is_control) {
            return Err(format!("name must have 1 to {NAME_MAX} characters"));
        }
        let urls = [("terms_url", &terms_url), ("privacy_url", &privacy_url), ("imprint_url", &imprint_url)];
        for (field, url) in urls {
            if url.as_deref().is_some_and(|url| !is_page(url)) {
                return Err(format!("{field} must begin with https://"));
            }
        }
        if support.as_deref().is_some_and(|to| !is_page(to) && !is_mail(to)) {
            return Err("support must be a mail address, or begin with https://".to_owned());
        }
        let accent = readable("accent", &accent, WHITE)?;
        let accent_dark = readable("accent_dark", &accent_dark, NIGHT)?;
        Ok(Self { name, logo, accent, accent_dark, support, terms_url, privacy_url, imprint_url })
    }
}

fn is_page(url: &str) -> bool {
    ["https://", "http://"].iter().any(|scheme| url.starts_with(scheme)) && !url.contains(char::is_whitespace)
}

fn is_mail(text: &str) -> bool {
    text.parse::<lettre::Address>().is_ok()
}

/// A colour in which text can be read on `ground`.
fn readable(field: &str, text: &str, ground: Colour) -> Result<Colour, String> {
    let colour = Colour::parse(text).ok_or_else(|| format!("{field} must be a colour such as \"{ACCENT}\""))?;
    let contrast = colour.contrast(ground);
    if contrast >= CONTRAST_MIN {
        return Ok(colour);
    }
    let wanted = if ground == WHITE { "darker" } else { "lighter" };
    Err(format!(
        "{field}: text in {colour} cannot be read on {ground} (contrast {contrast:.1}, least {CONTRAST_MIN}); take a {wanted} one"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_left_out_is_as_without_the_section() {
        assert_eq!(toml::from_str::<Brand>("").unwrap(), Brand::default());
        let named = toml::from_str::<Brand>("name = \"Example Hosting\"\nsupport = \"help@example.com\"").unwrap();
        assert_eq!((named.name.as_str(), named.support.as_deref()), ("Example Hosting", Some("help@example.com")));
        assert_eq!(named.accent, Brand::default().accent);
    }

    #[test]
    fn what_cannot_be_read_or_followed_is_refused() {
        for (text, reason) in [
            ("name = \" \"", "1 to 30"),
            ("name = \"a name that is longer than any telephone\"", "1 to 30"),
            ("accent = \"blue\"", "a colour such as"),
            ("accent = \"#7db0ff\"", "take a darker one"),
            ("accent_dark = \"#1a3060\"", "take a lighter one"),
            ("terms_url = \"javascript:alert(1)\"", "terms_url must begin with"),
            ("imprint_url = \"example.com\"", "imprint_url must begin with"),
            ("support = \"call us\"", "support must be"),
            ("slogan = \"fast\"", "unknown field"),
        ] {
            let why = toml::from_str::<Brand>(text).unwrap_err().to_string();
            assert!(why.contains(reason), "{text}: {why}");
        }
    }
}
