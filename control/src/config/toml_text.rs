//! Reading TOML that people wrote: one line that names the file, the line and the field.
//!
//! The parser's own message spans several lines with a drawing. A log keeps lines, and an operator greps them.

use serde::de::DeserializeOwned;

/// What is wrong in a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TomlFault {
    file: String,
    line: Option<usize>,
    field: Option<String>,
    what: String,
}

impl std::fmt::Display for TomlFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.file)?;
        if let Some(line) = self.line {
            write!(f, ", line {line}")?;
        }
        if let Some(field) = &self.field {
            write!(f, ", `{field}`")?;
        }
        write!(f, ": {}", self.what)
    }
}

impl std::error::Error for TomlFault {}

/// Reads `text`, which came from a file called `file`.
///
/// # Errors
/// When it is no TOML, or not that of a `T`.
pub fn parse<T: DeserializeOwned>(text: &str, file: &str) -> Result<T, TomlFault> {
    let fault = |error: &toml::de::Error, field: Option<String>| TomlFault {
        file: file.to_owned(),
        line: error.span().and_then(|span| line_of(text, span.start)),
        field,
        what: error.message().trim().replace('\n', "; "),
    };
    let document = toml::de::Deserializer::parse(text).map_err(|error| fault(&error, None))?;
    serde_path_to_error::deserialize(document).map_err(|error| {
        let path = error.path().to_string();
        fault(error.inner(), (path != ".").then_some(path))
    })
}

/// Lines count from one. None when the place is outside of the text.
fn line_of(text: &str, byte: usize) -> Option<usize> {
    text.get(..byte).map(|before| before.matches('\n').count() + 1)
}
