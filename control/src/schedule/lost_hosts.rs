//! Ends the servers of hosts that were given up: right after the operator's word, and again by the clock, so that a death
//! in the middle leaves nobody paying for a server that is gone.

use csp_shared::id::{HostId, ServerId};

use crate::{
    domain::{billing::rules::Rules, money::Cents, time::Time},
    entropy::Entropy,
    service::end_lost_server::{Ended, end_lost_server},
    store::{Store, StoreError},
};

/// What was ended.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndedServers {
    /// Hosts that are to hear of it should they be there.
    pub hosts: Vec<HostId>,
    /// Servers that were ended, or whose removal was.
    pub ended: u32,
    /// What their customers got back.
    pub credited: Cents,
    /// Servers that could not be ended; the next look tries again.
    pub left: u32,
}

/// Ends every server of every host that was given up, each in a transaction of its own. Doing it again ends nothing twice.
///
/// # Errors
/// When the store cannot be read.
pub async fn end_all(
    store: &Store,
    entropy: &dyn Entropy,
    rules: &Rules,
    now: Time,
) -> Result<EndedServers, StoreError> {
    let mut done = EndedServers::default();
    loop {
        let servers = store.read::<_, StoreError>(|read| read.host_lost_servers()).await?;
        let before = done.ended;
        done.left = 0;
        for (_, server) in servers {
            match end(store, entropy, server, *rules, now).await {
                Ok(Some(Ended { host, credited })) => {
                    done.hosts.push(host);
                    done.ended += 1;
                    done.credited = done.credited.plus(credited).unwrap_or(Cents::MAX);
                }
                Ok(None) => {}
                Err(why) => {
                    done.left += 1;
                    tracing::error!(%why, %server, "a server of a lost host cannot be ended; trying again");
                }
            }
        }
        if done.ended == before {
            done.hosts.sort_unstable();
            done.hosts.dedup();
            return Ok(done);
        }
    }
}

async fn end(
    store: &Store,
    entropy: &dyn Entropy,
    server: ServerId,
    rules: Rules,
    now: Time,
) -> Result<Option<Ended>, StoreError> {
    let draw = entropy.draw();
    store.write(move |tx| end_lost_server(tx, server, &rules, draw.clone(), now)).await
}
