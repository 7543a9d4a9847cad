//! A server as its owner sees it: service, host's last word, addresses and running action, read on one snapshot.

use std::{collections::HashSet, net::IpAddr};

use csp_shared::{
    id::{AccountId, ServerId},
    observed::{DomainState, FaultCode, Observed},
    spec::{Desired, Power},
};
use rusqlite::Row;

use super::{Action, Lease, LeaseState, MemberRow, Read, StoreError, row};
use crate::domain::{
    billing::{
        lock::{Lock, LockSet},
        renewal::Renewal,
    },
    catalog::{ServiceType, Size},
    hostname::Hostname,
    money::Cents,
    server::{Running, ServiceStatus, Standing, Status},
    server_label::{LabelName, LabelValue, Labels},
    server_settings::Protection,
    time::Time,
};

/// A visible server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerView {
    /// Its id.
    pub id: ServerId,
    /// Whose it is.
    pub account: AccountId,
    /// As ordered.
    pub hostname: String,
    /// Virtual or dedicated.
    pub kind: ServiceType,
    /// Where the service stands.
    pub service: ServiceStatus,
    /// What is seen of it.
    pub status: Status,
    /// When its host last spoke of it.
    pub observed_at: Option<Time>,
    /// Package: UUID, slug, name.
    pub package: (String, String, String),
    /// Price of a month, as sold.
    pub monthly: Cents,
    /// Resources, as sold.
    pub size: Size,
    /// Image: UUID, key, name, version.
    pub image: (String, String, String, String),
    /// Addresses, the primary first.
    pub ips: Vec<ServerIp>,
    /// Adapters in private networks, oldest first.
    pub private: Vec<MemberRow>,
    /// Paid until; nothing before first Online.
    pub paid_until: Option<Time>,
    /// Whether it renews by itself.
    pub auto_renew: bool,
    /// Why it is locked.
    pub locks: LockSet,
    /// What its next period costs.
    pub renewal: Renewal,
    /// Its owner's words about it.
    pub labels: Labels,
    /// What is refused until its owner lifts it.
    pub protection: Protection,
    /// The running action.
    pub action: Option<Action>,
    /// Why its order failed: a code, and a sentence for the customer.
    pub failure: Option<(String, String)>,
    /// What its host says stands in its way, while nothing is being done to it.
    pub trouble: Option<FaultCode>,
    /// Where it stands.
    pub location: String,
    /// On which host; for operators alone.
    pub host: String,
    /// When it was ordered.
    pub created_at: Time,
}

/// An address of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ServerIp {
    /// The lease behind it.
    pub lease: Lease,
    /// Of the adapter that carries it.
    pub mac: String,
    /// Of its network.
    pub prefix_len: u8,
    /// The way out.
    pub gateway: Option<String>,
}

/// What of a server's row needs more rows to become a view.
struct Base {
    now: Time,
    view: ServerView,
    standing: Standing,
}

const VIEWS: &str = "SELECT s.uuid, a.uuid, s.hostname, s.type, s.service_status, \
                     (SELECT group_concat(k.reason) FROM server_locks k WHERE k.server_id = s.id), \
                     pk.uuid, pk.slug, pk.name, s.package_monthly_cents, s.cpu, s.ram_mb, s.disk_gb, \
                     im.uuid, im.key, im.name, im.version, s.paid_until, s.auto_renew, s.created_at, \
                     sp.body, o.body, o.seen_at, h.seen_at, l.slug, h.name, s.protect_destroy, s.protect_reinstall \
                     FROM servers s JOIN accounts a ON a.id = s.account_id JOIN packages pk ON pk.id = s.package_id \
                     JOIN images im ON im.id = s.image_id \
                     JOIN placements p ON p.id = (SELECT max(id) FROM placements WHERE server_id = s.id) \
                     JOIN hosts h ON h.id = p.host_id JOIN locations l ON l.id = h.location_id \
                     JOIN specs sp ON sp.placement_id = p.id LEFT JOIN observations o ON o.placement_id = p.id";

