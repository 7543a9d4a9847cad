//! `/audit`: every difference between the store and what is on the hosts now.

use std::time::Duration;

use axum::extract::State;
use futures_util::future::join_all;

use super::wire;
use crate::{
    api::{
        App,
        envelope::Answer,
        error::{ApiError, Code},
    },
    domain::audit::{Finding, HostSide, audit},
    service::audit_world::{Books, put_together, read_books},
    store::StoreError,
};

/// How long a host may take to look around.
const ANSWER_LIMIT: Duration = Duration::from_secs(15);

/// `GET /audit`. Asks every host at once; takes as long as the slowest of them.
pub async fn run(State(app): State<App>) -> Result<Answer<wire::Audit>, ApiError> {
    let before = books(&app).await?;
    let asked = before.hosts.iter().map(|(host, name)| {
        let (app, host, name) = (&app, *host, name.clone());
        async move {
            let answer = app.wake.audit(host, ANSWER_LIMIT).await.map_err(|why| why.to_string());
            HostSide { host, name, answer }
        }
    });
    let hosts = join_all(asked).await;
    let world = put_together(before, books(&app).await?, hosts);
    let findings: Vec<wire::AuditFinding> = audit(&world).into_iter().map(shown).collect();
    Ok(Answer::data(wire::Audit {
        hosts: world.hosts.len(),
        servers: world.servers.len(),
        addresses: world.leases.len(),
        things: world.hosts.iter().filter_map(|host| host.answer.as_ref().ok()).map(Vec::len).sum(),
        findings,
    }))
}

async fn books(app: &App) -> Result<Books, ApiError> {
    let now = app.now();
    let books = app.store.read::<_, StoreError>(move |read| read_books(read, now)).await;
    books.map_err(|error| match error {
        // Whoever audits is to learn which row it is; customers never see this answer.
        StoreError::Damaged(what) => ApiError::new(
            Code::Internal,
            format!(
                "Nothing was compared: {what}. Put the row back from a backup of the database (`csp-control ledger verify` says \
                 whether the money is whole), then audit again."
            ),
        ),
        error => error.into(),
    })
}

fn shown(finding: Finding) -> wire::AuditFinding {
    wire::AuditFinding {
        severity: finding.severity().as_str().to_owned(),
        kind: finding.kind.as_str().to_owned(),
        host: finding.host,
        server: finding.server,
        object: finding.object,
        what: finding.what,
        cure: finding.cure,
        in_motion: finding.in_motion,
    }
}
