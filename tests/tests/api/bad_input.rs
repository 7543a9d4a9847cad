//! Whatever a stranger sends, the answer says which part is wrong, is inert, and nothing has changed.

use csp_control::api::document;
use csp_tests::test_control::{PUBLIC_KEY, TestControl};
use serde_json::{Value, json};

const JSON: &str = "application/json";
const ABSENT: &str = "0192f0c1-0000-7000-8000-000000000001";

/// Characters that act on whoever looks at them: controls, changes of direction, and what HTML is made of.
const ACTING: &[&str] = &[
    "a\u{0}b",
    "a\nb",
    "a\u{1b}[2Jb",
    "a\u{7f}b",
    "a\u{85}b",
    "a\u{202e}b",
    "a\u{2066}b",
    "a\u{200f}b",
    "a\u{61c}b",
    "a\u{2028}b",
    "a\u{feff}b",
];

/// Every route with a body, as the document lists them.
fn with_body() -> Vec<(String, String)> {
    let paths = document::document().paths.paths.iter();
    let operations = paths.flat_map(|(path, item)| document::verbs(item).into_iter().map(move |verb| (path, verb)));
    operations
        .filter(|(_, (_, operation))| operation.request_body.is_some())
        .map(|(path, (method, _))| {
            (
                method.to_owned(),
                path.replace("{uuid}", ABSENT)
                    .replace("{link_uuid}", ABSENT)
                    .replace("{ip_uuid}", ABSENT)
                    .replace("{membership_id}", ABSENT),
            )
        })
        .collect()
}

#[tokio::test]
async fn every_route_with_a_body_refuses_what_is_no_json_object() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "50").await;
    let before = control.books().await;
    let deep = format!("{{\"x\":{}1{}}}", "[".repeat(5000), "]".repeat(5000));
    let deep_objects = format!("{}1{}", "{\"x\":".repeat(5000), "}".repeat(5000));
    let (long, long_spaces) = (format!("{{\"x\":\"{}\"}}", "a".repeat(70_000)), " ".repeat(70_000));
    type Case<'a> = (&'a str, Option<&'a str>, &'a [u8], u16, &'a str);
    let table: [Case<'_>; 15] = [
        ("nothing closed", Some(JSON), b"{", 400, "malformed_json"),
        ("deep lists", Some(JSON), deep.as_bytes(), 400, "malformed_json"),
        ("deep objects", Some(JSON), deep_objects.as_bytes(), 400, "malformed_json"),
        ("a number too many", Some(JSON), b"{} 1", 400, "malformed_json"),
        ("not a number", Some(JSON), b"{\"x\":NaN}", 400, "malformed_json"),
        ("half a surrogate", Some(JSON), b"{\"x\":\"\\ud800\"}", 400, "malformed_json"),
        ("no UTF-8", Some(JSON), b"{\"x\":\"\xff\"}", 400, "malformed_json"),
        ("a byte order mark", Some(JSON), b"\xef\xbb\xbf{}", 400, "malformed_json"),
        ("a list", Some(JSON), b"[]", 422, "validation_failed"),
        ("a text", Some(JSON), b"\"a\"", 422, "validation_failed"),
        ("a form", Some("application/x-www-form-urlencoded"), b"x=1", 415, "unsupported_media_type"),
        ("no kind", None, b"{\"x\":1}", 415, "unsupported_media_type"),
        ("another charset", Some("application/json; charset=utf-16"), b"{}", 415, "unsupported_media_type"),
        ("too long", Some(JSON), long.as_bytes(), 413, "payload_too_large"),
        ("too many spaces", Some(JSON), long_spaces.as_bytes(), 413, "payload_too_large"),
    ];
    let routes = with_body();
    assert!(routes.len() > 5, "{routes:?}");
    for (method, path) in routes {
        for (name, kind, body, status, code) in table {
            let send = control.api(&method, &path).by(&customer).body(body);
            let reply = kind.into_iter().fold(send, |send, kind| send.header("content-type", kind)).send().await;
            assert_eq!(
                (reply.status.as_u16(), reply.code()),
                (status, code),
                "{method} {path}: {name}: {}",
                reply.text
            );
        }
        let unknown = json!({"colour\u{202e}\u{1b}[2J": 1});
        let reply = control.api(&method, &path).by(&customer).json(&unknown).send().await;
        assert_eq!(reply.status.as_u16(), 422, "{method} {path}: {}", reply.text);
        assert!(reply.fields()[0].starts_with("colour\u{fffd}"), "{method} {path}: {}", reply.text);
    }
    assert_eq!(control.books().await, before);
}

