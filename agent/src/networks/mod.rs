//! Private networks of this host: what the control plane wants of each, kept on the disk, and the newest word about each.
//!
//! The [`keeper`] brings networks about: it takes what is wanted from [`Networks::list`], waits for [`Networks::changed`], and
//! tells what came of it by [`Networks::tell`]. Until then everything of it counts as there, and nothing as reached.

pub mod file;
pub mod keeper;

use csp_shared::{
    id::NetworkId,
    network::{DesiredNetwork, NetworkRemains, ObservedNetwork},
};
use tokio::sync::Notify;
use tracing::{error, info, warn};

pub use self::file::{NetworkFile, NetworkFileError};
use crate::{
    newest::Newest,
    spec_file::{Backing, Verdict},
};

/// The private networks of a host.
pub struct Networks<B> {
    file: NetworkFile<B>,
    told: Newest<NetworkId, ObservedNetwork>,
    wanted: Notify,
}

impl<B: Backing> Networks<B> {
    /// Reads what is stored.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub async fn open(backing: B) -> Result<Self, NetworkFileError> {
        let file = NetworkFile::open(backing).await?;
        let told = file.list().await.iter().map(|desired| (desired.network(), unproved(desired))).collect();
        Ok(Self { file, told, wanted: Notify::new() })
    }

    /// Files that held no object when they were read, with the reason; for the log.
    #[must_use]
    pub fn damaged(&self) -> &[String] {
        self.file.damaged()
    }

    /// What every network should be, gone ones too.
    pub async fn list(&self) -> Vec<DesiredNetwork> {
        self.file.list().await
    }

    /// What a network should be here. None: this host was never told of it.
    pub async fn get(&self, network: NetworkId) -> Option<DesiredNetwork> {
        self.file.get(network).await
    }

    /// Waits until something newer was accepted. Several signals are one; for one reader.
    pub async fn changed(&self) {
        self.wanted.notified().await;
    }

    /// Takes over what networks should be. Returns once all of it is durable, or refused and logged.
    pub async fn accept(&self, desired: Vec<DesiredNetwork>) {
        for desired in desired {
            let (network, version, report) = (desired.network(), desired.version(), unproved(&desired));
            match self.file.accept(desired).await {
                Ok(Verdict::Newer) => {
                    info!(%network, %version, "private network accepted");
                    self.told.put_unless(network, report, |_, _| false);
                    self.wanted.notify_one();
                }
                Ok(Verdict::Same) => {}
                Ok(verdict) => warn!(%network, %version, ?verdict, "private network not accepted"),
                Err(error) => {
                    let cause = std::error::Error::source(&error).map(ToString::to_string).unwrap_or_default();
                    error!(%network, %version, %error, cause, "private network not accepted");
                }
            }
        }
    }

    /// Keeps what was seen of a network, if that is news. What was seen under an older state proves nothing about the one
    /// that was accepted since.
    pub fn tell(&self, seen: ObservedNetwork) {
        self.told.put_unless(seen.network, seen, |latest, seen| latest == seen || latest.accepted > seen.accepted);
    }

    /// The newest word about every network.
    #[must_use]
    pub fn inventory(&self) -> Vec<ObservedNetwork> {
        self.told.all()
    }

    /// Waits for news and takes at most `limit` of them (at least one). Cancel safe; what was taken and not delivered is
    /// made good by the next inventory. For one reader.
    pub async fn next_reports(&self, limit: usize) -> Vec<ObservedNetwork> {
        self.told.take(limit).await
    }
}

/// Held, and nothing else known.
fn unproved(desired: &DesiredNetwork) -> ObservedNetwork {
    ObservedNetwork {
        network: desired.network(),
        accepted: desired.version(),
        accepted_hash: desired.hash(),
        reached: None,
        fault: None,
        remains: NetworkRemains::UNPROVED,
    }
}

#[cfg(test)]
mod tests;
