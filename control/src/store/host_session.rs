//! Hosts, as they present themselves: enrolment, connections, and signs of life.

use csp_shared::{
    generation::SessionEpoch,
    id::HostId,
    key_pin::KeyPin,
    message::{Capacity, Hello, Virt},
    sha256::Sha256,
};

use super::{HostState, Read, StoreError, Tx, row};
use crate::domain::time::Time;

/// What a connection is checked against.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HostSession {
    /// Which host.
    pub host: HostId,
    /// Whether it is in service.
    pub state: HostState,
    /// The machine that enrolled.
    pub machine_id: Option<String>,
    /// The newest connection.
    pub session: SessionEpoch,
}

/// A join token, as stored.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct JoinToken {
    /// Whom it lets in.
    pub host: HostId,
    /// Until when.
    pub expires_at: Time,
    /// Whether it did.
    pub used: bool,
}

const SESSIONS: &str = "SELECT uuid, state, machine_id, session FROM hosts";

fn session(r: &rusqlite::Row<'_>) -> Result<HostSession, StoreError> {
    Ok(HostSession {
        host: row::parsed(r, 0)?,
        state: row::chosen(r, 1, HostState::parse)?,
        machine_id: r.get(2)?,
        session: SessionEpoch(row::number(r, 3)?),
    })
}

impl Read<'_> {
    /// The host's newest connection.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn host_session(&self, host: HostId) -> Result<Option<HostSession>, StoreError> {
        self.maybe(&format!("{SESSIONS} WHERE uuid = ?1"), [host.to_string()], session)
    }

    /// The newest connection of the host with this key.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn host_session_by_key(&self, pin: KeyPin) -> Result<Option<HostSession>, StoreError> {
        self.maybe(&format!("{SESSIONS} WHERE key_pin = ?1"), [pin.to_string()], session)
    }

    /// A join token by its hash.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn join_token_get(&self, hash: Sha256) -> Result<Option<JoinToken>, StoreError> {
        let sql = "SELECT h.uuid, t.expires_at, t.used_at IS NOT NULL FROM join_tokens t JOIN hosts h ON h.id = t.host_id \
                   WHERE t.hash = ?1";
        self.maybe(sql, [hash.0], |r| {
            Ok(JoinToken { host: row::parsed(r, 0)?, expires_at: row::time(r, 1)?, used: r.get(2)? })
        })
    }
}

impl Tx<'_> {
    /// Keeps a join token's hash; earlier unused ones of the host end.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn join_token_insert(&mut self, host: HostId, hash: Sha256, expires_at: Time) -> Result<(), StoreError> {
        let host = self.key_of("hosts", &host.to_string())?;
        self.run("UPDATE join_tokens SET expires_at = 0 WHERE host_id = ?1 AND used_at IS NULL", [host])?;
        let sql = "INSERT INTO join_tokens (host_id, hash, expires_at) VALUES (?1, ?2, ?3)";
        self.insert(sql, (host, hash.0, expires_at.0)).map(drop)
    }

    /// Uses a join token up and binds the key and machine to its host. An enrolled host starts a new session, so that
    /// what its old key said changes nothing any more.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn host_bind(
        &mut self,
        host: HostId,
        token: Sha256,
        pin: KeyPin,
        machine_id: &str,
        now: Time,
    ) -> Result<(), StoreError> {
        self.run("UPDATE join_tokens SET used_at = ?2 WHERE hash = ?1", (token.0, now.0))?;
        let sql = "UPDATE hosts SET key_pin = ?2, machine_id = ?3, session = session + 1, \
                   state = CASE state WHEN 'new' THEN 'active' ELSE state END WHERE uuid = ?1";
        self.run(sql, (host.to_string(), pin.to_string(), machine_id)).map(drop)
    }

    /// Opens the next session of a host and keeps what it says of itself.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn host_session_open(&mut self, host: HostId, hello: &Hello, now: Time) -> Result<SessionEpoch, StoreError> {
        let virt = match hello.virt {
            Virt::Kvm => "kvm",
            Virt::Qemu => "qemu",
        };
        let sql = "UPDATE hosts SET session = session + 1, boot_id = ?2, agent_version = ?3, virt = ?4, cpus = ?5, \
                   ram_mib = ?6, disk_gib = ?7, seen_at = ?8, networks = CASE WHEN ?9 THEN networks END WHERE uuid = ?1";
        let (ram, disk) = (row::signed(hello.capacity.ram_mib), row::signed(hello.capacity.disk_gib));
        let version: String = hello.agent_version.chars().take(50).collect();
        let boot: String = hello.boot_id.chars().take(64).collect();
        let (id, cpus) = (host.to_string(), hello.capacity.cpus);
        // What it can do for private networks it tells next; until then it stands as it was.
        self.run(sql, (id, boot, version, virt, cpus, ram, disk, now.0, hello.networks))?;
        self.one("SELECT session FROM hosts WHERE uuid = ?1", [host.to_string()], |r| {
            Ok(SessionEpoch(row::number(r, 0)?))
        })
    }

    /// Notes that another machine came with a host's key.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn host_stranger(&mut self, host: HostId, now: Time) -> Result<(), StoreError> {
        self.run("UPDATE hosts SET stranger_at = ?2 WHERE uuid = ?1", (host.to_string(), now.0)).map(drop)
    }

    /// Notes that a host was heard of.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn host_seen(&mut self, host: HostId, now: Time) -> Result<(), StoreError> {
        self.run("UPDATE hosts SET seen_at = ?2 WHERE uuid = ?1", (host.to_string(), now.0)).map(drop)
    }

    /// Keeps what a host has in all: what may be placed on it is reckoned from this.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn host_set_capacity(&mut self, host: HostId, capacity: Capacity) -> Result<(), StoreError> {
        let (ram, disk) = (row::signed(capacity.ram_mib), row::signed(capacity.disk_gib));
        let sql = "UPDATE hosts SET cpus = ?2, ram_mib = ?3, disk_gib = ?4 WHERE uuid = ?1";
        self.run(sql, (host.to_string(), capacity.cpus, ram, disk)).map(drop)
    }

    /// Notes that the host told all that it holds in this session.
    ///
    /// # Errors
    /// When the store cannot keep it.
    pub fn host_inventory(&mut self, host: HostId) -> Result<(), StoreError> {
        self.run("UPDATE hosts SET inventory_session = session WHERE uuid = ?1", [host.to_string()]).map(drop)
    }
}