#[tokio::test]
async fn every_path_tells_which_methods_it_has() {
    let control = TestControl::start().await;
    for (path, item) in &document::document().paths.paths {
        let has: Vec<&str> = document::verbs(item).into_iter().map(|(method, _)| method).collect();
        let path = path
            .replace("{uuid_or_slug}", "starter")
            .replace("{month}", "2026-06")
            .replace("{uuid}", ABSENT)
            .replace("{ip_uuid}", ABSENT)
            .replace("{membership_id}", ABSENT);
        for method in ["GET", "POST", "PUT", "PATCH", "DELETE", "BREW", "TRACE", "CONNECT"] {
            if has.contains(&method) {
                continue;
            }
            let reply = control.api(method, &path).send().await;
            assert_eq!((reply.status.as_u16(), reply.code()), (405, "method_not_allowed"), "{method} {path}");
            let allow: Vec<&str> = reply.header("allow").split(',').map(str::trim).collect();
            assert!(has.iter().all(|method| allow.contains(method)), "{path}: {allow:?} and {has:?}");
        }
    }
}

#[tokio::test]
async fn garbage_in_a_path_is_nothing_that_exists() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    let long = "a".repeat(16_000);
    for name in [
        "%00",
        "%ff%fe",
        "%c0%ae%c0%ae",
        "..%2f..%2fetc%2fpasswd",
        "%2e%2e",
        "%0d%0aSet-Cookie:%20a=b",
        "%e2%80%ae",
        "'--",
        "<script>".replace(['<', '>'], "%3c").as_str(),
        "%25",
        "%",
        "%zz",
        "{uuid}".replace(['{', '}'], "%7b").as_str(),
        &long,
    ] {
        for folder in ["/servers", "/ssh-keys", "/packages"] {
            let reply = control.raw("PATCH", "/api/v1/nothing").send().await;
            assert_eq!(reply.status.as_u16(), 404);
            let method = if folder == "/ssh-keys" { "DELETE" } else { "GET" };
            let reply = control.api(method, &format!("{folder}/{name}")).by(&customer).send().await;
            let shown = &name[..name.len().min(40)];
            assert_eq!((reply.status.as_u16(), reply.code()), (404, "not_found"), "{folder}/{shown}: {}", reply.text);
            assert!(!reply.text.contains("etc/passwd") && !reply.headers.contains_key("set-cookie"), "{shown}");
        }
    }
}

#[tokio::test]
async fn a_head_that_is_too_large_is_refused_whatever_is_asked() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    for method in ["GET", "POST", "DELETE"] {
        let long = format!("/servers?x={}", "a".repeat(16 * 1024));
        let reply = control.api(method, &long).by(&customer).send().await;
        assert_eq!((reply.status.as_u16(), reply.code()), (414, "uri_too_long"), "{method}");
        let many = (0..100).fold(control.api(method, "/servers").by(&customer), |send, _| send.header("x-a", "b"));
        let big = control.api(method, "/servers").by(&customer).header("x-a", &"b".repeat(64 * 1024));
        for send in [many, big] {
            let reply = send.send().await;
            assert_eq!((reply.status.as_u16(), reply.code()), (431, "headers_too_large"), "{method}");
        }
    }
}

#[tokio::test]
async fn garbage_in_headers_is_refused_or_has_no_effect() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    let long = "a".repeat(10_000);
    for (name, value) in [
        ("accept", "\u{e9}"),
        ("accept", "no/such;q=seven"),
        ("accept-language", &long),
        ("user-agent", "\u{202e}<script>alert(1)</script>"),
        ("x-request-id", "<script>"),
        ("x-forwarded-for", "'; DROP TABLE servers; --"),
        ("x-forwarded-host", "evil.example.com"),
        ("host", "evil.example.com"),
        ("origin", "https://evil.example.com"),
        ("content-type", "\u{e9}/\u{e9}"),
        ("x-http-method-override", "DELETE"),
        ("cookie", &long),
    ] {
        let reply = control.api("GET", "/servers").by(&customer).header(name, value).send().await;
        assert_eq!(reply.status.as_u16(), 200, "{name}: {}", reply.text);
        assert!(!reply.text.contains("evil") && !reply.headers.contains_key("access-control-allow-origin"), "{name}");
    }
    for value in ["", "\u{e9}", &"k".repeat(256)] {
        let send = control.api("POST", "/ssh-keys").by(&customer).header("idempotency-key", value);
        let reply = send.json(&json!({"label": "a", "public_key": PUBLIC_KEY})).send().await;
        assert!([400, 422].contains(&reply.status.as_u16()), "{value}: {}", reply.text);
        assert_eq!(reply.fields(), ["Idempotency-Key"]);
    }
    assert_eq!(control.api("GET", "/ssh-keys").by(&customer).send().await.data(), &json!([]));
}

