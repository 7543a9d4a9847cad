//! Whose panel it is: `/panel/v1/site`, and the colours and the picture that its pages load.

use std::{
    io,
    path::{Path, PathBuf},
};

use axum::{
    body::Bytes,
    extract::State,
    http::{HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
};
use serde::Serialize;

use crate::{
    api::{
        envelope::Answer,
        error::{ApiError, Code},
        state::App,
    },
    config::Brand,
};

/// Largest picture, in bytes: it is on every page.
const LOGO_BYTES_MAX: usize = 200_000;
/// A change of the settings is seen within minutes.
const CACHE: HeaderValue = HeaderValue::from_static("public, max-age=300");
/// An SVG is a document of its own when somebody opens it: nothing in it may run or load.
const POLICY: HeaderValue = HeaderValue::from_static("default-src 'none'; style-src 'unsafe-inline'; sandbox");

/// The provider's picture.
#[derive(Clone, Debug)]
pub struct Logo {
    kind: &'static str,
    bytes: Bytes,
}

/// Why a picture cannot be shown.
#[derive(Debug, thiserror::Error)]
pub enum LogoError {
    /// It is not there, or may not be read.
    #[error("[brand] logo: {} cannot be read", path.display())]
    Read {
        /// Where it should be.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Nothing that a page can show.
    #[error("[brand] logo: {} must end in .svg, .png or .webp and have at most {LOGO_BYTES_MAX} bytes", .0.display())]
    Unfit(PathBuf),
}

impl Logo {
    /// Reads the picture.
    ///
    /// # Errors
    /// When it is not there, too large, or of another kind.
    pub fn read(path: &Path) -> Result<Self, LogoError> {
        let kind = match path.extension().and_then(|ending| ending.to_str()) {
            Some("svg") => "image/svg+xml",
            Some("png") => "image/png",
            Some("webp") => "image/webp",
            _ => return Err(LogoError::Unfit(path.to_owned())),
        };
        let bytes = std::fs::read(path).map_err(|source| LogoError::Read { path: path.to_owned(), source })?;
        if bytes.len() > LOGO_BYTES_MAX {
            return Err(LogoError::Unfit(path.to_owned()));
        }
        Ok(Self { kind, bytes: bytes.into() })
    }
}

/// What pages say of the provider.
#[derive(Debug, Serialize)]
pub struct Site {
    name: String,
    has_logo: bool,
    support: Option<String>,
    terms_url: Option<String>,
    privacy_url: Option<String>,
    imprint_url: Option<String>,
}

/// `GET /panel/v1/site`
pub async fn site(State(app): State<App>) -> Answer<Site> {
    let Brand { name, support, terms_url, privacy_url, imprint_url, .. } = app.settings.brand.clone();
    Answer::data(Site { name, has_logo: app.settings.logo.is_some(), support, terms_url, privacy_url, imprint_url })
}

/// `GET /panel/brand.css`: the colours, under the names that the pages' own style sheet asks for.
pub async fn style(State(app): State<App>) -> Response {
    let (light, dark) = (app.settings.brand.accent, app.settings.brand.accent_dark);
    let text = format!(
        ":root{{--brand:{light};--on-brand:{};--brand-dark:{dark};--on-brand-dark:{}}}\n",
        light.letters(),
        dark.letters()
    );
    let kind = HeaderValue::from_static("text/css; charset=utf-8");
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, CACHE)], text).into_response()
}

/// `GET /panel/brand/logo`
pub async fn logo(State(app): State<App>) -> Response {
    let Some(logo) = app.settings.logo.clone() else {
        return ApiError::new(Code::NotFound, "There is no picture.").into_response();
    };
    let headers: [(HeaderName, HeaderValue); 3] = [
        (header::CONTENT_TYPE, HeaderValue::from_static(logo.kind)),
        (header::CACHE_CONTROL, CACHE),
        (header::CONTENT_SECURITY_POLICY, POLICY),
    ];
    (headers, logo.bytes).into_response()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_picture_is_one_that_browsers_show_and_not_too_large() {
        let folder = tempfile::tempdir().unwrap();
        let written = |name: &str, bytes: usize| {
            let path = folder.path().join(name);
            std::fs::write(&path, vec![b' '; bytes]).unwrap();
            Logo::read(&path)
        };
        assert_eq!(written("a.svg", 10).unwrap().kind, "image/svg+xml");
        assert!(matches!(written("a.html", 10), Err(LogoError::Unfit(_))));
        assert!(matches!(written("a.png", LOGO_BYTES_MAX + 1), Err(LogoError::Unfit(_))));
        let why = Logo::read(&folder.path().join("absent.png")).unwrap_err().to_string();
        assert!(why.contains("absent.png cannot be read"), "{why}");
    }
}
