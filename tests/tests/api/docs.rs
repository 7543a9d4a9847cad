//! The pages for people: everything of the document is on them, and nothing on them acts.

use std::collections::BTreeSet;

use csp_control::api::{code::Code, document};
use csp_tests::test_control::{Reply, TestControl};

async fn page(path: &str) -> Reply {
    let control = TestControl::start().await;
    let reply = control.raw("GET", path).send().await;
    assert_eq!(reply.status.as_u16(), 200, "{path}");
    reply
}

fn values(text: &str, attribute: &str) -> Vec<String> {
    let begin = format!(" {attribute}=\"");
    text.split(&begin).skip(1).map(|part| part.split('"').next().unwrap().to_owned()).collect()
}

#[tokio::test]
async fn the_pages_need_no_key_and_nothing_on_them_acts() {
    for path in ["/docs", "/docs/errors"] {
        let page = page(path).await;
        assert_eq!(page.header("content-type"), "text/html; charset=utf-8");
        let policy = page.header("content-security-policy");
        assert!(policy.starts_with("default-src 'none'; style-src 'self';") && !policy.contains("unsafe"), "{policy}");
        assert_eq!(page.header("x-content-type-options"), "nosniff");
        for word in ["<script", "<style", " style=", "javascript:", "<img", "<iframe", "<form"] {
            assert!(!page.text.contains(word), "{path}: {word}");
        }
        assert!(values(&page.text, "href").iter().all(|link| link.starts_with(['/', '#'])), "nothing from elsewhere");
    }
    assert_eq!(page("/docs/docs.css").await.header("content-type"), "text/css; charset=utf-8");
}

#[tokio::test]
async fn every_operation_and_every_field_of_a_request_is_on_the_page() {
    let page = page("/docs").await;
    let ids: Vec<String> = values(&page.text, "id");
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), ids.len(), "no name is given twice");
    let document = serde_json::to_value(document::document()).unwrap();
    for row in document::rows() {
        let operation = &document["paths"][&row.path][row.method.to_lowercase()];
        assert!(ids.iter().any(|id| operation["operationId"] == id.as_str()), "{} {}", row.method, row.path);
        let body = &operation["requestBody"]["content"]["application/json"]["schema"]["$ref"];
        let Some(name) = body.as_str().and_then(|reference| reference.rsplit('/').next()) else { continue };
        let fields = document["components"]["schemas"][name]["properties"].as_object();
        for field in fields.into_iter().flatten().map(|(name, _)| name) {
            assert!(page.text.contains(&format!("<td><code>{field}</code>")), "{name}.{field}");
        }
    }
    assert!(page.text.contains("https://cybaaspace.com/api/v1/servers"), "examples can be pasted");
}

#[tokio::test]
async fn every_link_within_the_pages_leads_somewhere() {
    let (index, errors) = (page("/docs").await.text, page("/docs/errors").await.text);
    let (in_index, in_errors) = (values(&index, "id"), values(&errors, "id"));
    for (text, own) in [(&index, &in_index), (&errors, &in_errors)] {
        for link in values(text, "href") {
            let (path, name) = link.split_once('#').unwrap_or((&link, ""));
            let names = match path {
                "" => own,
                "/docs" => &in_index,
                "/docs/errors" => &in_errors,
                other => {
                    assert!(["/docs/docs.css", "/api/v1/openapi.json"].contains(&other), "{link}");
                    continue;
                }
            };
            assert!(name.is_empty() || names.iter().any(|id| id == name), "{link}");
        }
    }
}

#[tokio::test]
async fn a_slash_too_much_leads_to_the_page() {
    let control = TestControl::start().await;
    for path in ["/docs", "/docs/errors"] {
        let reply = control.raw("GET", &format!("{path}/")).send().await;
        assert_eq!((reply.status.as_u16(), reply.header("location")), (308, path));
    }
}

#[tokio::test]
async fn a_refusal_is_shown_with_the_fields_that_it_names() {
    let errors = page("/docs/errors").await.text;
    let sample = errors.split("<article").next().unwrap();
    for word in ["os_image_key", "is required", "colour", "is unknown"] {
        assert!(sample.contains(word), "{word}");
    }
    for code in Code::ALL {
        let article = errors.split("<article").find(|part| part.contains(&format!("id=\"{}\"", code.entry().name)));
        assert!(article.unwrap().contains("class=\"advice\""), "{}", code.entry().name);
    }
}
