//! Orders a server. One transaction: money, address, place on a host, spec and action appear together or not at all.

use std::net::IpAddr;

use csp_shared::{
    generation::{BootEpoch, DiskEpoch, Generation, StartEpoch, Version},
    id::{AccountId, ActionId, HostId, LeaseId, ServerId, SshKeyId, TransferId},
    mac::Mac,
    spec::{CpuUse, Desired, Login, Nic, NicAddress, NicNetwork, Power, ServerSpec},
};

use super::check_limit::limit_reached;
use crate::{
    domain::{
        action::Command,
        catalog::ServiceType,
        draw::Draw,
        hostname::Hostname,
        ledger::{Book, Cause, Holder, Transfer},
        limits::{Limit, LimitReached, Limits},
        money::Cents,
        placement::{self, Need},
        slug::Slug,
        time::Time,
    },
    store::{ImageRow, LeaseRole, NewAction, NewLease, NewServer, PackageRow, PoolRow, PostError, StoreError, Tx},
};

/// A parsed order.
#[derive(Clone, Debug)]
pub struct OrderServer {
    /// Who orders.
    pub account: AccountId,
    /// Virtual or dedicated.
    pub kind: ServiceType,
    /// UUID or slug of the package.
    pub package: String,
    /// Key of the image.
    pub image: String,
    /// What the guest is called.
    pub hostname: Hostname,
    /// The account's key that opens it.
    pub ssh_key: Option<SshKeyId>,
    /// Where, if it matters.
    pub location: Option<Slug>,
    /// crypt(5) hash of root's password; used when no key is chosen.
    pub password_hash: Option<String>,
    /// Seconds until an order that is not running fails.
    pub provision_timeout: i64,
    /// What an account may usually have.
    pub limits: Limits,
}

/// An accepted order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ordered {
    /// The new server.
    pub server: ServerId,
    /// What records the order.
    pub action: ActionId,
    /// Whom to wake.
    pub host: HostId,
    /// What was charged.
    pub charged: Cents,
}

/// Why an order was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// Not on sale, or of the other type.
    #[error("no {} package `{package}` is on sale", kind.as_str())]
    NoPackage {
        /// What was asked.
        kind: ServiceType,
        /// What was asked.
        package: String,
    },
    /// Not on offer, or not for this type.
    #[error("no image `{image}` is on offer for {}", kind.as_str())]
    NoImage {
        /// What was asked.
        kind: ServiceType,
        /// What was asked.
        image: String,
    },
    /// Not one of the account's keys.
    #[error("the account has no SSH key {0}")]
    NoSshKey(SshKeyId),
    /// Not in use.
    #[error("there is no location `{0}`")]
    NoLocation(String),
    /// The account has as many servers as it may have.
    #[error(transparent)]
    Limit(LimitReached),
    /// The wallet has less than the price.
    #[error("the balance is {missing} short of {price}")]
    InsufficientBalance {
        /// Of the first period.
        price: Cents,
        /// How much is missing.
        missing: Cents,
    },
    /// No host has room.
    #[error("no host has room for `{package}` at the moment")]
    NoCapacity {
        /// What was asked.
        package: String,
    },
    /// A host would have room, but no address is free there.
    #[error("no address is free at the moment")]
    NoAddress,
    /// The store failed.
    #[error(transparent)]
    Store(#[from] StoreError),
}

/// Where a server will be, and with which address.
struct Place {
    host: HostId,
    pool: PoolRow,
    address: std::net::Ipv4Addr,
}

/// Orders a server. Time and random values come in, so that running it again writes the same rows.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn order_server(tx: &mut Tx<'_>, order: &OrderServer, draw: Draw, now: Time) -> Result<Ordered, OrderError> {
    let mut draw = draw;
    let package = package(tx, order)?;
    let image = image(tx, order)?;
    let ssh_key = match order.ssh_key {
        Some(id) => Some(tx.ssh_key_get(order.account, id)?.ok_or(OrderError::NoSshKey(id))?),
        None => None,
    };
    if let Some(reached) = limit_reached(tx, order.account, Limit::Servers, &order.limits, now)? {
        return Err(OrderError::Limit(reached));
    }
    // Money first: a customer who cannot pay learns nothing about the provider's room.
    let balance = tx.account_get(order.account)?.map_or(Cents::ZERO, |account| account.balance);
    if balance < package.monthly {
        let missing = package.monthly.minus(balance).unwrap_or_default();
        return Err(OrderError::InsufficientBalance { price: package.monthly, missing });
    }
    let need = need(&package);
    let place = place(tx, order, &package, &need, now)?;
    let server = ServerId(draw.uuid(now));
    let new = NewServer {
        id: server,
        account: order.account,
        hostname: &order.hostname,
        package: &package,
        monthly: package.monthly,
        image: &image,
        ssh_key: order.ssh_key,
    };
    tx.server_insert(&new, now)?;
    tx.placement_insert(server, place.host, &need, now)?;
    charge(tx, order, &package, server, &mut draw, now)?;
    let mac = lease(tx, server, &place, &mut draw, now)?;
    let login = Login {
        ssh_keys: ssh_key.iter().map(|key| key.public_key.clone()).collect(),
        password_hash: order.password_hash.clone().filter(|_| ssh_key.is_none()),
    };
    let version = Version { incarnation: tx.incarnation()?, generation: Generation::FIRST };
    let spec = first_spec(server, version, order, &package, image, login, primary_nic(&place, mac));
    tx.spec_put(place.host, &Desired::Present(Box::new(spec)))?;
    let action = ActionId(draw.uuid(now));
    let record = NewAction {
        id: action,
        account: order.account,
        server,
        command: Command::Create,
        wanted: version,
        deadline_at: Some(now.plus(order.provision_timeout)),
    };
    tx.action_insert(&record, now)?;
    Ok(Ordered { server, action, host: place.host, charged: package.monthly })
}

