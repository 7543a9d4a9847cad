//! The API's description: made from the handlers, kept in the repository, and complete.

use std::{env, fs, path::Path};

use csp_control::api::document;
use csp_tests::test_control::TestControl;
use serde_json::Value;

#[test]
#[expect(clippy::disallowed_methods, reason = "how a developer says that the copy is to be written anew")]
fn the_copy_in_the_repository_is_the_document() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/openapi.json");
    let made = document::text();
    if env::var_os("CSP_BLESS").is_some() {
        fs::write(&path, &made).unwrap();
    }
    let kept = fs::read_to_string(&path).unwrap_or_default();
    let regenerate = "CSP_BLESS=1 cargo nextest run -p csp-tests --test api openapi";
    assert!(kept == made, "docs/openapi.json differs from the handlers; look at what changed after: {regenerate}");
}

#[tokio::test]
async fn the_document_is_served_to_anybody() {
    let control = TestControl::start().await;
    let answer = control.api("GET", "/openapi.json").send().await;
    assert_eq!(answer.status, 200);
    assert_eq!(answer.json, serde_json::from_str::<Value>(&document::text()).unwrap());
}
