//! `POST /manage/reinstall`: with the host's name typed, since it erases. A new root password is shown this once.

use axum::{extract::State, http::StatusCode, response::Response};
use csp_shared::{generation::DiskEpoch, id::HostId, secret::Secret};

use super::{
    answer::{Referrer, page},
    refused::Refused,
    session::{Browser, Sent},
    show::{disk_of, shown},
    view::{self, Notice},
};
use crate::{
    api::{servers::order::root_password, state::App},
    domain::{password::RootPassword, share_link::Permission, slug::Slug},
    service::{
        reinstall_server::{Reinstall, reinstall_server},
        visit_link::{admit_visitor, note_visit},
    },
};

/// The form's fields.
pub const IMAGE: &str = "image";
/// The host's name, typed.
pub const CONFIRM: &str = "confirm";

/// The disk that the page was shown for. A browser that sends a form again, on a reload, must not erase what came after.
pub const DISK: &str = "disk";

/// `POST /manage/reinstall`
pub async fn reinstall(State(app): State<App>, sent: Sent) -> Response {
    let Sent { browser, fields } = sent;
    let field = |name: &str| fields.get(name).map(|text| text.trim().to_owned()).unwrap_or_default();
    match erase(&app, &browser, &field(IMAGE), &field(CONFIRM), &field(DISK)).await {
        Ok(password) => told(&app, &browser, password).await,
        Err(refused) => refused.into_page(&app, &browser).await,
    }
}

/// Answers root's new password, where no key opens the server.
async fn erase(app: &App, browser: &Browser, image: &str, typed: &str, disk: &str) -> Result<Option<Secret>, Refused> {
    app.clock.measured()?;
    let session = browser.session;
    let now = app.now();
    // Hashing a password costs: only for who may, and means it.
    let visit =
        app.store.read::<_, Refused>(move |read| Ok(admit_visitor(read, session, Permission::Reinstall, now)?)).await?;
    let hostname = shown(app, browser).await?.view.hostname;
    if typed != hostname {
        return Err(Refused::NotConfirmed);
    }
    let image = Slug::parse(image).map_err(|_| Refused::NoImage)?.into_text();
    let disk: DiskEpoch = disk.parse().map(DiskEpoch).map_err(|_| Refused::OldForm)?;
    let RootPassword { plain, hash } = root_password(app).await?;
    let wanted =
        Reinstall { account: visit.account, server: visit.server, image, ssh_key: None, password_hash: Some(hash) };
    let (from, draw) = (browser.client.address, app.draw());
    let (host, by_password): (HostId, bool) = app
        .store
        .write::<_, Refused>(move |tx| {
            let visit = admit_visitor(tx, session, Permission::Reinstall, now)?;
            if disk_of(tx, visit.server)? != Some(disk) {
                return Err(Refused::OldForm);
            }
            let done = reinstall_server(tx, &wanted, draw.clone(), now)?;
            note_visit(tx, visit.link, Some(done.action), from, now)?;
            Ok((done.host, done.by_password))
        })
        .await?;
    app.wake.wake(host);
    Ok(by_password.then_some(plain))
}

async fn told(app: &App, browser: &Browser, password: Option<Secret>) -> Response {
    match shown(app, browser).await {
        Ok(shown) => {
            let notice = Notice::Reinstalling { password };
            page(StatusCode::OK, &view::page(&app.settings, &shown, browser, Some(&notice)), Referrer::Ourselves)
        }
        Err(refused) => refused.into_page(app, browser).await,
    }
}
