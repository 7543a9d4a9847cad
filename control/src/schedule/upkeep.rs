//! What nobody pays for: orders that ran out of time, addresses that rested enough, answers and events that are too old.

use csp_shared::id::HostId;

use crate::{
    domain::{
        time::{DAY, Time},
        traffic::oldest_kept,
    },
    entropy::Entropy,
    metrics::Metrics,
    service::{
        expire_orders::expire_action,
        hold_to_quota::hold_to_quota,
        note_key_uses::{KeyUses, note_key_uses},
    },
    store::{Store, StoreError},
};

/// How long a failed order stays visible to its owner, in seconds (CONTRACT, servers).
const FAILED_VISIBLE_SECONDS: i64 = 7 * DAY;

/// How long events are kept, in seconds: who was away for a holiday still learns what happened.
const EVENTS_KEPT_SECONDS: i64 = 30 * DAY;

/// Looks once; answers the hosts that must be told something new. Each overdue action has a transaction of its own, so
/// that one which cannot be ended does not hold up the others.
///
/// # Errors
/// When the store cannot keep it; the next look tries again.
pub async fn tick(
    store: &Store,
    entropy: &dyn Entropy,
    key_uses: &KeyUses,
    now: Time,
) -> Result<Vec<HostId>, StoreError> {
    let overdue = store
        .write(move |tx| {
            tx.lease_free_rested(now)?;
            tx.network_free_rested(now)?;
            tx.idempotency_forget_old(now)?;
            tx.event_forget_old(now.plus(-EVENTS_KEPT_SECONDS))?;
            tx.account_forget_due(now)?;
            tx.server_hide_failed(now.plus(-FAILED_VISIBLE_SECONDS), now)?;
            tx.traffic_forget_old(oldest_kept(now))?;
            tx.action_overdue(now)
        })
        .await?;
    let mut hosts = let_go(store, now).await?;
    for action in overdue {
        let draw = entropy.draw();
        match store.write(move |tx| expire_action(tx, &action, draw.clone(), now)).await {
            Ok(host) => hosts.extend(host),
            Err(why) => {
                tracing::error!(%why, action = %action.id, server = %action.server, "an overdue action cannot be ended")
            }
        }
    }
    if let Err(why) = write_key_uses(store, key_uses, now, false).await {
        tracing::warn!(%why, "the last uses of API keys are not written down; they are in a moment");
    }
    Ok(hosts)
}

/// Lets servers go that were held to a rate for a month that is over.
async fn let_go(store: &Store, now: Time) -> Result<Vec<HostId>, StoreError> {
    let mut hosts = Vec::new();
    for server in store.read::<_, StoreError>(|read| read.traffic_held()).await? {
        hosts.extend(store.write(move |tx| hold_to_quota(tx, server, now)).await?);
    }
    Ok(hosts)
}

/// Writes down when keys were used last: what is due, or `all` of it before the program stops.
///
/// # Errors
/// When the store cannot keep it.
pub async fn write_key_uses(store: &Store, key_uses: &KeyUses, now: Time, all: bool) -> Result<(), StoreError> {
    let due = key_uses.due(now, all);
    if !due.is_empty() {
        let uses = due.clone();
        store.write(move |tx| note_key_uses(tx, &uses)).await?;
    }
    key_uses.written(&due, now);
    Ok(())
}

/// Has the samples of servers forgotten that are gone. Also those of before a restart, and any that came late.
///
/// # Errors
/// When the store cannot be read.
pub async fn forget_samples(store: &Store, metrics: &Metrics, now: Time) -> Result<(), StoreError> {
    let visible = store.read::<_, StoreError>(|read| read.server_ids_visible()).await?;
    metrics.keep_only(visible, now);
    Ok(())
}
