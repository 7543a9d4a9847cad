//! One server's record, and the rule by which it takes a newer spec.

use std::{io::ErrorKind, path::Path};

use csp_shared::{id::ServerId, spec::Desired};
use serde::{Deserialize, Serialize};

use super::SUFFIX;
use crate::plan::memory::Notes;

/// What is known of one server without looking at the host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Record {
    /// What it should be.
    pub desired: Desired,
    /// What was noted of it.
    pub notes: Notes,
}

impl Record {
    /// Reads a file's content. The error is a reason for people.
    pub(super) fn read(server: ServerId, bytes: &[u8]) -> Result<Self, String> {
        let record: Self = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
        let inside = record.desired.server();
        if inside == server { Ok(record) } else { Err(format!("it holds the record of server {inside}")) }
    }

    /// The record of a server in the folder of records, for who looks beside a running agent. `None`: no such file.
    ///
    /// # Errors
    /// With a reason for people, when the file cannot be read.
    pub fn load(folder: &Path, server: ServerId) -> Result<Option<Self>, String> {
        let path = folder.join(format!("{server}{SUFFIX}"));
        match std::fs::read(&path) {
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            read => read.map_err(|error| error.to_string()).and_then(|bytes| Self::read(server, &bytes)).map(Some),
        }
        .map_err(|why| format!("{}: {why}", path.display()))
    }

    /// A file's content, indented: an operator reads it when all else is down.
    pub(super) fn text(&self) -> Vec<u8> {
        // Serializing plain data cannot fail; an empty file would be told as damaged.
        serde_json::to_vec_pretty(self).unwrap_or_default()
    }
}

/// What became of a desired state that the control plane sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It is newer and was taken over.
    Newer,
    /// It was here already.
    Same,
    /// Something newer is here.
    Older,
    /// The version is the same and the content is not: the control plane's store was altered behind its own back.
    Altered,
    /// The server has a tombstone, which no spec takes back.
    Buried,
    /// The server's file cannot be read, so its notes are unknown.
    Damaged,
}

impl Verdict {
    /// Compares what is stored with what was sent.
    pub(super) fn of(stored: Option<&Desired>, sent: &Desired) -> Self {
        match stored {
            None => Self::Newer,
            Some(stored) if stored == sent => Self::Same,
            Some(Desired::Absent(_)) if matches!(sent, Desired::Present(_)) => Self::Buried,
            Some(stored) if stored.version() < sent.version() => Self::Newer,
            Some(stored) if stored.version() == sent.version() => Self::Altered,
            Some(_) => Self::Older,
        }
    }

    /// Whether the host now holds what was sent.
    #[must_use]
    pub fn is_held(self) -> bool {
        matches!(self, Self::Newer | Self::Same)
    }
}
