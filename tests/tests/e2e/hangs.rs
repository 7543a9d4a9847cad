//! A libvirt that hangs for a minute: its own host says so by name, everything else goes on, and so does it afterwards.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use crate::rig::{Lab, Server};

const MINUTE: Duration = Duration::from_secs(60);
/// Of all libvirtds of this machine the one that runs in this host's network.
const SIGNAL: &str = "for pid in $(pidof libvirtd); do \
    [ \"$(readlink /proc/$pid/ns/net)\" = \"$(readlink /proc/self/ns/net)\" ] && kill -$1 $pid; done; true";

/// A libvirtd that was stopped, and goes on when this ends, however that is.
struct Stopped<'a> {
    lab: &'a Lab,
    host: String,
}

impl<'a> Stopped<'a> {
    fn begin(lab: &'a Lab, host: String) -> Self {
        assert!(lab.exec(&host, &["sh", "-c", SIGNAL, "sh", "STOP"]).0);
        Self { lab, host }
    }
}

impl Drop for Stopped<'_> {
    fn drop(&mut self) {
        let _ = self.lab.exec(&self.host, &["sh", "-c", SIGNAL, "sh", "CONT"]);
    }
}

fn fault(lab: &Lab, server: &Server) -> Option<String> {
    let shown = lab.operate(&["server", "show", &server.uuid]).1;
    shown["last_report"]["observed"]["fault"]["code"].as_str().map(str::to_owned)
}

#[test]
fn a_libvirt_that_hangs_for_a_minute_is_told_by_name_and_holds_up_no_other_host() {
    let lab = Lab::of_environment();
    let (here, there) = (lab.order("hangs.example.com"), lab.order("goes-on.example.com"));
    lab.await_status(&here, "Online");
    lab.await_status(&there, "Online");
    assert_ne!(lab.host_of(&here), lab.host_of(&there), "a customer's servers stand apart");
    let boot = lab.boot_id(&here);

    let began = Instant::now();
    let stopped = Stopped::begin(&lab, lab.host_of(&here));
    lab.ask(&there, "stop");
    lab.await_status(&there, "Offline");
    lab.ask(&there, "start");
    lab.await_status(&there, "Online");
    lab.await_true("the operator to be told", || fault(&lab, &here).as_deref() == Some("hypervisor_away"));
    assert_eq!(lab.boot_id(&here), boot, "the guest needs no libvirt");
    sleep(MINUTE.saturating_sub(began.elapsed()));
    drop(stopped);

    lab.ask(&here, "stop");
    lab.await_status(&here, "Offline");
    lab.await_true("no fault to be left", || fault(&lab, &here).is_none());
    lab.destroy(&here);
    lab.destroy(&there);
}
