//! Whether libvirt answers, and whether guests run: with KVM, or at least emulated.

use std::{path::Path, sync::Arc, time::Duration};

use csp_shared::message::Virt;

use super::Finding;
use crate::{
    config::VirtType,
    host_machine::{fault::story, setup},
    hypervisor::{HypervisorError, libvirt::Libvirt, probe::Probed},
};

const LIBVIRT: &str = "libvirt";
const GUESTS: &str = "guests";
const KVM: &str = "/dev/kvm";
/// A libvirt that works answers a plain question within milliseconds, on a busy host within a second.
pub const ANSWER_LIMIT: Duration = Duration::from_secs(10);
/// How long a probe guest may take, tried several times and emulated, while libvirt goes on answering plain questions.
const PROBE_LIMIT: Duration = Duration::from_secs(120);
/// How often it is asked one meanwhile.
const ASK_EVERY: Duration = Duration::from_secs(3);

/// Why nothing was heard from libvirt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Unreached {
    /// Nobody listens, or it refuses; and what it said.
    Away(String),
    /// It takes questions and does not answer.
    Hangs(Duration),
}

impl std::fmt::Display for Unreached {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Away(reason) => f.write_str(reason),
            Self::Hangs(limit) => {
                write!(f, "libvirt takes questions and did not answer one within {} s: it hangs", limit.as_secs())
            }
        }
    }
}

/// What was found out about running guests.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Guests {
    /// As configured.
    pub wanted: VirtType,
    /// libvirt answered, so the rest was tried.
    pub libvirt: bool,
    /// `/dev/kvm` is there.
    pub kvm_device: bool,
    /// A guest with KVM: ran, or why not.
    pub kvm: Option<Result<(), String>>,
    /// An emulated guest: ran, or why not.
    pub emulated: Option<Result<(), String>>,
}

/// Whether libvirt answers within `limit`: where, or why not.
pub async fn reach(libvirt: &Arc<Libvirt>, uri: &str, limit: Duration) -> Result<String, Unreached> {
    let called = call(libvirt, limit, Libvirt::node).await;
    called.map(|node| format!("answers at {uri} ({} processors, {} MiB of memory)", node.cpus, node.ram_mib))
}

/// Judges whether libvirt answers.
#[must_use]
pub fn judge_libvirt(reached: &Result<String, Unreached>) -> Finding {
    match reached {
        Ok(detail) => Finding::ok(LIBVIRT, detail),
        Err(why @ Unreached::Away(_)) => Finding::fault(
            LIBVIRT,
            why.to_string(),
            "install libvirt-daemon-system and start it (`systemctl enable --now libvirtd`), or set `libvirt_uri`",
        ),
        Err(why @ Unreached::Hangs(_)) => Finding::fault(
            LIBVIRT,
            why.to_string(),
            "`systemctl restart libvirtd` (guests go on meanwhile); why it hung: `journalctl -u libvirtd`",
        ),
    }
}

/// Runs a guest for a moment, of the kind that is configured. Its disk is in `run_dir` meanwhile.
pub async fn probe(libvirt: &Arc<Libvirt>, wanted: VirtType, run_dir: &Path, is_reached: bool) -> Guests {
    let try_out = async |virt| {
        let dir = run_dir.to_owned();
        let tried = call(libvirt, PROBE_LIMIT, move |libvirt| {
            let made = setup::make_run_dir(&dir);
            made.map_err(|source| HypervisorError::Io { path: dir.clone(), source })?;
            let probed = libvirt.probe(virt, &dir);
            let _ = std::fs::remove_dir(&dir); // stays where an agent has something in it
            probed
        });
        let tried = tokio::select! {
            tried = tried => tried,
            why = hangs(libvirt) => Err(why),
        };
        match tried {
            Ok(Probed::Runs) => Ok(()),
            Ok(Probed::Fails(reason)) => Err(reason),
            Err(why) => Err(why.to_string()),
        }
    };
    let wants_kvm = is_reached && wanted != VirtType::Qemu;
    let kvm = if wants_kvm { Some(try_out(Virt::Kvm).await) } else { None };
    let wants_emulated = is_reached && wanted != VirtType::Kvm && !matches!(kvm, Some(Ok(())));
    let emulated = if wants_emulated { Some(try_out(Virt::Qemu).await) } else { None };
    Guests { wanted, libvirt: is_reached, kvm_device: Path::new(KVM).exists(), kvm, emulated }
}

/// Judges whether guests run.
#[must_use]
pub fn judge(guests: &Guests) -> Finding {
    let kvm_cure = if guests.kvm_device {
        "let QEMU's user open /dev/kvm (group kvm), and where this is a virtual machine, let its host nest"
    } else {
        "switch virtualization on in the firmware and load kvm_intel or kvm_amd"
    };
    match (guests.wanted, &guests.kvm, &guests.emulated) {
        _ if !guests.libvirt => Finding::fault(GUESTS, "cannot be tried without libvirt", "cure libvirt first"),
        (_, Some(Ok(())), _) => Finding::ok(GUESTS, "a probe guest ran with KVM"),
        (VirtType::Kvm, Some(Err(reason)), _) => {
            Finding::fault(GUESTS, format!("no guest runs with KVM: {reason}"), kvm_cure)
        }
        (VirtType::Auto, Some(Err(reason)), Some(Ok(()))) => {
            Finding::warning(GUESTS, format!("guests are emulated, which is slow; with KVM: {reason}"), kvm_cure)
        }
        (VirtType::Qemu, _, Some(Ok(()))) => Finding::warning(
            GUESTS,
            "guests are emulated, which is slow",
            "for customers, set `virt_type = \"auto\"` on a machine with KVM",
        ),
        (_, _, Some(Err(reason))) => Finding::fault(
            GUESTS,
            format!("not even an emulated guest runs: {reason}"),
            "install qemu-system-x86 and seabios; see /var/log/libvirt/qemu",
        ),
        (VirtType::Auto | VirtType::Kvm, None, _) | (_, _, None) => {
            Finding::fault(GUESTS, "no guest was tried", "run the check again")
        }
    }
}

