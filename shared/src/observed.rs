//! What a server is, as its host saw it.

use std::net::Ipv4Addr;

use serde::{Deserialize, Serialize};

use crate::{
    generation::{DiskEpoch, Version},
    id::ServerId,
    limits::FAULT_DETAIL_CHARS_MAX,
    sha256::Sha256,
};

/// One server, seen by its host.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Observed {
    /// Which server.
    pub server: ServerId,
    /// The newest state that the host holds on its disk.
    pub accepted: Version,
    /// Hash of what was accepted.
    pub accepted_hash: Sha256,
    /// The newest state that was brought about in full: once reached it stays reached, whatever the guest does later.
    pub reached: Option<Version>,
    /// The newest state that its cables and filters are of: no adapter and no address that it gave up is left on them, whatever
    /// else stands in the way of that state. Left out when that cannot be said.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub let_go: Option<Version>,
    /// What the domain does now.
    pub domain: DomainState,
    /// Epoch of the disk that is there.
    pub disk_epoch: Option<DiskEpoch>,
    /// What is under way, for people.
    pub activity: Option<Activity>,
    /// How much of the image has arrived, in percent, while it is being fetched.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub arrived_percent: Option<u8>,
    /// Why it cannot go on.
    pub fault: Option<Fault>,
    /// What of the server the host may still hold. A part that could not be looked at counts as there.
    pub remains: Remains,
}

/// What a domain does.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum DomainState {
    /// Not defined, or defined and not running.
    Off,
    /// Its processors run. Says nothing about how far the guest has booted.
    Running,
    /// Stopped in the middle, as by a full disk.
    Paused,
    /// The host could not tell.
    Unknown,
}

/// What a host is doing for a server.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Activity {
    /// Fetching and checking the image.
    FetchingImage,
    /// Making disk, seed, tap, filters and domain.
    Preparing,
    /// Starting the guest.
    Starting,
    /// Waiting for the guest to go down.
    Stopping,
    /// Removing what a tombstone names.
    Removing,
}

/// Why a host cannot bring a server about.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Fault {
    /// For programs.
    pub code: FaultCode,
    /// For the operator; may name the host's things, so customers see the code's meaning alone.
    pub detail: String,
    /// The host does not try again by itself: a new spec, image or disk is needed. Only what its hypervisor refuses to a
    /// server that ran before is tried again, slowly.
    pub lasting: bool,
    /// The address that it is about.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub address: Option<Ipv4Addr>,
}

impl Fault {
    /// A fault whose detail is cut to its bound.
    #[must_use]
    pub fn new(code: FaultCode, detail: &str) -> Self {
        let detail = shortened(detail, FAULT_DETAIL_CHARS_MAX);
        Self { code, detail, lasting: code.is_lasting(), address: None }
    }

    /// The same, about an address.
    #[must_use]
    pub fn about(self, address: Option<Ipv4Addr>) -> Self {
        Self { address, ..self }
    }
}

/// A text of at most `chars_max` characters. What is too much goes from its middle: programs say at the end why they failed.
#[must_use]
pub fn shortened(text: &str, chars_max: usize) -> String {
    const CUT_OUT: &str = " ... ";
    let chars = text.chars().count();
    if chars <= chars_max {
        return text.to_owned();
    }
    let kept = chars_max.saturating_sub(CUT_OUT.len());
    let begins = kept / 2;
    let end = text.chars().skip(chars - (kept - begins));
    text.chars().take(begins).chain(CUT_OUT.chars()).chain(end).take(chars_max).collect()
}

/// The closed list of what goes wrong on a host.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FaultCode {
    /// The image's URL does not answer, or not with the file.
    ImageUnreachable,
    /// The file is not the one that the catalog names.
    ImageChecksum,
    /// The file is shorter or longer than the catalog says.
    ImageLength,
    /// The disk inside it is larger than the server's, or than any of the host.
    ImageTooLarge,
    /// The file is no image of its format, or a damaged one, or one with features that csp refuses.
    ImageInvalid,
    /// The pool has no room for the disk.
    PoolFull,
    /// The pool is not mounted, or is another one.
    PoolMissing,
    /// The pool takes no writes: remounted after an error of its file system, or by hand.
    PoolReadOnly,
    /// A disk that held a customer's data is not there. Never replaced by an empty one.
    DiskMissing,
    /// The file of the server's disk is no disk any more, or one of another image than the spec's. Never replaced either.
    DiskDamaged,
    /// Somebody moved the guest to another file by hand, a snapshot's or a copy's: the server's own disk is older.
    DiskElsewhere,
    /// The image that the server's disk stands on is not in the pool and cannot be had again now.
    BaseMissing,
    /// The seed, from which a guest is set up, could not be written.
    SeedRefused,
    /// libvirt refused the domain.
    HypervisorRefused,
    /// libvirt does not answer.
    HypervisorAway,
    /// Tap, bridge or filter could not be made.
    NetworkRefused,
    /// An adapter of the server is in a private network that its host does not have yet. Its object is on the way, or the
    /// host cannot make it.
    PrivateNetworkMissing,
    /// The host cannot carry private networks of this kind: no trunk, no underlay, or a kernel without what it takes.
    SegmentUnavailable,
    /// The server's rate cannot be held: the kernel lacks what slows a guest's public adapters down.
    ShapingUnsupported,
    /// An address of the server is already in use on its network: somebody answered when it was asked for.
    AddressInUse,
    /// The guest fell five times in ten minutes.
    CrashLoop,
    /// Anything else; the detail says what. So is read what a newer program says and this one does not know.
    #[serde(other)]
    Internal,
}

