//! Whether the host's own shutdown saves guests' memory to disk.
//!
//! `libvirt-guests` does so with `ON_SHUTDOWN=suspend`. csp boots every guest afresh, since a saved one would go on from a
//! definition and a seed that are gone: with this setting each reboot of the host is a power cut for its guests, after all
//! their memory was written to the disk of the system.

use std::path::Path;

use super::Finding;

const HOST_SHUTDOWN: &str = "host shutdown";
const KEY: &str = "ON_SHUTDOWN";
/// Where systemd links the units that start with the host.
const ENABLED: [&str; 2] = [
    "/etc/systemd/system/multi-user.target.wants/libvirt-guests.service",
    "/lib/systemd/system/multi-user.target.wants/libvirt-guests.service",
];
/// The script with its own default, under the names that distributions give it, and then the settings that it reads.
const FILES: [&str; 4] = [
    "/usr/lib/libvirt/libvirt-guests.sh",
    "/usr/libexec/libvirt-guests.sh",
    "/etc/default/libvirt-guests",
    "/etc/sysconfig/libvirt-guests",
];

/// What `libvirt-guests` does when the host goes down.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Guests {
    /// It is not installed, or does not start with the host.
    Absent,
    /// As its settings say; empty where none says anything.
    Does(String),
}

/// Looks.
#[must_use]
pub fn probe() -> Guests {
    if !ENABLED.iter().any(|link| Path::new(link).symlink_metadata().is_ok()) {
        return Guests::Absent;
    }
    let texts = FILES.iter().filter_map(|file| std::fs::read_to_string(file).ok());
    Guests::Does(texts.filter_map(|text| setting(&text)).next_back().unwrap_or_default())
}

/// Judges what was seen.
#[must_use]
pub fn judge(guests: &Guests) -> Finding {
    match guests {
        Guests::Absent => Finding::ok(HOST_SHUTDOWN, "libvirt-guests does not run; guests end with the host"),
        Guests::Does(how) if how == "suspend" => Finding::warning(
            HOST_SHUTDOWN,
            "libvirt-guests saves guests' memory when the host goes down (ON_SHUTDOWN=suspend), and csp drops it: they boot as \
             after a power cut",
            "set ON_SHUTDOWN=shutdown in /etc/default/libvirt-guests (/etc/sysconfig/libvirt-guests)",
        ),
        Guests::Does(_) => Finding::ok(HOST_SHUTDOWN, "libvirt-guests saves no guest's memory when the host goes down"),
    }
}

/// The last value that a shell script gives the setting, at the beginning of a line.
fn setting(text: &str) -> Option<String> {
    let values = text.lines().filter_map(|line| line.trim_start().strip_prefix(KEY)?.strip_prefix('='));
    let word = |value: &str| value.split_whitespace().next().unwrap_or_default().trim_matches(['"', '\'']).to_owned();
    values.map(word).next_back()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn only_a_host_that_saves_its_guests_when_it_goes_down_is_warned_of() {
        let verdict = |text: &str| judge(&Guests::Does(setting(text).unwrap_or_default())).verdict;
        assert_eq!(verdict("ON_BOOT=ignore\nON_SHUTDOWN=suspend\n"), Verdict::Warning);
        assert_eq!(verdict("ON_SHUTDOWN=\"suspend\" # as before\n"), Verdict::Warning);
        assert_eq!(verdict("ON_SHUTDOWN=suspend\nON_SHUTDOWN=shutdown\n"), Verdict::Ok, "the last one counts");
        assert_eq!(verdict("#ON_SHUTDOWN=suspend\n"), Verdict::Ok);
        assert_eq!(judge(&Guests::Absent).verdict, Verdict::Ok);
    }
}
