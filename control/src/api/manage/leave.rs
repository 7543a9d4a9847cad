//! `POST /manage/leave`: ends the session of this browser. The link goes on.

use axum::{extract::State, http::StatusCode, response::Response};

use super::{
    answer::{Referrer, page},
    refused::Refused,
    session::{self, Sent},
    view,
};
use crate::{api::state::App, store::StoreError};

/// `POST /manage/leave`
pub async fn leave(State(app): State<App>, sent: Sent) -> Response {
    let session = sent.browser.session;
    if let Err(why) = app.store.write::<_, StoreError>(move |tx| tx.link_session_end(session)).await {
        return Refused::from(why).into_plain_page(&app);
    }
    let mut response = page(StatusCode::OK, &view::left(&app.settings), Referrer::Nobody);
    session::COOKIE.forget(&mut response, &app.settings.public_url);
    response
}
