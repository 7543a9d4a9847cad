//! What libvirt's numbers mean to the planner. Pure.

use virt::sys;

use crate::machine::{OffCause, SeenState};

/// Reads a domain's state and its reason. `ended_by_host`: an event told that QEMU was ended by a signal, which libvirt
/// afterwards reports as an orderly shutdown of the guest.
#[must_use]
pub fn read(state: sys::virDomainState, reason: i32, ended_by_host: bool) -> SeenState {
    let is = |wanted: u32| u32::try_from(reason) == Ok(wanted);
    match state {
        sys::VIR_DOMAIN_SHUTOFF if is(sys::VIR_DOMAIN_SHUTOFF_SHUTDOWN) && !ended_by_host => {
            SeenState::Off(OffCause::Shutdown)
        }
        sys::VIR_DOMAIN_SHUTOFF if is(sys::VIR_DOMAIN_SHUTOFF_CRASHED) => SeenState::Off(OffCause::Crashed),
        sys::VIR_DOMAIN_SHUTOFF => SeenState::Off(OffCause::Unknown),
        sys::VIR_DOMAIN_CRASHED => SeenState::Off(OffCause::Crashed),
        sys::VIR_DOMAIN_PAUSED
            if is(sys::VIR_DOMAIN_PAUSED_STARTING_UP) || is(sys::VIR_DOMAIN_PAUSED_SHUTTING_DOWN) =>
        {
            SeenState::Running
        }
        sys::VIR_DOMAIN_PAUSED | sys::VIR_DOMAIN_PMSUSPENDED => SeenState::Paused,
        // Running, waiting for something, going down; and whatever libvirt may add, since a guest that is taken for
        // running is never started twice.
        _ => SeenState::Running,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_state_of_libvirt_has_its_meaning() {
        let off = |cause| SeenState::Off(cause);
        let table = [
            (sys::VIR_DOMAIN_RUNNING, 1, SeenState::Running),
            (sys::VIR_DOMAIN_BLOCKED, 0, SeenState::Running),
            (sys::VIR_DOMAIN_SHUTDOWN, 0, SeenState::Running),
            (sys::VIR_DOMAIN_PAUSED, sys::VIR_DOMAIN_PAUSED_IOERROR, SeenState::Paused),
            (sys::VIR_DOMAIN_PAUSED, sys::VIR_DOMAIN_PAUSED_STARTING_UP, SeenState::Running),
            (sys::VIR_DOMAIN_SHUTOFF, sys::VIR_DOMAIN_SHUTOFF_SHUTDOWN, off(OffCause::Shutdown)),
            (sys::VIR_DOMAIN_SHUTOFF, sys::VIR_DOMAIN_SHUTOFF_CRASHED, off(OffCause::Crashed)),
            (sys::VIR_DOMAIN_SHUTOFF, sys::VIR_DOMAIN_SHUTOFF_DESTROYED, off(OffCause::Unknown)),
            (sys::VIR_DOMAIN_SHUTOFF, sys::VIR_DOMAIN_SHUTOFF_DAEMON, off(OffCause::Unknown)),
            (sys::VIR_DOMAIN_SHUTOFF, sys::VIR_DOMAIN_SHUTOFF_UNKNOWN, off(OffCause::Unknown)),
            (sys::VIR_DOMAIN_CRASHED, 0, off(OffCause::Crashed)),
        ];
        for (state, reason, meaning) in table {
            assert_eq!(read(state, reason as i32, false), meaning, "state {state}, reason {reason}");
        }
        let killed = read(sys::VIR_DOMAIN_SHUTOFF, sys::VIR_DOMAIN_SHUTOFF_SHUTDOWN as i32, true);
        assert_eq!(killed, off(OffCause::Unknown), "QEMU ended by a signal is not the guest's wish");
    }
}
