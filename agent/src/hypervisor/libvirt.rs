//! Domains through libvirt: defined, started, stopped, forgotten, seen. Every call blocks.
//!
//! A domain's name is the id of its server, so everything is found by that alone. Each call is done when things are as
//! it says, whoever brought them about.

use std::{
    collections::{BTreeSet, HashSet},
    path::Path,
    sync::{Arc, Mutex, PoisonError},
};

use csp_shared::{
    generation::StartEpoch,
    id::ServerId,
    mac::Mac,
    message::{ORPHAN_NAME_CHARS_MAX, Orphan, OrphanKind, Virt},
};
use tokio::sync::mpsc;
use virt::{
    connect::Connect,
    domain::Domain,
    error::{Error, ErrorNumber},
    sys,
};

use super::{
    HypervisorError,
    connection::Connection,
    defined::{Before, Defined},
    domain_facts::DomainFacts,
    events::{Lifecycle, Signal, Sink},
    metadata::{self, Metadata},
    power_state,
    probe::{self, Probed},
};
use crate::machine::{HostEvent, SeenDomain};

/// Events that wait to be heard. More are dropped: the worker also looks by itself.
const EVENTS_MAX: usize = 1024;
const METADATA: i32 = sys::VIR_DOMAIN_METADATA_ELEMENT as i32;

/// Servers whose QEMU was ended by a signal since they were last started.
type EndedByHost = Arc<Mutex<HashSet<ServerId>>>;

/// The host's libvirt.
#[derive(Debug)]
pub struct Libvirt {
    pub(super) connection: Connection,
    ended_by_host: EndedByHost,
}

/// A server's domain, as libvirt tells it.
#[derive(Debug)]
pub struct SeenGuest {
    /// Its state, and what it was defined from.
    pub domain: SeenDomain,
    /// The adapters that its guest has; none of one that is off.
    pub adapters: BTreeSet<Mac>,
    /// What its guest's own disk lies in: of what runs, or of the definition.
    pub boots_from: Option<String>,
}

/// What a host offers to guests.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Node {
    /// Logical processors.
    pub cpus: u32,
    /// Memory in MiB.
    pub ram_mib: u64,
}

impl Libvirt {
    /// Connects when first needed. The receiver hears what changed by itself.
    #[must_use]
    pub fn new(uri: String) -> (Self, mpsc::Receiver<HostEvent>) {
        let (sender, receiver) = mpsc::channel(EVENTS_MAX);
        let ended_by_host = EndedByHost::default();
        let connection = Connection::new(uri, sink(sender, Arc::clone(&ended_by_host)));
        (Self { connection, ended_by_host }, receiver)
    }

    /// Runs a probe guest of that kind, see [`probe::run`].
    ///
    /// # Errors
    /// When libvirt does not answer.
    pub fn probe(&self, virt: Virt, dir: &Path) -> Result<Probed, HypervisorError> {
        probe::run(self.connection.uri(), virt, dir)
    }

    /// What the host offers.
    ///
    /// # Errors
    /// When libvirt does not answer.
    pub fn node(&self) -> Result<Node, HypervisorError> {
        let info = self.connection.with("tell the host's size", Connect::get_node_info)?;
        Ok(Node { cpus: info.cpus, ram_mib: info.memory / 1024 })
    }

    /// The server's domain, if there is one.
    ///
    /// # Errors
    /// When libvirt does not answer: then nobody knows.
    pub fn see(&self, server: ServerId) -> Result<Option<SeenGuest>, HypervisorError> {
        let seen = self.on_domain(server, "look at the domain", |domain| {
            let (state, reason) = domain.get_state()?;
            let facts = DomainFacts::read(&domain.get_xml_desc(0)?);
            let adapters = if domain.is_active()? { facts.macs } else { Vec::new() };
            let kept = domain.is_persistent()? && !domain.get_autostart()?;
            Ok((state, reason, read_metadata(domain)?, adapters, kept, facts.boots_from))
        })?;
        let ended = self.ended_by_host.lock().unwrap_or_else(PoisonError::into_inner).contains(&server);
        Ok(seen.map(|(state, reason, Metadata { epochs, definition }, adapters, kept, boots_from)| {
            let state = power_state::read(state, reason, ended);
            let domain = SeenDomain { state, epochs, definition, kept };
            SeenGuest { domain, adapters: adapters.into_iter().collect(), boots_from }
        }))
    }

    /// Whether the server's guest runs or is paused.
    ///
    /// # Errors
    /// When libvirt does not answer: then nobody knows.
    pub fn is_up(&self, server: ServerId) -> Result<bool, HypervisorError> {
        Ok(self.on_domain(server, "look at the domain", Domain::is_active)?.unwrap_or(false))
    }

