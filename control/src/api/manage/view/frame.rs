//! Head and foot, with the provider's name as the panel has it, and the pages that show no server.

use maud::{DOCTYPE, Markup, html};

use crate::api::state::Settings;

/// A page. `state` is what its script compares; without one there is nothing to follow.
pub fn frame(settings: &Settings, title: &str, state: Option<&str>, content: &Markup) -> Markup {
    let name = &settings.brand.name;
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex, nofollow";
                title { (title) " · " (name) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/panel/brand.css";
                link rel="stylesheet" href="/manage/manage.css";
                @if state.is_some() { script src="/manage/manage.js" defer {} }
            }
            body data-state=[state] {
                header.brand {
                    @if settings.logo.is_some() { img src="/panel/brand/logo" alt=""; }
                    @else { span.mark aria-hidden="true" { (name.chars().take(1).flat_map(char::to_uppercase).collect::<String>()) } }
                    span { (name) }
                }
                main.stack.column { (content) }
                (foot(settings))
            }
        }
    }
}

/// Whom to ask, and what the law wants to be found.
fn foot(settings: &Settings) -> Markup {
    let brand = &settings.brand;
    let links = [("Terms", &brand.terms_url), ("Privacy", &brand.privacy_url), ("Imprint", &brand.imprint_url)];
    html! {
        footer.row.small.quiet {
            @if let Some(to) = &brand.support {
                @let is_page = to.starts_with("http");
                @let place = if is_page { to.clone() } else { format!("mailto:{to}") };
                span { "Support: " a href=(place) rel="noreferrer" { (to.split_once("://").map_or(to.as_str(), |(_, rest)| rest)) } }
            }
            @for (word, url) in links { @if let Some(url) = url { a href=(url) rel="noreferrer" { (word) } } }
        }
    }
}

/// Of a link that ended, was used up, or never was: nobody learns which.
pub fn closed(settings: &Settings) -> Markup {
    message(
        settings,
        "This link does not work",
        "It may have been revoked, have expired, or not have been copied whole. If it worked today, open the link itself \
         again; otherwise ask whoever gave it to you for a new one.",
    )
}

/// Of an address that tried too often.
pub fn too_many(settings: &Settings) -> Markup {
    let words = "Too many requests came from your network. Wait a minute, then open your link again.";
    message(settings, "Too many tries", words)
}

/// After a session was ended.
pub fn left(settings: &Settings) -> Markup {
    let words = "This browser cannot open the server any more. The link itself still works.";
    message(settings, "You left the page", words)
}

/// Why something was not done, without a server to show.
pub fn plain(settings: &Settings, why: String) -> Markup {
    let title = "That did not work";
    let content = html! {
        section.card.stack.message { h1 { (title) } p { (why) } p { a.button.primary href="/manage" { "Open the page" } } }
    };
    frame(settings, title, None, &content)
}

fn message(settings: &Settings, title: &str, words: &str) -> Markup {
    frame(settings, title, None, &html! { section.card.stack.message { h1 { (title) } p { (words) } } })
}
