//! Rented servers: the service side of them. What their hosts know stands in `spec`. Whatever moves a service on here also
//! writes the event that tells of it.

use csp_shared::id::{AccountId, ServerId, SshKeyId};
use rusqlite::Row;

use super::{ImageRow, PackageRow, Read, StoreError, Tx, row};
use crate::domain::{
    event::Event, hostname::Hostname, money::Cents, server::ServiceStatus, time::Time, user_data::UserData,
};

/// What use cases need of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Its id.
    pub id: ServerId,
    /// Whose it is.
    pub account: AccountId,
    /// Where the service stands.
    pub service: ServiceStatus,
    /// Whether a lock is on it.
    pub locked: bool,
    /// When its first period began.
    pub anchor_at: Option<Time>,
}

/// A server about to be stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NewServer<'a> {
    /// Its id.
    pub id: ServerId,
    /// Whose.
    pub account: AccountId,
    /// As ordered.
    pub hostname: &'a Hostname,
    /// As sold.
    pub package: &'a PackageRow,
    /// What a month costs.
    pub monthly: Cents,
    /// What is installed.
    pub image: &'a ImageRow,
    /// The chosen key; used again on reinstall.
    pub ssh_key: Option<SshKeyId>,
    /// Every public key that opens it, the chosen one first; used again on reinstall whatever becomes of the account's keys.
    pub authorized_keys: &'a [String],
    /// For cloud-init; used again on reinstall.
    pub user_data: Option<&'a UserData>,
}

const SERVERS: &str = "SELECT s.uuid, a.uuid, s.service_status, \
                       EXISTS (SELECT 1 FROM server_locks k WHERE k.server_id = s.id), s.anchor_at \
                       FROM servers s JOIN accounts a ON a.id = s.account_id";

fn server(r: &Row<'_>) -> Result<Server, StoreError> {
    Ok(Server {
        id: row::parsed(r, 0)?,
        account: row::parsed(r, 1)?,
        service: row::chosen(r, 2, ServiceStatus::parse)?,
        locked: r.get(3)?,
        anchor_at: row::time_maybe(r, 4)?,
    })
}

impl Read<'_> {
    /// One server, whoever owns it and however it ended.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn server_get(&self, id: ServerId) -> Result<Option<Server>, StoreError> {
        self.maybe(&format!("{SERVERS} WHERE s.uuid = ?1"), [id.to_string()], server)
    }

    /// All servers, oldest first.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn server_all(&self) -> Result<Vec<Server>, StoreError> {
        self.many(&format!("{SERVERS} ORDER BY s.id"), [], server)
    }
}

impl Tx<'_> {
    /// Stores a new server as provisioning.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn server_insert(&mut self, new: &NewServer<'_>, now: Time) -> Result<(), StoreError> {
        let account = self.key_of("accounts", &new.account.to_string())?;
        let package = self.key_of("packages", &new.package.id.to_string())?;
        let image = self.key_of("images", &new.image.id.to_string())?;
        let ssh_key = new.ssh_key.map(|key| self.key_of("ssh_keys", &key.to_string())).transpose()?;
        let sql = "INSERT INTO servers (uuid, account_id, type, hostname, service_status, package_id, package_monthly_cents, \
                   cpu, ram_mb, disk_gb, image_id, ssh_key_id, chosen_key, authorized_keys, user_data, created_at, traffic_bytes, \
                   traffic_shape_mbit) \
                   VALUES (?1, ?2, ?3, ?4, 'provisioning', ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16, ?17)";
        let keys = serde_json::to_string(new.authorized_keys).map_err(|why| StoreError::Damaged(why.to_string()))?;
        let size = new.package.size;
        let params = rusqlite::params![
            new.id.to_string(),
            account,
            new.package.kind.as_str(),
            new.hostname.as_str(),
            package,
            new.monthly.get(),
            size.cpu,
            size.ram_mb,
            size.disk_gb,
            image,
            ssh_key,
            new.ssh_key.and(new.authorized_keys.first()),
            keys,
            new.user_data.map(|data| data.text().reveal()),
            now.0,
            new.package.traffic.map(|quota| row::signed(quota.bytes)),
            new.package.traffic.and_then(|quota| quota.shape_mbit_per_second)
        ];
        self.insert(sql, params)?;
        self.event_put(new.account, &Event::server_created(new.id, new.hostname.as_str()), now)
    }

    /// Hides failed orders that ended before `before`; answers how many.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn server_hide_failed(&mut self, before: Time, now: Time) -> Result<usize, StoreError> {
        let sql = "SELECT uuid FROM servers WHERE service_status = 'failed' AND ended_at <= ?1";
        let failed = self.many(sql, [before.0], |r| row::parsed(r, 0))?;
        for server in &failed {
            self.server_set_service(*server, ServiceStatus::Destroyed, None, now)?;
        }
        Ok(failed.len())
    }

    /// Moves a service on; a failed or destroyed one gets its end.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn server_set_service(
        &mut self,
        id: ServerId,
        service: ServiceStatus,
        failure_code: Option<&str>,
        now: Time,
    ) -> Result<(), StoreError> {
        let found = self.server_get(id)?.ok_or_else(|| StoreError::Damaged(format!("no server {id}")))?;
        let ended = matches!(service, ServiceStatus::Failed | ServiceStatus::Destroyed).then_some(now.0);
        let sql = "UPDATE servers SET service_status = ?2, failure_code = coalesce(?3, failure_code), \
                   ended_at = coalesce(ended_at, ?4) WHERE uuid = ?1";
        self.run(sql, (id.to_string(), service.as_str(), failure_code, ended))?;
        if found.service == service {
            return Ok(());
        }
        self.event_put(found.account, &Event::service_changed(id, found.service, service), now)
    }
}
