//! Finds out whether KVM runs guests here, by running one.
//!
//! `/dev/kvm` and libvirt's capabilities say that it should; a nested or broken KVM says so too. So a guest without
//! disk or network is started for a moment. It vanishes with the connection, whatever happens to the agent.

use std::{thread, time::Duration};

use csp_shared::message::Virt;
use virt::{connect::Connect, domain::Domain, error::Error, sys};

use super::{HypervisorError, connection::Connection, xml::Element};

const NAME_PREFIX: &str = "csp-probe-";
/// A KVM that cannot run guests stops them at their first instructions.
const WATCHED: Duration = Duration::from_millis(500);

/// Whether a domain is a probe of ours (of any agent on this host).
#[must_use]
pub fn is_probe(name: &str) -> bool {
    name.starts_with(NAME_PREFIX)
}

/// What a probe found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Probed {
    /// The guest ran.
    Runs,
    /// It did not, and what libvirt said.
    Fails(String),
}

/// Starts a guest of that kind for a moment. Blocks.
///
/// # Errors
/// When libvirt does not answer: then nothing is known.
pub fn run(connection: &Connection, virt: Virt) -> Result<Probed, HypervisorError> {
    let probed = connection.with("start a probe guest", |connect| try_guest(connect, &definition(virt)));
    match probed {
        Ok(probed) => Ok(probed),
        Err(HypervisorError::Refused { source, .. } | HypervisorError::Failed { source, .. }) => {
            Ok(Probed::Fails(source.message().to_owned()))
        }
        Err(away) => Err(away),
    }
}

fn try_guest(connect: &Connect, xml: &str) -> Result<Probed, Error> {
    let domain = Domain::create_xml(connect, xml, sys::VIR_DOMAIN_START_AUTODESTROY)?;
    thread::sleep(WATCHED);
    let (state, reason) = domain.get_state()?;
    domain.destroy()?;
    Ok(match state {
        sys::VIR_DOMAIN_RUNNING => Probed::Runs,
        other => Probed::Fails(format!("the probe guest stopped at once (state {other}, reason {reason})")),
    })
}

/// The smallest guest that executes anything: firmware that finds no disk.
fn definition(virt: Virt) -> String {
    let kind = match virt {
        Virt::Kvm => "kvm",
        Virt::Qemu => "qemu",
    };
    let name = format!("{NAME_PREFIX}{}", std::process::id());
    let none = |kind: &'static str| Element::new("controller").with("type", kind).with("model", "none");
    Element::new("domain")
        .with("type", kind)
        .child(Element::new("name").text(name))
        .child(Element::new("memory").with("unit", "MiB").text(32))
        .child(Element::new("vcpu").text(1))
        .child(Element::new("os").child(Element::new("type").with("arch", "x86_64").with("machine", "q35").text("hvm")))
        .child(Element::new("devices").child(none("usb")).child(Element::new("memballoon").with("model", "none")))
        .to_text()
        .unwrap_or_default() // plain values: cannot fail
}
