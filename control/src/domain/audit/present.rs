//! A server that is to be there: its spec, guest, cables, filters, disk and seed on its host.

use std::{collections::BTreeSet, net::IpAddr};

use csp_shared::{
    audit::{DiskBounds, HeldDomain, HeldGuest, HeldTap, HostPart},
    mac::Mac,
    observed::{DomainState, Fault},
    spec::{GuestLimits, NicNetwork, ServerSpec},
};

use super::{Finding, Kind, ServerSide, host_view::HostView};
use crate::domain::action::Command;

/// What the next boot mends. An operator cannot restart a customer's server; its owner can, and so can the panel.
const RESTART: &str = "`restart` of the server by its owner brings what its spec says";

/// What the agent mends by itself when it next looks.
pub(super) const BY_ITSELF: &str =
    "the agent mends it within half a minute; if it stays, restart csp-agent and read its log";

/// Ends the name of a disk that is being made.
const HALF_MADE: &str = ".part";

struct Look<'a> {
    side: &'a ServerSide,
    spec: &'a ServerSpec,
    view: &'a HostView<'a>,
    moving: bool,
    /// Files that the domain has in place of the server's disk.
    elsewhere: Vec<&'a str>,
}

impl Look<'_> {
    fn finding(&self, kind: Kind, object: impl Into<String>) -> Finding {
        Finding::new(kind, Some(self.view.name), Some(self.side.server), object).moving(self.moving)
    }

    /// What the server's host says that it cannot do.
    fn fault(&self) -> Option<&Fault> {
        self.side.observed.as_ref()?.fault.as_ref()
    }

    /// What ends a difference that the agent is to end: what its host says that it cannot do, first of all.
    fn once_able(&self) -> String {
        match self.fault() {
            Some(fault) => {
                format!("mend what the host names ({}: {}); the agent does the rest", fault.code.as_str(), fault.detail)
            }
            None => BY_ITSELF.to_owned(),
        }
    }
}

pub(super) fn compare(side: &ServerSide, spec: &ServerSpec, view: &HostView<'_>, found: &mut Vec<Finding>) {
    let elsewhere = elsewhere(side, view);
    let look = Look { side, spec, view, moving: side.is_moving(), elsewhere };
    let before = found.len();
    super::gone::compare_spec(side, view, found);
    moved_disk(&look, found);
    if view.saw(HostPart::Domains) {
        power(&look, found);
    }
    let domain = view.domain(side.server).filter(|_| view.is_up(side.server));
    if let Some(domain) = domain {
        guest(&look, domain, found);
    }
    cables(&look, domain.is_some(), found);
    strays(&look, found);
    filters(&look, found);
    if view.saw(HostPart::Pool) {
        disks(&look, found);
        seeds(&look, found);
    }
    if let Some(fault) = look.fault().filter(|_| found.len() == before) {
        let what = format!("its host says {}: {}", fault.code.as_str(), fault.detail);
        let finding = look.finding(Kind::ServerFaulty, fault.code.as_str()).what(what);
        found.push(finding.cure("mend what the host names; the agent does the rest"));
    }
}

/// Whether the guest does what its owner wants.
fn power(look: &Look<'_>, found: &mut Vec<Finding>) {
    let Look { side, spec, view, .. } = look;
    let state = view.domain(side.server).map_or(DomainState::Off, |domain| domain.state);
    let stays_off = view.specs.get(&side.server).is_some_and(|held| held.stays_off && held.version == spec.version);
    match state {
        DomainState::Off if spec.should_run() && !stays_off => {
            let fault = look.fault();
            let why = fault.map(|fault| format!(" ({}: {})", fault.code.as_str(), fault.detail)).unwrap_or_default();
            let cure = match fault {
                Some(_) => "mend what the host names; the guest then starts by itself".to_owned(),
                None => BY_ITSELF.to_owned(),
            };
            found.push(
                look.finding(Kind::GuestDown, "domain")
                    .what(format!("the guest should run and does not{why}"))
                    .cure(cure),
            );
        }
        DomainState::Paused => {
            let what = "the guest is paused, as by a full disk";
            found.push(
                look.finding(Kind::GuestPaused, "domain")
                    .what(what)
                    .cure(format!("make room in the pool of {}; the agent then lets the guest go on", view.name)),
            );
        }
        DomainState::Running if !spec.should_run() => {
            found.push(look.finding(Kind::GuestUp, "domain").what("the guest should be off and runs").cure(BY_ITSELF));
        }
        DomainState::Off | DomainState::Running | DomainState::Unknown => {}
    }
    if view.saw(HostPart::Processes) {
        processes(look, state != DomainState::Off, found);
    }
}

