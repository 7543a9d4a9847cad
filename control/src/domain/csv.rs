//! Comma-separated values (RFC 4180) that are safe to open: a text that a spreadsheet would run as a formula is marked as
//! text.

/// One cell.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Cell {
    /// A text from wherever it comes.
    Text(String),
    /// What this program made itself: a number, a time, an id.
    Plain(String),
}

/// What makes a spreadsheet take a cell for a formula, at its beginning.
const STARTS_FORMULA: [char; 8] = ['=', '+', '-', '@', '\t', '\r', '\n', '\u{ff1d}'];

/// One line with its end.
#[must_use]
pub fn line(cells: &[Cell]) -> String {
    let cells: Vec<String> = cells.iter().map(written).collect();
    format!("{}\r\n", cells.join(","))
}

/// A head line.
#[must_use]
pub fn head(names: &[&str]) -> String {
    format!("{}\r\n", names.join(","))
}

fn written(cell: &Cell) -> String {
    let text = match cell {
        Cell::Plain(text) => text.clone(),
        // The apostrophe is what a person would type to the same end.
        Cell::Text(text) if text.trim_start_matches(' ').starts_with(STARTS_FORMULA) => format!("'{text}"),
        Cell::Text(text) => text.clone(),
    };
    if text.contains([',', '"', '\r', '\n']) { format!("\"{}\"", text.replace('"', "\"\"")) } else { text }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(text: &str) -> String {
        line(&[Cell::Text(text.to_owned())])
    }

    #[test]
    fn cells_are_quoted_where_they_must_be() {
        assert_eq!(text("plain"), "plain\r\n");
        assert_eq!(text("a, \"b\"\nc"), "\"a, \"\"b\"\"\nc\"\r\n");
        assert_eq!(line(&[Cell::Plain("1".to_owned()), Cell::Text(String::new())]), "1,\r\n");
    }

    #[test]
    fn no_text_is_run_as_a_formula_and_numbers_stay_numbers() {
        for formula in ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "=HYPERLINK(\"x\",\"y\")", "  =1"] {
            assert!(text(formula).trim_start_matches('"').starts_with('\''), "{formula}");
        }
        assert_eq!(line(&[Cell::Plain("-6.95".to_owned())]), "-6.95\r\n");
    }
}