#[tokio::test]
async fn garbage_in_a_query_is_named() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    for query in [
        "limit=",
        "limit=%00",
        "limit=1%00",
        "limit=-1",
        "limit=1e3",
        "limit=%ff",
        "offset=9999999999999999999999",
        "%00=1",
    ] {
        let reply = control.api("GET", &format!("/servers?{query}")).by(&customer).send().await;
        let status = reply.status.as_u16();
        assert!(status == 422 || status == 400 || query == "limit=", "{query}: {status} {}", reply.text);
        assert!(reply.status.is_success() || !reply.json["message"].as_str().unwrap().contains('\u{0}'), "{query}");
    }
}

#[tokio::test]
async fn names_that_act_on_whoever_looks_are_refused_and_markup_stays_text() {
    let control = TestControl::start().await;
    control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let before = control.books().await;
    for text in ACTING {
        let key = json!({"label": text, "public_key": PUBLIC_KEY});
        let reply = control.api("POST", "/ssh-keys").by(&customer).json(&key).send().await;
        assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec!["label"]), "{text:?}: {}", reply.text);
        let order = |field: &str| {
            let mut order =
                json!({"type": "vps", "package_slug": "starter", "os_image_key": "debian-12", "hostname": "a"});
            order[field] = Value::from(*text);
            order
        };
        for field in ["type", "package_slug", "os_image_key", "hostname", "ssh_key_uuid", "location"] {
            let reply = control.api("POST", "/servers").by(&customer).json(&order(field)).send().await;
            assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec![field]), "{text:?}: {}", reply.text);
            let message = reply.json["message"].as_str().unwrap();
            assert!(
                !ACTING.iter().any(|acting| message.contains(acting.chars().nth(1).unwrap())),
                "{field} {text:?}: {message:?}"
            );
        }
    }
    assert_eq!(control.books().await, before);
    let markup = "<img src=x onerror=alert(1)> & \"quoted\"";
    let key = json!({"label": markup, "public_key": PUBLIC_KEY});
    let added = control.api("POST", "/ssh-keys").by(&customer).json(&key).send().await;
    assert_eq!(added.data()["label"], json!(markup));
    let list = control.api("GET", "/ssh-keys").by(&customer).send().await;
    assert_eq!(list.header("content-type"), JSON);
    assert_eq!(list.header("x-content-type-options"), "nosniff", "no browser takes it for a page");
}

/// Whether a refusal repeats a character that acts on whoever looks at it.
fn acts_back(message: &str) -> bool {
    message.chars().any(|c| ACTING.iter().any(|acting| acting.chars().nth(1) == Some(c)))
}

#[tokio::test]
async fn no_field_of_any_body_takes_or_repeats_what_acts_on_its_reader() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "50").await;
    let before = control.books().await;
    let document = serde_json::to_value(document::document()).unwrap();
    let mut tried = 0;
    for (path, item) in document["paths"].as_object().unwrap() {
        for (verb, operation) in item.as_object().unwrap() {
            let name = operation["requestBody"]["content"]["application/json"]["schema"]["$ref"].as_str();
            let Some(name) = name.and_then(|reference| reference.rsplit('/').next()) else { continue };
            let fields = document["components"]["schemas"][name]["properties"].as_object();
            for field in fields.into_iter().flatten().map(|(field, _)| field) {
                for text in ACTING {
                    // As the field itself, in a list, as a name and as a value within it.
                    for value in [json!(text), json!([text]), json!({*text: "a"}), json!({"a": text}), json!([[text]])]
                    {
                        let send = control
                            .api(
                                &verb.to_uppercase(),
                                &path
                                    .replace("{uuid}", ABSENT)
                                    .replace("{ip_uuid}", ABSENT)
                                    .replace("{membership_id}", ABSENT),
                            )
                            .by(&customer);
                        let reply = send.json(&json!({field: value})).send().await;
                        let message = reply.json["message"].as_str().unwrap_or_default();
                        // What names nothing that is there may be told so before its body is looked at.
                        assert!([404, 422].contains(&reply.status.as_u16()), "{verb} {path} {field}: {}", reply.text);
                        assert!(!acts_back(message), "{verb} {path} {field} {value}: {message:?}");
                        tried += 1;
                    }
                }
            }
        }
    }
    assert!(tried > 1000, "{tried}");
    assert_eq!(control.books().await, before);
}