const VISIBLE: &str = "s.service_status <> 'destroyed'";
const HELD: &str = "p.state <> 'released'";
/// Host names are the same in any case.
const NAMED: &str = " AND s.hostname = ? COLLATE NOCASE";
const AT_ADDRESS: &str = " AND s.id IN (SELECT n.server_id FROM leases le JOIN nics n ON n.id = le.nic_id \
                          WHERE le.address = ? AND le.state <> 'free' AND le.state = 'leased')";
const WITH_LABEL: &str = " AND EXISTS (SELECT 1 FROM server_labels t WHERE t.server_id = s.id AND t.name = ?)";
const LABELLED: &str =
    " AND EXISTS (SELECT 1 FROM server_labels t WHERE t.server_id = s.id AND t.name = ? AND t.value = ?)";

/// Which of an account's servers are wanted: those that fit all of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ServerFilter {
    /// With this name, in whatever case.
    pub hostname: Option<Hostname>,
    /// With this address.
    pub address: Option<IpAddr>,
    /// With each of these labels; without a value, whatever it is.
    pub labels: Vec<(LabelName, Option<LabelValue>)>,
}

impl ServerFilter {
    /// What it adds to a statement, and the values for the marks in it.
    fn conditions(&self) -> (String, Vec<String>) {
        let (mut sql, mut values) = (String::new(), Vec::new());
        if let Some(hostname) = &self.hostname {
            sql.push_str(NAMED);
            values.push(hostname.as_str().to_owned());
        }
        if let Some(address) = &self.address {
            sql.push_str(AT_ADDRESS);
            values.push(address.to_string());
        }
        for (name, value) in &self.labels {
            sql.push_str(if value.is_some() { LABELLED } else { WITH_LABEL });
            values.push(name.as_str().to_owned());
            values.extend(value.iter().map(|value| value.as_str().to_owned()));
        }
        (sql, values)
    }
}

fn locks(r: &Row<'_>) -> Result<LockSet, StoreError> {
    let reasons: Option<String> = r.get(5)?;
    let known = |name: &str| Lock::parse(name).ok_or_else(|| StoreError::Damaged(name.to_owned()));
    let locks: Result<Vec<Lock>, _> = reasons.iter().flat_map(|all| all.split(',')).map(known).collect();
    Ok(LockSet::of(&locks?))
}

fn base(r: &Row<'_>, now: Time) -> Result<Base, StoreError> {
    let json = |why: serde_json::Error| StoreError::Damaged(why.to_string());
    let desired: Desired = serde_json::from_str(&r.get::<_, String>(20)?).map_err(json)?;
    let observed: Option<String> = r.get(21)?;
    let observed: Option<Observed> = observed.map(|text| serde_json::from_str(&text).map_err(json)).transpose()?;
    let host_seen_at = row::time_maybe(r, 23)?;
    let heard = host_seen_at.is_some_and(|at| at.plus(csp_shared::limits::SILENCE_SECONDS_MAX) >= now);
    // A host reports what changes; each sign of life says that the rest is as it was.
    let observed_at = row::time_maybe(r, 22)?.map(|at| host_seen_at.map_or(at, |seen| seen.max(at)));
    let service = row::chosen(r, 4, ServiceStatus::parse)?;
    let settled = observed.as_ref().and_then(|seen| seen.reached).is_some_and(|reached| reached >= desired.version());
    // Its host says so of this spec, and not of one before.
    let gave_up = observed.as_ref().is_some_and(|seen| {
        seen.accepted == desired.version() && seen.fault.as_ref().is_some_and(|fault| fault.lasting)
    });
    let standing = Standing {
        service,
        locks: locks(r)?,
        protect_destroy: r.get(26)?,
        protect_reinstall: r.get(27)?,
        power: if let Desired::Present(spec) = &desired { spec.power } else { Power::ForcedOff },
        domain: observed.as_ref().map_or(DomainState::Unknown, |seen| seen.domain),
        settled,
        stuck: !settled && gave_up,
        faulty: observed.as_ref().is_some_and(|seen| seen.fault.is_some()),
        host_heard: heard,
        running: None,
    };
    let view = ServerView {
        id: row::parsed(r, 0)?,
        account: row::parsed(r, 1)?,
        hostname: r.get(2)?,
        kind: row::chosen(r, 3, ServiceType::parse)?,
        service,
        status: standing.status(),
        observed_at,
        package: (r.get(6)?, r.get(7)?, r.get(8)?),
        monthly: row::cents(r, 9)?,
        size: Size { cpu: row::number(r, 10)?, ram_mb: row::number(r, 11)?, disk_gb: row::number(r, 12)? },
        image: (r.get(13)?, r.get(14)?, r.get(15)?, r.get(16)?),
        ips: Vec::new(),
        private: Vec::new(),
        paid_until: row::time_maybe(r, 17)?,
        auto_renew: r.get(18)?,
        locks: standing.locks,
        renewal: Renewal::default(),
        labels: Labels::new(),
        protection: Protection { destroy: r.get(26)?, reinstall: r.get(27)? },
        action: None,
        failure: None,
        trouble: observed.and_then(|seen| seen.fault).map(|fault| fault.code),
        location: r.get(24)?,
        host: r.get(25)?,
        created_at: row::time(r, 19)?,
    };
    Ok(Base { now, view, standing })
}

