//! A client that a generator made of the served document is all that a customer needs: it orders a real guest.

use std::{path::Path, process::Command};

use crate::rig::Lab;

#[test]
fn a_client_generated_from_the_document_orders_waits_and_destroys() {
    let lab = Lab::of_environment();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("../scripts/checks/generated-client");
    let output = Command::new(script).output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let server = String::from_utf8(output.stdout).unwrap().trim().to_owned();
    assert_eq!(lab.call("GET", &format!("/servers/{server}"), None).0, 404, "it was that one");
    lab.await_true("nothing to be left", || lab.try_run(&["traces", &server]).0);
}
