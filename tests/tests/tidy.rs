//! Habits that a compiler does not check: which part may use which, headers, file sizes, and what must not be written.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

use std::{
    fs,
    path::{Path, PathBuf},
};

/// Longest file, in lines without tests. Splitting a thought in two to meet a number is worse than the number, but
/// nothing here should need more.
const LINES_MAX: usize = 500;

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// All files below `folder` with one of the endings, relative to the root, sorted.
fn files(folder: &str, endings: &[&str]) -> Vec<(String, String)> {
    let mut found = Vec::new();
    let mut waiting = vec![root().join(folder)];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(&next).unwrap_or_else(|e| panic!("{}: {e}", next.display())) {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if path.is_dir() {
                if !name.starts_with('.') && !["target", "node_modules", "images", "snapshots"].contains(&name.as_str())
                {
                    waiting.push(path);
                }
            } else if endings.iter().any(|ending| name.ends_with(ending)) {
                let shown = path.strip_prefix(root()).unwrap().to_str().unwrap().to_owned();
                found.push((shown, fs::read_to_string(&path).unwrap()));
            }
        }
    }
    found.sort();
    found
}

fn rust() -> Vec<(String, String)> {
    ["shared", "control", "agent", "tests", "fuzz"].into_iter().flat_map(|folder| files(folder, &[".rs"])).collect()
}

/// A file's code before its tests.
fn code(text: &str) -> &str {
    text.split("#[cfg(test)]\nmod ").next().unwrap()
}

fn must_not_say(files: &[(String, String)], words: &[&str], why: &str) {
    let sins: Vec<String> = files
        .iter()
        .flat_map(|(name, text)| {
            words.iter().filter(|word| code(text).contains(**word)).map(move |word| format!("{name}: {word}"))
        })
        .collect();
    assert!(sins.is_empty(), "{why}:\n{}", sins.join("\n"));
}

#[test]
fn pure_parts_use_no_runtime_no_database_no_hypervisor_and_no_clock() {
    let pure: Vec<_> =
        ["control/src/domain", "agent/src/plan", "shared/src"].iter().flat_map(|f| files(f, &[".rs"])).collect();
    let banned = [
        "tokio::",
        "rusqlite",
        "virt::",
        "rtnetlink",
        "std::fs",
        "std::net::Tcp",
        "SystemTime",
        "Instant::now",
        "getrandom",
    ];
    must_not_say(&pure, &banned, "decisions are tried by the thousand because they touch nothing");
}

#[test]
fn only_the_store_knows_sql_and_only_the_hypervisor_knows_libvirt() {
    let outside = |folder: &'static str| move |(name, _): &(String, String)| !name.starts_with(folder);
    let control: Vec<_> = files("control/src", &[".rs"])
        .into_iter()
        .filter(outside("control/src/store/"))
        .filter(outside("control/src/metrics/"))
        .collect();
    must_not_say(&control, &["rusqlite", "SELECT ", "INSERT INTO"], "SQL stays in the stores");
    let beside: Vec<_> =
        files("control/src/metrics", &[".rs"]).into_iter().filter(outside("control/src/metrics/t")).collect();
    must_not_say(&beside, &["INSERT INTO", "DELETE FROM", "FROM points"], "the SQL of metrics stays in its table");
    let tables: Vec<_> = files("control/src/store", &[".rs"])
        .into_iter()
        .filter(|(name, _)| !["row.rs", "plan.rs", "connection.rs", "tests.rs"].iter().any(|file| name.ends_with(file)))
        .collect();
    must_not_say(
        &tables,
        &["prepare", "query_row(", ".execute("],
        "one way to a statement, where its plan is looked at",
    );
    let agent: Vec<_> = files("agent/src", &[".rs"]).into_iter().filter(outside("agent/src/hypervisor/")).collect();
    must_not_say(&agent, &["use virt::", "virt_sys", "virt::connect"], "libvirt stays in the hypervisor");
}

