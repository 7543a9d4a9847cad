//! An image may take long to come, and a place to write in the pool may be long to wait for. Meanwhile the server is looked at
//! as any other: a guest that still runs is guarded, and what became of it is told.

use std::{pin::pin, time::Duration};

use csp_shared::{
    id::ServerId,
    observed::Fault,
    spec::{Desired, Image},
};
use tokio::{
    sync::SemaphorePermit,
    time::{Instant, sleep, sleep_until},
};

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
    let work = fetched(shared, &look.desired, &spec.image, step);
    let fetched = beside(shared, look, Some(&spec.image), (course, &mut look.next.clone()), wake, work).await;
    let Some(Some((done, began))) = fetched else { return };
    converge::take_note(course, &look.desired, step, &done, shared.now_ms());
    shared.room_changed.notify_one();
    tell(spec.server, step, began, done);
}

/// Waits for a place to write in the pool for `step`; `None` when a newer spec came meanwhile, or when something else is to be
/// done by now.
pub(super) async fn disk_place<'a, M: Machine, B: Backing>(
    shared: &'a Shared<M, B>,
    look: &Look,
    step: &Step,
    course: &mut Course,
    wake: &Wake,
) -> Option<SemaphorePermit<'a>> {
    let mut newest = look.next.clone();
    let place = beside(shared, look, None, (course, &mut newest), wake, shared.limits.disk_step()).await?;
    place.filter(|_| matches!(&newest, Next::Run(next) if next == step))
}

/// Waits for `work` and looks at the server meanwhile, and at how much of `image` has arrived. A newer spec ends the work. What
/// follows by the newest look is left in `newest`.
async fn beside<M: Machine, B: Backing, T>(
    shared: &Shared<M, B>,
    look: &Look,
    image: Option<&Image>,
    (course, newest): (&mut Course, &mut Next),
    wake: &Wake,
    work: impl Future<Output = T>,
) -> Option<T> {
    let mut told = look.observed.clone();
    let mut work = pin!(work);
    let mut look_at = Instant::now() + LOOK_AGAIN;
    loop {
        tokio::select! {
            biased;
            done = &mut work => return Some(done),
            () = wake.newer.notified() => return None,
            () = sleep_until(look_at) => {}
            () = wake.look.notified() => {}
            arrived = arrival(shared, image) => {
                told.arrived_percent = arrived;
                shared.reports.publish(told.clone());
                continue;
            }
        }
        // What is waited for goes on by itself: a download has a thread of its own, and a place is kept in the queue.
        if let Some(look) = guard(shared, told.server, course, told.arrived_percent).await {
            (told, *newest) = (look.observed, look.next);
        }
        look_at = Instant::now() + LOOK_AGAIN;
    }
}

/// How much of an image has arrived after a while, in steps of 5 %; never, when none is on its way.
async fn arrival<M: Machine, B: Backing>(shared: &Shared<M, B>, image: Option<&Image>) -> Option<u8> {
    let Some(image) = image else { return std::future::pending().await };
    sleep(ARRIVAL_AGAIN).await;
    let arrived = shared.host.machine.arrived_percent(image).await;
    arrived.map(|percent| percent - percent % 5)
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

/// Looks at the server and mends what can be mended beside it.
async fn guard<M: Machine, B: Backing>(
    shared: &Shared<M, B>,
    server: ServerId,
    course: &mut Course,
    arrived_percent: Option<u8>,
) -> Option<Look> {
    loop {
        let mut look = converge::look(&shared.host, server, course, shared.moment()).await?;
        look.observed.arrived_percent = arrived_percent;
        shared.reports.publish(look.observed.clone());
        match &look.next {
            Next::Run(step) if step.weight() == Weight::Light => {
                let began = Instant::now();
                let done = converge::act(&shared.host, &look.desired, step, course, shared.now_ms()).await;
                if step.changes_room() {
                    shared.room_changed.notify_one();
                }
                tell(server, step, began, done);
            }
            _ => return Some(look),
        }
    }
}
