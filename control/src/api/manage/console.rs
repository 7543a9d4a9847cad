//! `POST /manage/console`: leads to the console's page, with a ticket that ends with the link.

use axum::{
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use csp_shared::secret::Secret;

use super::{
    answer::{Referrer, guarded},
    refused::Refused,
    session::{Browser, Sent},
};
use crate::{
    api::{console, state::App},
    domain::share_link::Permission,
    service::{
        open_console::issue_console_ticket,
        visit_link::{admit_visitor, note_visit},
    },
    store::ConsoleRight,
};

/// `POST /manage/console`
pub async fn console(State(app): State<App>, sent: Sent) -> Response {
    match ticket(&app, &sent.browser).await {
        Ok(ticket) => {
            let mut response = guarded(StatusCode::SEE_OTHER, Referrer::Nobody);
            // The fragment is sent to nobody, as in the answer of the API.
            if let Ok(mut place) = HeaderValue::from_str(&format!("{}#{}", console::PATH, ticket.reveal())) {
                place.set_sensitive(true);
                response.headers_mut().insert(header::LOCATION, place);
            }
            response
        }
        Err(refused) => refused.into_page(&app, &sent.browser).await,
    }
}

async fn ticket(app: &App, browser: &Browser) -> Result<Secret, Refused> {
    let (session, from, draw, now) = (browser.session, browser.client.address, app.draw(), app.now());
    let issued = app.store.write::<_, Refused>(move |tx| {
        let visit = admit_visitor(tx, session, Permission::Console, now)?;
        let right = ConsoleRight::Link(visit.link);
        let issued = issue_console_ticket(tx, visit.account, right, visit.server, draw.clone(), now)?;
        note_visit(tx, visit.link, None, from, now)?;
        Ok(issued)
    });
    Ok(issued.await?.ticket)
}
