//! Crash anywhere, for real: a program that was built with failpoints kills itself with SIGKILL at one of them, is
//! started again, and the order runs, is paid once, and leaves nothing behind. A handful, one of each kind; the feature
//! `long` tries every kind of step that a real guest brings about, before and after, and every commit of an order.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use csp_agent::failpoint::{AFTER, BEFORE, BETWEEN};
#[cfg(feature = "long")]
use csp_agent::failpoint::{RECORD, STEPS};
use serde_json::json;

use crate::rig::{Lab, Server};

const HOSTS: [&str; 2] = ["h1", "h2"];
/// Longest wait for a failpoint to be crossed.
const DIES_WITHIN: Duration = Duration::from_secs(60);

/// What the customer asks for while the failpoint is set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Ask {
    Order,
    Stop,
    Start,
    ChangePackage,
    Reinstall,
    Destroy,
}

/// In which request a step is run. None where a real guest does not bring it about at will; the simulation does.
#[cfg(feature = "long")]
fn asked_by(step: &str) -> Option<Ask> {
    match step {
        "fetch_image" => None, // cached from the first order on
        "create_disk" | "note_disk_started" | "write_seed" | "make_taps" | "connect" | "define" | "start"
        | "note_running" => Some(Ask::Order),
        "ask_stop" | "note_stop_asked" | "note_power_unknown" => Some(Ask::Stop),
        "grow_disk" => Some(Ask::ChangePackage),
        "force_stop" | "undefine" | "remove_taps" | "remove_filters" | "retire_disk" | "remove_seed" => {
            Some(Ask::Destroy)
        }
        _ => None,
    }
}

/// What a package change and a reinstall do beside it, to a server that is there.
#[cfg(feature = "long")]
const OF_CHANGES: [(Ask, &str); 12] = [
    (Ask::ChangePackage, "note_stop_asked"),
    (Ask::ChangePackage, "ask_stop"),
    (Ask::ChangePackage, "note_power_unknown"),
    (Ask::ChangePackage, "define"),
    (Ask::ChangePackage, "start"),
    (Ask::Reinstall, "create_disk"),
    (Ask::Reinstall, "force_stop"),
    (Ask::Reinstall, "note_disk_started"),
    (Ask::Reinstall, "retire_disk"),
    (Ask::Reinstall, "write_seed"),
    (Ask::Reinstall, "define"),
    (Ask::Reinstall, "start"),
];

/// The commits that orders and requests pass.
#[cfg(feature = "long")]
const COMMITS: [(&str, Ask); 8] = [
    ("api.servers.order.order", Ask::Order),
    ("fleet.store_hosts.record_reports", Ask::Order),
    ("fleet.store_hosts.open_session", Ask::Order),
    ("fleet.store_hosts.record_inventory", Ask::Order),
    ("schedule.upkeep.tick", Ask::Order),
    ("api.servers.power.change", Ask::Stop),
    ("api.servers.power.change", Ask::Start),
    ("api.servers.destroy.destroy", Ask::Destroy),
];

#[test]
fn an_agent_that_is_killed_at_a_step_takes_it_up_again() {
    let lab = Lab::of_environment();
    let few = [
        (Ask::Order, "create_disk", AFTER),
        (Ask::Order, "connect", BETWEEN),
        (Ask::Order, "start", AFTER),
        (Ask::Destroy, "force_stop", AFTER),
    ];
    for (ask, step, moment) in few {
        die(&lab, ask, &format!("{step}/{moment}"), Program::Agents);
    }
}

/// One of each kind of change, all of the same server.
#[test]
fn an_agent_that_is_killed_in_every_change_of_a_servers_life_takes_each_up_again() {
    let lab = Lab::of_environment();
    let server = lab.order("changes.example.com");
    lab.await_status(&server, "Online");
    for (ask, step, moment) in [
        (Ask::Stop, "note_stop_asked", AFTER),
        (Ask::Start, "define", BEFORE),
        (Ask::ChangePackage, "grow_disk", AFTER),
        (Ask::Reinstall, "retire_disk", BEFORE),
        (Ask::Destroy, "retire_disk", AFTER),
    ] {
        die_in(&lab, &server, ask, &format!("{step}/{moment}"), Program::Agents);
    }
}

#[test]
fn a_control_plane_that_is_killed_at_a_commit_keeps_all_or_nothing_of_it() {
    let lab = Lab::of_environment();
    let few = [
        (Ask::Order, "api.servers.order.order", BEFORE),
        (Ask::Order, "api.servers.order.order", AFTER),
        (Ask::Destroy, "fleet.store_hosts.record_reports", AFTER),
    ];
    for (ask, name, moment) in few {
        die(&lab, ask, &format!("{name}/{moment}"), Program::Control);
    }
}

/// Everything, for those who have the time.
#[cfg(feature = "long")]
mod all {
    use super::*;

    /// Each death costs an order, and there are more of them than a lab's customer has money for.
    fn top_up(lab: &Lab, test: &str) {
        let (done, accounts) = lab.operate(&["account", "list"]);
        assert!(done, "{accounts}");
        for account in accounts["data"].as_array().or(accounts.as_array()).unwrap() {
            let uuid = account["uuid"].as_str().unwrap();
            let (done, said) = lab.operate(&["credit", uuid, "1000", "--reference", &format!("{test}-{uuid}")]);
            assert!(done, "{said}");
        }
    }

