//! Where the control plane can be made to die: before and after each commit, named by the use case that writes.
//!
//! The names are not kept in a list that somebody could forget: they are made from the code itself, the function that
//! hands a closure to the store. A simulation watches every commit of an inline store and ends the process that it
//! plays at any of them. The real program is killed only when it was built with the feature `failpoints`.

use std::sync::Arc;

/// A side of a commit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// All is written and nothing is durable.
    Before,
    /// All is durable and nobody was answered.
    After,
}

impl Moment {
    /// As in a failpoint's name.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Before => "before",
            Self::After => "after",
        }
    }
}

/// Is told of every crossing.
pub trait Watch: Send + Sync {
    /// `true` when the program is to die here, as if it had been killed.
    fn dies_at(&self, use_case: &str, moment: Moment) -> bool;
}

/// What the environment asks for. Nothing in a program that is built as it is shipped.
#[must_use]
pub fn of_environment() -> Option<Arc<dyn Watch>> {
    #[cfg(feature = "failpoints")]
    return killing::watch();
    #[cfg(not(feature = "failpoints"))]
    None
}

/// The use case that a closure belongs to, `api.servers.order.order` for example, from the name that the compiler gave
/// the closure. A closure inside a wrapper (`run<order::{{closure}}>::{{closure}}`) is called after the innermost one.
#[must_use]
pub fn use_case(closure: &str) -> String {
    let mut path = closure.trim_end_matches("::{{closure}}");
    while let Some(arguments) = path.strip_suffix('>').and_then(last_argument) {
        path = arguments.trim_end_matches("::{{closure}}");
    }
    // `<csp_control::fleet::StoreHosts as csp_control::fleet::Hosts>::enrol`
    let (kind, function) = match path.strip_prefix('<').and_then(|path| path.split_once(" as ")) {
        Some((kind, rest)) => (kind, rest.rsplit("::").next().unwrap_or_default()),
        None => path.rsplit_once("::").unwrap_or(("", path)),
    };
    let is_module = |part: &&str| *part != "csp_control" && part.starts_with(|c: char| c.is_ascii_lowercase());
    kind.split("::").filter(is_module).chain([function]).collect::<Vec<_>>().join(".")
}

/// The last of the generic arguments that `text`, without its final `>`, ends in.
fn last_argument(text: &str) -> Option<&str> {
    let mut depth = 0_u32;
    for (at, letter) in text.char_indices().rev() {
        match letter {
            '>' => depth += 1,
            '<' | ',' if depth == 0 => return text.get(at + 1..).map(str::trim_start),
            '<' => depth -= 1,
            _ => {}
        }
    }
    None
}

#[cfg(feature = "failpoints")]
mod killing {
    //! Reads the environment, which is otherwise banned: this is no setting of the product.
    #![allow(clippy::disallowed_methods)]

    use std::sync::Arc;

    use csp_shared::failpoint::{Fuse, VARIABLE};

    use super::{Moment, Watch};

    struct Killing(Fuse);

    impl Watch for Killing {
        fn dies_at(&self, use_case: &str, moment: Moment) -> bool {
            if self.0.blows(use_case, moment.as_str()) {
                // Does not come back: SIGKILL can be neither caught nor put off.
                let _ = nix::sys::signal::raise(nix::sys::signal::Signal::SIGKILL);
            }
            false
        }
    }

    pub(super) fn watch() -> Option<Arc<dyn Watch>> {
        let text = std::env::var(VARIABLE).ok()?;
        match text.parse::<Fuse>() {
            Ok(fuse) => {
                tracing::warn!(failpoint = text, "this program will kill itself there");
                Some(Arc::new(Killing(fuse)))
            }
            Err(why) => {
                tracing::error!(%why, "no failpoint is set");
                None
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_commit_is_called_after_the_function_that_writes() {
        let order = "csp_control::api::servers::order::order::{{closure}}::{{closure}}";
        let table = [
            (order.to_owned(), "api.servers.order.order"),
            (
                format!("csp_control::api::idempotency::Once::run<{order}>::{{{{closure}}}}::{{{{closure}}}}"),
                "api.servers.order.order",
            ),
            (
                "csp_control::fleet::store_hosts::StoreHosts::write<csp_shared::id::HostId, core::result::Result<u8, ()>, \
                 <csp_control::fleet::store_hosts::StoreHosts as csp_control::fleet::hosts::Hosts>::enrol::{{closure}}\
                 ::{{closure}}>::{{closure}}::{{closure}}"
                    .to_owned(),
                "fleet.store_hosts.enrol",
            ),
            ("csp_control::schedule::tick::{{closure}}::{{closure}}".to_owned(), "schedule.tick"),
            ("csp_control::x::Thing::keep::{{closure}}".to_owned(), "x.keep"),
        ];
        for (closure, name) in table {
            assert_eq!(use_case(&closure), name, "{closure}");
        }
    }
}