fn processes(look: &Look<'_>, is_up: bool, found: &mut Vec<Finding>) {
    let pids = look.view.pids(look.side.server);
    match (is_up, pids.as_slice()) {
        (true, [_]) | (false, []) => {}
        (false, [first, ..]) => {
            let what = format!("libvirt says that the guest is off, and QEMU process {first} of it runs");
            let cure = format!("on {}, see what it is (`ps {first}`) and end it: `kill {first}`", look.view.name);
            found.push(look.finding(Kind::ProcessStray, format!("process {first}")).what(what).cure(cure));
        }
        (true, pids) => {
            let what = format!("libvirt says that the guest runs, and it has {} QEMU processes", pids.len());
            let cure = format!(
                "on {}, compare `virsh list` with `ps -C qemu-system-x86_64` and end the stray",
                look.view.name
            );
            found.push(look.finding(Kind::ProcessMismatch, "process").what(what).cure(cure));
        }
    }
}

/// What a running guest was started with.
fn guest(look: &Look<'_>, domain: &HeldDomain, found: &mut Vec<Finding>) {
    let Look { spec, view, side, .. } = look;
    if domain.disk != spec.disk_epoch {
        let what = format!("the guest booted from disk epoch {}, its spec has {}", domain.disk, spec.disk_epoch);
        found.push(look.finding(Kind::DiskEpoch, "domain").what(what).cure(look.once_able()));
    }
    let (has, wants): (BTreeSet<Mac>, BTreeSet<Mac>) =
        (domain.macs.iter().copied().collect(), spec.nics.iter().map(|nic| nic.mac).collect());
    for mac in has.difference(&wants).filter(|mac| !look.view.taps_of(side.server).any(|tap| tap.is_of(**mac))) {
        let what = format!("the guest has an adapter {mac} that csp did not give it: nothing filters it");
        let cure = format!(
            "on {}, see what it is plugged into (`virsh domiflist {}`) and take it away: `virsh detach-interface {} TYPE \
             --mac {mac} --live`",
            view.name, side.server, side.server
        );
        found.push(look.finding(Kind::AdapterForeign, format!("adapter {mac}")).what(what).cure(cure));
    }
    if !wants.is_subset(&has) {
        let what = "the guest lacks an adapter of its spec";
        found.push(look.finding(Kind::AdapterMismatch, "domain").what(what).cure(RESTART));
    }
    if let Some(guest) = &domain.guest {
        foreign_disks(look, guest, found);
        altered(look, guest, found);
    }
    let seeds = HostView::files_of(&view.seeds, side.server);
    if view.saw(HostPart::Pool) && seeds.is_empty() {
        let cure = "the guest runs on; its next cold boot writes the seed again";
        found.push(look.finding(Kind::SeedMissing, "seed").what("the running guest's seed is not there").cure(cure));
    }
}

/// What the domain has where its server's disk should be: a snapshot or a copy, made by hand.
fn elsewhere<'a>(side: &ServerSide, view: &'a HostView<'a>) -> Vec<&'a str> {
    let guest = view.domain(side.server).and_then(|domain| domain.guest.as_ref());
    let disks = || guest.into_iter().flat_map(|guest| &guest.disks).map(String::as_str);
    let (own, seed) = (format!("disks/{}.", side.server), format!("seeds/{}.", side.server));
    let is_own = |disk: &str| {
        let epoch = disk.strip_prefix(&own).and_then(|rest| rest.strip_suffix(".qcow2"));
        epoch.is_some_and(|epoch| epoch.parse::<u32>().is_ok())
    };
    if disks().any(is_own) { Vec::new() } else { disks().filter(|disk| !disk.starts_with(&seed)).collect() }
}

/// What the guest wrote since lies there. Whatever makes it boot again by csp's definition gives that up.
fn moved_disk(look: &Look<'_>, found: &mut Vec<Finding>) {
    let Look { side, spec, view, .. } = look;
    let own = format!("disks/{}.{}.qcow2", side.server, spec.disk_epoch);
    for file in &look.elsewhere {
        let what = format!("the domain's disk is {file}: {own} lacks what the guest wrote since it was moved there");
        let cure = if file.starts_with("/proc/") {
            format!(
                "do not restart the guest: its disk's file was replaced while it ran, and what it writes goes to the one that \
                 only its QEMU still holds, gone with it. Have its owner close what runs in it; on {}, copy {file} to another \
                 name beside {own}, rename that to {own}, and then `virsh destroy {}`: the agent starts it on the copy",
                view.name, side.server
            )
        } else if view.is_up(side.server) {
            format!(
                "touch neither file. On {}, a snapshot is brought back by `virsh blockcommit {} vda --active --shallow \
                 --pivot`; for a copy, have the owner stop the guest first. The agent neither restarts nor starts it until then",
                view.name, side.server
            )
        } else {
            format!(
                "on {}, bring what it holds into {own} of the pool (a snapshot: `qemu-img commit`), then `virsh undefine {}`: \
                 the agent starts it then",
                view.name, side.server
            )
        };
        found.push(look.finding(Kind::DiskElsewhere, (*file).to_owned()).what(what).cure(cure));
    }
}

