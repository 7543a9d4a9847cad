//! That the control plane knows this machine for none of its hosts, kept over restarts of the agent.
//!
//! What it said no to may run elsewhere, and an agent that comes up while no control plane answers must not take the silence
//! for leave.

use std::{
    io::{self, ErrorKind},
    path::{Path, PathBuf},
};

use tracing::error;

use crate::storage::durable;

const FILE: &str = "refused";
const TEXT: &[u8] = b"The control plane knows this machine for none of its hosts. The agent removes this file when the control plane is heard.\n";

/// Where the word is kept.
#[derive(Clone, Debug, Default)]
pub struct Refusal {
    file: Option<PathBuf>,
}

impl Refusal {
    /// In a file of this folder, which is there.
    #[must_use]
    pub fn in_folder(folder: &Path) -> Self {
        Self { file: Some(folder.join(FILE)) }
    }

    /// Whether it was said, and not taken back. Who cannot know starts nothing.
    pub(super) fn is_noted(&self) -> bool {
        self.file.as_ref().is_some_and(|file| file.try_exists().unwrap_or(true))
    }

    /// Notes that it was said. What cannot be noted holds until the agent ends.
    pub(super) fn note(&self) {
        let Some(file) = self.file.as_ref().filter(|_| !self.is_noted()) else { return };
        tell(file, durable::write(file, TEXT));
    }

    /// Notes that the host is known again.
    pub(super) fn forget(&self) {
        let Some(file) = &self.file else { return };
        match std::fs::remove_file(file) {
            Err(error) if error.kind() == ErrorKind::NotFound => {}
            removed => tell(file, removed.and_then(|()| durable::sync_parent(file))),
        }
    }
}

fn tell(file: &Path, done: io::Result<()>) {
    if let Err(error) = done {
        error!(file = %file.display(), %error, "what the control plane says of this host cannot be kept");
    }
}
