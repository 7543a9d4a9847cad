//! Orders a server. One transaction: money, address, place on a host, spec and action appear together or not at all.

use std::net::{IpAddr, Ipv4Addr};

use csp_shared::{
    generation::{BootEpoch, DiskEpoch, Generation, StartEpoch, Version},
    id::{AccountId, ActionId, HostId, LeaseId, ServerId, SshKeyId},
    mac::Mac,
    spec::{Desired, Login, Nic, NicAddress, NicNetwork, Power, ServerSpec},
};

use super::{
    afford::{Unaffordable, afford},
    check_limit::limit_reached,
    known_names::{Found, Named, UnknownName, find},
    look_for_room::{need_of, room_in},
    new_mac::new_mac,
    pay_periods::pay_periods,
};
use crate::{
    domain::{
        action::Command,
        adapter,
        billing::{
            bill::Bill,
            promo::{Code, Promo},
            quote::{Charge, Quote},
            renewal::Prices,
        },
        catalog::ServiceType,
        draw::Draw,
        hostname::Hostname,
        limits::{Limit, LimitReached, Limits},
        money::Cents,
        payment::Spending,
        placement::{Need, NoRoom},
        slug::Slug,
        ssh_key::SshKey,
        time::Time,
        user_data::UserData,
    },
    store::{
        ImageRow, LeaseRole, NewAction, NewLease, NewServer, PackageRow, PoolRow, PostError, SshKeyRow, StoreError, Tx,
    },
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
    /// A code that takes something off.
    pub promo: Option<Code>,
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
    /// What it cost.
    pub bill: Bill,
}

/// Why an order was refused. Nothing was changed.
#[derive(Debug, thiserror::Error)]
pub enum OrderError {
    /// Names that lead nowhere; never none.
    #[error("{} names of the order lead nowhere", .0.len())]
    Unknown(Vec<UnknownName>),
    /// The account has as many servers as it may have.
    #[error(transparent)]
    Limit(LimitReached),
    /// The account may not, or the wallet has less.
    #[error(transparent)]
    Unaffordable(#[from] Unaffordable),
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
    let Names { package, image, ssh_key, promo } = names(tx, order, now)?;
    let authorized_keys = authorized_keys(ssh_key, order);
    if let Some(reached) = limit_reached(tx, order.account, Limit::Servers, &order.limits, now)? {
        return Err(OrderError::Limit(reached));
    }
    // Money first: a customer who cannot pay learns nothing about the provider's room.
    let first = Prices { package: package.monthly, ips: Vec::new(), promo: promo.as_ref().map(|p| p.terms) }.renewal(0);
    let funds = afford(tx, order.account, Spending::Order, first.total)?;
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
    if let Some(promo) = &promo {
        tx.promo_use(promo, order.account, server, now)?;
    }
    let charges = charge(tx, server, &mut draw, now)?;
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
    let bill =
        Bill { quote: Quote { charges, credits: Vec::new() }, anchor: None, before: funds.before, left: funds.left };
    Ok(Ordered { server, action, host: place.host, bill })
}

/// What the order's names lead to.
struct Names {
    package: PackageRow,
    image: ImageRow,
    ssh_key: Option<SshKeyRow>,
    promo: Option<Promo>,
}

fn names(tx: &Tx<'_>, order: &OrderServer, now: Time) -> Result<Names, OrderError> {
    let named = Named {
        kind: Some(order.kind),
        package: Some(order.package.clone()),
        image: Some(order.image.clone()),
        ssh_key: order.ssh_key,
        location: order.location.clone(),
        promo: order.promo.clone(),
    };
    let (Found { package, image, ssh_key, promo }, unknown) = find(tx, order.account, &named, now)?;
    match (package, image) {
        (Some(package), Some(image)) if unknown.is_empty() => Ok(Names { package, image, ssh_key, promo }),
        _ => Err(OrderError::Unknown(unknown)),
    }
}

/// The chosen key, then those that came with the order, each once.
fn authorized_keys(chosen: Option<SshKeyRow>, order: &OrderServer) -> Vec<String> {
    let mut keys: Vec<String> = Vec::new();
    let chosen = chosen.into_iter().map(|key| key.public_key);
    for line in chosen.chain(order.inline_keys.iter().map(|key| key.line().to_owned())) {
        if !keys.contains(&line) {
            keys.push(line);
        }
    }
    keys
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
    locations.retain(|location| order.location.as_ref().is_none_or(|wanted| location.slug == *wanted));
    let mut lacking = NoRoom::Host;
    for location in &locations {
        match room_in(tx, &location.slug, Some(order.account), now)?.place(need) {
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

/// Pays the first period, which begins when the server was seen running.
fn charge(tx: &mut Tx<'_>, server: ServerId, draw: &mut Draw, now: Time) -> Result<Vec<Charge>, OrderError> {
    let gone = || StoreError::Damaged(format!("server {server} is gone within its order"));
    let service = tx.billed_get(server)?.ok_or_else(gone)?;
    // The balance was looked at before, and a server's id is new: what fails here is the store.
    let charges = service.prices(now).charges(0);
    let paid = pay_periods(tx, &service, &charges, draw, now);
    paid.map(|()| charges).map_err(|why| OrderError::Store(PostError::into_store(why)))
}

fn lease(tx: &mut Tx<'_>, server: ServerId, place: &Place, draw: &mut Draw, now: Time) -> Result<Mac, StoreError> {
    let mac = new_mac(tx, draw)?;
    let lease = NewLease {
        id: LeaseId(draw.uuid(now)),
        server,
        pool: &place.pool.slug,
        address: place.address,
        prefix_len: place.pool.range.network.prefix_len(),
        gateway: place.pool.range.gateway,
        role: LeaseRole::Primary,
        monthly: Cents::ZERO,
        adapter: adapter::PRIMARY,
        mac,
    };
    tx.lease_insert(&lease, now)?;
    Ok(mac)
}

fn primary_nic(place: &Place, mac: Mac) -> Nic {
    let address = NicAddress {
        address: IpAddr::V4(place.address),
        prefix_len: place.pool.range.network.prefix_len(),
        gateway: Some(IpAddr::V4(place.pool.range.gateway)),
    };
    let dns = place.pool.dns.clone();
    Nic { name: adapter::PRIMARY.to_owned(), mac, network: NicNetwork::Public, addresses: vec![address], dns }
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
        smtp_open: false,
        net_held_mbit_per_second: None,
        limits: package.limits,
    }
}
