//! The life of services by the clock: reminders, renewals, suspensions, deletions (BILLING 7 and 15).
//!
//! Services that are due come from an index, and their steps are taken in the order in which their paid time ends, each in
//! a transaction of its own: who has money for one renewal alone pays for what expired first, also after days of downtime.
//! A clock that jumped stops all of it until an operator says otherwise.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc};

use csp_shared::id::{HostId, ServerId};

use super::{EVERY, lost_hosts};
use crate::{
    clock::SteadyClock,
    domain::{billing::rules::Rules, time::Time},
    entropy::Entropy,
    service::{
        bill_service::{Billing, bill_service},
        watch_clock::{Clockwork, watch_clock, without_a_word},
    },
    store::{Store, StoreError},
};

/// Steps of one service in one look: months that were missed, and some reminders. What is left waits for the next look.
const STEPS_MAX: u32 = 64;

/// Looks between two words in the log about a scheduler that stands still.
const REPEATED_EVERY: u32 = 120;

/// What a look came to.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Looked {
    /// Hosts that must be told something new.
    pub hosts: Vec<HostId>,
    /// It stands still: the clock had jumped by so many seconds.
    pub stopped: Option<i64>,
}

/// Looks once at every service that is due. One that cannot be billed does not hold up the others.
///
/// # Errors
/// When the store cannot be read or cannot keep the clock; the next look tries again.
pub async fn look(
    store: &Store,
    entropy: &dyn Entropy,
    rules: &Rules,
    clock: &SteadyClock,
) -> Result<Looked, StoreError> {
    let _turn = clock.turn().await;
    let look = clock.look();
    let now = look.now;
    let known = store.read(|read| read.scheduler_get()).await?;
    let clockwork = match without_a_word(&known, look) {
        Some(found) => found,
        None => store.write(move |tx| watch_clock(tx, look)).await?,
    };
    if let Clockwork::Stopped(by) = clockwork {
        return Ok(Looked { stopped: Some(by), ..Looked::default() });
    }
    // Before anything is renewed: nobody pays for a server that is gone.
    let lost = lost_hosts::end_all(store, entropy, rules, now).await?;
    let due = store.read(move |read| read.billed_due(now)).await?;
    let mut waiting: BinaryHeap<_> = due.into_iter().map(|(until, server)| Reverse((until, server, 0))).collect();
    let mut looked = Looked { hosts: lost.hosts, stopped: None };
    while let Some(Reverse((_, server, steps))) = waiting.pop() {
        match step(store, entropy, server, *rules, now).await {
            Ok(Billing { host, again }) => {
                looked.hosts.extend(host);
                let again = again.filter(|_| steps < STEPS_MAX);
                waiting.extend(again.map(|until| Reverse((until, server, steps + 1))));
            }
            Err(why) => tracing::error!(%why, %server, "a service cannot be billed; trying again"),
        }
    }
    Ok(looked)
}

async fn step(
    store: &Store,
    entropy: &dyn Entropy,
    server: ServerId,
    rules: Rules,
    now: Time,
) -> Result<Billing, StoreError> {
    let draw = entropy.draw();
    store.write(move |tx| bill_service(tx, server, &rules, draw.clone(), now)).await
}

/// Looks for ever, and at once when the store rings. `wake` tells a host's connection to read the store, `show` tells the
/// service manager how it goes.
pub async fn run(
    store: Store,
    clock: Arc<SteadyClock>,
    entropy: Arc<dyn Entropy>,
    rules: Rules,
    wake: impl Fn(HostId) + Send,
    show: impl Fn(&str) + Send,
) {
    let bell = store.billing_bell();
    let mut stopped_looks = 0;
    loop {
        match look(&store, &*entropy, &rules, &clock).await {
            Ok(Looked { hosts, stopped }) => {
                hosts.into_iter().for_each(&wake);
                stopped_looks = tell(stopped, stopped_looks, &show);
            }
            Err(why) => tracing::warn!(%why, "services could not be billed; trying again in a moment"),
        }
        tokio::select! {
            () = tokio::time::sleep(EVERY) => {}
            () = bell.notified() => {}
        }
    }
}

/// Says that the scheduler stands still, again and again; answers for how many looks it has.
fn tell(stopped: Option<i64>, looks: u32, show: &impl Fn(&str)) -> u32 {
    let Some(by) = stopped else {
        if looks > 0 {
            tracing::info!("the scheduler goes on");
            show("billing goes on");
        }
        return 0;
    };
    if looks.is_multiple_of(REPEATED_EVERY) {
        tracing::error!(
            jumped_s = by,
            "the clock jumped: nothing is renewed, suspended or deleted; look at the clock, then `csp-control scheduler resume`"
        );
        show("ALARM: the clock jumped and billing stands still; see `csp-control scheduler status`");
    }
    looks.saturating_add(1)
}
