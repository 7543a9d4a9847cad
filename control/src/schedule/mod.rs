//! What runs by the clock.
//!
//! Each is a use case that looks at the store, so running it late, twice or after a crash does the same once. What decides
//! about money and deletion is [`billing`]; it alone asks whether the clock can be believed.

pub mod billing;
pub mod lost_hosts;
mod upkeep;

use std::{sync::Arc, time::Duration};

use csp_shared::id::HostId;

pub use self::upkeep::{forget_samples, tick, write_key_uses};
use crate::{clock::Clock, entropy::Entropy, metrics::Metrics, service::note_key_uses::KeyUses, store::Store};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(5);

/// Between two looks for samples of servers that are gone.
const FORGET_EVERY: Duration = Duration::from_secs(60);

/// Has samples forgotten, for ever.
pub async fn keep_metrics(store: Store, clock: Arc<dyn Clock>, metrics: Metrics) {
    loop {
        tokio::time::sleep(FORGET_EVERY).await;
        if let Err(why) = forget_samples(&store, &metrics, clock.now()).await {
            tracing::warn!(%why, "samples of servers that are gone could not be looked for; trying again");
        }
    }
}

/// Looks for ever. `wake` tells a host's connection to read the store.
pub async fn run(
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    key_uses: Arc<KeyUses>,
    wake: impl Fn(HostId) + Send,
) {
    let mut ticker = tokio::time::interval(EVERY);
    ticker.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        ticker.tick().await;
        match tick(&store, &*entropy, &key_uses, clock.now()).await {
            Ok(hosts) => hosts.into_iter().for_each(&wake),
            Err(why) => tracing::warn!(%why, "the scheduler could not work; it tries again in a moment"),
        }
    }
}
