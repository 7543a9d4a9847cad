//! Turns what went wrong on the host into what is reported: a code for programs, the whole story for the operator.

use std::{error::Error, io::ErrorKind, net::Ipv4Addr};

use csp_shared::observed::{Fault, FaultCode};

use crate::{
    hypervisor::HypervisorError,
    network::NetworkError,
    storage::{
        disk::DiskError, download::DownloadError, image_cache::ImageError, pool::PoolError, seal::SealError,
        seed_image::SeedError,
    },
};

/// An error that knows what it means to the control plane.
pub trait Coded: Error {
    /// Its meaning.
    fn code(&self) -> FaultCode;

    /// The address that it is about, if it is about one.
    fn address(&self) -> Option<Ipv4Addr> {
        None
    }
}

/// The report of an error and all its causes.
pub fn of(error: &(impl Coded + 'static)) -> Fault {
    Fault::new(error.code(), &story(error)).about(error.address())
}

/// An error and its causes in one line.
#[must_use]
pub fn story(error: &(dyn Error + 'static)) -> String {
    let mut story = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        story.push_str(": ");
        story.push_str(&error.to_string());
        cause = error.source();
    }
    story
}

/// A full disk is not the agent's fault, and passes.
fn of_io(source: &std::io::Error) -> FaultCode {
    match source.kind() {
        ErrorKind::StorageFull | ErrorKind::QuotaExceeded => FaultCode::PoolFull,
        ErrorKind::ReadOnlyFilesystem => FaultCode::PoolReadOnly,
        _ => FaultCode::Internal,
    }
}

impl Coded for PoolError {
    fn code(&self) -> FaultCode {
        match self {
            Self::NoId { .. }
            | Self::DamagedId { .. }
            | Self::OtherId { .. }
            | Self::NotEmpty { .. }
            | Self::NoNote { .. }
            | Self::Io { .. } => FaultCode::PoolMissing,
            Self::ReadOnly { .. } => FaultCode::PoolReadOnly,
        }
    }
}

impl Coded for ImageError {
    fn code(&self) -> FaultCode {
        match self {
            Self::Download(DownloadError::Unreachable { .. }) => FaultCode::ImageUnreachable,
            Self::Download(DownloadError::OtherLength { .. }) => FaultCode::ImageLength,
            Self::LargerThanPool { .. } => FaultCode::ImageTooLarge,
            Self::Download(DownloadError::Write(source)) | Self::Io { source, .. } => of_io(source),
            Self::Download(DownloadError::Cancelled) | Self::Unreadable(_) | Self::Stopping => FaultCode::Internal,
            Self::Checksum { .. } => FaultCode::ImageChecksum,
            Self::Invalid { .. } | Self::NotRaw { .. } | Self::TooLarge(_) => FaultCode::ImageInvalid,
            Self::Sealed { reason, .. } => reason.code(),
            Self::Room(_) => FaultCode::PoolFull,
            Self::Pool(error) => error.code(),
        }
    }
}

impl Coded for SealError {
    fn code(&self) -> FaultCode {
        match self {
            Self::Damaged(_) => FaultCode::ImageInvalid,
            Self::Room(_) => FaultCode::PoolFull,
            Self::Pool(error) => error.code(),
            Self::Tool(_) => FaultCode::Internal,
            Self::Io { source, .. } => of_io(source),
        }
    }
}

impl Coded for DiskError {
    fn code(&self) -> FaultCode {
        match self {
            Self::Pool(error) => error.code(),
            Self::Room(_) => FaultCode::PoolFull,
            Self::ImageTooLarge { .. } => FaultCode::ImageTooLarge,
            Self::Tool { .. } => FaultCode::Internal,
            Self::InTheWay(_) => FaultCode::DiskDamaged,
            Self::Io { source, .. } => of_io(source),
        }
    }
}

impl Coded for SeedError {
    fn code(&self) -> FaultCode {
        match self {
            Self::Pool(error) => error.code(),
            Self::Tool { .. } => FaultCode::SeedRefused,
            Self::Io { source, .. } => match of_io(source) {
                FaultCode::Internal => FaultCode::SeedRefused,
                pools => pools,
            },
        }
    }
}

impl Coded for NetworkError {
    fn code(&self) -> FaultCode {
        match self {
            Self::AddressInUse { .. } => FaultCode::AddressInUse,
            Self::NoSegment(_) => FaultCode::PrivateNetworkMissing,
            Self::NotConfigured(_)
            | Self::NoUnderlay(_)
            | Self::NoUnderlayAddress { .. }
            | Self::SmallUnderlay { .. }
            | Self::NoTrunk(_)
            | Self::UsedTrunk(_)
            | Self::OwnTag { .. }
            | Self::NoVlanFiltering => FaultCode::SegmentUnavailable,
            Self::NoShaping { .. } => FaultCode::ShapingUnsupported,
            _ => FaultCode::NetworkRefused,
        }
    }

    fn address(&self) -> Option<Ipv4Addr> {
        match self {
            Self::AddressInUse { address, .. } => Some(*address),
            _ => None,
        }
    }
}

impl Coded for HypervisorError {
    fn code(&self) -> FaultCode {
        match self {
            Self::Away { .. } | Self::TooSlow(_) => FaultCode::HypervisorAway,
            Self::Refused { .. } | Self::TooManyCpus { .. } => FaultCode::HypervisorRefused,
            Self::Failed { .. } | Self::Running(_) | Self::Io { .. } => FaultCode::Internal,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_story_tells_every_cause_once() {
        let source = std::io::Error::new(ErrorKind::StorageFull, "no space");
        let error = DiskError::Io { path: "/pool/disks/x".into(), source };
        let fault = of(&error);
        assert_eq!(fault.code, FaultCode::PoolFull);
        assert_eq!(fault.detail, "cannot handle the disk /pool/disks/x: no space");
        assert!(!fault.lasting);
    }
}
