//! Reading TOML that people wrote: one line that names the file, the line and the field.
//!
//! The parser's own message spans several lines with a drawing. A log keeps lines, and an operator greps them.

use std::borrow::Cow;

use serde::de::DeserializeOwned;
use toml::{
    Spanned,
    de::{DeTable, DeValue},
};

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
    parse_with_amounts(text, file, &[])
}

/// The same, where fields of these names are amounts of money: a number in one of them is handed on as the text that stands
/// in the file. Else `10.010000000000000000001` would be 10.01, and `1e2` and `0x10` would be amounts.
///
/// # Errors
/// When it is no TOML, or not that of a `T`.
pub fn parse_with_amounts<T: DeserializeOwned>(text: &str, file: &str, amounts: &[&str]) -> Result<T, TomlFault> {
    let fault = |error: &toml::de::Error, field: Option<String>| TomlFault {
        file: file.to_owned(),
        line: error.span().and_then(|span| line_of(text, span.start)),
        field,
        what: error.message().trim().replace('\n', "; "),
    };
    let mut document = DeTable::parse(text).map_err(|error| fault(&error, None))?;
    amounts_as_texts(document.get_mut(), text, amounts);
    serde_path_to_error::deserialize(toml::de::Deserializer::from(document)).map_err(|error| {
        let path = error.path().to_string();
        fault(error.inner(), (path != ".").then_some(path))
    })
}

fn amounts_as_texts<'t>(table: &mut DeTable<'t>, text: &'t str, names: &[&str]) {
    for (name, value) in table.iter_mut() {
        let is_amount = names.contains(&name.get_ref().as_ref());
        as_texts(value, text, names, is_amount);
    }
}

fn as_texts<'t>(value: &mut Spanned<DeValue<'t>>, text: &'t str, names: &[&str], is_amount: bool) {
    let written = text.get(value.span());
    match (value.get_mut(), written) {
        (value @ (DeValue::Integer(_) | DeValue::Float(_)), Some(written)) if is_amount => {
            *value = DeValue::String(Cow::Borrowed(written));
        }
        (DeValue::Table(table), _) => amounts_as_texts(table, text, names),
        (DeValue::Array(list), _) => list.iter_mut().for_each(|value| as_texts(value, text, names, is_amount)),
        _ => {}
    }
}

/// Lines count from one. None when the place is outside of the text.
fn line_of(text: &str, byte: usize) -> Option<usize> {
    text.get(..byte).map(|before| before.matches('\n').count() + 1)
}
