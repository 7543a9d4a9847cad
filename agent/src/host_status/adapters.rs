//! Whether guests can be plugged in on this host, tried now and then.

use std::time::Duration;

use csp_shared::host_status::AdapterState;
use tokio::{sync::Mutex, time::Instant};

use crate::{
    host_machine::fault::story,
    network::{
        adapter_trial::{self, Lack},
        links::Links,
        shaping::MODULES,
    },
};

/// How long what was found to be there is believed: a kernel keeps what it can, and nft changes when somebody upgrades it.
const AGAIN: Duration = Duration::from_mins(10);
/// What is lacking is tried again soon, since somebody may be mending it.
const SOON: Duration = Duration::from_secs(55);

/// Tries again and again, and tells the log when something else comes of it.
#[derive(Debug, Default)]
pub(super) struct AdapterWatch(Mutex<Option<(Instant, Option<AdapterState>)>>);

impl AdapterWatch {
    /// What was found last, or now; nothing when it could not be tried.
    pub(super) async fn look(&self, now: Instant) -> Option<AdapterState> {
        let mut last = self.0.lock().await;
        let lasts = |state| if state == Some(AdapterState::Ready) { AGAIN } else { SOON };
        if let Some((_, state)) = last.filter(|(at, state)| now < *at + lasts(*state)) {
            return state;
        }
        let state = self::tried().await;
        let before = last.map_or(Some(AdapterState::Ready), |(_, before)| before);
        *last = Some((now, state.as_ref().map(|(state, _)| *state)));
        let (state, why) = state?;
        if before != Some(state) {
            tell(state, &why);
        }
        Some(state)
    }
}

/// What comes of a trial, and why. What fails is tried once more: a busy host may have broken it off.
async fn tried() -> Option<(AdapterState, String)> {
    let links = Links::connect().ok()?;
    let tried = match adapter_trial::try_it(&links).await {
        Ok(()) => Ok(()),
        Err(_) => adapter_trial::try_it(&links).await,
    };
    Some(match tried {
        Ok(()) => (AdapterState::Ready, String::new()),
        Err(lack) => (state_of(&lack), story(&lack)),
    })
}

fn state_of(lack: &Lack) -> AdapterState {
    match lack {
        Lack::Filters(_) => AdapterState::NoFilters,
        Lack::Shaping(_) => AdapterState::NoShaping,
    }
}

fn tell(state: AdapterState, why: &str) {
    let cure = match state {
        AdapterState::NoFilters => {
            "install nftables, load the module tun, and run Linux 6.1 or newer with nf_tables for netdev and bridge"
                .to_owned()
        }
        AdapterState::NoShaping => format!("load the modules {MODULES}, or boot a kernel that has them"),
        AdapterState::Ready | AdapterState::Unknown => {
            return tracing::info!("guests' adapters have what they need again");
        }
    };
    tracing::warn!(
        why,
        cure,
        "servers cannot be plugged in on this host; no new one comes here that needs what it lacks"
    );
}
