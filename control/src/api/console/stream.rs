//! `GET /console/stream`: from a ticket to a screen, and what ends it.
//!
//! One task a viewer, with one frame in hand for each direction. A stranger, which is who has not brought a ticket yet,
//! holds one of few places for a short time, and an address only some of them: nobody keeps the others out.

use std::{
    convert::Infallible,
    net::IpAddr,
    sync::{Arc, LazyLock},
    time::Duration,
};

use axum::{
    body::Body,
    extract::{Request, State},
    http::{HeaderMap, HeaderValue, Method, StatusCode, header},
    response::{IntoResponse as _, Response},
};
use csp_link::pipe::{Patience, Socket, Why, between};
use csp_shared::{
    id::{HostId, ServerId},
    secret::Secret,
};
use hyper_util::rt::TokioIo;
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore},
    time::{sleep, timeout},
};
use tokio_tungstenite::tungstenite::handshake::derive_accept_key;
use tracing::{Instrument as _, Span, info, warn};

use super::close::CloseReason;
use crate::{
    api::{
        error::{ApiError, Code},
        places::{Crowd, Place},
        state::App,
        throttle::Client,
    },
    domain::{
        network::counted_as,
        token::{self, TokenKind},
    },
    service::open_console::{Admission, Stay, console_may_stay, redeem_console_ticket},
    store::{ConsoleRight, StoreError},
};

/// Longer than any ticket of ours.
const TICKET_BYTES_MAX: usize = 256;
/// How long a browser may take to bring its ticket.
const TICKET_WITHIN: Duration = Duration::from_secs(10);
/// Between two looks at whether a stream may go on. A revoked key or link or a destroyed server ends it within a second: half
/// of that is for the look itself, on a machine that is busy.
const LOOK_EVERY: Duration = Duration::from_millis(500);
/// Streams without a ticket, of this process. Each costs a connection and a frame's memory.
const STRANGERS_MAX: usize = 2048;
/// The same, of one address: an office whose people all open a console in the same ten seconds.
const STRANGERS_OF_ADDRESS_MAX: usize = 32;
/// Seconds after which who was refused may try again.
const AGAIN_IN: u64 = 10;

static STRANGERS: LazyLock<Strangers> =
    LazyLock::new(|| Strangers { all: Semaphore::new(STRANGERS_MAX).into(), addresses: Crowd::default() });

/// Places for streams without a ticket.
struct Strangers {
    all: Arc<Semaphore>,
    addresses: Crowd<IpAddr>,
}

/// The place of one.
struct Stranger {
    _address: Place<IpAddr>,
    _of_all: OwnedSemaphorePermit,
}

impl Strangers {
    fn take(&self, address: IpAddr) -> Result<Stranger, ApiError> {
        let address = self.addresses.take(counted_as(address), STRANGERS_OF_ADDRESS_MAX);
        let address = address.ok_or_else(|| ApiError::plain(Code::TooManyHeldOpen).retry_after(AGAIN_IN))?;
        let full = |_| {
            let words = "Too many consoles are being opened at the moment. Try again in a few seconds.";
            ApiError::new(Code::Unavailable, words).retry_after(AGAIN_IN)
        };
        let of_all = Arc::clone(&self.all).try_acquire_owned().map_err(full)?;
        Ok(Stranger { _address: address, _of_all: of_all })
    }
}

/// `GET /console/stream`
pub async fn open(State(app): State<App>, request: Request) -> Result<Response, ApiError> {
    let accept = accept_key(request.method(), request.headers())?;
    let (parts, body) = request.into_parts();
    let stranger = STRANGERS.take(Client::of(&parts).address)?;
    let carrier = app.screens.runtime().map_err(|error| {
        warn!(%error, "no console can be opened");
        ApiError::plain(Code::Unavailable).retry_after(AGAIN_IN)
    })?;
    let request = Request::from_parts(parts, body);
    let upgrade = hyper::upgrade::on(request);
    let viewer = async move {
        // The upgrade fails when the browser left in between.
        if let Ok(upgraded) = upgrade.await {
            view(app, Socket::upgraded(TokioIo::new(upgraded)).await, stranger).await;
        }
    };
    carrier.spawn(Box::pin(viewer.instrument(Span::current())));
    let headers = [
        (header::CONNECTION, HeaderValue::from_static("upgrade")),
        (header::UPGRADE, HeaderValue::from_static("websocket")),
        (header::SEC_WEBSOCKET_ACCEPT, accept),
    ];
    Ok((StatusCode::SWITCHING_PROTOCOLS, headers, Body::empty()).into_response())
}

