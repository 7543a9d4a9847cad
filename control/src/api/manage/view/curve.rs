//! What a server used, as a picture of a line. Pure.

use std::fmt::Write as _;

use maud::{Markup, html};

const WIDTH: f64 = 300.0;
const HEIGHT: f64 = 56.0;

/// A line through the points of a range; where nothing was measured it has a gap. `top` is the value at the upper edge.
pub fn line(points: &[Option<f64>], top: f64) -> String {
    let (top, last) = (if top > 0.0 { top } else { 1.0 }, points.len().saturating_sub(1).max(1) as f64);
    let mut path = String::new();
    let mut is_drawn = false;
    for (at, value) in points.iter().enumerate() {
        let Some(value) = value else {
            is_drawn = false;
            continue;
        };
        let (x, y) = (at as f64 / last * WIDTH, HEIGHT - (value / top).clamp(0.0, 1.0) * HEIGHT);
        // A lone point is a line of no length, which round ends make a dot.
        let _ = match is_drawn {
            true => write!(path, "L{x:.1} {y:.1}"),
            false => write!(path, "M{x:.1} {y:.1}L{x:.1} {y:.1}"),
        };
        is_drawn = true;
    }
    path
}

/// The highest of a line's values, at least `least`.
pub fn top(points: &[Option<f64>], least: f64) -> f64 {
    points.iter().flatten().fold(least, |top, value| top.max(*value))
}

/// A picture of a line, described by `words` for who does not see it.
pub fn picture(words: &str, line: &str) -> Markup {
    html! {
        svg.curve role="img" aria-label=(words) viewBox={ "0 -2 " (WIDTH) " " (HEIGHT + 4.0) } preserveAspectRatio="none" {
            path.line vector-effect="non-scaling-stroke" d=(line) {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_goes_from_edge_to_edge_and_leaves_gaps_open() {
        assert_eq!(line(&[Some(0.0), Some(50.0), Some(100.0)], 100.0), "M0.0 56.0L0.0 56.0L150.0 28.0L300.0 0.0");
        assert_eq!(line(&[Some(100.0), None, Some(0.0)], 100.0), "M0.0 0.0L0.0 0.0M300.0 56.0L300.0 56.0");
        assert_eq!(line(&[None, None], 100.0), "");
        assert_eq!(line(&[], 0.0), "");
        assert_eq!(line(&[Some(7.0)], 0.0), "M0.0 0.0L0.0 0.0", "beyond the edge is at the edge");
    }

    #[test]
    fn the_edge_is_the_highest_value_or_higher() {
        assert_eq!(top(&[Some(3.0), None, Some(8.0)], 5.0), 8.0);
        assert_eq!(top(&[None], 5.0), 5.0);
    }
}
