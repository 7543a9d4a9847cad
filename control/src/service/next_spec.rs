//! The part that whatever changes a running server's spec by a part shares: the next version of it, on the server's host.

use csp_shared::{
    generation::Version,
    id::{HostId, ServerId},
    spec::{Desired, ServerSpec},
};

use crate::store::{StoreError, Tx};

/// Stores the next version of a server's spec; answers whom to wake, and the version. Refuses what `change` refuses.
pub(super) fn next_spec<E: From<StoreError>>(
    tx: &mut Tx<'_>,
    server: ServerId,
    change: impl FnOnce(ServerSpec) -> Result<ServerSpec, E>,
) -> Result<(HostId, Version), E> {
    let damaged = |what: &str| StoreError::Damaged(format!("server {server} is in service and has no {what}"));
    let host = tx.placement_get(server)?.ok_or_else(|| damaged("place"))?.host;
    let Some(Desired::Present(spec)) = tx.spec_get(server)? else { return Err(damaged("spec").into()) };
    let version = Version { incarnation: tx.incarnation()?, generation: spec.version.generation.next() };
    let mut spec = change(*spec)?;
    spec.version = version;
    tx.spec_put(host, &Desired::Present(Box::new(spec)))?;
    Ok((host, version))
}