/// Disks that the guest has beside its own and its seed: another customer's, perhaps.
fn foreign_disks(look: &Look<'_>, guest: &HeldGuest, found: &mut Vec<Finding>) {
    let Look { view, side, .. } = look;
    let is_own = |disk: &str| {
        let name = ["disks/", "seeds/"].into_iter().find_map(|folder| disk.strip_prefix(folder));
        name.is_some_and(|name| name.split('.').next() == Some(&side.server.to_string()))
    };
    for disk in guest.disks.iter().filter(|disk| !is_own(disk) && !look.elsewhere.contains(&disk.as_str())) {
        let what = format!("the guest has the disk {disk}, which is not its own: it may read and change what is on it");
        let cure = format!(
            "on {}, see where it is (`virsh domblklist {}`) and take it away: `virsh detach-disk {} TARGET --live`; what \
             was written to it meanwhile is its owner's to judge",
            view.name, side.server, side.server
        );
        found.push(look.finding(Kind::DiskForeign, disk.clone()).what(what).cure(cure));
    }
}

/// What somebody changed of a running guest by hand: its next cold boot, by its owner's `restart`, is made anew from the
/// spec. Nothing is changed under it, since nobody knows what it does with what it was given.
fn altered(look: &Look<'_>, guest: &HeldGuest, found: &mut Vec<Finding>) {
    let Look { spec, side, .. } = look;
    // What a guest's balloon gives back is rounded to pages.
    let ram_differs = guest.ram_mib.abs_diff(spec.ram_mib.into()) > 1;
    let own_disk = format!("disks/{}.", side.server);
    // A package change that waits, for room perhaps, wrote another size into the spec: nobody changed the guest.
    let is_changing = side.open.iter().any(|(command, _)| *command == Command::ChangePackage);
    let parts = [
        (
            !is_changing && ram_differs,
            format!("it has {} MiB of memory and its spec says {}", guest.ram_mib, spec.ram_mib),
        ),
        (
            !is_changing && guest.cpus != u32::from(spec.cpus),
            format!("it has {} processors and its spec says {}", guest.cpus, spec.cpus),
        ),
        (
            look.elsewhere.is_empty() && !guest.disks.iter().any(|disk| disk.starts_with(&own_disk)),
            "its own disk was taken from it".to_owned(),
        ),
        (
            !is_changing
                && look.elsewhere.is_empty()
                && guest.disk_bounds.is_some_and(|bounds| bounds != bounds_of(&spec.limits)),
            "its disk is held to other bounds than its spec says".to_owned(),
        ),
        (
            !guest.links_down.is_empty(),
            format!(
                "the cable of its adapter {} is pulled (`virsh domif-setlink` puts it back)",
                guest.links_down.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
            ),
        ),
    ];
    let told: Vec<String> = parts.into_iter().filter_map(|(differs, what)| differs.then_some(what)).collect();
    if !told.is_empty() {
        let what = format!("the guest was changed by hand: {}", told.join("; "));
        found.push(look.finding(Kind::GuestAltered, "domain").what(what).cure(RESTART));
    }
    let mended = [
        (!guest.persistent, "definition", "libvirt would forget the guest when it goes off"),
        (
            guest.autostart,
            "autostart",
            "libvirt would start the guest by itself, before the agent has looked at its disk and filters",
        ),
    ];
    for (_, object, what) in mended.into_iter().filter(|(differs, ..)| *differs) {
        found.push(look.finding(Kind::GuestAltered, object).what(what).cure(BY_ITSELF));
    }
}

/// What the agent has QEMU hold a disk to.
fn bounds_of(limits: &GuestLimits) -> DiskBounds {
    DiskBounds {
        iops_max: limits.disk_iops_max.map(u64::from),
        bytes_per_second_max: limits.disk_mib_per_second_max.map(|mib| u64::from(mib) << 20),
    }
}

