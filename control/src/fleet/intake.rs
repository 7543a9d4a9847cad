//! Bounds on what a host says, checked before anything is stored.
//!
//! A host may be in a stranger's hands: what it sends is as foreign as a customer's request, and in the end an operator
//! reads it on a terminal.

use csp_shared::{
    compat,
    host_status::{CPU_MODEL_CHARS_MAX, HostStatus, NUMA_CELLS_MAX},
    limits::{FAULT_DETAIL_CHARS_MAX, INVENTORY_ENTRIES_MAX, NICS_MAX, OWN_TAGS_MAX},
    message::{Capacity, Hello, Inventory, ORPHAN_NAME_CHARS_MAX, Orphan, Refusal},
    network::{HostNetworks, ObservedNetwork},
    observed::Observed,
};

use super::hosts::HostsError;

/// Longest machine id, boot id or version, in bytes.
const NAME_BYTES_MAX: usize = 64;
/// Logical processors of one host; Linux is built for 8,192 at most.
const CPUS_MAX: u64 = 1 << 16;
/// Memory of one host in MiB (4 PiB).
const RAM_MIB_MAX: u64 = 1 << 32;
/// A pool's room in GiB (4 EiB).
const DISK_GIB_MAX: u64 = 1 << 32;

/// Whether a program of this age can be spoken with.
pub(super) fn protocol(protocol: u16) -> Result<(), HostsError> {
    if compat::accepts(protocol) {
        return Ok(());
    }
    let (oldest, newest) = (compat::PROTOCOL_OLDEST, compat::PROTOCOL);
    let message = format!(
        "the agent speaks protocol {protocol}, the control plane {oldest} to {newest}: install the version of csp-agent \
         that belongs to the control plane"
    );
    Err(HostsError::refused(Refusal::Protocol, message))
}

/// Whether a machine id looks like one. The machine may choose it freely, so it proves nothing; it only has to differ.
pub(super) fn machine_id(text: &str) -> Result<(), HostsError> {
    name("machine id", text)
}

/// Whether a session may be opened as far as the message alone tells.
pub(super) fn hello(hello: &Hello) -> Result<(), HostsError> {
    protocol(hello.protocol)?;
    machine_id(&hello.machine_id)?;
    name("boot id", &hello.boot_id)?;
    name("agent version", &hello.agent_version)?;
    capacity(&hello.capacity)
}

/// How a host is, cut to what an operator's terminal takes.
pub(super) fn status(mut status: HostStatus) -> HostStatus {
    status.numa_cells.truncate(NUMA_CELLS_MAX);
    status.cpu_model = status.cpu_model.chars().filter(|c| !c.is_control()).take(CPU_MODEL_CHARS_MAX).collect();
    status
}

/// Whether a host can be that large. Placement multiplies these numbers, so no host may choose them freely.
pub(super) fn capacity(capacity: &Capacity) -> Result<(), HostsError> {
    let bounds = [
        ("cpus", u64::from(capacity.cpus), CPUS_MAX),
        ("ram_mib", capacity.ram_mib, RAM_MIB_MAX),
        ("disk_gib", capacity.disk_gib, DISK_GIB_MAX),
    ];
    match bounds.into_iter().find(|(_, told, max)| told > max) {
        None => Ok(()),
        Some((field, told, max)) => {
            let message = format!("the host says that it has {field} = {told}; no host has more than {max}");
            Err(HostsError::refused(Refusal::Malformed, message))
        }
    }
}

fn name(what: &str, text: &str) -> Result<(), HostsError> {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '+' | '_');
    if !text.is_empty() && text.len() <= NAME_BYTES_MAX && text.chars().all(plain) {
        return Ok(());
    }
    let message = format!("the {what} is not 1 to {NAME_BYTES_MAX} letters, digits, dots and dashes");
    Err(HostsError::refused(Refusal::Malformed, message))
}

/// Reports with their texts cut and made safe to show.
pub(super) fn reports(mut reports: Vec<Observed>) -> Vec<Observed> {
    for fault in reports.iter_mut().filter_map(|report| report.fault.as_mut()) {
        fault.detail = shown(&fault.detail, FAULT_DETAIL_CHARS_MAX);
    }
    reports
}

/// The same of private networks.
pub(super) fn network_reports(mut reports: Vec<ObservedNetwork>) -> Vec<ObservedNetwork> {
    for fault in reports.iter_mut().filter_map(|report| report.fault.as_mut()) {
        fault.detail = shown(&fault.detail, FAULT_DETAIL_CHARS_MAX);
    }
    reports
}

