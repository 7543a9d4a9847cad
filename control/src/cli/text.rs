//! What commands print: the one place that writes to standard output and standard error.

use std::{
    error::Error,
    io::{self, Write as _},
    iter,
};

use serde::Serialize;

use super::CommandError;

/// Prints lines for people.
pub(super) fn say(text: &str) -> Result<(), CommandError> {
    let mut out = io::stdout().lock();
    let end = if text.ends_with('\n') || text.is_empty() { "" } else { "\n" };
    write!(out, "{text}{end}").and_then(|()| out.flush()).map_err(CommandError::Print)
}

/// Hands on bytes as they are.
pub(super) fn copy(bytes: &[u8]) -> io::Result<()> {
    let mut out = io::stdout().lock();
    out.write_all(bytes).and_then(|()| out.flush())
}

/// Prints an answer for programs.
pub(super) fn say_json(answer: &impl Serialize) -> Result<(), CommandError> {
    say(&serde_json::to_string_pretty(answer).unwrap_or_default())
}

/// Prints a fault and its causes: one line, on standard error.
pub(super) fn complain(fault: &dyn Error) {
    let mut line = fault.to_string();
    let mut cause = fault.source();
    while let Some(fault) = cause {
        line = format!("{line}: {fault}");
        cause = fault.source();
    }
    let line = line.replace(['\n', '\r'], " ");
    // Nobody is left to tell when standard error is closed.
    let _ = writeln!(io::stderr().lock(), "csp-control: {line}");
}

/// Columns as wide as their widest cell.
pub(super) fn table<const N: usize>(head: [&str; N], rows: &[[String; N]]) -> String {
    let mut widths = head.map(|cell| cell.chars().count());
    for row in rows {
        for (width, cell) in widths.iter_mut().zip(row) {
            *width = (*width).max(cell.chars().count());
        }
    }
    let line = |cells: &[String; N]| {
        let padded: Vec<String> = cells.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", padded.join("  ").trim_end())
    };
    iter::once(&head.map(str::to_owned)).chain(rows).map(line).collect()
}

/// A value, or a dash where there is none.
pub(super) fn or_dash(value: Option<&str>) -> String {
    value.filter(|text| !text.is_empty()).unwrap_or("-").to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_line_up_and_lines_have_no_trailing_spaces() {
        let rows = [["a".to_owned(), "1".to_owned()], ["longer".to_owned(), String::new()]];
        assert_eq!(table(["NAME", "N"], &rows), "NAME    N\na       1\nlonger\n");
    }
}
