//! New passwords for guests, asked for by their owners: handed to the guest agent, and told whether it took them.
//!
//! A guest that hangs holds up its own question and no other's.

use std::{convert::Infallible, future::pending};

use csp_shared::{
    id::ServerId,
    message::{PasswordRefusal, QuestionId},
    secret::Secret,
};
use futures_util::{StreamExt as _, stream::FuturesUnordered};
use tokio::sync::mpsc;
use tracing::{info, warn};

use super::workers::Workers;

/// Questions that may wait, and that may be asked at once. Who asks more hears nothing and asks again.
pub(super) const WAITING_MAX: usize = 16;

/// A guest that is to have a new password.
#[derive(Debug)]
pub(super) struct Wanted {
    pub(super) request: QuestionId,
    pub(super) server: ServerId,
    pub(super) hash: Secret,
}

/// Answers questions for ever.
pub(super) async fn serve(
    workers: &impl Workers,
    mut wanted: mpsc::Receiver<Wanted>,
    set: mpsc::Sender<(QuestionId, Option<PasswordRefusal>)>,
) -> Infallible {
    let mut asking = FuturesUnordered::new();
    loop {
        tokio::select! {
            Some(Wanted { request, server, hash }) = wanted.recv(), if asking.len() < WAITING_MAX => {
                asking.push(async move { (request, server, workers.set_password(server, hash).await) });
            }
            Some((request, server, done)) = asking.next() => {
                match done {
                    Ok(()) => info!(%server, "the guest took a new password for root"),
                    Err(refusal) => warn!(%server, ?refusal, "the guest took no new password"),
                }
                // The session is ending, and this future with it.
                let _ = set.send((request, done.err())).await;
            }
            else => return pending().await,
        }
    }
}