/// Taps: one for each adapter of a running guest, connected.
fn cables(look: &Look<'_>, is_up: bool, found: &mut Vec<Finding>) {
    let Look { spec, view, .. } = look;
    if !view.saw(HostPart::Taps) || !is_up {
        return;
    }
    for nic in &spec.nics {
        let tap = own_taps(look).find(|tap| tap.owner.is_some_and(|(_, mac)| mac == nic.mac));
        match tap {
            None => {
                let what = format!("the running guest's adapter {} has no tap that carries its mark", nic.name);
                let cure = format!("{RESTART}: a running guest cannot be given another tap");
                found.push(look.finding(Kind::TapMissing, nic.name.clone()).what(what).cure(cure));
            }
            // Only of the public bridge a host tells whether a tap is in it.
            Some(tap) if !tap.up || (!tap.plugged && nic.network == NicNetwork::Public) => {
                let how = if !tap.up { "is down" } else { "is not in the public bridge" };
                let what = format!("the tap of the running guest's adapter {} {how}", nic.name);
                found.push(look.finding(Kind::TapDisconnected, tap.name.clone()).what(what).cure(BY_ITSELF));
            }
            Some(_) => {}
        }
    }
}

/// Taps of the spec's adapters, under their own names.
fn own_taps<'a>(look: &Look<'a>) -> impl Iterator<Item = &'a HeldTap> {
    let spec = look.spec;
    let is_own = move |tap: &HeldTap| !tap.stray && tap.owner.is_some_and(|(_, mac)| has_mac(spec, mac));
    look.view.taps_of(look.side.server).filter(move |tap| is_own(tap))
}

fn has_mac(spec: &ServerSpec, mac: Mac) -> bool {
    spec.nics.iter().any(|nic| nic.mac == mac)
}

/// Interfaces that carry the server's mark beside its taps: nothing filters them. The tap of an adapter that the running
/// guest was started with and that its spec no longer has stays, disconnected, until the guest's next boot.
fn strays(look: &Look<'_>, found: &mut Vec<Finding>) {
    let Look { spec, view, side, .. } = look;
    for tap in view.taps_of(side.server) {
        let is_connected = tap.plugged || tap.up;
        let is_left_over = tap.owner.is_some_and(|(_, mac)| !has_mac(spec, mac)) && is_connected;
        if tap.stray || is_left_over {
            let how = if is_connected { "it is connected, and nothing filters it" } else { "it is disconnected" };
            let what = format!("{} carries the server's mark and is none of its adapters: {how}", tap.name);
            let cure = match is_connected {
                true => format!("on {}, `ip link set {} down` at once; {BY_ITSELF}", view.name, tap.name),
                false => format!("if nobody needs it, on {}: `ip link delete {}`", view.name, tap.name),
            };
            found.push(look.finding(Kind::TapStray, format!("tap {}", tap.name)).what(what).cure(cure));
        }
    }
}

/// Filters: every tap that is up has them, they are as they were loaded, and they let through what the spec says.
fn filters(look: &Look<'_>, found: &mut Vec<Finding>) {
    let Look { spec, view, side, .. } = look;
    if !view.saw(HostPart::Filters) {
        return;
    }
    let filters = view.filters_of(side.server);
    if view.saw(HostPart::Taps) {
        for tap in own_taps(look).filter(|tap| tap.up) {
            if filters.is_none_or(|filters| !filters.taps.contains(&tap.name)) {
                let what = format!("tap {} is up and nothing filters it: the guest may use any address", tap.name);
                let cure = format!("on {}, `ip link set {} down` at once; {BY_ITSELF}", view.name, tap.name);
                found.push(look.finding(Kind::TapUnfiltered, tap.name.clone()).what(what).cure(cure));
            }
        }
    }
    let Some(filters) = filters else { return };
    // What is let through in a private network is no public address of the server.
    let of = |is_public: bool| {
        let nics = spec.nics.iter().filter(move |nic| (nic.network == NicNetwork::Public) == is_public);
        nics.flat_map(|nic| &nic.addresses).map(|a| a.address).filter(IpAddr::is_ipv4).collect::<BTreeSet<_>>()
    };
    let (wants, private) = (of(true), of(false));
    let has: BTreeSet<IpAddr> = filters.addresses.iter().copied().map(IpAddr::V4).collect();
    let has: BTreeSet<IpAddr> = has.difference(&private).copied().collect();
    if has != wants {
        let list = |all: &BTreeSet<IpAddr>| all.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let what = format!("the filters let through {}, the spec says {}", list(&has), list(&wants));
        found.push(look.finding(Kind::FilterMismatch, filters.table.clone()).what(what).cure(BY_ITSELF));
    } else if filters.altered {
        let what = format!(
            "the rules in table {} are not those that were loaded: the guest may send or receive more than it should, or \
             less",
            filters.table
        );
        found.push(look.finding(Kind::FilterAltered, filters.table.clone()).what(what).cure(BY_ITSELF));
    }
}

