//! A customer's whole way in a real browser, with a real guest at its end.

use std::process::Command;

use crate::rig::Lab;

#[test]
fn an_invitation_leads_to_a_server_its_screen_a_link_for_a_colleague_and_its_end() {
    let lab = Lab::of_environment();
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/browser");
    // Another name at each run: a lab may be used twice.
    let hostname = format!("grace{}.example.com", std::process::id());
    let mut command = Command::new("timeout");
    command.args(["--signal=KILL", "420", "node", "customer.mjs", &hostname]).arg(lab.dir()).current_dir(folder);
    let output = command.output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
