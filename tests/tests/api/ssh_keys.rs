//! Public SSH keys: added, renamed and deleted, refused with a reason, and a private one left nowhere.

use csp_tests::test_control::{PUBLIC_KEY, TestControl};
use serde_json::{Value, json};

/// Half of this repository's tests would notice if it were a real one.
const PRIVATE_KEY: &str = "-----BEGIN OPENSSH PRIVATE KEY-----\n\
    b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQAAAAAAAAABsecretsecretsecret\n-----END OPENSSH PRIVATE KEY-----\n";

#[tokio::test]
async fn a_key_is_added_renamed_and_deleted() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    let body = json!({"label": " Laptop ", "public_key": format!("{PUBLIC_KEY} ada@laptop\n")});
    let added = control.api("POST", "/ssh-keys").by(&customer).json(&body).send().await;
    let key = added.data().clone();
    assert_eq!((&key["label"], &key["public_key"]), (&json!("Laptop"), &json!(PUBLIC_KEY)));
    assert!(key["fingerprint"].as_str().unwrap().starts_with("SHA256:"));
    let path = format!("/ssh-keys/{}", key["uuid"].as_str().unwrap());
    let list = || control.api("GET", "/ssh-keys").by(&customer).send();
    assert_eq!(list().await.data(), &json!([key]));

    let renamed = control.api("PATCH", &path).by(&customer).json(&json!({"label": "Desktop"})).send().await;
    assert_eq!((&renamed.data()["label"], &renamed.data()["uuid"]), (&json!("Desktop"), &key["uuid"]));
    assert_eq!(list().await.data()[0]["label"], json!("Desktop"));

    let deleted = control.api("DELETE", &path).by(&customer).send().await;
    assert_eq!((deleted.status.as_u16(), &deleted.json["message"]), (200, &json!("SSH key deleted.")));
    assert_eq!(list().await.data(), &json!([]));
    for (method, body) in [("DELETE", json!({})), ("PATCH", json!({"label": "a"}))] {
        let gone = control.api(method, &path).by(&customer).json(&body).send().await;
        assert_eq!((gone.status.as_u16(), gone.code()), (404, "not_found"), "{method}");
    }
}

#[tokio::test]
async fn the_same_key_is_not_added_twice_whatever_its_comment() {
    let control = TestControl::start().await;
    let (ada, eve) = (control.customer("ada", "0").await, control.customer("eve", "0").await);
    let body = |comment: &str| json!({"label": comment, "public_key": format!("{PUBLIC_KEY} {comment}")});
    let first = control.api("POST", "/ssh-keys").by(&ada).json(&body("one")).send().await;
    let second = control.api("POST", "/ssh-keys").by(&ada).json(&body("two")).send().await;
    assert_eq!((second.status.as_u16(), second.code(), second.fields()), (409, "already_exists", vec!["public_key"]));
    assert!(second.text.contains("`one`"), "it says which one it is: {}", second.text);
    let others = control.api("POST", "/ssh-keys").by(&eve).json(&body("one")).send().await;
    assert_eq!(others.status.as_u16(), 200, "another account may have it too: {}", others.text);
    assert_ne!(first.data()["uuid"], others.data()["uuid"]);
}

#[tokio::test]
async fn what_is_no_key_is_refused_by_name() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    let table = [
        (json!({"label": "a"}), "validation_failed", vec!["public_key"]),
        (json!({"public_key": PUBLIC_KEY}), "validation_failed", vec!["label"]),
        (json!({"label": "a\u{202e}b", "public_key": PUBLIC_KEY}), "validation_failed", vec!["label"]),
        (json!({"label": "a", "public_key": 7}), "validation_failed", vec!["public_key"]),
        (json!({"label": "a", "public_key": "ssh-dss AAAA"}), "invalid_ssh_key", vec!["public_key"]),
        (json!({"label": "a", "public_key": "hello"}), "invalid_ssh_key", vec!["public_key"]),
        (json!({"label": "a", "public_key": PRIVATE_KEY}), "invalid_ssh_key", vec!["public_key"]),
        (json!({"label": PRIVATE_KEY, "public_key": PUBLIC_KEY}), "invalid_ssh_key", vec!["label"]),
        (json!({"label": "a", "public_key": PUBLIC_KEY, "x": 1}), "validation_failed", vec!["x"]),
    ];
    for (body, code, fields) in table {
        let reply = control.api("POST", "/ssh-keys").by(&customer).json(&body).send().await;
        assert_eq!((reply.status.as_u16(), reply.code(), reply.fields()), (422, code, fields), "{body}");
    }
}

/// Pasted into every field that takes a key, with an Idempotency-Key: it is in no answer and in no file.
#[tokio::test]
async fn a_pasted_private_key_is_neither_stored_nor_told() {
    let control = TestControl::start().await;
    let _host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let order = json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a"});
    let with = |field: &str, value: Value| {
        let mut order = order.clone();
        order[field] = value;
        order
    };
    let table = [
        ("/ssh-keys", json!({"label": "a", "public_key": PRIVATE_KEY})),
        ("/ssh-keys", json!({"label": PRIVATE_KEY, "public_key": PUBLIC_KEY})),
        ("/servers", with("ssh_keys", json!([PRIVATE_KEY]))),
        ("/servers", with("ssh_key_uuid", json!(PRIVATE_KEY))),
    ];
    for (path, body) in table {
        let send = control.api("POST", path).by(&customer).header("idempotency-key", "k").json(&body);
        let reply = send.send().await;
        assert_eq!(reply.status.as_u16(), 422, "{path}: {}", reply.text);
        assert!(!reply.text.contains("secretsecret"), "{path}: {}", reply.text);
    }
    let mut files = 0;
    for entry in std::fs::read_dir(control.folder()).unwrap() {
        let bytes = std::fs::read(entry.unwrap().path()).unwrap();
        assert!(!bytes.windows(12).any(|window| window == b"secretsecret"));
        files += 1;
    }
    assert!(files >= 2, "database and log were looked at");
}

#[tokio::test]
async fn a_repeated_request_has_one_effect() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    let body = json!({"label": "Laptop", "public_key": PUBLIC_KEY});
    let add = || control.api("POST", "/ssh-keys").by(&customer).header("idempotency-key", "add").json(&body).send();
    let (first, again) = (add().await, add().await);
    assert_eq!((first.text.clone(), again.header("idempotent-replayed")), (again.text.clone(), "true"));
    let path = format!("/ssh-keys/{}", first.data()["uuid"].as_str().unwrap());
    let delete = || control.api("DELETE", &path).by(&customer).header("idempotency-key", "del").send();
    assert_eq!((delete().await.status.as_u16(), delete().await.status.as_u16()), (200, 200));
}