    #[test]
    fn an_agent_can_be_killed_before_and_after_every_kind_of_step() {
        let lab = Lab::of_environment();
        top_up(&lab, "steps");
        let steps = STEPS.iter().filter_map(|step| Some((asked_by(step)?, *step)));
        for (ask, place) in steps.chain([(Ask::Order, RECORD)]) {
            for moment in [BEFORE, AFTER] {
                die(&lab, ask, &format!("{place}/{moment}"), Program::Agents);
                HOSTS.into_iter().for_each(|host| lab.empty_trash(host));
            }
        }
        for (ask, place) in OF_CHANGES {
            for moment in [BEFORE, AFTER] {
                die(&lab, ask, &format!("{place}/{moment}"), Program::Agents);
                HOSTS.into_iter().for_each(|host| lab.empty_trash(host));
            }
        }
    }

    #[test]
    fn a_control_plane_can_be_killed_before_and_after_every_commit_of_an_order() {
        let lab = Lab::of_environment();
        top_up(&lab, "commits");
        for (name, ask) in COMMITS {
            for moment in [BEFORE, AFTER] {
                die(&lab, ask, &format!("{name}/{moment}"), Program::Control);
                HOSTS.into_iter().for_each(|host| lab.empty_trash(host));
            }
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Program {
    Agents,
    Control,
}

/// One life of a server, from order to destruction, with a death in the request `ask`.
fn die(lab: &Lab, ask: Ask, place: &str, program: Program) {
    let began = Instant::now();
    let before = lab.balance_cents();
    let order = || lab.order_again("crash.example.com", &format!("{ask:?} {place} {before}"));
    if ask == Ask::Order {
        let server = meanwhile(lab, program, place, order);
        lab.await_status(&server, "Online");
        lab.destroy(&server);
    } else {
        let server = order();
        lab.await_status(&server, "Online");
        if ask == Ask::Start {
            lab.ask(&server, "stop");
            lab.await_status(&server, "Offline");
        }
        die_in(lab, &server, ask, place, program);
        if ask != Ask::Destroy {
            lab.destroy(&server);
        }
    }
    if ask != Ask::ChangePackage {
        assert_eq!(before - lab.balance_cents(), 695, "{place}: paid once, and not given back");
    }
    println!("{place}: died there and came back, {:.1} s", began.elapsed().as_secs_f32());
}

/// A death in a request to a server that is there, and what was asked for comes about all the same.
fn die_in(lab: &Lab, server: &Server, ask: Ask, place: &str, program: Program) {
    meanwhile(lab, program, place, || request(lab, server, ask, place));
    let status = match ask {
        Ask::Destroy => return lab.await_true("nothing to be left", || lab.try_run(&["traces", &server.uuid]).0),
        Ask::Stop => "Offline",
        Ask::Order | Ask::Start | Ask::ChangePackage | Ask::Reinstall => "Online",
    };
    lab.await_status(server, status);
    if ask == Ask::ChangePackage {
        let size = lab.ssh(server, "cat /sys/block/vda/size");
        assert_eq!(size.trim().parse::<u64>().unwrap() >> 21, 6, "the disk is the larger package's");
    }
}

/// Sends a request while the program that it needs dies at `place` and is started again.
fn meanwhile<T: Send>(lab: &Lab, program: Program, place: &str, request: impl FnOnce() -> T + Send) -> T {
    start(lab, program, Some(place));
    std::thread::scope(|threads| {
        let asked = threads.spawn(request);
        let until = Instant::now() + DIES_WITHIN;
        while lives(lab, program) {
            assert!(Instant::now() < until, "nothing died: {place} was never crossed");
            sleep(Duration::from_millis(100));
        }
        start(lab, program, None);
        asked.join().unwrap()
    })
}

fn lives(lab: &Lab, program: Program) -> bool {
    let (_, said) = lab.try_run(&["running"]);
    let all: &[&str] = if program == Program::Control { &["control"] } else { &HOSTS };
    all.iter().all(|name| said.lines().any(|line| line == *name))
}

/// Starts all processes of a program anew, with a failpoint or without.
fn start(lab: &Lab, program: Program, place: Option<&str>) {
    let failpoint: Vec<&str> = place.into_iter().flat_map(|place| ["--failpoint", place]).collect();
    if program == Program::Control {
        lab.run(&["kill-control"]);
        // It may die before it serves; whether it died at all is looked at next.
        let (served, said) = lab.try_run(&[&["start-control"], failpoint.as_slice()].concat());
        assert!(served || place.is_some(), "{said}");
        return;
    }
    for host in HOSTS {
        lab.run(&["kill-agent", host]);
    }
    for host in HOSTS {
        let (runs, said) = lab.try_run(&[&["start-agent", host], failpoint.as_slice()].concat());
        assert!(runs || place.is_some(), "{said}");
    }
}

/// Sends one request under a key, so that it has its effect once however often it had to be sent.
fn request(lab: &Lab, server: &Server, ask: Ask, place: &str) {
    let what = match ask {
        Ask::Order => return,
        Ask::Stop => "stop",
        Ask::Start => "start",
        Ask::ChangePackage => "change-package",
        Ask::Reinstall => "reinstall",
        Ask::Destroy => "destroy",
    };
    let once = format!("{what} {place} {}", server.uuid);
    let body = match ask {
        Ask::ChangePackage => json!({"package_slug": "edge"}),
        Ask::Reinstall => json!({"os_image_key": "ubuntu-24-04"}),
        _ => json!({}),
    };
    let body = (&body, Some(once.as_str()));
    // A host that came back a moment ago takes nothing more until it has told what it holds.
    let until = Instant::now() + DIES_WITHIN / 4;
    loop {
        let (status, answer) = lab.call("POST", &format!("/servers/{}/{what}", server.uuid), Some(body));
        if answer["error"]["code"] != "no_capacity" || Instant::now() > until {
            assert_eq!(status, 200, "{what}: {answer}");
            return;
        }
        sleep(Duration::from_millis(200));
    }
}