    /// Defines a server's domain, or defines it anew, and sees to it that libvirt does not start it by itself.
    ///
    /// # Errors
    /// When libvirt does not answer or will not have it.
    pub fn define(&self, server: ServerId, xml: &str) -> Result<Before, HypervisorError> {
        self.connection.with("define the domain", |connect| {
            let before = match Domain::lookup_by_name(connect, &server.to_string()) {
                Ok(domain) => Some(Defined::read(&domain)?),
                Err(error) if error.code() == ErrorNumber::NoDomain => None,
                Err(error) => return Err(error),
            };
            let domain = Domain::define_xml(connect, xml)?;
            if domain.get_autostart()? {
                domain.set_autostart(false)?;
            }
            Ok(match before {
                Some(before) if before.was_altered(&Defined::read(&domain)?) => Before::Altered,
                _ => Before::AsItWas,
            })
        })
    }

    /// Starts the defined domain, as it is defined: a memory that somebody saved (`virsh managedsave`) is of another disk, or
    /// names a seed that is gone, and libvirt would go on from it whatever was defined since.
    ///
    /// # Errors
    /// When there is none, or it does not start.
    pub fn start(&self, server: ServerId) -> Result<(), HypervisorError> {
        self.connection.with("start the domain", |connect| {
            let domain = Domain::lookup_by_name(connect, &server.to_string())?;
            if domain.is_active()? {
                return Ok(());
            }
            if domain.has_managed_save(0)? {
                tracing::warn!(%server, "the guest's memory was saved behind csp's back; it is dropped, and the guest boots");
                domain.managed_save_remove(0)?;
            }
            domain.create().map(drop)
        })
    }

    /// Asks the guest by ACPI to go down.
    ///
    /// # Errors
    /// When libvirt cannot ask.
    pub fn ask_stop(&self, server: ServerId) -> Result<(), HypervisorError> {
        self.on_active(server, "ask the guest to go down", |domain| {
            domain.shutdown_flags(sys::VIR_DOMAIN_SHUTDOWN_ACPI_POWER_BTN).map(drop)
        })
    }

    /// Pulls the plug.
    ///
    /// # Errors
    /// When the guest cannot be ended.
    pub fn force_stop(&self, server: ServerId) -> Result<(), HypervisorError> {
        self.on_active(server, "end the guest", Domain::destroy)
    }

    /// Keeps a running guest from doing anything.
    ///
    /// # Errors
    /// When QEMU does not obey.
    pub fn pause(&self, server: ServerId) -> Result<(), HypervisorError> {
        self.on_active(server, "pause the guest", |domain| match domain.get_state()? {
            (sys::VIR_DOMAIN_RUNNING, _) => domain.suspend().map(drop),
            _ => Ok(()),
        })
    }

    /// Lets a paused guest go on.
    ///
    /// # Errors
    /// When it cannot, as while the pool is still full.
    pub fn resume(&self, server: ServerId) -> Result<(), HypervisorError> {
        self.on_active(server, "let the guest go on", |domain| match domain.get_state()? {
            (sys::VIR_DOMAIN_PAUSED, _) => domain.resume().map(drop),
            _ => Ok(()),
        })
    }

    /// Makes the disk at `path` larger under a running guest, which sees it at once. Named by its file, so that a guest on
    /// another disk is refused.
    ///
    /// # Errors
    /// When the guest does not run on that disk, or QEMU cannot.
    pub fn grow_disk(&self, server: ServerId, path: &Path, bytes: u64) -> Result<(), HypervisorError> {
        let path = path.display().to_string();
        self.on_active(server, "make the disk larger", |domain| {
            domain.block_resize(&path, bytes, sys::VIR_DOMAIN_BLOCK_RESIZE_BYTES).map(drop)
        })
    }

    /// Writes a start epoch into the metadata of a running domain, live and, where it is defined, persistent.
    ///
    /// # Errors
    /// When there is no such domain, or it is off.
    pub fn adopt_start(&self, server: ServerId, epoch: StartEpoch) -> Result<(), HypervisorError> {
        let doing = "note the start in the domain";
        self.connection.with(doing, |connect| {
            let domain = Domain::lookup_by_name(connect, &server.to_string())?;
            let mut metadata = read_metadata(&domain)?;
            metadata.epochs.start = epoch;
            let xml = metadata.bare_element().to_text().unwrap_or_default(); // plain values: cannot fail
            // One that somebody undefined runs without a definition until it is defined again.
            let config = if domain.is_persistent()? { sys::VIR_DOMAIN_AFFECT_CONFIG } else { 0 };
            let (prefix, namespace) = (Some(metadata::PREFIX), Some(metadata::NAMESPACE));
            let affected = sys::VIR_DOMAIN_AFFECT_LIVE | config;
            domain.set_metadata(METADATA, Some(&xml), prefix, namespace, affected).map(drop)
        })
    }

