//! The document's own prose: sentences with `code` in them, and lists. That is all of Markdown that it uses.

use maud::{Markup, html};

/// One line of prose.
pub fn line(text: &str) -> Markup {
    // Every second part stands between backticks.
    html! {
        @for (at, part) in text.split('`').enumerate() {
            @if at % 2 == 1 { code { (part) } } @else { (part) }
        }
    }
}

/// Paragraphs and lists.
pub fn prose(text: &str) -> Markup {
    html! {
        @for block in text.split("\n\n") {
            @if block.starts_with("* ") {
                ul { @for item in block.split("\n* ") { li { (line(item.trim_start_matches("* "))) } } }
            } @else {
                p { (line(block)) }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn code_is_marked_and_markup_is_shown_as_it_is() {
        assert_eq!(line("a `b<c>` & <i>d</i>").into_string(), "a <code>b&lt;c&gt;</code> &amp; &lt;i&gt;d&lt;/i&gt;");
        assert_eq!(line("an odd ` one").into_string(), "an odd <code> one</code>");
        assert_eq!(prose("one\n\n* a\n* b").into_string(), "<p>one</p><ul><li>a</li><li>b</li></ul>");
    }
}
