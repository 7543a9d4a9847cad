//! The console as a customer has it: a real browser over the page, a real guest behind it.

use std::{
    io::{BufRead as _, BufReader, Lines},
    path::PathBuf,
    process::{Child, ChildStdout, Command, Stdio},
};

use serde_json::Value;

use crate::rig::{Lab, Server};

/// A browser that is being driven. Killed with the test.
struct Browser {
    child: Child,
    said: Lines<BufReader<ChildStdout>>,
}

impl Browser {
    fn drive(words: &[&str]) -> Self {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("browser");
        assert!(folder.join("node_modules/playwright-core").is_dir(), "no browser driver: run scripts/web --tests");
        // Bounded like everything here: a browser that hangs is killed.
        let mut command = Command::new("timeout");
        command.args(["--signal=KILL", "150", "node", "console.mjs"]).args(words).current_dir(folder);
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
        let said = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, said }
    }

    /// The next thing that it saw.
    fn saw(&mut self) -> Value {
        let line = self.said.next().expect("the browser's driver ended without a word").unwrap();
        serde_json::from_str(&line).unwrap_or_else(|_| panic!("{line}"))
    }

    /// Tells it that it typed enough.
    fn enough(&mut self) {
        drop(self.child.stdin.take());
    }
}

impl Drop for Browser {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn console_url(lab: &Lab, server: &Server) -> String {
    let (status, body) = lab.call("POST", &format!("/servers/{}/console", server.uuid), None);
    assert_eq!(status, 200, "{body}");
    body["data"]["url"].as_str().unwrap().to_owned()
}

fn text<'a>(seen: &'a Value, field: &str) -> &'a str {
    seen[field].as_str().unwrap_or_else(|| panic!("no {field} in {seen}"))
}

#[test]
fn a_customer_sees_the_screen_and_types_into_it_and_the_link_works_once() {
    let lab = Lab::of_environment();
    let server = lab.order("screen.example.com");
    lab.await_status(&server, "Online");
    // It was ordered with a key, so it has no password yet that could be typed.
    lab.ssh(&server, r"printf 'letmein-7\nletmein-7\n' | passwd -a md5 root");

    let url = console_url(&lab, &server);
    let picture = lab.dir().join("console.png");
    let mut browser =
        Browser::drive(&["type", &url, picture.to_str().unwrap(), "root", "letmein-7", "uname -a | tee /root/typed"]);
    lab.await_true("what was typed to have an effect", || {
        lab.try_ssh(&server, "cat /root/typed").is_some_and(|typed| typed.starts_with("Linux screen "))
    });
    browser.enough();
    let seen = browser.saw();
    assert_eq!((text(&seen, "state"), &seen["faults"]), ("connected", &serde_json::json!([])), "{seen}");
    assert!(!text(&seen, "address").contains("csp_con_"), "the ticket left the address bar: {seen}");
    let screens = seen["screens"].as_array().unwrap();
    assert!(screens.iter().all(|screen| screen["lit"].as_u64() > Some(1000)), "a blank screen: {seen}");
    assert!(screens.windows(2).all(|pair| pair[0]["hash"] != pair[1]["hash"]), "typing changed nothing: {seen}");

    let mut again = Browser::drive(&["look", &url]);
    let seen = again.saw();
    assert_eq!((text(&seen, "state"), text(&seen, "title")), ("refused", "This link cannot be used"), "{seen}");

    let mut following = Browser::drive(&["follow", &url, &console_url(&lab, &server)]);
    let seen = following.saw();
    assert_eq!(
        (text(&seen, "before"), text(&seen, "state")),
        ("refused", "connected"),
        "a new link in the same tab: {seen}"
    );
    assert!(!text(&seen, "address").contains("csp_con_"), "its ticket left the address bar, too: {seen}");
    let faults = seen["faults"].as_array().unwrap();
    assert!(faults.iter().all(|fault| fault.as_str().unwrap().contains("bad_ticket")), "the used one's alone: {seen}");
    let mut changing = Browser::drive(&["follow", &console_url(&lab, &server), &console_url(&lab, &server)]);
    let seen = changing.saw();
    let states = (text(&seen, "before"), text(&seen, "state"), &seen["faults"]);
    assert_eq!(states, ("connected", "connected", &serde_json::json!([])), "from one screen to the next: {seen}");

    let mut watching = Browser::drive(&["watch", &console_url(&lab, &server)]);
    assert_eq!(text(&watching.saw(), "state"), "connected");
    lab.ask(&server, "stop");
    let seen = watching.saw();
    assert_eq!((text(&seen, "state"), text(&seen, "title")), ("ended", "The session has ended"), "{seen}");
    lab.await_status(&server, "Offline");
    assert_eq!(lab.refusal(&server, "console"), (409, "conflict".to_owned()));
    lab.destroy(&server);
    assert_eq!(logs_that_say(&lab, &["csp_con_", "csp_cst_"]), Vec::<PathBuf>::new(), "tickets are in no log");
}

fn logs_that_say(lab: &Lab, words: &[&str]) -> Vec<PathBuf> {
    let logs: Vec<PathBuf> = std::fs::read_dir(lab.dir().join("log")).unwrap().map(|log| log.unwrap().path()).collect();
    assert!(logs.iter().any(|log| log.ends_with("control.log")), "{logs:?}");
    let says = |log: &PathBuf| {
        let text = String::from_utf8_lossy(&std::fs::read(log).unwrap()).into_owned();
        words.iter().any(|word| text.contains(word))
    };
    logs.into_iter().filter(says).collect()
}
