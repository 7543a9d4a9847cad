//! How the page looks. Everything goes through `maud`, which escapes it: a host's name may look like markup.
//!
//! ```text
//! frame   head and foot, and the pages that show no server
//! page    the server's page, part by part
//! usage   what the server used: numbers and lines, for the page and its script
//! curve   what it used, as a picture. Pure
//! words   why something is not possible, and what is under way
//! ```

mod curve;
mod frame;
mod page;
mod usage;
mod words;

use csp_shared::secret::Secret;
use serde::Serialize;

pub use self::{
    frame::{closed, left, plain, too_many},
    page::page,
    words::why,
};
use super::show::Shown;
use crate::domain::share_link::Permission;

/// What the page tells first.
#[derive(Debug)]
pub enum Notice {
    /// A change was asked for.
    Queued(Permission),
    /// The disk is made anew.
    Reinstalling {
        /// Root's new one, where no key opens the server.
        password: Option<Secret>,
    },
    /// A change was not made.
    Refused(String),
}

/// What the page's script asks for again and again.
#[derive(Debug, Serialize)]
pub struct State {
    /// Which server it is, for the screen's page.
    name: String,
    /// Whatever the page shows differently when it changes.
    state: String,
    status: &'static str,
    action: String,
    /// What the server used, where the page may show it and has older numbers.
    #[serde(skip_serializing_if = "Option::is_none")]
    usage: Option<usage::Usage>,
}

/// What a page that was made now would show.
pub fn state(shown: &Shown) -> State {
    let (status, action) = (shown.view.status.as_str(), words::action(shown.view.action.as_ref()));
    let parts = page::parts(shown).iter().map(|part| if part.is_some() { '0' } else { '1' }).collect::<String>();
    let usage = shown.used.as_ref().map(usage::usage);
    let busy = if shown.view.action.is_some() { "busy" } else { "idle" };
    let name = shown.view.hostname.clone();
    State { name, state: format!("{} {status} {busy} {parts}", shown.visit.link), status, action, usage }
}
