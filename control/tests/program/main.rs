//! The program as an operator meets it: set up, started, asked, stopped, and told what is wrong.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, clippy::disallowed_methods)]

mod killed;
mod rig;

use std::{
    fs,
    io::{BufRead as _, BufReader, Read as _, Write as _},
    net::TcpListener,
    path::Path,
    time::Duration,
};

use serde_json::Value;

use self::rig::{Running, Setup, text};

const CATALOG: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs/examples/catalog.toml");

#[test]
fn from_nothing_to_an_answered_request() {
    let setup = Setup::new();
    let running = Running::start(&setup);
    let first = setup.say(&["apply", CATALOG]);
    assert!(first.contains("add package starter") && first.ends_with("Done.\n"), "{first}");
    assert!(setup.say(&["apply", CATALOG]).contains("nothing to change"));
    let account = setup.say(&["account", "create", "--name", "Ada"]).trim().to_owned();
    setup.say(&["credit", &account, "42.50", "--reference", "bank-1"]);
    let again = setup.json(&["credit", &account, "42.50", "--reference", "bank-1"]);
    assert_eq!((&again["balance"], &again["credited"]), (&Value::from("42.50"), &Value::from(false)));
    let key = setup.say(&["key", "create", &account, "--label", "test"]).trim().to_owned();

    let mut stream = running.open();
    let request =
        format!("GET /api/v1/balance HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nConnection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.contains("\"balance\":42.50"), "{answer}");

    let hosts = setup.json(&["host", "add", "host-1", "--location", "first"]);
    assert!(hosts["join"].as_str().unwrap().starts_with("csp-agent enroll --control control.example.com:7443 "));
    assert_eq!(setup.json(&["host", "list"])[0]["state"], Value::from("new"));
    assert!(setup.say(&["server", "list"]).starts_with("SERVER"));

    let body = r#"{"name":"Back end","location":"first"}"#;
    let head = format!("POST /api/v1/private-networks HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\n");
    let rest =
        format!("Content-Type: application/json\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
    let mut stream = running.open();
    stream.write_all(format!("{head}{rest}").as_bytes()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 200 OK"), "{answer}");
    let network = setup.json(&["network", "list"])[0]["uuid"].as_str().unwrap().to_owned();
    let listed = setup.say(&["network", "list"]);
    assert!(listed.starts_with("NETWORK") && listed.contains("10.64.0.0/24  first     vxlan 4096"), "{listed}");
    let shown = setup.say(&["network", "show", &network]);
    assert!(shown.contains("segment   vxlan 4096, MTU 1450") && shown.contains("SHOULD BE"), "{shown}");
}

#[test]
fn init_overwrites_nothing_and_keeps_others_out() {
    use std::os::unix::fs::PermissionsExt as _;
    let setup = Setup::new();
    let before = fs::read(setup.config()).unwrap();
    let again = setup.init(&[]);
    assert!(!again.status.success() && text(&again.stderr).contains("is there already"), "{}", text(&again.stderr));
    let elsewhere = setup.ask(&["init"]);
    assert!(!elsewhere.status.success() && text(&elsewhere.stderr).contains("--dir"), "{}", text(&elsewhere.stderr));
    assert_eq!(fs::read(setup.config()).unwrap(), before);
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&setup.dir().join("data")), 0o700);
    assert_eq!(mode(&setup.dir().join("data/keys")), 0o700);
}

#[test]
fn a_wrong_choice_at_init_leaves_no_trace() {
    let folder = tempfile::tempdir().unwrap();
    let setup = Setup { folder };
    let wrong = setup.init(&["--public-url", "ftp://x"]);
    assert!(!wrong.status.success() && text(&wrong.stderr).contains("public_url"), "{}", text(&wrong.stderr));
    assert!(!setup.dir().exists());
}

