//! `GET /manage`: the page, from one look at the store; and `POST /manage/state`, by which its script sees that it is old.
//!
//! The script sends the word of the page's forms along: in a browser that has opened another link since, the cookie is that
//! one's, and a page that were told of its server would turn into a page of it under the hand that is about to press.

use axum::{
    Json,
    extract::State,
    http::{HeaderName, HeaderValue, StatusCode, Uri, header},
    response::Response,
};

use csp_shared::{generation::DiskEpoch, id::ServerId, spec::Desired};

use super::{
    answer::{Referrer, guarded, page as answer_page},
    refused::Refused,
    session::{Browser, Sent},
    view::{self, Notice},
};
use crate::{
    api::state::App,
    domain::{
        server::{Standing, Status},
        share_link::Permission,
        time::Time,
    },
    metrics::{Curve, Latest, Range},
    store::{Action, ImageRow, LinkVisit, Read, ServerView, StoreError},
};

/// The form field with what the script knows of the usage already.
const MARK: &str = "mark";
/// After how long a curve is drawn anew though nothing was measured.
const CURVE_STEP_SECONDS: i64 = 60;
/// How long the page tells that something failed.
const NEWS_SECONDS: i64 = 24 * 3600;

/// All that a page is made from. Of the account nothing reaches the view: it takes what it names from here.
#[derive(Debug)]
pub struct Shown {
    /// What the link allows.
    pub visit: LinkVisit,
    /// The server.
    pub view: ServerView,
    /// What its state allows.
    pub standing: Standing,
    /// What can be installed, where the link allows it.
    pub images: Vec<ImageRow>,
    /// Which disk would be erased, where the link allows it.
    pub disk: Option<DiskEpoch>,
    /// What was asked for last, by this link, and lately failed.
    pub failed: Option<Action>,
    /// What it used, where the link allows to see it and it is not known already.
    pub used: Option<Used>,
}

/// What a server used.
#[derive(Debug)]
pub struct Used {
    /// Stands for all below: another one, and there is something new to see.
    pub mark: String,
    /// Lately.
    pub latest: Option<Latest>,
    /// In the last hour.
    pub curve: Option<Curve>,
}

/// Looks at what a session may see.
///
/// # Errors
/// When it opens nothing.
pub async fn shown(app: &App, browser: &Browser) -> Result<Shown, Refused> {
    shown_since(app, browser, "").await
}

/// The same for a page that shows already what it used until `mark`: every page asks every few seconds, and the curve is not
/// read anew for what nobody would see.
async fn shown_since(app: &App, browser: &Browser, mark: &str) -> Result<Shown, Refused> {
    let (session, now) = (browser.session, app.now());
    let looked = app.store.read::<_, Refused>(move |read| {
        let visit = read.link_session_get(session, now)?.ok_or(Refused::Ended)?;
        let (view, standing) = read.server_view(visit.account, visit.server, now)?.ok_or(Refused::Ended)?;
        let (mut images, mut disk) = (Vec::new(), None);
        if visit.permissions.grant(Permission::Reinstall) {
            images = read.image_list()?;
            images.retain(|image| image.is_for(view.kind));
            disk = disk_of(read, visit.server)?;
        }
        let is_news = |action: &Action| {
            let is_own = action.link.as_ref().is_some_and(|(link, _)| *link == visit.link);
            is_own && action.finished_at.is_some_and(|at| now.0 - at.0 < NEWS_SECONDS)
        };
        let failed = read.action_failed_last(visit.server)?.filter(is_news);
        Ok(Shown { visit, view, standing, images, disk, failed, used: None })
    });
    let mut shown = looked.await?;
    if shown.visit.permissions.grant(Permission::Stats) {
        shown.used = used(app, &shown, mark, now).await;
    }
    Ok(shown)
}

/// What a server used, unless that is what `mark` stands for.
async fn used(app: &App, shown: &Shown, known: &str, now: Time) -> Option<Used> {
    let server = shown.visit.server;
    // A server that is off uses nothing now, whatever was measured a moment ago.
    let latest = app.metrics.latest_of(server, now).filter(|_| shown.view.status == Status::Online);
    // The curve moves on by itself also while nothing is heard.
    let mark = format!("{}-{}", latest.map_or(0, |latest| latest.at.0), now.0 / CURVE_STEP_SECONDS);
    if mark == known {
        return None;
    }
    let curve = app.metrics.curve(server, Range::Hour, now).await.ok();
    Some(Used { mark, latest, curve })
}

/// Which disk a server should have.
///
/// # Errors
/// When the store cannot be read.
pub fn disk_of(read: &Read<'_>, server: ServerId) -> Result<Option<DiskEpoch>, StoreError> {
    Ok(read.spec_get(server)?.and_then(|desired| match desired {
        Desired::Present(spec) => Some(spec.disk_epoch),
        Desired::Absent(_) => None,
    }))
}

/// `GET /manage`
pub async fn page(State(app): State<App>, uri: Uri, browser: Browser) -> Response {
    match shown(&app, &browser).await {
        Ok(shown) => {
            let notice = told(&uri).map(Notice::Queued);
            answer_page(
                StatusCode::OK,
                &view::page(&app.settings, &shown, &browser, notice.as_ref()),
                Referrer::Ourselves,
            )
        }
        Err(refused) => refused.into_page(&app, &browser).await,
    }
}

/// `POST /manage/state`
pub async fn state(State(app): State<App>, Sent { browser, fields }: Sent) -> Response {
    let mark = fields.get(MARK).map(String::as_str).unwrap_or_default();
    match shown_since(&app, &browser, mark).await {
        Ok(shown) => guarded(Json(view::state(&shown)), Referrer::Nobody),
        Err(refused) => refused.into_page(&app, &browser).await,
    }
}

/// Where a browser goes after a change, so that the page tells of it once.
pub fn after(permission: Permission) -> (HeaderName, HeaderValue) {
    let place = match permission {
        Permission::Start => "/manage?queued=start",
        Permission::Stop => "/manage?queued=stop",
        _ => "/manage?queued=restart",
    };
    (header::LOCATION, HeaderValue::from_static(place))
}

/// The change that was queued before the page was asked for. Only words of our own are told.
fn told(uri: &Uri) -> Option<Permission> {
    let word = uri.query()?.strip_prefix("queued=")?;
    Permission::parse(word).filter(|asked| [Permission::Start, Permission::Stop, Permission::Restart].contains(asked))
}
