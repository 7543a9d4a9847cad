//! `POST /manage/console`: leads to the console's page, with a ticket that ends with the browser's session; and
//! `POST /manage/ticket`, by which that page comes back after a break.
//!
//! The page is told the word of our forms, so that it comes back to the server that it showed: in a browser that has opened
//! another link since, the cookie is that one's, and the word does not fit.

use axum::{
    Json,
    extract::State,
    http::{HeaderValue, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use csp_shared::secret::Secret;
use serde_json::json;

use super::{
    answer::{Referrer, closed, guarded},
    refused::Refused,
    session::{Browser, Sent},
};
use crate::{
    api::{
        console::{self, close::CloseReason},
        state::App,
    },
    domain::{allowed::Why, server::Status, share_link::Permission},
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
            let place = format!("{}#{}~{}", console::PATH, ticket.reveal(), sent.browser.check);
            if let Ok(mut place) = HeaderValue::from_str(&place) {
                place.set_sensitive(true);
                response.headers_mut().insert(header::LOCATION, place);
            }
            response
        }
        Err(refused) => refused.into_page(&app, &sent.browser).await,
    }
}

/// `POST /manage/ticket`: the form of the page, and JSON for the console's script: a ticket, or why there is none, by the names
/// with which streams are closed.
pub async fn ticket_again(State(app): State<App>, sent: Sent) -> Response {
    match ticket(&app, &sent.browser).await {
        Ok(ticket) => guarded(Json(json!({"ticket": ticket.reveal()})), Referrer::Nobody),
        // As everywhere, what opens nothing counts as a try.
        Err(Refused::Ended) => closed(&app, &sent.browser.client),
        Err(refused) => {
            let why = Json(json!({"why": reason(&refused).name()}));
            guarded((refused.status(), why).into_response(), Referrer::Nobody)
        }
    }
}

fn reason(refused: &Refused) -> CloseReason {
    match refused {
        Refused::Denied(denied) if denied.why == Why::Busy => CloseReason::Busy,
        Refused::Denied(denied) if denied.why == Why::Suspended => CloseReason::Suspended,
        Refused::Denied(denied) if denied.standing.status() == Status::Unknown => CloseReason::HostAway,
        Refused::Denied(_) => CloseReason::NotOnline,
        Refused::Failed => CloseReason::Unavailable,
        _ => CloseReason::NotAllowed,
    }
}

async fn ticket(app: &App, browser: &Browser) -> Result<Secret, Refused> {
    let (session, from, draw, now) = (browser.session, browser.client.address, app.draw(), app.now());
    let issued = app.store.write::<_, Refused>(move |tx| {
        let visit = admit_visitor(tx, session, Permission::Console, now)?;
        let right = ConsoleRight::Link { link: visit.link, session };
        let issued = issue_console_ticket(tx, visit.account, right, visit.server, draw.clone(), now)?;
        note_visit(tx, visit.link, None, from, now)?;
        Ok(issued)
    });
    Ok(issued.await?.ticket)
}
