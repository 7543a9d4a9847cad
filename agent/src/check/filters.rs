//! Whether taps and the filters in front of them can be made: tried on a tap that vanishes with the trial.

use csp_shared::{id::ServerId, mac::Mac};
use uuid::Uuid;

use super::Finding;
use crate::{
    host_machine::fault::story,
    machine::Mark,
    network::{
        filter_rules::{self, ServerFilters},
        gate::Gates,
        host_addresses::HostAddresses,
        nft,
        tap_device::NewTap,
        tap_name::TapName,
    },
};

const FILTERS: &str = "filters";

/// What was found out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Filters {
    /// A tap could be made, or why not.
    pub tap: Result<(), String>,
    /// The kernel would take the filters of a server, or why not. Not tried without a tap.
    pub rules: Option<Result<(), String>>,
}

/// Makes a tap for a moment and has the kernel check the filters of a server behind it, without loading them.
pub async fn probe() -> Filters {
    let done = tokio::task::spawn_blocking(|| {
        // Another check at the same time has another process id, and so another tap.
        let server = ServerId(Uuid::from_u128(u128::from(std::process::id())));
        let mac = Mac::for_guest([0; 4]);
        let tap = match NewTap::create(&TapName::of(server, mac)) {
            Ok(tap) => tap,
            Err(error) => return Filters { tap: Err(story(&error)), rules: None },
        };
        let own = vec![[192, 0, 2, 1].into()];
        let filters = ServerFilters {
            server,
            own,
            macs: vec![mac],
            smtp_open: false,
            private: Vec::new(),
            gates: Gates::default(),
            mark: Mark(0),
        };
        let mut commands = filter_rules::load(&filters, &[]);
        commands.extend(HostAddresses::default().rules("br-public"));
        let rules = nft::try_out("try the filters of a server", &commands);
        drop(tap);
        Filters { tap: Ok(()), rules: Some(rules.map_err(|error| story(&error))) }
    });
    done.await.unwrap_or_else(|error| Filters { tap: Err(error.to_string()), rules: None })
}

/// Judges whether guests can be plugged in safely.
#[must_use]
pub fn judge(filters: &Filters) -> Finding {
    match (&filters.tap, &filters.rules) {
        (Err(reason), _) => Finding::fault(
            FILTERS,
            format!("no tap can be made: {reason}"),
            "run as root and load the module tun (`modprobe tun`)",
        ),
        (Ok(()), Some(Ok(()))) => Finding::ok(FILTERS, "the kernel takes the filters of a server"),
        (Ok(()), Some(Err(reason))) => Finding::fault(
            FILTERS,
            format!("the kernel does not take the filters of a server: {reason}"),
            "install nftables, and run Linux 6.1 or newer with nf_tables for netdev (ingress, egress), \
             bridge, arp and ip (fib)",
        ),
        (Ok(()), None) => Finding::fault(FILTERS, "the filters were not tried", "run the check again"),
    }
}
