//! How a host is: what it is made of, and how near it is to its bounds. For operators, and for the alarms that come before
//! guests are hurt. It decides nothing about servers: what may be placed is `Capacity`'s business.

use serde::{Deserialize, Serialize};

/// Longest name of a processor, in characters; what is longer is cut.
pub const CPU_MODEL_CHARS_MAX: usize = 100;

/// NUMA cells that are told; a host with more tells the first ones.
pub const NUMA_CELLS_MAX: usize = 64;

/// Memory, and the processors that are near it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NumaCell {
    /// Logical processors.
    pub cpus: u32,
    /// Memory in MiB, the host's own part of it too.
    pub ram_mib: u64,
}

/// One look at a host.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct HostStatus {
    /// As the processor calls itself.
    pub cpu_model: String,
    /// Nodes of memory with processors of their own; 1 where the kernel knows none.
    pub numa_nodes: u32,
    /// What each of these nodes has, in their order; empty where the kernel or an older agent does not tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub numa_cells: Vec<NumaCell>,
    /// Memory that could still be given out without swapping, in MiB.
    pub ram_available_mib: u64,
    /// Memory in all, in MiB; 0 where an older agent does not tell.
    #[serde(default)]
    pub ram_total_mib: u64,
    /// Of it, kept for the host itself: no server is promised any, in MiB.
    #[serde(default)]
    pub ram_reserve_mib: u64,
    /// Of the pool, likewise, in GiB.
    #[serde(default)]
    pub disk_reserve_gib: u64,
    /// The pool; none when it cannot be used.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub pool: Option<PoolStatus>,
    /// Of the processors' time since the last look, what was spent, in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_busy_percent: Option<u8>,
    /// Of that time, what another guest of the machine's own host took away (steal), in percent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_steal_percent: Option<u8>,
    /// Of the last minute, for how much something waited for a disk, in percent (the kernel's PSI).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk_pressure_percent: Option<u8>,
    /// What can still be written to the agent's own folder, in bytes: 0 when it is mounted read-only; none where an older agent
    /// does not tell.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub state_free_bytes: Option<u64>,
    /// The bridge to the public network; none when the interfaces could not be listed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub bridge: Option<BridgeState>,
    /// Whether guests can be plugged in at all; none where an older agent does not tell, or it could not be tried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub adapters: Option<AdapterState>,
}

/// Below this an agent may not be able to write down the next spec: a thousand of them are a few MiB.
const STATE_BYTES_MIN: u64 = 16 << 20;

impl HostStatus {
    /// Whether the host is about to take over no spec any more.
    #[must_use]
    pub fn is_state_full(&self) -> bool {
        self.state_free_bytes.is_some_and(|free| free < STATE_BYTES_MIN)
    }
}

/// Whether guests' frames can leave a host by its public bridge.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum BridgeState {
    /// They can.
    Ready,
    /// There is no such bridge.
    Missing,
    /// It is down: not even guests of the host reach each other.
    Down,
    /// None of its ports leads anywhere but to guests.
    NoUplink,
    /// It has such a port, and none of them is up and has a carrier.
    UplinkDown,
    /// What a newer program says and this one does not know.
    #[serde(other)]
    Unknown,
}

impl BridgeState {
    /// Whether guests cannot even be connected to each other.
    #[must_use]
    pub fn is_missing(self) -> bool {
        matches!(self, Self::Missing | Self::Down)
    }

    /// Whether guests reach each other and, unless the host itself is their way out, nobody else.
    #[must_use]
    pub fn is_without_uplink(self) -> bool {
        matches!(self, Self::NoUplink | Self::UplinkDown)
    }
}

/// Whether a host has what guests' adapters need.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum AdapterState {
    /// It has.
    Ready,
    /// No tap can be made, or its kernel or its nft does not take the filters of a server: none can start.
    NoFilters,
    /// Its kernel cannot hold a server to a rate: none that has one can start.
    NoShaping,
    /// What a newer program says and this one does not know.
    #[serde(other)]
    Unknown,
}

/// Nearly nothing, however large the pool is: a twentieth of a large one would hold many servers.
const LITTLE_BYTES: u64 = 2 << 30;

/// A pool, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct PoolStatus {
    /// Size of its file system.
    pub total_bytes: u64,
    /// What is free in it now.
    pub free_bytes: u64,
    /// What servers' disks, those in the trash too, may still grow by.
    pub growth_bytes: u64,
    /// What deleted disks occupy.
    pub trash_bytes: u64,
    /// What cached images occupy.
    pub images_bytes: u64,
}

impl PoolStatus {
    /// Whether guests are about to be paused: less is free than their disks may still grow by, so something else took what
    /// they were promised; or nearly nothing is free at all.
    #[must_use]
    pub fn is_filling(&self) -> bool {
        let little = (self.total_bytes / 20).min(LITTLE_BYTES);
        self.free_bytes < self.growth_bytes || self.free_bytes < little
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_status_of_another_version_is_read() {
        let mut status = HostStatus { bridge: Some(BridgeState::NoUplink), ..HostStatus::default() };
        let mut told = serde_json::to_value(&status).unwrap();
        assert_eq!(told["bridge"], "no_uplink");
        told["bridge"] = "on_the_moon".into();
        status.bridge = Some(BridgeState::Unknown);
        assert_eq!(serde_json::from_value::<HostStatus>(told.clone()).unwrap(), status, "of a newer agent");
        assert!(!BridgeState::Unknown.is_missing() && !BridgeState::Unknown.is_without_uplink(), "it alarms nobody");
        told["adapters"] = "by_telepathy".into();
        status.adapters = Some(AdapterState::Unknown);
        assert_eq!(serde_json::from_value::<HostStatus>(told.clone()).unwrap(), status);
        for newer in ["bridge", "adapters"] {
            told.as_object_mut().unwrap().remove(newer);
        }
        (status.bridge, status.adapters) = (None, None);
        assert_eq!(serde_json::from_value::<HostStatus>(told).unwrap(), status, "of an older one");
    }

    #[test]
    fn a_host_says_so_before_it_can_write_down_nothing_more() {
        let with = |state_free_bytes| HostStatus { state_free_bytes, ..HostStatus::default() };
        assert!(with(Some(0)).is_state_full() && with(Some((16 << 20) - 1)).is_state_full());
        assert!(!with(Some(16 << 20)).is_state_full() && !with(None).is_state_full());
    }

    #[test]
    fn a_pool_is_filling_before_its_guests_are_hurt() {
        let pool = PoolStatus { total_bytes: 1000, free_bytes: 400, growth_bytes: 300, ..PoolStatus::default() };
        assert!(!pool.is_filling());
        assert!(PoolStatus { free_bytes: 299, ..pool }.is_filling(), "a promise can no longer be kept");
        assert!(PoolStatus { growth_bytes: 0, free_bytes: 49, ..pool }.is_filling());
        assert!(!PoolStatus { growth_bytes: 0, free_bytes: 50, ..pool }.is_filling());
        let large = PoolStatus { total_bytes: 1 << 40, free_bytes: 2 << 30, growth_bytes: 1 << 30, ..pool };
        assert!(!large.is_filling(), "what was promised is there");
        assert!(PoolStatus { free_bytes: (2 << 30) - 1, ..large }.is_filling());
    }
}