#[tokio::test]
async fn no_query_repeats_what_acts_on_its_reader_and_none_is_too_much() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "0").await;
    let document = serde_json::to_value(document::document()).unwrap();
    let encoded = |text: &str| text.bytes().map(|byte| format!("%{byte:02x}")).collect::<String>();
    for (path, item) in document["paths"].as_object().unwrap() {
        let Some(operation) = item.get("get") else { continue };
        let parameters = operation["parameters"].as_array().into_iter().flatten();
        let path = path
            .replace("{uuid_or_slug}", "starter")
            .replace("{month}", "2026-06")
            .replace("{uuid}", ABSENT)
            .replace("{ip_uuid}", ABSENT)
            .replace("{membership_id}", ABSENT);
        for name in parameters.filter(|parameter| parameter["in"] == "query").map(|p| p["name"].as_str().unwrap()) {
            for text in ACTING.iter().copied().chain(["\u{fffd}", "-0", "0x10", "1e400", "9".repeat(400).as_str(), "%"])
            {
                let reply = control.api("GET", &format!("{path}?{name}={}", encoded(text))).by(&customer).send().await;
                let message = reply.json["message"].as_str().unwrap_or_default();
                // Some of what is no number is a good name.
                let status = reply.status.as_u16();
                let good = status == 200 && !ACTING.contains(&text);
                assert!([404, 422].contains(&status) || good, "{path} {name}={text:?}: {}", reply.text);
                assert!(!acts_back(message), "{path} {name}: {message:?}");
            }
        }
        let many: String = (0..2000).map(|number| format!("x{number}=1&")).collect();
        let reply = control.api("GET", &format!("{path}?{many}")).by(&customer).send().await;
        let short = reply.status.is_success() || reply.text.len() < 8000;
        assert!(reply.status.as_u16() < 500 && short, "{path}: {}", reply.text.len());
    }
}

/// Every operation: its method, its path about nothing that is there, and what it takes in its query.
fn operations() -> Vec<(String, String, Vec<String>)> {
    let document = serde_json::to_value(document::document()).unwrap();
    let names = |operation: &Value| {
        let parameters = operation["parameters"].as_array().into_iter().flatten().filter(|p| p["in"] == "query");
        parameters.map(|parameter| parameter["name"].as_str().unwrap().to_owned()).collect()
    };
    let rows = document::rows().into_iter().map(|row| {
        let takes = names(&document["paths"][&row.path][row.method.to_lowercase()]);
        let path = row.path.replace("{uuid_or_slug}", "starter").replace("{month}", "2026-06");
        (
            row.method.to_owned(),
            path.replace("{uuid}", ABSENT).replace("{ip_uuid}", ABSENT).replace("{membership_id}", ABSENT),
            takes,
        )
    });
    rows.collect()
}

#[tokio::test]
async fn no_request_passes_over_a_name_in_its_query() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "50").await;
    let before = control.books().await;
    for (method, path, takes) in operations() {
        let ask = async |query: &str| control.api(&method, &format!("{path}?{query}")).by(&customer).send().await;
        for (query, named) in [("colour=red&x=1", vec!["colour", "x"]), ("Limit", vec!["Limit"]), ("%78=", vec!["x"])] {
            let reply = ask(query).await;
            assert_eq!((reply.status.as_u16(), reply.code()), (422, "validation_failed"), "{method} {path}?{query}");
            assert_eq!(reply.fields(), named, "{method} {path}?{query}: {}", reply.text);
        }
        for name in ["limit", "offset", "dry_run", "format"] {
            let reply = ask(&format!("{name}=")).await;
            let is_named = reply.status.as_u16() == 422 && reply.fields().contains(&name);
            // An empty `dry_run` is refused where it is known, too.
            let is_known = takes.iter().any(|known| known == name) && name != "dry_run";
            assert_ne!(is_named, is_known, "{method} {path}?{name}: {}", reply.text);
        }
    }
    assert_eq!(control.books().await, before);
}