impl FaultCode {
    /// Whether trying the same again is pointless.
    #[must_use]
    pub fn is_lasting(self) -> bool {
        match self {
            Self::ImageChecksum
            | Self::ImageLength
            | Self::ImageTooLarge
            | Self::ImageInvalid
            | Self::DiskMissing
            | Self::DiskDamaged
            | Self::DiskElsewhere
            | Self::HypervisorRefused
            | Self::AddressInUse
            | Self::CrashLoop => true,
            Self::ImageUnreachable
            | Self::PoolFull
            | Self::PoolMissing
            | Self::PoolReadOnly
            | Self::BaseMissing
            | Self::SeedRefused
            | Self::HypervisorAway
            | Self::NetworkRefused
            | Self::PrivateNetworkMissing
            | Self::SegmentUnavailable
            | Self::ShapingUnsupported
            | Self::Internal => false,
        }
    }

    /// The code as it is written on the wire and in answers.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::ImageUnreachable => "image_unreachable",
            Self::ImageChecksum => "image_checksum",
            Self::ImageLength => "image_length",
            Self::ImageTooLarge => "image_too_large",
            Self::ImageInvalid => "image_invalid",
            Self::PoolFull => "pool_full",
            Self::PoolMissing => "pool_missing",
            Self::PoolReadOnly => "pool_read_only",
            Self::DiskMissing => "disk_missing",
            Self::DiskDamaged => "disk_damaged",
            Self::DiskElsewhere => "disk_elsewhere",
            Self::BaseMissing => "base_missing",
            Self::SeedRefused => "seed_refused",
            Self::HypervisorRefused => "hypervisor_refused",
            Self::HypervisorAway => "hypervisor_away",
            Self::NetworkRefused => "network_refused",
            Self::PrivateNetworkMissing => "private_network_missing",
            Self::SegmentUnavailable => "segment_unavailable",
            Self::ShapingUnsupported => "shaping_unsupported",
            Self::AddressInUse => "address_in_use",
            Self::CrashLoop => "crash_loop",
            Self::Internal => "internal",
        }
    }
}

/// What of a server is still on a host. `false` is a proof, `true` a sight or a doubt: "not seen" is not "absent".
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Remains {
    /// A domain of that name in libvirt.
    pub domain: bool,
    /// A QEMU process of it, looked for in /proc since libvirt may forget one.
    pub process: bool,
    /// Any of its taps.
    pub taps: bool,
    /// Any of its filters.
    pub filters: bool,
    /// A disk outside the trash.
    pub disk: bool,
}

impl Remains {
    /// Nothing was looked at yet, so everything may be there.
    pub const UNPROVED: Self = Self { domain: true, process: true, taps: true, filters: true, disk: true };
    /// Everything was looked for and nothing is there.
    pub const NOTHING: Self = Self { domain: false, process: false, taps: false, filters: false, disk: false };

    /// Whether the server's addresses and its share of the host can be given back.
    #[must_use]
    pub fn is_nothing(self) -> bool {
        self == Self::NOTHING
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_detail_keeps_what_it_begins_with_and_the_cause_at_its_end() {
        let said = |middle: usize| format!("internal error: {}: Permission denied", "é".repeat(middle));
        let whole = said(FAULT_DETAIL_CHARS_MAX - said(0).chars().count());
        assert_eq!(Fault::new(FaultCode::HypervisorRefused, &whole).detail, whole, "it fits to the last character");
        for more in [1, 2, 7, 5000] {
            let detail = Fault::new(FaultCode::HypervisorRefused, &said(FAULT_DETAIL_CHARS_MAX + more)).detail;
            assert_eq!(detail.chars().count(), FAULT_DETAIL_CHARS_MAX);
            assert!(detail.starts_with("internal error: é") && detail.contains("é ... é"), "{detail}");
            assert!(detail.ends_with("é: Permission denied"), "{detail}");
        }
        for (chars_max, left) in [(0, ""), (3, " .."), (5, " ... "), (6, " ... j"), (8, "a ... ij"), (10, "abcdefghij")]
        {
            assert_eq!(shortened("abcdefghij", chars_max), left);
        }
    }

    #[test]
    fn a_code_of_a_newer_program_is_read_as_anything_else() {
        let newer = r#"{"code": "moon_in_the_way", "detail": "it is", "lasting": true}"#;
        let fault: Fault = serde_json::from_str(newer).unwrap();
        assert_eq!((fault.code, fault.lasting), (FaultCode::Internal, true), "and it lasts as its host says");
        assert_eq!(serde_json::to_string(&FaultCode::BaseMissing).unwrap(), "\"base_missing\"");
        assert_eq!(serde_json::from_str::<FaultCode>("\"disk_damaged\"").unwrap(), FaultCode::DiskDamaged);
    }
}
