//! Every route that changes something, with an `Idempotency-Key`: its second time has the first one's answer and no effect.

use serde_json::{Value, json};

use super::{Reply, Row, Scene, rows::ROWS};

async fn ask(scene: &Scene, row: &Row, key: &str, body: &Value) -> Reply {
    let send = scene.control.api(row.route.0, &scene.path(row, scene.own(row))).by(&scene.ada);
    let send = send.header("idempotency-key", key);
    match body {
        // No body and a header that says nothing of one: the same as `{}`.
        Value::Null => send.header("content-type", "text/plain").send().await,
        body => send.json(body).send().await,
    }
}

#[tokio::test]
async fn every_change_is_made_once_for_a_key() {
    let scene = Scene::set().await;
    let mut used: Option<String> = None;
    let changes: Vec<&Row> = ROWS.iter().filter(|row| row.route.0 != "GET").collect();
    assert!(changes.len() > 10);
    for row in changes {
        let key = format!("{} {}", row.route.0, row.route.1);
        let body = scene.body(row);
        // The key of another route's request is refused, before anything is done.
        if let Some(used) = &used {
            let before = scene.control.books().await;
            let refused = ask(&scene, row, used, &body).await;
            assert_eq!((refused.status.as_u16(), refused.code()), (422, "idempotency_key_reused"), "{key}");
            assert_eq!(scene.control.books().await, before, "{key}");
        }
        let first = ask(&scene, row, &key, &body).await;
        assert_eq!((first.status.as_u16(), first.header("idempotent-replayed")), (200, ""), "{key}: {}", first.text);
        let before = scene.control.books().await;
        for spelled in [body.clone(), if body.is_null() { json!({}) } else { body.clone() }] {
            let again = ask(&scene, row, &key, &spelled).await;
            assert_eq!(
                (again.text.as_str(), again.header("idempotent-replayed")),
                (first.text.as_str(), "true"),
                "{key}"
            );
        }
        assert_eq!(scene.control.books().await, before, "{key}");
        used = Some(key);
        // What one row asked for is done before the next one asks.
        scene.host.obey().await;
    }
}
