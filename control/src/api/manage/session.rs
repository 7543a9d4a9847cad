//! Whose browser it is, by its cookie; and whether a change was sent from our own page.
//!
//! A change needs three things: the session's cookie, which other sites' forms do not carry (`SameSite=Lax`; strict would
//! keep it from the first page after a link in a letter was followed); an origin that is ours; and a word that stands in our
//! page's forms, is made from the session, and so tells a page of another link in the same browser apart as well.

use std::collections::BTreeMap;

use axum::{
    extract::{FromRequest, FromRequestParts, Query, Request},
    http::{HeaderMap, HeaderName, Uri, header, request::Parts},
    response::Response,
};
use csp_shared::{secret::Secret, sha256::Sha256};
use subtle::ConstantTimeEq as _;

use super::{answer, refused::Refused};
use crate::{
    api::{body, state::App, throttle::Client},
    config::PublicUrl,
    domain::{
        share_link::SESSION_SECONDS,
        token::{self, TokenKind},
    },
};

/// Longest form, in bytes: two short texts and the word.
const FORM_BYTES_MAX: usize = 4 * 1024;
/// Longer than any session of ours.
const COOKIE_BYTES_MAX: usize = 128;
/// The form field with the word.
pub const CHECK: &str = "check";

/// The cookie's name. Behind TLS browsers keep `__Host-` from being set by a neighbouring name or without TLS.
fn name(url: &PublicUrl) -> &'static str {
    if url.is_https() { "__Host-csp_manage" } else { "csp_manage" }
}

/// The cookie that a browser is to keep.
pub fn cookie(app: &App, session: &Secret) -> String {
    let url = &app.settings.public_url;
    let secure = if url.is_https() { "; Secure" } else { "" };
    let (name, session) = (name(url), session.reveal());
    format!("{name}={session}; Path=/; HttpOnly; SameSite=Lax; Max-Age={SESSION_SECONDS}{secure}")
}

/// The cookie that takes it away again.
pub fn no_cookie(app: &App) -> String {
    let url = &app.settings.public_url;
    let secure = if url.is_https() { "; Secure" } else { "" };
    format!("{}=; Path=/; HttpOnly; SameSite=Lax; Max-Age=0{secure}", name(url))
}

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
        let session = brought(&parts.headers, name(&app.settings.public_url)).ok_or_else(answer::nothing)?;
        Ok(Self::new(&session, Client::of(parts)))
    }
}

/// The session in the cookies. Two of one name are none: one of them was put there by somebody else.
fn brought(headers: &HeaderMap, name: &str) -> Option<Secret> {
    let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
    let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
    let mut values = pairs.filter(|(own, _)| *own == name).map(|(_, value)| value);
    let (Some(value), None) = (values.next(), values.next()) else { return None };
    let is_ours = value.len() <= COOKIE_BYTES_MAX && value.starts_with(TokenKind::LinkSession.prefix());
    is_ours.then(|| Secret::new(value.to_owned()))
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
        let strange = || Refused::NotFromHere.into_plain_page();
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

const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether a change comes from a page of ours. A browser that hides the origin must say by another header that it is ours.
fn is_from_here(headers: &HeaderMap, url: &PublicUrl) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    match text(&header::ORIGIN).filter(|origin| *origin != "null") {
        Some(origin) => {
            // A proxy may hand us another host than the browser sees, so either will do; neither can be chosen by another
            // site, whose name is in the origin.
            let host = origin.split_once("://").map(|(_, host)| host);
            origin.eq_ignore_ascii_case(url.origin()) || (host.is_some() && host == text(&header::HOST))
        }
        None => text(&FETCH_SITE) == Some("same-origin"),
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
    use axum::http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    #[test]
    fn one_cookie_of_our_name_and_kind_is_a_session() {
        let found = |lines: &[&'static str]| {
            let lines: Vec<_> = lines.iter().map(|line| (header::COOKIE, *line)).collect();
            brought(&headers(&lines), "csp_manage").map(|session| session.reveal().to_owned())
        };
        assert_eq!(found(&["a=b; csp_manage=csp_ls_x; c=d"]).as_deref(), Some("csp_ls_x"));
        for none in [
            &["a=b"] as &[&str],
            &["csp_manage=csp_sh_x"],
            &["xcsp_manage=csp_ls_x"],
            &["csp_manage=csp_ls_x; csp_manage=csp_ls_y"],
            &["csp_manage=csp_ls_x", "csp_manage=csp_ls_x"],
        ] {
            assert_eq!(found(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_change_comes_from_our_origin_or_from_a_browser_that_says_so() {
        let url = PublicUrl::try_from("https://vps.example.com/base".to_owned()).unwrap();
        let from = |pairs: &[(HeaderName, &'static str)]| is_from_here(&headers(pairs), &url);
        let (origin, host) = (header::ORIGIN, header::HOST);
        assert!(from(&[(origin.clone(), "https://vps.example.com")]));
        assert!(from(&[(origin.clone(), "http://127.0.0.1:8080"), (host.clone(), "127.0.0.1:8080")]));
        assert!(from(&[(origin.clone(), "null"), (FETCH_SITE, "same-origin")]));
        assert!(from(&[(FETCH_SITE, "same-origin")]));
        assert!(!from(&[]), "who says nothing");
        assert!(!from(&[(origin.clone(), "null")]));
        assert!(!from(&[(origin.clone(), "https://evil.example"), (FETCH_SITE, "same-origin")]));
        assert!(!from(&[(origin.clone(), "https://vps.example.com.evil.example"), (host, "vps.example.com")]));
        for site in ["cross-site", "same-site", "none"] {
            assert!(!from(&[(FETCH_SITE, site)]), "{site}");
        }
    }

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
