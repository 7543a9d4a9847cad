//! The only place with SQL. [`Tx`] writes, [`Read`] asks; methods are named noun first (`account_get`), so that one
//! search finds all that touches a table. Internal keys never leave: the outside knows UUIDs.

mod account;
mod account_limit;
mod action;
mod address_aside;
mod api_key;
mod audit;
mod billed;
mod billed_due;
mod catalog;
mod catalog_apply;
mod closing;
mod connection;
mod console_ticket;
mod engine;
mod event;
mod explain;
mod export;
mod extra_ip;
mod host;
mod host_duty;
mod host_session;
mod host_status;
mod idempotency;
mod lease;
mod ledger;
mod ledger_requests;
mod ledger_services;
mod mail;
mod mail_link;
mod network;
mod network_member;
mod network_object;
mod notice;
mod operator_token;
mod orphan;
mod payment;
mod period;
mod person;
mod placement;
#[cfg(debug_assertions)]
mod plan;
mod price;
mod promo;
mod reminder;
mod reshape;
mod row;
mod scheduler;
mod second_factor;
mod server;
mod server_settings;
mod server_view;
mod share_link;
mod sign_in;
mod signal;
mod spec;
mod ssh_key;
mod top_up;
mod traffic;
mod transfer;
mod wallet_history;

use std::{collections::BTreeSet, ops::Deref, path::PathBuf};

use csp_shared::{
    generation::Incarnation,
    id::{AccountId, HostId},
};
use rusqlite::Connection;

pub use self::{
    account::Account,
    action::{Action, ActionFilter, NewAction, OpenAction},
    address_aside::AsideRow,
    api_key::{ApiKeyRow, NewApiKey},
    audit::PlacedServer,
    billed::Billed,
    catalog::{ImageRow, LocationRow, PackageRow, PoolRow},
    catalog_apply::{CatalogChange, ChangeKind},
    closing::Remains,
    console_ticket::{ConsoleRight, ConsoleTicket, Credential},
    engine::Store,
    event::EventRow,
    explain::Whose,
    export::{EXPORTED, NOT_EXPORTED},
    extra_ip::{ExtraIp, IpChange},
    host::{HostClass, HostRow, HostState, NewHost},
    host_duty::Loss,
    host_session::{HostSession, JoinToken},
    idempotency::StoredAnswer,
    lease::{Lease, LeaseRole, LeaseState, NewLease},
    ledger::LedgerPlace,
    ledger_services::ServicePlace,
    mail::{MOVED, MailRow, NewMail},
    mail_link::{MailLink, NewMailLink},
    network::{NetworkRow, NetworkState, NewNetwork, RangeRow},
    network_member::{MemberRow, NewMember},
    network_object::NetworkObject,
    notice::NoticeRow,
    operator_token::{NewOperatorToken, OperatorTokenRow},
    orphan::OrphanRow,
    payment::{Dispute, NewDispute, PaymentRow},
    person::{NewPerson, Person},
    placement::{Placement, PlacementState},
    reshape::ReshapeRow,
    scheduler::SchedulerRow,
    second_factor::SecondFactorRow,
    server::{NewServer, Server},
    server_view::{ServerFilter, ServerIp, ServerView},
    share_link::{LinkVisit, NewShareLink, ShareLinkRow},
    sign_in::{NewSignIn, SignIn},
    spec::Observation,
    ssh_key::SshKeyRow,
    top_up::TopUpRow,
    traffic::{TrafficMonth, TrafficPlan},
    transfer::{Held, PostError, Posted},
    wallet_history::{Begin, TransferFilter, TransferRow},
};

/// Questions. Every method is on this type, so that a use case can ask while it writes.
pub struct Read<'c> {
    connection: &'c Connection,
}

impl<'c> Read<'c> {
    fn new(connection: &'c Connection) -> Self {
        Self { connection }
    }

    /// Which life of the store this is.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn incarnation(&self) -> Result<Incarnation, StoreError> {
        let number: i64 = self.one("SELECT incarnation FROM store_state", [], |row| Ok(row.get(0)?))?;
        Ok(Incarnation(u64::try_from(number).unwrap_or(1)))
    }
}

/// A write transaction of one use case.
pub struct Tx<'c> {
    read: Read<'c>,
    news: News,
}

/// Whom a transaction concerns: they are woken after its commit.
#[derive(Debug, Default)]
struct News {
    /// Accounts of which an event was written, or a key was ended: whoever follows them is woken after the commit.
    told: BTreeSet<AccountId>,
    /// The scheduler has to look at a service now.
    billing: bool,
    /// Hosts that have to be told something, beside those that a use case names.
    hosts: BTreeSet<HostId>,
}

impl News {
    fn append(&mut self, other: Self) {
        self.told.extend(other.told);
        self.billing |= other.billing;
        self.hosts.extend(other.hosts);
    }
}

impl<'c> Tx<'c> {
    fn new(connection: &'c Connection) -> Self {
        Self { read: Read::new(connection), news: News::default() }
    }
}

impl<'c> Deref for Tx<'c> {
    type Target = Read<'c>;
    fn deref(&self) -> &Read<'c> {
        &self.read
    }
}

/// The store could not do it.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// At start.
    #[error("could not open the database {}: {why}; check that the folder exists, is writable and has room", path.display())]
    Open {
        /// Which file.
        path: PathBuf,
        /// SQLite's word.
        why: rusqlite::Error,
    },
    /// Some other program's file.
    #[error("{} is no database of csp; point data_dir elsewhere", .0.display())]
    NotOurs(PathBuf),
    /// A downgrade.
    #[error("the database {} has schema {found}, this program knows {known}; run the newer csp-control", path.display())]
    Newer {
        /// Which file.
        path: PathBuf,
        /// In the file.
        found: i32,
        /// In the program.
        known: usize,
    },
    /// No thread to write on.
    #[error("could not start the store's writer")]
    Thread(#[source] std::io::Error),
    /// More closures wait than can be kept.
    #[error("the store is busy")]
    Busy,
    /// The program is stopping.
    #[error("the store is closed")]
    Closed,
    /// A bug; nothing of the use case was kept.
    #[error("a use case failed in the middle")]
    Panicked,
    /// A full disk, most likely; nothing of the use case was kept.
    #[error("the store could not keep it: {0}")]
    NotDurable(String),
    /// A value that this program never writes.
    #[error("the store holds a damaged value: {0}")]
    Damaged(String),
    /// Anything else of SQLite.
    #[error("the store failed: {0}")]
    Sqlite(rusqlite::Error),
}

impl StoreError {
    fn open(path: &std::path::Path, why: rusqlite::Error) -> Self {
        Self::Open { path: path.to_owned(), why }
    }

    /// Whether trying again later can help.
    #[must_use]
    pub fn is_passing(&self) -> bool {
        matches!(self, Self::Busy | Self::NotDurable(_) | Self::Closed)
    }
}

impl From<rusqlite::Error> for StoreError {
    fn from(why: rusqlite::Error) -> Self {
        Self::Sqlite(why)
    }
}

#[cfg(test)]
mod tests;