#[tokio::test]
async fn a_limit_beyond_any_number_is_cut_like_any_other_and_told_so() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let server = &control.order(&customer, "starter", "a").await.to_string();
    host.obey().await;
    let lists: Vec<String> = operations()
        .into_iter()
        .filter(|(_, _, takes)| takes.iter().any(|name| name == "limit"))
        .map(|(_, path, _)| path.replace(ABSENT, server))
        .collect();
    assert!(lists.len() > 8, "{lists:?}");
    for path in lists {
        for limit in ["101", "99999999999999999999", &"9".repeat(300)] {
            let reply = control.api("GET", &format!("{path}?limit={limit}")).by(&customer).send().await;
            assert_eq!((reply.data().is_array(), &reply.json["limit"]), (true, &json!(100)), "{path}: {}", reply.text);
            assert!(reply.json["message"].as_str().unwrap().contains("100"), "{path}: {}", reply.text);
        }
        for limit in ["0", "-1", "-99999999999999999999", "1.5", "1e2", "all", "+5", "%205"] {
            let reply = control.api("GET", &format!("{path}?limit={limit}")).by(&customer).send().await;
            assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec!["limit"]), "{path} {limit}");
        }
    }
}

#[tokio::test]
async fn a_name_of_nothing_to_see_is_none() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "50").await;
    let added = json!({"label": "Laptop", "public_key": PUBLIC_KEY});
    let added = control.api("POST", "/ssh-keys").by(&customer).json(&added).send().await;
    let path = format!("/ssh-keys/{}", added.data()["uuid"].as_str().unwrap());
    for nothing in ["\u{200b}", "\u{e0041}", "\u{ad}\u{2060} \u{3164}", "\u{a0}\u{2003}", "\u{fe0f}\u{200d}"] {
        let key = json!({"label": nothing, "public_key": PUBLIC_KEY});
        for reply in [
            control.api("POST", "/ssh-keys").by(&customer).json(&key).send().await,
            control.api("PATCH", &path).by(&customer).json(&json!({"label": nothing})).send().await,
            control
                .operator("POST", &format!("/accounts/{}/keys", customer.account))
                .json(&json!({"label": nothing}))
                .send()
                .await,
        ] {
            assert_eq!((reply.status.as_u16(), reply.fields()), (422, vec!["label"]), "{nothing:?}: {}", reply.text);
        }
    }
    let shown = control.api("PATCH", &path).by(&customer).json(&json!({"label": "👩\u{200d}💻"})).send().await;
    assert_eq!(shown.data()["label"], "👩\u{200d}💻", "what emoji and scripts need between others stays");
}

#[tokio::test]
async fn every_body_is_read_as_it_is_sent_and_a_patch_may_be_called_one() {
    let control = TestControl::start().await;
    let customer = control.customer("ada", "50").await;
    for (method, path) in with_body() {
        let send =
            |kind: &str| control.api(&method, &path).by(&customer).header("content-type", kind).body("{\"x\":1}");
        for coding in ["gzip", "br", "identity, gzip", "nonsense"] {
            let reply = send(JSON).header("content-encoding", coding).send().await;
            assert_eq!((reply.status.as_u16(), reply.fields()), (415, vec!["Content-Encoding"]), "{method} {path}");
        }
        assert_eq!(send(JSON).header("content-encoding", "identity").send().await.status.as_u16(), 422);
        let reply = send("application/merge-patch+json").send().await;
        let wanted = if method == "PATCH" { (422, vec!["x"]) } else { (415, vec!["Content-Type"]) };
        assert_eq!((reply.status.as_u16(), reply.fields()), wanted, "{method} {path}: {}", reply.text);
    }
}

#[tokio::test]
async fn numbers_that_are_none_are_named_and_move_nothing() {
    let control = TestControl::start().await;
    let host = control.host("host-1").await;
    let customer = control.customer("ada", "50").await;
    let path = format!("/servers/{}/extend", control.order(&customer, "starter", "a").await);
    host.obey().await;
    let before = control.books().await;
    for number in ["0", "-1", "13", "1.0", "1.5", "1e0", "1e400", "18446744073709551616", "\"1\"", "true", "[1]", "{}"]
    {
        let send = control.api("POST", &path).by(&customer).header("content-type", JSON);
        let reply = send.body(format!("{{\"months\":{number}}}")).send().await;
        let status = reply.status.as_u16();
        assert!(status == 422 && reply.fields() == ["months"] || status == 400, "{number}: {}", reply.text);
    }
    assert_eq!(control.books().await, before);
}