fn running(action: &Action) -> Running {
    Running { action: action.id, command: action.command }
}

impl Read<'_> {
    /// Of an account's visible servers those that a filter lets through, newest first: how many there are, and the part
    /// that is asked for.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn server_views(
        &self,
        account: AccountId,
        filter: &ServerFilter,
        part: std::ops::Range<usize>,
        now: Time,
    ) -> Result<(u64, Vec<ServerView>), StoreError> {
        let (conditions, values) = filter.conditions();
        let sql = format!("{VIEWS} WHERE {VISIBLE} AND a.uuid = ?{conditions} ORDER BY s.id DESC");
        let params = rusqlite::params_from_iter(std::iter::once(account.to_string()).chain(values));
        let bases = self.many(&sql, params, |r| base(r, now))?;
        let total = bases.len() as u64;
        let wanted = bases.into_iter().skip(part.start).take(part.len());
        let views = wanted.map(|base| self.server_view_filled(base).map(|(view, _)| view));
        Ok((total, views.collect::<Result<_, _>>()?))
    }

    /// Everybody's visible servers, by id alone.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn server_ids_visible(&self) -> Result<HashSet<ServerId>, StoreError> {
        let all = self.many(&format!("SELECT s.uuid FROM servers s WHERE {VISIBLE}"), [], |r| row::parsed(r, 0))?;
        Ok(all.into_iter().collect())
    }

    /// Everybody's visible servers, or one account's, and beside them destroyed servers that their host has not proved
    /// gone: what they hold counts, so the operator must be able to find them.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn server_views_held(&self, account: Option<AccountId>, now: Time) -> Result<Vec<ServerView>, StoreError> {
        let bases = match account {
            Some(account) => {
                let sql = format!("{VIEWS} WHERE ({VISIBLE} OR {HELD}) AND a.uuid = ?1 ORDER BY s.id DESC");
                self.many(&sql, [account.to_string()], |r| base(r, now))?
            }
            None => {
                let sql = format!("{VIEWS} WHERE {VISIBLE} OR {HELD} ORDER BY s.id DESC");
                self.many(&sql, [], |r| base(r, now))?
            }
        };
        bases.into_iter().map(|base| self.server_view_filled(base).map(|(view, _)| view)).collect()
    }

    /// One visible server and all that decides about requests; only its owner's.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn server_view(
        &self,
        account: AccountId,
        id: ServerId,
        now: Time,
    ) -> Result<Option<(ServerView, Standing)>, StoreError> {
        let sql = format!("{VIEWS} WHERE {VISIBLE} AND a.uuid = ?1 AND s.uuid = ?2");
        let base = self.maybe(&sql, (account.to_string(), id.to_string()), |r| base(r, now))?;
        base.map(|base| self.server_view_filled(base)).transpose()
    }

    /// All that decides about requests to one visible server; only its owner's.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn server_standing(&self, account: AccountId, id: ServerId, now: Time) -> Result<Option<Standing>, StoreError> {
        let sql = format!("{VIEWS} WHERE {VISIBLE} AND a.uuid = ?1 AND s.uuid = ?2");
        let base = self.maybe(&sql, (account.to_string(), id.to_string()), |r| base(r, now))?;
        let Some(Base { standing, .. }) = base else { return Ok(None) };
        Ok(Some(Standing { running: self.action_running(id)?.as_ref().map(running), ..standing }))
    }

    /// What is seen of one server, whoever owns it, and whose it is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn server_status(&self, id: ServerId, now: Time) -> Result<Option<(AccountId, Status)>, StoreError> {
        let base = self.maybe(&format!("{VIEWS} WHERE s.uuid = ?1"), [id.to_string()], |r| base(r, now))?;
        let Some(Base { view, mut standing, .. }) = base else { return Ok(None) };
        standing.running = self.action_running(id)?.as_ref().map(running);
        Ok(Some((view.account, standing.status())))
    }

    /// One server, whoever owns it and destroyed ones too; for the operator, who may have to look at a tombstone that
    /// hangs.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn server_view_any(&self, id: ServerId, now: Time) -> Result<Option<ServerView>, StoreError> {
        let base = self.maybe(&format!("{VIEWS} WHERE s.uuid = ?1"), [id.to_string()], |r| base(r, now))?;
        base.map(|base| self.server_view_filled(base).map(|(view, _)| view)).transpose()
    }

    fn server_view_filled(&self, base: Base) -> Result<(ServerView, Standing), StoreError> {
        let Base { now, mut view, mut standing } = base;
        view.renewal = self.billed_get(view.id)?.map(|billed| billed.renewal(now)).unwrap_or_default();
        view.ips = self.server_ips(view.id)?;
        view.private = self.member_list_of(view.id)?;
        view.labels = self.server_labels(view.id)?;
        if view.service == ServiceStatus::Failed {
            view.failure = self.action_of_order(view.id)?.and_then(|order| order.error);
        }
        view.action = self.action_running(view.id)?;
        standing.running = view.action.as_ref().map(running);
        view.status = standing.status();
        // What is being done tells its own end, and a host that is silent may have got over it.
        let is_quiet = view.service == ServiceStatus::Active && view.action.is_none() && standing.host_heard;
        view.trouble = view.trouble.filter(|_| is_quiet);
        Ok((view, standing))
    }

    fn server_ips(&self, server: ServerId) -> Result<Vec<ServerIp>, StoreError> {
        let sql = "SELECT l.uuid, l.address, l.role, l.state, n.name, l.monthly_cents, n.mac, l.prefix_len, l.gateway, \
                   l.gone_incarnation, l.gone_generation \
                   FROM leases l JOIN nics n ON n.id = l.nic_id JOIN servers s ON s.id = n.server_id \
                   WHERE s.uuid = ?1 AND l.state = 'leased' ORDER BY l.role DESC, l.id";
        self.many(sql, [server.to_string()], |r| {
            let lease = Lease {
                id: row::parsed(r, 0)?,
                server,
                address: row::parsed(r, 1)?,
                role: row::chosen(r, 2, super::LeaseRole::parse)?,
                state: row::chosen(r, 3, LeaseState::parse)?,
                adapter: r.get(4)?,
                monthly: row::cents(r, 5)?,
                gone: super::extra_ip::gone(r, 9)?,
            };
            Ok(ServerIp { lease, mac: r.get(6)?, prefix_len: row::number(r, 7)?, gateway: r.get(8)? })
        })
    }
}
