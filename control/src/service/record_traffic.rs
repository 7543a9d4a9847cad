//! Takes in what a host counted of its servers' traffic: into months, and to who has used up what was sold.

use csp_shared::{
    generation::SessionEpoch,
    id::{HostId, ServerId},
    traffic::Traffic,
};

use super::{hold_to_quota::hold_to_quota, record_report::Recorded, write_letter::write_letter};
use crate::{
    domain::{
        draw::Draw,
        event::Event,
        letter,
        month::Month,
        time::Time,
        traffic::{Mark, Reached, added, judge, known_after},
    },
    store::{StoreError, Tx},
};

/// What came of it.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct TrafficRecorded {
    /// As for every message of a host.
    pub recorded: Recorded,
    /// Servers that reached a mark of their quota, for the operator.
    pub reached: Vec<(ServerId, Mark)>,
}

/// Adds what is new of each server's totals to its months. What a connection says that is not the host's newest changes
/// nothing, and neither does what it says of servers that are not on it.
///
/// # Errors
/// When the store cannot keep it.
pub fn record_traffic(
    tx: &mut Tx<'_>,
    host: HostId,
    session: SessionEpoch,
    told: &[Traffic],
    has_mail: bool,
    draw: Draw,
    now: Time,
) -> Result<TrafficRecorded, StoreError> {
    let mut draw = draw;
    let mut done = TrafficRecorded::default();
    if tx.host_session(host)?.is_none_or(|current| current.session != session) {
        done.recorded.stale = true;
        return Ok(done);
    }
    let own = tx.placement_servers(host)?;
    // Of a server that was destroyed a moment ago the host still tells.
    for told in told.iter().filter(|told| own.contains(&told.server)) {
        let server = told.server;
        let known = tx.traffic_known(server, host)?;
        let new = added(known.as_ref(), told, now);
        if new.is_empty() && known.is_some() {
            continue;
        }
        tx.traffic_known_put(server, host, &known_after(known.as_ref(), told, now))?;
        for (month, moved) in &new {
            tx.traffic_add(server, *month, moved)?;
        }
        done.reached.extend(tell(tx, server, has_mail, &mut draw, now)?.map(|mark| (server, mark)));
        done.recorded.wake |= hold_to_quota(tx, server, now)?.is_some();
    }
    Ok(done)
}

/// Tells a server's owner that a mark of the quota is reached, once a month.
fn tell(
    tx: &mut Tx<'_>,
    server: ServerId,
    has_mail: bool,
    draw: &mut Draw,
    now: Time,
) -> Result<Option<Mark>, StoreError> {
    let Some(plan) = tx.traffic_plan(server)? else { return Ok(None) };
    let month = tx.traffic_month(server, Month::of(now))?;
    let verdict = judge(plan.quota.as_ref(), month.moved.bytes(), month.told);
    let (Some(mark), Some(quota)) = (verdict.tell, plan.quota) else { return Ok(None) };
    tx.traffic_set_told(server, month.month, mark)?;
    let reached = Reached { month: month.month, mark, used_bytes: month.moved.bytes(), quota };
    tx.event_put(plan.account, &Event::traffic(server, &reached, verdict.hold), now)?;
    let written = letter::traffic(&plan.hostname, &plan.package, &reached);
    // The mark that is stored says what was told; a time in the key lets a larger package be told of as well.
    let cause = format!("traffic/{server}/{}/{}", mark.percent(), now.0);
    write_letter(tx, plan.account, &cause, &written, has_mail, draw, now)?;
    Ok(Some(mark))
}
