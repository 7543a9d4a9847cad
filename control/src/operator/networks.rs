//! `/networks`: private networks with their segments, members and hosts.

use std::collections::BTreeMap;

use axum::extract::{Path, State};
use csp_shared::{
    id::{HostId, NetworkId},
    network::DesiredNetwork,
};

use super::wire::networks::{Network, NetworkHost, NetworkMember};
use crate::{
    api::{
        App,
        envelope::Answer,
        error::{ApiError, Code},
    },
    store::{MemberRow, NetworkObject, NetworkRow, Read, StoreError},
};

/// `GET /networks`: those whose subnet and segment are not free, oldest first.
pub async fn list(State(app): State<App>) -> Result<Answer<Vec<Network>>, ApiError> {
    let all = |read: &Read<'_>| {
        let names = names(read)?;
        read.network_all()?.into_iter().map(|row| shown(read, row, &names)).collect::<Result<Vec<_>, StoreError>>()
    };
    Ok(Answer::data(app.store.read(all).await?))
}

/// `GET /networks/{uuid}`: one, however it ended.
pub async fn show(State(app): State<App>, Path(network): Path<NetworkId>) -> Result<Answer<Network>, ApiError> {
    let one = move |read: &Read<'_>| {
        let names = names(read)?;
        read.network_any(network)?.map(|row| shown(read, row, &names)).transpose()
    };
    let found = app.store.read::<_, StoreError>(one).await?;
    found.map(Answer::data).ok_or_else(|| {
        ApiError::new(
            Code::NotFound,
            format!("There is no private network {network}; `csp-control network list` names them."),
        )
    })
}

fn names(read: &Read<'_>) -> Result<BTreeMap<HostId, String>, StoreError> {
    Ok(read.host_list()?.into_iter().map(|host| (host.id, host.name)).collect())
}

fn shown(read: &Read<'_>, row: NetworkRow, names: &BTreeMap<HostId, String>) -> Result<Network, StoreError> {
    let hosts = read.network_objects(row.id)?.into_iter().map(|object| host(object, names)).collect();
    let members = read.member_list(row.id)?.into_iter().map(member).collect();
    Ok(Network {
        uuid: row.id,
        account: row.account,
        name: row.name,
        state: row.state.as_str().to_owned(),
        subnet: row.subnet.to_string(),
        location: row.location,
        segment: row.carrier.map(|carrier| format!("{} {}", carrier.kind.as_str(), carrier.number)),
        mtu: row.carrier.map(|carrier| carrier.mtu),
        members,
        hosts,
    })
}

fn member(row: MemberRow) -> NetworkMember {
    NetworkMember {
        membership: row.id,
        server: row.server,
        address: row.address.to_string(),
        adapter: row.adapter,
        mac: row.mac.to_string(),
        state: row.state.as_str().to_owned(),
    }
}

fn host(object: NetworkObject, names: &BTreeMap<HostId, String>) -> NetworkHost {
    let NetworkObject { host, desired, observed, is_gone } = object;
    let seen = observed.as_ref();
    NetworkHost {
        host: names.get(&host).cloned().unwrap_or_else(|| host.to_string()),
        wanted: desired.version().to_string(),
        absent: matches!(desired, DesiredNetwork::Absent(_)),
        accepted: seen.map(|seen| seen.accepted.to_string()),
        reached: seen.and_then(|seen| seen.reached).map(|reached| reached.to_string()),
        fault: seen
            .and_then(|seen| seen.fault.as_ref())
            .map(|fault| format!("{}: {}", fault.code.as_str(), fault.detail)),
        gone: is_gone,
    }
}
