//! Why something is not as it was asked for, in words for its customer.

use csp_shared::observed::{Fault, FaultCode};

use super::action::Command;

/// The code of an order that was late for a reason that nobody knows.
pub const LATE: &str = "provision_timeout";

/// Code and words for an order that was not running in time. What stood in its way last is the reason, if its host said
/// so: a fault that might have passed and was tried again until there was no time left.
#[must_use]
pub fn late(last: Option<&Fault>) -> (&'static str, String) {
    let reason = last.map_or("The server was not running in time.", |fault| explain(fault.code));
    (last.map_or(LATE, |fault| fault.code.as_str()), refunded(reason))
}

/// What a customer is told of a fault. The host's own words may name its things and go to the operator alone.
#[must_use]
pub fn explain(code: FaultCode) -> &'static str {
    match code {
        FaultCode::ImageUnreachable => "The image could not be fetched.",
        FaultCode::ImageChecksum => "The image is damaged at its source; the provider was told.",
        FaultCode::ImageLength => "The image's file is not as long as it should be; the provider was told.",
        FaultCode::ImageTooLarge => {
            "The image does not fit on the package's disk: choose another image or a larger package."
        }
        FaultCode::ImageInvalid => "The image cannot be used; the provider was told.",
        FaultCode::PoolFull => "The host has no room for the disk.",
        FaultCode::PoolMissing => "The host's storage is not there; the provider was told.",
        FaultCode::PoolReadOnly => "The host's storage takes no writes; the provider was told.",
        FaultCode::DiskMissing => {
            "The server's disk is not in its place on its host. Until the provider, who was told, brings it back, the server is \
             not started, and not stopped either where that would lose what is on it."
        }
        FaultCode::DiskDamaged => "The server's disk cannot be read; the provider was told, and nothing was changed.",
        FaultCode::DiskElsewhere => {
            "The server's disk was moved on its host. Until the provider, who was told, brings it back, the server is not \
             started anew, and not stopped either where that would lose what is on it."
        }
        FaultCode::BaseMissing => {
            "The image that the server was made from cannot be had just now; the provider was told, and the disk is kept."
        }
        FaultCode::SeedRefused => "The host could not prepare the server's settings; the provider was told.",
        FaultCode::HypervisorRefused | FaultCode::HypervisorAway => "The host could not start the server.",
        FaultCode::NetworkRefused => "The host could not connect the server to its network.",
        FaultCode::PrivateNetworkMissing | FaultCode::SegmentUnavailable => {
            "The host could not connect the server to its private network; the provider was told."
        }
        FaultCode::ShapingUnsupported => "The host could not give the server its network rate; the provider was told.",
        FaultCode::AddressInUse => {
            "The address chosen for the server is in use by another machine; the provider was told."
        }
        FaultCode::CrashLoop => "The server crashed several times in a row, so it is kept off. Start it to try again.",
        FaultCode::Internal => "The host could not do it; the provider was told.",
    }
}

/// Code and words for what keeps a server in service from being as it is to be, by its host's newest word.
#[must_use]
pub fn trouble(code: FaultCode) -> (&'static str, &'static str) {
    let words = match code {
        FaultCode::PoolFull => {
            "The host has no room for what the server writes. It goes on when there is; the provider was told."
        }
        _ => explain(code),
    };
    (code.as_str(), words)
}

/// The code of a request that its host did not confirm in time.
pub const UNCONFIRMED: &str = "action_timeout";

/// Code and words for what a host that was given up can no longer do.
pub const HOST_LOST: (&str, &str) =
    ("host_lost", "The server's host was lost, and the server with it. What was paid for this was given back.");

/// Code and words for an address whose server was removed before it came there.
pub const TARGET_GONE: (&str, &str) = (
    "target_gone",
    "The server that the address was to go to cannot take it any more. It stays where it was, and what was charged for this was \
     given back.",
);

/// Code and words for an address that was not added or moved, and what its host said last.
#[must_use]
pub fn not_plugged(last: Option<FaultCode>) -> (&'static str, String) {
    let reason = last.map_or("The host did not confirm it in time.", explain);
    let end = "The server's addresses are as they were, and what was charged for this was given back.";
    (last.map_or(UNCONFIRMED, FaultCode::as_str), format!("{reason} {end}"))
}

/// Code and words for a reinstall or a package change that was taken back, and what its host said last. Once the new disk
/// is there it stays. A reinstall costs nothing.
#[must_use]
pub fn taken_back(last: Option<FaultCode>, is_swapped: bool, is_charged: bool) -> (&'static str, String) {
    let reason = last.map_or("The host did not confirm it in time.", explain);
    let disk = if is_swapped { "The disk had been made anew by then." } else { "The server is as it was before." };
    (last.map_or(UNCONFIRMED, FaultCode::as_str), format!("{reason} {disk}{}", given_back(is_charged)))
}

/// Code and words for a change that was to erase a disk, and was taken back since its server was locked as an abuse: under that
/// nothing is deleted.
#[must_use]
pub fn held_back(is_charged: bool) -> (&'static str, String) {
    let reason = "The server was suspended while an abuse is looked into, and no disk is erased under that.";
    ("server_suspended", format!("{reason} Its disk is as it was before.{}", given_back(is_charged)))
}

fn given_back(is_charged: bool) -> &'static str {
    if is_charged { " What was charged for this was given back." } else { "" }
}

/// What a customer is told of a request that its host cannot fulfil now. A stop or a restart is no less wanted for that: the
/// host does it once it can.
#[must_use]
pub fn not_done(code: FaultCode, command: Command) -> String {
    let reason = explain(code);
    match command {
        Command::Stop | Command::Restart => {
            format!("{reason} The {} stays asked for, and is done when that is mended.", command.as_str())
        }
        _ => reason.to_owned(),
    }
}

/// Code and words for an order that its host cannot fulfil.
#[must_use]
pub fn refused(code: FaultCode) -> (&'static str, String) {
    (code.as_str(), refunded(explain(code)))
}

fn refunded(reason: &str) -> String {
    format!("{reason} The order was refunded.")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_stop_for_which_a_disk_would_be_lost_is_told_with_its_reason_and_that_it_stays_asked_for() {
        let kept = "and not stopped either where that would lose what is on it.";
        for code in [FaultCode::DiskMissing, FaultCode::DiskElsewhere] {
            let told = |command| not_done(code, command);
            assert!(told(Command::Start).ends_with(kept), "{}", told(Command::Start));
            assert_eq!(
                told(Command::Stop),
                format!("{} The stop stays asked for, and is done when that is mended.", explain(code))
            );
        }
    }

    #[test]
    fn a_late_order_tells_what_stood_in_its_way_and_not_the_hosts_own_words() {
        let fault = Fault::new(FaultCode::PoolFull, "/var/lib/csp/pool has 12 bytes");
        let words = "The host has no room for the disk. The order was refunded.";
        assert_eq!(late(Some(&fault)), ("pool_full", words.to_owned()));
        assert_eq!(late(None).0, "provision_timeout");
    }
}
