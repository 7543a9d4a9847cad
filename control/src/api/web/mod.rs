//! What browsers load: the files that `scripts/web` built, taken in at compile time. The program is one file, and what it
//! serves cannot be another version.
//!
//! Pages stand at their own addresses (`api/console`, `api/panel`); what they are made of stands below `/assets`, where every
//! name holds a hash of its content and is kept by browsers for ever.

use axum::{
    Router,
    extract::Path,
    http::{HeaderMap, HeaderName, HeaderValue, header},
    response::{IntoResponse as _, Response},
    routing::get,
};

use super::{
    error::{ApiError, Code},
    guards::{NO_REFERRER, UNLISTED, guards},
    state::App,
};

/// Every file by its name; one that ends in `.gz` is the packed form of another.
const FILES: &[(&str, &[u8])] = include!(concat!(env!("OUT_DIR"), "/web_files.rs"));

const FOR_EVER: HeaderValue = HeaderValue::from_static("public, max-age=31536000, immutable");

/// A page, by the name of its file.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Page {
    /// The panel: sign-in, servers, wallet.
    Panel,
    /// A guest's screen.
    Console,
}

impl Page {
    fn file(self) -> &'static str {
        match self {
            Self::Panel => "panel.html",
            Self::Console => "console.html",
        }
    }

    /// Scripts and styles from here alone, none inline. The panel's framework writes markup through a policy of its own, and
    /// nothing else may. A guest draws its own cursor, which noVNC hands to the browser as an image.
    fn policy(self) -> &'static str {
        match self {
            Self::Panel => {
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; \
                 trusted-types svelte-trusted-html"
            }
            Self::Console => {
                "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data: blob:; connect-src 'self'; \
                 base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
            }
        }
    }
}

/// What pages are made of.
pub fn routes() -> Router<App> {
    Router::new().route("/assets/{file}", get(asset))
}

/// A page, the same for everybody: nothing of anybody is in it.
pub fn page(page: Page, headers: &HeaderMap) -> Response {
    let Some(mut response) = file(page.file(), headers) else { return missing() };
    let no_store = (header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response.headers_mut().extend(guards(HeaderValue::from_static(page.policy()), NO_REFERRER));
    response.headers_mut().extend([no_store, UNLISTED]);
    response
}

async fn asset(Path(name): Path<String>, headers: HeaderMap) -> Response {
    // Pages are served at their own addresses, with their policies.
    let Some(mut response) = (kind(&name) != HTML).then(|| file(&name, &headers)).flatten() else { return missing() };
    response.headers_mut().insert(header::CACHE_CONTROL, FOR_EVER);
    response
}

/// There is nothing here.
pub fn missing() -> Response {
    ApiError::new(Code::NotFound, "There is nothing at this path.").into_response()
}

/// A file, packed where the browser takes that.
fn file(name: &str, headers: &HeaderMap) -> Option<Response> {
    let plain = bytes(name).filter(|_| !name.ends_with(PACKED))?;
    let packed = bytes(&format!("{name}{PACKED}")).filter(|_| takes_packed(headers));
    let mut response = packed.unwrap_or(plain).into_response();
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind(name)));
    headers.insert(header::VARY, HeaderValue::from_static("accept-encoding"));
    if packed.is_some() {
        headers.insert(header::CONTENT_ENCODING, HeaderValue::from_static("gzip"));
    }
    Some(response)
}

const PACKED: &str = ".gz";

fn bytes(name: &str) -> Option<&'static [u8]> {
    FILES.iter().find(|(own, _)| *own == name).map(|(_, bytes)| *bytes)
}

fn takes_packed(headers: &HeaderMap) -> bool {
    names(headers, &header::ACCEPT_ENCODING, "gzip")
}

/// Whether who asks reads pages, as browsers say of themselves. Programs that take anything get what the API says.
pub fn reads_pages(headers: &HeaderMap) -> bool {
    names(headers, &header::ACCEPT, "text/html")
}

/// Whether something is named in a header of what is taken, and not refused there (RFC 9110, 12.4.2).
fn names(headers: &HeaderMap, header: &HeaderName, wanted: &str) -> bool {
    let lines = headers.get_all(header).iter().filter_map(|line| line.to_str().ok());
    lines.flat_map(|line| line.split(',')).any(|one| {
        let mut parts = one.split(';').map(str::trim);
        let is_named = parts.next().is_some_and(|name| name.eq_ignore_ascii_case(wanted));
        is_named
            && !parts.any(|weight| matches!(weight.replace(' ', "").as_str(), "q=0" | "q=0.0" | "q=0.00" | "q=0.000"))
    })
}

const HTML: &str = "text/html; charset=utf-8";

fn kind(name: &str) -> &'static str {
    match name.rsplit_once('.').map(|(_, ending)| ending) {
        Some("html") => HTML,
        Some("js") => "text/javascript; charset=utf-8",
        Some("css") => "text/css; charset=utf-8",
        Some("svg") => "image/svg+xml",
        _ => "text/plain; charset=utf-8",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepting(text: &'static str) -> HeaderMap {
        HeaderMap::from_iter([(header::ACCEPT_ENCODING, HeaderValue::from_static(text))])
    }

    #[test]
    fn packed_files_go_to_browsers_that_take_them() {
        for (accept, is_packed) in [
            ("gzip, br", true),
            ("br;q=1.0, GZIP;q=0.5", true),
            ("gzip;q=0", false),
            ("gzip; q=0.0", false),
            ("br", false),
        ] {
            assert_eq!(takes_packed(&accepting(accept)), is_packed, "{accept}");
            let response = page(Page::Panel, &accepting(accept));
            assert_eq!(response.headers().contains_key(header::CONTENT_ENCODING), is_packed, "{accept}");
        }
    }

    #[tokio::test]
    async fn below_assets_are_the_parts_of_pages_and_no_page() {
        let none = HeaderMap::new();
        let status = async |name: &str| asset(Path(name.to_owned()), none.clone()).await.status().as_u16();
        let script = FILES.iter().find(|(name, _)| name.ends_with(".js")).unwrap().0;
        assert_eq!(status(script).await, 200);
        for name in ["panel.html", "panel.html.gz", &format!("{script}.gz"), "..", "absent.js"] {
            let response = asset(Path(name.to_owned()), none.clone()).await;
            assert!(response.extensions().get::<ApiError>().is_some(), "{name}");
        }
    }

    #[test]
    fn every_file_that_a_page_names_is_there() {
        for page in [Page::Panel, Page::Console] {
            let text = String::from_utf8(bytes(page.file()).unwrap().to_vec()).unwrap();
            let names: Vec<_> = text.split("/assets/").skip(1).filter_map(|rest| rest.split('"').next()).collect();
            assert!(names.len() >= 2, "{text}");
            assert!(names.iter().all(|name| bytes(name).is_some()), "{names:?}");
        }
    }
}
