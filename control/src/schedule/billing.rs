//! The life of services by the clock: reminders, renewals, suspensions, deletions (BILLING 7 and 15).
//!
//! Services that are due come from an index, and their steps are taken in the order in which their paid time ends, each in
//! a transaction of its own: who has money for one renewal alone pays for what expired first, also after days of downtime.
//! A clock that jumped stops all of it until an operator says otherwise.

use std::{cmp::Reverse, collections::BinaryHeap, sync::Arc, time::Duration};

use csp_shared::id::{HostId, ServerId};

use super::{EVERY, lost_hosts};
use crate::{
    clock::Clock,
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

/// How far, in seconds, a clock may move beyond the time that this process has counted itself: leap seconds, a daemon that
/// sets it right, a machine that was held for a moment.
const DRIFT_SECONDS_MAX: i64 = 3600;

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
pub async fn look(store: &Store, entropy: &dyn Entropy, rules: &Rules, now: Time) -> Result<Looked, StoreError> {
    let bound = rules.clock_jump_max;
    let known = store.read(|read| read.scheduler_get()).await?;
    let clock = match without_a_word(&known, bound, now) {
        Some(found) => found,
        None => store.write(move |tx| watch_clock(tx, bound, now)).await?,
    };
    if let Clockwork::Stopped(by) = clock {
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

/// A look at the clock, and at what this process counts itself.
#[derive(Clone, Copy, Debug)]
struct Moment {
    now: Time,
    uptime: Duration,
}

impl Moment {
    /// Seconds that were counted from here to an `uptime`.
    fn counted(self, uptime: Duration) -> i64 {
        i64::try_from(uptime.saturating_sub(self.uptime).as_secs()).unwrap_or(i64::MAX)
    }

    /// How far the clock went from here to `later` beyond what was counted, in seconds; below zero when it was set back.
    fn ahead(self, later: Self) -> i64 {
        later.now.0.saturating_sub(self.now.0).saturating_sub(self.counted(later.uptime))
    }
}

/// The looks with which a new one is compared: the first that was believed, and the last one. Many small steps of a clock
/// that runs away are one jump.
#[derive(Clone, Copy, Debug)]
struct Believed {
    first: Moment,
    last: Moment,
}

/// How far the clock may have moved since the last look; as far as after a start when this process made none yet.
fn bound(rules: &Rules, believed: Option<Believed>, uptime: Duration) -> i64 {
    let Some(Believed { first, last }) = believed else { return rules.clock_jump_max };
    let left = DRIFT_SECONDS_MAX.saturating_sub(first.ahead(last).max(0)).max(0);
    last.counted(uptime).saturating_add(left).min(rules.clock_jump_max)
}

/// Looks for ever, and at once when the store rings. `wake` tells a host's connection to read the store, `show` tells the
/// service manager how it goes.
pub async fn run(
    store: Store,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
    rules: Rules,
    wake: impl Fn(HostId) + Send,
    show: impl Fn(&str) + Send,
) {
    let bell = store.billing_bell();
    let (mut believed, mut stopped_looks) = (None::<Believed>, 0);
    loop {
        let here = Moment { now: clock.now(), uptime: clock.uptime() };
        let (now, rules) = (here.now, Rules { clock_jump_max: bound(&rules, believed, here.uptime), ..rules });
        match look(&store, &*entropy, &rules, now).await {
            Ok(Looked { hosts, stopped }) => {
                // What an operator then says of the clock is where counting begins anew.
                let first = believed.filter(|_| stopped.is_none()).map_or(here, |believed| believed.first);
                believed = Some(Believed { first, last: here });
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_that_counts_believes_no_clock_that_runs_away_and_a_new_one_believes_the_bound() {
        let rules = Rules::default();
        let hours = |hours: u64| Duration::from_secs(3600 * hours);
        let first = Moment { now: Time(0), uptime: hours(0) };
        let believed = |last| Some(Believed { first, last });
        assert_eq!(bound(&rules, None, hours(7)), rules.clock_jump_max);
        assert_eq!(bound(&rules, believed(first), hours(0)), 3600);
        assert_eq!(bound(&rules, believed(first), hours(5)), 6 * 3600);
        assert_eq!(bound(&rules, believed(first), hours(1_000_000)), rules.clock_jump_max);
    }

    #[test]
    fn many_small_steps_of_a_clock_are_one_jump() {
        let rules = Rules::default();
        let first = Moment { now: Time(0), uptime: Duration::ZERO };
        let after = |now: i64| {
            let last = Moment { now: Time(now), uptime: Duration::from_secs(60) };
            bound(&rules, Some(Believed { first, last }), Duration::from_secs(90))
        };
        assert_eq!(after(60), 30 + 3600, "a clock that goes");
        assert_eq!(after(60 + 3000), 30 + 600, "50 minutes ahead already");
        assert_eq!(after(60 + 9000), 30);
        assert_eq!(after(-300), 30 + 3600, "one that was set back gains nothing by it");
    }
}