/// The answer to a browser's key (RFC 6455, 4.2.2).
fn accept_key(method: &Method, headers: &HeaderMap) -> Result<HeaderValue, ApiError> {
    let says = |name: header::HeaderName, word: &str| {
        let text = headers.get(name).and_then(|value| value.to_str().ok()).unwrap_or_default();
        text.split(',').any(|part| part.trim().eq_ignore_ascii_case(word))
    };
    let is_websocket = method == Method::GET
        && says(header::CONNECTION, "upgrade")
        && says(header::UPGRADE, "websocket")
        && says(header::SEC_WEBSOCKET_VERSION, "13");
    let key = headers.get(header::SEC_WEBSOCKET_KEY).filter(|_| is_websocket);
    let accept = key.and_then(|key| HeaderValue::from_str(&derive_accept_key(key.as_bytes())).ok());
    accept.ok_or_else(|| ApiError::new(Code::BadRequest, "Here is a websocket for the console's page, nothing else."))
}

/// Runs a viewer's stream from its first message to its end.
async fn view(app: App, mut browser: Socket, stranger: Stranger) {
    let reason = match admitted(&app, &mut browser).await {
        Ok((server, host, right)) => {
            drop(stranger);
            Box::pin(watch(&app, &mut browser, server, host, right)).await
        }
        Err(reason) => {
            info!(reason = reason.name(), "no console was opened");
            reason
        }
    };
    browser.close(reason.code(), reason.name()).await;
}

async fn admitted(app: &App, browser: &mut Socket) -> Result<(ServerId, HostId, ConsoleRight), CloseReason> {
    let first = timeout(TICKET_WITHIN, browser.first_text(TICKET_BYTES_MAX)).await;
    let ticket = first.map_err(|_| CloseReason::Silent)?.map_err(|why| match why {
        Why::Garbage => CloseReason::Garbage,
        Why::Gone | Why::Silent | Why::Stuck => CloseReason::Ended,
    })?;
    let (ticket, now) = (Secret::new(ticket.ok_or(CloseReason::BadTicket)?), app.now());
    let redeemed = app.store.write(move |tx| redeem_console_ticket(tx, &ticket, now)).await;
    match redeemed.map_err(unavailable)? {
        Admission::Open { server, host, right } => Ok((server, host, right)),
        Admission::BadTicket => Err(CloseReason::BadTicket),
        Admission::NotOnline => Err(CloseReason::NotOnline),
        Admission::Busy => Err(CloseReason::Busy),
        Admission::Suspended => Err(CloseReason::Suspended),
    }
}

async fn watch(app: &App, browser: &mut Socket, server: ServerId, host: HostId, right: ConsoleRight) -> CloseReason {
    let seat = match app.wake.consoles().take_seat(host, server) {
        Ok(seat) => seat,
        Err(why) => return why.into(),
    };
    let mut screen = match seat.ask(token::make(TokenKind::ConsoleStream, &mut app.draw())).await {
        Ok(screen) => screen,
        Err(why) => {
            warn!(%server, %host, ?why, "a screen was asked for in vain");
            return why.into();
        }
    };
    info!(%server, %host, by = %right, "a console is open");
    let reason = tokio::select! {
        end = between(browser, &mut screen, Patience::default()) => CloseReason::from(end),
        reason = forbidden(app, server, right) => reason,
    };
    info!(%server, reason = reason.name(), "a console ended");
    // Not waited for: a host that hangs must not hold the browser's farewell, nor the seat.
    tokio::spawn(screen.close(1000, "ended"));
    reason
}

/// Waits until the stream may not go on.
async fn forbidden(app: &App, server: ServerId, right: ConsoleRight) -> CloseReason {
    let never: Result<Infallible, CloseReason> = async {
        loop {
            sleep(LOOK_EVERY).await;
            let now = app.now();
            let looked = app.store.read::<_, StoreError>(move |read| console_may_stay(read, server, right, now)).await;
            match looked {
                Ok(Stay::Yes) => {}
                Ok(Stay::Suspended) => return Err(CloseReason::Suspended),
                Ok(Stay::No) => return Err(CloseReason::NotAllowed),
                // A store that fails for a moment is no reason to switch screens off; the next look decides.
                Err(error) => warn!(%server, %error, "could not look whether a console may go on"),
            }
        }
    }
    .await;
    match never {
        Ok(never) => match never {},
        Err(reason) => reason,
    }
}

fn unavailable(error: StoreError) -> CloseReason {
    warn!(%error, "a console's ticket could not be looked up");
    CloseReason::Unavailable
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_answer_to_the_key_of_the_rfc_is_the_one_of_the_rfc() {
        let headers: HeaderMap = [
            (header::CONNECTION, "keep-alive, Upgrade"),
            (header::UPGRADE, "websocket"),
            (header::SEC_WEBSOCKET_VERSION, "13"),
            (header::SEC_WEBSOCKET_KEY, "dGhlIHNhbXBsZSBub25jZQ=="),
        ]
        .into_iter()
        .map(|(name, value)| (name, HeaderValue::from_static(value)))
        .collect();
        assert_eq!(accept_key(&Method::GET, &headers).unwrap(), "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
        for left_out in headers.keys() {
            let mut without = headers.clone();
            without.remove(left_out);
            assert_eq!(accept_key(&Method::GET, &without).unwrap_err().code, Code::BadRequest, "{left_out}");
        }
    }
}