#[test]
fn what_cannot_be_opened_is_told_in_one_line() {
    let setup = Setup::new();
    setup.edit("[api]", "[api]\ncolour = \"red\"");
    let unknown = setup.serve_fails();
    assert!(unknown.contains("control.toml, line ") && unknown.contains("colour"), "{unknown}");
    setup.edit("colour = \"red\"\n", "");

    // Put aside as a whole: database, log and keys belong together.
    let (data, kept) = (setup.dir().join("data"), setup.dir().join("kept"));
    fs::rename(&data, &kept).unwrap();
    let missing = setup.serve_fails();
    assert!(missing.contains("data_dir"), "{missing}");
    fs::create_dir(&data).unwrap();
    fs::create_dir(data.join("keys")).unwrap();
    for key in fs::read_dir(kept.join("keys")).unwrap().map(|key| key.unwrap()) {
        fs::copy(key.path(), data.join("keys").join(key.file_name())).unwrap();
    }
    for is_emptied in [false, true] {
        if is_emptied {
            fs::write(data.join("control.db"), "").unwrap();
        }
        let empty = setup.serve_fails();
        assert!(
            empty.contains("no database") && empty.contains("backup"),
            "never a new ledger for a lost one: {empty}"
        );
    }
    fs::write(data.join("control.db"), "this is no database, and somebody may want it back").unwrap();
    let damaged = setup.serve_fails();
    assert!(damaged.contains("control.db"), "{damaged}");
    assert!(fs::read_to_string(data.join("control.db")).unwrap().ends_with("want it back"));
    fs::remove_dir_all(&data).unwrap();
    fs::rename(&kept, &data).unwrap();

    fs::remove_file(setup.dir().join("data/keys/link.key")).unwrap();
    let keyless = setup.serve_fails();
    assert!(keyless.contains("link.key"), "a control plane with new keys would be a stranger to its hosts: {keyless}");
}

#[test]
fn the_life_of_services_is_seen_and_steered_by_commands() {
    let setup = Setup::new();
    let _running = Running::start(&setup);
    setup.say(&["apply", CATALOG]);
    assert!(setup.say(&["scheduler", "status"]).contains("Services due: 0. Letters waiting: 0, given up: 0."));
    assert_eq!(setup.json(&["scheduler", "resume"])["state"], "running");
    assert_eq!(setup.say(&["mail", "list"]), "No letter waits, and none was given up.\n");
    let unknown = setup.ask(&["price", "announce", "5.00", "--package", "nope"]);
    assert!(!unknown.status.success() && text(&unknown.stderr).contains("`nope`"), "{}", text(&unknown.stderr));
    let nobody = setup.say(&["price", "announce", "5.00", "--package", "starter"]);
    assert_eq!(nobody, "No servers of it are in use: nobody was told.\n");
    let server = "0192f0c1-0000-7000-8000-000000000001";
    for words in [
        ["server", "lock", server, "--reason", "abuse"],
        ["server", "unlock", server, "--reason", "operator"],
        ["price", "announce", "5.00", "--server", server],
    ] {
        let refused = setup.ask(&words);
        assert!(!refused.status.success() && text(&refused.stderr).contains(server), "{words:?}");
    }
}

#[test]
fn a_mail_server_is_named_with_all_that_it_needs() {
    let setup = Setup::new();
    let from = "[log]\n";
    let mail = "[mail]\nserver = \"mail.example.com:587\"\nfrom = \"billing@example.com\"\nuser = \"post\"\n";
    setup.edit(from, &format!("{mail}\n{from}"));
    assert!(setup.serve_fails().contains("user and password_file go together"));
    let password = setup.folder.path().join("password");
    setup.edit("user = \"post\"\n", &format!("user = \"post\"\npassword_file = {password:?}\n"));
    let said = setup.serve_fails();
    assert!(said.contains("password") && said.contains("[mail] password_file"), "{said}");
    fs::write(&password, "secret\n").unwrap();
    let _running = Running::start(&setup);
}

/// Before anybody is asked, so without a control plane.
#[test]
fn a_word_that_is_no_id_or_no_time_is_told_as_that() {
    let setup = Setup::new();
    let id = "0192f0c1-2b3c-7d4e-8f50-112233445566";
    for (words, told) in [
        (&["price", "fix", "abc"][..], "is no id: write one as 0192f0c1-"),
        (&["ledger", "explain", "abc"], "is no id: write one as 0192f0c1-"),
        (
            &["price", "announce", "9", "--server", id, "--from", "2026-13-01"],
            "'--from <TIME>': is no time: write 2026-06-10",
        ),
    ] {
        let output = setup.ask(words);
        let shown = text(&output.stderr);
        assert!(!output.status.success() && shown.contains(told), "{words:?}: {shown}");
    }
}

