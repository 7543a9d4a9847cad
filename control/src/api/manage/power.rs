//! `POST /manage/start`, `/stop` and `/restart`.

use axum::{
    extract::State,
    http::StatusCode,
    response::{IntoResponse as _, Response},
};

use super::{
    answer::{Referrer, guarded},
    refused::Refused,
    session::{Browser, Sent},
    show::after,
};
use crate::{
    api::state::App,
    domain::{server::Request, share_link::Permission},
    service::{
        change_power::change_power,
        visit_link::{admit_visitor, note_visit},
    },
};

/// `POST /manage/start`
pub async fn start(State(app): State<App>, sent: Sent) -> Response {
    change(&app, &sent.browser, Permission::Start, Request::Start).await
}

/// `POST /manage/stop`. The guest is asked to shut down; it is not cut off.
pub async fn stop(State(app): State<App>, sent: Sent) -> Response {
    change(&app, &sent.browser, Permission::Stop, Request::Stop { force: false }).await
}

/// `POST /manage/restart`
pub async fn restart(State(app): State<App>, sent: Sent) -> Response {
    change(&app, &sent.browser, Permission::Restart, Request::Restart).await
}

async fn change(app: &App, browser: &Browser, permission: Permission, request: Request) -> Response {
    let (session, from, draw, now) = (browser.session, browser.client.address, app.draw(), app.now());
    let changed = app
        .store
        .write::<_, Refused>(move |tx| {
            let visit = admit_visitor(tx, session, permission, now)?;
            let changed = change_power(tx, visit.account, visit.server, request, draw.clone(), now)?;
            // Without a host to wake nothing new was asked: the action, if any, is somebody else's.
            note_visit(tx, visit.link, changed.action.filter(|_| changed.host.is_some()), from, now)?;
            Ok(changed.host)
        })
        .await;
    match changed {
        Ok(host) => {
            host.into_iter().for_each(|host| app.wake.wake(host));
            // Led back by a GET, so that loading the page again asks for nothing twice.
            guarded((StatusCode::SEE_OTHER, [after(permission)]).into_response(), Referrer::Ourselves)
        }
        Err(refused) => refused.into_page(app, browser).await,
    }
}