/// Ends when libvirt stops answering.
async fn hangs(libvirt: &Arc<Libvirt>) -> Unreached {
    loop {
        tokio::time::sleep(ASK_EVERY).await;
        if let Err(why @ Unreached::Hangs(_)) = call(libvirt, ANSWER_LIMIT, Libvirt::node).await {
            return why;
        }
    }
}

async fn call<T: Send + 'static>(
    libvirt: &Arc<Libvirt>,
    limit: Duration,
    call: impl FnOnce(&Libvirt) -> Result<T, HypervisorError> + Send + 'static,
) -> Result<T, Unreached> {
    let libvirt = Arc::clone(libvirt);
    let called = tokio::time::timeout(limit, tokio::task::spawn_blocking(move || call(&libvirt))).await;
    match called {
        Ok(Ok(done)) => done.map_err(|error| Unreached::Away(story(&error))),
        Ok(Err(error)) => Err(Unreached::Away(error.to_string())),
        Err(_) => Err(Unreached::Hangs(limit)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::Verdict;

    #[test]
    fn each_way_of_running_guests_has_its_verdict() {
        let fails = || Some(Err("no".to_owned()));
        let runs = || Some(Ok(()));
        let table = [
            (VirtType::Auto, true, runs(), None, Verdict::Ok),
            (VirtType::Auto, true, fails(), runs(), Verdict::Warning),
            (VirtType::Auto, true, fails(), fails(), Verdict::Fault),
            (VirtType::Kvm, true, runs(), None, Verdict::Ok),
            (VirtType::Kvm, true, fails(), None, Verdict::Fault),
            (VirtType::Qemu, true, None, runs(), Verdict::Warning),
            (VirtType::Qemu, true, None, fails(), Verdict::Fault),
            (VirtType::Auto, false, None, None, Verdict::Fault),
        ];
        for (wanted, libvirt, kvm, emulated, verdict) in table {
            let guests = Guests { wanted, libvirt, kvm_device: true, kvm, emulated };
            let finding = judge(&guests);
            assert_eq!(finding.verdict, verdict, "{guests:?}");
            assert_eq!(finding.cure.is_empty(), verdict == Verdict::Ok, "{guests:?}");
        }
    }

    #[test]
    fn a_missing_device_and_a_broken_one_have_different_cures() {
        let broken = Guests {
            wanted: VirtType::Kvm,
            libvirt: true,
            kvm_device: true,
            kvm: Some(Err("no".to_owned())),
            emulated: None,
        };
        let missing = Guests { kvm_device: false, ..broken.clone() };
        assert_ne!(judge(&broken).cure, judge(&missing).cure);
    }

    #[tokio::test]
    async fn a_libvirt_that_is_not_there_is_a_fault_with_a_cure() {
        let uri = "qemu+unix:///system?socket=/nonexistent/libvirt-sock";
        let (libvirt, _events) = Libvirt::new(uri.to_owned());
        let libvirt = Arc::new(libvirt);
        let reached = reach(&libvirt, uri, ANSWER_LIMIT).await;
        let finding = judge_libvirt(&reached);
        assert_eq!(finding.verdict, Verdict::Fault);
        assert!(finding.detail.contains("/nonexistent/libvirt-sock"), "{finding}");
        assert!(finding.cure.contains("libvirtd"), "{finding}");
        let guests = probe(&libvirt, VirtType::Auto, Path::new("/nonexistent"), reached.is_ok()).await;
        assert_eq!(judge(&guests).verdict, Verdict::Fault);
    }

    #[tokio::test]
    async fn a_libvirt_that_takes_questions_and_never_answers_is_told_from_one_that_is_away() {
        let home = tempfile::tempdir().unwrap();
        let socket = home.path().join("libvirt-sock");
        let stopped = std::os::unix::net::UnixListener::bind(&socket).unwrap();
        let uri = format!("qemu+unix:///system?socket={}", socket.display());
        let (libvirt, _events) = Libvirt::new(uri.clone());
        let reached = reach(&Arc::new(libvirt), &uri, Duration::from_millis(50)).await;
        assert!(matches!(reached, Err(Unreached::Hangs(_))), "{reached:?}");
        let finding = judge_libvirt(&reached);
        assert_eq!(finding.verdict, Verdict::Fault);
        assert!(finding.cure.contains("restart libvirtd") && !finding.cure.contains("install"), "{finding}");
        drop(stopped); // ends the question that is still open
    }
}