fn disks(look: &Look<'_>, found: &mut Vec<Finding>) {
    let Look { spec, view, side, .. } = look;
    let disks = HostView::files_of(&view.disks, side.server);
    let started = view.specs.get(&side.server).and_then(|held| held.disk_started);
    let own = format!("{}.{}.qcow2", side.server, spec.disk_epoch);
    let is_there = disks.iter().any(|disk| disk.file == own);
    if !is_there && started >= Some(spec.disk_epoch) {
        let what = format!("the disk of epoch {}, which held the customer's data, is not in the pool", spec.disk_epoch);
        let cure = match view.pids(side.server).first() {
            // What QEMU holds open is there until it ends.
            Some(pid) => format!(
                "do not restart the guest: on {}, its QEMU still holds the file, deleted or moved. Find it with `ls -l \
                 /proc/{pid}/fd`, have its owner close what runs in the guest, copy it from there to another name beside \
                 disks/{own}, rename that to disks/{own}, and then `virsh destroy {}`: the agent starts it on the copy. It \
                 is never made anew",
                view.name, side.server
            ),
            None => format!(
                "look for it in the trash of {}'s pool and in your backups, and put it back under its name; it is never made \
                 anew",
                view.name
            ),
        };
        found.push(look.finding(Kind::DiskMissing, own.clone()).what(what).cure(cure));
    }
    if is_there && !view.has_image(&spec.image.sha256) {
        let what =
            format!("the image {} is not in the pool, and the server's disk is an overlay on it", spec.image.sha256);
        let cure = format!(
            "a guest that runs goes on, and does not start again without it: put the file back in images/ of the pool of {}, or \
             see that the host can fetch it from {}",
            view.name, spec.image.url
        );
        found.push(look.finding(Kind::ImageMissing, format!("image {}", spec.image.sha256)).what(what).cure(cure));
    }
    for disk in disks.iter().filter(|disk| disk.epoch == Some(spec.disk_epoch) && disk.file != own) {
        let what = format!("a second file of the disk of epoch {} is there", spec.disk_epoch);
        let cure = format!(
            "csp uses {own} alone; see what the other is and move disks/{} out of the pool of {}",
            disk.file, view.name
        );
        found.push(look.finding(Kind::DiskTwice, disk.file.clone()).what(what).cure(cure));
    }
    for disk in disks.iter().filter(|disk| disk.epoch != Some(spec.disk_epoch)) {
        let (kind, what, cure) = match disk.epoch {
            Some(epoch) => (
                Kind::DiskEpoch,
                format!("a disk of epoch {epoch} is there, the spec has {}", spec.disk_epoch),
                "an older one is retired once the guest is as its spec says; a newer one means that the store was \
                 restored from a backup: decide which is right before you move it"
                    .to_owned(),
            ),
            None if disk.file.ends_with(HALF_MADE) => (
                Kind::DiskEpoch,
                "a half-made disk is there".to_owned(),
                format!(
                    "a later try makes it whole; if none comes, remove disks/{} in the pool of {}",
                    disk.file, view.name
                ),
            ),
            None if look.elsewhere.contains(&format!("disks/{}", disk.file).as_str()) => continue,
            None => (
                Kind::DiskOther,
                "a file that csp did not make is there".to_owned(),
                format!(
                    "see what it is before you touch it, it may be somebody's backup; csp does not use it. Keep it outside \
                     the pool of {}, where it takes no guest's room",
                    view.name
                ),
            ),
        };
        found.push(look.finding(kind, disk.file.clone()).what(what).cure(cure));
    }
}

/// A server has one seed; each write of it removes the others.
fn seeds(look: &Look<'_>, found: &mut Vec<Finding>) {
    let seeds = HostView::files_of(&look.view.seeds, look.side.server);
    if seeds.len() > 1 {
        let files: Vec<&str> = seeds.iter().map(|seed| seed.file.as_str()).collect();
        let what = format!("{} seeds of the server are there: {}", files.len(), files.join(", "));
        let cure = format!(
            "the domain's second disk (`virsh domblklist {}` on {}) is the one in use; remove the others from seeds/ of the \
             pool",
            look.side.server, look.view.name
        );
        found.push(look.finding(Kind::SeedTwice, "seeds").what(what).cure(cure));
    }
}
