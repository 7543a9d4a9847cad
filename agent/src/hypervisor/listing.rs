//! Every domain at once, ours or not: what an audit compares.

use csp_shared::{
    audit::{HeldDomain, HeldGuest},
    observed::DomainState,
};
use virt::{
    domain::Domain,
    error::{Error, ErrorNumber},
};

use super::{
    HypervisorError,
    domain_facts::DomainFacts,
    libvirt::{Libvirt, read_metadata},
    power_state, probe,
};
use crate::machine::SeenState;

/// libvirt counts memory in KiB.
const KIB_PER_MIB: u64 = 1024;

impl Libvirt {
    /// Every domain but a probe. Blocks.
    ///
    /// # Errors
    /// When libvirt does not answer: then nobody knows.
    pub fn list(&self) -> Result<Vec<HeldDomain>, HypervisorError> {
        self.connection.with("list the domains", |connect| {
            let mut held = Vec::new();
            for domain in connect.list_all_domains(0)? {
                match look(&domain) {
                    Ok(one) if probe::is_probe(&one.name) => {}
                    Ok(one) => held.push(one),
                    Err(error) if error.code() == ErrorNumber::NoDomain => {} // it went away meanwhile
                    Err(error) => return Err(error),
                }
            }
            Ok(held)
        })
    }
}

fn look(domain: &Domain) -> Result<HeldDomain, Error> {
    let (state, reason) = domain.get_state()?;
    let epochs = read_metadata(domain)?.epochs;
    let facts = DomainFacts::read(&domain.get_xml_desc(0)?);
    let (info, DomainFacts { macs, disks, links_down, disk_bounds, .. }) = (domain.get_info()?, facts);
    Ok(HeldDomain {
        name: domain.get_name()?,
        state: match power_state::read(state, reason, false) {
            SeenState::Running => DomainState::Running,
            SeenState::Paused => DomainState::Paused,
            SeenState::Off(_) => DomainState::Off,
        },
        macs,
        start: epochs.start,
        boot: epochs.boot,
        disk: epochs.disk,
        guest: Some(HeldGuest {
            cpus: info.nr_virt_cpu,
            ram_mib: info.memory / KIB_PER_MIB,
            disks,
            persistent: domain.is_persistent()?,
            autostart: domain.get_autostart()?,
            links_down,
            disk_bounds: Some(disk_bounds),
        }),
    })
}
