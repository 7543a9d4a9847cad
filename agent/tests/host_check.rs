//! Faults of a host that `csp-agent check` must find, provoked for real where that breaks nothing else: in network and
//! mount namespaces of the test's own.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing, missing_docs)]

mod host_support;

use csp_agent::{
    check::{self, Verdict, bridge, filters, shaping},
    config::{Config, Network},
    host_status::HostWatch,
    network::{adapter_trial, links::Links},
};
use csp_shared::host_status::{AdapterState, BridgeState, HostStatus};
use host_support::{hide_behind, in_private_network};
use rtnetlink::{LinkBridge, LinkUnspec, LinkVeth};
use tokio::runtime::Runtime;

#[test]
fn taps_and_filters_of_this_kernel_will_do() {
    in_private_network(|runtime| {
        let finding = filters::judge(&runtime.block_on(filters::probe()));
        assert_eq!(finding.verdict, Verdict::Ok, "{finding}");
    });
}

#[test]
fn a_missing_tun_device_is_a_fault() {
    in_private_network(|runtime| {
        hide_behind("/dev/null", "/dev/net/tun");
        let finding = filters::judge(&runtime.block_on(filters::probe()));
        assert_eq!(finding.verdict, Verdict::Fault);
        assert!(finding.cure.contains("modprobe tun"), "{finding}");
    });
}

#[test]
fn an_nft_that_does_not_work_is_a_fault() {
    in_private_network(|runtime| {
        hide_behind("/bin/false", "/usr/sbin/nft");
        let finding = filters::judge(&runtime.block_on(filters::probe()));
        assert_eq!(finding.verdict, Verdict::Fault);
        assert!(finding.cure.contains("install nftables"), "{finding}");
    });
}

#[test]
fn servers_of_this_kernel_can_be_held_to_a_rate_and_a_trial_leaves_nothing() {
    in_private_network(|runtime| {
        let finding = shaping::judge(&runtime.block_on(shaping::probe()));
        assert_eq!(finding.verdict, Verdict::Ok, "{finding}");
        assert_eq!(interfaces(), ["lo"]);
    });
}

/// What the kernel has, whoever it is hidden from.
fn interfaces() -> Vec<String> {
    let all = nix::net::if_::if_nameindex().unwrap();
    all.iter().map(|interface| interface.name().to_string_lossy().into_owned()).collect()
}

/// How a host is that has no public bridge.
fn told(runtime: &Runtime) -> HostStatus {
    let home = tempfile::tempdir().unwrap();
    let network = Network { public_bridge: "br-nowhere".to_owned(), ..Network::default() };
    let state_dir = home.path().to_owned();
    let config = Config { pool_dir: home.path().join("pool"), state_dir, network, ..Config::default() };
    runtime.block_on(HostWatch::new(&config).next())
}

#[test]
fn a_host_tells_how_its_bridge_is_and_that_guests_can_be_plugged_in() {
    in_private_network(|runtime| {
        let status = told(runtime);
        assert_eq!((status.bridge, status.adapters), (Some(BridgeState::Missing), Some(AdapterState::Ready)));
        assert_eq!(interfaces(), ["lo"], "its trial leaves nothing");
    });
}

#[test]
fn a_host_whose_nft_does_not_work_tells_that_nobody_can_be_plugged_in() {
    in_private_network(|runtime| {
        hide_behind("/bin/false", "/usr/sbin/nft");
        assert_eq!(told(runtime).adapters, Some(AdapterState::NoFilters));
        assert_eq!(interfaces(), ["lo"], "its trial leaves nothing");
    });
}

/// A look in the middle of a trial would call its interfaces orphans, or an audit's finding.
#[test]
fn whoever_lists_interfaces_sees_none_of_a_trial() {
    in_private_network(|runtime| {
        runtime.block_on(async {
            let (links, watch) = (Links::connect().unwrap(), Links::connect().unwrap());
            let mut tried = std::pin::pin!(adapter_trial::try_it(&links));
            let (mut had, mut looks) = (0, 0);
            loop {
                tokio::select! {
                    biased;
                    listed = watch.list() => {
                        let listed = listed.unwrap();
                        assert!(listed.iter().all(|link| link.name == "lo"), "{listed:?}");
                        had = had.max(interfaces().len());
                        looks += 1;
                    }
                    done = &mut tried => break done.unwrap(),
                }
            }
            assert!(looks > 0 && had > 1, "looked at {looks} times in the middle of it");
        });
    });
}

#[test]
fn the_bridge_is_judged_as_it_really_is() {
    in_private_network(|runtime| {
        runtime.block_on(async {
            let (connection, handle, _) = rtnetlink::new_connection().unwrap();
            tokio::spawn(connection);
            let verdict = async || bridge::judge("br-test", &bridge::probe().await).verdict;
            assert_eq!(verdict().await, Verdict::Fault, "not there");
            handle.link().add(LinkBridge::new("br-test").down().build()).execute().await.unwrap();
            assert_eq!(verdict().await, Verdict::Fault, "down");
            handle.link().change(LinkUnspec::new_with_name("br-test").up().build()).execute().await.unwrap();
            assert_eq!(verdict().await, Verdict::Warning, "leads nowhere");
            handle.link().add(LinkVeth::new("uplink", "segment").build()).execute().await.unwrap();
            let index = nix::net::if_::if_nametoindex("br-test").unwrap();
            let plugged = LinkUnspec::new_with_name("uplink").controller(index).build();
            handle.link().change(plugged).execute().await.unwrap();
            assert_ne!(verdict().await, Verdict::Fault, "as it should be");
            let finding = bridge::judge("uplink", &bridge::probe().await);
            assert_eq!(finding.verdict, Verdict::Fault, "an interface that is no bridge");
        });
    });
}

#[test]
fn a_host_that_has_nothing_gets_a_whole_report() {
    in_private_network(|runtime| {
        let home = tempfile::tempdir().unwrap();
        let config = Config {
            libvirt_uri: "qemu+unix:///system?socket=/nonexistent/libvirt-sock".to_owned(),
            pool_dir: home.path().join("pool"),
            state_dir: home.path().join("state"),
            network: Network { public_bridge: "br-none".to_owned(), ..Network::default() },
            ..Config::default()
        };
        let mut told = Vec::new();
        let report = runtime.block_on(check::run(&config, |finding| told.push(finding.clone())));
        assert_eq!(told, report.findings, "each is told as it is found");
        assert!(!report.is_ok());
        let faults: Vec<&str> =
            report.findings.iter().filter(|f| f.verdict == Verdict::Fault).map(|f| f.name).collect();
        assert_eq!(&faults[..2], ["libvirt", "guests"]);
        assert!(faults.contains(&"bridge"), "{report}");
        assert!(report.findings.iter().all(|f| f.verdict == Verdict::Ok || !f.cure.is_empty()), "{report}");
        assert!(!home.path().join("pool").exists(), "a check makes nothing");
    });
}
