//! Head and foot, and the pages that show no server.

use maud::{DOCTYPE, Markup, html};

/// A page. `state` is what its script compares; without one there is nothing to follow.
pub fn frame(title: &str, state: Option<&str>, content: &Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="robots" content="noindex, nofollow";
                title { (title) }
                link rel="icon" href="data:,";
                link rel="stylesheet" href="/manage/manage.css";
                @if state.is_some() { script src="/manage/manage.js" defer {} }
            }
            body data-state=[state] { main { (content) } }
        }
    }
}

/// Of a link that ended, was used up, or never was: nobody learns which.
pub fn closed() -> Markup {
    message(
        "This link does not work",
        "It may have been revoked, have expired, or not have been copied whole. If it worked today, open the link itself \
         again; otherwise ask whoever gave it to you for a new one.",
    )
}

/// Of an address that tried too often.
pub fn too_many() -> Markup {
    message("Too many tries", "Too many requests came from your network. Wait a minute, then open your link again.")
}

/// After a session was ended.
pub fn left() -> Markup {
    message("You left the page", "This browser cannot open the server any more. The link itself still works.")
}

/// Why something was not done, without a server to show.
pub fn plain(why: String) -> Markup {
    let content = html! {
        section.card.message { h1 { "That did not work" } p { (why) } p { a.button href="/manage" { "Open the page" } } }
    };
    frame("That did not work", None, &content)
}

fn message(title: &str, words: &str) -> Markup {
    frame(title, None, &html! { section.card.message { h1 { (title) } p { (words) } } })
}