#[test]
fn a_second_control_plane_on_the_same_database_does_not_start() {
    let setup = Setup::new();
    let _running = Running::start(&setup);
    let refused = setup.serve_fails();
    assert!(refused.contains("another control plane"), "{refused}");
    assert!(setup.say(&["account", "list"]).starts_with("ACCOUNT"), "the first one still answers");
}

#[test]
fn a_socket_that_was_passed_by_name_is_served() {
    let setup = Setup::new();
    let text = fs::read_to_string(setup.config()).unwrap();
    let (before, after) = text.split_once("[api]").unwrap();
    fs::write(setup.config(), format!("{before}[api]{}", after.replacen("127.0.0.1:0", "fd:web", 1))).unwrap();
    let refused = setup.serve_fails();
    assert!(refused.contains("fd:web") && refused.contains("[api] listen"), "nobody passed it: {refused}");
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let running = Running::start_with_socket(&setup, socket);
    assert_eq!(running.api, address);
    let mut stream = running.open();
    stream.write_all(b"GET /api/v1/balance HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
}

#[test]
fn commands_say_when_nobody_answers() {
    let setup = Setup::new();
    let output = setup.ask(&["account", "list"]);
    assert_eq!(output.status.code(), Some(1));
    let said = text(&output.stderr);
    assert!(said.contains("operator.sock") && said.contains("csp-control serve"), "{said}");
}

#[test]
fn a_request_that_is_under_way_ends_before_the_program_does() {
    let setup = Setup::new();
    let running = Running::start(&setup);
    let account = setup.say(&["account", "create", "--name", "Ada"]).trim().to_owned();
    let key = setup.say(&["key", "create", &account]).trim().to_owned();
    let mut stream = running.open();
    let head = format!(
        "POST /api/v1/servers HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nContent-Type: application/json\r\n\
         Content-Length: 2\r\n\r\n{{"
    );
    stream.write_all(head.as_bytes()).unwrap();
    std::thread::sleep(Duration::from_millis(200));
    running.signal("TERM");
    std::thread::sleep(Duration::from_millis(200));
    stream.write_all(b"}").unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    assert!(answer.starts_with("HTTP/1.1 422 ") && answer.contains("validation_failed"), "{answer}");
    assert!(running.ended().success());
    assert!(!setup.dir().join("operator.sock").exists());
}

#[test]
fn who_follows_events_is_let_go_in_order_when_the_program_stops() {
    let setup = Setup::new();
    let running = Running::start(&setup);
    let account = setup.say(&["account", "create", "--name", "Ada"]).trim().to_owned();
    let key = setup.say(&["key", "create", &account]).trim().to_owned();
    let mut stream = running.open();
    let request = format!(
        "GET /api/v1/events HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer {key}\r\nAccept: text/event-stream\r\n\r\n"
    );
    stream.write_all(request.as_bytes()).unwrap();
    let mut seen = String::new();
    let mut lines = BufReader::new(stream.try_clone().unwrap());
    while !seen.contains("retry: ") {
        assert_ne!(lines.read_line(&mut seen).unwrap(), 0, "{seen}");
    }
    setup.say(&["credit", &account, "7", "--reference", "r"]);
    while !seen.contains("\"balance\":7.00") {
        assert_ne!(lines.read_line(&mut seen).unwrap(), 0, "{seen}");
    }
    running.signal("TERM");
    lines.read_to_string(&mut seen).unwrap();
    assert!(seen.ends_with("\r\n0\r\n\r\n"), "ended, and not cut off: {seen}");
    assert!(running.ended().success());
}

#[test]
fn what_was_answered_survives_a_kill() {
    let setup = Setup::new();
    let running = Running::start(&setup);
    let account = setup.say(&["account", "create", "--name", "Ada"]).trim().to_owned();
    setup.say(&["credit", &account, "7", "--reference", "r"]);
    running.signal("KILL");
    drop(running);
    let _again = Running::start(&setup);
    assert_eq!(setup.json(&["account", "list"])[0]["balance"], Value::from("7.00"));
}
