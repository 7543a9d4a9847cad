//! Whose browser it is, by its cookie; and whether a change was sent from our own page.
//!
//! A change needs three things: the session's cookie, which other sites' forms do not carry (`SameSite=Lax`; strict would
//! keep it from the first page after a link in a letter was followed); an origin that is ours; and a word that stands in our
//! page's forms, is made from the session, and so tells a page of another link in the same browser apart as well.

use std::collections::BTreeMap;

use axum::{
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{Uri, request::Parts},
    response::Response,
};
use csp_shared::{secret::Secret, sha256::Sha256};
use subtle::ConstantTimeEq as _;

use super::{answer, refused::Refused};
use crate::{
    api::{
        body,
        browser::{Cookie, is_from_here},
        state::App,
        throttle::Client,
    },
    domain::{
        share_link::SESSION_SECONDS,
        token::{self, TokenKind},
    },
};

/// Longest form, in bytes: two short texts and the word.
const FORM_BYTES_MAX: usize = 4 * 1024;
/// The form field with the word.
pub const CHECK: &str = "check";

/// Holds the session.
pub const COOKIE: Cookie = Cookie {
    secure_name: "__Host-csp_manage",
    plain_name: "csp_manage",
    kind: TokenKind::LinkSession,
    seconds: SESSION_SECONDS,
};

/// A browser that brought a session, which may open nothing.
#[derive(Debug, Clone)]
pub struct Browser {
    /// What the store knows it by.
    pub session: Sha256,
    /// What our forms say.
    pub check: String,
    /// Whence it came.
    pub client: Client,
}

impl Browser {
    fn new(session: &Secret, client: Client) -> Self {
        // Of another text than what is stored, so that the word tells nothing of that.
        let check = Sha256::of(format!("form of {}", session.reveal()).as_bytes()).to_string();
        Self { session: token::hash(session), check, client }
    }
}

impl FromRequestParts<App> for Browser {
    type Rejection = Response;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Response> {
        let session = COOKIE.brought(&parts.headers, &app.settings.public_url).ok_or_else(|| answer::nothing(app))?;
        Ok(Self::new(&session, Client::of(parts)))
    }
}

/// A change that was sent from our own page.
#[derive(Debug)]
pub struct Sent {
    /// By whom.
    pub browser: Browser,
    /// What the form says beside the word.
    pub fields: BTreeMap<String, String>,
}

impl FromRequest<App> for Sent {
    type Rejection = Response;

    async fn from_request(request: Request, app: &App) -> Result<Self, Response> {
        let (mut parts, body) = request.into_parts();
        let browser = Browser::from_request_parts(&mut parts, app).await?;
        let strange = || Refused::NotFromHere.into_plain_page(app);
        if !is_from_here(&parts.headers, &app.settings.public_url) {
            return Err(strange());
        }
        let bytes = body::read(body, FORM_BYTES_MAX).await.map_err(|_| strange())?;
        let mut fields = form(&bytes).ok_or_else(strange)?;
        let said = fields.remove(CHECK).unwrap_or_default();
        let is_ours: bool = said.as_bytes().ct_eq(browser.check.as_bytes()).into();
        if is_ours { Ok(Self { browser, fields }) } else { Err(strange()) }
    }
}

/// Reads a form as browsers send it: names and values as in a query. A name that comes twice makes it none.
fn form(bytes: &[u8]) -> Option<BTreeMap<String, String>> {
    let uri: Uri = format!("/?{}", std::str::from_utf8(bytes).ok()?).parse().ok()?;
    let pairs = Query::<Vec<(String, String)>>::try_from_uri(&uri).ok()?.0;
    let count = pairs.len();
    let fields: BTreeMap<String, String> = pairs.into_iter().collect();
    (fields.len() == count).then_some(fields)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_form_is_read_as_browsers_send_it() {
        let fields = form(b"image=debian-12&confirm=a+b%C3%A9").unwrap();
        assert_eq!((fields["image"].as_str(), fields["confirm"].as_str()), ("debian-12", "a b\u{e9}"));
        assert!(form(b"").unwrap().is_empty());
        for bad in [b"a=1&a=2".as_slice(), b"\xff", b"a=b c\n"] {
            assert_eq!(form(bad), None, "{bad:?}");
        }
    }
}
