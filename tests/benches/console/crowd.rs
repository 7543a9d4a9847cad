//! Many sessions at once: what each holds in memory after it showed a screenful.

use csp_shared::limits::CONSOLES_PER_SERVER_MAX;

use super::fleet::Fleet;

/// Opens so many, and answers the bytes of control plane and agent for each. Their sockets in the kernel are not in it.
pub fn bytes_of_a_session(fleet: &mut Fleet, sessions: u32) -> f64 {
    let sessions = usize::try_from(sessions).unwrap();
    let servers: Vec<String> = (0..sessions.div_ceil(CONSOLES_PER_SERVER_MAX)).map(|_| fleet.order()).collect();
    let before = fleet.own_bytes();
    let mut viewers = Vec::new();
    for number in 0..sessions {
        let mut viewer = fleet.view(&servers[number % servers.len()]);
        viewer.look();
        viewers.push(viewer);
    }
    let after = fleet.own_bytes();
    let each = [0, 1].map(|program| (after[program] - before[program]) / sessions as f64);
    println!(
        "memory of a session with {sessions} open: csp-control {:.0} KiB, csp-agent {:.0} KiB",
        each[0] / 1024.0,
        each[1] / 1024.0
    );
    each.iter().sum()
}
