//! Tells everything that is on this host by looking at the things themselves.
//!
//! The workers know what they made; an audit is about what they do not know. So nothing here asks them: it reads
//! libvirt, /proc, netlink, nftables and the folders, on connections of its own, and changes nothing. Each part is
//! looked at by itself and has an end: libvirt that hangs hides its domains, not the taps, and what could not be looked
//! at is said.

mod filters;
mod networks;
mod pool;
mod specs;
mod stored;
mod taps;
mod workers;

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use csp_shared::{
    audit::{HeldDomain, Holding, HostPart},
    id::ServerId,
};
use tokio::time::timeout;

pub(crate) use self::specs::list as specs;
pub use self::workers::HostWorkers;
use crate::{
    config::Config,
    host_machine::fault::story,
    hypervisor::{libvirt::Libvirt, process},
};

/// Longest look at one part. Below what the control plane waits for an answer.
const PART_LIMIT: Duration = Duration::from_secs(10);

/// Looks at this host.
#[derive(Debug, Clone)]
pub struct Auditor {
    config: Arc<Config>,
    libvirt: Arc<Libvirt>,
    /// A look at libvirt that has not come back, though nobody waits for it any more: a second one would hang as well.
    hanging: Arc<AtomicBool>,
}

impl Auditor {
    /// Looks where the configuration says that things are. Connects to nothing yet.
    #[must_use]
    pub fn new(config: &Config) -> Self {
        // What happens between looks is not of interest, so nobody listens.
        let (libvirt, _) = Libvirt::new(config.libvirt_uri.clone());
        Self { config: Arc::new(config.clone()), libvirt: Arc::new(libvirt), hanging: Arc::default() }
    }

    /// Everything that is there now. Must be called inside a tokio runtime. The parts are looked at side by side, so a
    /// thing that is being made or removed meanwhile may show in one and not in the other.
    pub async fn look(&self) -> Vec<Holding> {
        let (state, bridge) = (self.config.state_dir.join("servers"), self.config.network.public_bridge.clone());
        let private = self.config.state_dir.join("networks");
        let (pool, note) = (self.config.pool_dir.clone(), self.config.state_dir.join("pool.id"));
        let (specs, networks, domains, processes, taps, filters, pool) = tokio::join!(
            part(HostPart::Specs, blocking(move || specs::list(&state))),
            part(HostPart::Networks, blocking(move || networks::list(&private))),
            part(HostPart::Domains, self.domains()),
            part(HostPart::Processes, blocking(processes)),
            part(HostPart::Taps, taps::list(&bridge)),
            part(HostPart::Filters, blocking(filters::list)),
            part(HostPart::Pool, blocking(move || pool::list(&pool, &note))),
        );
        [specs, networks, domains, processes, taps, filters, pool].concat()
    }

    async fn domains(&self) -> Result<Vec<Holding>, String> {
        if self.hanging.swap(true, Ordering::SeqCst) {
            return Err("libvirt has not answered an earlier look yet".to_owned());
        }
        let (libvirt, hanging) = (Arc::clone(&self.libvirt), Arc::clone(&self.hanging));
        let pool = self.config.pool_dir.clone();
        blocking(move || {
            let listed = libvirt.list();
            hanging.store(false, Ordering::SeqCst);
            // What cannot be told is told by the look at processes.
            let pids = process::list().unwrap_or_default();
            let told = |domain| Holding::Domain(in_pool(domain, &pool, &pids));
            listed.map(|domains| domains.into_iter().map(told).collect()).map_err(|error| story(&error))
        })
        .await
    }
}

/// With its disks named as the pool's files are: the control plane knows no paths of hosts. One that was replaced under its guest
/// is where that still holds it.
fn in_pool(mut domain: HeldDomain, pool: &Path, pids: &BTreeMap<ServerId, Vec<i32>>) -> HeldDomain {
    let pids = domain.name.parse().ok().and_then(|server: ServerId| pids.get(&server)).map_or(&[][..], Vec::as_slice);
    for disk in domain.guest.iter_mut().flat_map(|guest| &mut guest.disks) {
        if let Some(held) = process::holds_instead(pids, Path::new(disk)) {
            *disk = held.display().to_string();
        } else if let Some(own) = Path::new(disk).strip_prefix(pool).ok().and_then(Path::to_str) {
            *disk = own.to_owned();
        }
    }
    domain
}

fn processes() -> Result<Vec<Holding>, String> {
    let found = process::list().map_err(|error| story(&error))?;
    let each = found.into_iter().flat_map(|(server, pids)| pids.into_iter().map(move |pid| (server, pid)));
    Ok(each.map(|(server, pid)| Holding::Process { server, pid }).collect())
}

/// What a look gave, or that it gave nothing.
async fn part(part: HostPart, look: impl Future<Output = Result<Vec<Holding>, String>>) -> Vec<Holding> {
    within(PART_LIMIT, part, look).await
}

async fn within(
    limit: Duration,
    part: HostPart,
    look: impl Future<Output = Result<Vec<Holding>, String>>,
) -> Vec<Holding> {
    let seen = timeout(limit, look).await;
    let seen = seen.unwrap_or_else(|_| Err(format!("no answer within {} s", limit.as_secs())));
    match seen {
        Ok(holdings) => holdings.into_iter().map(Holding::bounded).collect(),
        Err(why) => vec![Holding::Unseen { part, why }.bounded()],
    }
}

async fn blocking(
    work: impl FnOnce() -> Result<Vec<Holding>, String> + Send + 'static,
) -> Result<Vec<Holding>, String> {
    tokio::task::spawn_blocking(work).await.unwrap_or_else(|_| Err("the look was broken off".to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_part_that_fails_or_hangs_is_told_and_hides_no_other() {
        let failed = part(HostPart::Filters, async { Err("nft is not\u{1b} installed".to_owned()) }).await;
        let why = "nft is not  installed".to_owned();
        assert_eq!(failed, [Holding::Unseen { part: HostPart::Filters, why }]);
        let hung = within(Duration::from_millis(10), HostPart::Domains, std::future::pending()).await;
        assert!(matches!(&hung[..], [Holding::Unseen { part: HostPart::Domains, .. }]), "{hung:?}");
    }
}