/// What a host can do for private networks, with no more tags than there are.
pub(super) fn host_networks(mut can: HostNetworks) -> HostNetworks {
    can.own_tags.sort_unstable();
    can.own_tags.dedup();
    can.own_tags.truncate(OWN_TAGS_MAX);
    can
}

/// Adds a part to an inventory.
pub(super) fn add_part(whole: &mut Inventory, part: Inventory) -> Result<(), HostsError> {
    whole.servers.extend(reports(part.servers));
    whole.orphans.extend(orphans(part.orphans));
    whole.networks.extend(network_reports(part.networks));
    if whole.servers.len().max(whole.orphans.len()).max(whole.networks.len()) <= INVENTORY_ENTRIES_MAX {
        return Ok(());
    }
    let message = format!("the inventory has more than {INVENTORY_ENTRIES_MAX} entries");
    Err(HostsError::refused(Refusal::Malformed, message))
}

/// Orphans with their texts cut and made safe to show.
pub(super) fn orphans(orphans: Vec<Orphan>) -> Vec<Orphan> {
    orphans.into_iter().map(orphan).collect()
}

fn orphan(mut orphan: Orphan) -> Orphan {
    orphan.name = shown(&orphan.name, ORPHAN_NAME_CHARS_MAX);
    // More adapters than one server of ours can have: the rest would only make one row larger than all others.
    orphan.macs.truncate(4 * NICS_MAX);
    orphan.addresses.truncate(16 * NICS_MAX);
    orphan
}

/// Cut, and without characters that steer a terminal.
fn shown(text: &str, chars_max: usize) -> String {
    text.chars().take(chars_max).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

#[cfg(test)]
mod tests {
    use csp_shared::{
        generation::SessionEpoch,
        message::{OrphanKind, Virt},
    };

    use super::*;

    fn fine() -> Hello {
        Hello {
            protocol: compat::PROTOCOL,
            machine_id: "0123456789abcdef0123456789abcdef".to_owned(),
            boot_id: "7d3f5a52-8a11-4f0e-9a57-0c6c9ac1b9a3".to_owned(),
            agent_version: "0.1.0".to_owned(),
            capacity: Capacity { cpus: 1, ram_mib: 1, disk_gib: 1 },
            virt: Virt::Kvm,
            passwords: false,
            networks: false,
        }
    }

    #[test]
    fn a_hello_is_checked_by_field() {
        assert!(hello(&fine()).is_ok());
        let wrong = [
            ("protocol 0", Hello { protocol: 0, ..fine() }),
            ("machine id", Hello { machine_id: String::new(), ..fine() }),
            ("boot id", Hello { boot_id: "\u{1b}[2J".to_owned(), ..fine() }),
            ("agent version", Hello { agent_version: "1".repeat(65), ..fine() }),
            ("cpus", Hello { capacity: Capacity { cpus: u32::MAX, ..fine().capacity }, ..fine() }),
            ("ram_mib", Hello { capacity: Capacity { ram_mib: u64::MAX, ..fine().capacity }, ..fine() }),
            ("disk_gib", Hello { capacity: Capacity { disk_gib: DISK_GIB_MAX + 1, ..fine().capacity }, ..fine() }),
        ];
        for (what, wrong) in wrong {
            let refused = hello(&wrong).unwrap_err().to_string();
            assert!(refused.contains(what), "{what}: {refused}");
        }
    }

    fn nothing() -> Orphan {
        Orphan { name: String::new(), kind: OrphanKind::Domain, macs: vec![], addresses: vec![] }
    }

    #[test]
    fn an_orphans_name_cannot_steer_a_terminal() {
        let orphan = orphan(Orphan { name: format!("a\u{1b}[2J\n{}", "b".repeat(200)), ..nothing() });
        assert_eq!(orphan.name.chars().count(), ORPHAN_NAME_CHARS_MAX);
        assert!(!orphan.name.chars().any(char::is_control));
    }

    #[test]
    fn an_inventory_without_end_is_refused() {
        let part = || Inventory {
            session: SessionEpoch(1),
            servers: vec![],
            orphans: vec![nothing(); 40_000],
            networks: Vec::new(),
        };
        let mut whole = part();
        assert!(add_part(&mut whole, part()).is_err());
    }
}
