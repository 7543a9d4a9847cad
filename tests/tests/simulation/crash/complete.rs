//! Proof that nothing was forgotten: every function of the control plane that writes, found in its sources, and every
//! kind of step, listed beside the match that names it, is died at by at least one scenario, on both sides.

use std::{collections::BTreeSet, fs, path::Path};

use csp_agent::failpoint::STEPS;

use super::{play, scenarios};

/// They hand a closure of their caller on, and are called after it.
const WRAPPERS: [&str; 2] = ["api.idempotency.run", "fleet.store_hosts.write"];
/// Not died at, and why.
const EXEMPT: [(&str, &str); 4] = [
    ("cli.serve.serve", "at the end of the program; without it the next one begins a few seconds earlier"),
    ("cli.watchdog.ask", "it writes nothing"),
    (
        "api.servers.reset_password.reset_password",
        "behind a guest; a password that was set and not told costs another reset",
    ),
    ("api.console.stream.admitted", "behind a websocket; a ticket that was used up in vain costs another request"),
];

/// Every function in `control/src` that hands a closure to the store, `api.servers.order.order` for example.
fn writers() -> BTreeSet<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().join("control/src");
    let mut found = BTreeSet::new();
    let mut waiting = vec![root.clone()];
    while let Some(next) = waiting.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            let shown = path.strip_prefix(&root).unwrap().with_extension("").to_str().unwrap().replace('/', ".");
            if path.is_dir() {
                waiting.push(path);
            } else if path.extension().is_some_and(|ending| ending == "rs") && !shown.ends_with("tests") {
                let text = fs::read_to_string(&path).unwrap();
                let code = text.split("#[cfg(test)]\nmod ").next().unwrap();
                found.extend(
                    writers_in(code).into_iter().map(|name| format!("{}.{name}", shown.trim_end_matches(".mod"))),
                );
            }
        }
    }
    for (name, _) in EXEMPT {
        assert!(found.remove(name), "{name} is exempt and not there");
    }
    found.retain(|name| !WRAPPERS.contains(&name.as_str()));
    found
}

/// The functions of one file that write.
fn writers_in(code: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut function = String::new();
    for line in code.lines().filter(|line| !line.trim_start().starts_with("//")) {
        if let Some((_, rest)) = line.split_once("fn ") {
            function = rest.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect();
        }
        let writes = (line.contains(".write(") && !line.contains(".write(true)")) || line.contains(".write::<");
        if writes || line.contains("once.run(") || line.contains("once.run_priced(") {
            found.insert(function.clone());
        }
    }
    found
}

#[test]
fn every_commit_and_every_kind_of_step_is_died_at() {
    let crossed: BTreeSet<String> = scenarios::ALL.into_iter().flat_map(|scenario| play(scenario, None)).collect();
    let has = |start: &str, end: &str| crossed.iter().any(|point| point.starts_with(start) && point.ends_with(end));
    let writers = writers();
    assert!(writers.contains("api.servers.order.order"), "the sources are read: {writers:?}");
    let mut missing = Vec::new();
    for moment in ["before", "after"] {
        missing.extend(
            writers.iter().filter(|name| !has(&format!("control {name} "), moment)).map(|n| format!("{n} {moment}")),
        );
        missing.extend(
            STEPS.iter().filter(|step| !has(&format!("agent {step}/"), moment)).map(|s| format!("{s} {moment}")),
        );
        assert!(has("agent connect/set_filters ", moment) && has("agent connect/link_up ", moment));
        assert!(has("agent hear/record ", moment), "a spec on its way to the host's disk");
    }
    assert!(missing.is_empty(), "no scenario dies at {missing:?}; extend one in simulation/crash/scenarios.rs");
    // And the names that commits go by are those of the sources.
    let named: BTreeSet<&str> =
        crossed.iter().filter_map(|point| point.strip_prefix("control ")?.split(' ').next()).collect();
    let unknown: Vec<_> = named.iter().filter(|name| !writers.contains(**name)).collect();
    assert!(unknown.is_empty(), "commits of unknown functions: {unknown:?}");
    println!("{} functions that write, {} kinds of steps", writers.len(), STEPS.len());
}

#[test]
fn a_write_is_found_wherever_it_stands_in_its_function() {
    let code = "async fn first() {\n  a.store\n    .write(move |tx| b(tx))\n}\nfn second() { x.write(true) }\n\
                fn third() { once.run(&app, f) }\nfn priced() { once.run_priced(&app, d, f) }\nfn typed() { s.write::<_, E>(f) }\n// fn fourth() { store.write( }\n";
    assert_eq!(writers_in(code).into_iter().collect::<Vec<_>>(), ["first", "priced", "third", "typed"]);
}
