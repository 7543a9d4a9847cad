//! What a tombstone asks for: everything of the server gone, and each part proved by the next look.

use csp_shared::observed::FaultCode;

use super::{Plan, disk, step::Step};
use crate::machine::Seen;

/// Plans the end of a server. Filters go after the taps that they guard. Without the pool all but its disks goes.
pub fn plan(seen: &Seen) -> Plan {
    let mut steps = Vec::new();
    if seen.is_up() {
        steps.push(Step::ForceStop);
    } else if seen.process {
        steps.push(Step::KillProcess);
    }
    steps.extend(seen.domain.map(|_| Step::Undefine));
    steps.extend(seen.remains().taps.then_some(Step::RemoveTaps));
    steps.extend(seen.filters.map(|_| Step::RemoveFilters));
    if seen.pool {
        steps.extend(disk::retire(seen, None));
        steps.extend(seen.seed.map(|_| Step::RemoveSeed));
        Plan::of(steps)
    } else {
        let (code, why) = if seen.pool_read_only {
            (FaultCode::PoolReadOnly, "the pool is mounted read-only: the server's disk is still there")
        } else {
            (FaultCode::PoolMissing, "the pool is not mounted: the server's disk may still be there")
        };
        Plan { steps, ..Plan::faulty(code, why) }
    }
}
