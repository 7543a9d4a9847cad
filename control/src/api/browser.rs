//! What requests of browsers have that others have not: a cookie that their owner did not ask for, and an origin.

use axum::http::HeaderValue;
use axum::{
    http::{HeaderMap, HeaderName, Method, header},
    response::Response,
};
use csp_shared::secret::Secret;

use super::{
    document::sheet::{JSON, MERGE_PATCH},
    error::{ApiError, Code},
};
use crate::{config::PublicUrl, domain::token::TokenKind};

/// Longer than any token of ours.
const COOKIE_BYTES_MAX: usize = 128;
const FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// A cookie that holds a token.
#[derive(Debug, Clone, Copy)]
pub struct Cookie {
    /// Its name behind TLS, where browsers keep `__Host-` from being set by a neighbouring name or without TLS.
    pub secure_name: &'static str,
    /// Its name elsewhere.
    pub plain_name: &'static str,
    /// Of which kind its token is.
    pub kind: TokenKind,
    /// For how many seconds a browser keeps it.
    pub seconds: i64,
}

impl Cookie {
    fn name(self, url: &PublicUrl) -> &'static str {
        if url.is_https() { self.secure_name } else { self.plain_name }
    }

    /// Has the browser keep a token.
    pub fn keep(self, response: &mut Response, url: &PublicUrl, token: &Secret) {
        self.set(response, url, token.reveal(), self.seconds);
    }

    /// Has the browser forget it.
    pub fn forget(self, response: &mut Response, url: &PublicUrl) {
        self.set(response, url, "", 0);
    }

    fn set(self, response: &mut Response, url: &PublicUrl, value: &str, seconds: i64) {
        let secure = if url.is_https() { "; Secure" } else { "" };
        let name = self.name(url);
        let text = format!("{name}={value}; Path=/; HttpOnly; SameSite=Lax; Max-Age={seconds}{secure}");
        if let Ok(mut cookie) = HeaderValue::from_str(&text) {
            cookie.set_sensitive(true);
            response.headers_mut().insert(header::SET_COOKIE, cookie);
        }
    }

    /// The token that a browser brought. Two cookies of one name are none: one of them was put there by somebody else.
    pub fn brought(self, headers: &HeaderMap, url: &PublicUrl) -> Option<Secret> {
        let name = self.name(url);
        let lines = headers.get_all(header::COOKIE).iter().filter_map(|line| line.to_str().ok());
        let pairs = lines.flat_map(|line| line.split(';')).filter_map(|pair| pair.trim().split_once('='));
        let mut values = pairs.filter(|(own, _)| *own == name).map(|(_, value)| value);
        let (Some(value), None) = (values.next(), values.next()) else { return None };
        let is_ours = value.len() <= COOKIE_BYTES_MAX && value.starts_with(self.kind.prefix());
        is_ours.then(|| Secret::new(value.to_owned()))
    }
}

/// Whether a change comes from a page of ours. A browser that hides the origin must say by another header that it is ours.
pub fn is_from_here(headers: &HeaderMap, url: &PublicUrl) -> bool {
    let text = |name: &HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if headers.get_all(header::ORIGIN).iter().count() > 1 {
        return false;
    }
    match text(&header::ORIGIN).filter(|origin| *origin != "null") {
        Some(origin) => {
            // A proxy may hand us another host than the browser sees, so either will do; neither can be chosen by another
            // site, whose name is in the origin.
            let host = |origin: &str| origin.split_once("://").map(|(_, host)| host.to_ascii_lowercase());
            let (theirs, ours) = (host(origin), host(url.origin()));
            // At our own name the scheme counts, too: whoever answers for it without TLS is somebody else.
            let is_elsewhere = theirs.is_some() && theirs != ours;
            origin.eq_ignore_ascii_case(url.origin())
                || (is_elsewhere && theirs == text(&header::HOST).map(str::to_ascii_lowercase))
        }
        None => text(&FETCH_SITE) == Some("same-origin"),
    }
}

