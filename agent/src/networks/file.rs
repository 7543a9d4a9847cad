//! What private networks should be on this host, one file each, on its own disk beside the specs.
//!
//! What must hold: a change is on the disk before anybody acts on it or hears of it, and the version of a network never
//! goes back. Nothing is noted beside an object, so unlike a server's a file that cannot be read is simply written anew when
//! the control plane sends the object again, which it does since this host tells nothing of it.

use std::{collections::BTreeMap, io};

use csp_shared::{id::NetworkId, network::DesiredNetwork};
use tokio::sync::Mutex;

use crate::{
    failpoint,
    spec_file::{Backing, Verdict},
};

const SUFFIX: &str = ".json";

/// All objects of a host.
pub struct NetworkFile<B> {
    backing: B,
    /// Held while one is written: they are few, and change seldom.
    stored: Mutex<BTreeMap<NetworkId, DesiredNetwork>>,
    damaged: Vec<String>,
}

/// An object that could not be kept.
#[derive(Debug, thiserror::Error)]
pub enum NetworkFileError {
    /// The folder cannot be read at all.
    #[error("cannot read the stored private networks")]
    Open(#[source] io::Error),
    /// Nothing was changed, as far as is known.
    #[error("cannot store private network {network}")]
    Write {
        /// Which.
        network: NetworkId,
        /// Why.
        #[source]
        source: io::Error,
    },
}

/// Reads a file's content. The error is a reason for people.
pub(crate) fn read(name: &str, bytes: &[u8]) -> Result<DesiredNetwork, String> {
    let named = name.strip_suffix(SUFFIX).and_then(|id| id.parse::<NetworkId>().ok());
    let named = named.ok_or_else(|| "not named after a private network".to_owned())?;
    let stored: DesiredNetwork = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let inside = stored.network();
    if inside == named { Ok(stored) } else { Err(format!("it holds private network {inside}")) }
}

impl<B: Backing> NetworkFile<B> {
    /// Reads every object. Files that hold none are told by [`Self::damaged`].
    ///
    /// # Errors
    /// When the folder itself cannot be read.
    pub async fn open(backing: B) -> Result<Self, NetworkFileError> {
        let (mut stored, mut damaged) = (BTreeMap::new(), Vec::new());
        for (name, content) in backing.read_all().await.map_err(NetworkFileError::Open)? {
            match content.map_err(|error| error.to_string()).and_then(|bytes| read(&name, &bytes)) {
                Ok(network) => drop(stored.insert(network.network(), network)),
                Err(why) => damaged.push(format!("`{name}`: {why}")),
            }
        }
        Ok(Self { backing, stored: Mutex::new(stored), damaged })
    }

    /// Files that held no object when they were read, with the reason; for the log.
    #[must_use]
    pub fn damaged(&self) -> &[String] {
        &self.damaged
    }

    /// Every object, gone ones too.
    pub async fn list(&self) -> Vec<DesiredNetwork> {
        self.stored.lock().await.values().cloned().collect()
    }

    /// What a network should be here. None: this host was never told of it.
    pub async fn get(&self, network: NetworkId) -> Option<DesiredNetwork> {
        self.stored.lock().await.get(&network).cloned()
    }

    /// Takes over what a network should be, durably, unless that would go back.
    ///
    /// # Errors
    /// When it cannot be written; the object is then as it was.
    pub async fn accept(&self, desired: DesiredNetwork) -> Result<Verdict, NetworkFileError> {
        let network = desired.network();
        let mut stored = self.stored.lock().await;
        let verdict = verdict(stored.get(&network), &desired);
        if verdict == Verdict::Newer {
            // Serializing plain data cannot fail; an empty file would be told as damaged.
            let text = serde_json::to_vec_pretty(&desired).unwrap_or_default();
            failpoint::cross(failpoint::RECORD, failpoint::BEFORE);
            let written = self.backing.write(&format!("{network}{SUFFIX}"), text).await;
            written.map_err(|source| NetworkFileError::Write { network, source })?;
            failpoint::cross(failpoint::RECORD, failpoint::AFTER);
            stored.insert(network, desired);
        }
        Ok(verdict)
    }
}

fn verdict(stored: Option<&DesiredNetwork>, sent: &DesiredNetwork) -> Verdict {
    match stored {
        None => Verdict::Newer,
        Some(stored) if stored == sent => Verdict::Same,
        Some(stored) if stored.version() < sent.version() => Verdict::Newer,
        Some(stored) if stored.version() == sent.version() => Verdict::Altered,
        Some(_) => Verdict::Older,
    }
}
