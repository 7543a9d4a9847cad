//! Names that lead nowhere come back together, and together with fields that cannot be read.

use csp_tests::test_control::{TestControl, TestCustomer};
use serde_json::{Value, json};

const ABSENT: &str = "0192f0c1-0000-7000-8000-000000000001";

struct World {
    control: TestControl,
    ada: TestCustomer,
    server: String,
}

/// A customer with a server of the package `edge` that is online.
async fn world() -> World {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let ada = control.customer("ada", "100").await;
    let server = control.order(&ada, "edge", "web1").await.to_string();
    host.obey().await;
    World { control, ada, server }
}

impl World {
    /// The code of a refusal with 422 and its fields, sorted. Nothing is changed by it.
    async fn refused(&self, path: &str, body: &Value) -> (String, Vec<String>) {
        let before = self.control.books().await;
        let path = path.replace("{uuid}", &self.server);
        let reply = self.control.api("POST", &path).by(&self.ada).json(body).send().await;
        assert_eq!(reply.status.as_u16(), 422, "{path} {body}: {}", reply.text);
        assert_eq!(self.control.books().await, before, "{path} {body}");
        for fault in reply.json["error"]["details"]["fields"].as_array().unwrap() {
            let (field, reason) = (fault["field"].as_str().unwrap(), fault["reason"].as_str().unwrap());
            assert!(reply.json["message"].as_str().unwrap().contains(&format!("{field}: {reason}")), "{}", reply.text);
        }
        let mut fields: Vec<String> = reply.fields().into_iter().map(str::to_owned).collect();
        fields.sort();
        (reply.code().to_owned(), fields)
    }
}

fn told(code: &str, fields: &[&str]) -> (String, Vec<String>) {
    (code.to_owned(), fields.iter().map(|field| (*field).to_owned()).collect())
}

#[tokio::test]
async fn every_unknown_name_of_an_order_comes_back_at_once() {
    let world = world().await;
    let order = |more: Value| {
        let mut body = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a"});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let all = json!({"package_slug": "huge", "os_image_key": "beos", "ssh_key_uuid": ABSENT, "location": "mars", "promo_code": "NONE"});
    let five = ["location", "os_image_key", "package_slug", "promo_code", "ssh_key_uuid"];
    for (more, code, fields) in [
        (all.clone(), "validation_failed", &five as &[&str]),
        (json!({"package_slug": "huge"}), "package_not_found", &["package_slug"]),
        (json!({"package_slug": "dedicated-16"}), "package_not_found", &["package_slug"]),
        (json!({"location": "mars"}), "location_not_found", &["location"]),
        (json!({"location": "mars", "promo_code": "NONE"}), "validation_failed", &["location", "promo_code"]),
        // Together with what cannot be read.
        (json!({"hostname": "-", "package_slug": "huge"}), "validation_failed", &["hostname", "package_slug"]),
        (json!({"type": "cloud", "os_image_key": "beos"}), "validation_failed", &["os_image_key", "type"]),
        (json!({"package_slug": "-", "os_image_key": "beos"}), "validation_failed", &["os_image_key", "package_slug"]),
        (json!({"colour": 1, "ssh_key_uuid": ABSENT}), "validation_failed", &["colour", "ssh_key_uuid"]),
    ] {
        assert_eq!(world.refused("/servers", &order(more.clone())).await, told(code, fields), "{more}");
    }
    assert_eq!(world.refused("/servers?dry_run=true", &order(all)).await, told("validation_failed", &five));
}

#[tokio::test]
async fn every_unknown_name_of_a_reinstall_comes_back_at_once() {
    let world = world().await;
    for (body, code, fields) in [
        (
            json!({"os_image_key": "beos", "ssh_key_uuid": ABSENT}),
            "validation_failed",
            &["os_image_key", "ssh_key_uuid"] as &[&str],
        ),
        (json!({"os_image_key": "beos"}), "image_not_found", &["os_image_key"]),
        (
            json!({"os_image_key": "beos", "ssh_key_uuid": ABSENT, "x": 1}),
            "validation_failed",
            &["os_image_key", "ssh_key_uuid", "x"],
        ),
        (json!({"ssh_key_uuid": ABSENT}), "validation_failed", &["os_image_key", "ssh_key_uuid"]),
    ] {
        assert_eq!(world.refused("/servers/{uuid}/reinstall", &body).await, told(code, fields), "{body}");
    }
}

#[tokio::test]
async fn all_that_a_change_of_package_cannot_be_comes_back_at_once() {
    let world = world().await;
    for (body, code, fields) in [
        (
            json!({"package_slug": "huge", "os_image_key": "beos"}),
            "validation_failed",
            &["os_image_key", "package_slug"] as &[&str],
        ),
        (
            json!({"package_slug": "starter", "os_image_key": "beos"}),
            "validation_failed",
            &["confirm_data_loss", "erase_confirmation", "os_image_key"],
        ),
        (
            json!({"package_slug": "starter", "os_image_key": "beos", "confirm_data_loss": true}),
            "validation_failed",
            &["erase_confirmation", "os_image_key"],
        ),
        (
            json!({"package_slug": "edge", "os_image_key": "beos"}),
            "validation_failed",
            &["os_image_key", "package_slug"],
        ),
        (
            json!({"package_slug": "huge", "erase_confirmation": "yes"}),
            "validation_failed",
            &["erase_confirmation", "package_slug"],
        ),
    ] {
        assert_eq!(world.refused("/servers/{uuid}/change-package", &body).await, told(code, fields), "{body}");
    }
}

#[tokio::test]
async fn a_body_that_cannot_be_read_tells_nothing_of_anothers_server() {
    let world = world().await;
    let eve = world.control.customer("eve", "1").await;
    for (verb, body) in [
        ("reinstall", json!({"os_image_key": "dedicated-only", "ssh_key_uuid": ABSENT, "x": 1})),
        ("change-package", json!({"package_slug": "dedicated-16", "x": 1})),
    ] {
        let ask = |server: &str| {
            let path = format!("/servers/{server}/{verb}");
            world.control.api("POST", &path).by(&eve).header("x-request-id", "same").json(&body).send()
        };
        assert_eq!(ask(&world.server).await.text, ask(ABSENT).await.text, "{verb}");
    }
}
