//! What a reinstall and another package change of a server, and what becomes of it when the host cannot do it.
//!
//! What was before is kept beside what is wanted, so that a change can be taken back. Taking back a disk is a race with its
//! host, which may be swapping the disks at that moment; only the host's answer tells how it ended ([`judge`]).

use csp_shared::{
    generation::{BootEpoch, DiskEpoch, StartEpoch, Version},
    id::{ImageId, PackageId, SshKeyId},
    observed::{FaultCode, Observed},
    spec::{Power, ServerSpec},
};
use serde::{Deserialize, Serialize};

use super::traffic::Quota;

/// What was sold and chosen, as far as such a change touches it. Sizes stand in the spec.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sold {
    /// Which package.
    pub package: PackageId,
    /// What a month of it costs.
    pub monthly_cents: i64,
    /// The operator promised to keep that price.
    pub price_fixed: bool,
    /// What is installed.
    pub image: ImageId,
    /// The chosen key, while the account has it.
    pub ssh_key: Option<SshKeyId>,
    /// The chosen key itself.
    pub chosen_key: Option<String>,
    /// Every public key that opens the server.
    pub authorized_keys: Vec<String>,
    /// What it may carry a month.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub traffic: Option<Quota>,
}

/// A server as it is sold, and as its host makes it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Shape {
    /// The service's side.
    pub sold: Sold,
    /// The host's side.
    pub spec: ServerSpec,
}

/// The spec that gives `current` the size of `wanted`, and its disk too unless the present one is kept. The version is the
/// caller's to raise; whatever else was asked meanwhile, as a lock, stays.
#[must_use]
pub fn reshaped(current: &ServerSpec, wanted: &ServerSpec, keeps_disk: bool) -> ServerSpec {
    let mut spec = current.clone();
    (spec.cpus, spec.ram_mib, spec.disk_gib, spec.cpu_use) =
        (wanted.cpus, wanted.ram_mib, wanted.disk_gib, wanted.cpu_use);
    spec.limits = wanted.limits;
    if !keeps_disk {
        (spec.disk_epoch, spec.image, spec.login) = (wanted.disk_epoch, wanted.image.clone(), wanted.login.clone());
        (spec.hostname, spec.power) = (wanted.hostname.clone(), wanted.power);
    }
    // A larger disk alone grows under the guest; everything else is what a guest is started with.
    if (current.cpus, current.ram_mib, current.limits) != (spec.cpus, spec.ram_mib, spec.limits) {
        spec.boot_epoch = BootEpoch::next(spec.boot_epoch);
    }
    spec
}

/// The spec of a server whose disk is made anew: it runs afterwards, whatever it did before, so that what was installed
/// can begin. `asked` is the newest epoch that was ever asked for: one that was given up may have been made.
#[must_use]
pub fn erased(mut spec: ServerSpec, asked: Option<DiskEpoch>) -> ServerSpec {
    spec.disk_epoch = DiskEpoch::next(asked.map_or(spec.disk_epoch, |asked| asked.max(spec.disk_epoch)));
    spec.power = Power::On;
    spec.start_epoch = StartEpoch::next(spec.start_epoch);
    spec
}

/// How a change ended that was given up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GivenUp {
    /// The host has not said.
    Waiting,
    /// The disk from before is the server's, and the newer one never will be.
    Kept,
    /// The newer disk was started before the host heard of it: what was before is in the trash, or on its way there.
    Overtaken,
}

/// Reads a report about a server whose older disk is wanted back. `back` is the version that says so, `disk` that disk.
#[must_use]
pub fn judge(back: Version, disk: DiskEpoch, seen: &Observed) -> GivenUp {
    let is_missing = seen.fault.as_ref().is_some_and(|fault| fault.code == FaultCode::DiskMissing);
    if seen.accepted < back {
        GivenUp::Waiting
    } else if seen.disk_epoch == Some(disk) || seen.reached >= Some(back) {
        GivenUp::Kept
    } else if is_missing && seen.disk_epoch > Some(disk) {
        GivenUp::Overtaken
    } else {
        GivenUp::Waiting
    }
}

#[cfg(test)]
mod tests {
    use csp_shared::{
        generation::{Generation, Incarnation},
        observed::{DomainState, Fault, Remains},
        sha256::Sha256,
    };
    use uuid::Uuid;

    use super::*;

    fn version(generation: u64) -> Version {
        Version { incarnation: Incarnation::FIRST, generation: Generation(generation) }
    }

    #[test]
    fn only_a_host_that_heard_of_it_says_how_a_given_up_change_ended() {
        let seen = |accepted, disk: Option<u32>, fault: Option<FaultCode>| Observed {
            server: csp_shared::id::ServerId(Uuid::from_u128(1)),
            accepted: version(accepted),
            accepted_hash: Sha256([0; 32]),
            reached: Some(version(1)),
            let_go: None,
            domain: DomainState::Running,
            disk_epoch: disk.map(DiskEpoch),
            activity: None,
            arrived_percent: None,
            fault: fault.map(|code| Fault::new(code, "")),
            remains: Remains::UNPROVED,
        };
        let missing = Some(FaultCode::DiskMissing);
        for (name, seen, wanted) in [
            ("it swaps still", seen(2, Some(1), None), GivenUp::Waiting),
            ("it has swapped and not heard", seen(2, Some(2), None), GivenUp::Waiting),
            ("the old disk is there", seen(3, Some(1), None), GivenUp::Kept),
            ("though something else is wrong", seen(3, Some(1), Some(FaultCode::NetworkRefused)), GivenUp::Kept),
            ("the newer one was started", seen(3, Some(2), missing), GivenUp::Overtaken),
            ("its pool is away", seen(3, None, Some(FaultCode::PoolMissing)), GivenUp::Waiting),
            ("both are lost", seen(3, None, missing), GivenUp::Waiting),
        ] {
            assert_eq!(judge(version(3), DiskEpoch(1), &seen), wanted, "{name}");
        }
    }
}
