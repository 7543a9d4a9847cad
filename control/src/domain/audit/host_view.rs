//! A host's flat list of things, sorted by what they are and whose.

use std::collections::{BTreeMap, BTreeSet};

use csp_shared::{
    audit::{HeldDomain, HeldFilters, HeldNetwork, HeldSpec, HeldTap, Holding, HostPart, PoolFile},
    id::{HostId, NetworkId, ServerId},
    observed::DomainState,
    sha256::Sha256,
};

use super::{Finding, HostSide, Kind};

/// What follows an image's digest in its file's name: written out from a qcow2 file, fetched raw, and from before images were
/// written out.
const IMAGE_ENDINGS: [&str; 3] = ["qcow2.raw", "raw", "qcow2"];

/// A host that answered.
#[derive(Debug)]
pub(super) struct HostView<'a> {
    pub host: HostId,
    pub name: &'a str,
    pub specs: BTreeMap<ServerId, &'a HeldSpec>,
    pub bad_files: Vec<(&'a str, Option<ServerId>)>,
    pub networks: BTreeMap<NetworkId, &'a HeldNetwork>,
    pub bad_networks: Vec<&'a str>,
    pub domains: Vec<&'a HeldDomain>,
    pub processes: Vec<(ServerId, i32)>,
    pub taps: Vec<&'a HeldTap>,
    pub queues: Vec<(&'a str, Option<ServerId>)>,
    pub filters: Vec<&'a HeldFilters>,
    pub guard_stands: bool,
    pub disks: Vec<&'a PoolFile>,
    pub seeds: Vec<&'a PoolFile>,
    pub consoles: Vec<&'a PoolFile>,
    pub images: BTreeSet<&'a str>,
    unseen: BTreeMap<HostPart, &'a str>,
    pool_missing: Option<&'a str>,
    pool_ails: Option<&'a str>,
}

impl<'a> HostView<'a> {
    pub(super) fn new(side: &'a HostSide, holdings: &'a [Holding]) -> Self {
        let mut view = Self {
            host: side.host,
            name: &side.name,
            specs: BTreeMap::new(),
            bad_files: Vec::new(),
            networks: BTreeMap::new(),
            bad_networks: Vec::new(),
            domains: Vec::new(),
            processes: Vec::new(),
            taps: Vec::new(),
            queues: Vec::new(),
            filters: Vec::new(),
            guard_stands: true,
            disks: Vec::new(),
            seeds: Vec::new(),
            consoles: Vec::new(),
            images: BTreeSet::new(),
            unseen: BTreeMap::new(),
            pool_missing: None,
            pool_ails: None,
        };
        for holding in holdings {
            match holding {
                Holding::Spec(spec) => drop(view.specs.insert(spec.server, spec)),
                Holding::BadSpecFile { file, server } => view.bad_files.push((file, *server)),
                Holding::Network(network) => drop(view.networks.insert(network.network, network)),
                Holding::BadNetworkFile { file } => view.bad_networks.push(file),
                Holding::Domain(domain) => view.domains.push(domain),
                Holding::Process { server, pid } => view.processes.push((*server, *pid)),
                Holding::Tap(tap) => view.taps.push(tap),
                Holding::Queue { name, server } => view.queues.push((name, *server)),
                Holding::Filters(filters) => view.filters.push(filters),
                Holding::Guard { stands } => view.guard_stands &= *stands,
                Holding::Pool { mounted: false, detail } => view.pool_missing = Some(detail),
                Holding::Pool { mounted: true, detail } if !detail.is_empty() => view.pool_ails = Some(detail),
                Holding::Disk(file) => view.disks.push(file),
                Holding::Seed(file) => view.seeds.push(file),
                Holding::Console(file) => view.consoles.push(file),
                Holding::Unseen { part, why } => drop(view.unseen.insert(*part, why)),
                Holding::Image { file } => drop(view.images.insert(file)),
                // What rests in the trash belongs to nobody and is aged by the agent.
                Holding::Pool { mounted: true, .. } | Holding::Trash(_) => {}
            }
        }
        view
    }

    /// Whether what is not listed of this part is really not there.
    pub(super) fn saw(&self, part: HostPart) -> bool {
        !self.unseen.contains_key(&part) && (part != HostPart::Pool || self.pool_missing.is_none())
    }

    pub(super) fn saw_all(&self) -> bool {
        HostPart::ALL.into_iter().all(|part| self.saw(part))
    }

    pub(super) fn domain(&self, server: ServerId) -> Option<&'a HeldDomain> {
        let name = server.to_string();
        self.domains.iter().copied().find(|domain| domain.name == name)
    }

    pub(super) fn is_up(&self, server: ServerId) -> bool {
        self.domain(server).is_some_and(|domain| domain.state != DomainState::Off)
    }

    pub(super) fn pids(&self, server: ServerId) -> Vec<i32> {
        self.processes.iter().filter(|(owner, _)| *owner == server).map(|(_, pid)| *pid).collect()
    }

    pub(super) fn taps_of(&self, server: ServerId) -> impl Iterator<Item = &'a HeldTap> {
        self.taps.iter().copied().filter(move |tap| tap.owner.is_some_and(|(owner, _)| owner == server))
    }

    /// Whether what is kept of an image is there, in whichever form.
    pub(super) fn has_image(&self, digest: &Sha256) -> bool {
        IMAGE_ENDINGS.iter().any(|ending| self.images.contains(format!("{digest}.{ending}").as_str()))
    }

    pub(super) fn filters_of(&self, server: ServerId) -> Option<&'a HeldFilters> {
        self.filters.iter().copied().find(|filters| filters.server == Some(server))
    }

    /// What could not be looked at.
    pub(super) fn unseen(&self, found: &mut Vec<Finding>) {
        let name = self.name;
        for (part, why) in &self.unseen {
            let part = part.as_str();
            let finding = Finding::new(Kind::PartUnseen, Some(name), None, part);
            found.push(
                finding
                    .what(format!("the {part} of {name} could not be looked at ({why}): nothing is known about them"))
                    .cure(format!("on {name}, `csp-agent check` says what is missing and how to mend it")),
            );
        }
        if let Some(why) = self.pool_ails {
            let finding = Finding::new(Kind::PoolUnwell, Some(name), None, "pool");
            found.push(finding.what(format!("the pool of {name} is not well: {why}")).cure(format!(
                "before guests are hurt: on {name}, mount it for writing again if it takes no writes; if it is filling, enlarge \
                 it, or remove what is in its file system and not csp's"
            )));
        }
        if let Some(why) = self.pool_missing {
            let finding = Finding::new(Kind::PoolMissing, Some(name), None, "pool");
            found.push(finding.what(format!("the pool of {name} is not there: {why}")).cure(format!(
                "mount the pool's file system on {name}; the guests then start by themselves within a minute"
            )));
        }
    }

    /// Servers that something other than a spec or a file speaks of.
    pub(super) fn files_of(files: &[&'a PoolFile], server: ServerId) -> Vec<&'a PoolFile> {
        files.iter().copied().filter(|file| file.server == Some(server)).collect()
    }

    /// Servers without a row of their own on this host, in a list of owners.
    pub(super) fn is_stranger(known: &BTreeSet<ServerId>, owner: Option<ServerId>) -> bool {
        owner.is_none_or(|owner| !known.contains(&owner))
    }
}
