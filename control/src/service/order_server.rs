//! Orders a server. One transaction: money, address, place on a host, spec and action appear together or not at all.

use std::net::{IpAddr, Ipv4Addr};

use csp_shared::{
    generation::{BootEpoch, DiskEpoch, Generation, StartEpoch, Version},
    id::{AccountId, ActionId, HostId, LeaseId, ServerId, SshKeyId, TransferId},
    mac::Mac,
    spec::{Desired, Login, Nic, NicAddress, NicNetwork, Power, ServerSpec},
};

use super::{
    check_limit::limit_reached,
    look_for_room::{need_of, room_in},
};
use crate::{
    domain::{
        action::Command,
        catalog::ServiceType,
        draw::Draw,
        hostname::Hostname,
        ledger::{Book, Cause, Holder, Transfer},
        limits::{Limit, LimitReached, Limits},
        money::Cents,
        placement::{Need, NoRoom},
        slug::Slug,
        ssh_key::SshKey,
        time::Time,
        user_data::UserData,
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
    /// Keys that open it beside that one, and are not kept in the account.
    pub inline_keys: Vec<SshKey>,
    /// For cloud-init in the guest.
    pub user_data: Option<UserData>,
    /// Where, if it matters.
    pub location: Option<Slug>,
    /// crypt(5) hash of root's password; used when there is no key.
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
    /// What is left in the wallet.
    pub balance: Cents,
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
    address: Ipv4Addr,
}

/// Orders a server. Time and random values come in, so that running it again writes the same rows.
///
/// # Errors
/// With the reason, and nothing changed.
pub fn order_server(tx: &mut Tx<'_>, order: &OrderServer, draw: Draw, now: Time) -> Result<Ordered, OrderError> {
    let mut draw = draw;
    let package = package(tx, order)?;
    let image = image(tx, order)?;
    let authorized_keys = authorized_keys(tx, order)?;
    if let Some(reached) = limit_reached(tx, order.account, Limit::Servers, &order.limits, now)? {
        return Err(OrderError::Limit(reached));
    }
    // Money first: a customer who cannot pay learns nothing about the provider's room.
    let balance = tx.account_get(order.account)?.map_or(Cents::ZERO, |account| account.balance);
    if balance < package.monthly {
        let missing = package.monthly.minus(balance).unwrap_or_default();
        return Err(OrderError::InsufficientBalance { price: package.monthly, missing });
    }
    let need = need_of(&package);
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
        authorized_keys: &authorized_keys,
        user_data: order.user_data.as_ref(),
    };
    tx.server_insert(&new, now)?;
    tx.placement_insert(server, place.host, &need, now)?;
    let balance = charge(tx, order, &package, server, &mut draw, now)?;
    let mac = lease(tx, server, &place, &mut draw, now)?;
    let password_hash = order.password_hash.clone().filter(|_| authorized_keys.is_empty());
    let login = Login { ssh_keys: authorized_keys, password_hash };
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
    Ok(Ordered { server, action, host: place.host, charged: package.monthly, balance })
}

/// The chosen key, then those that came with the order, each once.
fn authorized_keys(tx: &Tx<'_>, order: &OrderServer) -> Result<Vec<String>, OrderError> {
    let chosen = match order.ssh_key {
        Some(id) => Some(tx.ssh_key_get(order.account, id)?.ok_or(OrderError::NoSshKey(id))?.public_key),
        None => None,
    };
    let mut keys: Vec<String> = Vec::new();
    for line in chosen.into_iter().chain(order.inline_keys.iter().map(|key| key.line().to_owned())) {
        if !keys.contains(&line) {
            keys.push(line);
        }
    }
    Ok(keys)
}

fn package(tx: &Tx<'_>, order: &OrderServer) -> Result<PackageRow, OrderError> {
    let found = tx.package_get(&order.package)?.filter(|package| package.kind == order.kind);
    found.ok_or_else(|| OrderError::NoPackage { kind: order.kind, package: order.package.clone() })
}

fn image(tx: &Tx<'_>, order: &OrderServer) -> Result<ImageRow, OrderError> {
    let found = tx.image_get(&order.image)?.filter(|image| image.kind.is_none_or(|kind| kind == order.kind));
    found.ok_or_else(|| OrderError::NoImage { kind: order.kind, image: order.image.clone() })
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
    let mut lacking = NoRoom::Host;
    for location in &locations {
        match room_in(tx, location, now)?.place(need) {
            Ok((host, (pool, address))) => return Ok(Place { host, pool: pool.clone(), address: *address }),
            Err(NoRoom::Address) => lacking = NoRoom::Address,
            Err(NoRoom::Host) => {}
        }
    }
    Err(match lacking {
        NoRoom::Host => OrderError::NoCapacity { package: package.slug.clone() },
        NoRoom::Address => OrderError::NoAddress,
    })
}

fn charge(
    tx: &mut Tx<'_>,
    order: &OrderServer,
    package: &PackageRow,
    server: ServerId,
    draw: &mut Draw,
    now: Time,
) -> Result<Cents, OrderError> {
    let transfer = Transfer {
        from: Holder::Wallet(order.account),
        to: Holder::Book(Book::Revenue),
        amount: package.monthly,
        cause: Cause::Order(server),
        server: Some(server),
        description: format!("{} for {}, first month", package.name, order.hostname.as_str()),
    };
    let id = TransferId(draw.uuid(now));
    let balance = tx.transfer_post(&transfer, id, now).map_err(|why| match why {
        PostError::Insufficient { missing } => OrderError::InsufficientBalance { price: package.monthly, missing },
        PostError::Store(why) => OrderError::Store(why),
        // A server's id is new, so neither can happen; if it does, the order must not.
        PostError::Twice(_) | PostError::Overflow => OrderError::Store(StoreError::Damaged(why.to_string())),
    })?;
    tx.period_insert_first(server, package.monthly, package.monthly, id, now)?;
    Ok(balance)
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
        cpu_use: need_of(package).cpu_use,
        power: Power::On,
        locked: false,
        start_epoch: StartEpoch::FIRST,
        boot_epoch: BootEpoch::FIRST,
        disk_epoch: DiskEpoch::FIRST,
        image: image.file,
        login,
        nics: vec![nic],
        user_data: order.user_data.as_ref().map(|data| data.text().clone()),
    }
}
