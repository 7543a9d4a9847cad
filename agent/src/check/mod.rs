//! `csp-agent check`: looks for what this host lacks, before it joins and whenever something is odd.
//!
//! Each part looks (`probe`, effects) and judges (`judge`, pure) apart, so that every fault can be tried without
//! breaking a machine for it. Nothing of the host is changed: what a probe makes is gone when it ends.

pub mod bridge;
pub mod clock;
pub mod control;
pub mod filters;
pub mod host_shutdown;
pub mod limits;
pub mod networks;
pub mod pool;
pub mod report;
pub mod shaping;
pub mod state;
pub mod virt;

pub use report::{Finding, Report, Verdict};

use std::sync::Arc;

use crate::{config::Config, hypervisor::libvirt::Libvirt};

/// Looks at everything, and tells each finding as soon as it is made. Takes at most some minutes, where libvirt first has to
/// find out what QEMU can do.
pub async fn run(config: &Config, mut tell: impl FnMut(&Finding)) -> Report {
    let mut findings = Vec::new();
    let mut found = |finding: Finding| {
        tell(&finding);
        findings.push(finding);
    };
    let (libvirt, _events) = Libvirt::new(config.libvirt_uri.clone());
    let libvirt = Arc::new(libvirt);
    let reached = virt::reach(&libvirt, &config.libvirt_uri, virt::ANSWER_LIMIT).await;
    found(virt::judge_libvirt(&reached));
    found(virt::judge(&virt::probe(&libvirt, config.virt_type, &config.run_dir, reached.is_ok()).await));
    found(filters::judge(&filters::probe().await));
    found(shaping::judge(&shaping::probe().await));
    found(bridge::judge(&config.network.public_bridge, &bridge::probe().await));
    found(networks::judge(&config.network, &networks::probe(&config.network).await));
    found(pool::judge(&pool::probe(config).await));
    found(state::judge(&config.state_dir, &state::probe(&config.state_dir)));
    found(limits::judge(limits::probe()));
    found(host_shutdown::judge(&host_shutdown::probe()));
    found(clock::judge(clock::probe()));
    found(control::judge(&control::probe(&config.state_dir).await));
    Report { findings }
}
