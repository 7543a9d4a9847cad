//! What a host measured of a server over a short time.
//!
//! Samples carry what moved and how long that took, not rates and not counters: sums of them are exact over any span, so
//! that every roll-up is an addition, and a counter's reset is the business of the host alone, which sees its cause. They
//! carry no time of day: a host's clock is trusted nowhere, so who hears a sample says when that was.
//!
//! Directions are the guest's: what it received, what it sent.

use serde::{Deserialize, Serialize};

use crate::id::ServerId;

/// One server, over the time that ended just now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sample {
    /// Which one.
    pub server: ServerId,
    /// How long was counted, in milliseconds; at most [`crate::limits::SAMPLE_MS_MAX`].
    pub over_ms: u32,
    /// Processor time that the guest cost the host, in nanoseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cpu_ns: Option<u64>,
    /// Its memory now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory: Option<Memory>,
    /// What its disk did. None when the guest's monitor was busy: nobody waits for that.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub disk: Option<DiskMoved>,
    /// What all its adapters carried.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub network: Option<NetworkMoved>,
}

/// A server's memory, in KiB.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// What the guest has.
    pub assigned_kib: u64,
    /// What of the host's memory its process holds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub resident_kib: Option<u64>,
    /// What the guest itself says is in use and cannot be given up. None when the guest has no driver that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub used_kib: Option<u64>,
}

/// What a disk did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DiskMoved {
    /// Bytes that the guest read.
    pub read_bytes: u64,
    /// In how many requests.
    pub read_requests: u64,
    /// Bytes that the guest wrote.
    pub write_bytes: u64,
    /// In how many requests.
    pub write_requests: u64,
    /// What the disk takes of the host's pool now, in bytes, beside its image.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub allocated_bytes: Option<u64>,
}

/// What adapters carried.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct NetworkMoved {
    /// Bytes that came to the guest.
    pub received_bytes: u64,
    /// In how many packets.
    pub received_packets: u64,
    /// Bytes that the guest sent.
    pub sent_bytes: u64,
    /// In how many packets.
    pub sent_packets: u64,
}
