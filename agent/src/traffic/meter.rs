//! Looks at the taps' counters by the clock, and once more before a tap is removed.
//!
//! What is told was written down before: a host that goes down in between would else come back with less than it told, and
//! what its guests carry next would pass for what was told already.

use std::{
    collections::BTreeMap,
    convert::Infallible,
    io::{self, ErrorKind},
    path::{Path, PathBuf},
    time::Duration,
};

use csp_shared::{
    id::ServerId,
    sample::NetworkMoved,
    traffic::{CountId, Traffic},
};
use tokio::{
    sync::{Mutex, watch},
    time::{MissedTickBehavior, interval},
};
use tracing::warn;

use super::count::{Count, TapSeen};
use crate::{
    host_machine::setup,
    network::{
        NetworkError,
        links::{Link, Links},
        tap_name::TapMark,
    },
    storage::durable,
};

/// Between two looks.
const EVERY: Duration = Duration::from_secs(60);
const FILE: &str = "traffic.json";
const UPTIME: &str = "/proc/uptime";

/// Counts what servers' public adapters carry.
#[derive(Debug)]
pub struct Meter {
    links: Links,
    path: PathBuf,
    /// Held from the kernel's answer until it is counted: an older one after a newer one would look like counters that began
    /// anew.
    count: Mutex<Count>,
    written: watch::Sender<Count>,
}

impl Meter {
    /// Goes on from what stands in `state_dir`. Nothing is written before the first look.
    ///
    /// # Errors
    /// When /proc is not mounted.
    pub fn open(state_dir: &Path, links: Links) -> io::Result<Self> {
        let path = state_dir.join(FILE);
        let kept = read(&path).unwrap_or_else(|error| {
            warn!(path = %path.display(), %error, "what was counted of servers' traffic cannot be read; counting anew from now on");
            Count::default()
        });
        let count = kept.resumed(&setup::boot_id()?.0);
        Ok(Self { links, path, count: Mutex::new(count.clone()), written: watch::Sender::new(count) })
    }

    /// Counts what there is now; for who is about to remove a tap. That it cannot be counted keeps nobody from removing it.
    pub async fn look(&self) {
        if let Err(why) = self.try_look(&mut *self.count.lock().await).await {
            warn!(%why, "a tap goes with up to a minute of its traffic not counted");
        }
    }

    async fn try_look(&self, count: &mut Count) -> Result<(), NetworkError> {
        let taps = self.links.list_carried().await?;
        let taps: Vec<TapSeen> = taps.iter().filter_map(|(link, carried)| tap_seen(link, *carried)).collect();
        // The kernel draws these; without /proc nothing of a host works.
        let fresh = || CountId(setup::fresh_uuid().unwrap_or_default());
        count.look(&taps, uptime_s(), fresh);
        Ok(())
    }

    /// Counts, writes down, and has told what changed.
    ///
    /// # Errors
    /// When the kernel does not tell, or the state folder cannot be written; for people.
    pub async fn settle(&self) -> Result<(), String> {
        let mut count = self.count.lock().await;
        self.try_look(&mut count).await.map_err(|why| why.to_string())?;
        if *self.written.borrow() == *count {
            return Ok(());
        }
        let (path, text) = (self.path.clone(), serde_json::to_vec(&*count).map_err(|why| why.to_string())?);
        let wrote = tokio::task::spawn_blocking(move || durable::write(&path, &text)).await;
        wrote.map_err(io::Error::other).flatten().map_err(|why| format!("{}: {why}", self.path.display()))?;
        self.written.send_replace(count.clone());
        Ok(())
    }

    /// Waits until something was written down that differs from what was told. Cancel safe.
    pub async fn beside(&self, told: &BTreeMap<ServerId, NetworkMoved>) -> Vec<Traffic> {
        let mut written = self.written.subscribe();
        loop {
            let news = written.borrow_and_update().beside(told, uptime_s());
            if !news.is_empty() {
                return news;
            }
            // Never an error: the sender is this meter's own.
            let _ = written.changed().await;
        }
    }
}

/// Counts for ever.
pub async fn run(meter: &Meter) -> Infallible {
    let mut ticker = interval(EVERY);
    ticker.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let mut told = String::new();
    loop {
        ticker.tick().await;
        let trouble = meter.settle().await.err().unwrap_or_default();
        if trouble != told && !trouble.is_empty() {
            warn!(why = %trouble, "servers' traffic is not counted; trying again");
        }
        told = trouble;
    }
}

fn read(path: &Path) -> io::Result<Count> {
    match std::fs::read(path) {
        Ok(text) => Ok(serde_json::from_slice(&text)?),
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(Count::default()),
        Err(error) => Err(error),
    }
}

/// A server's tap on the public bridge. One without its mark is none: whose it is says the mark, and it is soon mended.
fn tap_seen(link: &Link, carried: NetworkMoved) -> Option<TapSeen> {
    let mark = TapMark::parse(&link.alias).filter(|mark| link.is_tun && mark.network.is_none())?;
    Some(TapSeen { server: mark.server, mac: mark.mac, link: link.index, carried })
}

/// For how long the host is up, in seconds: a clock that no agent's restart sets back and nobody can set.
fn uptime_s() -> u64 {
    let text = std::fs::read_to_string(UPTIME).unwrap_or_default();
    text.split('.').next().and_then(|seconds| seconds.parse().ok()).unwrap_or(0)
}