#[test]
fn calls_go_down_only() {
    let table: [(&str, &[&str]); 8] = [
        ("control/src/domain", &["crate::store", "crate::service", "crate::api", "crate::fleet", "crate::operator"]),
        ("control/src/store", &["crate::service", "crate::api", "crate::fleet", "crate::operator"]),
        (
            "control/src/metrics",
            &["crate::store", "crate::service", "crate::api", "crate::fleet", "crate::operator", "crate::clock"],
        ),
        ("control/src/service", &["crate::api", "crate::fleet", "crate::operator"]),
        ("agent/src/plan", &["crate::worker", "crate::storage", "crate::network", "crate::hypervisor", "crate::link"]),
        ("agent/src/storage", &["crate::worker", "crate::link", "crate::hypervisor", "crate::network"]),
        ("agent/src/network", &["crate::worker", "crate::link", "crate::hypervisor", "crate::storage::disk"]),
        ("agent/src/hypervisor", &["crate::worker", "crate::link"]),
    ];
    for (folder, above) in table {
        must_not_say(&files(folder, &[".rs"]), above, "a leaf never calls what stands above it");
    }
    must_not_say(
        &files("control", &[".rs", "Cargo.toml"]),
        &["csp_agent", "csp-agent.workspace"],
        "control never imports agent",
    );
    must_not_say(
        &files("agent", &[".rs", "Cargo.toml"]),
        &["csp_control", "csp-control.workspace"],
        "agent never imports control",
    );
}

#[test]
fn every_file_begins_with_why_it_is_there() {
    let silent: Vec<String> =
        rust().into_iter().filter(|(_, text)| !text.starts_with("//! ")).map(|(name, _)| name).collect();
    assert!(silent.is_empty(), "without a header:\n{}", silent.join("\n"));
}

#[test]
fn files_are_short_enough_to_hold_in_the_head() {
    let mut sizes: Vec<(usize, String)> = rust()
        .into_iter()
        .filter(|(name, _)| !name.contains("/tests/") && !name.ends_with("/tests.rs"))
        .map(|(name, text)| (code(&text).lines().count(), name))
        .collect();
    sizes.sort();
    let at = |part: usize| sizes[(sizes.len() - 1) * part / 100].0;
    println!("{} files: median {} lines, p90 {}, longest {}", sizes.len(), at(50), at(90), at(100));
    let long: Vec<_> = sizes.iter().filter(|(lines, _)| *lines > LINES_MAX).collect();
    assert!(long.is_empty(), "more than {LINES_MAX} lines: {long:?}");
}

#[test]
fn nothing_is_left_to_do_later_and_no_test_is_switched_off() {
    let words = ["todo!(", "unimplemented!(", "FIXME", "XXX", "#[ignore"];
    let others: Vec<_> = rust().into_iter().filter(|(name, _)| name != "tests/tests/tidy.rs").collect();
    let sins: Vec<String> = others
        .iter()
        .flat_map(|(name, text)| {
            words.iter().filter(|word| text.contains(**word)).map(move |word| format!("{name}: {word}"))
        })
        .collect();
    assert!(sins.is_empty(), "{}", sins.join("\n"));
}

#[test]
fn every_dependency_version_stands_in_one_table() {
    // The fuzzer's crate is a workspace of its own, and its table the one in it.
    let tables = ["Cargo.toml", "fuzz/Cargo.toml"];
    for (name, text) in files(".", &["Cargo.toml"]).iter().filter(|(name, _)| !tables.contains(&name.as_str())) {
        let dependencies =
            text.split("dependencies]").skip(1).flat_map(|part| part.split("\n[").next().unwrap().lines());
        for line in dependencies.filter(|line| line.contains('=') && !line.trim_start().starts_with('#')) {
            assert!(line.contains("workspace = true"), "{name}: `{line}` names a version of its own");
        }
    }
}