fn package(tx: &Tx<'_>, order: &OrderServer) -> Result<PackageRow, OrderError> {
    let found = tx.package_get(&order.package)?.filter(|package| package.kind == order.kind);
    found.ok_or_else(|| OrderError::NoPackage { kind: order.kind, package: order.package.clone() })
}

fn image(tx: &Tx<'_>, order: &OrderServer) -> Result<ImageRow, OrderError> {
    let found = tx.image_get(&order.image)?.filter(|image| image.kind.is_none_or(|kind| kind == order.kind));
    found.ok_or_else(|| OrderError::NoImage { kind: order.kind, image: order.image.clone() })
}

fn need(package: &PackageRow) -> Need {
    let cpu_use = match package.kind {
        ServiceType::Vps => CpuUse::Shared,
        ServiceType::Dedicated => CpuUse::Pinned,
    };
    let size = package.size;
    Need { cpus: size.cpu.into(), ram_mib: size.ram_mb.into(), disk_gib: size.disk_gb.into(), cpu_use }
}

/// A host with room, in a location with a free address.
fn place(
    tx: &mut Tx<'_>,
    order: &OrderServer,
    package: &PackageRow,
    need: &Need,
    now: Time,
) -> Result<Place, OrderError> {
    tx.lease_free_rested(now)?;
    let mut locations = tx.location_list()?;
    if let Some(wanted) = &order.location {
        locations.retain(|location| location == wanted);
        if locations.is_empty() {
            return Err(OrderError::NoLocation(wanted.as_str().to_owned()));
        }
    }
    let mut has_room = false;
    for location in &locations {
        let hosts = tx.host_loads(location.as_str(), now)?;
        let Some(host) = placement::choose(&hosts, need).map(|load| load.host) else { continue };
        has_room = true;
        for pool in tx.pool_list(location.as_str())? {
            if let Some(address) = pool.range.choose(&tx.lease_taken(&pool.slug)?) {
                return Ok(Place { host, pool, address });
            }
        }
    }
    Err(if has_room { OrderError::NoAddress } else { OrderError::NoCapacity { package: package.slug.clone() } })
}

fn charge(
    tx: &mut Tx<'_>,
    order: &OrderServer,
    package: &PackageRow,
    server: ServerId,
    draw: &mut Draw,
    now: Time,
) -> Result<(), OrderError> {
    let transfer = Transfer {
        from: Holder::Wallet(order.account),
        to: Holder::Book(Book::Revenue),
        amount: package.monthly,
        cause: Cause::Order(server),
        server: Some(server),
        description: format!("{} for {}, first month", package.name, order.hostname.as_str()),
    };
    let id = TransferId(draw.uuid(now));
    tx.transfer_post(&transfer, id, now).map_err(|why| match why {
        PostError::Insufficient { missing } => OrderError::InsufficientBalance { price: package.monthly, missing },
        PostError::Store(why) => OrderError::Store(why),
        // A server's id is new, so neither can happen; if it does, the order must not.
        PostError::Twice(_) | PostError::Overflow => OrderError::Store(StoreError::Damaged(why.to_string())),
    })?;
    tx.period_insert_first(server, package.monthly, package.monthly, id, now)?;
    Ok(())
}

fn lease(tx: &mut Tx<'_>, server: ServerId, place: &Place, draw: &mut Draw, now: Time) -> Result<Mac, StoreError> {
    let mut mac = mac(draw);
    // Never one that was ever a server's, or is an orphan's now. Four thousand million are to be had.
    while tx.mac_is_known(&mac.to_string())? {
        mac = self::mac(draw);
    }
    let lease = NewLease {
        id: LeaseId(draw.uuid(now)),
        server,
        pool: &place.pool.slug,
        address: place.address,
        prefix_len: place.pool.range.network.prefix_len(),
        gateway: place.pool.range.gateway,
        role: LeaseRole::Primary,
        monthly: Cents::ZERO,
        adapter: "net0",
        mac,
    };
    tx.lease_insert(&lease, now)?;
    Ok(mac)
}

fn mac(draw: &mut Draw) -> Mac {
    let [a, b, c, d, ..] = draw.bytes();
    Mac::for_guest([a, b, c, d])
}

fn primary_nic(place: &Place, mac: Mac) -> Nic {
    let address = NicAddress {
        address: IpAddr::V4(place.address),
        prefix_len: place.pool.range.network.prefix_len(),
        gateway: Some(IpAddr::V4(place.pool.range.gateway)),
    };
    let dns = place.pool.dns.clone();
    Nic { name: "net0".to_owned(), mac, network: NicNetwork::Public, addresses: vec![address], dns }
}

fn first_spec(
    server: ServerId,
    version: Version,
    order: &OrderServer,
    package: &PackageRow,
    image: ImageRow,
    login: Login,
    nic: Nic,
) -> ServerSpec {
    ServerSpec {
        server,
        version,
        hostname: order.hostname.as_str().to_owned(),
        cpus: package.size.cpu,
        ram_mib: package.size.ram_mb,
        disk_gib: package.size.disk_gb,
        cpu_use: need(package).cpu_use,
        power: Power::On,
        locked: false,
        start_epoch: StartEpoch::FIRST,
        boot_epoch: BootEpoch::FIRST,
        disk_epoch: DiskEpoch::FIRST,
        image: image.file,
        login,
        nics: vec![nic],
    }
}
