//! An image may take long to come. Meanwhile its server is looked at as any other: a guest that still runs is guarded, and
//! what became of it is told.

use std::{pin::pin, time::Duration};

use csp_shared::{
    id::ServerId,
    observed::{Fault, Observed},
    spec::{Desired, Image},
};
use tokio::time::{Instant, sleep, sleep_until};

use super::{
    converge::{self, Look, Next},
    task::{LOOK_AGAIN, Shared, Wake, tell},
};
use crate::{
    machine::Machine,
    plan::{
        memory::Course,
        step::{Step, Weight},
    },
    spec_file::Backing,
};

/// How often it is looked how much of an image has arrived.
const ARRIVAL_AGAIN: Duration = Duration::from_secs(2);

/// Fetches what `step` asks for, when there is a place for it. A newer spec ends it; what arrived is kept.
pub(super) async fn fetch<M: Machine, B: Backing>(
    shared: &Shared<M, B>,
    look: &Look,
    step: &Step,
    course: &mut Course,
    wake: &Wake,
) {
    // The planner has no such step for a tombstone.
    let Desired::Present(spec) = &look.desired else { return };
    let server = spec.server;
    let mut told = look.observed.clone();
    let mut work = pin!(fetched(shared, &look.desired, &spec.image, step));
    let mut look_at = Instant::now() + LOOK_AGAIN;
    let done = loop {
        tokio::select! {
            biased;
            done = &mut work => break done,
            () = wake.newer.notified() => return,
            () = sleep_until(look_at) => {}
            () = wake.look.notified() => {}
            () = sleep(ARRIVAL_AGAIN) => {
                let arrived = shared.host.machine.arrived_percent(&spec.image).await;
                told.arrived_percent = arrived.map(|percent| percent - percent % 5);
                shared.reports.publish(told.clone());
                continue;
            }
        }
        // The download has a thread of its own and goes on.
        if let Some(observed) = guard(shared, server, course, told.arrived_percent).await {
            told = observed;
        }
        look_at = Instant::now() + LOOK_AGAIN;
    };
    let Some((done, began)) = done else { return };
    converge::take_note(course, &look.desired, step, &done, shared.now_ms());
    shared.room_changed.notify_one();
    tell(server, step, began, done);
}

/// What came of it, and when it began; `None` when somebody else fetched it.
async fn fetched<M: Machine, B: Backing>(
    shared: &Shared<M, B>,
    desired: &Desired,
    image: &Image,
    step: &Step,
) -> Option<(Result<(), Fault>, Instant)> {
    let _place = shared.limits.download(image.sha256).await?;
    let began = Instant::now();
    Some((converge::perform(&shared.host, desired, step).await, began))
}

/// Looks at the server and mends what can be mended beside the download.
async fn guard<M: Machine, B: Backing>(
    shared: &Shared<M, B>,
    server: ServerId,
    course: &mut Course,
    arrived_percent: Option<u8>,
) -> Option<Observed> {
    loop {
        let look = converge::look(&shared.host, server, course, shared.moment()).await?;
        let observed = Observed { arrived_percent, ..look.observed.clone() };
        shared.reports.publish(observed.clone());
        match &look.next {
            Next::Run(step) if step.weight() == Weight::Light => {
                let began = Instant::now();
                let done = converge::act(&shared.host, &look.desired, step, course, shared.now_ms()).await;
                tell(server, step, began, done);
            }
            _ => return Some(observed),
        }
    }
}
