//! Holds a server whose traffic is used up to the rate that was sold for that, and lets it go when a new month begins or it
//! has a larger package. By its own field of the spec, so the rate that was sold stands beside it, untouched.

use csp_shared::{
    id::{HostId, ServerId},
    spec::Desired,
};

use super::next_spec::next_spec;
use crate::{
    domain::{month::Month, time::Time, traffic::judge},
    store::{StoreError, Tx},
};

/// Brings the server's spec to what the month's use leads to; answers whom to wake when that changed it.
///
/// # Errors
/// When the store cannot keep it.
pub fn hold_to_quota(tx: &mut Tx<'_>, server: ServerId, now: Time) -> Result<Option<HostId>, StoreError> {
    let Some(plan) = tx.traffic_plan(server)? else { return Ok(None) };
    let month = tx.traffic_month(server, Month::of(now))?;
    let hold = judge(plan.quota.as_ref(), month.moved.bytes(), month.told).hold;
    let is_there = matches!(tx.spec_get(server)?, Some(Desired::Present(_)));
    let wanted = hold.filter(|_| is_there);
    if wanted == plan.held {
        return Ok(None);
    }
    tx.traffic_set_held(server, wanted)?;
    if !is_there {
        return Ok(None);
    }
    let (host, _) = next_spec::<StoreError>(tx, server, |mut spec| {
        spec.net_held_mbit_per_second = wanted;
        Ok(spec)
    })?;
    Ok(Some(host))
}