/// Refuses a change that another site may have had a browser send: one that does not come from a page of ours, or that is no
/// JSON, which no other site's page can send unasked.
///
/// # Errors
/// When it may be such a change.
pub fn check_change(method: &Method, headers: &HeaderMap, url: &PublicUrl) -> Result<(), ApiError> {
    if method.is_safe() {
        return Ok(());
    }
    let kind = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok()).unwrap_or_default();
    let kind = kind.split(';').next().unwrap_or_default().trim();
    let is_json = [JSON, MERGE_PATCH].iter().any(|json| kind.eq_ignore_ascii_case(json));
    if is_json && is_from_here(headers, url) { Ok(()) } else { Err(ApiError::plain(Code::CrossSite)) }
}

#[cfg(test)]
mod tests {
    use super::*;

    const COOKIE: Cookie =
        Cookie { secure_name: "__Host-csp_a", plain_name: "csp_a", kind: TokenKind::SignIn, seconds: 9 };

    fn headers(pairs: &[(HeaderName, &'static str)]) -> HeaderMap {
        let mut headers = HeaderMap::new();
        for (name, value) in pairs {
            headers.append(name, HeaderValue::from_static(value));
        }
        headers
    }

    fn url(text: &str) -> PublicUrl {
        PublicUrl::try_from(text.to_owned()).unwrap()
    }

    #[test]
    fn one_cookie_of_our_name_and_kind_is_a_session() {
        let found = |lines: &[&'static str]| {
            let lines: Vec<_> = lines.iter().map(|line| (header::COOKIE, *line)).collect();
            COOKIE.brought(&headers(&lines), &url("http://a")).map(|session| session.reveal().to_owned())
        };
        assert_eq!(found(&["a=b; csp_a=csp_si_x; c=d"]).as_deref(), Some("csp_si_x"));
        for none in [
            &["a=b"] as &[&str],
            &["csp_a=csp_sh_x"],
            &["xcsp_a=csp_si_x"],
            &["__Host-csp_a=csp_si_x"],
            &["csp_a=csp_si_x; csp_a=csp_si_y"],
            &["csp_a=csp_si_x", "csp_a=csp_si_x"],
        ] {
            assert_eq!(found(none), None, "{none:?}");
        }
    }

    #[test]
    fn a_cookie_is_out_of_reach_of_scripts_other_sites_and_behind_tls_of_plain_connections() {
        let set = |at: &str| {
            let mut response = Response::default();
            COOKIE.keep(&mut response, &url(at), &Secret::new("csp_si_x".to_owned()));
            response.headers()[header::SET_COOKIE].to_str().unwrap().to_owned()
        };
        let flags = "Path=/; HttpOnly; SameSite=Lax; Max-Age=9";
        assert_eq!(set("http://a"), format!("csp_a=csp_si_x; {flags}"));
        assert_eq!(set("https://a"), format!("__Host-csp_a=csp_si_x; {flags}; Secure"));
    }

    #[test]
    fn a_change_comes_from_our_origin_or_from_a_browser_that_says_so() {
        let url = url("https://vps.example.com/base");
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
        let twice = [(origin.clone(), "https://vps.example.com"), (origin.clone(), "https://evil.example")];
        assert!(!from(&twice) && !from(&[twice[1].clone(), twice[0].clone()]));
        let plain = [(origin, "http://vps.example.com"), (header::HOST, "vps.example.com")];
        assert!(!from(&plain), "without TLS it may be anybody");
        for site in ["cross-site", "same-site", "none"] {
            assert!(!from(&[(FETCH_SITE, site)]), "{site}");
        }
    }

    #[test]
    fn a_change_is_json_and_a_look_may_come_from_anywhere() {
        let url = url("https://vps.example.com");
        let tried = |method: Method, kind: &'static str| {
            let sent = headers(&[(header::ORIGIN, "https://vps.example.com"), (header::CONTENT_TYPE, kind)]);
            check_change(&method, &sent, &url).map_err(|refusal| refusal.code)
        };
        assert_eq!(tried(Method::POST, "Application/JSON; charset=utf-8"), Ok(()));
        assert_eq!(tried(Method::PATCH, "application/merge-patch+json"), Ok(()));
        for kind in ["text/plain", "application/x-www-form-urlencoded", "multipart/form-data", ""] {
            assert_eq!(tried(Method::DELETE, kind), Err(Code::CrossSite), "{kind}");
            assert_eq!(tried(Method::GET, kind), Ok(()));
        }
    }
}
