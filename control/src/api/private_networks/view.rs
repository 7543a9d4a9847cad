//! A private network as its owner sees it.

use csp_shared::id::{AccountId, MembershipId, NetworkId, ServerId};
use serde::Serialize;
use utoipa::ToSchema;

use crate::{
    api::{document::schemas::MemberStatusWord, envelope::When},
    domain::membership::MemberStatus,
    store::{MemberRow, NetworkRow, Read, StoreError},
};

/// A private network.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PrivateNetwork)]
pub struct NetworkAnswer {
    #[schema(value_type = Uuid)]
    uuid: NetworkId,
    #[schema(example = "Internal network")]
    name: String,
    /// Its addresses.
    #[schema(example = "10.64.0.0/24")]
    subnet: String,
    /// Where it is; null until it has a member, unless it was said when it was made.
    #[schema(required, example = "fra1")]
    location: Option<String>,
    members: Vec<MemberAnswer>,
    created_at: When,
}

/// A server in it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PrivateNetworkMember)]
pub struct MemberAnswer {
    #[schema(value_type = Uuid)]
    membership_id: MembershipId,
    #[schema(value_type = Uuid)]
    server_uuid: ServerId,
    #[schema(example = "web1")]
    hostname: String,
    /// The server's address in the network.
    #[schema(example = "10.64.0.1")]
    address: String,
    /// The server's adapter in the network.
    #[schema(example = "net1")]
    adapter: String,
    /// queued: on its way; active: its host has brought it about; removing: its host has not let go of it yet.
    status: MemberStatusWord,
}

impl NetworkAnswer {
    fn new(row: NetworkRow, members: Vec<MemberRow>) -> Self {
        Self {
            uuid: row.id,
            name: row.name,
            subnet: row.subnet.to_string(),
            location: row.location,
            members: members.into_iter().map(MemberAnswer::from).collect(),
            created_at: When(row.created_at),
        }
    }

    /// A network with its members.
    ///
    /// # Errors
    /// When the store cannot be read.
    pub fn filled(read: &Read<'_>, row: NetworkRow) -> Result<Self, StoreError> {
        let members = read.member_list(row.id)?;
        Ok(Self::new(row, members))
    }

    /// A network of the account that was looked up before in the same transaction.
    ///
    /// # Errors
    /// When it is not there.
    pub fn of(read: &Read<'_>, account: AccountId, network: NetworkId) -> Result<Self, StoreError> {
        let gone = || StoreError::Damaged(format!("private network {network} is gone within its own transaction"));
        Self::filled(read, read.network_get(account, network)?.ok_or_else(gone)?)
    }
}

impl From<MemberRow> for MemberAnswer {
    fn from(row: MemberRow) -> Self {
        Self {
            membership_id: row.id,
            server_uuid: row.server,
            hostname: row.hostname.clone(),
            address: row.address.to_string(),
            adapter: row.adapter.clone(),
            status: MemberStatusWord(MemberStatus::of(row.state == crate::store::LeaseState::Leased, row.is_there)),
        }
    }
}
