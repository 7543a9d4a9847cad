//! Keeps this host's private networks as the control plane wants them, for as long as the agent runs.

use std::{collections::BTreeMap, convert::Infallible, time::Duration};

use csp_shared::id::NetworkId;
use tokio::time::sleep;
use tracing::{info, warn};

use super::Networks;
use crate::{network::segment::Segments, spec_file::Backing, worker::Supervisor};

/// How often all is looked at again, since somebody may have changed it.
const EVERY: Duration = Duration::from_secs(30);
/// How soon while something is not as it should be: a tap is still there, or the kernel refused.
const SOON: Duration = Duration::from_secs(2);

/// Brings about what is stored, once. Gives whether all of it is as it should be, and whether taps have other places now.
pub async fn settle<B: Backing>(networks: &Networks<B>, segments: &Segments) -> (bool, bool) {
    let settled = segments.settle(&networks.list().await).await;
    let is_done = settled.told.iter().all(|told| told.reached.is_some());
    let before = faults(networks);
    settled.told.into_iter().for_each(|told| networks.tell(told));
    let now = faults(networks);
    for (network, why) in now.iter().filter(|(network, why)| before.get(*network) != Some(*why)) {
        warn!(%network, why, "the private network is not as it should be on this host");
    }
    for network in before.keys().filter(|network| !now.contains_key(*network)) {
        info!(%network, "the private network is as it should be again");
    }
    (is_done, settled.is_news)
}

/// What is wrong with networks, in words.
fn faults<B: Backing>(networks: &Networks<B>) -> BTreeMap<NetworkId, String> {
    let told = networks.inventory().into_iter();
    told.filter_map(|told| Some((told.network, told.fault?.detail))).collect()
}

/// Brings about what is stored whenever that changes, and again every now and then.
pub async fn keep<B: Backing>(networks: &Networks<B>, segments: &Segments, workers: &Supervisor) -> Infallible {
    loop {
        let (is_done, is_news) = settle(networks, segments).await;
        if is_news {
            workers.rescan();
        }
        tokio::select! {
            () = networks.changed() => {}
            () = segments.drifted() => {}
            () = sleep(if is_done { EVERY } else { SOON }) => {}
        }
    }
}
