//! Adapters that a running guest is given, and that it is asked to give up.
//!
//! For this boot alone: the definition of the next one is made from the spec. A guest need not answer when an adapter is
//! to go, so nobody waits for that; its tap was cut off before, and that is the proof.

use std::io;

use csp_shared::{id::ServerId, mac::Mac};
use virt::{
    domain::Domain,
    error::{Error, ErrorNumber},
    sys,
};

use super::{HypervisorError, domain_facts::DomainFacts, domain_xml, libvirt::Libvirt};

impl Libvirt {
    /// Plugs the adapter in. Done when the guest has it, or is off.
    ///
    /// # Errors
    /// When libvirt does not answer, or the guest has no port for it.
    pub fn attach_nic(&self, server: ServerId, mac: Mac) -> Result<(), HypervisorError> {
        let xml = xml(server, mac)?;
        self.on_active(server, "give the guest an adapter", |domain| {
            if has(domain, mac)? {
                return Ok(());
            }
            domain.attach_device_flags(&xml, sys::VIR_DOMAIN_AFFECT_LIVE).map(drop)
        })
    }

    /// Asks the guest to give the adapter up; whether it did so at once.
    ///
    /// # Errors
    /// When libvirt does not answer.
    pub fn detach_nic(&self, server: ServerId, mac: Mac) -> Result<bool, HypervisorError> {
        let xml = xml(server, mac)?;
        let mut is_gone = true;
        self.on_active(server, "ask the guest to give an adapter up", |domain| {
            match domain.detach_device_flags(&xml, sys::VIR_DOMAIN_AFFECT_LIVE) {
                // It was asked already, and takes its time.
                Err(error) if error.code() == ErrorNumber::OperationFailed => {}
                Err(error) if error.code() == ErrorNumber::DeviceMissing => {}
                asked => drop(asked?),
            }
            is_gone = !has(domain, mac)?;
            Ok(())
        })?;
        Ok(is_gone)
    }
}

fn has(domain: &Domain, mac: Mac) -> Result<bool, Error> {
    Ok(DomainFacts::read(&domain.get_xml_desc(0)?).macs.contains(&mac))
}

fn xml(server: ServerId, mac: Mac) -> Result<String, HypervisorError> {
    // Plain values: the serializer cannot fail.
    let written = domain_xml::interface(server, mac).to_text();
    written.map_err(|source: io::Error| HypervisorError::Io { path: "the adapter's XML".into(), source })
}
