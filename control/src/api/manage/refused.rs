//! Why a change was not made, as a page that somebody without an account understands.

use axum::{http::StatusCode, response::Response};

use super::{
    answer::{self, Referrer, page},
    session::Browser,
    show::shown,
    view::{self, Notice},
};
use crate::{
    api::{error::ApiError, state::App},
    domain::{allowed::Denied, billing::clock::Unmeasured, share_link::Permission},
    service::{
        change_power::PowerError, open_console::TicketError, reinstall_server::ReinstallError, visit_link::VisitError,
    },
    store::StoreError,
};

/// Why a change was not made. Nothing was changed.
#[derive(Debug)]
pub enum Refused {
    /// Session, link or server has ended.
    Ended,
    /// The link does not allow it.
    NotGranted(Permission),
    /// The server's state does not.
    Denied(Box<Denied>),
    /// The host's name was not typed, or wrongly.
    NotConfirmed,
    /// The image is none that can be installed.
    NoImage,
    /// The host has no room for a second disk.
    NoRoom,
    /// Whoever pays for it has to do so first.
    Unpaid,
    /// Its page was made before the disk was erased last.
    OldForm,
    /// It was not sent from our page, or from one of another link.
    NotFromHere,
    /// We cannot.
    Failed,
}

impl Refused {
    /// The status of the answer.
    pub fn status(&self) -> StatusCode {
        match self {
            Self::Ended => StatusCode::NOT_FOUND,
            Self::NotGranted(_) | Self::NotFromHere => StatusCode::FORBIDDEN,
            Self::Denied(_) | Self::NoRoom | Self::Unpaid | Self::OldForm => StatusCode::CONFLICT,
            Self::NotConfirmed | Self::NoImage => StatusCode::UNPROCESSABLE_ENTITY,
            Self::Failed => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// The answer to a browser whose session was looked at: its page again, saying why.
    pub async fn into_page(self, app: &App, browser: &Browser) -> Response {
        if matches!(self, Self::Ended) {
            return answer::closed(app, &browser.client);
        }
        match shown(app, browser).await {
            Ok(shown) => {
                let notice = Notice::Refused(view::why(&self));
                page(self.status(), &view::page(&app.settings, &shown, browser, Some(&notice)), Referrer::Ourselves)
            }
            Err(Self::Ended) => answer::closed(app, &browser.client),
            Err(worse) => worse.into_plain_page(app),
        }
    }

    /// A page that shows nothing of the server.
    pub fn into_plain_page(self, app: &App) -> Response {
        match self {
            Self::Ended => answer::nothing(app),
            other => page(other.status(), &view::plain(&app.settings, view::why(&other)), Referrer::Nobody),
        }
    }
}

impl From<StoreError> for Refused {
    fn from(why: StoreError) -> Self {
        tracing::error!(%why, "a visitor of a management link cannot be answered");
        Self::Failed
    }
}

impl From<Unmeasured> for Refused {
    fn from(_: Unmeasured) -> Self {
        Self::Failed
    }
}

impl From<ApiError> for Refused {
    fn from(why: ApiError) -> Self {
        tracing::error!(code = ?why.code, "a visitor of a management link cannot be answered");
        Self::Failed
    }
}

impl From<VisitError> for Refused {
    fn from(why: VisitError) -> Self {
        match why {
            VisitError::Ended => Self::Ended,
            VisitError::NotGranted(permission) => Self::NotGranted(permission),
            VisitError::Store(why) => why.into(),
        }
    }
}

impl From<PowerError> for Refused {
    fn from(why: PowerError) -> Self {
        match why {
            PowerError::NotFound => Self::Ended,
            PowerError::Denied(denied) => Self::Denied(Box::new(denied)),
            PowerError::Store(why) => why.into(),
        }
    }
}

impl From<TicketError> for Refused {
    fn from(why: TicketError) -> Self {
        match why {
            TicketError::NotFound => Self::Ended,
            TicketError::Denied(denied) => Self::Denied(Box::new(denied)),
            TicketError::Store(why) => why.into(),
        }
    }
}

impl From<ReinstallError> for Refused {
    fn from(why: ReinstallError) -> Self {
        match why {
            ReinstallError::NotFound => Self::Ended,
            ReinstallError::Denied(denied) => Self::Denied(Box::new(denied)),
            ReinstallError::RenewalDue(_) => Self::Unpaid,
            ReinstallError::Unknown(_) => Self::NoImage,
            ReinstallError::NoCapacity(_) => Self::NoRoom,
            ReinstallError::Store(why) => why.into(),
        }
    }
}