    /// Makes libvirt forget a domain that is off.
    ///
    /// # Errors
    /// When it runs, or libvirt refuses.
    pub fn undefine(&self, server: ServerId) -> Result<(), HypervisorError> {
        let everything = sys::VIR_DOMAIN_UNDEFINE_MANAGED_SAVE
            | sys::VIR_DOMAIN_UNDEFINE_SNAPSHOTS_METADATA
            | sys::VIR_DOMAIN_UNDEFINE_CHECKPOINTS_METADATA
            | sys::VIR_DOMAIN_UNDEFINE_NVRAM;
        let running = self.on_domain(server, "forget the domain", |domain| {
            // libvirt would forget the definition of a running guest and keep the guest.
            let running = domain.is_active()?;
            if running { Ok(true) } else { domain.undefine_flags(everything).map(|()| false) }
        })?;
        match running {
            Some(true) => Err(HypervisorError::Running(server.to_string())),
            Some(false) | None => Ok(()),
        }
    }

    /// Every domain whose name is not the id of one of `known`.
    ///
    /// # Errors
    /// When libvirt does not answer.
    pub fn orphans(&self, known: &BTreeSet<ServerId>) -> Result<Vec<Orphan>, HypervisorError> {
        self.connection.with("list the domains", |connect| {
            let mut orphans = Vec::new();
            for domain in connect.list_all_domains(0)? {
                let name = domain.get_name()?;
                let ours = name.parse().is_ok_and(|server| known.contains(&server)) || probe::is_probe(&name);
                if ours {
                    continue;
                }
                match domain.get_xml_desc(0) {
                    Ok(xml) => orphans.push(Orphan {
                        name: name.chars().take(ORPHAN_NAME_CHARS_MAX).collect(),
                        kind: OrphanKind::Domain,
                        macs: DomainFacts::read(&xml).macs,
                        addresses: Vec::new(),
                    }),
                    Err(error) if error.code() == ErrorNumber::NoDomain => {} // it went away meanwhile
                    Err(error) => return Err(error),
                }
            }
            Ok(orphans)
        })
    }

    pub(super) fn on_active(
        &self,
        server: ServerId,
        doing: &str,
        work: impl FnOnce(&Domain) -> Result<(), Error>,
    ) -> Result<(), HypervisorError> {
        // None: then it is off.
        let done = self.on_domain(server, doing, |domain| {
            if !domain.is_active()? {
                return Ok(());
            }
            match work(domain) {
                // It went down by itself between the two calls.
                Err(error) if error.code() == ErrorNumber::OperationInvalid && !domain.is_active()? => Ok(()),
                done => done,
            }
        });
        done.map(drop)
    }

    /// Does something with the server's domain; `None` when there is none.
    pub(super) fn on_domain<T>(
        &self,
        server: ServerId,
        doing: &str,
        work: impl FnOnce(&Domain) -> Result<T, Error>,
    ) -> Result<Option<T>, HypervisorError> {
        self.connection.with(doing, |connect| {
            let done = Domain::lookup_by_name(connect, &server.to_string()).and_then(|domain| work(&domain));
            match done {
                Ok(value) => Ok(Some(value)),
                Err(error) if error.code() == ErrorNumber::NoDomain => Ok(None),
                Err(error) => Err(error),
            }
        })
    }
}

/// Of what runs, or of the definition when nothing does.
pub(super) fn read_metadata(domain: &Domain) -> Result<Metadata, Error> {
    metadata_of(domain, sys::VIR_DOMAIN_AFFECT_CURRENT)
}

/// Of the definition, also while another one runs.
pub(super) fn read_metadata_of_definition(domain: &Domain) -> Result<Metadata, Error> {
    metadata_of(domain, sys::VIR_DOMAIN_AFFECT_CONFIG)
}

fn metadata_of(domain: &Domain, affected: u32) -> Result<Metadata, Error> {
    match domain.get_metadata(METADATA, Some(metadata::NAMESPACE), affected) {
        Ok(xml) => Ok(Metadata::parse(&xml)),
        Err(error) if error.code() == ErrorNumber::NoDomainMetadata => Ok(Metadata::default()),
        Err(error) => Err(error),
    }
}

fn sink(sender: mpsc::Sender<HostEvent>, ended_by_host: EndedByHost) -> Sink {
    Arc::new(move |signal| {
        let event = match signal {
            Signal::Lost => HostEvent::Everything,
            Signal::Domain { name, what } => {
                let Ok(server) = name.parse() else { return };
                let mut ended = ended_by_host.lock().unwrap_or_else(PoisonError::into_inner);
                match what {
                    Lifecycle::EndedByHost => drop(ended.insert(server)),
                    Lifecycle::Started => drop(ended.remove(&server)),
                    Lifecycle::ShutDown | Lifecycle::Fell | Lifecycle::Other => {}
                }
                HostEvent::Server(server)
            }
        };
        let _ = sender.try_send(event); // full: the worker looks by itself
    })
}
