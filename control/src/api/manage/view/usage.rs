//! What the server used: numbers and lines, for the page and for its script alike, so that what moves is what was there.

use maud::{Markup, html};
use serde::Serialize;

use super::{super::show::Used, curve};
use crate::metrics::Measured;

/// What the page's script puts in place of what it shows.
#[derive(Debug, Serialize)]
pub struct Usage {
    /// Comes back with the script's next question: what it knows already is not told again.
    mark: String,
    /// Whether nothing was measured lately.
    silent: bool,
    /// In the page's order; none where nothing was ever measured.
    figures: Vec<Figure>,
}

/// One thing that is measured.
#[derive(Debug, Serialize)]
struct Figure {
    #[serde(skip)]
    what: &'static str,
    now: String,
    /// The picture, for who does not see it.
    words: String,
    line: String,
}

impl Figure {
    /// `least` is the lowest value that the picture's upper edge may stand for.
    fn new(what: &'static str, now: String, points: &[Option<f64>], least: f64) -> Self {
        let words = format!("{what} over the last hour, now {now}");
        Self { what, now, words, line: curve::line(points, curve::top(points, least)) }
    }
}

/// Numbers and lines.
pub fn usage(used: &Used) -> Usage {
    let points: Vec<Measured> = used
        .curve
        .iter()
        .flat_map(|curve| &curve.points)
        .map(|p| p.as_ref().map(Measured::from).unwrap_or_default())
        .collect();
    let column = |value: fn(&Measured) -> Option<f64>| points.iter().map(value).collect::<Vec<Option<f64>>>();
    let (cpu, in_use) = (column(|m| m.cpu_percent), column(|m| m.memory_used_mb.or(m.memory_resident_mb)));
    let (received, sent) = (column(|m| m.network_received_bytes_per_s), column(|m| m.network_sent_bytes_per_s));
    let now = used.latest.map(|latest| latest.measured).unwrap_or_default();
    let assigned = now.memory_mb.unwrap_or(1.0);
    let figures = vec![
        Figure::new("Processor", percent(now.cpu_percent), &cpu, 100.0),
        Figure::new("Memory", memory(now.memory_used_mb.or(now.memory_resident_mb)), &in_use, assigned),
        Figure::new("Network in", rate(now.network_received_bytes_per_s), &received, 1000.0),
        Figure::new("Network out", rate(now.network_sent_bytes_per_s), &sent, 1000.0),
    ];
    Usage { mark: used.mark.clone(), silent: used.latest.is_none(), figures }
}

/// The part of the page. All of it is there from the beginning, so that what comes later has its place.
pub fn section(used: &Used) -> Markup {
    let usage = usage(used);
    let is_empty = usage.figures.iter().all(|figure| figure.line.is_empty()) && usage.silent;
    html! {
        section.card.usage aria-labelledby="usage" data-mark=(usage.mark) {
            h2 #usage { "Usage, last hour" }
            p.quiet hidden[!usage.silent] { "Nothing was measured lately." }
            div.curves hidden[is_empty] {
                @for Figure { what, now, words, line } in &usage.figures {
                    figure {
                        figcaption { span { (what) } strong { (now) } }
                        (curve::picture(words, line))
                    }
                }
            }
        }
    }
}

fn percent(value: Option<f64>) -> String {
    value.map_or_else(|| "–".to_owned(), |value| format!("{value:.1} %"))
}

/// In the unit of packages, where 1024 MB are one GB.
fn memory(mb: Option<f64>) -> String {
    match mb {
        None => "–".to_owned(),
        Some(mb) if mb >= 1024.0 => format!("{:.1} GB", mb / 1024.0),
        Some(mb) => format!("{mb:.0} MB"),
    }
}

fn rate(value: Option<f64>) -> String {
    match value {
        None => "–".to_owned(),
        Some(value) if value >= 1e6 => format!("{:.1} MB/s", value / 1e6),
        Some(value) if value >= 1e3 => format!("{:.1} kB/s", value / 1e3),
        Some(value) => format!("{value:.0} B/s"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn memory_reads_as_packages_are_sold() {
        for (mb, text) in [(None, "–"), (Some(255.6), "256 MB"), (Some(1024.0), "1.0 GB"), (Some(1536.0), "1.5 GB")] {
            assert_eq!(memory(mb), text);
        }
    }
}
