//! One server's task: what [`super::converge`] decides, with the waiting in between.

use std::{sync::Arc, time::Duration};

use csp_shared::{
    generation::Version,
    id::ServerId,
    observed::{Fault, FaultCode},
};
use tokio::{
    sync::{Notify, watch},
    time::{Instant, sleep},
};
use tracing::{info, warn};

use super::{
    Reports, Word,
    beside::{disk_place, fetch},
    converge::{self, Host, Look, Moment, Next},
    limits::Limits,
};
use crate::{
    machine::Machine,
    plan::{
        memory::Course,
        step::{Step, Weight},
    },
    spec_file::Backing,
};

/// Everything is looked at again after this long, so that drift is seen though no event told of it.
pub(super) const LOOK_AGAIN: Duration = Duration::from_secs(30);
/// Nothing tells of a mount, and guests wait for it.
const POOL_AGAIN: Duration = Duration::from_secs(5);
/// What the workers of one host share.
pub(super) struct Shared<M, B> {
    pub host: Host<M, B>,
    pub reports: Arc<Reports>,
    pub control_heard: watch::Receiver<Word>,
    /// A step made the pool's room another one.
    pub room_changed: Arc<Notify>,
    pub began: Instant,
    pub limits: Limits,
}

impl<M, B> Shared<M, B> {
    pub(super) fn moment(&self) -> Moment {
        Moment { now_ms: self.now_ms(), starts_held: *self.control_heard.borrow() != Word::Given }
    }

    pub(super) fn now_ms(&self) -> u64 {
        u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

/// Wakes one worker. A signal carries no data and is not lost while the worker is busy.
#[derive(Default)]
pub(super) struct Wake {
    /// Look again.
    pub look: Notify,
    /// A newer spec is there: give up what can be given up.
    pub newer: Notify,
}

/// Brings one server about until it is gone; the version that this was for. `None` when the host has no record of it.
pub(super) async fn converge_for_ever<M: Machine, B: Backing>(
    shared: Arc<Shared<M, B>>,
    server: ServerId,
    wake: Arc<Wake>,
) -> Option<Version> {
    let mut control_heard = shared.control_heard.clone();
    let notes = shared.host.specs.get(server).await?.notes;
    let mut course = Course::begin(&notes, shared.now_ms());
    loop {
        // What was told up to here is in the look that follows.
        control_heard.mark_unchanged();
        let look = converge::look(&shared.host, server, &mut course, shared.moment()).await?;
        shared.reports.publish(look.observed.clone());
        match &look.next {
            Next::Gone => return Some(look.desired.version()),
            Next::Run(step) => run_step(&shared, &look, step, &mut course, &wake).await,
            Next::At(at_ms) => {
                let wait = Duration::from_millis(at_ms.saturating_sub(shared.now_ms())).min(LOOK_AGAIN);
                wait_for(wait, &wake, &mut control_heard).await;
            }
            Next::Idle => {
                let away = [FaultCode::PoolMissing, FaultCode::PoolReadOnly];
                let no_pool = look.observed.fault.as_ref().is_some_and(|fault| away.contains(&fault.code));
                let wait = if no_pool { POOL_AGAIN } else { LOOK_AGAIN };
                wait_for(wait, &wake, &mut control_heard).await;
            }
        }
    }
}

/// Until the time is over or something happened.
async fn wait_for(time: Duration, wake: &Wake, control_heard: &mut watch::Receiver<Word>) {
    tokio::select! {
        () = sleep(time) => {}
        () = wake.look.notified() => {}
        Ok(()) = control_heard.changed() => {}
    }
}

/// Runs a step when there is a place for it. A newer spec ends the wait for one. Waiting and fetching are boxed: each is much
/// larger than all else of a worker, of which there is one a server, and most do neither for months.
async fn run_step<M: Machine, B: Backing>(
    shared: &Shared<M, B>,
    look: &Look,
    step: &Step,
    course: &mut Course,
    wake: &Wake,
) {
    let _place = match step.weight() {
        Weight::Light => None,
        Weight::Download => return Box::pin(fetch(shared, look, step, course, wake)).await,
        Weight::Disk => match Box::pin(disk_place(shared, look, step, course, wake)).await {
            Some(place) => Some(place),
            None => return,
        },
    };
    let (began, server, now_ms) = (Instant::now(), look.observed.server, shared.now_ms());
    let done = converge::act(&shared.host, &look.desired, step, course, now_ms).await;
    if step.changes_room() {
        shared.room_changed.notify_one();
    }
    tell(server, step, began, done);
}

/// Tells the log what came of a step.
pub(super) fn tell(server: ServerId, step: &Step, began: Instant, done: Result<(), Fault>) {
    let step = step.name();
    let elapsed_ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
    match done {
        Ok(()) => info!(%server, step, elapsed_ms, "step done"),
        Err(fault) => {
            warn!(%server, step, elapsed_ms, code = fault.code.as_str(), detail = %fault.detail, "step failed");
        }
    }
}
