//! Every route asks who is there; what is another's is not there at all.

use csp_control::api::document;
use csp_tests::test_control::TestControl;
use serde_json::json;

/// Every route that asks for a key: method and path, from the router itself.
fn routes() -> Vec<(&'static str, String)> {
    let rows = document::rows().into_iter().filter(|row| !row.needs.is_empty());
    rows.map(|row| (row.method, row.path.replace("{uuid_or_slug}", "starter"))).collect()
}

#[test]
fn only_the_description_of_the_api_asks_for_no_key() {
    let open: Vec<String> =
        document::rows().into_iter().filter(|row| row.needs.is_empty()).map(|row| row.path).collect();
    assert_eq!(open, ["/openapi.json"]);
}

#[tokio::test]
async fn without_a_good_key_no_route_answers() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "50").await;
    let key = customer.key.reveal();
    let headers = [
        None,
        Some("Bearer csp_live_0000000000000000000000000000000000000000000".to_owned()),
        Some(format!("Basic {key}")),
        Some(key.to_owned()),
        Some("Bearer".to_owned()),
        Some("Bearer ".to_owned()),
        Some(format!("Bearer {key}x")),
        Some(format!("Bearer {}", "a".repeat(5000))),
    ];
    for (method, path) in routes() {
        for header in &headers {
            let send = control.api(method, &path.replace("{uuid}", "0192f0c1-0000-7000-8000-000000000001"));
            let send = header.iter().fold(send, |send, header| send.header("authorization", header));
            let reply = send.send().await;
            assert_eq!((reply.status.as_u16(), reply.code()), (401, "unauthorized"), "{method} {path} {header:?}");
            assert_eq!(reply.header("www-authenticate"), "Bearer");
            assert!(!reply.text.contains(key), "{method} {path}");
        }
    }
    let twice = control.api("GET", "/balance").by(&customer).by(&customer).send().await;
    assert_eq!(twice.status.as_u16(), 401, "two keys in one request");
}

#[tokio::test]
async fn a_foreign_server_and_an_absent_one_have_the_same_answer() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let (ada, eve) = (control.customer("ada", "50").await, control.customer("eve", "50").await);
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a"});
    let ordered = control.api("POST", "/servers").by(&ada).json(&order).send().await;
    let foreign = ordered.data()["uuid"].as_str().unwrap().to_owned();
    host.obey().await;
    let before = control.books().await;
    for (method, path) in routes().into_iter().filter(|(_, path)| path.contains("{uuid}")) {
        let mut bodies = Vec::new();
        for id in [foreign.as_str(), "0192f0c1-0000-7000-8000-000000000001", "nonsense", "%00"] {
            let send = control.api(method, &path.replace("{uuid}", id)).by(&eve).header("x-request-id", "same");
            let reply = send.send().await;
            assert_eq!(reply.status.as_u16(), 404, "{method} {path} {id}: {}", reply.text);
            bodies.push(reply.text);
        }
        assert!(bodies.iter().all(|body| *body == bodies[0]), "{method} {path}: {bodies:?}");
    }
    assert_eq!(control.api("GET", "/servers").by(&eve).send().await.data(), &json!([]));
    assert_eq!(control.books().await, before);
    let own = control.api("GET", &format!("/servers/{foreign}")).by(&ada).send().await;
    assert_eq!(own.data()["status"], json!("Online"));
}
