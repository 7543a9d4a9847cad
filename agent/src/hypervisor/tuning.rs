//! What a guest may use of its host at most, as elements of its definition. Pure.
//!
//! QEMU itself holds disks to their bounds. Those of processors are the kernel's business, by control groups: where a
//! host has none for processors, libvirt would refuse the guest, so they are left out there and `check` tells of it.

use csp_shared::spec::{CpuUse, GuestLimits, ServerSpec};

use super::xml::Element;

/// Over which time processor time is counted, in microseconds: the kernel's own choice.
const PERIOD_US: u64 = 100_000;
/// What a guest without a weight has, in the first version of control groups and in the second.
const SHARES_V1: u64 = 1024;
const WEIGHT_V2: u64 = 100;
/// The least that both take.
const SHARES_MIN: u64 = 2;
const BYTES_PER_MIB: u64 = 1 << 20;

/// The host's control groups for processors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CpuGroups {
    /// There are none.
    None,
    /// Of the first version: shares.
    V1,
    /// Of the second: weights.
    V2,
}

/// Pins, weight and bound of a guest's processors; nothing when there is nothing to say.
pub(super) fn cputune(spec: &ServerSpec, groups: CpuGroups, pinned_to: &[u32]) -> Option<Element> {
    let GuestLimits { cpu_weight, cpu_percent_max, .. } = spec.limits;
    let shares = cpu_weight.map(|weight| match groups {
        CpuGroups::V1 => (u64::from(weight) * SHARES_V1 / WEIGHT_V2).max(SHARES_MIN),
        CpuGroups::V2 | CpuGroups::None => u64::from(weight),
    });
    // The whole guest, QEMU's own threads included, so that emulated devices are no way round it.
    let quota = cpu_percent_max.map(|percent| u64::from(percent) * PERIOD_US / 100);
    let (shares, quota) = if groups == CpuGroups::None { (None, None) } else { (shares, quota) };
    let pins = pinned_to.iter().enumerate();
    let pins = pins.map(|(vcpu, cpu)| Element::new("vcpupin").with("vcpu", vcpu).with("cpuset", cpu));
    let parts: Vec<Element> = (shares.map(|shares| Element::new("shares").text(shares)).into_iter())
        .chain(quota.map(|_| Element::new("global_period").text(PERIOD_US)))
        .chain(quota.map(|quota| Element::new("global_quota").text(quota)))
        .chain(pins.filter(|_| spec.cpu_use == CpuUse::Pinned))
        .collect();
    (!parts.is_empty()).then(|| Element::new("cputune").children(parts))
}

/// Bounds of a guest's disk; nothing when there are none.
pub(super) fn iotune(limits: &GuestLimits) -> Option<Element> {
    let bytes = limits.disk_mib_per_second_max.map(|mib| u64::from(mib) * BYTES_PER_MIB);
    let parts: Vec<Element> = (bytes.map(|bytes| Element::new("total_bytes_sec").text(bytes)).into_iter())
        .chain(limits.disk_iops_max.map(|iops| Element::new("total_iops_sec").text(iops)))
        .collect();
    (!parts.is_empty()).then(|| Element::new("iotune").children(parts))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::storage::test_spec::spec;

    fn text(limits: GuestLimits, groups: CpuGroups) -> String {
        let spec = ServerSpec { limits, ..spec() };
        let parts = [cputune(&spec, groups, &[]), iotune(&spec.limits)];
        parts.into_iter().flatten().map(|part| part.to_text().unwrap()).collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn each_bound_has_its_element_and_no_bound_has_none() {
        let all = GuestLimits {
            cpu_weight: Some(50),
            cpu_percent_max: Some(150),
            disk_iops_max: Some(2_000),
            disk_mib_per_second_max: Some(200),
            net_mbit_per_second_max: None,
        };
        assert_eq!(text(GuestLimits::NONE, CpuGroups::V2), "");
        insta::assert_snapshot!(text(all, CpuGroups::V2));
        assert!(text(all, CpuGroups::V1).contains("<shares>512</shares>"));
        assert!(!text(all, CpuGroups::None).contains("cputune"), "a host that cannot would refuse the guest");
        assert!(text(all, CpuGroups::None).contains("iotune"));
        let least = GuestLimits { cpu_weight: Some(1), ..GuestLimits::NONE };
        assert!(text(least, CpuGroups::V1).contains("<shares>10</shares>"));
    }
}
