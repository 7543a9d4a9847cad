//! Whether this host can hold guests to what their packages allow of its processors.
//!
//! Only the kernel's control groups can. Without them guests run all the same, and share what there is as they come.

use super::Finding;
use crate::{host_machine::setup, hypervisor::tuning::CpuGroups};

const LIMITS: &str = "limits";

/// Looks.
#[must_use]
pub fn probe() -> CpuGroups {
    setup::cpu_groups()
}

/// Judges what was seen.
#[must_use]
pub fn judge(groups: CpuGroups) -> Finding {
    match groups {
        CpuGroups::V1 => Finding::ok(LIMITS, "control groups (v1) hold guests to their processor time"),
        CpuGroups::V2 => Finding::ok(LIMITS, "control groups (v2) hold guests to their processor time"),
        CpuGroups::None => Finding::warning(
            LIMITS,
            "this kernel has no control group for processors: cpu_weight and max_cpu_percent are not held",
            "boot a kernel with CONFIG_CGROUP_SCHED and CONFIG_CFS_BANDWIDTH, without cgroup_disable=cpu",
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn a_host_that_cannot_hold_guests_back_still_runs_them() {
        assert_eq!(judge(CpuGroups::None).verdict, Verdict::Warning);
        assert_eq!((judge(CpuGroups::V1).verdict, judge(CpuGroups::V2).verdict), (Verdict::Ok, Verdict::Ok));
    }
}
