//! Tries what guests' adapters need of this host: a tap, filters behind it, and the queues that hold a server to its rate.
//!
//! The trial's interfaces are nobody's, are never up, and go with it; whoever lists interfaces does not see them. In the
//! network of whoever calls, since a service may have none of its own (`RestrictNamespaces` of systemd).

use std::{net::Ipv4Addr, sync::LazyLock};

use csp_shared::{id::ServerId, mac::Mac};
use tokio::task::spawn_blocking;
use uuid::Uuid;

use super::{
    NetworkError,
    filter_rules::{self, ServerFilters},
    gate::{self, Gate, Gates},
    links::Links,
    nft,
    shaping::{Shaping, Sides},
    tap_device::NewTap,
    tap_name::TapName,
};
use crate::machine::Mark;

/// No server has this id.
const NOBODY: ServerId = ServerId(Uuid::nil());
const MBIT: u32 = 10;
/// Of documentation (RFC 5737).
const ADDRESS: Ipv4Addr = Ipv4Addr::new(192, 0, 2, 1);

/// What this host lacks.
#[derive(Debug, thiserror::Error)]
pub enum Lack {
    /// No server can be plugged in.
    #[error("no tap can be made, or the kernel does not take the filters of a server")]
    Filters(#[source] NetworkError),
    /// Servers with a rate cannot be.
    #[error("no server can be held to a rate")]
    Shaping(#[source] NetworkError),
}

/// Tries it. Nothing is loaded, and nothing is left of it.
///
/// # Errors
/// With what is lacking first.
pub async fn try_it(links: &Links) -> Result<(), Lack> {
    let tap = NewTap::create(&TapName::of(NOBODY, mac())).map_err(Lack::Filters)?;
    check(Gates::default()).await.map_err(Lack::Filters)?;
    let shaping = Shaping::new(links.clone());
    let held = match hold(links, &shaping).await {
        Ok(gates) => check(gates).await,
        Err(error) => Err(error),
    };
    // Half of it may be there, also from a trial that a crash cut off.
    let released = shaping.release(NOBODY, &Gates::default()).await;
    drop(tap);
    held.and(released).map_err(Lack::Shaping)
}

async fn hold(links: &Links, shaping: &Shaping) -> Result<Gates, NetworkError> {
    let index = links.index_of(TapName::of(NOBODY, mac()).as_str()).await?;
    let sides = Sides { public: [(mac(), index)].into(), ..Sides::default() };
    shaping.hold(NOBODY, Some(MBIT), &sides).await
}

/// Has the kernel check a server's filters.
async fn check(gates: Gates) -> Result<(), NetworkError> {
    let filters = ServerFilters {
        server: NOBODY,
        own: vec![ADDRESS],
        macs: vec![mac()],
        private: Vec::new(),
        smtp_open: false,
        gates,
        mark: Mark::BROKEN,
    };
    let tried = spawn_blocking(move || nft::try_out("try the filters of a server", &filter_rules::load(&filters, &[])));
    tried.await.unwrap_or_else(|fell| {
        let (doing, reason) = ("try the filters of a server".to_owned(), fell.to_string());
        Err(NetworkError::Netlink { doing, errno: None, reason })
    })
}

fn mac() -> Mac {
    Mac::for_guest([0; 4])
}

/// Whether an interface of that name is a trial's.
pub(super) fn is_tried(interface: &str) -> bool {
    static NAMES: LazyLock<[String; 4]> = LazyLock::new(|| {
        let [from, to] = Gate::QUEUES.map(|queue| gate::name(NOBODY, queue));
        [TapName::of(NOBODY, mac()).to_string(), from, to, gate::far_end(NOBODY, Gate::FromGuest)]
    });
    NAMES.iter().any(|name| name == interface)
}
